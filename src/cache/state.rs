//! What is known at a moment, and how one more object changes it. No clock, no network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gloo::Snapshot;
use serde_json::Value;

use super::Touched;
use super::following::{Following, Trouble};
use crate::cluster::{Namespaces, WatchedKind};
use coalmine_core::kind::{Kind, is_gateway_api_routing};
use coalmine_core::labels::{SERVICE, last_changed};
use coalmine_core::object::ObjectId;
use coalmine_core::object_state::{
    Addresses, Claim, Facts, PodFacts, identify, ready_addresses, version,
};
use coalmine_core::preflight::http_route_snapshot;
use coalmine_core::reason::Reason;

/// The state behind [`super::Cache`].
pub(super) struct State {
    instance: Arc<str>,
    /// Where objects may be ours. Elsewhere they are looked at and are nobody's of ours.
    namespaces: Namespaces,
    gloo_namespace: String,
    objects: BTreeMap<ObjectId, Facts>,
    /// Which objects each service has; those without our label are not in it.
    services: BTreeMap<Arc<str>, BTreeSet<ObjectId>>,
    /// Pods by service and by namespace and name.
    pods: BTreeMap<Arc<str>, BTreeMap<Key, PodFacts>>,
    /// Ready pods by the Service's namespace and name.
    endpoints: BTreeMap<Key, Endpoints>,
    gloo: Snapshot,
    /// What routing by the Gateway API rests on, as far as it was read.
    gateway_api: gateway_api::Snapshot,
    /// How often either snapshot has changed, in all and by objects of each service.
    gloo_version: u64,
    own_gloo_changes: BTreeMap<Arc<str>, u64>,
    kinds: BTreeMap<WatchedKind, Following>,
    /// Kinds that the cluster does not serve.
    unserved: BTreeSet<WatchedKind>,
}

/// Namespace and name.
type Key = (String, String);

struct Endpoints {
    service: Arc<str>,
    ready: Addresses,
}

/// Where an object's state comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A change that a watch shows. It may come late.
    Event,
    /// A complete list, which says how things are: also when they are older than what was known, as after
    /// the API server's store was restored from a backup.
    List,
    /// The answer to a request of ours.
    Answer,
}

impl State {
    pub(super) fn new(instance: &str, namespaces: Namespaces) -> Self {
        let gloo_namespace = "gloo-system".to_owned();
        let mut gloo = Snapshot::default();
        if namespaces.names().is_some() {
            gloo = gloo.of_namespaces();
        }
        Self {
            instance: instance.into(),
            namespaces,
            gloo,
            gateway_api: http_route_snapshot().of_what_is_read(),
            gloo_namespace,
            objects: BTreeMap::new(),
            services: BTreeMap::new(),
            pods: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            gloo_version: 0,
            own_gloo_changes: BTreeMap::new(),
            kinds: BTreeMap::new(),
            unserved: BTreeSet::new(),
        }
    }

    pub(super) fn instance(&self) -> Arc<str> {
        self.instance.clone()
    }

    /// False when the kind is watched there already.
    pub(super) fn begin_kind(&mut self, kind: &WatchedKind) -> bool {
        let is_watched =
            |known: &WatchedKind| known.is_kind(kind) && known.namespace == kind.namespace;
        if self.kinds.keys().any(is_watched) {
            return false;
        }
        self.kinds.insert(kind.clone(), Following::default());
        if kind.is_kind(&WatchedKind::http_routes()) {
            // From now on it is looked at.
            self.gloo_version += 1;
        }
        true
    }

    /// Whether somebody uses the Gateway API, so that its routes are watched.
    pub(super) fn has_gateway_api(&self) -> bool {
        self.kinds.keys().any(|kind| kind.is_kind(&WatchedKind::http_routes()))
    }

    /// How many of the lists that every service rests on have not come yet. Those of a namespace that is left out do not
    /// count, nor those of Gloo where the cluster serves none of its kinds: there is no Gloo then. What the preflight of
    /// HTTPRoutes looks at is awaited where it is served and may be read.
    pub(super) fn unsynced(&self) -> usize {
        let has_gloo = !self.lacks_gloo();
        let is_awaited = |(kind, known): &(&WatchedKind, &Following)| {
            let is_needed = kind.is_of_services() && (has_gloo || !kind.is_of_gloo());
            let is_beside = kind.is_beside_http_routes()
                && known.forbidden.is_none()
                && !self.unserved.contains(kind);
            !known.listed && !known.left_out && (is_needed || is_beside)
        };
        self.kinds.iter().filter(is_awaited).count()
    }

