use std::sync::Arc;

use crate::config::VirtualHost;

/// The virtual host of a request: exact, then the longest `*.x`, the longest `x.*`, and `*`. Letter
/// case does not count, the port does (gloo-conformance case 12-domains).
pub(super) fn find<'a>(hosts: &'a [Arc<VirtualHost>], host: &str) -> Option<&'a VirtualHost> {
    let host = host.to_ascii_lowercase();
    let ranked = hosts.iter().map(Arc::as_ref).flat_map(|candidate| {
        let domains = candidate.domains.iter();
        let best = domains.filter_map(|domain| rank(&domain.to_ascii_lowercase(), &host)).max();
        best.map(|rank| (rank, candidate))
    });
    // Envoy takes no domain twice, so no two have the same rank and length.
    ranked.max_by_key(|(rank, _)| *rank).map(|(_, candidate)| candidate)
}

/// Whether a domain of a virtual host takes this host, letter case aside: the host itself, or `*` alone or at one end, which
/// stands for at least one character.
pub fn takes_host(domain: &str, host: &str) -> bool {
    rank(&domain.to_ascii_lowercase(), &host.to_ascii_lowercase()).is_some()
}

/// Which of several domains takes the host, in whatever order they come; letter case aside.
pub fn domain_of_host<'a>(
    domains: impl IntoIterator<Item = &'a str>,
    host: &str,
) -> Option<&'a str> {
    let host = host.to_ascii_lowercase();
    let ranked = domains
        .into_iter()
        .filter_map(|domain| Some((rank(&domain.to_ascii_lowercase(), &host)?, domain)));
    ranked.max_by_key(|(rank, _)| *rank).map(|(_, domain)| domain)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_by(domains: &[&str], host: &str) -> Option<String> {
        let named = |domain: &&str| {
            Arc::new(VirtualHost {
                name: (*domain).to_owned(),
                domains: vec![(*domain).to_owned()],
                ..VirtualHost::default()
            })
        };
        let hosts: Vec<Arc<VirtualHost>> = domains.iter().map(named).collect();
        find(&hosts, host).map(|found| found.name.clone())
    }

    #[test]
    fn exact_comes_before_the_longest_suffix_the_longest_prefix_and_all() {
        let domains = ["*", "a.*", "a.b.*", "*.example", "*.b.example", "a.b.example"];
        let by = |host: &str| taken_by(&domains, host).unwrap();
        assert_eq!(by("a.b.example"), "a.b.example");
        assert_eq!(by("x.b.example"), "*.b.example");
        assert_eq!(by("a.c.example"), "*.example");
        assert_eq!(by("a.b.com"), "a.b.*");
        assert_eq!(by("a.com"), "a.*");
        assert_eq!(by("com"), "*");
    }

    #[test]
    fn a_wildcard_stands_for_something() {
        assert_eq!(taken_by(&["*.example"], ".example"), None);
        assert_eq!(taken_by(&["a.*"], "a."), None);
    }

    #[test]
    fn letter_case_does_not_count_and_the_port_does() {
        assert_eq!(taken_by(&["A.Example"], "a.eXample").as_deref(), Some("A.Example"));
        assert_eq!(taken_by(&["a.example"], "a.example:8080"), None);
    }
}
