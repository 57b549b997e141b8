//! Which VirtualServices a Gateway serves.

use std::sync::Arc;

use super::mistake::Mistake;
use super::selector::{check, has_labels, holds};
use super::view::View;
use crate::api::{HttpGateway, ResourceRef, VirtualServiceSpec};
use crate::objects::Object;

/// The VirtualServices in the order of their names, or an error for each that could not be looked at.
///
/// # Errors
/// A condition on labels that breaks Kubernetes' rules, once for each VirtualService.
pub(super) fn select(
    http: &HttpGateway,
    ssl: bool,
    view: &View,
) -> Result<Vec<Arc<ResourceRef>>, Vec<Mistake>> {
    let (mut chosen, mut mistakes) = (Vec::new(), Vec::new());
    for (name, object) in view.virtual_services.iter() {
        match serves(http, ssl, name, object) {
            Ok(true) => chosen.push(Arc::clone(name)),
            Ok(false) => {}
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() { Ok(chosen) } else { Err(mistakes) }
}

/// The VirtualServices that may be meant by expressions that cannot be looked at.
pub(super) fn possible(http: &HttpGateway, ssl: bool, view: &View) -> Vec<Arc<ResourceRef>> {
    let all = view.virtual_services.iter();
    let fitting = all.filter(|(name, object)| {
        object.spec.ssl_config.is_some() == ssl && is_of_namespaces(http, name)
    });
    fitting.map(|(name, _)| Arc::clone(name)).collect()
}

fn is_of_namespaces(http: &HttpGateway, reference: &ResourceRef) -> bool {
    let wanted = &http.virtual_service_namespaces;
    wanted.is_empty() || wanted.iter().any(|it| it == "*" || *it == reference.namespace)
}

/// Whether the gateway serves the VirtualService: one with an `sslConfig` where there is TLS, one
/// without where there is none (gloo-conformance cases 16-gateway-selection, 17-ssl-gateway,
/// 17-selector-expressions).
fn serves(
    http: &HttpGateway,
    ssl: bool,
    reference: &ResourceRef,
    object: &Object<VirtualServiceSpec>,
) -> Result<bool, Mistake> {
    if object.spec.ssl_config.is_some() != ssl {
        return Ok(false);
    }
    let labels = &object.labels;
    let in_namespace = is_of_namespaces(http, reference);
    if let Some(selector) = &http.virtual_service_expressions {
        for expression in &selector.expressions {
            check(expression).map_err(|mistake| {
                mistake
                    .within(|e| format!("{e}: the virtual service selector expression is invalid"))
            })?;
        }
        return Ok(in_namespace && selector.expressions.iter().all(|e| holds(e, labels)));
    }
    if !http.virtual_service_selector.is_empty() {
        return Ok(in_namespace && has_labels(labels, &http.virtual_service_selector));
    }
    if http.virtual_services.is_empty() {
        return Ok(in_namespace);
    }
    Ok(http.virtual_services.contains(reference))
}