    /// Waits no longer for namespaces whose lists do not come, if another one is known. False when none is.
    pub(super) fn leave_out(&mut self) -> bool {
        let late =
            |(kind, known): &(&WatchedKind, &Following)| kind.is_of_services() && !known.listed;
        let late: BTreeSet<Option<Arc<str>>> =
            self.kinds.iter().filter(late).map(|(kind, _)| kind.namespace.clone()).collect();
        let is_known = |kind: &WatchedKind| {
            let is_watched = self.namespaces.has(kind.namespace.as_deref());
            is_watched && kind.is_of_services() && !late.contains(&kind.namespace)
        };
        if late.contains(&None) || !self.kinds.keys().any(is_known) {
            return false;
        }
        for (kind, following) in &mut self.kinds {
            following.left_out |= late.contains(&kind.namespace) && !following.listed;
        }
        true
    }

    /// Whether the cluster serves none of the kinds that services of Gloo's rest on.
    pub(super) fn lacks_gloo(&self) -> bool {
        let mut of_gloo = self.kinds.keys().filter(|kind| kind.is_of_gloo()).peekable();
        of_gloo.peek().is_some() && of_gloo.all(|kind| self.unserved.contains(kind))
    }

    pub(super) fn unlisted(&self, id: &ObjectId) -> Option<Reason> {
        let following = self.following(id)?;
        (!following.listed).then(|| unlisted(id, following))
    }

    /// Why one of these namespaces is not known, where each is watched for itself: a list of what services rest on is
    /// missing, or the right to it has gone.
    pub(super) fn unknown(&self, namespaces: &BTreeSet<&str>) -> Option<Reason> {
        let is_missing = |(kind, known): &(&WatchedKind, &Following)| {
            let is_there = kind.namespace.as_deref().is_some_and(|it| namespaces.contains(it));
            is_there && (!known.listed || known.forbidden.is_some()) && kind.is_of_services()
        };
        let mut missing: Vec<_> = self.kinds.iter().filter(is_missing).collect();
        // One that has failed says more.
        missing.sort_by_key(|(_, known)| known.trouble.is_none());
        let (kind, following) = missing.first()?;
        let namespace = kind.namespace.as_deref();
        let id = ObjectId::new(&kind.api_version, &kind.kind, namespace, "*");
        Some(unlisted(&id, following))
    }

    /// What is not read where not all namespaces are, for people; `None` where all are.
    pub(super) fn blind_spot(&self) -> Option<String> {
        let names = self.namespaces.names()?;
        let unread = self.kinds.iter().filter(|(kind, known)| {
            // A further kind that is not served is none that is not read.
            let is_late = !known.listed && known.trouble.is_some() && kind.is_of_services();
            let is_routing = kind.is_of_services() || kind.is_further();
            !kind.only_ours && (is_late || is_routing && known.forbidden.is_some())
        });
        let unread = unread.filter_map(|(kind, _)| kind.namespace.as_deref());
        let unread: BTreeSet<&str> = unread.collect();
        let gloo = Some(self.gloo_namespace.as_str()).filter(|it| !names.contains(*it));
        let read = names.iter().map(String::as_str).chain(gloo);
        let read: Vec<&str> = read.filter(|name| !unread.contains(name)).collect();
        let mut words = match read.is_empty() {
            true => "no namespace is read now".to_owned(),
            false => format!("only objects in the namespaces {} are read", read.join(", ")),
        };
        words += ": whether RouteTables, VirtualServices, HTTPRoutes, Gateways and Upstreams elsewhere take requests of \
                  this service, or lose some to it, is not judged";
        for namespace in unread {
            words += &format!("; {namespace} cannot be read now");
        }
        Some(words)
    }

    pub(super) fn is_being_listed(&self, id: &ObjectId) -> bool {
        let following = self.following(id);
        following.is_some_and(|following| !following.listed && following.trouble.is_none())
    }

    fn following(&self, id: &ObjectId) -> Option<&Following> {
        let (_, following) = self.kinds.iter().find(|(kind, _)| kind.covers(id))?;
        Some(following)
    }

