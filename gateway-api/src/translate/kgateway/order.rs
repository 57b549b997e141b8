//! Which of two rules comes first, as the specification of the Gateway API says.

use std::cmp::{Ordering, Reverse};

use super::flat::Flat;
use crate::api::{HttpMatch, PathKind};

/// Orders two rules, the one that takes requests first being the less.
///
/// Exact path, then expression, then prefix; the longer of two paths that are no expressions; a method; more headers;
/// more query parameters; the older route; namespace and name; the order in the route (cases 03-mix, 03-paths).
pub(super) fn compare(a: &(usize, &Flat<'_>), b: &(usize, &Flat<'_>)) -> Ordering {
    let (number, one) = a;
    let (other_number, other) = b;
    rank(&one.matcher)
        .cmp(&rank(&other.matcher))
        .then_with(|| one.top.cmp(&other.top))
        .then_with(|| one.source().cmp(other.source()))
        .then_with(|| number.cmp(other_number))
}

/// How exact a match is; the most exact is the least.
pub(in super::super) fn rank(
    one: &HttpMatch,
) -> (u8, Reverse<usize>, bool, Reverse<usize>, Reverse<usize>) {
    let length = one.path.value.len();
    let (kind, length) = match one.path.kind {
        PathKind::Exact => (0, length),
        PathKind::RegularExpression => (1, 0),
        PathKind::PathPrefix => (2, length),
    };
    (
        kind,
        Reverse(length),
        one.method.is_none(),
        Reverse(one.headers.len()),
        Reverse(one.query_params.len()),
    )
}
