//! The steps in which a change is carried out, as the planner takes them when all goes well.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gloo::Snapshot;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::reference;
use crate::kind::Kind;
use crate::object::{Manifest, ObjectId};
use crate::object_state::{Facts, PodFacts};
use crate::plan::{Backend, Job, LivePods, Observation, Pods, Step, has_same_domain, plan};
use crate::render::DEFAULT_INSTANCE;
use crate::values::Settings;

/// What is done when the gateway does not take the new routes.
fn undo(routes: &[Manifest]) -> String {
    let is_gloo = routes.iter().any(|routes| routes.id().has_gloo_status());
    let whose = if is_gloo { "Gloo's" } else { "the Gateway's" };
    format!(", and roll back to the previous routes if {whose} status of the new ones is worse")
}

/// One step in words.
#[derive(PartialEq)]
enum Line {
    /// Routes that take the place of others, that can be rolled back.
    NewRoutes(String),
    /// Something else that is written or deleted.
    Change(String),
    /// Something that is waited for.
    Wait(String),
}

impl Line {
    fn into_words(self) -> String {
        match self {
            Self::NewRoutes(words) | Self::Change(words) | Self::Wait(words) => words,
        }
    }
}

/// The steps from one state of a service to another, in words.
pub(super) fn steps(before: Option<&Job>, after: &Job, settings: &Settings) -> Vec<String> {
    let seen = observation(before, after, settings);
    let had_routes = before.is_some_and(|job| !job.desired.routes.is_empty());
    let mut lines: Vec<Line> = Vec::new();
    for step in plan(&after.desired, &seen) {
        let written = |manifests: &[Manifest]| names(manifests.iter().map(Manifest::id));
        let line = match step {
            Step::Route(routes) if had_routes => {
                Line::NewRoutes(format!("write {}{}", written(&routes), undo(&routes)))
            }
            Step::Apply(manifests) | Step::Route(manifests) => {
                Line::Change(format!("write {}", written(&manifests)))
            }
            Step::Delete(ids) => Line::Change(format!("delete {}", names(ids.iter()))),
            Step::Await(wait) => {
                Line::Wait(format!("wait until {} is ready", wait.reason.subject()))
            }
            Step::RollBack(_) | Step::Repeat(_) | Step::Empty(_) => continue,
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let settle = settings.timing.settle.as_secs_f64();
    if let Some(at) = lines.iter().position(|line| matches!(line, Line::NewRoutes(_)))
        && lines[at + 1..].iter().any(|line| !matches!(line, Line::Wait(_)))
    {
        let wait = format!("wait {settle} s until every proxy goes by them");
        lines.insert(at + 1, Line::Wait(wait));
    }
    lines.into_iter().map(Line::into_words).collect()
}

fn names<'a>(ids: impl Iterator<Item = &'a ObjectId>) -> String {
    ids.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What is seen of a service that is applied and healthy, by the eyes of who wants something else.
fn observation(before: Option<&Job>, after: &Job, settings: &Settings) -> Observation {
    let gloo = &settings.gloo_namespace;
    let manifests = || before.into_iter().flat_map(|job| job.desired.manifests());
    let stored: BTreeMap<&ObjectId, &Manifest> = manifests().map(|it| (it.id(), it)).collect();
    let differs = |manifest: &&Manifest| {
        stored.get(manifest.id()).is_none_or(|stored| stored.digest() != manifest.digest())
    };
    let objects = manifests().map(|manifest| {
        let object = healthy(manifest, gloo);
        (manifest.id().clone(), Facts::of(&object, DEFAULT_INSTANCE, gloo))
    });
    let running: Vec<&Pods> = before.into_iter().flat_map(pods).collect();
    let changed = after.desired.manifests().filter(differs).map(|it| it.id().clone());
    let to_prune = super::to_prune(before, after);
    let mut live = LivePods::default();
    let coming: Vec<&Pods> = pods(after).collect();
    for version in running {
        let pod = ready(version);
        // The Endpoints of a Service that comes have no pods yet.
        let mut same = coming.iter().filter(|it| it.selector == version.selector);
        if same.all(|it| it.endpoints.iter().all(|service| stored.contains_key(service))) {
            live.insert_addresses([(pod.name.clone(), Some(Timestamp::MIN))].into());
        }
        live.insert_answering(Some(version.version.as_str().into()));
        live.insert(&version.selector, vec![pod]);
    }
    let in_place = before.map(|before| in_place(before, after, &to_prune)).unwrap_or_default();
    Observation::new(objects.collect(), gloo, Duration::ZERO, Timestamp::UNIX_EPOCH)
        .with_differences(changed.collect(), to_prune)
        .with_routes_in_place(in_place)
        .with_pods(live)
}

/// VirtualServices that go and have a domain of those that come.
fn in_place(before: &Job, after: &Job, to_prune: &BTreeSet<ObjectId>) -> BTreeSet<ObjectId> {
    let snapshot = |job: &Job| {
        let mut snapshot = Snapshot::default();
        for routes in &job.desired.routes {
            snapshot.upsert(routes.object());
        }
        snapshot
    };
    let (live, coming) = (snapshot(before), snapshot(after));
    let wanted = after.desired.routes.iter().map(|it| reference(it.id()));
    let wanted: Vec<_> = wanted.filter(|it| it.kind == Kind::VirtualService.as_str()).collect();
    let meets = |id: &&ObjectId| {
        let mut wanted = wanted.iter().filter_map(|it| coming.virtual_service(&it.resource()));
        wanted.any(|wanted| has_same_domain(wanted, &reference(id), &live))
    };
    to_prune.iter().filter(meets).cloned().collect()
}

/// The versions of a service that have pods.
fn pods(job: &Job) -> impl Iterator<Item = &Pods> {
    let routed = job.desired.routed.iter().filter_map(|backend| match backend {
        Backend::Pods(pods) => Some(pods),
        Backend::Upstream(_) => None,
    });
    routed.chain(&job.desired.unrouted)
}

/// A pod that has been ready for long.
fn ready(pods: &Pods) -> PodFacts {
    PodFacts {
        name: pods.deployment.name.as_str().into(),
        version: pods.version.as_str().into(),
        ready_since: Some(Timestamp::MIN),
        trouble: None,
        ..PodFacts::default()
    }
}

/// The object with the status of one that is as it should be.
fn healthy(manifest: &Manifest, gloo: &str) -> Value {
    let mut object = manifest.object().clone();
    if manifest.id().has_gloo_status() {
        object["status"] = json!({"statuses": {gloo: {"state": "Accepted"}}});
    } else if manifest.id().is(Kind::HttpRoute) {
        object["metadata"]["generation"] = 1.into();
        let parents = object.pointer("/spec/parentRefs").and_then(Value::as_array);
        // A route that names no parent is selected by one.
        let parents = parents.cloned().unwrap_or_else(|| vec![json!({"kind": "HTTPRoute"})]);
        let condition =
            |name: &str| json!({"type": name, "status": "True", "observedGeneration": 1});
        let conditions = ["Accepted", "ResolvedRefs"].map(condition);
        let row = |parent: &Value| json!({"parentRef": parent, "conditions": conditions});
        object["status"] = json!({"parents": parents.iter().map(row).collect::<Vec<_>>()});
    } else if manifest.id().is_policy() {
        object["metadata"]["generation"] = 1.into();
        let accepted = json!({"type": "Accepted", "status": "True", "observedGeneration": 1});
        object["status"] = json!({"ancestors": [{"conditions": [accepted]}]});
    } else if manifest.id().is(Kind::Deployment) {
        let replicas = object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        object["status"] = json!({"replicas": replicas, "updatedReplicas": replicas,
            "readyReplicas": replicas, "availableReplicas": replicas});
    }
    object
}
