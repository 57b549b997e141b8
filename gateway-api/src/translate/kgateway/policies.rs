//! TrafficPolicies: what they change, and what their status says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::conditions::{Conditions, ParentStatus};
use super::super::findings::Severity;
use super::super::output::Output;
use super::super::reports::Reports;
use super::flat::Flat;
use crate::api::{GROUP, PolicyTarget, TrafficPolicySpec, millis};
use crate::code::Code;
use crate::config::{JwtProvider, JwtRequirement};
use crate::objects::{Object, by_age};
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// The TrafficPolicies, oldest first.
pub(super) struct Policies<'a>(Vec<Policy<'a>>);

struct Policy<'a> {
    reference: &'a ResourceRef,
    object: &'a Object<TrafficPolicySpec>,
    name: Arc<ObjectRef>,
    fault: Option<String>,
    jwt: Option<Arc<JwtRequirement>>,
}

/// What policies say about a rule. Of several the first that says something about a field counts (case
/// 07-policy-conflict).
#[derive(Default)]
pub(super) struct Effect {
    pub(super) timeout: Option<u64>,
    pub(super) idle_timeout: Option<u64>,
    pub(super) jwt: Option<Arc<JwtRequirement>>,
    /// Something that is not modelled.
    pub(super) opaque: bool,
    pub(super) faults: Vec<String>,
}

impl<'a> Policies<'a> {
    pub(super) fn read(snapshot: &'a Snapshot, output: &mut Output) -> Self {
        let all = by_age(&snapshot.traffic_policies).into_iter().map(|(reference, object)| {
            let name =
                Arc::new(ObjectRef::new("TrafficPolicy", &reference.namespace, &reference.name));
            for field in object.spec.others.keys() {
                output.note(
                    &name,
                    format!("spec.{field} is not modelled: what it does is not judged"),
                );
            }
            let (jwt, fault) = match jwt(snapshot, reference, &object.spec, &name, output) {
                Ok(jwt) => (jwt, None),
                Err(fault) => (None, Some(fault)),
            };
            if let Some(fault) = &fault {
                output.find(&name, Severity::RuleError, Code::InvalidPolicy, fault.clone());
            }
            Policy { reference, object, name, fault, jwt }
        });
        Self(all.collect())
    }

    /// What the policies of a rule, its route and those that delegate to it say together.
    pub(super) fn of_rule(&self, flat: &Flat<'_>, extension: &[ResourceRef]) -> Effect {
        let mut effect = Effect::default();
        let named =
            |reference: &ResourceRef| self.0.iter().find(move |it| it.reference == reference);
        extension.iter().filter_map(named).for_each(|policy| effect.merge(policy));
        let own = (flat.reference, flat.rule);
        for (route, rule) in std::iter::once(own).chain(flat.ancestors.iter().copied()) {
            if let Some(section) = rule.name.as_deref() {
                let own = self.targeting("HTTPRoute", route, Some(section));
                own.for_each(|policy| effect.merge(policy));
            }
            self.targeting("HTTPRoute", route, None).for_each(|policy| effect.merge(policy));
        }
        effect
    }

    /// What the policies of the Gateway, or of one of its listeners, say.
    pub(super) fn of_gateway(&self, gateway: &ResourceRef, section: Option<&str>) -> Effect {
        let mut effect = Effect::default();
        self.targeting("Gateway", gateway, section).for_each(|policy| effect.merge(policy));
        effect
    }

    /// What is wrong with a policy of the Gateway, or of one of its listeners.
    pub(super) fn broken_below_gateway(
        &self,
        gateway: &ResourceRef,
        section: Option<&str>,
    ) -> Option<String> {
        self.targeting("Gateway", gateway, section).find_map(|policy| policy.fault.clone())
    }

    fn targeting<'b>(
        &'b self,
        kind: &'b str,
        target: &'b ResourceRef,
        section: Option<&'b str>,
    ) -> impl Iterator<Item = &'b Policy<'a>> {
        self.0.iter().filter(move |policy| {
            policy.reference.namespace == target.namespace
                && policy.targets().any(|it| {
                    it.kind == kind
                        && it.name == target.name
                        && it.section_name.as_deref() == section
                })
        })
    }

    /// Writes the statuses. One whose target is not there, or does not have the named rule, gets none.
    pub(super) fn report(&self, snapshot: &Snapshot, reports: &Reports, output: &mut Output) {
        let mut taken: BTreeMap<&PolicyTarget, BTreeSet<&'static str>> = BTreeMap::new();
        for policy in &self.0 {
            let mut ancestors: BTreeMap<String, bool> = BTreeMap::new();
            for target in policy.targets() {
                let own = policy.fields();
                let known = taken.entry(target).or_default();
                let overridden = !own.is_empty() && own.iter().all(|field| known.contains(field));
                if policy.fault.is_none() {
                    known.extend(own);
                }
                for ancestor in policy.ancestors(snapshot, target, reports, output) {
                    let all = ancestors.entry(ancestor).or_insert(true);
                    *all &= overridden;
                }
            }
            for (parent, overridden) in ancestors {
                let mut conditions = Conditions::default();
                match &policy.fault {
                    Some(fault) => {
                        conditions.set("Accepted", "False", "Invalid", fault.clone());
                        conditions.set("Attached", "False", "Pending", "");
                    }
                    None if overridden => {
                        let words =
                            "Overridden due to conflict with higher priority policy in target(s)";
                        conditions.set("Accepted", "True", "Valid", "Policy accepted");
                        conditions.set("Attached", "False", "Overridden", words);
                        output.find(&policy.name, Severity::Warning, Code::OverriddenPolicy, words);
                    }
                    None => {
                        conditions.set("Accepted", "True", "Valid", "Policy accepted");
                        conditions.set("Attached", "True", "Attached", "Attached to all targets");
                    }
                }
                let conditions = conditions.finish(policy.object.meta.generation);
                output.below(&policy.name, ParentStatus { parent, conditions });
            }
        }
    }
}

