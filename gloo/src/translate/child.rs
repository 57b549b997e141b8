//! How a delegated route fits under the route that delegates to it.

use super::mistake::Mistake;
use crate::api::{HeaderMatcher, Matcher, QueryParameterMatcher, Route, RouteOptions};
use crate::code::Code;

/// The route that delegated to the one at hand.
#[derive(Default)]
pub(super) struct Parent {
    pub(super) matcher: Matcher,
    pub(super) options: Option<Box<RouteOptions>>,
    /// Gloo's name for it, which begins those of its children.
    pub(super) name: String,
    /// Whether somebody named it or a route above it.
    pub(super) named: bool,
    pub(super) inheritable_matchers: bool,
    pub(super) inheritable_path_matchers: bool,
}

/// What a route takes and how, with what it inherits.
pub(super) struct Head {
    pub(super) matchers: Vec<Matcher>,
    pub(super) options: Option<Box<RouteOptions>>,
    pub(super) inheritable_matchers: bool,
    pub(super) inheritable_path_matchers: bool,
}

/// Lets the route inherit from its parent, if it has one and fits.
///
/// # Errors
/// Why it does not fit; Gloo leaves the whole route out and warns. One bad matcher is enough.
pub(super) fn join(
    route: &Route,
    options: Option<Box<RouteOptions>>,
    parent: Option<&Parent>,
) -> Result<Head, Mistake> {
    let mut head = Head {
        matchers: route.matchers.clone(),
        options,
        inheritable_matchers: route.inheritable_matchers.unwrap_or_default(),
        inheritable_path_matchers: route.inheritable_path_matchers.unwrap_or_default(),
    };
    let Some(parent) = parent else { return Ok(head) };
    head.inheritable_path_matchers =
        route.inheritable_path_matchers.unwrap_or(parent.inheritable_path_matchers);
    head.inheritable_matchers = route.inheritable_matchers.unwrap_or(parent.inheritable_matchers);
    if head.inheritable_path_matchers {
        if head.matchers.is_empty() {
            head.matchers.push(Matcher::default());
        }
        head.matchers.iter_mut().for_each(|matcher| matcher.take_path(&parent.matcher));
    }
    if head.matchers.is_empty() {
        head.matchers.push(Matcher::all());
    }
    if head.inheritable_matchers {
        for matcher in &mut head.matchers {
            matcher.headers.splice(0..0, parent.matcher.headers.iter().cloned());
            matcher.methods.splice(0..0, parent.matcher.methods.iter().cloned());
            let parameters = parent.matcher.query_parameters.iter().cloned();
            matcher.query_parameters.splice(0..0, parameters);
        }
    }
    for matcher in &head.matchers {
        let misfit = |words| Mistake::new(Code::ChildMatcherMismatch, words);
        fits(matcher, &parent.matcher).map_err(misfit)?;
    }
    if let Some(options) = &parent.options {
        head.options.get_or_insert_default().inherit(options);
    }
    Ok(head)
}

/// The child's path begins with the parent's prefix, as text; its letter case counts alike; it has
/// all headers, query parameters and methods of the parent (gloo-conformance cases 11-child-*).
fn fits(child: &Matcher, parent: &Matcher) -> Result<(), String> {
    let (prefix, path) = (parent.path_prefix().unwrap_or_default(), child.path_text());
    if !path.starts_with(&prefix) {
        return Err(format!(
            "required prefix: {prefix}, prefix: {path}: invalid route: route table matchers must \
             begin with the prefix of their parent route's matcher"
        ));
    }
    if child.case_sensitive != parent.case_sensitive {
        return Err(format!(
            "required caseSensitive: {}, caseSensitive: {}: invalid route: route table matchers \
             must have the same case sensitivity of their parent route's matcher",
            flag(child.case_sensitive),
            flag(parent.case_sensitive)
        ));
    }
    let header_missing = |wanted: &HeaderMatcher| {
        let last = child.headers.iter().rev().find(|header| header.name == wanted.name);
        last != Some(wanted)
    };
    if parent.headers.iter().any(header_missing) {
        return Err(format!(
            "required headers: {}, headers: {}: invalid route: route table matchers must have all \
             headers that were specified on their parent route's matcher",
            headers(&parent.headers),
            headers(&child.headers)
        ));
    }
    let parameter_missing = |wanted: &QueryParameterMatcher| {
        let mut own = child.query_parameters.iter().rev();
        own.find(|parameter| parameter.name == wanted.name) != Some(wanted)
    };
    if parent.query_parameters.iter().any(parameter_missing) {
        return Err(format!(
            "required query params: {}, query params: {}: invalid route: route table matchers must \
             have all query params that were specified on their parent route's matcher",
            parameters(&parent.query_parameters),
            parameters(&child.query_parameters)
        ));
    }
    if !parent.methods.iter().all(|method| child.methods.contains(method)) {
        return Err(format!(
            "required methods: [{}], methods: [{}]: invalid route: route table matchers must have \
             all methods that were specified on their parent route's matcher",
            parent.methods.join(" "),
            child.methods.join(" ")
        ));
    }
    Ok(())
}

/// A flag as Go prints a pointer to protobuf's BoolValue.
fn flag(flag: Option<bool>) -> &'static str {
    match flag {
        None => "<nil>",
        Some(true) => "value:true",
        Some(false) => "",
    }
}

fn headers(headers: &[HeaderMatcher]) -> String {
    let print = |h: &HeaderMatcher| message(&h.name, &h.value, h.regex, h.invert_match);
    format!("[{}]", headers.iter().map(print).collect::<Vec<_>>().join(" "))
}

fn parameters(parameters: &[QueryParameterMatcher]) -> String {
    let print = |q: &QueryParameterMatcher| message(&q.name, &q.value, q.regex, false);
    format!("[{}]", parameters.iter().map(print).collect::<Vec<_>>().join(" "))
}

/// A condition as protobuf's text format; defaults are left out.
fn message(name: &str, value: &str, regex: bool, invert: bool) -> String {
    let mut parts = Vec::new();
    if !name.is_empty() {
        parts.push(format!("name:{name:?}"));
    }
    if !value.is_empty() {
        parts.push(format!("value:{value:?}"));
    }
    if regex {
        parts.push("regex:true".into());
    }
    if invert {
        parts.push("invert_match:true".into());
    }
    parts.join(" ")
}
