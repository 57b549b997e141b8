//! Routes that lead to other routes, flattened to one list of rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::conditions::parent_name;
use super::super::findings::Severity;
use super::super::output::Output;
use super::super::reports::Reports;
use super::backend;
use super::child::{below_parent, may_be_child};
use super::flat::{Flat, LABEL, Source, by_label, is_delegation, source};
use crate::api::{BackendRef, HttpMatch, HttpRouteSpec, ParentRef, RuleSpec};
use crate::code::Code;
use crate::objects::{Object, slashed};
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// The rules of a route that is attached to a Gateway, those of its children first.
pub(super) fn flatten<'a>(
    snapshot: &'a Snapshot,
    reference: &'a ResourceRef,
    route: &'a Object<HttpRouteSpec>,
    below: &str,
    reports: &mut Reports,
    output: &mut Output,
) -> Vec<Flat<'a>> {
    let mut walk = Walk {
        snapshot,
        reports,
        output,
        flat: Vec::new(),
        top: source(reference, route),
        gateway: below.to_owned(),
        visited: BTreeSet::new(),
    };
    let rules: Vec<(usize, Vec<HttpMatch>)> =
        route.spec.rules.iter().enumerate().map(|(number, rule)| (number, matches(rule))).collect();
    walk.route(reference, route, rules, &[], below);
    walk.flat
}

/// The matches of a rule; a rule without one takes everything.
fn matches(rule: &RuleSpec) -> Vec<HttpMatch> {
    match rule.matches.is_empty() {
        true => vec![HttpMatch::default()],
        false => rule.matches.clone(),
    }
}

struct Walk<'a, 'b> {
    snapshot: &'a Snapshot,
    reports: &'b mut Reports,
    output: &'b mut Output,
    flat: Vec<Flat<'a>>,
    top: Source,
    gateway: String,
    visited: BTreeSet<&'a ResourceRef>,
}