    /// Records why a kind cannot be watched. True when services waited for its first list, and this is why it
    /// does not come.
    ///
    /// The log says it once. What `lasts`, such as a missing permission, can come again after every list that
    /// is allowed, and is not said again until the watch has shown a change.
    pub(super) fn record_trouble(&mut self, kind: &WatchedKind, trouble: Trouble) -> bool {
        let Trouble { line: trouble, lasts, forbidden } = trouble;
        let following = self.kinds.entry(kind.clone()).or_default();
        let is_known = following.trouble.as_ref() == Some(&trouble)
            || lasts && following.logged.as_ref() == Some(&trouble);
        if !is_known {
            let namespace = kind.namespace.as_deref();
            tracing::warn!(kind = kind.kind, namespace, "watch interrupted: {trouble}");
            following.logged = Some(trouble.clone());
        }
        following.forbidden = forbidden;
        // What one namespace does not allow is no reason for the others to wait.
        following.left_out |= lasts && kind.namespace.is_some();
        let is_first = following.trouble.replace(trouble).is_none();
        if is_first && kind.namespace.is_some() {
            // What is said of what is not read has changed.
            self.gloo_version += 1;
        }
        is_first && !following.listed
    }

    /// Records that the cluster does not serve a kind that it need not serve. Whoever has an object of the
    /// kind waits for it nevertheless.
    pub(super) fn record_unserved(&mut self, kind: &WatchedKind, why: String) {
        self.unserved.insert(kind.clone());
        self.kinds.entry(kind.clone()).or_default().trouble = Some(why);
    }

    /// The watch of a kind has shown a change, so it works.
    pub(super) fn record_success(&mut self, kind: &WatchedKind) {
        if let Some(following) = self.kinds.get_mut(kind) {
            following.logged = None;
        }
    }

    /// The kinds that may not be listed in the whole cluster, and why.
    pub(super) fn forbidden(&self) -> Option<(Vec<String>, String)> {
        let forbidden = self.kinds.iter().filter_map(|(kind, known)| {
            let is_needed = kind.namespace.is_none() && kind.is_of_services() && !known.listed;
            Some((kind.kind.clone(), known.forbidden.clone().filter(|_| is_needed)?))
        });
        let (kinds, mut words): (Vec<String>, Vec<String>) = forbidden.unzip();
        (!words.is_empty()).then(|| (kinds, words.swap_remove(0)))
    }

    pub(super) fn troubles(&self) -> Vec<String> {
        let is_needed = |kind: &WatchedKind| !kind.is_further() && !kind.is_beside_http_routes();
        let needed = self.kinds.iter().filter(|(kind, _)| is_needed(kind));
        needed.filter_map(|(_, following)| following.trouble.clone()).collect()
    }

    pub(super) fn inventory(&self) -> Vec<(ObjectId, Arc<str>, Option<bool>)> {
        let of = |(service, ids): (&Arc<str>, &BTreeSet<ObjectId>)| {
            let keep = |id: &ObjectId| self.objects.get(id).and_then(|facts| facts.keep);
            ids.iter().map(|id| (id.clone(), service.clone(), keep(id))).collect::<Vec<_>>()
        };
        self.services.iter().flat_map(of).collect()
    }

    pub(super) fn of_service(&self, service: &str) -> BTreeMap<ObjectId, Facts> {
        let ids = self.services.get(service).into_iter().flatten();
        ids.filter_map(|id| Some((id.clone(), self.objects.get(id)?.clone()))).collect()
    }

    pub(super) fn object(&self, id: &ObjectId) -> Option<&Facts> {
        self.objects.get(id)
    }

    pub(super) fn pods(&self, service: &str) -> Vec<PodFacts> {
        let pods = self.pods.get(service).into_iter().flat_map(BTreeMap::values);
        pods.cloned().collect()
    }

    pub(super) fn pods_in(&self, service: &str, namespace: &str) -> Vec<PodFacts> {
        let pods = self.pods.get(service).into_iter().flatten();
        let there = pods.filter(|((place, _), _)| place == namespace);
        there.map(|(_, pod)| pod.clone()).collect()
    }

    pub(super) fn ready_addresses(&self, namespace: &str, service: &str) -> Addresses {
        let key = (namespace.to_owned(), service.to_owned());
        self.endpoints.get(&key).map(|known| known.ready.clone()).unwrap_or_default()
    }

    pub(super) fn gloo(&self) -> (Snapshot, u64) {
        (self.gloo.clone(), self.gloo_version)
    }

    /// What routing by the Gateway API rests on, where somebody uses it.
    pub(super) fn gateway_api(&self) -> Option<gateway_api::Snapshot> {
        self.has_gateway_api().then(|| self.gateway_api.clone())
    }

    pub(super) fn gloo_without(&self, service: &str) -> u64 {
        self.gloo_version - self.own_gloo_changes.get(service).copied().unwrap_or(0)
    }

    fn count_gloo_change(&mut self, claim: &Claim) {
        self.gloo_version += 1;
        if let Claim::Ours(service) = claim {
            *self.own_gloo_changes.entry(service.clone()).or_default() += 1;
        }
    }

