//! Which request goes to whom: a service's routes as the gateway goes by them.

use std::collections::{BTreeMap, BTreeSet};

use gloo::config::{Action, HeaderMatch, Match, PathMatch, QueryMatch, Route, Target, ValueMatch};
use gloo::{ObjectRef, Translation};
use serde::Serialize;

use crate::traffic::UpstreamNames;

/// One route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The requests that it takes.
    #[serde(flatten)]
    pub requests: Requests,
    /// Who gets them, in percent, by version; by the name of the Upstream where it is no version's.
    pub shares: BTreeMap<String, u32>,
    /// Who gets a copy, in percent of the requests.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub copies: BTreeMap<String, u32>,
}

/// The requests that a route takes, unless one before takes them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// The domains of the virtual host.
    pub domains: Vec<String>,
    /// The path, such as `/echo*`.
    pub path: String,
    /// What else has to hold, such as `stage: canary`.
    pub conditions: Vec<String>,
}

impl Requests {
    /// Whether these are the same requests and more: those of the same path that need not meet every condition.
    pub(super) fn include(&self, others: &Self) -> bool {
        let Self { domains, path, conditions } = self;
        let is_same_place = *domains == others.domains && *path == others.path;
        is_same_place && conditions.iter().all(|it| others.conditions.contains(it))
    }
}

