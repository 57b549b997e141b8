//! Which requests two routes have in common, as far as can be told from their matchers.

use gateway_api::config::{HeaderMatch, Match, PathMatch, ValueMatch};

use super::super::pairs::{Condition, Matcher};
use super::super::rivals::PathRelation;

impl Matcher for Match {
    fn beginning(&self) -> String {
        beginning(&self.path)
    }

    fn exact_conditions(&self) -> Vec<(Condition<'_>, &str)> {
        let headers = self.headers.iter().filter_map(|it| {
            Some((Condition::Header(it.name.to_ascii_lowercase()), exact(&it.value)?))
        });
        let query = self.query.iter();
        let query = query.filter_map(|it| Some((Condition::Query(&it.name), exact(&it.value)?)));
        let all: Vec<_> = headers.chain(query).collect();
        // Of two conditions of one name nobody can tell which is meant.
        let is_single = |name: &Condition<'_>| all.iter().filter(|it| it.0 == *name).count() == 1;
        let single: Vec<bool> = all.iter().map(|(name, _)| is_single(name)).collect();
        all.into_iter().zip(single).filter_map(|(it, single)| single.then_some(it)).collect()
    }
}

/// The one value that fulfils a condition.
fn exact(value: &ValueMatch) -> Option<&str> {
    match value {
        ValueMatch::Exact(text) => Some(text),
        ValueMatch::Regex(_) => None,
    }
}

/// Whether `first`, coming before `second`, takes requests that `second` has a better claim to: a longer path carves its
/// requests out of a shorter one.
pub(super) fn takes_from(first: &Match, second: &Match) -> bool {
    relation(&first.path, &second.path) == PathRelation::Across && !exclude(first, second)
}

/// Whether there may be requests that both take.
pub(super) fn meet(first: &Match, second: &Match) -> bool {
    relation(&first.path, &second.path) != PathRelation::Apart && !exclude(first, second)
}

/// True when every request that `second` takes is taken by `first`, as far as can be told.
pub(super) fn covers(first: &Match, second: &Match) -> bool {
    use PathMatch::{Elements, Exact, Prefix, Regex};
    let paths = match (&first.path, &second.path) {
        (Prefix(prefix), Prefix(text) | Elements(text) | Exact(text)) => text.starts_with(prefix),
        (Elements(_), Elements(text) | Exact(text)) => first.path.takes(text),
        (Regex(_), Exact(text)) => first.path.takes(text),
        (one, other) => one == other,
    };
    paths
        && first.headers.iter().all(|header| second.headers.iter().any(|it| same(header, it)))
        && first.query.iter().all(|query| second.query.contains(query))
}

fn same(one: &HeaderMatch, other: &HeaderMatch) -> bool {
    one.name.eq_ignore_ascii_case(&other.name) && one.value == other.value
}

fn relation(one: &PathMatch, other: &PathMatch) -> PathRelation {
    use PathMatch::{Exact, Regex};
    let is_prefix =
        |path: &PathMatch| matches!(path, PathMatch::Prefix(_) | PathMatch::Elements(_));
    match (one, other) {
        (Exact(a), Exact(b)) if a == b => PathRelation::Across,
        (Exact(_), Exact(_)) => PathRelation::Apart,
        (Exact(text), path) | (path, Exact(text)) if !path.takes(text) => PathRelation::Apart,
        (Exact(text), path) if is_prefix(path) && text.len() > path.text().len() => {
            PathRelation::Within
        }
        (Exact(_), _) | (_, Exact(_)) => PathRelation::Across,
        (Regex(_), _) | (_, Regex(_)) => {
            let (a, b) = (beginning(one), beginning(other));
            match a.starts_with(&b) || b.starts_with(&a) {
                false => PathRelation::Apart,
                true if is_prefix(other) && a.len() > b.len() => PathRelation::Within,
                true => PathRelation::Across,
            }
        }
        // `/a/` is below `/a`, and `/ab` is not.
        (one, other) if one.takes(other.text()) => PathRelation::Across,
        (one, other) if other.takes(one.text()) => PathRelation::Within,
        _ => PathRelation::Apart,
    }
}

/// The letters that every path begins with which it takes.
fn beginning(path: &PathMatch) -> String {
    match path {
        PathMatch::Regex(text) => gloo::config::PathMatch::Regex(text.clone()).beginning(),
        path => path.text().to_owned(),
    }
}

/// Whether no request fulfils the conditions of both.
fn exclude(first: &Match, second: &Match) -> bool {
    let headers = first.headers.iter().any(|one| {
        let named = |other: &&HeaderMatch| other.name.eq_ignore_ascii_case(&one.name);
        // A header sent twice fulfils both (case 02-headers); nobody means that.
        second.headers.iter().filter(named).any(|other| values_exclude(&one.value, &other.value))
    });
    let query = first.query.iter().any(|one| {
        let mut other = second.query.iter().filter(|other| other.name == one.name);
        other.any(|other| values_exclude(&one.value, &other.value))
    });
    headers || query
}

