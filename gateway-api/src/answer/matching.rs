use super::path::split;
use crate::Request;
use crate::config::{HeaderMatch, Match};

/// Whether a route takes the request, whose path is normalised.
pub(super) fn takes(matcher: &Match, request: &Request) -> bool {
    matcher.path.takes(split(&request.path).0)
        && matcher.headers.iter().all(|header| has_header(header, request))
        && matcher.query.iter().all(|query| has_parameter(query, request))
}

/// Each value of a header that is sent several times is compared by itself (case 02-headers).
fn has_header(header: &HeaderMatch, request: &Request) -> bool {
    match header.name.to_ascii_lowercase().as_str() {
        ":method" => header.value.takes(&request.method),
        ":authority" | "host" => header.value.takes(&request.host),
        ":path" => header.value.takes(&request.path),
        name => {
            let mut named =
                request.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
            named.any(|(_, value)| header.value.takes(value))
        }
    }
}

/// Of a parameter that stands there twice the first counts; nothing is decoded (case 02-query).
fn has_parameter(query: &HeaderMatch, request: &Request) -> bool {
    let text = split(&request.path).1.trim_start_matches('?');
    let text = text.split('#').next().unwrap_or_default();
    let pairs = text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = pairs.filter(|(name, _)| *name == query.name).map(|(_, value)| value);
    values.next().is_some_and(|value| query.value.takes(value))
}
