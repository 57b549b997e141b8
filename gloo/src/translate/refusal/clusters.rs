//! What Envoy refuses in clusters. Gloo takes it, and nothing in any status shows it.

use super::super::mistake::Mistake;
use super::listeners::of_parameters;
use crate::api::{Duration, UpstreamSpec};
use crate::code::Code;
use crate::environment::Environment;

/// The largest ring that Envoy takes.
const LARGEST_RING: u64 = 8_388_608;

/// Envoy's smallest ring where none is said.
const RING: u64 = 1024;

/// How Envoy comes across a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum ClusterFault {
    /// While it makes the cluster (gloo-conformance case 20-envoy-refuses-new-cluster).
    Cluster,
    /// While it reads the answer, which it then refuses as a whole (case 20-envoy-refuses-constraint).
    Constraint,
}

/// Why Envoy refuses the cluster of an Upstream, if it does.
pub(in super::super) fn of_cluster(
    spec: &UpstreamSpec,
    is_discovered: bool,
    environment: Environment,
) -> Option<(ClusterFault, Mistake)> {
    let constraint =
        |code, words: &str| Some((ClusterFault::Constraint, Mistake::new(code, words)));
    let positive = |it: Option<Duration>| it.is_some_and(|it| it > Duration::default());
    for check in &spec.health_checks {
        for (field, value) in [("Timeout", check.timeout), ("Interval", check.interval)] {
            if !positive(value) {
                let words = format!(
                    "Proto constraint validation failed (HealthCheckValidationError.{field}: value is \
                     required)"
                );
                return constraint(Code::InvalidHealthCheck, &words);
            }
        }
    }
    let connection = spec.connection_config.as_ref().and_then(|it| it.connect_timeout);
    if connection.is_some_and(|timeout| timeout <= Duration::default()) {
        let words = "Proto constraint validation failed (ClusterValidationError.ConnectTimeout: value \
                     must be greater than 0s)";
        return constraint(Code::InvalidDuration, words);
    }
    let balancing = spec.load_balancer_config.as_ref();
    if let Some(balancing) = balancing {
        let share = balancing.healthy_panic_threshold;
        if share.is_some_and(|share| !(0.0..=100.0).contains(&share)) {
            let words = "Proto constraint validation failed (PercentValidationError.Value: value must \
                         be inside range [0, 100])";
            return constraint(Code::InvalidLoadBalancing, words);
        }
        let least = balancing.least_request.as_ref();
        let choices = least.and_then(|least| least.0.get("choiceCount")?.as_u64());
        if choices == Some(1) {
            let words = "Proto constraint validation failed \
                         (LeastRequestLbConfigValidationError.ChoiceCount: value must be greater than \
                         or equal to 2)";
            return constraint(Code::InvalidLoadBalancing, words);
        }
    }
    of_ring(spec, is_discovered)
        .or_else(|| of_tls(spec, environment))
        .map(|mistake| (ClusterFault::Cluster, mistake))
}

fn of_ring(spec: &UpstreamSpec, is_discovered: bool) -> Option<Mistake> {
    let balancing = spec.load_balancer_config.as_ref()?;
    let invalid = |words: String| Some(Mistake::new(Code::InvalidLoadBalancing, words));
    if balancing.use_hostname_for_hashing == Some(true) && is_discovered {
        return invalid("endpoints have no names that could be hashed".into());
    }
    let size = balancing.ring_hash.as_ref()?.ring_hash_config.as_ref()?;
    let or = |size: u64, default: u64| if size == 0 { default } else { size };
    let (least, most) =
        (or(size.minimum_ring_size, RING), or(size.maximum_ring_size, LARGEST_RING));
    if least > most {
        return invalid(format!(
            "ring hash: minimum_ring_size ({least}) > maximum_ring_size ({most})"
        ));
    }
    let too_large = least > LARGEST_RING || most > LARGEST_RING;
    if too_large { invalid(format!("ring hash: a ring of more than {LARGEST_RING}")) } else { None }
}

/// Files that Envoy does not have, and what it does not know.
fn of_tls(spec: &UpstreamSpec, environment: Environment) -> Option<Mistake> {
    let config = spec.ssl_config.as_deref()?;
    let files = config.ssl_files.as_ref();
    let mut named = files.into_iter().flat_map(|it| [&it.tls_cert, &it.tls_key, &it.root_ca]);
    if let (true, Some(path)) = (environment.nothing_outside, named.find(|it| !it.is_empty())) {
        return Some(Mistake::new(Code::InvalidTls, format!("Invalid path: {path}")));
    }
    of_parameters(config).map(|words| Mistake::new(Code::InvalidTls, words))
}
