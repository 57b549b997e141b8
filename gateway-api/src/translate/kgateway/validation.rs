//! What kgateway checks of a route before it sends it.

use crate::config::{Action, PathMatch, PathRewrite, Route, Target};

/// Why the route is not sent as it is.
pub(super) fn fault(route: &Route) -> Option<String> {
    let path = match &route.matcher.path {
        PathMatch::Regex(_) => None,
        other => path_fault(other.text()),
    };
    let action = || match &route.action {
        Action::Redirect(redirect) => {
            let texts = [&redirect.path, &redirect.host, &redirect.scheme];
            let rewrite = match &redirect.rewrite {
                Some(PathRewrite::Prefix(prefix)) => path_fault(prefix),
                _ => None,
            };
            texts.into_iter().flatten().find_map(|text| path_fault(text)).or(rewrite)
        }
        Action::Forward(forward) => {
            if let Target::Weighted(clusters) = &forward.target
                && clusters.iter().all(|cluster| cluster.weight == 0)
            {
                let words = "All backend weights are 0. At least one backendRef in the HTTPRoute rule must \
                             specify a non-zero weight";
                return Some(words.into());
            }
            match &forward.path_rewrite {
                Some(PathRewrite::Prefix(prefix)) => path_fault(prefix.split(['?', '#']).next()?),
                _ => None,
            }
        }
        Action::DirectResponse { .. } => None,
    };
    path.or_else(action)
}

fn path_fault(path: &str) -> Option<String> {
    let ordinary = |c: u8| c.is_ascii_alphanumeric() || b"/:@._~!$&'()*+,=;-".contains(&c);
    let bytes = path.as_bytes();
    let escaped = |at: usize| {
        bytes.get(at + 1..at + 3).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
    };
    let valid = (0..bytes.len())
        .all(|at| if bytes[at] == b'%' { escaped(at) } else { ordinary(bytes[at]) });
    if !valid {
        return Some(format!("the \"{path}\" path is invalid: must only contain valid characters"));
    }
    let contained =
        ["//", "/./", "/../", "%2f", "%2F", "#"].into_iter().find(|it| path.contains(it));
    let ended = ["/..", "/."].into_iter().find(|it| path.ends_with(it));
    let part = contained.or(ended)?;
    Some(format!("the \"{path}\" path is invalid: cannot contain [{part}]"))
}
