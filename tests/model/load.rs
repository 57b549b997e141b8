//! The constant load: what every service would answer just now, with and without the canary's header.

use std::collections::BTreeMap;

use gloo::config::{Action, Route, Target};
use gloo::{Entry, Outcome, Request, answer};

use crate::cluster::id;
use crate::repository::SERVICES;
use crate::world::World;

/// A cluster and a subset that a route names, and whether they get any requests by it.
type Named<'a> = (&'a str, &'a BTreeMap<String, String>, bool);

fn named(route: &Route) -> Vec<Named<'_>> {
    let Action::Forward(forward) = &route.action else { return Vec::new() };
    match &forward.target {
        Target::Cluster { name, subset } => vec![(name, subset, true)],
        Target::Weighted { clusters, .. } => {
            clusters.iter().map(|of| (&*of.name, &of.subset, of.weight > 0)).collect()
        }
        _ => Vec::new(),
    }
}

impl World {
    /// Every request of a constant load is answered, unless pods died or another owner meddled.
    pub(crate) fn judge_load(&mut self) {
        self.rules.now = self.now;
        for service in SERVICES {
            for by_header in [false, true] {
                let failure = self.failure(service, by_header);
                let key = (service, by_header);
                self.rules.tally.answers += 1;
                match failure {
                    // What only others answer for is not promised, nor are routes that are about to go.
                    None if self.answers_itself(service, by_header) && self.is_routed(service) => {
                        self.rules.served.insert(key);
                    }
                    None => {}
                    Some(failure) if self.rules.served.contains(&key) => {
                        let is_wanted = !self.rules.removed.contains(service);
                        if is_wanted && !self.is_excused(service) {
                            let header = if by_header { " with the header" } else { "" };
                            let what = format!("{service}{header}: {failure}");
                            self.broken("a request is not answered", what);
                        }
                        self.rules.served.remove(&key);
                    }
                    Some(_) => {}
                }
            }
        }
    }

    /// What the proxy would answer a request of the service with.
    pub(crate) fn outcomes(&self, service: &str, by_header: bool) -> Vec<(Outcome, f64)> {
        let headers = match by_header {
            true => vec![("stage".to_owned(), "canary".to_owned())],
            false => Vec::new(),
        };
        let request = Request {
            method: "GET".into(),
            host: "example.com".into(),
            path: format!("/{service}"),
            headers,
        };
        answer(&self.gateway.serving, &Entry::http(8080), &request).outcomes
    }

    /// Whether pods answer that the proxy's routes name, and not only others in their place.
    fn answers_itself(&self, service: &str, by_header: bool) -> bool {
        self.outcomes(service, by_header).iter().any(|(outcome, _)| {
            let Outcome::Endpoint { pod: Some(pod), .. } = outcome else { return true };
            let Some(pod) = self.pods.all.get(&pod.name) else { return false };
            let shared = format!("{service}_{service}");
            let own = format!("{service}-{}_{service}", pod.version);
            self.targets().iter().any(|(cluster, subset, _)| {
                *cluster == own || *cluster == shared && subset.get("version") == Some(&pod.version)
            })
        })
    }

    /// Whether the service has routes that are to stay.
    fn is_routed(&self, service: &str) -> bool {
        let table = self.store.get(&id("RouteTable", service, &format!("{service}-routes")));
        table.is_some_and(|table| table["metadata"]["deletionTimestamp"].is_null())
    }

    /// All that the proxy's routes name.
    pub(crate) fn targets(&self) -> Vec<Named<'_>> {
        let routes = self.gateway.serving.served_hosts().flat_map(|host| &host.routes);
        routes.flat_map(named).collect()
    }

    fn failure(&self, service: &str, by_header: bool) -> Option<String> {
        self.outcomes(service, by_header).into_iter().find_map(|(outcome, _)| match outcome {
            Outcome::Refused => Some("connection refused".into()),
            Outcome::Closed | Outcome::TlsFailed | Outcome::Unknown => Some(format!("{outcome:?}")),
            Outcome::Status { status, body, .. } => Some(format!("{status} {body}")),
            Outcome::Endpoint { pod: Some(pod), .. } => {
                let answers = self.pods.all.get(&pod.name).is_some_and(|pod| pod.answers);
                (!answers).then(|| format!("pod {} does not answer any more", pod.name))
            }
            Outcome::Endpoint { .. } => None,
        })
    }
}
