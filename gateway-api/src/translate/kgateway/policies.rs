//! TrafficPolicies: what they change, and what their status says.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::conditions::{Conditions, ParentStatus};
use super::super::findings::Severity;
use super::super::keys::{self, Keys};
use super::super::output::{Output, Standing, is_unread};
use super::flat::Flat;
use crate::api::{GROUP, PolicyTarget, TrafficPolicySpec, millis};
use crate::code::Code;
use crate::config::{JwtProvider, JwtRequirement};
use crate::objects::{Object, by_age, slashed};
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
    pub(super) fn of_rule(
        &self,
        flat: &Flat<'_>,
        extension: &[ResourceRef],
        output: &mut Output,
    ) -> Effect {
        let named =
            |reference: &ResourceRef| self.0.iter().find(move |it| it.reference == reference);
        let mut all: Vec<&Policy<'_>> = extension.iter().filter_map(named).collect();
        let own = (flat.reference, flat.rule);
        for (route, rule) in std::iter::once(own).chain(flat.ancestors.iter().copied()) {
            if let Some(section) = rule.name.as_deref() {
                all.extend(self.targeting("HTTPRoute", route, Some(section)));
            }
            all.extend(self.targeting("HTTPRoute", route, None));
        }
        stand(&all, &flat.gateway, output);
        let mut effect = Effect::default();
        all.into_iter().for_each(|policy| effect.merge(policy));
        effect
    }

    /// Records how the policies of a Gateway and of a listener stand that count together.
    pub(super) fn stand_below_gateway(
        &self,
        gateway: &ResourceRef,
        sections: &[Option<&str>],
        output: &mut Output,
    ) {
        let all = sections.iter().flat_map(|section| self.targeting("Gateway", gateway, *section));
        let all: Vec<&Policy<'_>> = all.collect();
        stand(&all, &format!("Gateway {}", slashed(gateway)), output);
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

    /// Writes the statuses. One that counts for no rule, no host and no Gateway gets none.
    pub(super) fn report(&self, snapshot: &Snapshot, output: &mut Output) {
        for policy in &self.0 {
            for target in policy.targets() {
                policy.look_for(snapshot, target, output);
            }
        }
        for ((object, parent), standing) in std::mem::take(&mut output.standings) {
            let mut conditions = Conditions::default();
            if let Some(fault) = standing.fault {
                conditions.set("Accepted", "False", "Invalid", fault);
                conditions.set("Attached", "False", "Pending", "");
            } else {
                conditions.set("Accepted", "True", "Valid", "Policy accepted");
                let (status, reason, words) = match standing {
                    Standing { overridden: true, .. } => ("False", "Overridden", OVERRIDDEN),
                    Standing { merged: true, .. } => {
                        ("True", "Merged", "Merged with other policies")
                    }
                    _ => ("True", "Attached", "Attached to all targets"),
                };
                conditions.set("Attached", status, reason, words);
                if standing.overridden {
                    let name = Arc::new(object.clone());
                    output.find(&name, Severity::Warning, Code::OverriddenPolicy, words);
                }
            }
            let conditions = conditions.finish(snapshot.generation(&object));
            output.below(&object, ParentStatus { parent, conditions });
        }
    }
}

/// Said of a policy that others say everything of.
const OVERRIDDEN: &str = "Overridden due to conflict with higher priority policy in target(s)";

/// Records how policies stand that count together, the first of which counts most: who says something about a field
/// first has it (case 07-policy-sections).
fn stand(policies: &[&Policy<'_>], gateway: &str, output: &mut Output) {
    let mut owners: BTreeMap<&str, &ResourceRef> = BTreeMap::new();
    for policy in policies.iter().filter(|policy| policy.fault.is_none()) {
        for field in policy.fields() {
            owners.entry(field).or_insert(policy.reference);
        }
    }
    for policy in policies {
        let key = ((*policy.name).clone(), gateway.to_owned());
        let standing = output.standings.entry(key).or_default();
        if policy.fault.is_some() {
            standing.fault.clone_from(&policy.fault);
            continue;
        }
        let own = owners.values().filter(|owner| **owner == policy.reference).count();
        standing.overridden |= own == 0 && !owners.is_empty();
        standing.merged |= own < owners.len();
    }
}

impl Policy<'_> {
    fn targets(&self) -> impl Iterator<Item = &PolicyTarget> {
        self.object.spec.target_refs.iter().filter(|it| it.group == GROUP)
    }

    /// The fields that it says something about.
    fn fields(&self) -> Vec<&str> {
        let spec = &self.object.spec;
        let known = [("timeouts", spec.timeouts.is_some()), ("jwtAuth", spec.jwt_auth.is_some())];
        let known = known.into_iter().filter(|(_, said)| *said).map(|(field, _)| field);
        known.chain(spec.others.keys().map(String::as_str)).collect()
    }

    /// Finds that a target is not there, or that nobody has read whether it is.
    fn look_for(&self, snapshot: &Snapshot, target: &PolicyTarget, output: &mut Output) {
        let reference = ResourceRef::new(&self.reference.namespace, &target.name);
        let sections: Option<Vec<&str>> = match target.kind.as_str() {
            "HTTPRoute" => snapshot.routes.get(&reference).map(|route| {
                route.spec.rules.iter().filter_map(|rule| rule.name.as_deref()).collect()
            }),
            "Gateway" => snapshot
                .gateways
                .get(&reference)
                .map(|gateway| gateway.spec.listeners.iter().map(|it| it.name.as_str()).collect()),
            _ => None,
        };
        let object = ObjectRef::new(&target.kind, &reference.namespace, &reference.name);
        let words = match (sections, target.section_name.as_deref()) {
            (Some(_), None) => return,
            (Some(sections), Some(section)) if sections.contains(&section) => return,
            (Some(_), Some(section)) => format!("{object} has no {section}"),
            (None, _) if is_unread(snapshot, &object) => return output.unread(&self.name, object),
            (None, _) => format!("{object} is not there"),
        };
        output.find(&self.name, Severity::Warning, Code::MissingTarget, words);
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
        return Ok(Some(Arc::new(JwtRequirement {
            allow_missing: true,
            ..JwtRequirement::default()
        })));
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
    for provider in &jwt.providers {
        match keys::find(snapshot, namespace, provider) {
            Keys::There => {}
            Keys::Broken => return Err("jwt: the inline jwks has no key that can be used".into()),
            Keys::Missing(object) => return Err(format!("jwt: {object} not found")),
            Keys::Unread(object) => output.unread(name, object),
        }
    }
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
        has_keys: true,
    });
    Ok(Some(Arc::new(JwtRequirement {
        policy: None,
        filter: format!("jwt/{namespace}/{}", extension.name),
        providers: providers.collect(),
        allow_missing: jwt.validation_mode.as_deref() == Some("AllowMissing"),
    })))
}
