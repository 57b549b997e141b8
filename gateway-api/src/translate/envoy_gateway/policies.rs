//! SecurityPolicies and BackendTrafficPolicies: what they change, and what their status says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::conditions::{Conditions, ParentStatus};
use super::super::findings::Severity;
use super::super::output::{Output, is_unread};
use super::super::reports::Reports;
use super::effects::{self, Effect};
use super::rules::{self, Made};
use crate::api::{GROUP, PolicyTarget};
use crate::code::Code;
use crate::config::Action;
use crate::objects::{Meta, by_age, slashed};
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// What a policy is attached to: kind, object, rule or listener.
type Key = (String, ResourceRef, Option<String>);

/// What is attached to what, of one kind of policy.
type Attached = BTreeMap<Key, Effect>;

/// The policies that count.
pub(super) struct Policies {
    security: Attached,
    traffic: Attached,
}

/// A policy on its way.
struct Policy<'a> {
    reference: &'a ResourceRef,
    meta: &'a Meta,
    name: Arc<ObjectRef>,
    targets: Vec<&'a PolicyTarget>,
    effect: Effect,
    fault: Option<String>,
    conditions: BTreeMap<String, Conditions>,
}

impl Policies {
    /// Attaches the policies, the most specific targets first, of several on one target the oldest, and writes their
    /// statuses.
    pub(super) fn read(snapshot: &Snapshot, reports: &Reports, output: &mut Output) -> Self {
        let mut security = Vec::new();
        for (reference, object) in by_age(&snapshot.security_policies) {
            let spec = &object.spec;
            let targets = spec.target_refs.iter().chain(&spec.target_ref).collect();
            let name = named("SecurityPolicy", reference);
            let (effect, fault) = effects::security(snapshot, reference, spec, &name, output);
            let conditions = BTreeMap::new();
            let meta = &object.meta;
            security.push(Policy { reference, meta, name, targets, effect, fault, conditions });
        }
        let mut traffic = Vec::new();
        for (reference, object) in by_age(&snapshot.backend_policies) {
            let spec = &object.spec;
            let targets = spec.target_refs.iter().chain(&spec.target_ref).collect();
            let name = named("BackendTrafficPolicy", reference);
            let effect = effects::traffic(spec, &name, output);
            let (fault, conditions) = (None, BTreeMap::new());
            let meta = &object.meta;
            traffic.push(Policy { reference, meta, name, targets, effect, fault, conditions });
        }
        Self {
            security: attach(snapshot, reports, security, output),
            traffic: attach(snapshot, reports, traffic, output),
        }
    }

