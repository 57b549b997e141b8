//! Which requests two routes have in common, as far as can be told from their matchers.

use std::collections::BTreeSet;

use gloo::config::{HeaderMatch, Match, PathMatch, ValueMatch};

use super::rivals::PathRelation;

/// Whether `first`, coming before `second`, takes requests that `second` has a better claim to.
///
/// A longer path has the better claim: it carves its requests out of a shorter one.
pub(super) fn takes_from(first: &Match, second: &Match) -> bool {
    relation(first, second) == PathRelation::Across && !exclude(first, second)
}

/// Whether there may be requests that both take.
pub(super) fn meet(first: &Match, second: &Match) -> bool {
    relation(first, second) != PathRelation::Apart && !exclude(first, second)
}

/// True when every request that `second` takes is taken by `first`, as far as can be told.
pub(super) fn covers(first: &Match, second: &Match) -> bool {
    use PathMatch::{Exact, Prefix, Regex};
    let paths = match (&first.path, &second.path) {
        (Some(Prefix(prefix)), Some(Prefix(text) | Exact(text))) => text.starts_with(prefix),
        (Some(Prefix(prefix)), Some(path @ Regex(_))) => path.beginning().starts_with(prefix),
        (Some(expression @ Regex(_)), Some(Exact(text))) => expression.takes(text),
        (first, second) => first == second,
    };
    paths
        && first.case_sensitive.unwrap_or(true) == second.case_sensitive.unwrap_or(true)
        && first.headers.iter().all(|header| second.headers.contains(header))
        && first.query.iter().all(|query| second.query.contains(query))
}

fn relation(first: &Match, second: &Match) -> PathRelation {
    use PathMatch::{Connect, Exact, Prefix, Regex};
    let (Some(one), Some(other)) = (&first.path, &second.path) else { return PathRelation::Apart };
    match (one, other) {
        (Connect, Connect) => return PathRelation::Across,
        (Connect, _) | (_, Connect) => return PathRelation::Apart,
        _ => {}
    }
    let blind = [first, second].iter().any(|it| it.case_sensitive == Some(false));
    let text = |path: &PathMatch| match blind {
        true => path.beginning().to_ascii_lowercase(),
        false => path.beginning(),
    };
    let (a, b) = (text(one), text(other));
    let longer = a.len() > b.len();
    let apart = match (one, other) {
        (Exact(_), Exact(_)) => a != b,
        (Exact(text), Regex(_)) if !blind => !other.takes(text),
        (Regex(_), Exact(text)) if !blind => !one.takes(text),
        (Exact(_), Prefix(_)) => !a.starts_with(&b),
        (Prefix(_), Exact(_)) => !b.starts_with(&a),
        _ => !(a.starts_with(&b) || b.starts_with(&a)),
    };
    match other {
        _ if apart => PathRelation::Apart,
        Prefix(_) if longer => PathRelation::Within,
        _ => PathRelation::Across,
    }
}

/// Whether no request fulfils the conditions of both.
fn exclude(first: &Match, second: &Match) -> bool {
    let headers = first.headers.iter().any(|one| {
        let named = |other: &&HeaderMatch| other.name.eq_ignore_ascii_case(&one.name);
        second.headers.iter().filter(named).any(|other| headers_exclude(one, other))
    });
    let query = first.query.iter().any(|one| {
        let other = second.query.iter().filter(|other| other.name == one.name);
        other.into_iter().any(|other| values_exclude(&one.value, &other.value))
    });
    headers || query
}

fn headers_exclude(one: &HeaderMatch, other: &HeaderMatch) -> bool {
    if one.name == ":method" {
        return methods(one).is_disjoint(&methods(other));
    }
    let absent = |header: &HeaderMatch| header.invert && header.value == ValueMatch::Present;
    match (absent(one), absent(other)) {
        (true, false) | (false, true) => true,
        (true, true) => false,
        (false, false) if one.value == other.value => {
            one.invert != other.invert && one.value != ValueMatch::Present
        }
        // A header sent twice fulfils both (case 09-matcher-headers); nobody means that.
        (false, false) => !one.invert && !other.invert && values_exclude(&one.value, &other.value),
    }
}

/// The methods of a condition that Gloo makes of a matcher's list.
fn methods(header: &HeaderMatch) -> BTreeSet<&str> {
    match &header.value {
        ValueMatch::Regex(list) | ValueMatch::Exact(list) => list.split('|').collect(),
        ValueMatch::Present => BTreeSet::new(),
    }
}

