//! Where what is not carried over stands.

use gloo::ObjectRef;
use gloo::config::{PathMatch, Route};
use serde_json::Value;

use crate::migration::not_carried::{Cause, NotCarried};
use crate::migration::source::{Source, Sources, Step};

/// What is lost, why, and what to do.
pub(in crate::migration) struct Lack {
    /// What is lost.
    pub(in crate::migration) code: Cause,
    /// Why, and what is not written because of it.
    pub(in crate::migration) why: String,
    /// What to do about it.
    pub(in crate::migration) next: String,
}

impl Lack {
    /// Says what is lost, why, and what to do.
    pub(in crate::migration) fn new(
        code: Cause,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self { code, why: why.into(), next: next.into() }
    }
}

/// A field of an object that is not carried over.
pub(super) fn at(source: &Source, steps: &[Step], lack: Lack) -> NotCarried {
    NotCarried {
        at: source.at(steps),
        object: source.reference().to_string(),
        field: dotted(steps),
        code: lack.code,
        why: lack.why,
        next: lack.next,
        accepted: false,
    }
}

/// For example `spec.virtualHost.routes[0].options.jwt`.
fn dotted(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Key(key) if text.is_empty() => text.clone_from(key),
            Step::Key(key) => text += &format!(".{key}"),
            Step::Index(index) => text += &format!("[{index}]"),
        }
    }
    text
}

/// A field of an object, by its name.
pub(in crate::migration) fn of_field(
    sources: &Sources,
    object: &ObjectRef,
    field: &[&str],
    lack: Lack,
) -> NotCarried {
    let steps: Vec<Step> = field.iter().map(|name| Step::Key((*name).to_owned())).collect();
    match sources.get(object) {
        Some(source) => at(source, &steps, lack),
        None => NotCarried {
            at: None,
            object: object.to_string(),
            field: dotted(&steps),
            code: lack.code,
            why: lack.why,
            next: lack.next,
            accepted: false,
        },
    }
}

/// A route that is not carried over. It is the first of its object that has such a path and names such headers.
pub(in crate::migration) fn of_route(sources: &Sources, route: &Route, lack: Lack) -> NotCarried {
    let field: &[&str] = match route.holder.kind.as_str() {
        "VirtualService" => &["spec", "virtualHost", "routes"],
        _ => &["spec", "routes"],
    };
    let pointer = format!("/{}", field.join("/"));
    let source = sources.get(&route.holder);
    let routes = source.and_then(|source| source.value.pointer(&pointer)?.as_array());
    let found = routes.and_then(|all| all.iter().position(|raw| is_like(raw, route)));
    match (source, found) {
        (Some(source), Some(index)) => {
            let mut steps: Vec<Step> =
                field.iter().map(|name| Step::Key((*name).to_owned())).collect();
            steps.push(Step::Index(index));
            at(source, &steps, lack)
        }
        _ => of_field(sources, &route.holder, field, lack),
    }
}

fn is_like(raw: &Value, route: &Route) -> bool {
    let (key, text) = match &route.matcher.path {
        Some(PathMatch::Prefix(text)) => ("prefix", text.as_str()),
        Some(PathMatch::Exact(text)) => ("exact", text.as_str()),
        Some(PathMatch::Regex(text)) => ("regex", text.as_str()),
        Some(PathMatch::Connect) | None => return false,
    };
    let matchers = raw["matchers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if matchers.is_empty() {
        return key == "prefix" && text == "/";
    }
    matchers.iter().any(|matcher| {
        let headers = matcher["headers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let has = |header: &Value| {
            route.matcher.headers.iter().any(|it| Some(it.name.as_str()) == header["name"].as_str())
        };
        matcher[key].as_str() == Some(text)
            && headers.iter().all(has)
            && headers.is_empty() == route.matcher.headers.iter().all(|it| it.name == ":method")
    })
}
