use super::path::split;
use super::request::Request;
use crate::config::{HeaderMatch, Match, PathMatch, QueryMatch, ValueMatch};
use crate::pattern;

/// Whether the route takes the request, whose path is normalised (gloo-conformance cases 09-*).
pub(super) fn takes(matcher: &Match, request: &Request) -> bool {
    takes_path(matcher, request)
        && matcher.headers.iter().all(|header| has_header(header, request))
        && matcher.query.iter().all(|query| has_parameter(query, request))
}

fn takes_path(matcher: &Match, request: &Request) -> bool {
    let path = split(&request.path).0;
    let sensitive = matcher.case_sensitive.unwrap_or(true);
    let same = |a: &str, b: &str| if sensitive { a == b } else { a.eq_ignore_ascii_case(b) };
    match &matcher.path {
        Some(PathMatch::Prefix(prefix)) => {
            path.get(..prefix.len()).is_some_and(|head| same(head, prefix))
        }
        Some(PathMatch::Exact(exact)) => same(path, exact),
        Some(PathMatch::Regex(expression)) => pattern::matches_all(expression, path),
        Some(PathMatch::Connect) => request.method == "CONNECT",
        None => false,
    }
}

/// Each value of a header sent several times is compared by itself.
fn has_header(header: &HeaderMatch, request: &Request) -> bool {
    let values: Vec<&str> = match header.name.to_ascii_lowercase().as_str() {
        ":method" => vec![&request.method],
        ":authority" | "host" => vec![&request.host],
        ":path" => vec![&request.path],
        ":scheme" => vec!["http"],
        name => {
            let named = request.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value.as_str()).collect()
        }
    };
    if header.value == ValueMatch::Present {
        return values.is_empty() == header.invert;
    }
    let matched = values.iter().any(|value| fits(&header.value, value));
    !values.is_empty() && matched != header.invert
}

fn has_parameter(query: &QueryMatch, request: &Request) -> bool {
    let text = split(&request.path).1.trim_start_matches('?');
    let text = text.split('#').next().unwrap_or_default();
    let pairs = text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = pairs.filter(|(name, _)| *name == query.name).map(|(_, value)| value);
    values.next().is_some_and(|value| fits(&query.value, value))
}

fn fits(wanted: &ValueMatch, value: &str) -> bool {
    match wanted {
        ValueMatch::Present => true,
        ValueMatch::Exact(exact) => exact == value,
        ValueMatch::Regex(expression) => pattern::matches_all(expression, value),
    }
}
