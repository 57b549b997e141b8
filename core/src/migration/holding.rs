//! The rules that an object's routes become.

use gloo::ObjectRef;
use serde_json::{Map, Value};

/// The most matches of a rule.
const MOST_MATCHES: usize = 64;

/// The rules that an object's routes become.
pub(super) struct Holding {
    /// The VirtualService or RouteTable.
    pub(super) object: ObjectRef,
    /// The rules, in the order of the routes.
    pub(super) rules: Vec<Map<String, Value>>,
}

/// Adds a rule, or its matches to the rule before where that does the same. A replaced prefix has a rule of its own.
pub(super) fn push(rules: &mut Vec<Map<String, Value>>, mut rule: Map<String, Value>) {
    let replaces = |rule: &Map<String, Value>| {
        let mut filters = rule.get("filters").and_then(Value::as_array).into_iter().flatten();
        filters.any(|filter| {
            let paths = ["/urlRewrite/path", "/requestRedirect/path"];
            paths.iter().any(|path| filter.pointer(path).is_some())
        })
    };
    if replaces(&rule)
        && let Some(matches) = rule.get("matches").and_then(Value::as_array)
        && matches.len() > 1
    {
        for one in matches.clone() {
            let mut rule = rule.clone();
            rule.insert("matches".into(), Value::Array(vec![one]));
            rules.push(rule);
        }
        return;
    }
    let length = |rule: &Map<String, Value>| rule["matches"].as_array().map_or(0, Vec::len);
    let same = |one: &Map<String, Value>, other: &Map<String, Value>| {
        ["filters", "backendRefs", "timeouts"].iter().all(|key| one.get(*key) == other.get(*key))
    };
    if let Some(last) = rules.last_mut()
        && same(last, &rule)
        && !replaces(&rule)
        && length(last) + length(&rule) <= MOST_MATCHES
        && let (Some(known), Some(more)) = (
            last.get_mut("matches").and_then(Value::as_array_mut),
            rule.get_mut("matches").and_then(Value::as_array_mut),
        )
    {
        known.append(more);
        return;
    }
    rules.push(rule);
}
