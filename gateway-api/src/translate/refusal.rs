//! What Envoy refuses of a route configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ObjectRef;
use crate::code::Code;
use crate::config::{Action, HeaderEdits, PathRewrite, Route, RouteConfiguration, Target};
use crate::environment::Profile;
use crate::pattern;

/// Why Envoy refuses something, and whose it is.
pub(super) struct Refusal {
    pub(super) object: Arc<ObjectRef>,
    pub(super) code: Code,
    pub(super) words: String,
}

/// Said of an expression without a letter. Envoy Gateway finds it before Envoy does, and then sends that Envoy nothing at
/// all any more (case 07-empty-expression).
pub(super) const EMPTY: &str = "the expression is empty";

/// The longest body of a direct answer, in bytes.
const LONGEST_BODY: usize = 4096;

/// Everything for which Envoy refuses the route configuration, in its order.
pub(super) fn refusals(configuration: &RouteConfiguration, profile: Profile) -> Vec<Refusal> {
    let mut all = Vec::new();
    let mut domains = BTreeSet::new();
    for host in &configuration.virtual_hosts {
        for domain in &host.domains {
            if !domains.insert(domain.to_ascii_lowercase()) {
                let words = format!(
                    "Only unique values for domains are permitted. Duplicate entry of domain {domain}"
                );
                let object = host.routes.first().map_or_else(
                    || Arc::clone(&configuration.gateway),
                    |route| Arc::clone(&route.holder),
                );
                all.push(Refusal { object, code: Code::DuplicateDomain, words });
            }
        }
        for route in &host.routes {
            all.extend(of_route(route, profile).map(|(code, words)| Refusal {
                object: Arc::clone(&route.holder),
                code,
                words,
            }));
        }
    }
    all
}

/// Why Envoy refuses a route.
pub(super) fn of_route(route: &Route, profile: Profile) -> Option<(Code, String)> {
    of_match(route, profile).or_else(|| of_action(route, profile))
}

/// Why Envoy refuses what a route takes.
pub(super) fn of_match(route: &Route, profile: Profile) -> Option<(Code, String)> {
    route.matcher.expressions().find_map(|expression| of_expression(expression, profile))
}

fn of_expression(expression: &str, profile: Profile) -> Option<(Code, String)> {
    if expression.is_empty() {
        return Some((Code::InvalidExpression, EMPTY.into()));
    }
    if let Err(fault) = pattern::check(expression) {
        return Some((Code::InvalidExpression, fault));
    }
    let limit = profile.program_size()?;
    let size = pattern::program_size(expression).filter(|size| *size > limit)?;
    let words = format!(
        "regex '{expression}' RE2 program size of {size} > max program size of {limit} set for the error level \
         threshold. Increase configured max program size if necessary."
    );
    Some((Code::LongExpression, words))
}

fn of_action(route: &Route, profile: Profile) -> Option<(Code, String)> {
    let edits = [&route.request_headers, &route.response_headers];
    if let Some(found) = edits.into_iter().find_map(of_headers) {
        return Some(found);
    }
    match &route.action {
        Action::DirectResponse { body: Some(body), .. } if body.len() > LONGEST_BODY => {
            let words =
                format!("response body size is {} bytes; maximum is {LONGEST_BODY}", body.len());
            Some((Code::InvalidDirectResponse, words))
        }
        Action::DirectResponse { .. } => None,
        Action::Redirect(redirect) => of_rewrite(redirect.rewrite.as_ref(), profile),
        Action::Forward(forward) => {
            if let Target::Weighted(clusters) = &forward.target {
                for cluster in clusters {
                    let edits = [&cluster.request_headers, &cluster.response_headers];
                    if let Some(found) = edits.into_iter().find_map(of_headers) {
                        return Some(found);
                    }
                }
                if clusters.iter().all(|cluster| cluster.weight == 0) {
                    let words = "Sum of weights in the weighted_cluster must be greater than 0.";
                    return Some((Code::NoTotalWeight, words.into()));
                }
            }
            of_rewrite(forward.path_rewrite.as_ref(), profile)
        }
    }
}

fn of_rewrite(rewrite: Option<&PathRewrite>, profile: Profile) -> Option<(Code, String)> {
    let Some(PathRewrite::Regex { pattern, .. }) = rewrite else { return None };
    of_expression(pattern, profile)
}

