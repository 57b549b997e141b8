//! Reads what stands below `deployment.<version>`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};

use super::entry::{Entry, Fields, Problems};
use super::model::{Deployment, Probe, Probes, UpstreamRef, Workload};
use super::node::{Data, Scalar};
use super::passed::Passed;
use super::patch;
use super::scalars::{is_reserved, read_duration, read_label, read_port, read_segment};
use super::schema::{self, Mapping};
use crate::problem::Problem;

/// Whether a key below `deployment` can be a version's setting rather than a version.
pub(super) fn is_setting(key: &str) -> bool {
    schema::Version::KEYS.contains(&key)
}

/// Reads what stands below `deployment.<version>`.
pub(super) fn read(entry: &Entry, namespace: &str, problems: &mut Problems) -> Option<Workload> {
    let mut fields = entry.fields::<schema::Version>(problems)?;
    if let Some(external) = fields.take(schema::Version::external())
        && external.node.scalar() != Some(Scalar::Bool(false))
    {
        let workload = read_external(&external, namespace, problems);
        for setting in schema::Version::keys() {
            if let Some(entry) = fields.take_even_null(setting) {
                let message = "has no effect: the version is external, its Deployment is not ours";
                problems.push(entry.problem(message).help("remove it, or remove `external`"));
            }
        }
        fields.finish(problems);
        return workload;
    }
    Some(Workload::Deployed(Box::new(read_deployment(fields, problems))))
}

fn read_external(entry: &Entry, namespace: &str, problems: &mut Problems) -> Option<Workload> {
    if entry.node.scalar().is_some() {
        return entry.boolean(problems).map(|_| Workload::External);
    }
    let mut fields = entry.fields(problems)?;
    let upstream = fields.take(schema::ExternalUpstream::upstream());
    if upstream.is_none() {
        let help = "write `external: {upstream: {name: ...}}`";
        problems.push(fields.missing(schema::ExternalUpstream::upstream(), help));
    }
    fields.finish(problems);
    let mut fields = upstream?.fields(problems)?;
    let name = fields.take(schema::UpstreamReference::name());
    if name.is_none() {
        let help = "name the Upstream that exists already";
        problems.push(fields.missing(schema::UpstreamReference::name(), help));
    }
    let namespace = match fields.take(schema::UpstreamReference::namespace()) {
        Some(entry) => read_label(&entry, "a namespace", problems),
        None => Some(namespace.to_owned()),
    };
    fields.finish(problems);
    let name = read_segment(&name?, "an Upstream's name", problems)?;
    Some(Workload::Upstream(UpstreamRef { name, namespace: namespace? }))
}

fn read_deployment(mut fields: Fields<schema::Version>, problems: &mut Problems) -> Deployment {
    let mut text = |key| fields.take(key)?.text(problems);
    let image = text(schema::Version::image());
    let service_account_name = text(schema::Version::service_account_name());
    let deployment = Deployment {
        replicas: fields
            .take(schema::Version::replicas())
            .and_then(|entry| entry.whole(0..=u32::MAX, "the number of pods", problems)),
        image,
        args: fields.take(schema::Version::args()).and_then(|entry| entry.texts(problems)),
        env: fields
            .take(schema::Version::env())
            .map(|entry| read_env(&entry, problems))
            .unwrap_or_default(),
        port: fields.take(schema::Version::port()).and_then(|entry| read_port(&entry, problems)),
        image_pull_policy: fields
            .take(schema::Version::image_pull_policy())
            .and_then(|entry| read_pull_policy(&entry, problems)),
        resources: fields
            .take(schema::Version::resources())
            .and_then(|entry| entry.object(Passed::Workload, problems)),
        probes: fields
            .take(schema::Version::probes())
            .map(|entry| read_probes(&entry, problems))
            .unwrap_or_default(),
        labels: read_own_map(fields.take(schema::Version::labels()), problems),
        annotations: read_own_map(fields.take(schema::Version::annotations()), problems),
        service_account_name,
        security_context: fields
            .take(schema::Version::security_context())
            .and_then(|entry| entry.object(Passed::Workload, problems)),
        pod_security_context: fields
            .take(schema::Version::pod_security_context())
            .and_then(|entry| entry.object(Passed::Workload, problems)),
        drain: fields.take(schema::Version::drain()).and_then(|entry| read_drain(&entry, problems)),
        patch: fields
            .take(schema::Version::patch())
            .and_then(|entry| patch::read(&entry, problems)),
    };
    fields.finish(problems);
    deployment
}

