use crate::config::VirtualHost;

/// The virtual host of a request: exact, then the longest `*.x`, the longest `x.*`, and `*`. Letter
/// case does not count, the port does (gloo-conformance case 12-domains).
pub(super) fn find<'a>(hosts: &'a [VirtualHost], host: &str) -> Option<&'a VirtualHost> {
    let host = host.to_ascii_lowercase();
    let ranked = hosts.iter().flat_map(|candidate| {
        let domains = candidate.domains.iter();
        let best = domains.filter_map(|domain| rank(&domain.to_ascii_lowercase(), &host)).max();
        best.map(|rank| (rank, candidate))
    });
    // Envoy takes no domain twice, so no two have the same rank and length.
    ranked.max_by_key(|(rank, _)| *rank).map(|(_, candidate)| candidate)
}

fn rank(domain: &str, host: &str) -> Option<(u8, usize)> {
    if domain == "*" {
        return Some((0, 0));
    }
    if let Some(suffix) = domain.strip_prefix('*') {
        let fits = host.len() > suffix.len() && host.ends_with(suffix);
        return fits.then_some((2, suffix.len()));
    }
    if let Some(prefix) = domain.strip_suffix('*') {
        let fits = host.len() > prefix.len() && host.starts_with(prefix);
        return fits.then_some((1, prefix.len()));
    }
    (domain == host).then_some((3, 0))
}
