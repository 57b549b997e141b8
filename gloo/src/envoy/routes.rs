use serde_json::{Map, Value, json};

use super::json::{compact, response, typed};
use super::route::{cors, headers, retry, route};
use crate::config::{RouteConfiguration, VirtualHost};

/// The RDS file of a route configuration.
pub fn routes(configuration: &RouteConfiguration) -> Value {
    response(vec![route_configuration(configuration)])
}

fn route_configuration(from: &RouteConfiguration) -> Value {
    let hosts: Vec<Value> = from.virtual_hosts.iter().map(|host| virtual_host(host)).collect();
    let mut fields = json!({ "name": from.name, "virtual_hosts": hosts });
    if let Some(bytes) = from.longest_body {
        fields["max_direct_response_body_size_bytes"] = json!(bytes);
    }
    typed("config.route.v3.RouteConfiguration", fields)
}

/// One virtual host.
pub fn virtual_host(host: &VirtualHost) -> Value {
    let mut fields = Map::new();
    fields.insert("name".into(), json!(host.name));
    fields.insert("domains".into(), json!(host.domains));
    if host.require_tls {
        fields.insert("require_tls".into(), json!("ALL"));
    }
    fields.insert("routes".into(), host.routes.iter().map(route).collect());
    fields.insert("retry_policy".into(), host.retry.as_ref().map(retry).unwrap_or_default());
    let counts = [
        ("include_request_attempt_count", host.include_request_attempt_count),
        ("include_attempt_count_in_response", host.include_attempt_count_in_response),
    ];
    fields.extend(counts.map(|(name, on)| (name.to_owned(), json!(on))));
    if let Some(policy) = &host.cors {
        let config = json!({ "envoy.filters.http.cors": cors(policy) });
        fields.insert("typed_per_filter_config".into(), config);
    }
    headers(&host.headers, &mut fields);
    compact(Value::Object(fields))
}
