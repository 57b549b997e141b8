//! Which hosts of a route a listener serves.

use crate::api::ListenerSpec;

/// The hosts of a route behind a listener: those that both have, `*` for all. `None` where there is none.
///
/// Of a host that comes out twice Envoy Gateway takes one, `once`; kgateway takes both (case 07-duplicate-hostnames).
/// A host that another listener of the same port is more exactly for goes to that one.
pub(super) fn common(
    listener: &ListenerSpec,
    neighbours: &[&ListenerSpec],
    hostnames: &[String],
    once: bool,
) -> (bool, Vec<String>) {
    let own = listener.hostname.as_deref().unwrap_or_default();
    let mut all: Vec<String> = Vec::new();
    if hostnames.is_empty() {
        all.push(if own.is_empty() { "*".into() } else { own.into() });
    }
    for hostname in hostnames {
        if let Some(common) = intersect(own, hostname)
            && !(once && all.iter().any(|known| known == common))
        {
            all.push(common.to_owned());
        }
    }
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
        common(&listener("a", own), &[], &route, true).1
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
        assert_eq!(common(&all, &[&all, &exact], &route, true), (true, vec!["b.test".to_owned()]));
        assert_eq!(
            common(&exact, &[&all, &exact], &route, true),
            (true, vec!["a.test".to_owned()])
        );
    }
}