/// A duration that Kubernetes can hold, which counts in whole seconds.
fn read_drain(entry: &Entry, problems: &mut Problems) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_secs(3600);
    let drain = read_duration(entry, problems)?;
    if drain.subsec_nanos() == 0 && drain <= LONGEST {
        return Some(drain);
    }
    let problem = entry.expected("whole seconds, at most 1h");
    problems.push(problem.help("for example 7s; 0s lets pods end at once"));
    None
}

/// The environment: a mapping of names to values or sources, or Kubernetes' own list.
fn read_env(entry: &Entry, problems: &mut Problems) -> Vec<Value> {
    if matches!(entry.node.data, Data::Sequence(_)) {
        let mut names = BTreeSet::new();
        let mut variables = Vec::new();
        for item in entry.list(problems).unwrap_or_default() {
            let Some(variable) = read_variable(&item, problems) else { continue };
            if !names.insert(variable["name"].to_string()) {
                let message = "the variable is listed twice, which cannot be applied";
                problems.push(item.problem(message).help("keep one of the two"));
            }
            variables.push(variable);
        }
        return variables;
    }
    if !entry.node.is_mapping() {
        problems.push(entry.expected("a mapping of names to values, or a list"));
        return Vec::new();
    }
    // By name: a mapping has no order, and what is rendered must not depend on the file's.
    let variables: BTreeMap<_, _> =
        entry.entries(problems).unwrap_or_default().into_iter().collect();
    variables
        .into_iter()
        .filter_map(|(name, entry)| {
            let mut variable = Map::from_iter([("name".to_owned(), name.into())]);
            if entry.node.is_mapping() {
                variable.extend(entry.object(Passed::Workload, problems)?);
            } else {
                variable.insert("value".into(), entry.text(problems)?.into());
            }
            Some(variable.into())
        })
        .collect()
}

/// An item of Kubernetes' list: its `value` is text here too, unquoted numbers included.
fn read_variable(entry: &Entry, problems: &mut Problems) -> Option<Value> {
    let mut variable = entry.object(Passed::Workload, problems)?;
    let (mut name, mut value) = (None, None);
    for (key, entry) in entry.entries(problems)? {
        match key.as_str() {
            "name" => name = entry.text(problems),
            "value" => value = entry.text(problems),
            _ => {}
        }
    }
    if !variable.contains_key("name") {
        problems.push(entry.problem("the key `name` is required").help("or write a mapping"));
    }
    variable.insert("name".into(), name?.into());
    if let Some(value) = value {
        variable.insert("value".into(), value.into());
    }
    Some(variable.into())
}

fn read_pull_policy(entry: &Entry, problems: &mut Problems) -> Option<String> {
    let policy = entry.text(problems)?;
    if ["Always", "IfNotPresent", "Never"].contains(&policy.as_str()) {
        return Some(policy);
    }
    problems.push(entry.expected("Always, IfNotPresent or Never"));
    None
}

fn read_probes(entry: &Entry, problems: &mut Problems) -> Probes {
    let Some(mut fields) = entry.fields(problems) else { return Probes::default() };
    let mut read = |key| match fields.take(key) {
        None => Probe::Default,
        Some(probe) if probe.node.scalar() == Some(Scalar::Bool(false)) => Probe::Off,
        Some(probe) => {
            probe.object(Passed::Workload, problems).map_or(Probe::Default, Probe::Given)
        }
    };
    let readiness = read(schema::Probes::readiness());
    let liveness = read(schema::Probes::liveness());
    let startup = read(schema::Probes::startup());
    fields.finish(problems);
    Probes { readiness, liveness, startup }
}

/// Labels or annotations that do not take the place of ours.
fn read_own_map(entry: Option<Entry>, problems: &mut Problems) -> BTreeMap<String, String> {
    let Some(entry) = entry else { return BTreeMap::new() };
    for (key, entry) in entry.entries(&mut Vec::new()).unwrap_or_default() {
        if is_reserved(&key) {
            let problem = Problem::new(&entry.key_at, &entry.path, "the key is coalmine's own");
            problems.push(problem.help("choose another one"));
        }
    }
    entry.text_map(problems).unwrap_or_default()
}
