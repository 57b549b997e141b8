use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::backend::Pods;
use crate::health::Trouble;
use crate::object_state::{Addresses, PodFacts};

/// The pods of a service, and which of them the gateway can reach.
#[derive(Clone, Debug, Default)]
pub struct LivePods {
    /// By the selector that finds them.
    pub(super) by_selector: BTreeMap<String, Vec<PodFacts>>,
    /// The ready pods in the v1 Endpoints of the Services that the gateway reads.
    pub(super) addresses: Addresses,
    /// Versions that have a ready pod. `None` stands for ready pods in the Service of which no version is known.
    pub(super) answering: BTreeSet<Option<Arc<str>>>,
}

impl LivePods {
    /// Adds the pods that a selector finds.
    pub fn insert(&mut self, selector: &str, pods: Vec<PodFacts>) {
        self.by_selector.insert(selector.to_owned(), pods);
    }

    /// Adds ready pods in the Endpoints.
    pub fn insert_addresses(&mut self, addresses: Addresses) {
        self.addresses.extend(addresses);
    }

    /// Adds a version that has a ready pod; `None` for ready pods of which no version is known.
    pub fn insert_answering(&mut self, version: Option<Arc<str>>) {
        self.answering.insert(version);
    }

    /// The names of the ready pods in the Endpoints.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Whether the version has a ready pod.
    pub(super) fn answers(&self, version: &str) -> bool {
        self.answering.contains(&Some(version.into()))
    }

    /// Whether there are ready pods of which no version is known.
    pub(super) fn unknown_answer(&self) -> bool {
        self.answering.contains(&None)
    }

    /// How many pods of the version are ready, and how many of these are in the Endpoints.
    pub(super) fn ready_and_reachable(&self, pods: &Pods) -> (usize, usize) {
        let ready = self.of(pods).iter().filter(|pod| pod.ready_since.is_some());
        let ready: BTreeSet<&Arc<str>> = ready.map(|pod| &pod.name).collect();
        let known = ready.iter().filter(|name| self.addresses.contains_key(**name)).count();
        (ready.len(), known)
    }

    /// Since when each pod of the version that is ready and in the Endpoints is both.
    pub(super) fn reachable_since(&self, pods: &Pods) -> impl Iterator<Item = Option<Timestamp>> {
        self.of(pods).iter().filter_map(|pod| {
            let (ready, known) = (pod.ready_since?, *self.addresses.get(&pod.name)?);
            Some(known.max(Some(ready)))
        })
    }

    /// What is wrong with a pod of the version, the gravest first.
    pub(super) fn trouble(&self, pods: &Pods) -> Option<&Trouble> {
        let troubles = self.of(pods).iter().filter_map(|pod| pod.trouble.as_ref());
        troubles.max_by_key(|trouble| (trouble.lasting, trouble.cause))
    }

    fn of(&self, pods: &Pods) -> &[PodFacts] {
        self.by_selector.get(&pods.selector).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Cause;
    use crate::object::ObjectId;

    fn version(name: &str) -> Pods {
        Pods {
            version: name.into(),
            selector: format!("version={name}"),
            service: ObjectId::new("v1", "Service", Some("echo"), "echo"),
            endpoints: Vec::new(),
            deployment: ObjectId::new("apps/v1", "Deployment", Some("echo"), name),
            ours: true,
            parked: false,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn pod(name: &str, ready_since: Option<i64>, lasting: Option<bool>) -> PodFacts {
        let trouble = |lasting| Trouble {
            words: name.into(),
            cause: Cause::Starting,
            lasting,
            pod: name.into(),
            container: None,
            in_previous_log: false,
        };
        PodFacts {
            name: name.into(),
            version: "v1".into(),
            ready_since: ready_since.map(at),
            trouble: lasting.map(trouble),
            ..PodFacts::default()
        }
    }

    #[test]
    fn a_pod_can_be_reached_when_it_is_ready_and_in_the_endpoints() {
        let mut live = LivePods::default();
        live.insert("version=v1", vec![pod("a", Some(1), None), pod("b", Some(9), None)]);
        live.insert("version=v2", vec![pod("c", None, None)]);
        live.insert_addresses([("a".into(), Some(at(5))), ("c".into(), None)].into());
        assert_eq!(live.ready_and_reachable(&version("v1")), (2, 1));
        assert_eq!(live.ready_and_reachable(&version("v2")), (0, 0));
        assert_eq!(live.ready_and_reachable(&version("v3")), (0, 0));
        let since: Vec<_> = live.reachable_since(&version("v1")).collect();
        assert_eq!(since, [Some(at(5))], "the later of the two");
    }

    #[test]
    fn trouble_that_lasts_is_told_before_trouble_that_may_pass() {
        let mut live = LivePods::default();
        let pods = [pod("a", None, Some(false)), pod("b", None, Some(true)), pod("c", None, None)];
        live.insert("version=v1", pods.into());
        let trouble = live.trouble(&version("v1")).expect("there is some");
        assert_eq!(&*trouble.words, "b");
        assert_eq!(live.trouble(&version("v2")), None);
    }
}
