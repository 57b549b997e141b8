//! From conditions of a Gloo route to matches of an HTTPRoute.

use gloo::config::{HeaderMatch, Match, PathMatch, ValueMatch};
use serde_json::{Value, json};

use super::unsaid::Unsaid;

/// The methods that an HTTPRoute can name.
const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// The matches that take what a Gloo matcher takes.
///
/// # Errors
/// Says which condition no HTTPRoute can have.
pub(super) fn matches(matcher: &Match) -> Result<Vec<Value>, Unsaid> {
    if matcher.case_sensitive == Some(false) {
        return Err("a path without regard to letter case".into());
    }
    let (kind, value) = match &matcher.path {
        Some(PathMatch::Prefix(text)) => ("PathPrefix", text),
        Some(PathMatch::Exact(text)) => ("Exact", text),
        Some(PathMatch::Regex(text)) => ("RegularExpression", text),
        Some(PathMatch::Connect) => return Err("a matcher for CONNECT".into()),
        None => return Err("a matcher without a path".into()),
    };
    let mut rendered = json!({"path": {"type": kind, "value": value}});
    let mut methods: Vec<String> = Vec::new();
    let mut headers: Vec<Value> = Vec::new();
    for header in &matcher.headers {
        match header.name.as_str() {
            ":method" => methods = self::methods(header, methods)?,
            name if name.starts_with(':') || name.eq_ignore_ascii_case("host") => {
                return Err(format!("a condition on {name}").into());
            }
            name if header.invert => {
                return Err(Unsaid::new(
                    format!("invertMatch of the header {name}"),
                    "turn the two routes round: ask for what the header has to be in the other one, and let this one \
                     take what is left",
                ));
            }
            name => {
                let condition = condition(name, &header.value);
                let same = |it: &Value| it["name"] == condition["name"];
                match headers.iter().find(|it| same(it)) {
                    Some(known) if *known == condition => {}
                    Some(_) => return Err(format!("two conditions on the header {name}").into()),
                    None => headers.push(condition),
                }
            }
        }
    }
    if !headers.is_empty() {
        rendered["headers"] = headers.into();
    }
    let mut query: Vec<Value> = Vec::new();
    for parameter in &matcher.query {
        let condition = condition(&parameter.name, &parameter.value);
        match query.iter().find(|it| it["name"] == condition["name"]) {
            Some(known) if *known == condition => {}
            Some(_) => {
                return Err(format!("two conditions on the parameter {}", parameter.name).into());
            }
            None => query.push(condition),
        }
    }
    if !query.is_empty() {
        rendered["queryParams"] = query.into();
    }
    if methods.is_empty() {
        return Ok(vec![rendered]);
    }
    let with = |method: String| {
        let mut rendered = rendered.clone();
        rendered["method"] = method.into();
        rendered
    };
    Ok(methods.into_iter().map(with).collect())
}

/// The methods that a condition on them leaves; none at first means all.
///
/// # Errors
/// Says which condition on methods no HTTPRoute can have.
pub(super) fn methods(header: &HeaderMatch, known: Vec<String>) -> Result<Vec<String>, Unsaid> {
    let text = match (&header.value, header.invert) {
        (ValueMatch::Exact(text) | ValueMatch::Regex(text), false) => text,
        _ => return Err("a condition on :method".into()),
    };
    let named: Vec<String> = text.split('|').map(str::to_owned).collect();
    if let Some(other) = named.iter().find(|method| !METHODS.contains(&method.as_str())) {
        return Err(format!("the method {other}").into());
    }
    let named: Vec<String> =
        named.into_iter().filter(|it| known.is_empty() || known.contains(it)).collect();
    if named.is_empty() { Err("methods that contradict each other".into()) } else { Ok(named) }
}

fn condition(name: &str, wanted: &ValueMatch) -> Value {
    let (kind, value) = match wanted {
        ValueMatch::Exact(text) => ("Exact", text.as_str()),
        ValueMatch::Regex(expression) => ("RegularExpression", expression.as_str()),
        // `.*` stands for any value, the empty one too (gateway-conformance case 02-header-regex).
        ValueMatch::Present => ("RegularExpression", ".*"),
    };
    json!({"type": kind, "name": name, "value": value})
}

/// Whether every request that `later` takes is taken by `earlier` already, as far as can be told.
pub(super) fn covers(earlier: &Match, later: &Match) -> bool {
    let path = match (&earlier.path, &later.path) {
        (Some(PathMatch::Prefix(prefix)), _) if prefix == "/" => true,
        (Some(PathMatch::Prefix(prefix)), Some(path)) => path.beginning().starts_with(prefix),
        (Some(regex @ PathMatch::Regex(_)), Some(PathMatch::Exact(text))) => regex.takes(text),
        (one, other) => one == other,
    };
    path && earlier.case_sensitive != Some(false)
        && earlier.headers.iter().all(|header| later.headers.contains(header))
        && earlier.query.iter().all(|query| later.query.contains(query))
}

/// The requests that both take, where an HTTPRoute would give them to the later one, because that is the more particular:
/// they need a rule of their own that does what the earlier one does. `None` where that is not so or cannot be told.
pub(super) fn overlap(earlier: &Match, later: &Match) -> Option<Match> {
    let (Some(path), Some(longer)) = (&earlier.path, &later.path) else { return None };
    let is_longer = match (path, longer) {
        (PathMatch::Prefix(prefix), PathMatch::Regex(_)) if prefix == "/" => true,
        (PathMatch::Prefix(prefix), PathMatch::Connect) if prefix == "/" => false,
        (PathMatch::Prefix(prefix), longer) => {
            path != longer && longer.beginning().starts_with(prefix)
        }
        (PathMatch::Regex(_), PathMatch::Exact(text)) => path.takes(text),
        _ => false,
    };
    let has_method = |it: &Match| it.headers.iter().any(|header| header.name == ":method");
    let has_more = path == longer
        && (later.headers.len() > earlier.headers.len()
            || later.query.len() > earlier.query.len()
            || has_method(later) != has_method(earlier));
    let has_conditions = !earlier.headers.is_empty() || !earlier.query.is_empty();
    if !has_conditions || !is_longer && !has_more {
        return None;
    }
    let mut both = later.clone();
    both.headers.extend(earlier.headers.iter().filter(|it| !later.headers.contains(it)).cloned());
    both.query.extend(earlier.query.iter().filter(|it| !later.query.contains(it)).cloned());
    Some(both)
}