    /// True when it was another one.
    pub(super) fn set_gloo_namespace(&mut self, namespace: &str) -> bool {
        if self.gloo_namespace == namespace {
            return false;
        }
        self.gloo_namespace = namespace.to_owned();
        // Verdicts that were read under the old name are no longer true of any object.
        self.objects.values_mut().for_each(|facts| facts.version = 0);
        self.kinds.values_mut().for_each(|following| following.listed = false);
        true
    }

    /// Accepts an object unless it is older than what is known. What a list holds is accepted in any case,
    /// unless we were answered about this object since the list began.
    pub(super) fn upsert(
        &mut self,
        api_version: &str,
        kind: &str,
        object: &Value,
        origin: Origin,
    ) -> Option<Touched> {
        let id = identify(object, api_version, kind);
        let mut is_answered = false;
        for (followed, following) in &mut self.kinds {
            if followed.kind == kind
                && followed.covers_namespace(id.namespace.as_deref())
                && let Some(seen) = &mut following.seen
            {
                seen.insert(id.clone());
                if origin == Origin::Answer {
                    following.answered.insert(id.clone());
                }
                is_answered |= following.answered.contains(&id);
            }
        }
        match id.known_kind() {
            Some(Kind::Pod) => self.enter_pod(&id, object),
            Some(Kind::Endpoints) => self.enter_endpoints(&id, object),
            _ => self.enter_object(id, object, origin == Origin::List && !is_answered),
        }
    }

    fn enter_object(
        &mut self,
        id: ObjectId,
        object: &Value,
        whatever_is_known: bool,
    ) -> Option<Touched> {
        let known = self.objects.get(&id);
        // What we wrote comes again by the watch.
        if !whatever_is_known && known.is_some_and(|known| known.version >= version(object)) {
            return None;
        }
        let mut facts = Facts::of(object, &self.instance, &self.gloo_namespace);
        if !self.namespaces.has(id.namespace.as_deref()) {
            // Nothing can be done about it, whoever made it.
            facts.claim = Claim::Nobody;
        }
        let is_new = known.is_none_or(|known| !known.says_the_same(&facts));
        let before = known.map(|known| known.claim.clone());
        let gloo_changed = facts.routing != known.and_then(|known| known.routing);
        let gateway_api_changed = facts.gateway_api != known.and_then(|known| known.gateway_api);
        let claim = facts.claim.clone();
        if gloo_changed {
            self.gloo.upsert(object);
        }
        if gateway_api_changed {
            self.gateway_api.upsert(object);
        }
        let routing_changed = gloo_changed || gateway_api_changed && self.has_gateway_api();
        if routing_changed {
            self.count_gloo_change(&claim);
        }
        self.objects.insert(id.clone(), facts);
        self.index(&id, before.as_ref(), Some(&claim));
        let touched = service_of(&claim).or_else(|| before.as_ref().and_then(service_of));
        match touched {
            Some(service) => is_new.then_some(Touched::Service(service)),
            None => routing_changed.then_some(Touched::Foreign),
        }
    }

    fn enter_pod(&mut self, id: &ObjectId, pod: &Value) -> Option<Touched> {
        let service: Arc<str> = pod["metadata"]["labels"][SERVICE].as_str()?.into();
        let key = (id.namespace.clone().unwrap_or_default(), id.name.clone());
        let facts = PodFacts::of(pod);
        let pods = self.pods.entry(service.clone()).or_default();
        match pods.insert(key, facts.clone()) {
            Some(known) if known == facts => None,
            _ => Some(Touched::Service(service)),
        }
    }

    fn enter_endpoints(&mut self, id: &ObjectId, endpoints: &Value) -> Option<Touched> {
        let service: Arc<str> = endpoints["metadata"]["labels"][SERVICE].as_str()?.into();
        let key = (id.namespace.clone().unwrap_or_default(), id.name.clone());
        let known = self.endpoints.get(&key);
        let changed_at = last_changed(endpoints);
        let since = |name: &Arc<str>| {
            known.and_then(|known| known.ready.get(name)).copied().unwrap_or(changed_at)
        };
        let ready = ready_addresses(endpoints).into_iter();
        let ready = ready.map(|name| (name.clone(), since(&name))).collect();
        let entry = Endpoints { service: service.clone(), ready };
        let is_new = known.is_none_or(|known| known.ready != entry.ready);
        self.endpoints.insert(key, entry);
        is_new.then_some(Touched::Service(service))
    }