impl<'a> Walk<'a, '_> {
    fn route(
        &mut self,
        reference: &'a ResourceRef,
        route: &'a Object<HttpRouteSpec>,
        rules: Vec<(usize, Vec<HttpMatch>)>,
        ancestors: &[(&'a ResourceRef, &'a RuleSpec)],
        below: &str,
    ) {
        let holder = Arc::new(ObjectRef::new("HTTPRoute", &reference.namespace, &reference.name));
        self.visited.insert(reference);
        let children = self.of_route(reference, route);
        for (kept, (number, matches)) in rules.into_iter().enumerate() {
            let Some(rule) = route.spec.rules.get(number) else { continue };
            let mut own = Vec::new();
            for (match_number, matcher) in matches.into_iter().enumerate() {
                let mut flat = Flat {
                    holder: Arc::clone(&holder),
                    reference,
                    rule,
                    number,
                    kept,
                    match_number,
                    matcher,
                    ancestors: ancestors.to_vec(),
                    delegates: false,
                    unresolved: false,
                    below: below.to_owned(),
                    gateway: self.gateway.clone(),
                    top: self.top.clone(),
                    own: source(reference, route),
                };
                for backend in &rule.backend_refs {
                    if is_delegation(backend) {
                        flat.delegates = true;
                        flat.unresolved |= !self.children(&flat, backend, &children);
                    } else {
                        let (reports, output) = (&mut *self.reports, &mut *self.output);
                        backend::report(self.snapshot, &flat, backend, reports, output);
                    }
                }
                own.push(flat);
            }
            self.flat.extend(own);
        }
        self.visited.remove(reference);
    }

    /// Adds the rules of the children that a reference leads to. Says whether there are any.
    fn children(&mut self, parent: &Flat<'a>, backend: &BackendRef, all: &Children<'a>) -> bool {
        let namespace = backend.namespace.as_deref().unwrap_or(&parent.reference.namespace);
        let key = key(backend, &parent.reference.namespace);
        if let Some(reason) = all.faults.get(&key) {
            return self.fault(parent, backend, namespace, reason);
        }
        let children = all.found.get(&key).cloned().unwrap_or_default();
        let mut ancestors = vec![(parent.reference, parent.rule)];
        ancestors.extend(&parent.ancestors);
        let mut valid = 0;
        for (reference, child) in children {
            let rules = below_parent(&parent.matcher, child);
            self.drops(parent, reference, child, &rules);
            if rules.is_empty() {
                continue;
            }
            let as_parent = ParentRef {
                kind: "HTTPRoute".into(),
                namespace: Some(parent.reference.namespace.clone()),
                name: parent.reference.name.clone(),
                ..ParentRef::default()
            };
            let below = parent_name(&as_parent, &reference.namespace);
            let report = self.reports.below(reference, &below);
            if !child.spec.hostnames.is_empty() {
                let words = "spec.hostnames must be unset on a delegatee route as they are inherited from the \
                             parent route";
                report.set("Accepted", "False", "UnsupportedValue", words);
                let object =
                    Arc::new(ObjectRef::new("HTTPRoute", &reference.namespace, &reference.name));
                self.output.find(&object, Severity::Rejected, Code::ChildWithHostnames, words);
                continue;
            }
            valid += 1;
            self.route(reference, child, rules, &ancestors, &below);
        }
        valid > 0 || self.fault(parent, backend, namespace, "BackendNotFound")
    }

    /// The children of all references of a route. A reference has those of the ones before it in its rule, too (case
    /// 06-two-parents step 4); the same reference in a later rule counts for both.
    fn of_route(
        &mut self,
        reference: &'a ResourceRef,
        route: &'a Object<HttpRouteSpec>,
    ) -> Children<'a> {
        let mut all = Children::default();
        for rule in &route.spec.rules {
            let mut found = Vec::new();
            for backend in rule.backend_refs.iter().filter(|it| is_delegation(it)) {
                let key = key(backend, &reference.namespace);
                let selected = self.selected(backend, &key.3);
                if selected.is_empty() {
                    all.faults.insert(key, "BackendNotFound");
                    continue;
                }
                for (name, child) in selected {
                    if !may_be_child(name, &child.spec, reference) {
                        continue;
                    }
                    if self.visited.contains(name) {
                        // One that points back spoils the whole reference (case 06-cycle).
                        all.faults.insert(key.clone(), "RefNotPermitted");
                        let words =
                            format!("HTTPRoute {} is part of a cycle of delegation", slashed(name));
                        let holder =
                            ObjectRef::new("HTTPRoute", &reference.namespace, &reference.name);
                        let (severity, code) = (Severity::RuleError, Code::DelegationCycle);
                        self.output.find(&Arc::new(holder), severity, code, words);
                        continue;
                    }
                    found.push((name, child));
                }
                all.found.insert(key, found.clone());
            }
        }
        all
    }

    fn fault(
        &mut self,
        parent: &Flat<'a>,
        backend: &BackendRef,
        namespace: &str,
        reason: &'static str,
    ) -> bool {
        let words = format!(
            "{}/{}/{namespace}/{}: unresolved reference",
            backend.group, backend.kind, backend.name
        );
        self.reports.below(parent.reference, &parent.below).set(
            "ResolvedRefs",
            "False",
            reason,
            words.clone(),
        );
        if reason == "BackendNotFound" {
            self.output.find(&parent.holder, Severity::RuleError, Code::NoChild, words);
        }
        false
    }

    /// Rules of a child outside the parent's match are dropped, and no status tells.
    fn drops(
        &mut self,
        parent: &Flat<'a>,
        reference: &ResourceRef,
        child: &Object<HttpRouteSpec>,
        kept: &[(usize, Vec<HttpMatch>)],
    ) {
        let object = Arc::new(ObjectRef::new("HTTPRoute", &reference.namespace, &reference.name));
        for number in 0..child.spec.rules.len() {
            if !kept.iter().any(|(it, _)| *it == number) {
                let words = format!("rule {number} does not fit below {}", parent.holder);
                self.output.find(&object, Severity::RuleError, Code::ChildOutsideParent, words);
            }
        }
    }

    fn selected(
        &self,
        backend: &BackendRef,
        namespace: &str,
    ) -> Vec<(&'a ResourceRef, &'a Object<HttpRouteSpec>)> {
        let routes = self.snapshot.routes.iter().map(|(name, route)| (&**name, &**route));
        if by_label(backend) {
            let has = |route: &Object<HttpRouteSpec>| {
                route.meta.labels.get(LABEL).is_some_and(|value| *value == backend.name)
            };
            return routes
                .filter(|(name, route)| {
                    has(route) && (namespace == "all" || name.namespace == namespace)
                })
                .collect();
        }
        let all = backend.name.is_empty() || backend.name == "*";
        routes
            .filter(|(name, _)| name.namespace == namespace && (all || name.name == backend.name))
            .collect()
    }
}

/// The children that a route's references lead to.
#[derive(Default)]
struct Children<'a> {
    found: BTreeMap<Key, Vec<(&'a ResourceRef, &'a Object<HttpRouteSpec>)>>,
    /// The reason of a condition, where there are none.
    faults: BTreeMap<Key, &'static str>,
}

/// Group, kind, name and namespace of a reference.
type Key = (String, String, String, String);

fn key(backend: &BackendRef, own_namespace: &str) -> Key {
    let namespace = backend.namespace.as_deref().unwrap_or(own_namespace);
    let BackendRef { group, kind, name, .. } = backend;
    (group.clone(), kind.clone(), name.clone(), namespace.to_owned())
}
