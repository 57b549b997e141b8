use crate::api::{Duration, ResourceRef};
use crate::config::Retry;

/// Who answers a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The virtual host that takes it.
    pub virtual_host: Option<String>,
    /// The route that takes it.
    pub route: Option<String>,
    /// What may happen, with probabilities that sum to 1.
    pub outcomes: Vec<(Outcome, f64)>,
    /// Who gets a copy: how likely, and what happens to the copy.
    pub mirrors: Vec<(f64, Vec<(Outcome, f64)>)>,
    /// What a backend receives.
    pub forwarded: Option<Forwarded>,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Nobody listens.
    Refused,
    /// Envoy closes the connection: no filter chain is for it, or it does not begin as it should.
    Closed,
    /// The two sides do not come to terms on TLS.
    TlsFailed,
    /// It is not modelled.
    Unknown,
    /// Envoy answers.
    Status {
        /// HTTP status.
        status: u32,
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
        /// IP address or name.
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
    /// `None`: the name of the endpoint that is chosen (`autoHostRewrite` to named endpoints; those of
    /// a Kubernetes Service have none).
    pub host: Option<String>,
    /// For the whole answer; `None` is Envoy's 15 s, 0 is none.
    pub timeout: Option<Duration>,
    /// When Envoy tries again.
    pub retry: Option<Retry>,
}

impl Outcome {
    /// A redirect.
    pub(super) fn moved(status: u32, location: String) -> Self {
        Self::Status { status, body: String::new(), location: Some(location) }
    }

    /// An answer of Envoy's own.
    pub(super) fn status(status: u32, body: &str) -> Self {
        Self::Status { status, body: body.into(), location: None }
    }
}
