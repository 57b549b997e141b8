//! By which gateway the requests of a service come, while both APIs serve it.

use jiff::Timestamp;
use serde::Serialize;

use coalmine_core::kind::RouteApi;
use coalmine_core::measure::Measured;

/// The requests of a service by the gateways of one of its two APIs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayRequests {
    /// The API that these gateways serve.
    pub api: RouteApi,
    /// Requests per second in the last 10 seconds, to a tenth; `None` as long as it is not known.
    pub per_second: Option<f64>,
    /// When the last request was seen, if any was since the daemon measures the service.
    pub last_request_at: Option<Timestamp>,
    /// Since when it is known that no request has come. `None` as long as it is not known.
    pub none_since: Option<Timestamp>,
    /// When it was looked at last.
    pub measured_at: Timestamp,
    /// How many proxies there are.
    pub proxies: usize,
    /// Why something is not known, and what to do.
    pub problem: Option<String>,
}

impl GatewayRequests {
    /// What is known at this moment.
    pub fn of(
        api: RouteApi,
        measured: Measured,
        proxies: usize,
        measured_at: Timestamp,
        problem: Option<String>,
    ) -> Self {
        Self {
            api,
            per_second: measured.per_second.map(|rate| (rate * 10.0).round() / 10.0),
            last_request_at: measured.last_request,
            none_since: measured.none_since,
            measured_at,
            proxies,
            problem,
        }
    }

    /// For how long it is known that no request has come.
    pub fn quiet_seconds(&self) -> Option<i64> {
        Some(self.measured_at.duration_since(self.none_since?).as_secs().max(0))
    }
}