impl Policy<'_> {
    fn targets(&self) -> impl Iterator<Item = &PolicyTarget> {
        self.object.spec.target_refs.iter().filter(|it| it.group == GROUP)
    }

    /// The fields that it says something about.
    fn fields(&self) -> Vec<&'static str> {
        let spec = &self.object.spec;
        let timeouts = spec.timeouts.as_ref();
        let all = [("timeouts", timeouts.is_some()), ("jwt", spec.jwt_auth.is_some())];
        all.into_iter().filter(|(_, said)| *said).map(|(field, _)| field).collect()
    }

    /// What its status is below, as far as the target is there.
    fn ancestors(
        &self,
        snapshot: &Snapshot,
        target: &PolicyTarget,
        reports: &Reports,
        output: &mut Output,
    ) -> Vec<String> {
        let reference = ResourceRef::new(&self.reference.namespace, &target.name);
        let section = target.section_name.as_deref();
        let found = match target.kind.as_str() {
            "HTTPRoute" => snapshot.routes.get(&reference).is_some_and(|route| {
                section.is_none_or(|name| {
                    route.spec.rules.iter().any(|rule| rule.name.as_deref() == Some(name))
                })
            }),
            "Gateway" => snapshot.gateways.get(&reference).is_some_and(|gateway| {
                section.is_none_or(|name| gateway.spec.listeners.iter().any(|it| it.name == name))
            }),
            _ => false,
        };
        if !found {
            let words = format!("{} {} is not there", target.kind, target.name);
            output.find(&self.name, Severity::Warning, Code::MissingTarget, words);
            return Vec::new();
        }
        match target.kind.as_str() {
            "Gateway" => vec![format!("Gateway {}/{}", reference.namespace, reference.name)],
            _ => reports.gateways(&reference),
        }
    }
}

impl Effect {
    fn merge(&mut self, policy: &Policy<'_>) {
        if let Some(fault) = &policy.fault {
            self.faults.push(fault.clone());
            return;
        }
        let spec = &policy.object.spec;
        let read = |text: &Option<String>| text.as_deref().and_then(millis);
        if let Some(timeouts) = &spec.timeouts {
            self.timeout = self.timeout.or_else(|| read(&timeouts.request));
            self.idle_timeout = self.idle_timeout.or_else(|| read(&timeouts.stream_idle));
        }
        if self.jwt.is_none() {
            self.jwt.clone_from(&policy.jwt);
        }
        self.opaque |= !spec.others.is_empty();
    }
}

/// Which token a policy asks for.
fn jwt(
    snapshot: &Snapshot,
    reference: &ResourceRef,
    spec: &TrafficPolicySpec,
    name: &Arc<ObjectRef>,
    output: &mut Output,
) -> Result<Option<Arc<JwtRequirement>>, String> {
    let Some(auth) = &spec.jwt_auth else { return Ok(None) };
    if auth.disable.is_some() {
        return Ok(Some(Arc::new(JwtRequirement { providers: Vec::new(), allow_missing: true })));
    }
    let Some(extension) = &auth.extension_ref else {
        return Err("jwt: extensionRef is required if disable is not set".into());
    };
    let namespace = extension.namespace.as_deref().unwrap_or(&reference.namespace);
    let target = ResourceRef::new(namespace, &extension.name);
    let Some(found) = snapshot.extensions.get(&target) else {
        if !snapshot.is_complete("GatewayExtension") {
            output.unread(name, ObjectRef::new("GatewayExtension", namespace, &extension.name));
        }
        return Err(format!("jwt: {namespace}/{}: gateway extension not found", extension.name));
    };
    let Some(jwt) = &found.spec.jwt else {
        return Err("jwt: the gateway extension is of another type".into());
    };
    let providers = jwt.providers.iter().map(|provider| JwtProvider {
        name: provider.name.clone(),
        issuer: provider.issuer.clone(),
        audiences: provider.audiences.clone(),
        claims: provider
            .claim_to_headers
            .iter()
            .map(|it| (it.claim.clone(), it.header.clone()))
            .collect(),
        // kgateway picks the rule again whenever claims become headers.
        recompute_route: !provider.claim_to_headers.is_empty(),
    });
    Ok(Some(Arc::new(JwtRequirement {
        providers: providers.collect(),
        allow_missing: jwt.validation_mode.as_deref() == Some("AllowMissing"),
    })))
}
