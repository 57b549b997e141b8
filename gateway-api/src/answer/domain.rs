use std::sync::Arc;

use crate::config::VirtualHost;

/// The virtual host of a request: exact, then the longest `*.x`, then `*`. Letter case does not count, nor does the
/// port: both implementations have Envoy take it off.
pub(super) fn find<'a>(hosts: &'a [Arc<VirtualHost>], host: &str) -> Option<&'a VirtualHost> {
    let host = without_port(host).to_ascii_lowercase();
    let ranked = hosts.iter().map(Arc::as_ref).filter_map(|candidate| {
        let ranks = candidate.domains.iter().filter_map(|it| rank(&it.to_ascii_lowercase(), &host));
        ranks.max().map(|rank| (rank, candidate))
    });
    // Envoy takes no domain twice, so no two have the same rank and length.
    ranked.max_by_key(|(rank, _)| *rank).map(|(_, candidate)| candidate)
}

pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    }
}

/// How well a domain fits a host, both in small letters.
pub(super) fn rank(domain: &str, host: &str) -> Option<(u8, usize)> {
    if domain == "*" {
        return Some((0, 0));
    }
    match domain.strip_prefix('*') {
        Some(suffix) => {
            let fits = host.len() > suffix.len() && host.ends_with(suffix);
            fits.then_some((1, suffix.len()))
        }
        None => (domain == host).then_some((2, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_by<'a>(domains: &[&'a str], host: &str) -> Option<&'a str> {
        let host = without_port(host).to_ascii_lowercase();
        let ranked = domains.iter().filter_map(|domain| Some((rank(domain, &host)?, *domain)));
        ranked.max().map(|(_, domain)| domain)
    }

    #[test]
    fn exact_comes_before_the_longest_wildcard_and_all() {
        let domains = ["*", "*.example", "*.b.example", "a.b.example"];
        for (host, expected) in [
            ("a.b.example", "a.b.example"),
            ("A.B.example:8000", "a.b.example"),
            ("x.b.example", "*.b.example"),
            ("x.y.b.example", "*.b.example"),
            ("a.c.example", "*.example"),
            ("example", "*"),
        ] {
            assert_eq!(taken_by(&domains, host), Some(expected), "{host}");
        }
        assert_eq!(taken_by(&["*.example"], ".example"), None);
    }
}
