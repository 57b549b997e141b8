//! Reads `coalmine.yaml`.

use std::collections::BTreeSet;
use std::sync::Arc;

use gloo::Edition;

use super::calendar;
use super::defaults::Defaults;
use super::entry::{Entry, Fields, Problems};
use super::folders;
use super::gateway;
use super::kind_name::KindName;
use super::model::{Policy, Settings};
use super::names::{ServiceName, Weight};
use super::node::{Data, Node};
use super::scalars::{read_duration, read_label};
use super::schema::{self, Key, Mapping};
use super::service;
use super::yaml::{self, MAX_EXTENT};
use crate::problem::Location;

/// The settings file as it was read: its settings, and the defaults it gives to services.
#[derive(Debug, Default)]
pub(super) struct SettingsFile {
    pub(super) settings: Settings,
    pub(super) defaults: Option<Defaults>,
}

/// Reads `coalmine.yaml`; `None` when it is so broken that the services' defaults are unknown.
pub(super) fn read(
    file: &Arc<str>,
    content: &[u8],
    problems: &mut Problems,
) -> Option<SettingsFile> {
    let documents = match yaml::documents(file, content) {
        Ok((documents, more)) => {
            problems.extend(more);
            documents
        }
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let root = match documents.as_slice() {
        [] => return Some(SettingsFile::default()),
        [root] => root.clone(),
        [_, second, ..] => {
            let problem = Entry::root(second.clone()).problem("a second document (`---`)");
            problems.push(problem.help("keep all settings in one"));
            return None;
        }
    };
    let mut fields = Entry::root(root).fields::<schema::SettingsFile>(problems)?;
    let defaults = fields.take(schema::SettingsFile::defaults());
    let gateway = fields.take(schema::SettingsFile::gateway());
    let choice = gateway.as_ref().map(|entry| gateway::read(entry, problems)).unwrap_or_default();
    let settings = read_settings(&mut fields, problems);
    fields.finish(problems);
    if let Some(entry) = defaults {
        let defaults = Defaults::new(entry.node.clone())
            .with_gateway(choice)
            .with_max_step(settings.policy.max_step);
        check_defaults(&defaults, &entry, problems);
        return Some(SettingsFile { settings, defaults: Some(defaults) });
    }
    let max_step = settings.policy.max_step;
    let defaults = (gateway.is_some() || max_step.is_some()).then(|| {
        let nothing = Node { at: Location::start_of(file), data: Data::Mapping(Vec::new()) };
        Defaults::new(nothing.into()).with_gateway(choice).with_max_step(max_step)
    });
    Some(SettingsFile { settings, defaults })
}

fn read_settings(fields: &mut Fields<schema::SettingsFile>, problems: &mut Problems) -> Settings {
    let mut settings = Settings::default();
    section(fields, schema::SettingsFile::gloo(), problems, |fields, problems| {
        if let Some(entry) = fields.take(schema::Gloo::namespace())
            && let Some(namespace) = read_label(&entry, "a namespace", problems)
        {
            settings.gloo_namespace = namespace;
        }
        if let Some(entry) = fields.take(schema::Gloo::edition())
            && let Some(text) = entry.text(problems)
        {
            match text.as_str() {
                "open-source" => settings.edition = Edition::OpenSource,
                "enterprise" => settings.edition = Edition::Enterprise,
                _ => problems.push(entry.expected("open-source or enterprise")),
            }
        }
    });
    section(fields, schema::SettingsFile::timing(), problems, |fields, problems| {
        if let Some(entry) = fields.take(schema::Timing::deadline())
            && let Some(deadline) = read_duration(&entry, problems)
        {
            settings.timing.deadline = deadline;
            if deadline.is_zero() {
                problems.push(entry.expected("more than nothing"));
            }
        }
        if let Some(entry) = fields.take(schema::Timing::settle())
            && let Some(settle) = read_duration(&entry, problems)
        {
            settings.timing.settle = settle;
        }
    });
    section(fields, schema::SettingsFile::policy(), problems, |fields, problems| {
        settings.policy = Policy {
            max_step: fields
                .take(schema::Policy::max_step())
                .and_then(|entry| read_step(&entry, problems)),
            require_header_phase: fields
                .take(schema::Policy::require_header_phase())
                .and_then(|entry| entry.boolean(problems))
                .unwrap_or_default(),
            freeze: fields
                .take(schema::Policy::freeze())
                .map(|entry| calendar::read_freezes(&entry, problems))
                .unwrap_or_default(),
            windows: fields
                .take(schema::Policy::windows())
                .map(|entry| calendar::read_windows(&entry, problems))
                .unwrap_or_default(),
        };
    });
    section(fields, schema::SettingsFile::prune(), problems, |fields, problems| {
        let help = "how many objects one revision may remove";
        let limit = fields.take(schema::Prune::limit());
        settings.prune_limit_at = limit.as_ref().map(|entry| entry.at.clone());
        settings.prune_limit = limit.and_then(|entry| entry.whole(0..=u32::MAX, help, problems));
        settings.prune_kinds = fields
            .take(schema::Prune::kinds())
            .map(|entry| read_kinds(&entry, problems))
            .unwrap_or_default();
    });
    section(fields, schema::SettingsFile::daemon(), problems, |fields, problems| {
        if let Some(entry) = fields.take(schema::Daemon::namespace())
            && let Some(namespace) = read_label(&entry, "a namespace", problems)
        {
            settings.daemon_namespace = namespace;
        }
    });
    if let Some(entry) = fields.take(schema::SettingsFile::folders()) {
        settings.folders = folders::read(&entry, problems);
    }
    settings
}

/// The kinds of a list. No Namespace is among them: what is in it may be anybody's.
fn read_kinds(entry: &Entry, problems: &mut Problems) -> BTreeSet<KindName> {
    let mut kinds = BTreeSet::new();
    for item in entry.list(problems).unwrap_or_default() {
        let Some(text) = item.text(problems) else { continue };
        match KindName::new(&text) {
            Ok(kind) if kind.is_namespace() => problems.push(
                item.problem(
                    "a Namespace is never deleted, because all that is in it would go too",
                )
                .help("take it out of the list, and delete the namespace with kubectl"),
            ),
            Ok(kind) => drop(kinds.insert(kind)),
            Err(message) => problems.push(item.problem(message)),
        }
    }
    kinds
}

fn section<M: Mapping>(
    fields: &mut Fields<schema::SettingsFile>,
    key: Key<schema::SettingsFile>,
    problems: &mut Problems,
    read: impl FnOnce(&mut Fields<M>, &mut Problems),
) {
    let Some(mut section) = fields.take(key).and_then(|entry| entry.fields(problems)) else {
        return;
    };
    read(&mut section, problems);
    section.finish(problems);
}

fn read_step(entry: &Entry, problems: &mut Problems) -> Option<Weight> {
    let help = "the biggest change of a weight, in percent";
    entry.whole(1..=100, help, problems).and_then(Weight::new)
}

/// Finds the mistakes in the defaults that would not show in a service: a service's own versions, routes,
/// primary and canary hide a default that is no mapping, and the versions that its routes name are its own.
fn check_hidden(deployment: Option<&Entry>, routes: Option<&Entry>, problems: &mut Problems) {
    if let Some(deployment) = deployment {
        deployment.fields::<schema::Version>(problems);
    }
    let Some(mut routes) = routes.and_then(|routes| routes.fields(problems)) else { return };
    let (primary, canary) =
        (routes.take(schema::Routes::primary()), routes.take(schema::Routes::canary()));
    let primary = primary
        .and_then(|entry| entry.fields(problems))
        .and_then(|mut fields| fields.take(schema::Primary::version()));
    let canary = canary
        .and_then(|entry| entry.fields(problems))
        .and_then(|mut fields| {
            if let Some(held) = fields.take(schema::Canary::held()) {
                let message = "a default would hold every canary, and nothing but an edit of this file would end that";
                let help = "remove the key, and write `autopilot: {mode: off}` below `defaults` to stop all";
                problems.push(held.problem(message).help(help));
            }
            fields.take(schema::Canary::version())
        });
    for version in [primary, canary].into_iter().flatten() {
        version.text(problems);
    }
}

/// How often the defaults fit at least into a service's bounds: into a few versions.
const LEAST_TIMES: usize = 8;

/// Reads the defaults as a service would, to find their own mistakes once and not in every
/// service: a service that says nothing but what it must.
fn check_defaults(defaults: &Defaults, entry: &Entry, problems: &mut Problems) {
    let Some(mut fields) = entry.fields::<schema::Defaults>(problems) else { return };
    let routes = fields.take(schema::Defaults::routes());
    let deployment = fields.take(schema::Defaults::deployment());
    fields.take(schema::Defaults::service());
    fields.take(schema::Defaults::drift());
    fields.take(schema::Defaults::upstream());
    fields.take(schema::Defaults::autopilot());
    fields.finish(problems);
    check_hidden(deployment.as_ref(), routes.as_ref(), problems);

    if defaults.extent.times(LEAST_TIMES).exceeds(MAX_EXTENT) {
        let problem = entry.problem("the defaults hold more than fits into a service's versions");
        problems.push(problem.help("what is this long belongs into the services' own files"));
        return;
    }
    let canary = routes.is_some_and(|routes| routes.node.get("canary").is_some());
    let canary = if canary { ", canary: {version: v2}" } else { "" };
    let bound = defaults
        .node
        .get("routes")
        .is_some_and(|routes| routes.get("apiGroup").is_some() || routes.get("domains").is_some());
    let group = if bound { "" } else { "apiGroup: any, " };
    let least = format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\nroutes: {{{group}primary: {{version: v1}}{canary}}}\n"
    );
    let Ok((documents, _)) = yaml::documents(&"services/any.yaml".into(), least.as_bytes()) else {
        return;
    };
    let (Ok(name), Some(root)) = (ServiceName::new("any"), documents.first()) else { return };
    let Err(found) = service::read(&name, root, Some(defaults)) else { return };
    let mut seen = BTreeSet::new();
    for mut problem in found {
        if problem.at.file != entry.at.file {
            continue;
        }
        problem.key = format!("defaults.{}", problem.key)
            .replace("defaults.deployment.v1", "defaults.deployment")
            .replace("defaults.deployment.v2", "defaults.deployment");
        // Both versions have the mistakes of `defaults.deployment`.
        if seen.insert((problem.at.line, problem.at.column, problem.message.clone())) {
            problems.push(problem);
        }
    }
    problems.sort_by_key(|problem| (problem.at.line, problem.at.column));
}
