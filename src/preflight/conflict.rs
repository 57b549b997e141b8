//! Requests that two objects claim.

use std::fmt;

use gloo::Translation;
use gloo::config::{Match, PathMatch, Route, VirtualHost};
use serde_json::Value;

/// A route of ours and a stranger's that take the same requests, one before the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The virtual host, as `<namespace>_<name>` of its VirtualService.
    pub host: String,
    /// The path of our route.
    pub ours: String,
    /// The path of the stranger's route.
    pub theirs: String,
    /// Whether ours comes first and takes the stranger's requests.
    pub ours_is_first: bool,
    /// The object that holds the stranger's route, if it can be told.
    pub owner: Option<String>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, ours, theirs, ours_is_first, owner } = self;
        let owner = owner.as_deref().unwrap_or("another object");
        if *ours_is_first {
            write!(
                f,
                "the path {ours} would take the requests of {theirs} in {owner} (virtual host {host})"
            )?;
        } else {
            write!(
                f,
                "the path {ours} is taken already by {theirs} in {owner} (virtual host {host})"
            )?;
        }
        f.write_str("; choose another path, or agree with its owner")
    }
}

impl std::error::Error for Conflict {}

impl Conflict {
    /// Finds the object in which the stranger's path is written.
    pub(super) fn name_owner<'a>(&mut self, objects: impl Iterator<Item = &'a Value>) {
        self.owner = objects.filter(|object| mentions(object, &self.theirs)).find_map(|object| {
            let text = |pointer: &str| object.pointer(pointer)?.as_str();
            let (kind, name) = (text("/kind")?, text("/metadata/name")?);
            Some(format!("{kind} {}/{name}", text("/metadata/namespace")?))
        });
    }
}

fn mentions(object: &Value, path: &str) -> bool {
    let routes = ["/spec/routes", "/spec/virtualHost/routes"];
    let routes = routes.iter().filter_map(|pointer| object.pointer(pointer)?.as_array()).flatten();
    let forwards = routes.filter(|route| route.get("delegateAction").is_none());
    let matchers = forwards.filter_map(|route| route.get("matchers")?.as_array()).flatten();
    matchers
        .flat_map(|matcher| ["prefix", "exact", "regex"].map(|kind| &matcher[kind]))
        .any(|text| text == path)
}

/// Compares all routes with those of the strangers alone.
///
/// # Errors
/// The name of a virtual host in which a stranger's route is missing.
pub(super) fn find(all: &Translation, strangers: &Translation) -> Result<Vec<Conflict>, String> {
    let mut conflicts = Vec::new();
    for host in &strangers.virtual_hosts {
        let Some(whole) = all.virtual_hosts.iter().find(|other| other.name == host.name) else {
            return Err(host.name.clone());
        };
        let is_ours = ours(whole, host).ok_or_else(|| host.name.clone())?;
        conflicts.extend(in_host(whole, &is_ours));
    }
    Ok(conflicts)
}

/// For each route of the host whether it is ours, given the strangers' in the same order; `None`
/// when one of theirs is missing.
fn ours(whole: &VirtualHost, strangers: &VirtualHost) -> Option<Vec<bool>> {
    let mut theirs = strangers.routes.iter().peekable();
    let is_ours = whole.routes.iter().map(|route| {
        let stranger = theirs.next_if(|theirs| same(theirs, route));
        stranger.is_none()
    });
    let is_ours: Vec<bool> = is_ours.collect();
    theirs.peek().is_none().then_some(is_ours)
}

/// Equal but for the name, which counts positions.
fn same(a: &Route, b: &Route) -> bool {
    let nameless = |route: &Route| Route { name: String::new(), ..route.clone() };
    nameless(a) == nameless(b)
}

fn in_host(host: &VirtualHost, is_ours: &[bool]) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for (later, route) in host.routes.iter().enumerate() {
        for (earlier, first) in host.routes[..later].iter().enumerate() {
            if is_ours[earlier] == is_ours[later] || !covers(&first.matcher, &route.matcher) {
                continue;
            }
            let ours_is_first = is_ours[earlier];
            let (ours, theirs) = if ours_is_first { (first, route) } else { (route, first) };
            conflicts.push(Conflict {
                host: host.name.clone(),
                ours: path(&ours.matcher),
                theirs: path(&theirs.matcher),
                ours_is_first,
                owner: None,
            });
        }
    }
    conflicts
}

/// True when every request that `second` takes is taken by `first`, as far as can be told.
fn covers(first: &Match, second: &Match) -> bool {
    use PathMatch::{Exact, Prefix};
    let paths = match (&first.path, &second.path) {
        (Some(Prefix(prefix)), Some(Prefix(text) | Exact(text))) => text.starts_with(prefix),
        (first, second) => first == second,
    };
    paths
        && first.case_sensitive == second.case_sensitive
        && first.headers.iter().all(|header| second.headers.contains(header))
        && first.query.iter().all(|query| second.query.contains(query))
}

fn path(matcher: &Match) -> String {
    match &matcher.path {
        Some(PathMatch::Prefix(text) | PathMatch::Exact(text) | PathMatch::Regex(text)) => {
            text.clone()
        }
        Some(PathMatch::Connect) => "CONNECT".into(),
        None => "/".into(),
    }
}
