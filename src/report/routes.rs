//! A service's routes as people read them.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::per_version::PerVersion;
use coalmine_core::values::{Canary, HeaderMatch, PathMatch, Service, ValueMatch, Weight};

/// One route: which requests it takes, and who answers them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// `exact`, `regex` or `prefix`.
    pub kind: &'static str,
    /// The path.
    pub path: String,
    /// The methods; every one when empty.
    pub methods: Vec<String>,
    /// Conditions on query parameters, in the words of the values.
    pub query_parameters: Map<String, Value>,
    /// Conditions on headers, in the words of the values.
    pub headers: Map<String, Value>,
    /// Version to percent of these requests.
    pub weights: PerVersion<u8>,
    /// Version to percent of these requests that it gets a copy of.
    pub shadow: PerVersion<u8>,
    /// The names of the Gloo route options that hold for it.
    pub options: Vec<String>,
}

/// The routes that the values mean, in the order in which Gloo tries them: of each path the header
/// route first, then the one for everybody else.
pub(super) fn routes(service: &Service) -> Vec<Route> {
    let mut routes = Vec::new();
    for path in &service.routes.paths {
        if let Some(canary) = &service.routes.canary
            && !canary.headers.is_empty()
        {
            routes.push(header_route(service, path, canary));
        }
        routes.push(main_route(service, path));
    }
    routes
}

/// The headers that lead to the canary, in the words of the values.
pub(super) fn headers(service: &Service) -> Map<String, Value> {
    let headers = service.routes.canary.iter().flat_map(|canary| &canary.headers);
    headers.map(|(name, wanted)| (name.clone(), header_in_words(wanted))).collect()
}

fn header_route(service: &Service, path: &PathMatch, canary: &Canary) -> Route {
    let weights = [(&canary.version, Weight::FULL.percent())].into_iter().collect();
    let route = route(service, path);
    Route { headers: headers(service), weights, ..route }
}

fn main_route(service: &Service, path: &PathMatch) -> Route {
    let canary = service.routes.canary.as_ref();
    let shadow = canary.filter(|canary| canary.shadow > Weight::ZERO);
    let shadow = shadow.map(|canary| (&canary.version, canary.shadow.percent()));
    Route { shadow: shadow.into_iter().collect(), ..route(service, path) }
}

fn route(service: &Service, path: &PathMatch) -> Route {
    let routed = service.routed_versions().into_iter();
    let weights = routed.map(|version| (version, service.routes.share(version).percent()));
    let parameters = path.query_parameters.iter();
    let mut options: Vec<String> =
        service.routes.options.keys().chain(path.options.keys()).cloned().collect();
    options.sort();
    options.dedup();
    Route {
        kind: path.path.kind(),
        path: path.path.text().to_owned(),
        methods: path.methods.iter().cloned().collect(),
        query_parameters: parameters.map(|(name, v)| (name.clone(), value_in_words(v))).collect(),
        headers: Map::new(),
        weights: weights.collect(),
        shadow: PerVersion::default(),
        options,
    }
}

/// A header's condition as the values write it.
fn header_in_words(header: &HeaderMatch) -> Value {
    let mut words = value_in_words(&header.value);
    if header.invert {
        if let ValueMatch::Exact(text) = &header.value {
            words = json!({ "value": text });
        }
        words["invert"] = true.into();
    }
    words
}

fn value_in_words(value: &ValueMatch) -> Value {
    match value {
        ValueMatch::Exact(text) => text.as_str().into(),
        ValueMatch::Regex(regex) => json!({ "regex": regex }),
        ValueMatch::Present => json!({ "present": true }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;

    #[test]
    fn routes_stand_in_the_order_in_which_they_are_tried() {
        let service = service(
            "deployment: {v1: {}, v2: {}}\nroutes:\n  apiGroup: a\n  options: {timeout: 3s}\n  paths:\n  \
             - {prefix: /echo}\n  - {exact: /echo/one, methods: [GET], queryParameters: {q: {present: true}}, \
             options: {retries: {numRetries: 1}}}\n  primary: {version: v1}\n  \
             canary: {version: v2, weight: 10, shadow: 5, headers: {stage: canary, user: {value: bot, invert: true}}}\n",
        );
        let routes = serde_json::to_value(routes(&service)).expect("JSON");
        let header = json!({"stage": "canary", "user": {"value": "bot", "invert": true}});
        let exact = json!({
            "kind": "exact", "path": "/echo/one", "methods": ["GET"],
            "queryParameters": {"q": {"present": true}}, "headers": header,
            "weights": {"v2": 100}, "shadow": {}, "options": ["retries", "timeout"]
        });
        let main = json!({
            "kind": "prefix", "path": "/echo", "methods": [], "queryParameters": {}, "headers": {},
            "weights": {"v1": 90, "v2": 10}, "shadow": {"v2": 5}, "options": ["timeout"]
        });
        assert_eq!((&routes[0], &routes[3]), (&exact, &main));
        assert_eq!(routes.as_array().map(Vec::len), Some(4));
    }
}
