//! Reads `routes`.

use std::collections::BTreeMap;

use serde_json::Map;

use super::binding;
use super::entry::{Entry, Fields, Problems};
use super::gateway::{self, GatewayChoice};
use super::jwt;
use super::matching;
use super::model::{Canary, Fallback, PathMatch, Routes, Split, Workload};
use super::names::{ServiceName, Version, Weight};
use super::node::Data;
use super::passed::Passed;
use super::schema::{self, Key, MAX_REASON, Mapping};
use crate::problem::Problem;

/// How `routes` looks.
pub(super) const ROUTES: &str = "for example `routes: {apiGroup: example, primary: {version: v1}}`";

/// Reads `routes`. Without `versions`, which could not be read, nothing is said about the
/// versions that are named here. `choice` is what coalmine.yaml says of the gateway.
pub(super) fn read(
    name: &ServiceName,
    entry: &Entry,
    versions: Option<&BTreeMap<Version, Workload>>,
    choice: GatewayChoice,
    problems: &mut Problems,
) -> Option<Routes> {
    let mut fields = entry.fields_like::<schema::Routes>(ROUTES, problems)?;
    let binding = binding::read(&mut fields, problems);
    let paths =
        fields.take(schema::Routes::paths()).map(|entry| matching::read_paths(&entry, problems));
    let options =
        fields.take(schema::Routes::options()).map(|entry| entry.object(Passed::Gloo, problems));
    let primary = read_primary(&mut fields, versions, problems);
    let canary_entry = fields.take(schema::Routes::canary());
    let canary =
        canary_entry.as_ref().map(|entry| read_canary(entry, primary.as_ref(), versions, problems));
    let (split, fallback) = read_split(&mut fields, versions, problems);
    let allow_carve_out = fields
        .take(schema::Routes::allow_carve_out())
        .and_then(|entry| entry.boolean(problems))
        .unwrap_or_default();
    let choice = match fields.take(schema::Routes::gateway()) {
        Some(entry) => gateway::read(&entry, problems).over(choice),
        None => choice,
    };
    fields.finish(problems);

    let routes = Routes {
        binding: binding?,
        paths: paths.unwrap_or_else(|| Some(vec![PathMatch::of_service(name)]))?,
        options: options.unwrap_or_else(|| Some(Map::new()))?,
        primary: primary?,
        canary: canary.map_or(Some(None), |canary| canary.map(Some))?,
        split,
        allow_carve_out,
        fallback,
        gateway: choice.resolved(),
    };
    if let Some(entry) = canary_entry {
        refuse_two_shadows(&routes, &entry, problems);
    }
    Some(routes)
}

fn read_primary(
    fields: &mut Fields<schema::Routes>,
    versions: Option<&BTreeMap<Version, Workload>>,
    problems: &mut Problems,
) -> Option<Version> {
    const HELP: &str = "say who gets the requests: `primary: {version: v1}`";
    let Some(entry) = fields.take(schema::Routes::primary()) else {
        problems.push(fields.missing(schema::Routes::primary(), HELP));
        return None;
    };
    let mut fields = entry.fields_like(HELP, problems)?;
    let version = read_version(&mut fields, schema::Primary::version, HELP, versions, problems);
    fields.finish(problems);
    version.map(|(version, _)| version)
}

fn read_version<M: Mapping>(
    fields: &mut Fields<M>,
    key: fn() -> Key<M>,
    help: &str,
    versions: Option<&BTreeMap<Version, Workload>>,
    problems: &mut Problems,
) -> Option<(Version, Entry)> {
    let entry = match fields.take_even_null(key()) {
        Some(entry) if !entry.node.is_null() => entry,
        nothing => {
            let null = nothing.as_ref().and_then(|entry| named_null(entry, versions));
            problems.push(fields.missing(key(), null.as_deref().unwrap_or(help)));
            return None;
        }
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

/// What to write where `null` is meant to name a version: as a key it is text.
fn named_null(entry: &Entry, versions: Option<&BTreeMap<Version, Workload>>) -> Option<String> {
    let Data::Scalar { text, .. } = &entry.node.data else { return None };
    let is_listed = versions?.keys().any(|version| version.as_str() == text);
    is_listed.then(|| {
        format!("`{text}` is nothing to YAML: write the version in quotes, `version: \"{text}\"`")
    })
}

fn read_canary(
    entry: &Entry,
    primary: Option<&Version>,
    versions: Option<&BTreeMap<Version, Workload>>,
    problems: &mut Problems,
) -> Option<Canary> {
    const HELP: &str = "say who is being tried: `canary: {version: v2}`";
    let mut fields = entry.fields_like(HELP, problems)?;
    let version = read_version(&mut fields, schema::Canary::version, HELP, versions, problems);
    if let Some((version, entry)) = &version
        && primary == Some(version)
    {
        let problem = entry.problem(format!("{version} is the primary version already"));
        problems.push(problem.help("name another version, or remove `canary`"));
    }
    let headers = fields
        .take(schema::Canary::headers())
        .map(|entry| matching::read_headers(&entry, problems));
    let jwt = fields.take(schema::Canary::jwt()).map(|entry| jwt::read(&entry, problems));
    let mut weight = |key, help| match fields.take(key) {
        Some(entry) => read_weight(&entry, help, problems),
        None => Some(Weight::ZERO),
    };
    let share =
        weight(schema::Canary::weight(), "the canary's percentage, the primary gets the rest");
    let shadow = weight(schema::Canary::shadow(), "the percentage of requests that are mirrored");
    let held = fields.take(schema::Canary::held()).map(|entry| read_reason(&entry, problems));
    fields.finish(problems);
    Some(Canary {
        version: version?.0,
        headers: headers.unwrap_or_default(),
        jwt: jwt.map_or(Some(None), |jwt| jwt.map(Some))?,
        weight: share?,
        shadow: shadow?,
        held: held.map_or(Some(None), |held| held.map(Some))?,
    })
}

/// Why a canary is held: one line, as the status shows it.
fn read_reason(entry: &Entry, problems: &mut Problems) -> Option<String> {
    let text = entry.text(problems)?;
    let is_line = !text.trim().is_empty()
        && text.chars().count() <= MAX_REASON
        && !text.chars().any(char::is_control);
    if !is_line {
        let help = "why the canary is held, for whoever reads the file; remove the key to let the autopilot go on";
        let what = format!("one line of at most {MAX_REASON} characters");
        problems.push(entry.expected(&what).help(help));
        return None;
    }
    Some(text)
}

fn read_weight(entry: &Entry, help: &str, problems: &mut Problems) -> Option<Weight> {
    entry.whole(0..=100, help, problems).and_then(Weight::new)
}

fn read_split(
    fields: &mut Fields<schema::Routes>,
    versions: Option<&BTreeMap<Version, Workload>>,
    problems: &mut Problems,
) -> (Split, Fallback) {
    let mut split = Split::default();
    if let Some(entry) = fields.take(schema::Routes::split()) {
        match entry.text(problems).as_deref() {
            Some("subset") => {}
            Some("upstream") => split = Split::Upstream,
            Some(_) => problems.push(entry.expected("subset or upstream")),
            None => {}
        }
    }
    let mut fallback = Fallback::default();
    if let Some(entry) = fields.take(schema::Routes::fallback()) {
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
