//! HTTPS listeners of one port that a connection could be meant for alike: Envoy Gateway says so in their statuses.

use crate::api::ListenerSpec;

/// What is said of an HTTPS listener whose host or certificate another one of the same port has too.
pub(super) struct Overlap {
    /// Which listener, by its number in the Gateway.
    pub(super) listener: usize,
    pub(super) reason: &'static str,
    pub(super) words: String,
}

/// Finds HTTPS listeners of one port whose hosts overlap, or that share a certificate, which counts more (case
/// 07-https-partly), among those that are served, by their numbers in the Gateway. Which names certificates have is not
/// looked at: two different ones are taken to be for different hosts.
pub(super) fn overlaps(served: &[(usize, &ListenerSpec)], gateway: &str) -> Vec<Overlap> {
    let hosts = pairs(served, hosts_overlap, "OverlappingHostnames", "hostname");
    let share = |one: &ListenerSpec, other: &ListenerSpec| share(one, other, gateway);
    let certificates = pairs(served, share, "OverlappingCertificates", "certificate");
    hosts.chain(certificates).collect()
}

fn pairs(
    served: &[(usize, &ListenerSpec)],
    overlap: impl Fn(&ListenerSpec, &ListenerSpec) -> bool,
    reason: &'static str,
    what: &'static str,
) -> impl Iterator<Item = Overlap> {
    let mut partners: Vec<Option<usize>> = vec![None; served.len()];
    for one in 0..served.len() {
        if partners[one].is_some() {
            continue;
        }
        for other in one + 1..served.len() {
            let (a, b) = (served[one].1, served[other].1);
            if partners[other].is_none() && a.port == b.port && overlap(a, b) {
                (partners[one], partners[other]) = (Some(other), Some(one));
            }
        }
    }
    served.iter().zip(partners).filter_map(move |((listener, _), partner)| {
        let name = &served[partner?].1.name;
        let words = format!("The {what} overlaps with that of listener {name}.");
        Some(Overlap { listener: *listener, reason, words })
    })
}

/// A wildcard overlaps with the names that have one element more.
fn hosts_overlap(one: &ListenerSpec, other: &ListenerSpec) -> bool {
    let (Some(one), Some(other)) = (&one.hostname, &other.hostname) else { return true };
    let below = |name: &str, wildcard: &str| {
        let first = wildcard.strip_prefix('*').and_then(|end| name.strip_suffix(end));
        !name.starts_with('*') && first.is_some_and(|first| !first.contains('.'))
    };
    one == other || below(one, other) || below(other, one)
}

fn share(one: &ListenerSpec, other: &ListenerSpec, gateway: &str) -> bool {
    let secrets = |listener: &ListenerSpec| -> Vec<(String, String)> {
        let all = listener.tls.iter().flat_map(|tls| &tls.certificate_refs);
        let namespace = |it: &crate::api::CertificateRef| {
            it.namespace.clone().unwrap_or_else(|| gateway.to_owned())
        };
        all.map(|it| (namespace(it), it.name.clone())).collect()
    };
    let others = secrets(other);
    secrets(one).iter().any(|secret| others.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_overlaps_with_what_is_right_below_it() {
        let listener = |host: Option<&str>| ListenerSpec {
            hostname: host.map(str::to_owned),
            ..ListenerSpec::default()
        };
        for (one, other, overlap) in [
            (None, Some("a.test"), true),
            (Some("a.test"), Some("a.test"), true),
            (Some("a.test"), Some("b.test"), false),
            (Some("*.test"), Some("a.test"), true),
            (Some("*.test"), Some("b.a.test"), false),
            (Some("*.test"), Some("*.a.test"), false),
        ] {
            let (one, other) = (listener(one), listener(other));
            assert_eq!(hosts_overlap(&one, &other), overlap, "{one:?} {other:?}");
            assert_eq!(hosts_overlap(&other, &one), overlap);
        }
    }
}
