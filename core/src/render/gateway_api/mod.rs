//! A service in the Gateway API: a Service per version, HTTPRoutes, and the policies of the implementation by which it
//! checks tokens.

mod policies;
mod rules;
mod split;
mod staging;

use serde_json::{Map, Value, json};

use super::{Objects, Routes, has_pods, service_of};
use crate::kind::{Kind, group};
use crate::labels::DELEGATION_LABEL;
use crate::object::object;
use crate::traffic::Traffic;
use crate::values::{Binding, GatewayApi, GatewayRef, Service, Version, hostnames};
pub(crate) use split::split;
pub use staging::emptied;
pub(crate) use staging::{first_rules, is_emptied, is_staged, next_rules};

/// Renders a Service per version and the HTTPRoutes. Everything that the API server would add by default is there
/// already, so that what is stored is what was applied.
pub(super) fn objects(service: &Service, api: &GatewayApi, traffic: &Traffic) -> Objects {
    let versions = service.versions.iter().filter(|(_, workload)| has_pods(workload));
    let rules = rules::render(service, traffic);
    let routes = split(rules).into_iter().enumerate();
    let routes: Vec<Value> =
        routes.map(|(index, rules)| route(service, api, index, rules)).collect();
    Objects {
        services: versions.map(|(version, _)| version_service(service, version)).collect(),
        upstreams: Vec::new(),
        policies: policies::render(service, api.profile, &routes),
        routes: routes
            .into_iter()
            .map(|object| Routes { object, versions: traffic.service_names().annotation() })
            .collect(),
    }
}

fn version_service(service: &Service, version: &Version) -> Value {
    let selector = json!({"app": service.name.as_str(), "version": version.as_str()});
    service_of(service, &service.version_name(version), &selector)
}

/// One HTTPRoute; the first has index 0.
fn route(service: &Service, api: &GatewayApi, index: usize, rules: Vec<Value>) -> Value {
    let name = match &service.routes.binding {
        Binding::ApiGroup(_) => format!("{}-routes", service.name),
        Binding::Domains(_) => service.name.to_string(),
    };
    let name = if index == 0 { name } else { format!("{}-routes-{}", service.name, index + 1) };
    let mut spec = Map::new();
    let mut labels = None;
    match &service.routes.binding {
        // With a Gateway among its parents it would be no child of another HTTPRoute, and with hostnames it is
        // refused as one (case 06-child-hostnames).
        Binding::ApiGroup(group) if api.profile.delegates() => {
            labels = Some(json!({DELEGATION_LABEL: group}));
        }
        Binding::ApiGroup(_) => {
            spec.insert("parentRefs".into(), parents(&api.gateways));
        }
        Binding::Domains(domains) => {
            spec.insert("parentRefs".into(), parents(&api.gateways));
            let hosts = hostnames(domains);
            if !hosts.is_empty() {
                spec.insert("hostnames".into(), hosts.into());
            }
        }
    }
    spec.insert("rules".into(), rules.into());
    let mut route = object(Kind::HttpRoute, &service.namespace, &name, spec);
    if let Some(labels) = labels {
        route["metadata"]["labels"] = labels;
    }
    route
}

fn parents(gateways: &[GatewayRef]) -> Value {
    let parent = |gateway: &GatewayRef| {
        let mut parent = json!({
            "group": group(Kind::HttpRoute.api_version()),
            "kind": "Gateway",
            "name": gateway.name,
        });
        if let Some(namespace) = &gateway.namespace {
            parent["namespace"] = namespace.as_str().into();
        }
        if let Some(section) = &gateway.section_name {
            parent["sectionName"] = section.as_str().into();
        }
        parent
    };
    gateways.iter().map(parent).collect()
}
