//! Which of two rules comes first.

use std::cmp::{Ordering, Reverse};

use super::super::matchers;
use super::rules::Made;
use crate::api::HttpMatch;
use crate::config::{HeaderMatch, Match, PathMatch, ValueMatch};

/// Orders two rules, the one that takes requests first being the less; equal ones stay in the order of their routes.
///
/// Exact path, then expression, then prefix; the longer text, of expressions too; more headers, the method counting as
/// one; more of them exact; the same of query parameters (cases 03-mix, 03-header-types).
pub(super) fn compare(a: &Made<'_>, b: &Made<'_>) -> Ordering {
    let rank = |made: &Made<'_>| rank_of(&made.route.matcher, &made.prefix);
    rank(a).cmp(&rank(b))
}

type Rank = (u8, Reverse<usize>, [Reverse<usize>; 4]);

/// How exact a match of a rule is; the most exact is the least.
pub(in super::super) fn rank(one: &HttpMatch) -> Rank {
    rank_of(&matchers::matcher(one), &one.path.value)
}

fn rank_of(matcher: &Match, prefix: &str) -> Rank {
    let (kind, length) = match &matcher.path {
        PathMatch::Exact(path) => (0, path.len()),
        PathMatch::Regex(expression) => (1, expression.len()),
        // A slash at the end counts here (case 03-paths step 8), although Envoy is not told.
        PathMatch::Elements(_) | PathMatch::Prefix(_) => {
            (2, if prefix == "/" { 0 } else { prefix.len() })
        }
    };
    let exact = |all: &[HeaderMatch]| {
        all.iter().filter(|it| matches!(it.value, ValueMatch::Exact(_))).count()
    };
    let counts = [
        matcher.headers.len(),
        exact(&matcher.headers),
        matcher.query.len(),
        exact(&matcher.query),
    ];
    (kind, Reverse(length), counts.map(Reverse))
}
