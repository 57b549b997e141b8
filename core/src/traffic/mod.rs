//! Who gets a service's requests: the rules that its values mean.
//!
//! [`Traffic`] is computed from the values, and everything that has to know who gets which requests reads
//! it: rendering, plan, policy, status, page. What is live is read from the live objects into [`Shares`],
//! since others may have changed it; the two are compared as [`Shares`].

mod claims;
mod http_route;
mod live;
mod shares;
mod upstream_names;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

pub(crate) use claims::{claim_header, claims_name, is_guarded};
pub(crate) use http_route::{WARMING_HEADER, is_warming};
pub use shares::Shares;
pub use upstream_names::UpstreamNames;

use crate::values::{
    Canary, HeaderMatch, Path, PathMatch, Service, Split, UpstreamRef, ValueMatch, Version, Weight,
    Workload,
};

/// Who gets a service's requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    rules: Vec<Rule>,
    weights: BTreeMap<Version, Weight>,
    shares: Shares,
    upstream_names: UpstreamNames,
    service_names: UpstreamNames,
}

/// Some of a service's requests, and who answers them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Which requests, unless a rule before takes them.
    pub matches: Matches,
    /// Who answers: one version for all of them, or two whose weights are 100 together.
    pub destinations: Vec<Destination>,
    /// Who gets a copy of some.
    pub shadow: Option<Shadow>,
    /// Gloo route options, in the order of the values: those of all routes with the path's over them.
    pub options: Map<String, Value>,
}

/// Which requests a rule is about: all conditions hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Matches {
    /// The path.
    pub path: Path,
    /// The methods; every one when empty.
    pub methods: BTreeSet<String>,
    /// Conditions on query parameters, by their names.
    pub query_parameters: BTreeMap<String, ValueMatch>,
    /// Conditions on headers, by their names.
    pub headers: BTreeMap<String, HeaderMatch>,
    /// Conditions on the claims of a token that the gateway has checked, by their names.
    pub claims: BTreeMap<String, ValueMatch>,
}

impl Matches {
    /// Whether it is about requests that carry something, and not about everybody's.
    pub fn is_selective(&self) -> bool {
        !(self.headers.is_empty() && self.claims.is_empty())
    }
}

/// Who answers a share of a rule's requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// The version.
    pub version: Version,
    /// Its share of the rule's requests.
    pub weight: Weight,
    /// The Upstream that the version is, if somebody else keeps it; else the version has pods.
    pub upstream: Option<UpstreamRef>,
    /// The function of a REST Upstream that answers.
    pub function: Option<Map<String, Value>>,
}

/// Who gets a copy of a rule's requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Shadow {
    /// The version.
    pub version: Version,
    /// The share of the requests that it gets a copy of; more than nothing.
    pub weight: Weight,
    /// The Upstream that the version is, if somebody else keeps it.
    pub upstream: Option<UpstreamRef>,
}

impl Traffic {
    /// What a service's values mean. Of each path the rule for requests with the canary's headers comes
    /// first, then the one for everybody else: Gloo takes the first that fits, and does not look at headers
    /// where it sorts (gloo-conformance case 10-order-in-one-table).
    pub fn of(service: &Service) -> Self {
        let canary = service.routes.canary.as_ref();
        let tested = canary.filter(|canary| canary.is_tested());
        let mut rules = Vec::new();
        for path in &service.routes.paths {
            rules.extend(tested.map(|canary| header_rule(service, path, canary)));
            rules.push(main_rule(service, path));
        }
        let versions = service.versions.keys();
        let weights = versions.map(|version| (version.clone(), weight(service, version)));
        let routed = service.routed_versions();
        let names = UpstreamNames::of_versions(service, routed.into_iter());
        let upstream_names = match service.routes.split {
            Split::Upstream => names.clone(),
            Split::Subset => UpstreamNames::default(),
        };
        let shares = shares(service, &rules, &upstream_names);
        Self { shares, weights: weights.collect(), rules, upstream_names, service_names: names }
    }

