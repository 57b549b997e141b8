//! Writes down as Envoy's v3 configuration what Envoys are told, with the fields that implementations fill in.

mod route;

use gloo::envoy::compact;
use serde_json::{Value, json};

use self::route::route;
use crate::config::VirtualHost;
use crate::environment::Profile;

/// A virtual host, with its routes.
pub fn virtual_host(host: &VirtualHost, profile: Profile) -> Value {
    let routes: Vec<Value> = host.routes.iter().map(|it| route(it, profile)).collect();
    compact(json!({
        "name": host.name,
        "domains": host.domains,
        "require_tls": host.require_tls.then_some("ALL"),
        "typed_per_filter_config": host.jwt.as_deref().map(route::jwt),
        "routes": routes,
    }))
}
