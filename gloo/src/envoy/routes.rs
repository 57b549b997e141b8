use serde_json::{Map, Value, json};

use super::json::{compact, response, typed};
use super::route::{cors, headers, retry, route};
use crate::config::VirtualHost;
use crate::translate::{Listener, Translation};

/// The RDS file. Empty if nothing is served.
pub fn routes(translation: &Translation) -> Value {
    response(route_configuration(translation).into_iter().collect())
}

/// The route configuration; `None` if nothing is served.
fn route_configuration(translation: &Translation) -> Option<Value> {
    let listener = translation.listener.as_ref()?;
    let hosts: Vec<Value> =
        translation.virtual_hosts.iter().map(|host| virtual_host(host)).collect();
    Some(typed(
        "config.route.v3.RouteConfiguration",
        json!({ "name": name(listener), "virtual_hosts": hosts }),
    ))
}

pub(super) fn name(listener: &Listener) -> String {
    format!("{}-routes", listener.name)
}

/// One virtual host.
pub fn virtual_host(host: &VirtualHost) -> Value {
    let mut fields = Map::new();
    fields.insert("name".into(), json!(host.name));
    fields.insert("domains".into(), json!(host.domains));
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
