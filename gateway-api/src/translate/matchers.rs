//! From a match of a rule to what Envoy compares.

use crate::api::{HttpMatch, MatchKind, NamedMatch, PathKind};
use crate::config::{HeaderMatch, Match, PathMatch, ValueMatch};

/// What Envoy compares. The method comes after the headers; a slash at the end of a prefix does not count.
pub(super) fn matcher(one: &HttpMatch) -> Match {
    let value = one.path.value.clone();
    let path = match one.path.kind {
        PathKind::Exact => PathMatch::Exact(value),
        PathKind::RegularExpression => PathMatch::Regex(value),
        PathKind::PathPrefix => match value.strip_suffix('/').unwrap_or(&value) {
            "" => PathMatch::Prefix("/".into()),
            trimmed => PathMatch::Elements(trimmed.into()),
        },
    };
    let method = one.method.iter().map(|method| HeaderMatch {
        name: ":method".into(),
        value: ValueMatch::Exact(method.clone()),
    });
    Match {
        path,
        headers: one.headers.iter().map(named).chain(method).collect(),
        query: one.query_params.iter().map(named).collect(),
    }
}

fn named(one: &NamedMatch) -> HeaderMatch {
    let value = match one.kind {
        MatchKind::Exact => ValueMatch::Exact(one.value.clone()),
        MatchKind::RegularExpression => ValueMatch::Regex(one.value.clone()),
    };
    HeaderMatch { name: one.name.clone(), value }
}