/// The routes that these objects hold, in the order in which they are tried.
pub(super) fn table(
    translation: &Translation,
    service: &str,
    names: &UpstreamNames,
    holders: &BTreeSet<ObjectRef>,
) -> Vec<Row> {
    let version = |cluster: &str, subset: &Subset| destination(service, names, cluster, subset);
    let mut rows = Vec::new();
    for host in translation.desired_hosts() {
        for route in host.routes.iter().filter(|route| holders.contains(&*route.holder)) {
            let requests = Requests { domains: host.domains.clone(), ..requests(&route.matcher) };
            let (shares, copies) = (shares(route, version), copies(route, version));
            let row = Row { requests, shares, copies };
            // Several Gateways may serve the same.
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    rows
}

/// The Gateways that serve these objects' routes, `<namespace>/<name>`.
pub(super) fn gateways(translation: &Translation, holders: &BTreeSet<ObjectRef>) -> Vec<String> {
    let hosts = translation.desired_hosts();
    let own = hosts.filter(|host| host.routes.iter().any(|it| holders.contains(&*it.holder)));
    let names = own.map(|host| format!("{}/{}", host.gateway.namespace, host.gateway.name));
    names.collect::<BTreeSet<String>>().into_iter().collect()
}

fn requests(matcher: &Match) -> Requests {
    let path = match &matcher.path {
        Some(PathMatch::Prefix(prefix)) => format!("{prefix}*"),
        Some(PathMatch::Exact(exact)) => exact.clone(),
        Some(PathMatch::Regex(expression)) => format!("~{expression}"),
        Some(PathMatch::Connect) => "CONNECT".into(),
        None => String::new(),
    };
    let headers = matcher.headers.iter().map(header);
    let query = matcher
        .query
        .iter()
        .map(|QueryMatch { name, value }| condition(&format!("?{name}"), value));
    Requests { domains: Vec::new(), path, conditions: headers.chain(query).collect() }
}

fn header(header: &HeaderMatch) -> String {
    let not = if header.invert { "not " } else { "" };
    let name = if header.name == ":method" { "method" } else { &header.name };
    format!("{not}{}", condition(name, &header.value))
}

fn condition(name: &str, value: &ValueMatch) -> String {
    match value {
        ValueMatch::Present => name.to_owned(),
        ValueMatch::Exact(text) => format!("{name}: {text}"),
        ValueMatch::Regex(expression) => format!("{name}: ~{expression}"),
    }
}

type Subset = BTreeMap<String, String>;

fn shares(route: &Route, version: impl Fn(&str, &Subset) -> String) -> BTreeMap<String, u32> {
    let all = |who: String| BTreeMap::from([(who, 100)]);
    let forward = match &route.action {
        Action::Forward(forward) => forward,
        Action::Redirect(_) => return all("redirect".into()),
        Action::DirectResponse { status, .. } => return all(format!("status {status}")),
    };
    match &forward.target {
        Target::Missing => BTreeMap::new(),
        Target::Unknown => all("not known".into()),
        Target::Dynamic { .. } => all("the request's own host".into()),
        Target::Header(name) => all(format!("header {name}")),
        Target::Cluster { name, subset } => all(version(name, subset)),
        Target::Weighted { clusters, .. } => {
            let sum: u32 = clusters.iter().map(|cluster| cluster.weight).sum();
            let mut shares = BTreeMap::new();
            for cluster in clusters {
                let who = version(&cluster.name, &cluster.subset);
                let share = (cluster.weight * 100).checked_div(sum).unwrap_or(0);
                *shares.entry(who).or_default() += share;
            }
            shares
        }
    }
}

fn copies(route: &Route, version: impl Fn(&str, &Subset) -> String) -> BTreeMap<String, u32> {
    let Action::Forward(forward) = &route.action else { return BTreeMap::new() };
    let copies = forward.mirrors.iter().filter(|mirror| mirror.per_million > 0);
    let none = Subset::new();
    copies.map(|it| (version(&it.cluster, &none), it.per_million / 10_000)).collect()
}

/// The version that a cluster of Envoy's stands for; `<Upstream>_<namespace>` where it is none.
fn destination(service: &str, names: &UpstreamNames, cluster: &str, subset: &Subset) -> String {
    if let Some(version) = subset.get("version") {
        return version.clone();
    }
    let upstream = cluster.rsplit_once('_').map_or(cluster, |(upstream, _)| upstream);
    names.version(service, upstream).unwrap_or_else(|| upstream.to_owned())
}

/// A host by which requests reach the routes that these objects hold; nothing when they are not served.
pub fn host_of(translation: &Translation, holders: &BTreeSet<ObjectRef>) -> Option<String> {
    let mut hosts = translation.served_hosts();
    let host =
        hosts.find(|host| host.routes.iter().any(|route| holders.contains(&*route.holder)))?;
    let domain = host.domains.first().map_or("*", String::as_str);
    Some(if domain == "*" { "localhost".to_owned() } else { domain.replace('*', "any") })
}

/// The requests that a matcher takes, in words: `/echo* with stage: canary`.
pub fn in_words(matcher: &Match) -> String {
    requests(matcher).to_string()
}

impl std::fmt::Display for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let domains = self.domains.join(",");
        write!(f, "{}{}", if domains == "*" { "" } else { &domains }, self.path)?;
        if self.conditions.is_empty() {
            return Ok(());
        }
        write!(f, " with {}", self.conditions.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(domain: &str, path: &str, conditions: &[&str]) -> Requests {
        Requests {
            domains: vec![domain.to_owned()],
            path: path.to_owned(),
            conditions: conditions.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    #[test]
    fn requests_include_those_of_the_same_place_with_more_conditions() {
        let (all, some) = (requests("*", "/a*", &[]), requests("*", "/a*", &["stage: canary"]));
        assert!(all.include(&some) && all.include(&all) && !some.include(&all));
        assert!(!requests("b", "/a*", &[]).include(&some));
        assert!(!requests("*", "/b*", &[]).include(&some));
        assert!(!requests("*", "/a*", &["tenant"]).include(&some));
    }

    #[test]
    fn requests_are_named_by_domain_path_and_conditions() {
        assert_eq!(requests("*", "/a*", &[]).to_string(), "/a*");
        let two = requests("b.example", "/a*", &["stage: canary", "?x"]);
        assert_eq!(two.to_string(), "b.example/a* with stage: canary, ?x");
        let header = |name: &str, value: ValueMatch, invert: bool| HeaderMatch {
            name: name.to_owned(),
            value,
            invert,
        };
        let matcher = Match {
            path: Some(PathMatch::Exact("/a".into())),
            case_sensitive: None,
            headers: vec![
                header("stage", ValueMatch::Exact("canary".into()), true),
                header(":method", ValueMatch::Regex("GET|PUT".into()), false),
            ],
            query: vec![QueryMatch { name: "x".into(), value: ValueMatch::Present }],
        };
        let words = in_words(&matcher);
        assert_eq!(words, "/a with not stage: canary, method: ~GET|PUT, ?x");
    }
}
