//! A service's routes as people read them.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::per_version::PerVersion;
use coalmine_core::traffic::{Rule, Traffic};
use coalmine_core::values::{HeaderMatch, ValueMatch};

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
    /// Version to percent of these matches.
    pub weights: PerVersion<u8>,
    /// Version to percent of these requests that it gets a copy of.
    pub shadow: PerVersion<u8>,
    /// The names of the Gloo route options that hold for it.
    pub options: Vec<String>,
}

/// The routes of a service, in the order in which Gloo tries them.
pub(super) fn routes(traffic: &Traffic) -> Vec<Route> {
    traffic.rules().iter().map(Route::of).collect()
}

/// Conditions on headers, in the words of the values.
pub(super) fn headers<'a>(
    headers: impl Iterator<Item = (&'a String, &'a HeaderMatch)>,
) -> Map<String, Value> {
    headers.map(|(name, wanted)| (name.clone(), header_in_words(wanted))).collect()
}

impl Route {
    fn of(rule: &Rule) -> Self {
        let matches = &rule.matches;
        let parameters = matches.query_parameters.iter();
        let weights = rule.destinations.iter().map(|it| (&it.version, it.weight.percent()));
        let shadow = rule.shadow.iter().map(|it| (&it.version, it.weight.percent()));
        let mut options: Vec<String> = rule.options.keys().cloned().collect();
        options.sort();
        Self {
            kind: matches.path.kind(),
            path: matches.path.text().to_owned(),
            methods: matches.methods.iter().cloned().collect(),
            query_parameters: parameters
                .map(|(name, wanted)| (name.clone(), value_in_words(wanted)))
                .collect(),
            headers: headers(matches.headers.iter()),
            weights: weights.collect(),
            shadow: shadow.collect(),
            options,
        }
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
        let routes = serde_json::to_value(routes(&Traffic::of(&service))).expect("JSON");
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