fn values_exclude(one: &ValueMatch, other: &ValueMatch) -> bool {
    matches!((one, other), (ValueMatch::Exact(a), ValueMatch::Exact(b)) if a != b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(path: PathMatch) -> Match {
        Match { path: Some(path), case_sensitive: None, headers: Vec::new(), query: Vec::new() }
    }

    fn prefix(text: &str) -> Match {
        matcher(PathMatch::Prefix(text.into()))
    }

    fn with(mut matcher: Match, name: &str, value: ValueMatch) -> Match {
        matcher.headers.push(HeaderMatch { name: name.into(), value, invert: false });
        matcher
    }

    fn exactly(text: &str) -> ValueMatch {
        ValueMatch::Exact(text.into())
    }

    #[test]
    fn a_longer_path_carves_its_requests_out_of_a_shorter_one() {
        assert!(!takes_from(&prefix("/a/b"), &prefix("/a")));
        assert!(takes_from(&prefix("/a"), &prefix("/a/b")));
        assert!(takes_from(&prefix("/a"), &prefix("/a")));
    }

    #[test]
    fn an_exact_path_takes_the_very_request_that_a_prefix_is_about() {
        assert!(takes_from(&matcher(PathMatch::Exact("/a".into())), &prefix("/a")));
        assert!(!takes_from(&matcher(PathMatch::Exact("/a/b".into())), &prefix("/a")));
    }

    #[test]
    fn an_expression_that_may_match_anothers_paths_takes_from_it() {
        let any = matcher(PathMatch::Regex("/.*/b".into()));
        assert!(takes_from(&any, &prefix("/a")));
        let below = matcher(PathMatch::Regex("/a/[0-9]+".into()));
        assert!(!takes_from(&below, &prefix("/a")));
        assert!(!meet(&below, &prefix("/b")));
    }

    #[test]
    fn other_methods_and_other_values_are_other_requests() {
        let get = with(prefix("/a"), ":method", ValueMatch::Regex("GET|HEAD".into()));
        let post = with(prefix("/a"), ":method", ValueMatch::Regex("POST".into()));
        assert!(!takes_from(&get, &post) && takes_from(&get, &prefix("/a")));
        let one = with(prefix("/a"), "tenant", exactly("one"));
        assert!(!meet(&one, &with(prefix("/a"), "Tenant", exactly("two"))));
        assert!(meet(&one, &with(prefix("/a"), "stage", exactly("two"))));
    }

    #[test]
    fn letter_case_counts_unless_a_matcher_says_otherwise() {
        let blind = Match { case_sensitive: Some(false), ..prefix("/A") };
        assert!(takes_from(&blind, &prefix("/a")));
        assert!(!meet(&prefix("/A"), &prefix("/a")));
    }

    fn exact(text: &str) -> Match {
        matcher(PathMatch::Exact(text.into()))
    }

    fn regex(text: &str) -> Match {
        matcher(PathMatch::Regex(text.into()))
    }

    #[test]
    fn exact_paths_meet_only_themselves_and_expressions_that_match_them() {
        assert!(meet(&exact("/a"), &exact("/a")) && !meet(&exact("/a"), &exact("/a/b")));
        let letters = regex("/a/[a-z]+");
        for (path, expected) in [("/a/b", true), ("/a/1", false), ("/a", false)] {
            assert_eq!(meet(&exact(path), &letters), expected, "{path}");
            assert_eq!(meet(&letters, &exact(path)), expected, "{path}");
        }
        let blind = Match { case_sensitive: Some(false), ..exact("/A/B") };
        assert!(meet(&blind, &letters) && meet(&letters, &blind), "nobody can tell");
        let connect = matcher(PathMatch::Connect);
        assert!(meet(&connect, &connect) && !meet(&connect, &exact("/a")));
        assert!(!meet(&prefix("/"), &connect));
        assert!(!meet(&Match { path: None, ..prefix("/") }, &prefix("/")));
    }

    #[test]
    fn a_matcher_covers_another_that_takes_nothing_beside() {
        for (first, second, expected) in [
            (prefix("/a"), prefix("/a/b"), true),
            (prefix("/a/b"), prefix("/a"), false),
            (prefix("/a"), exact("/a/b"), true),
            (prefix("/a"), regex("/a/[0-9]+"), true),
            (prefix("/a"), regex("/.*"), false),
            (regex("/a/[0-9]+"), exact("/a/1"), true),
            (regex("/a/[0-9]+"), exact("/a/b"), false),
            (regex("/a/.*"), regex("/a/.*"), true),
            (regex("/a/.*"), regex("/b/.*"), false),
            (exact("/a"), exact("/a"), true),
            (exact("/a"), prefix("/a"), false),
        ] {
            assert_eq!(covers(&first, &second), expected, "{first:?} {second:?}");
        }
        let blind = Match { case_sensitive: Some(false), ..prefix("/a") };
        assert!(covers(&blind, &blind) && !covers(&blind, &prefix("/a")));
        assert!(!covers(&prefix("/a"), &blind));
        let staged = with(prefix("/a"), "stage", exactly("canary"));
        assert!(covers(&prefix("/a"), &staged) && !covers(&staged, &prefix("/a")));
    }

    #[test]
    fn conditions_on_a_header_exclude_each_other_when_no_request_fulfils_both() {
        let header =
            |value: ValueMatch, invert: bool| HeaderMatch { name: "stage".into(), value, invert };
        let (one, other) = (exactly("one"), exactly("other"));
        let present = || ValueMatch::Present;
        for (first, second, expected) in [
            (header(one.clone(), false), header(one.clone(), false), false),
            (header(one.clone(), false), header(other.clone(), false), true),
            (header(one.clone(), false), header(one.clone(), true), true),
            (header(one.clone(), true), header(one.clone(), true), false),
            (header(one.clone(), true), header(other.clone(), false), false),
            (header(one.clone(), true), header(other, true), false),
            (header(present(), false), header(present(), true), true),
            (header(present(), false), header(one.clone(), false), false),
            (header(present(), true), header(one.clone(), false), true),
            (header(present(), true), header(present(), true), false),
            (header(ValueMatch::Regex("o.*".into()), false), header(one, false), false),
        ] {
            assert_eq!(headers_exclude(&first, &second), expected, "{first:?} {second:?}");
            assert_eq!(headers_exclude(&second, &first), expected, "{second:?} {first:?}");
        }
    }
}
