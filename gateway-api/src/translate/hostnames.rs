//! Which hosts of a route a listener serves.

use crate::api::ListenerSpec;

/// The hosts of a route behind a listener, as kgateway has them, and whether there are any: those that both have, `*` for
/// all. A host that another listener of the same port is more exactly for goes to that one.
///
/// A host that a route names twice is there twice where the listener is for every host (case 07-duplicate-hostnames),
/// and once where it has a host of its own (case 07-listener-hosts).
pub(super) fn for_kgateway(
    listener: &ListenerSpec,
    neighbours: &[&ListenerSpec],
    hostnames: &[String],
) -> (bool, Vec<String>) {
    let mut all = shared(listener, hostnames, listener.hostname.is_some());
    let attached = !all.is_empty();
    all.retain(|host| {
        !neighbours.iter().any(|other| {
            other.name != listener.name
                && covers(other.hostname.as_deref(), host)
                && rank(other.hostname.as_deref()) > rank(listener.hostname.as_deref())
        })
    });
    (attached, all)
}

/// The same as Envoy Gateway has them. Only a host that is that of another listener of the same port goes to that one.
/// Another that both listeners take is served by both, and Envoy refuses the two of them (case 07-listener-hosts).
pub(super) fn for_envoy_gateway(
    listener: &ListenerSpec,
    neighbours: &[&ListenerSpec],
    hostnames: &[String],
) -> Vec<String> {
    let mut all = shared(listener, hostnames, true);
    all.retain(|host| {
        let mut others = neighbours.iter().filter(|other| other.name != listener.name);
        !others.any(|other| other.hostname.as_ref() == Some(host))
    });
    all
}

/// The hosts that a listener and a route both have.
fn shared(listener: &ListenerSpec, hostnames: &[String], once: bool) -> Vec<String> {
    let own = listener.hostname.as_deref().unwrap_or_default();
    if hostnames.is_empty() {
        return vec![if own.is_empty() { "*".into() } else { own.into() }];
    }
    let mut all: Vec<String> = Vec::new();
    for hostname in hostnames {
        if let Some(common) = intersect(own, hostname)
            && !(once && all.iter().any(|known| known == common))
        {
            all.push(common.to_owned());
        }
    }
    all
}

/// The more exact of two hosts, if one is within the other. Empty is every host.
fn intersect<'a>(listener: &'a str, route: &'a str) -> Option<&'a str> {
    if listener.is_empty() || listener == route {
        return Some(route);
    }
    let end = |host: &'a str| host.strip_prefix('*');
    match (end(listener), end(route)) {
        (None, None) => None,
        (Some(end), None) => route.ends_with(end).then_some(route),
        (None, Some(end)) => listener.ends_with(end).then_some(listener),
        (Some(own), Some(theirs)) if own.ends_with(theirs) => Some(listener),
        (Some(own), Some(theirs)) if theirs.ends_with(own) => Some(route),
        _ => None,
    }
}

fn covers(listener: Option<&str>, host: &str) -> bool {
    match listener {
        None => true,
        Some(_) if host == "*" => false,
        Some(listener) => intersect(listener, host) == Some(host),
    }
}

/// How exact a listener's host is.
fn rank(hostname: Option<&str>) -> (u8, usize) {
    match hostname {
        None => (0, 0),
        Some(host) => match host.strip_prefix("*.") {
            Some(rest) => (1, rest.matches('.').count()),
            None => (2, 0),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(name: &str, hostname: Option<&str>) -> ListenerSpec {
        ListenerSpec {
            name: name.into(),
            hostname: hostname.map(str::to_owned),
            ..ListenerSpec::default()
        }
    }

    fn hosts(own: Option<&str>, route: &[&str]) -> Vec<String> {
        let route: Vec<String> = route.iter().map(|it| (*it).to_owned()).collect();
        for_envoy_gateway(&listener("a", own), &[], &route)
    }

    #[test]
    fn the_more_exact_of_two_hosts_counts() {
        assert_eq!(hosts(None, &[]), ["*"]);
        assert_eq!(hosts(Some("a.test"), &[]), ["a.test"]);
        assert_eq!(hosts(None, &["a.test", "a.test"]), ["a.test"]);
        assert_eq!(hosts(Some("*.a.test"), &["b.a.test", "a.test", "c.test"]), ["b.a.test"]);
        assert_eq!(hosts(Some("b.a.test"), &["*.a.test"]), ["b.a.test"]);
        assert_eq!(hosts(Some("*.a.test"), &["*.test", "*.b.a.test"]), ["*.a.test", "*.b.a.test"]);
        assert!(hosts(Some("a.test"), &["b.test"]).is_empty());
    }

    #[test]
    fn a_host_goes_to_the_listener_that_is_more_exactly_for_it() {
        let (all, exact) = (listener("all", None), listener("exact", Some("a.test")));
        let route = ["a.test".to_owned(), "b.test".to_owned()];
        let both = [&all, &exact];
        assert_eq!(for_kgateway(&all, &both, &route), (true, vec!["b.test".to_owned()]));
        assert_eq!(for_kgateway(&exact, &both, &route), (true, vec!["a.test".to_owned()]));
        assert_eq!(for_envoy_gateway(&all, &both, &route), ["b.test"]);
        assert_eq!(for_envoy_gateway(&exact, &both, &route), ["a.test"]);
    }

    #[test]
    fn envoy_gateway_serves_a_host_below_a_wildcard_twice() {
        let (all, wild) = (listener("all", None), listener("wild", Some("*.test")));
        let (both, route) = ([&all, &wild], ["a.test".to_owned()]);
        assert_eq!(for_envoy_gateway(&all, &both, &route), ["a.test"]);
        assert_eq!(for_envoy_gateway(&wild, &both, &route), ["a.test"]);
        assert_eq!(for_kgateway(&all, &both, &route), (true, Vec::new()));
    }

    #[test]
    fn kgateway_keeps_a_host_twice_only_where_the_listener_has_none() {
        let route = ["a.test".to_owned(), "a.test".to_owned()];
        assert_eq!(for_kgateway(&listener("a", None), &[], &route).1, route);
        assert_eq!(for_kgateway(&listener("a", Some("*.test")), &[], &route).1, route[..1]);
    }
}
