//! Which rules of a child fit below its parent.

use crate::ResourceRef;
use crate::api::{GROUP, HttpMatch, HttpRouteSpec, NamedMatch, PathKind};
use crate::objects::Object;

/// The annotation by which a child takes over the match of its parent.
const INHERIT: &str = "delegation.kgateway.dev/inherit-parent-matcher";

/// A child without parentRefs may have any parent; one with some only those (case 06-child-hostnames).
pub(super) fn may_be_child(
    reference: &ResourceRef,
    spec: &HttpRouteSpec,
    parent: &ResourceRef,
) -> bool {
    spec.parent_refs.is_empty()
        || spec.parent_refs.iter().any(|it| {
            it.group == GROUP
                && it.kind == "HTTPRoute"
                && it.name == parent.name
                && it.namespace.as_deref().unwrap_or(&reference.namespace) == parent.namespace
        })
}

/// The rules and matches of a child that fit below a match of its parent.
pub(super) fn below_parent(
    parent: &HttpMatch,
    child: &Object<HttpRouteSpec>,
) -> Vec<(usize, Vec<HttpMatch>)> {
    let inherits = child.meta.annotations.get(INHERIT).is_some_and(|value| {
        ["true", "yes", "enabled"].contains(&value.to_ascii_lowercase().as_str())
    });
    let mut rules = Vec::new();
    for (number, rule) in child.spec.rules.iter().enumerate() {
        let mut matches: Vec<HttpMatch> = Vec::new();
        if inherits && rule.matches.is_empty() {
            matches.push(parent.clone());
        }
        for one in &rule.matches {
            if inherits {
                matches.push(merged(parent, one));
            } else if fits(parent, one) {
                matches.push(one.clone());
            }
        }
        if !matches.is_empty() {
            rules.push((number, matches));
        }
    }
    rules
}

/// Whether a match lies below that of a parent: its path as a string (case 06-parent-path), headers and query
/// parameters with the parent's among them, the same method.
fn fits(parent: &HttpMatch, child: &HttpMatch) -> bool {
    let among =
        |parent: &[NamedMatch], child: &[NamedMatch]| parent.iter().all(|one| child.contains(one));
    parent.path.kind == PathKind::PathPrefix
        && child.path.value.starts_with(&parent.path.value)
        && among(&parent.headers, &child.headers)
        && among(&parent.query_params, &child.query_params)
        && parent.method.as_ref().is_none_or(|method| child.method.as_ref() == Some(method))
}

/// A child's match with that of its parent in front.
fn merged(parent: &HttpMatch, child: &HttpMatch) -> HttpMatch {
    let join = |parent: &[NamedMatch], child: &[NamedMatch]| {
        let mut all: Vec<NamedMatch> = parent.to_vec();
        all.extend(
            child.iter().filter(|it| !parent.iter().any(|own| own.name == it.name)).cloned(),
        );
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    };
    let mut path = child.path.clone();
    path.value = joined(&parent.path.value, &child.path.value);
    HttpMatch {
        path,
        headers: join(&parent.headers, &child.headers),
        query_params: join(&parent.query_params, &child.query_params),
        method: parent.method.clone().or_else(|| child.method.clone()),
    }
}

/// Two paths as Go joins them: no empty elements, no slash at the end.
fn joined(parent: &str, child: &str) -> String {
    let mut elements: Vec<&str> = Vec::new();
    for element in parent.split('/').chain(child.split('/')) {
        match element {
            "" | "." => {}
            ".." => drop(elements.pop()),
            other => elements.push(other),
        }
    }
    format!("/{}", elements.join("/"))
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn paths_are_joined_as_go_joins_them() {
        for (parent, child, expected) in
            [("/p", "/rel", "/p/rel"), ("/p", "/", "/p"), ("/", "/", "/"), ("/a/", "/b/", "/a/b")]
        {
            assert_eq!(joined(parent, child), expected);
        }
    }
}
