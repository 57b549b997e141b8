//! kgateway.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::place::{GATEWAY, NAMESPACE, Place, gateway};
use crate::{envoy_admin, gateway_kind::GatewayKind, process::Program};

/// Where it says that it is ready.
pub(super) const HEALTH: &str = "127.0.0.1:9093";
/// Where it serves Envoy's configuration.
pub(super) const XDS: (&str, u16) = ("127.0.0.1", 9977);

/// Parameters by which it leaves the proxy to us, and a Gateway that has them. It makes its class by itself.
pub(super) fn objects() -> Vec<Value> {
    let parameters = json!({
        "apiVersion": "gateway.kgateway.dev/v1alpha1",
        "kind": "GatewayParameters",
        "metadata": {"name": "self-managed", "namespace": NAMESPACE},
        "spec": {"selfManaged": {}},
    });
    let mut gateway = gateway(GatewayKind::Kgateway);
    gateway["spec"]["infrastructure"] = json!({"parametersRef": {
        "group": "gateway.kgateway.dev",
        "kind": "GatewayParameters",
        "name": "self-managed",
    }});
    vec![parameters, gateway]
}

/// For its account.
pub(super) fn kubeconfig(place: &Place) -> PathBuf {
    place.folder.join("kubeconfig")
}

pub(super) fn program(place: &Place) -> Program {
    Program::new(GatewayKind::Kgateway.name(), &place.program, &place.logs)
        .env("KUBECONFIG", kubeconfig(place).display().to_string())
        .env("POD_NAMESPACE", &place.namespace)
        .env("KGW_DISABLE_LEADER_ELECTION", "true")
        // Envoy is no pod here, with an account and a place.
        .env("KGW_XDS_AUTH", "false")
        .env("DISABLE_POD_LOCALITY_XDS", "true")
}

/// As its chart has it, without what pods alone have, and without a runtime key that Envoy 1.40 has no longer.
pub(super) fn bootstrap() -> Value {
    let local_cluster = format!("{GATEWAY}.{NAMESPACE}");
    let ads = json!({"resource_api_version": "V3", "ads": {}, "initial_fetch_timeout": "0s"});
    let http2 = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    });
    json!({
        "node": {
            "id": local_cluster,
            "cluster": local_cluster,
            "metadata": {"role": format!("kgateway-kube-gateway-api~{NAMESPACE}~{GATEWAY}")},
        },
        "cluster_manager": {"local_cluster_name": local_cluster},
        "static_resources": {"clusters": [
            {
                "name": local_cluster,
                "type": "EDS",
                "connect_timeout": "0.25s",
                "eds_cluster_config": {"eds_config": {
                    "ads": {},
                    "resource_api_version": "V3",
                    // Nothing answers this before the first clusters are there, which wait for it.
                    "initial_fetch_timeout": "1s",
                }},
            },
            {
                "name": "xds_cluster",
                "type": "STATIC",
                "connect_timeout": "5s",
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2,
                },
                "load_assignment": envoy_admin::endpoint("xds_cluster", XDS),
            },
        ]},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "rate_limit_settings": {},
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds_cluster"}}],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
    })
}
