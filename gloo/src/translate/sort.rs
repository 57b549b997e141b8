//! The order of routes from several RouteTables of one weight.

use std::cmp::Reverse;

use super::proxy::ProxyRoute;
use crate::api::{Matcher, Path, Route};

/// Sorts by the smallest matcher of each route; equal routes keep their order. More methods come
/// first, then exact before regex before prefix, then the lexicographically greater path; headers do
/// not count (gloo-conformance cases 10-*).
pub(super) fn by_path(routes: &mut [ProxyRoute]) {
    routes.sort_by_cached_key(|route| smallest(&route.matchers));
}

/// Whether a request may be answered by another of these routes of one RouteTable once a second table of the
/// same weight is selected with it: Gloo then sorts routes that it left in their order before.
pub fn depends_on_other_tables(routes: &[Route]) -> bool {
    let is_moved = |at: usize, later: &Route| {
        let rank = smallest(&later.matchers);
        routes[..at].iter().any(|earlier| {
            rank < smallest(&earlier.matchers) && share_paths(&earlier.matchers, &later.matchers)
        })
    };
    routes.iter().enumerate().any(|(at, route)| is_moved(at, route))
}

/// Whether a path may fulfil a matcher of both, which is assumed of regular expressions.
fn share_paths(some: &[Matcher], others: &[Matcher]) -> bool {
    // A matcher may ignore the case of letters.
    let begins = |path: &str, prefix: &str| path.to_lowercase().starts_with(&prefix.to_lowercase());
    let meet = |one: &Matcher, other: &Matcher| match (one.path(), other.path()) {
        (Some(Path::Exact(one)), Some(Path::Exact(other))) => {
            begins(&one, &other) && begins(&other, &one)
        }
        (Some(Path::Exact(exact)), Some(Path::Prefix(prefix)))
        | (Some(Path::Prefix(prefix)), Some(Path::Exact(exact))) => begins(&exact, &prefix),
        (Some(Path::Prefix(one)), Some(Path::Prefix(other))) => {
            begins(&one, &other) || begins(&other, &one)
        }
        _ => true,
    };
    let is_any = |matchers: &[Matcher]| matchers.is_empty();
    is_any(some)
        || is_any(others)
        || some.iter().any(|one| others.iter().any(|other| meet(one, other)))
}

type Rank = (Reverse<usize>, u8, Reverse<String>);

fn smallest(matchers: &[Matcher]) -> Rank {
    let ranks = matchers.iter().map(rank);
    ranks.min().unwrap_or_else(|| rank(&Matcher::all()))
}

fn rank(matcher: &Matcher) -> Rank {
    let kind = match matcher.path() {
        None | Some(Path::Connect) => 0,
        Some(Path::Exact(_)) => 1,
        Some(Path::Regex(_)) => 2,
        Some(Path::Prefix(_)) => 3,
    };
    (Reverse(matcher.methods.len()), kind, Reverse(matcher.path_text()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::DirectResponseAction;
    use crate::translate::proxy::ProxyAction;

    fn route(matchers: Vec<Matcher>) -> ProxyRoute {
        let action = ProxyAction::DirectResponse(DirectResponseAction::default());
        ProxyRoute { holder: Arc::default(), name: String::new(), matchers, options: None, action }
    }

    fn prefix(path: &str) -> Matcher {
        Matcher { prefix: Some(path.into()), ..Matcher::default() }
    }

    #[test]
    fn a_path_sorts_by_letters_not_by_length() {
        let mut routes = [route(vec![prefix("/a/bbb")]), route(vec![prefix("/z")])];
        by_path(&mut routes);
        assert_eq!(routes[0].matchers[0].path_text(), "/z");
    }

    #[test]
    fn a_route_goes_by_its_smallest_matcher() {
        let exact = Matcher { exact: Some("/a".into()), ..Matcher::default() };
        let mut routes = [route(vec![prefix("/b")]), route(vec![prefix("/"), exact])];
        by_path(&mut routes);
        assert_eq!(routes[0].matchers.len(), 2);
    }
    #[test]
    fn only_an_order_that_sorting_changes_for_a_request_depends_on_other_tables() {
        let routes = |paths: &[&str]| -> Vec<Route> {
            let route = |path: &&str| Route { matchers: vec![prefix(path)], ..Route::default() };
            paths.iter().map(route).collect()
        };
        assert!(depends_on_other_tables(&routes(&["/", "/z"])));
        assert!(depends_on_other_tables(&routes(&["/a", "/b", "/ab"])));
        assert!(!depends_on_other_tables(&routes(&["/z", "/"])));
        assert!(!depends_on_other_tables(&routes(&["/b", "/c"])), "no request fulfils both");
        assert!(!depends_on_other_tables(&routes(&["/a", "/a"])), "equal ones keep their order");
        let exact = Matcher { exact: Some("/b/c".into()), ..Matcher::default() };
        let exact = Route { matchers: vec![exact], ..Route::default() };
        let [before] = [routes(&["/b"])].map(|mut routes| routes.remove(0));
        assert!(depends_on_other_tables(&[before, exact.clone()]));
        let [apart] = [routes(&["/a"])].map(|mut routes| routes.remove(0));
        assert!(!depends_on_other_tables(&[apart, exact.clone()]));
        let all = Route::default();
        assert!(depends_on_other_tables(&[all, exact]), "without matchers it is for every path");
    }
}
