//! HTTPS listeners of one port that a connection could be meant for alike: Envoy Gateway says so in their statuses.

use super::listeners::PlannedListener;
use crate::api::ListenerSpec;

/// Says of HTTPS listeners of one port that their hosts overlap, or that they share a certificate, which counts more
/// (case 07-https-partly). Which names certificates have is not looked at: two different ones are taken to be for
/// different hosts.
pub(super) fn report(all: &mut [PlannedListener<'_>], gateway: &str) {
    mark(all, hosts_overlap, "OverlappingHostnames", "hostname");
    mark(all, |one, other| share(one, other, gateway), "OverlappingCertificates", "certificate");
}

fn mark(
    all: &mut [PlannedListener<'_>],
    overlap: impl Fn(&ListenerSpec, &ListenerSpec) -> bool,
    reason: &str,
    what: &str,
) {
    let mut partners: Vec<Option<usize>> = vec![None; all.len()];
    let counts = |it: &PlannedListener<'_>| it.served && it.spec.protocol == "HTTPS";
    for one in 0..all.len() {
        if partners[one].is_some() || !counts(&all[one]) {
            continue;
        }
        for other in one + 1..all.len() {
            let (a, b) = (&all[one], &all[other]);
            let free = partners[other].is_none() && counts(b) && a.spec.port == b.spec.port;
            if free && overlap(a.spec, b.spec) {
                (partners[one], partners[other]) = (Some(other), Some(one));
            }
        }
    }
    for (one, partner) in partners.into_iter().enumerate() {
        if let Some(partner) = partner {
            let name = &all[partner].spec.name;
            let words = format!("The {what} overlaps with that of listener {name}.");
            all[one].conditions.set("OverlappingTLSConfig", "True", reason, words);
        }
    }
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