    /// Takes an object out, unless a newer one of that name is known.
    pub(super) fn remove(
        &mut self,
        api_version: &str,
        kind: &str,
        object: &Value,
    ) -> Option<Touched> {
        let id = identify(object, api_version, kind);
        let is_newer = |known: u64| known > version(object);
        match id.known_kind() {
            Some(Kind::Pod | Kind::Endpoints) => self.forget(&id),
            _ if self.objects.get(&id).is_some_and(|facts| is_newer(facts.version)) => None,
            _ => self.forget(&id),
        }
    }

    fn forget(&mut self, id: &ObjectId) -> Option<Touched> {
        let key = || (id.namespace.clone().unwrap_or_default(), id.name.clone());
        match id.known_kind() {
            Some(Kind::Pod) => {
                let service = self
                    .pods
                    .iter_mut()
                    .find_map(|(service, pods)| pods.remove(&key()).map(|_| service.clone()))?;
                self.pods.retain(|_, pods| !pods.is_empty());
                Some(Touched::Service(service))
            }
            Some(Kind::Endpoints) => {
                let known = self.endpoints.remove(&key())?;
                Some(Touched::Service(known.service))
            }
            _ => {
                let facts = self.objects.remove(id)?;
                self.index(id, Some(&facts.claim), None);
                let namespace = id.namespace.as_deref().unwrap_or_default();
                if facts.routing.is_some() {
                    self.gloo.remove(&id.kind, namespace, &id.name);
                }
                if facts.gateway_api.is_some() {
                    self.gateway_api.remove(&id.kind, namespace, &id.name);
                }
                let routing_changed = facts.routing.is_some()
                    || facts.gateway_api.is_some() && self.has_gateway_api();
                if routing_changed {
                    self.count_gloo_change(&facts.claim);
                }
                match service_of(&facts.claim) {
                    Some(service) => Some(Touched::Service(service)),
                    // Somebody may wait until it is gone, whether anything is routed by its kind or not.
                    None => {
                        let is_of_routing = facts.routing.is_some() || facts.gateway_api.is_some();
                        is_of_routing.then_some(Touched::Foreign)
                    }
                }
            }
        }
    }

    /// Our own deletion was accepted; the watch will say when the object is gone.
    pub(super) fn mark_terminating(&mut self, id: &ObjectId) {
        for (followed, following) in &mut self.kinds {
            let is_there = followed.covers_namespace(id.namespace.as_deref());
            if followed.kind == id.kind && is_there && following.seen.is_some() {
                following.answered.insert(id.clone());
            }
        }
        if let Some(facts) = self.objects.get_mut(id) {
            facts.terminating = true;
        }
    }

    pub(super) fn begin_list(&mut self, kind: &WatchedKind) {
        let following = self.kinds.entry(kind.clone()).or_default();
        following.seen = Some(BTreeSet::new());
        following.answered.clear();
    }

    /// The list is complete: what it did not hold is gone.
    pub(super) fn end_list(&mut self, kind: &WatchedKind) -> Vec<Touched> {
        let following = self.kinds.entry(kind.clone()).or_default();
        let was_forbidden = kind.namespace.is_some() && following.forbidden.is_some();
        let is_first = !std::mem::replace(&mut following.listed, true) || was_forbidden;
        (following.trouble, following.forbidden) = (None, None);
        following.left_out = false;
        self.unserved.remove(kind);
        if is_first && is_gateway_api_routing(&kind.api_version, &kind.kind) && !kind.only_ours {
            match &kind.namespace {
                Some(namespace) => self.gateway_api.read(&kind.kind, namespace),
                None => self.gateway_api.know(&kind.kind),
            }
            self.gloo_version += u64::from(self.has_gateway_api());
        }
        match &kind.namespace {
            Some(namespace) if is_first => {
                self.gloo.read(&kind.kind, namespace);
                self.gloo_version += 1;
            }
            None if is_first && kind.is_further() => {
                self.gloo.know(&kind.kind);
                self.gloo_version += 1;
            }
            _ => {}
        }
        let following = self.kinds.entry(kind.clone()).or_default();
        following.answered.clear();
        let seen = following.seen.take().unwrap_or_default();
        let is_gone = |id: &ObjectId| kind.covers(id) && !seen.contains(id);
        let gone: Vec<ObjectId> = match Kind::of(&kind.api_version, &kind.kind) {
            Some(Kind::Pod) => {
                let pods = self.pods.values().flat_map(BTreeMap::keys);
                pods.map(|key| named(kind, key)).filter(is_gone).collect()
            }
            Some(Kind::Endpoints) => {
                self.endpoints.keys().map(|k| named(kind, k)).filter(is_gone).collect()
            }
            _ => self.objects.keys().filter(|id| is_gone(id)).cloned().collect(),
        };
        // Whoever could not be looked at without this kind can be now.
        let first = is_first.then_some(Touched::Foreign);
        gone.iter().filter_map(|id| self.forget(id)).chain(first).collect()
    }

