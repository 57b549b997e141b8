//! What a policy does to a rule.

use std::sync::Arc;

use super::super::keys::{self, Keys};
use super::super::output::Output;
use crate::api::{BackendTrafficSpec, JwtProviderSpec, SecuritySpec, millis};
use crate::config::{JwtProvider, JwtRequirement};
use crate::objects::slashed;
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// The one filter that asks for tokens.
const FILTER: &str = "envoy.filters.http.jwt_authn";

/// What a policy does to a rule.
#[derive(Clone, Default)]
pub(super) struct Effect {
    pub(super) timeout: Option<u64>,
    pub(super) jwt: Option<Arc<JwtRequirement>>,
    /// It cannot be applied, so that nobody gets through.
    pub(super) broken: bool,
    /// Something about it is not modelled.
    pub(super) opaque: bool,
}

/// What a SecurityPolicy does, and what is wrong with it.
pub(super) fn security(
    snapshot: &Snapshot,
    reference: &ResourceRef,
    spec: &SecuritySpec,
    name: &Arc<ObjectRef>,
    output: &mut Output,
) -> (Effect, Option<String>) {
    let mut effect =
        Effect { opaque: others(spec.others.keys(), name, output), ..Effect::default() };
    let mut fault = None;
    if let Some(jwt) = &spec.jwt {
        effect.opaque |= jwt.providers.iter().any(|it| it.token_source.is_some());
        let mut providers = Vec::new();
        for spec in &jwt.providers {
            let keys = keys::find(snapshot, &reference.namespace, spec);
            providers.push(provider(spec, !matches!(keys, Keys::Broken)));
            match keys {
                Keys::There | Keys::Broken => {}
                Keys::Missing(object) => {
                    effect.broken = true;
                    fault = Some(format!("JWT: local JWKS {object} not found."));
                }
                Keys::Unread(object) => output.unread(name, object),
            }
        }
        effect.jwt = Some(Arc::new(JwtRequirement {
            filter: FILTER.into(),
            policy: Some(Arc::clone(name)),
            providers,
            allow_missing: jwt.optional,
        }));
    }
    if let Some(basic) = &spec.basic_auth {
        let namespace = basic.users.namespace.as_deref().unwrap_or(&reference.namespace);
        let secret = ResourceRef::new(namespace, &basic.users.name);
        effect.opaque = true;
        match snapshot.secrets.get(&secret).map(|it| **it) {
            Some(crate::snapshot::Secret::Users) => {}
            Some(_) => {
                effect.broken = true;
                let words =
                    format!("BasicAuth: .htpasswd not found in secret {}.", slashed(&secret));
                fault = Some(words);
            }
            None if snapshot.is_complete("Secret") => {
                effect.broken = true;
                fault = Some(format!("BasicAuth: secret {} does not exist.", slashed(&secret)));
            }
            None => output.unread(name, ObjectRef::new("Secret", namespace, &basic.users.name)),
        }
    }
    effect.opaque &= !effect.broken;
    (effect, fault)
}

/// What a BackendTrafficPolicy does.
pub(super) fn traffic(
    spec: &BackendTrafficSpec,
    name: &Arc<ObjectRef>,
    output: &mut Output,
) -> Effect {
    let http = spec.timeout.as_ref().and_then(|timeout| timeout.http.as_ref());
    let timeout = http.and_then(|http| http.request_timeout.as_deref()).and_then(millis);
    let opaque = others(spec.others.keys(), name, output);
    Effect { timeout, opaque, ..Effect::default() }
}

fn provider(spec: &JwtProviderSpec, has_keys: bool) -> JwtProvider {
    let claims = spec.claim_to_headers.iter().map(|it| (it.claim.clone(), it.header.clone()));
    JwtProvider {
        name: spec.name.clone(),
        issuer: spec.issuer.clone(),
        audiences: spec.audiences.clone(),
        claims: claims.collect(),
        recompute_route: spec.recompute_route == Some(true),
        has_keys,
    }
}

/// Notes what is not modelled, and says whether there is any.
fn others<'a>(
    fields: impl Iterator<Item = &'a String>,
    name: &Arc<ObjectRef>,
    output: &mut Output,
) -> bool {
    let mut any = false;
    for field in fields {
        output.note(name, format!("spec.{field} is not modelled: what it does is not judged"));
        any = true;
    }
    any
}