    /// Lets the policies of a rule, its route, the listener and the Gateway act on it: of each kind the nearest.
    pub(super) fn apply(&self, gateway: &ResourceRef, section: &str, made: &mut Made<'_>) {
        let route = made.route.holder.resource();
        let rule = made.rule.name.clone();
        let keys: Vec<Key> = [
            rule.map(|rule| ("HTTPRoute".to_owned(), route.clone(), Some(rule))),
            Some(("HTTPRoute".to_owned(), route.clone(), None)),
            Some(("Gateway".to_owned(), gateway.clone(), Some(section.to_owned()))),
            Some(("Gateway".to_owned(), gateway.clone(), None)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let nearest = |attached: &Attached| keys.iter().find_map(|key| attached.get(key)).cloned();
        if let Some(effect) = nearest(&self.traffic) {
            made.route.opaque |= effect.opaque;
            if let (Action::Forward(forward), Some(timeout)) =
                (&mut made.route.action, effect.timeout)
                && forward.timeout.is_none()
            {
                rules::set_timeout(forward, Some(timeout));
            }
        }
        if let Some(effect) = nearest(&self.security) {
            made.route.opaque |= effect.opaque;
            made.route.jwt = effect.jwt;
            if effect.broken {
                made.route.jwt = None;
                made.route.action = Action::DirectResponse { status: 500, body: None };
            }
        }
    }
}

impl Policy<'_> {
    /// Finds that none of the targets is there and served, or that nobody has read whether one is.
    fn without_target(&self, snapshot: &Snapshot, output: &mut Output) {
        let known = self.targets.iter().filter(|it| it.group == GROUP);
        let objects = known.map(|it| ObjectRef::new(&it.kind, &self.reference.namespace, &it.name));
        let mut objects: Vec<ObjectRef> = objects.collect();
        objects.dedup();
        if let Some(unread) = objects.iter().find(|object| is_unread(snapshot, object)) {
            return output.unread(&self.name, unread.clone());
        }
        let is_missing = |object: &&ObjectRef| !snapshot.contains(object);
        let words = match objects.iter().find(is_missing) {
            Some(object) => format!("{object} is not there"),
            None => "no Gateway serves what it is for".to_owned(),
        };
        output.find(&self.name, Severity::Warning, Code::MissingTarget, words);
    }
}

fn named(kind: &str, reference: &ResourceRef) -> Arc<ObjectRef> {
    Arc::new(ObjectRef::new(kind, &reference.namespace, &reference.name))
}

/// How near a target is, the nearest first.
fn nearness(target: &PolicyTarget) -> u8 {
    match (target.kind.as_str(), &target.section_name) {
        ("HTTPRoute", Some(_)) => 0,
        ("HTTPRoute", None) => 1,
        (_, Some(_)) => 2,
        (_, None) => 3,
    }
}

fn attach(
    snapshot: &Snapshot,
    reports: &Reports,
    mut policies: Vec<Policy<'_>>,
    output: &mut Output,
) -> Attached {
    let mut attached = Attached::new();
    // The names of the routes whose own policies take the place of the Gateway's, by what these are attached to.
    let mut overriding: BTreeMap<Key, BTreeSet<String>> = BTreeMap::new();
    for near in 0..=3 {
        for policy in &mut policies {
            let of_kind = |it: &&&PolicyTarget| it.group == GROUP && nearness(it) == near;
            let targets: Vec<&PolicyTarget> =
                policy.targets.iter().filter(of_kind).copied().collect();
            for target in targets {
                one(snapshot, reports, policy, target, &mut attached, &mut overriding, output);
            }
        }
    }
    for policy in policies {
        if policy.conditions.is_empty() {
            policy.without_target(snapshot, output);
        }
        if let Some(fault) = policy.fault {
            output.find(&policy.name, Severity::RuleError, Code::InvalidPolicy, fault);
        }
        for (parent, mut conditions) in policy.conditions {
            conditions.assume("Accepted", "True", "Accepted");
            let conditions = conditions.finish(policy.meta.generation);
            output.below(&policy.name, ParentStatus { parent, conditions });
        }
    }
    attached
}

/// Attaches a policy to one target.
fn one(
    snapshot: &Snapshot,
    reports: &Reports,
    policy: &mut Policy<'_>,
    target: &PolicyTarget,
    attached: &mut Attached,
    overriding: &mut BTreeMap<Key, BTreeSet<String>>,
    output: &mut Output,
) {
    let reference = ResourceRef::new(&policy.reference.namespace, &target.name);
    let section = target.section_name.as_deref();
    let gateway = |section: Option<String>| ("Gateway".to_owned(), reference.clone(), section);
    let (known, ancestors) = match target.kind.as_str() {
        "HTTPRoute" => {
            let Some(route) = snapshot.routes.get(&reference) else { return };
            for parent in reports.gateways(&reference) {
                overriding.entry(scope(&parent)).or_default().insert(slashed(&reference));
            }
            let has =
                |name: &str| route.spec.rules.iter().any(|it| it.name.as_deref() == Some(name));
            (section.is_none_or(has), reports.gateways(&reference))
        }
        "Gateway" => {
            let Some(found) = snapshot.gateways.get(&reference) else { return };
            let has = |name: &str| found.spec.listeners.iter().any(|it| it.name == name);
            let section = section.map(|it| format!("#{it}")).unwrap_or_default();
            let name = format!("Gateway {}{section}", slashed(&reference));
            (target.section_name.as_deref().is_none_or(has), vec![name])
        }
        _ => return,
    };
    let mut say = |kind: &'static str, status: &'static str, reason: &str, words: &str| {
        for ancestor in &ancestors {
            let conditions = policy.conditions.entry(ancestor.clone()).or_default();
            conditions.set(kind, status, reason, words);
        }
    };
    if ancestors.is_empty() {
        return;
    }
    if !known {
        let words = format!(
            "{} {} has no {}",
            target.kind,
            slashed(&reference),
            section.unwrap_or_default()
        );
        say("Accepted", "False", "TargetNotFound", &words);
        output.find(&policy.name, Severity::Warning, Code::MissingTarget, words);
        return;
    }
    let key = (target.kind.clone(), reference.clone(), target.section_name.clone());
    if attached.contains_key(&key) {
        let words = format!(
            "Unable to target {} {}, another policy has already attached to it",
            target.kind, target.name
        );
        say("Accepted", "False", "Conflicted", &words);
        output.find(&policy.name, Severity::Warning, Code::OverriddenPolicy, words);
        return;
    }
    match &policy.fault {
        Some(fault) => say("Accepted", "False", "Invalid", fault),
        None => ancestors.iter().for_each(|ancestor| {
            policy.conditions.entry(ancestor.clone()).or_default();
        }),
    }
    if target.kind == "HTTPRoute" && section.is_none() {
        // The policies of rules are attached already.
        let of_rules = attached.keys().filter(|(kind, name, section)| {
            kind == "HTTPRoute" && *name == reference && section.is_some()
        });
        let names: Vec<&str> = of_rules.filter_map(|(_, _, section)| section.as_deref()).collect();
        if !names.is_empty() {
            let words = format!(
                "This policy is being overridden by other policies for these route rules: [{}]",
                names.join(" ")
            );
            for ancestor in &ancestors {
                let conditions = policy.conditions.entry(ancestor.clone()).or_default();
                conditions.set("Overridden", "True", "Overridden", words.clone());
            }
        }
    }
    if target.kind == "Gateway" {
        let mut names: BTreeSet<String> = overriding.get(&key).cloned().unwrap_or_default();
        if section.is_some() {
            // A route that is attached to the whole Gateway is attached to the listener, too.
            names.extend(overriding.get(&gateway(None)).into_iter().flatten().cloned());
        }
        if section.is_none() {
            let listeners = overriding
                .iter()
                .filter(|((_, name, section), _)| *name == reference && section.is_some());
            names.extend(listeners.flat_map(|(_, names)| names.iter().cloned()));
        } else {
            let kept = overriding.entry(gateway(target.section_name.clone())).or_default();
            kept.insert(format!("{}/{}", slashed(&reference), section.unwrap_or_default()));
        }
        if !names.is_empty() {
            let names: Vec<String> = names.into_iter().collect();
            let words = format!(
                "This policy is being overridden by other policies for these routes: [{}]",
                names.join(" ")
            );
            for ancestor in &ancestors {
                let conditions = policy.conditions.entry(ancestor.clone()).or_default();
                conditions.set("Overridden", "True", "Overridden", words.clone());
            }
        }
    }
    attached.insert(key, policy.effect.clone());
}

/// What a Gateway's policy is attached to, by its name in statuses.
fn scope(parent: &str) -> Key {
    let name = parent.strip_prefix("Gateway ").unwrap_or(parent);
    let name = name.split(':').next().unwrap_or(name);
    let (name, section) = match name.split_once('#') {
        Some((name, section)) => (name, Some(section.to_owned())),
        None => (name, None),
    };
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    ("Gateway".into(), ResourceRef::new(namespace, name), section)
}
