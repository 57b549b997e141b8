//! Empty lists in the rules of an HTTPRoute, which say what no list says: two spellings of one route.
//!
//! They are what a route is written again by, so that its generation rises and nothing that it means changes
//! (`core/src/plan/repetition.rs`).

use serde_json::Value;

/// Lists in a rule that are optional, at whatever depth: of filters, and of conditions on headers and the query
/// (<https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule>).
const OPTIONAL: [&str; 3] = ["filters", "headers", "queryParams"];

/// Takes the empty ones out of the rules in a `spec`.
pub(super) fn drop_from(spec: &mut Value) {
    if let Some(rules) = spec.get_mut("rules") {
        drop_below(rules);
    }
}

fn drop_below(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, field| {
                let is_empty = field.as_array().is_some_and(Vec::is_empty);
                !(is_empty && OPTIONAL.contains(&name.as_str()))
            });
            fields.values_mut().for_each(drop_below);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_below),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_optional_lists_of_rules_go_and_only_empty_ones() {
        let full = json!({"rules": [{"filters": [{"type": "CORS", "cors": {"allowHeaders": []}}],
            "matches": [{"headers": [{"name": "stage"}]}], "backendRefs": []}], "hostnames": []});
        let mut kept = full.clone();
        drop_from(&mut kept);
        assert_eq!(kept, full);
        let mut emptied = json!({"rules": [{"filters": [], "matches": [{"headers": [], "queryParams": []}],
            "backendRefs": [{"name": "echo", "filters": []}]}]});
        drop_from(&mut emptied);
        assert_eq!(
            emptied,
            json!({"rules": [{"matches": [{}], "backendRefs": [{"name": "echo"}]}]})
        );
    }
}
