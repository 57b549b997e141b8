//! Who gets a service's requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::binding::{self, Binding};
use super::deployment::Workload;
use super::entry::{Entry, Fields, Problems};
use super::matching::{self, HeaderMatch, PathMatch};
use super::names::{ServiceName, Version, Weight};
use super::node::Node;
use super::service;
use crate::problem::Problem;

/// What stands below `routes`.
#[derive(Clone, Debug, PartialEq)]
pub struct Routes {
    /// What puts the routes into the gateway.
    pub binding: Binding,
    /// The paths, at least one, in the order of their routes.
    pub paths: Vec<PathMatch>,
    /// Gloo route options for every route.
    pub options: Map<String, Value>,
    /// The version that gets what the canary does not.
    pub primary: Version,
    /// The version that is being tried.
    pub canary: Option<Canary>,
    /// How a route tells the versions apart.
    pub split: Split,
    /// What happens to a version's share while it has no ready pod. It matters to
    /// [`Split::Subset`] only: an Upstream of its own without pods answers 503.
    pub fallback: Fallback,
}

impl Routes {
    /// The share of the requests without the canary's headers that a version gets.
    pub fn share(&self, version: &Version) -> Weight {
        match &self.canary {
            Some(canary) if canary.version == *version => canary.weight,
            Some(canary) if self.primary == *version => canary.weight.rest(),
            None if self.primary == *version => Weight::FULL,
            _ => Weight::ZERO,
        }
    }
}

/// The version that is being tried, and how much of the traffic it gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    /// The version, another one than the primary.
    pub version: Version,
    /// Requests that carry all of these go to the canary; none do when empty.
    pub headers: BTreeMap<String, HeaderMatch>,
    /// The canary's share of the other requests.
    pub weight: Weight,
    /// The share of the primary's requests that the canary gets a copy of.
    pub shadow: Weight,
}

/// How a route tells a service's versions apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// One Upstream; a version is its subset by the pod label `version`.
    #[default]
    Subset,
    /// An Upstream per version.
    Upstream,
}

/// What happens to a version's share while it has no ready pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// Any other pod of the service answers.
    #[default]
    Any,
    /// The gateway answers 503.
    None,
}

/// Reads `routes`. Without `versions`, which could not be read, nothing is said about the
/// versions that are named here.
pub(super) fn read(
    name: &ServiceName,
    entry: &Entry,
    versions: Option<&BTreeMap<Version, Workload>>,
    problems: &mut Problems,
) -> Option<Routes> {
    let mut fields = entry.fields_like(service::ROUTES, problems)?;
    let binding = binding::read(&mut fields, problems);
    let paths = fields.take("paths").map(|entry| matching::read_paths(&entry, problems));
    let options = fields.take("options").map(|entry| entry.object(problems));
    let primary = read_primary(&mut fields, versions, problems);
    let canary_entry = fields.take("canary");
    let canary =
        canary_entry.as_ref().map(|entry| read_canary(entry, primary.as_ref(), versions, problems));
    let (split, fallback) = read_split(&mut fields, versions, problems);
    fields.finish(problems);

    let routes = Routes {
        binding: binding?,
        paths: paths.unwrap_or_else(|| Some(vec![PathMatch::of_service(name)]))?,
        options: options.unwrap_or_else(|| Some(Map::new()))?,
        primary: primary?,
        canary: canary.map_or(Some(None), |canary| canary.map(Some))?,
        split,
        fallback,
    };
    if let Some(entry) = canary_entry {
        refuse_two_shadows(&routes, &entry, problems);
    }
    Some(routes)
}

fn read_primary(
    fields: &mut Fields,
    versions: Option<&BTreeMap<Version, Workload>>,
    problems: &mut Problems,
) -> Option<Version> {
    const HELP: &str = "say who gets the requests: `primary: {version: v1}`";
    let Some(entry) = fields.take("primary") else {
        problems.push(fields.missing("primary", HELP));
        return None;
    };
    let mut fields = entry.fields_like(HELP, problems)?;
    let version = read_version(&mut fields, HELP, versions, problems);
    fields.finish(problems);
    version.map(|(version, _)| version)
}

fn read_version(
    fields: &mut Fields,
    help: &str,
    versions: Option<&BTreeMap<Version, Workload>>,
    problems: &mut Problems,
) -> Option<(Version, Entry)> {
    let Some(entry) = fields.take("version") else {
        problems.push(fields.missing("version", help));
        return None;
    };
    let text = entry.text(problems)?;
    let Some(versions) = versions else {
        return Some((Version::new(&text).ok()?, entry));
    };
    match versions.keys().find(|version| version.as_str() == text) {
        Some(version) => Some((version.clone(), entry)),
        None => {
            let listed: Vec<_> = versions.keys().map(Version::as_str).collect();
            let message = format!("{text:?} is not in `deployment`");
            problems.push(entry.problem(message).help(format!(
                "listed there: {}; add `{text}: {{}}` or route to one of these",
                listed.join(", ")
            )));
            None
        }
    }
}

