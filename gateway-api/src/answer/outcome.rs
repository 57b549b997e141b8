use std::collections::BTreeMap;

use crate::ResourceRef;
use crate::config::{HeaderEdits, Retry};

/// Who answers a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The virtual host that takes it.
    pub virtual_host: Option<String>,
    /// The route that takes it.
    pub route: Option<String>,
    /// What may happen, with probabilities that sum to 1.
    pub outcomes: Vec<(Outcome, f64)>,
    /// Who gets a copy.
    pub mirrors: Vec<Copied>,
    /// What backends receive, by cluster.
    pub forwarded: BTreeMap<String, Forwarded>,
    /// Headers of the answer where no backend gives it; with one, those that Envoy adds by itself.
    pub response_headers: Vec<(String, String)>,
    /// What changes of the headers of a backend's answer, by cluster, one after the other.
    pub response_edits: BTreeMap<String, Vec<HeaderEdits>>,
}

/// A copy of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Copied {
    /// How likely there is one.
    pub share: f64,
    /// What happens to it.
    pub outcomes: Vec<(Outcome, f64)>,
    /// Its host.
    pub host: String,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Nobody listens.
    Refused,
    /// Envoy closes the connection: no filter chain is for it.
    Closed,
    /// It is not modelled.
    Unknown,
    /// Envoy answers.
    Status {
        /// HTTP status.
        status: u16,
        /// The body.
        body: String,
        /// Where a redirect leads.
        location: Option<String>,
    },
    /// A backend answers.
    Endpoint {
        /// The cluster.
        cluster: String,
        /// The pod, where it is known.
        pod: Option<ResourceRef>,
        /// IP address.
        address: String,
        /// Port.
        port: u16,
    },
}

/// What a backend receives.
#[derive(Clone, Debug, PartialEq)]
pub struct Forwarded {
    /// With the query.
    pub path: String,
    /// The host.
    pub host: String,
    /// The headers of the request, changed.
    pub headers: Vec<(String, String)>,
    /// For the whole answer, in milliseconds; `None` is Envoy's 15 s, 0 is none.
    pub timeout: Option<u64>,
    /// When Envoy tries again.
    pub retry: Option<Retry>,
}

impl Outcome {
    /// An answer of Envoy's own.
    pub(super) fn status(status: u16, body: &str) -> Self {
        Self::Status { status, body: body.into(), location: None }
    }
}

impl Answer {
    pub(super) fn certain(outcome: Outcome) -> Self {
        Self { outcomes: vec![(outcome, 1.0)], ..Self::default() }
    }

    /// What the backend behind an outcome receives.
    pub fn forwarded_to(&self, outcome: &Outcome) -> Option<&Forwarded> {
        match outcome {
            Outcome::Endpoint { cluster, .. } => self.forwarded.get(cluster),
            _ => None,
        }
    }
}

/// Adds to the probability of an outcome that is there already.
pub(super) fn add(outcomes: &mut Vec<(Outcome, f64)>, outcome: Outcome, probability: f64) {
    match outcomes.iter_mut().find(|(known, _)| *known == outcome) {
        Some((_, known)) => *known += probability,
        None => outcomes.push((outcome, probability)),
    }
}
