//! By which names the gateways' Envoys know what a service's routes lead to.

use std::collections::BTreeSet;

use serde_json::Value;

use super::counters::Counters;
use crate::kind::{Kind, RouteApi};
use crate::render::{Owner, Rendered, render};
use crate::traffic::Traffic;
use crate::values::{Gateway, Service};

/// The clusters of Envoy that get the requests of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clusters {
    /// Of Gloo: `<upstream>_<namespace>`.
    gloo: BTreeSet<String>,
    /// Of kgateway: `kube_<namespace>_<service>_<port>` (gateway-conformance, `config_dump`).
    kgateway: BTreeSet<String>,
    /// What those of Envoy Gateway begin with: `httproute/<namespace>/<route>/rule/`.
    envoy_gateway: BTreeSet<String>,
}

impl Clusters {
    /// Those of a service whose routes are written in both APIs; `None` of any other, because nothing has to be told
    /// apart there.
    pub fn of_both(service: &Service) -> Option<Self> {
        matches!(service.routes.gateway, Gateway::Both(_)).then(|| Self::of(service))
    }

    fn of(service: &Service) -> Self {
        // Only names are read of what is rendered.
        let owner = Owner { instance: String::new(), revision: String::new() };
        let Rendered { upstreams, routes, .. } = render(service, &Traffic::of(service), &owner);
        let mut clusters = Self::default();
        for upstream in &upstreams {
            let id = upstream.id();
            let namespace = id.namespace.as_deref().unwrap_or_default();
            clusters.gloo.insert(format!("{}_{namespace}", id.name));
        }
        for route in routes.iter().filter(|route| route.id().is(Kind::HttpRoute)) {
            let id = route.id();
            let namespace = id.namespace.as_deref().unwrap_or_default();
            clusters.envoy_gateway.insert(format!("httproute/{namespace}/{}/rule/", id.name));
            let rules = route.object().pointer("/spec/rules").and_then(Value::as_array);
            let backends = rules.into_iter().flatten().flat_map(|rule| {
                rule["backendRefs"].as_array().map(Vec::as_slice).unwrap_or_default()
            });
            clusters.kgateway.extend(backends.filter_map(|backend| {
                let name = backend["name"].as_str()?;
                let of = backend["namespace"].as_str().unwrap_or(namespace);
                Some(format!("kube_{of}_{name}_{}", backend["port"].as_u64()?))
            }));
        }
        clusters
    }

    /// The requests of the service that a proxy of this API's gateways has counted.
    pub fn requests(&self, api: RouteApi, counters: &Counters) -> u64 {
        counters.requests(|cluster| match api {
            RouteApi::Gloo => self.gloo.contains(cluster),
            RouteApi::GatewayApi => {
                self.kgateway.contains(cluster)
                    || self.envoy_gateway.iter().any(|prefix| cluster.starts_with(prefix.as_str()))
            }
        })
    }
}