fn read_canary(
    entry: &Entry,
    primary: Option<&Version>,
    versions: Option<&BTreeMap<Version, Workload>>,
    problems: &mut Problems,
) -> Option<Canary> {
    const HELP: &str = "say who is being tried: `canary: {version: v2}`";
    let mut fields = entry.fields_like(HELP, problems)?;
    let version = read_version(&mut fields, HELP, versions, problems);
    if let Some((version, entry)) = &version
        && primary == Some(version)
    {
        let problem = entry.problem(format!("{version} is the primary version already"));
        problems.push(problem.help("name another version, or remove `canary`"));
    }
    let headers = fields.take("headers").map(|entry| matching::read_headers(&entry, problems));
    let mut weight = |fields: &mut Fields, name, help| match fields.take(name) {
        Some(entry) => read_weight(&entry, help, problems),
        None => Some(Weight::ZERO),
    };
    let share = weight(&mut fields, "weight", "the canary's percentage, the primary gets the rest");
    let shadow = weight(&mut fields, "shadow", "the percentage of requests that are mirrored");
    fields.finish(problems);
    Some(Canary {
        version: version?.0,
        headers: headers.unwrap_or_default(),
        weight: share?,
        shadow: shadow?,
    })
}

fn read_weight(entry: &Entry, help: &str, problems: &mut Problems) -> Option<Weight> {
    entry.whole(0..=100, help, problems).and_then(Weight::new)
}

fn read_split(
    fields: &mut Fields,
    versions: Option<&BTreeMap<Version, Workload>>,
    problems: &mut Problems,
) -> (Split, Fallback) {
    let mut split = Split::default();
    if let Some(entry) = fields.take("split") {
        match entry.text(problems).as_deref() {
            Some("subset") => {}
            Some("upstream") => split = Split::Upstream,
            Some(_) => problems.push(entry.expected("subset or upstream")),
            None => {}
        }
    }
    let mut fallback = Fallback::default();
    if let Some(entry) = fields.take("fallback") {
        match entry.text(problems).as_deref() {
            Some("any") if split == Split::Upstream => {
                let problem = entry.problem("`fallback: any` needs `split: subset`");
                problems.push(problem.help(
                    "an Upstream of one version has no other pods to fall back to: \
                     remove the key, or split by subset",
                ));
            }
            Some("any") | None => {}
            Some("none") => fallback = Fallback::None,
            Some(_) => problems.push(entry.expected("any or none")),
        }
    }
    let by_upstream = versions
        .into_iter()
        .flatten()
        .find(|(_, workload)| matches!(workload, Workload::Upstream(_)));
    if let Some((version, _)) = by_upstream
        && split == Split::Subset
    {
        let entry = &fields.entry;
        let message = format!("{version} is an Upstream of its own, which has no subset of ours");
        let problem = Problem::new(&entry.key_at, format!("{}.split", entry.path), message);
        problems.push(problem.help("write `split: upstream`"));
    }
    (split, fallback)
}

/// A route mirrors to one upstream only.
fn refuse_two_shadows(routes: &Routes, canary: &Entry, problems: &mut Problems) {
    let shadowed = routes.canary.as_ref().is_some_and(|canary| canary.shadow > Weight::ZERO);
    let paths = routes.paths.iter().map(|path| &path.options);
    if shadowed && paths.chain([&routes.options]).any(|options| options.contains_key("shadowing")) {
        let message = "`shadow` and the route option `shadowing` exclude each other";
        let help = "Gloo mirrors a route to one upstream only: keep one of the two";
        problems.push(canary.problem(message).help(help));
    }
}

/// The default routes of a service that names no canary: a default canary only completes one.
pub(super) fn without_canary(defaults: &Arc<Node>) -> Arc<Node> {
    defaults.only(|key| key != "canary")
}

/// The service's own routes over the defaults. Of `apiGroup` and `domains` the service's own
/// one stands alone.
pub(super) fn with_defaults(own: &Arc<Node>, defaults: &Arc<Node>) -> Arc<Node> {
    let has = |name: &str| own.get(name).is_some_and(|node| !node.is_null());
    let fitting = defaults.only(|key| match key {
        "canary" => has("canary"),
        "apiGroup" => !has("domains"),
        "domains" => !has("apiGroup"),
        _ => true,
    });
    Node::merge(&fitting, own)
}
