//! When the answers changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// When a version answered for the first and for the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first answer.
    pub first: Instant,
    /// The last answer so far.
    pub last: Instant,
}

/// When the answers changed on the way from the versions of `before` to those of `after`.
///
/// A version that comes shows it with its first answer. When versions only go, no single answer
/// differs from those before; then it is the last answer of what went, after which all differ.
/// `None` when the same versions answer, or when the change has not shown yet.
pub fn first_change(
    before: &BTreeSet<String>,
    after: &BTreeSet<String>,
    seen: &BTreeMap<String, Span>,
) -> Option<Instant> {
    let mut coming = after.difference(before).peekable();
    if coming.peek().is_some() {
        return coming.filter_map(|version| seen.get(version)).map(|span| span.first).min();
    }
    before.difference(after).filter_map(|version| seen.get(version)).map(|span| span.last).max()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn set(versions: &[&str]) -> BTreeSet<String> {
        versions.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_version_that_comes_shows_with_its_first_answer_and_one_that_goes_with_its_last() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let seen = BTreeMap::from([
            ("v1".to_owned(), Span { first: at(1), last: at(5) }),
            ("v2".to_owned(), Span { first: at(3), last: at(9) }),
        ]);
        let (v1, v2, both) = (set(&["v1"]), set(&["v2"]), set(&["v1", "v2"]));
        assert_eq!(first_change(&v1, &both, &seen), Some(at(3)));
        assert_eq!(first_change(&v1, &v2, &seen), Some(at(3)));
        assert_eq!(first_change(&both, &v2, &seen), Some(at(5)));
        assert_eq!(first_change(&v2, &v2, &seen), None);
        assert_eq!(first_change(&v1, &set(&["v3"]), &seen), None);
    }
}