    fn index(&mut self, id: &ObjectId, before: Option<&Claim>, now: Option<&Claim>) {
        let (before, now) = (before.and_then(service_of), now.and_then(service_of));
        if before == now {
            return;
        }
        if let Some(service) = before
            && let Some(ids) = self.services.get_mut(&service)
        {
            ids.remove(id);
            if ids.is_empty() {
                self.services.remove(&service);
            }
        }
        if let Some(service) = now {
            self.services.entry(service).or_default().insert(id.clone());
        }
    }
}

fn service_of(claim: &Claim) -> Option<Arc<str>> {
    match claim {
        Claim::Ours(service) => Some(service.clone()),
        _ => None,
    }
}

/// Why a list has not come.
fn unlisted(id: &ObjectId, following: &Following) -> Reason {
    match &following.trouble {
        Some(trouble) => Reason::NotListed(format!("{id} cannot be looked at: {trouble}")),
        None => Reason::BeingListed(id.clone()),
    }
}

fn named(kind: &WatchedKind, (namespace, name): &(String, String)) -> ObjectId {
    ObjectId::new(&kind.api_version, &kind.kind, Some(namespace), name)
}

#[cfg(test)]
mod namespaced;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use coalmine_core::labels::{FIELD_MANAGER, INSTANCE};

    fn table(version: u64, labelled: bool) -> Value {
        let labels =
            if labelled { json!({INSTANCE: "default", SERVICE: "echo"}) } else { json!({}) };
        json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
            "metadata": {"name": "echo-routes", "namespace": "echo", "labels": labels,
                "resourceVersion": version.to_string(), "uid": "u",
                "managedFields": [{"manager": FIELD_MANAGER, "operation": "Apply",
                    "fieldsV1": {"f:spec": {"f:routes": {}}}}]},
            "spec": {"routes": [{"matchers": [{"prefix": "/echo"}]}]}})
    }

    fn kind() -> WatchedKind {
        WatchedKind { only_ours: false, ..WatchedKind::ours("gateway.solo.io/v1", "RouteTable") }
    }

    fn upsert(state: &mut State, object: &Value) -> Option<Touched> {
        state.upsert("gateway.solo.io/v1", "RouteTable", object, Origin::Event)
    }

    fn echo() -> Option<Touched> {
        Some(Touched::Service("echo".into()))
    }

    #[test]
    fn an_older_state_of_an_object_is_passed_over_and_a_newer_one_told_if_it_says_anything() {
        let mut state = State::new("default", Namespaces::default());
        assert_eq!(upsert(&mut state, &table(5, true)), echo());
        assert_eq!(upsert(&mut state, &table(4, false)), None);
        assert_eq!(upsert(&mut state, &table(6, true)), None);
        assert_eq!(state.of_service("echo").len(), 1);
        let mut edited = table(7, true);
        edited["spec"]["routes"] = json!([]);
        assert_eq!(upsert(&mut state, &edited), echo());
    }

    #[test]
    fn whoever_waits_for_the_end_of_somebody_elses_namespace_is_told_of_it() {
        let mut state = State::new("default", Namespaces::default());
        let metadata = json!({"name": "golf", "resourceVersion": "5"});
        let mut golf = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        state.upsert("v1", "Namespace", &golf, Origin::Event);
        golf["metadata"]["resourceVersion"] = "6".into();
        assert_eq!(state.remove("v1", "Namespace", &golf), Some(Touched::Foreign));
        assert_eq!(state.remove("v1", "Namespace", &golf), None);
    }

    #[test]
    fn an_object_that_lost_our_label_is_told_to_its_service_and_known_as_lapsed() {
        let mut state = State::new("default", Namespaces::default());
        upsert(&mut state, &table(5, true));
        assert_eq!(upsert(&mut state, &table(6, false)), echo());
        assert!(state.of_service("echo").is_empty());
        let id = identify(&table(6, false), "gateway.solo.io/v1", "RouteTable");
        assert_eq!(state.object(&id).map(|facts| facts.claim.clone()), Some(Claim::Lapsed));
    }

    #[test]
    fn a_list_strikes_what_it_does_not_hold_but_not_what_was_written_meanwhile() {
        let mut state = State::new("default", Namespaces::default());
        state.begin_kind(&kind());
        upsert(&mut state, &table(5, true));
        state.begin_list(&kind());
        let mut other = table(6, true);
        other["metadata"]["name"] = "other".into();
        upsert(&mut state, &other);
        assert_eq!(state.unsynced(), 1);
        assert_eq!(state.end_list(&kind()), [Touched::Service("echo".into()), Touched::Foreign]);
        assert_eq!(state.unsynced(), 0);
        let objects = state.of_service("echo");
        let names: Vec<_> = objects.keys().map(|id| id.name.as_str()).collect();
        assert_eq!(names, ["other"]);
    }

    #[test]
    fn a_list_is_believed_although_more_was_known_as_after_the_store_was_restored() {
        let mut state = State::new("default", Namespaces::default());
        state.begin_kind(&kind());
        let id = identify(&table(9, true), "gateway.solo.io/v1", "RouteTable");
        let version = |state: &State| state.object(&id).map(|facts| facts.version);
        let listed = |state: &mut State, object: &Value| {
            state.upsert("gateway.solo.io/v1", "RouteTable", object, Origin::List)
        };
        let mut green = table(9, true);
        green["spec"]["routes"] = json!([{"matchers": [{"prefix": "/green"}]}]);
        upsert(&mut state, &green);
        for blue in [table(5, true), table(9, true)] {
            state.begin_list(&kind());
            assert_eq!(listed(&mut state, &blue), echo(), "another state, whatever its version");
            state.end_list(&kind());
            // Its changes are newer than it, though not newer than what was known before.
            let mut edited = table(state.object(&id).map_or(0, |facts| facts.version) + 1, true);
            edited["spec"]["routes"] = json!([]);
            assert_eq!(upsert(&mut state, &edited), echo());
            upsert(&mut state, &{
                let mut green = green.clone();
                green["metadata"]["resourceVersion"] = "11".into();
                green
            });
        }
        // A list is older than what we were answered since it began.
        state.begin_list(&kind());
        state.upsert("gateway.solo.io/v1", "RouteTable", &table(12, true), Origin::Answer);
        assert_eq!(listed(&mut state, &table(4, true)), None);
        state.end_list(&kind());
        assert_eq!(version(&state), Some(12));
        state.begin_list(&kind());
        assert_eq!(listed(&mut state, &table(4, true)), None, "it says the same");
        state.end_list(&kind());
        assert_eq!(version(&state), Some(4), "what was answered before counts no more");
        // Also than a deletion of ours.
        state.begin_list(&kind());
        state.mark_terminating(&id);
        listed(&mut state, &table(4, true));
        state.end_list(&kind());
        assert_eq!(state.object(&id).map(|facts| facts.terminating), Some(true));
    }

    fn forbidden() -> Trouble {
        Trouble { line: "forbidden".into(), lasts: true, forbidden: Some("no".into()) }
    }

    #[test]
    fn a_kind_is_being_listed_until_its_first_list_is_complete_or_fails() {
        let mut state = State::new("default", Namespaces::default());
        let id = identify(&table(5, true), "gateway.solo.io/v1", "RouteTable");
        assert!(!state.is_being_listed(&id));
        state.begin_kind(&kind());
        assert!(state.is_being_listed(&id));
        assert!(matches!(state.unlisted(&id), Some(Reason::BeingListed(_))));
        assert!(state.record_trouble(&kind(), forbidden()), "somebody may wait");
        assert!(!state.record_trouble(&kind(), forbidden()));
        assert!(!state.is_being_listed(&id) && state.unlisted(&id).is_some());
        state.begin_list(&kind());
        state.end_list(&kind());
        assert!(!state.is_being_listed(&id) && state.unlisted(&id).is_none());
    }

    #[test]
    fn a_kind_that_the_cluster_need_not_serve_is_known_once_it_is_listed() {
        let mut state = State::new("default", Namespaces::default());
        let kind = WatchedKind::further().next().expect("a kind");
        state.begin_kind(&kind);
        assert_eq!(state.unsynced(), 0, "nobody waits for it");
        state.record_unserved(&kind, "not served".into());
        assert_eq!(state.troubles(), [""; 0]);
        let id = ObjectId::new(&kind.api_version, &kind.kind, Some("echo"), "it");
        assert!(matches!(state.unlisted(&id), Some(Reason::NotListed(_))), "unless it has one");
        let (unread, version) = state.gloo();
        state.begin_list(&kind);
        state.end_list(&kind);
        let (read, later) = state.gloo();
        assert!(later > version && !read.is(&unread), "that there is none is known now");
        state.begin_list(&kind);
        state.end_list(&kind);
        assert_eq!(state.gloo().1, later, "a list like the one before says nothing new");
    }

    #[test]
    fn a_cluster_that_serves_none_of_gloos_kinds_is_known_without_them() {
        let mut state = State::new("default", Namespaces::default());
        let kinds: Vec<WatchedKind> = WatchedKind::of_services().collect();
        kinds.iter().for_each(|kind| assert!(state.begin_kind(kind)));
        let (gloos, others): (Vec<_>, Vec<_>) = kinds.iter().partition(|kind| kind.is_of_gloo());
        for kind in &others {
            state.end_list(kind);
        }
        for (index, kind) in gloos.iter().enumerate() {
            assert_eq!(state.unsynced(), gloos.len(), "{index}: the others may be served");
            state.record_unserved(kind, "not served".into());
        }
        assert_eq!((state.unsynced(), state.lacks_gloo()), (0, true));
        let id = ObjectId::new(&gloos[0].api_version, &gloos[0].kind, Some("echo"), "it");
        assert!(matches!(state.unlisted(&id), Some(Reason::NotListed(_))), "who has one waits");
        state.end_list(gloos[0]);
        assert_eq!((state.unsynced(), state.lacks_gloo()), (gloos.len() - 1, false), "it comes");
    }

    #[test]
    fn a_late_word_of_a_deletion_does_not_strike_a_newer_object() {
        let mut state = State::new("default", Namespaces::default());
        upsert(&mut state, &table(9, true));
        let deleted = table(7, true);
        assert_eq!(state.remove("gateway.solo.io/v1", "RouteTable", &deleted), None);
        assert_eq!(state.of_service("echo").len(), 1);
        assert_eq!(state.remove("gateway.solo.io/v1", "RouteTable", &table(10, true)), echo());
        assert!(state.of_service("echo").is_empty());
    }

    #[test]
    fn what_a_service_changes_itself_is_not_a_change_around_it() {
        let mut state = State::new("default", Namespaces::default());
        let before = (state.gloo_without("echo"), state.gloo_without("foxtrot"));
        upsert(&mut state, &table(5, true));
        upsert(&mut state, &table(6, true));
        let after = (state.gloo_without("echo"), state.gloo_without("foxtrot"));
        assert_eq!((after.0 - before.0, after.1 - before.1), (0, 1));
    }

    #[test]
    fn an_address_is_as_old_as_the_change_that_brought_it() {
        let mut state = State::new("default", Namespaces::default());
        let endpoints = |names: &[&str], time: &str| {
            let addresses = names.iter().map(|name| json!({"targetRef": {"name": name}}));
            json!({"metadata": {"name": "echo", "namespace": "echo", "labels": {SERVICE: "echo"},
                    "managedFields": [{"manager": "kube-controller-manager", "time": time}]},
                "subsets": [{"addresses": addresses.collect::<Vec<_>>()}]})
        };
        let (first, second) = ("2026-01-01T00:00:01Z", "2026-01-01T00:00:09Z");
        state.upsert("v1", "Endpoints", &endpoints(&["a"], first), Origin::Event);
        state.upsert("v1", "Endpoints", &endpoints(&["a", "b"], second), Origin::Event);
        let since = |time: &str| time.parse().ok();
        let expected = [("a".into(), since(first)), ("b".into(), since(second))];
        assert_eq!(state.ready_addresses("echo", "echo"), expected.into());
    }

    #[test]
    fn pods_and_addresses_are_known_by_their_service() {
        let mut state = State::new("default", Namespaces::default());
        let labels = json!({INSTANCE: "default", SERVICE: "echo", "version": "v1"});
        let pod = json!({"metadata": {"name": "a", "namespace": "echo", "labels": labels}});
        let endpoints = json!({"metadata": {"name": "echo", "namespace": "echo", "labels": labels},
            "subsets": [{"addresses": [{"targetRef": {"name": "a"}}],
                "notReadyAddresses": [{"targetRef": {"name": "b"}}]}]});
        assert_eq!(state.upsert("v1", "Pod", &pod, Origin::Event), echo());
        assert_eq!(state.upsert("v1", "Pod", &pod, Origin::Event), None);
        assert_eq!(state.upsert("v1", "Endpoints", &endpoints, Origin::Event), echo());
        assert_eq!(state.pods("echo").len(), 1);
        assert_eq!(state.ready_addresses("echo", "echo"), [("a".into(), None)].into());
        assert_eq!(state.remove("v1", "Pod", &pod), echo());
        assert!(state.pods("echo").is_empty());
    }
}