fn of_headers(edits: &HeaderEdits) -> Option<(Code, String)> {
    let reserved = |name: &str| name.starts_with(':') || name.eq_ignore_ascii_case("host");
    if edits.add.iter().any(|edit| reserved(&edit.name)) {
        let words = ":-prefixed or host headers may not be modified";
        return Some((Code::InvalidHeader, words.into()));
    }
    if edits.remove.iter().any(|name| reserved(name)) {
        let words = ":-prefixed or host headers may not be removed";
        return Some((Code::InvalidHeader, words.into()));
    }
    edits.add.iter().find_map(|edit| of_format(&edit.value))
}

/// Envoy reads `%` as the beginning of a command; `%%` is a percent sign (case 07-header-value-percent).
fn of_format(value: &str) -> Option<(Code, String)> {
    let mut position = 0;
    while let Some(offset) = value.get(position..).and_then(|rest| rest.find('%')) {
        let at = position + offset;
        let rest = value.get(at + 1..).unwrap_or_default();
        if rest.starts_with('%') {
            position = at + 2;
            continue;
        }
        match command(rest) {
            Some(length) => position = at + 1 + length,
            None => {
                let words = format!(
                    "Incorrect configuration: {value}. Couldn't find valid command at position {at}"
                );
                return Some((Code::InvalidHeader, words));
            }
        }
    }
    None
}

/// The length of a command and its closing `%`, for example of `REQ(x-a):5%`.
fn command(rest: &str) -> Option<usize> {
    let name = rest.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))?;
    if !rest.get(..name).is_some_and(is_command) {
        return None;
    }
    let mut at = name;
    if rest.get(at..)?.starts_with('(') {
        at += rest.get(at..)?.find(')')? + 1;
    }
    if rest.get(at..)?.starts_with(':') {
        at += 1;
        at += rest.get(at..)?.find(|c: char| !c.is_ascii_digit())?;
    }
    rest.get(at..)?.starts_with('%').then_some(at + 1)
}

/// Whether Envoy knows a command; the many about the connections on both sides are not told apart.
fn is_command(name: &str) -> bool {
    const COMMANDS: &[&str] = &[
        "ACCESS_LOG_TYPE",
        "BYTES_RECEIVED",
        "BYTES_RETRANSMITTED",
        "BYTES_SENT",
        "CLUSTER_METADATA",
        "COMMON_DURATION",
        "CONNECTION_ID",
        "CONNECTION_TERMINATION_DETAILS",
        "CUSTOM_FLAGS",
        "DURATION",
        "DYNAMIC_METADATA",
        "EMIT_TIME",
        "EMIT_TIME_LOCAL",
        "ENVIRONMENT",
        "FILTER_CHAIN_NAME",
        "FILTER_STATE",
        "GRPC_STATUS",
        "GRPC_STATUS_NUMBER",
        "HOSTNAME",
        "LOCAL_REPLY_BODY",
        "METADATA",
        "PACKETS_RETRANSMITTED",
        "PATH",
        "PROTOCOL",
        "QUERY_PARAM",
        "QUERY_PARAMS",
        "REQ",
        "REQUESTED_SERVER_NAME",
        "REQUEST_DURATION",
        "REQUEST_HEADERS_BYTES",
        "REQUEST_TX_DURATION",
        "RESP",
        "RESPONSE_CODE",
        "RESPONSE_CODE_DETAILS",
        "RESPONSE_DURATION",
        "RESPONSE_FLAGS",
        "RESPONSE_FLAGS_LONG",
        "RESPONSE_HEADERS_BYTES",
        "RESPONSE_TRAILERS_BYTES",
        "RESPONSE_TX_DURATION",
        "ROUNDTRIP_DURATION",
        "ROUTE_NAME",
        "START_TIME",
        "START_TIME_LOCAL",
        "STREAM_ID",
        "TLS_JA3_FINGERPRINT",
        "TLS_JA4_FINGERPRINT",
        "TRACE_ID",
        "TRAILER",
        "UNIQUE_ID",
        "VIRTUAL_CLUSTER_NAME",
    ];
    COMMANDS.contains(&name)
        || ["DOWNSTREAM_", "UPSTREAM_"].iter().any(|side| name.starts_with(side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_begins_a_command() {
        for fine in ["", "a", "50%%", "%REQ(x-a)%", "%REQ(x-a):5%b", "%START_TIME%", "%%%%"] {
            assert!(of_format(fine).is_none(), "{fine}");
        }
        for wrong in ["100%", "%", "%%%", "%NOPE%", "50% off", "%req(x)%", "%REQ(x", "a%20b"] {
            assert!(of_format(wrong).is_some(), "{wrong}");
        }
        let (_, words) = of_format("100%").expect("refused");
        assert_eq!(
            words,
            "Incorrect configuration: 100%. Couldn't find valid command at position 3"
        );
    }
}
