//! The order of routes from several RouteTables of one weight.

use std::cmp::Reverse;

use super::proxy::ProxyRoute;
use crate::api::{Matcher, Path};

/// Sorts by the smallest matcher of each route; equal routes keep their order. More methods come
/// first, then exact before regex before prefix, then the lexicographically greater path; headers do
/// not count (gloo-conformance cases 10-*).
pub(super) fn by_path(routes: &mut [ProxyRoute]) {
    routes.sort_by_cached_key(smallest);
}

type Rank = (Reverse<usize>, u8, Reverse<String>);

fn smallest(route: &ProxyRoute) -> Rank {
    let ranks = route.matchers.iter().map(rank);
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
}