    /// The rules, in the order in which they are tried.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The versions that rules name, whatever their share: those that must be ready before the routes are
    /// written. The primary one comes first.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        // The last rule is one for everybody.
        let destinations = self.rules.last().map(|rule| &rule.destinations);
        destinations.into_iter().flatten().map(|destination| &destination.version)
    }

    /// Each version of the service, whether or not a rule names it, and its share of the requests without the
    /// canary's headers.
    pub fn weights(&self) -> impl Iterator<Item = (&Version, Weight)> {
        self.weights.iter().map(|(version, weight)| (version, *weight))
    }

    /// The headers that lead to the canary.
    pub fn headers(&self) -> impl Iterator<Item = (&String, &HeaderMatch)> {
        let mut headers = self.rules.iter().map(|rule| &rule.matches.headers);
        headers.find(|headers| !headers.is_empty()).into_iter().flatten()
    }

    /// The claims of a token that leads to the canary.
    pub fn claims(&self) -> impl Iterator<Item = (&String, &ValueMatch)> {
        let mut claims = self.rules.iter().map(|rule| &rule.matches.claims);
        claims.find(|claims| !claims.is_empty()).into_iter().flatten()
    }

    /// The version that gets copies of the primary's requests.
    pub fn shadowed(&self) -> Option<&Version> {
        self.rules.iter().find_map(|rule| rule.shadow.as_ref()).map(|shadow| &shadow.version)
    }

    /// What the versions get, in the form in which live routes are read. A version that is an Upstream of
    /// somebody else's counts by that Upstream's name, as it does there.
    pub fn shares(&self) -> &Shares {
        &self.shares
    }

    /// Which of the Upstreams that rules name hold a version that their names do not tell.
    pub(crate) fn upstream_names(&self) -> &UpstreamNames {
        &self.upstream_names
    }

    /// Which of the Services of single versions that rules name hold a version that their names do not tell.
    pub(crate) fn service_names(&self) -> &UpstreamNames {
        &self.service_names
    }
}

fn header_rule(service: &Service, path: &PathMatch, canary: &Canary) -> Rule {
    Rule {
        matches: Matches {
            headers: canary.headers.clone(),
            claims: canary.jwt.iter().flat_map(|jwt| jwt.claims.clone()).collect(),
            ..matches(path)
        },
        destinations: vec![destination(service, path, &canary.version, Weight::FULL)],
        shadow: None,
        options: options(service, path),
    }
}

/// Both versions are named even while one has no share, so that the first shift changes two numbers and
/// nothing else.
fn main_rule(service: &Service, path: &PathMatch) -> Rule {
    let versions = service.routed_versions().into_iter();
    let destinations =
        versions.map(|version| destination(service, path, version, weight(service, version)));
    let canary = service.routes.canary.as_ref();
    let shadow = canary.filter(|canary| canary.shadow > Weight::ZERO).map(|canary| Shadow {
        version: canary.version.clone(),
        weight: canary.shadow,
        upstream: upstream(service, &canary.version),
    });
    Rule {
        matches: matches(path),
        destinations: destinations.collect(),
        shadow,
        options: options(service, path),
    }
}

fn matches(path: &PathMatch) -> Matches {
    Matches {
        path: path.path.clone(),
        methods: path.methods.clone(),
        query_parameters: path.query_parameters.clone(),
        headers: BTreeMap::new(),
        claims: BTreeMap::new(),
    }
}

/// The service's route options with the path's over them, key by key.
fn options(service: &Service, path: &PathMatch) -> Map<String, Value> {
    let mut options = service.routes.options.clone();
    options.extend(path.options.clone());
    options
}

fn destination(
    service: &Service,
    path: &PathMatch,
    version: &Version,
    weight: Weight,
) -> Destination {
    Destination {
        version: version.clone(),
        weight,
        upstream: upstream(service, version),
        function: path.rest.clone(),
    }
}

fn upstream(service: &Service, version: &Version) -> Option<UpstreamRef> {
    match service.versions.get(version)? {
        Workload::Upstream(upstream) => Some(upstream.clone()),
        Workload::Deployed(_) | Workload::External => None,
    }
}

/// The share of the requests without the canary's headers that a version gets.
fn weight(service: &Service, version: &Version) -> Weight {
    let routes = &service.routes;
    match &routes.canary {
        Some(canary) if canary.version == *version => canary.weight,
        Some(canary) if routes.primary == *version => canary.weight.rest(),
        None if routes.primary == *version => Weight::FULL,
        _ => Weight::ZERO,
    }
}

fn shares(service: &Service, rules: &[Rule], names: &UpstreamNames) -> Shares {
    let mut shares = Shares::default();
    for rule in rules {
        for destination in &rule.destinations {
            let version = match &destination.upstream {
                Some(it) => names.version(service.name.as_str(), &it.name),
                None => Some(destination.version.to_string()),
            };
            let weight = u64::from(destination.weight.percent());
            shares.add(rule.matches.is_selective(), version, weight);
        }
    }
    shares
}

#[cfg(test)]
mod tests;