fn values_exclude(one: &ValueMatch, other: &ValueMatch) -> bool {
    matches!((one, other), (ValueMatch::Exact(a), ValueMatch::Exact(b)) if a != b)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::super::pairs::pairs;
    use super::*;

    fn matcher(path: PathMatch) -> Match {
        Match { path, headers: Vec::new(), query: Vec::new() }
    }

    fn elements(text: &str) -> Match {
        matcher(PathMatch::Elements(text.into()))
    }

    fn exact(text: &str) -> Match {
        matcher(PathMatch::Exact(text.into()))
    }

    fn regex(text: &str) -> Match {
        matcher(PathMatch::Regex(text.into()))
    }

    fn with(mut matcher: Match, name: &str, value: &str) -> Match {
        let value = ValueMatch::Exact(value.into());
        matcher.headers.push(HeaderMatch { name: name.into(), value });
        matcher
    }

    #[test]
    fn who_takes_requests_from_whom_is_told_by_path_and_conditions() {
        let all = matcher(PathMatch::Prefix("/".into()));
        for (first, second, takes, met) in [
            (elements("/a"), elements("/a"), true, true),
            (elements("/a/b"), elements("/a"), false, true),
            (elements("/a"), elements("/a/b"), true, true),
            (elements("/ab"), elements("/a"), false, false),
            (elements("/a"), all.clone(), false, true),
            (all.clone(), all.clone(), true, true),
            (exact("/a"), elements("/a"), true, true),
            (exact("/a/b"), elements("/a"), false, true),
            (exact("/ab"), elements("/a"), false, false),
            (exact("/a"), exact("/a/"), false, false),
            (regex("/a/[0-9]+"), elements("/a"), false, true),
            (regex("/.*"), elements("/a"), true, true),
            (regex("/a|/b"), elements("/b"), true, true),
            (regex("/a/[0-9]+"), exact("/a/x"), false, false),
            (exact("/a/1"), regex("/a/[0-9]+"), true, true),
            (with(elements("/a"), "s", "1"), elements("/a"), true, true),
            (with(elements("/a"), "s", "1"), with(elements("/a"), "S", "2"), false, false),
            (with(elements("/a"), "s", "1"), with(elements("/a"), "t", "2"), true, true),
        ] {
            assert_eq!(takes_from(&first, &second), takes, "{first:?} {second:?}");
            assert_eq!(meet(&first, &second), met, "{first:?} {second:?}");
            assert_eq!(meet(&second, &first), met, "{second:?} {first:?}");
        }
    }

    #[test]
    fn a_matcher_covers_another_that_takes_nothing_beside() {
        for (first, second, expected) in [
            (elements("/a"), elements("/a/b"), true),
            (elements("/a"), elements("/ab"), false),
            (elements("/a/b"), elements("/a"), false),
            (elements("/a"), exact("/a"), true),
            (exact("/a"), elements("/a"), false),
            (regex("/a/[0-9]+"), exact("/a/1"), true),
            (regex("/a/.*"), regex("/a/.*"), true),
            (elements("/a"), with(elements("/a"), "s", "1"), true),
            (with(elements("/a"), "s", "1"), elements("/a"), false),
            (with(elements("/a"), "s", "1"), with(elements("/a"), "S", "1"), true),
        ] {
            assert_eq!(covers(&first, &second), expected, "{first:?} {second:?}");
        }
    }

    fn any_condition() -> impl Strategy<Value = HeaderMatch> {
        let name = select(vec!["stage", "Stage", "tenant", ":method"]).prop_map(str::to_owned);
        let value = prop_oneof![
            3 => select(vec!["one", "two"]).prop_map(|it| ValueMatch::Exact(it.into())),
            1 => Just(ValueMatch::Regex("o.*".into())),
        ];
        (name, value).prop_map(|(name, value)| HeaderMatch { name, value })
    }

    fn any_matcher() -> impl Strategy<Value = Match> {
        let text = || select(vec!["/a", "/ab", "/a/b", "/a/b/c", "/d"]).prop_map(str::to_owned);
        let path = prop_oneof![
            1 => Just(PathMatch::Prefix("/".into())),
            4 => text().prop_map(PathMatch::Elements),
            3 => text().prop_map(PathMatch::Exact),
            2 => text().prop_map(|it| PathMatch::Regex(format!("{it}[a-z/]*"))),
            1 => Just(PathMatch::Regex("/(a|d)".into())),
        ];
        (path, vec(any_condition(), 0..3), vec(any_condition(), 0..2))
            .prop_map(|(path, headers, query)| Match { path, headers, query })
    }

    proptest! {
        #[test]
        fn every_pair_with_requests_in_common_is_found_without_comparing_all(
            matchers in vec((any_matcher(), any::<bool>()), 0..12)
        ) {
            let (matchers, concerned): (Vec<Match>, Vec<bool>) = matchers.into_iter().unzip();
            let matchers: Vec<&Match> = matchers.iter().collect();
            let mut told = BTreeSet::new();
            let end = pairs(&matchers, |at| concerned[at], |i, j| {
                assert!(told.insert((i, j)), "twice");
                Ok::<(), Infallible>(())
            });
            prop_assert_eq!(end, Ok(()));
            for (i, one) in matchers.iter().enumerate() {
                for (j, other) in matchers.iter().enumerate().skip(i + 1) {
                    let common = meet(one, other) || takes_from(one, other) || covers(one, other);
                    let expected = common && (concerned[i] || concerned[j]);
                    prop_assert!(!expected || told.contains(&(i, j)), "{:?} {:?}", one, other);
                }
            }
        }
    }
}
