//! What Envoy refuses in header changes.

use super::text::one_line;
use crate::code::Code;
use crate::config::{HeaderEdit, HeaderEdits};
use crate::translate::mistake::Mistake;

/// Commands that Envoy 1.40 fills in between `%` signs.
const COMMANDS: &str = "\
    ACCESS_LOG_TYPE BYTES_RECEIVED BYTES_RETRANSMITTED BYTES_SENT CONNECTION_ID \
    CONNECTION_TERMINATION_DETAILS CUSTOM_FLAGS DOWNSTREAM_DETECTED_CLOSE_TYPE \
    DOWNSTREAM_DIRECT_LOCAL_ADDRESS DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT \
    DOWNSTREAM_DIRECT_LOCAL_PORT DOWNSTREAM_DIRECT_REMOTE_ADDRESS \
    DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_DIRECT_REMOTE_PORT \
    DOWNSTREAM_HEADER_BYTES_RECEIVED DOWNSTREAM_HEADER_BYTES_SENT DOWNSTREAM_LOCAL_ADDRESS \
    DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT DOWNSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_LOCAL_DNS_SAN \
    DOWNSTREAM_LOCAL_PORT DOWNSTREAM_LOCAL_SUBJECT DOWNSTREAM_LOCAL_URI_SAN DOWNSTREAM_PEER_CERT \
    DOWNSTREAM_PEER_CERT_V_END DOWNSTREAM_PEER_CERT_V_START DOWNSTREAM_PEER_DNS_SAN \
    DOWNSTREAM_PEER_FINGERPRINT_1 DOWNSTREAM_PEER_FINGERPRINT_256 DOWNSTREAM_PEER_ISSUER \
    DOWNSTREAM_PEER_SERIAL DOWNSTREAM_PEER_SUBJECT DOWNSTREAM_PEER_URI_SAN \
    DOWNSTREAM_REMOTE_ADDRESS DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_REMOTE_PORT \
    DOWNSTREAM_TLS_CIPHER DOWNSTREAM_TLS_SESSION_ID DOWNSTREAM_TLS_VERSION \
    DOWNSTREAM_TRANSPORT_FAILURE_REASON DOWNSTREAM_WIRE_BYTES_RECEIVED \
    DOWNSTREAM_WIRE_BYTES_SENT DURATION EMIT_TIME FILTER_CHAIN_NAME GRPC_STATUS \
    GRPC_STATUS_NUMBER HOSTNAME PACKETS_RETRANSMITTED PATH PROTOCOL QUERY_PARAMS \
    REQUESTED_SERVER_NAME REQUEST_DURATION REQUEST_HEADERS_BYTES REQUEST_TX_DURATION \
    RESPONSE_CODE RESPONSE_CODE_DETAILS RESPONSE_DURATION RESPONSE_FLAGS RESPONSE_FLAGS_LONG \
    RESPONSE_HEADERS_BYTES RESPONSE_TRAILERS_BYTES RESPONSE_TX_DURATION ROUNDTRIP_DURATION \
    ROUTE_NAME SPAN_ID START_TIME STREAM_ID TLS_JA3_FINGERPRINT TLS_JA4_FINGERPRINT TRACE_ID \
    UNIQUE_ID UPSTREAM_CLUSTER UPSTREAM_CLUSTER_RAW UPSTREAM_CONNECTION_ID \
    UPSTREAM_CONNECTION_POOL_READY_DURATION UPSTREAM_DETECTED_CLOSE_TYPE \
    UPSTREAM_HEADER_BYTES_RECEIVED UPSTREAM_HEADER_BYTES_SENT UPSTREAM_HOST \
    UPSTREAM_HOSTS_ATTEMPTED UPSTREAM_HOST_NAME UPSTREAM_HOST_NAME_WITHOUT_PORT \
    UPSTREAM_LOCAL_ADDRESS UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT UPSTREAM_LOCAL_DNS_SAN \
    UPSTREAM_LOCAL_PORT UPSTREAM_LOCAL_URI_SAN UPSTREAM_PEER_CERT UPSTREAM_PEER_DNS_SAN \
    UPSTREAM_PEER_ISSUER UPSTREAM_PEER_SUBJECT UPSTREAM_PEER_URI_SAN UPSTREAM_PROTOCOL \
    UPSTREAM_REMOTE_ADDRESS UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT UPSTREAM_REMOTE_PORT \
    UPSTREAM_REQUEST_ATTEMPT_COUNT UPSTREAM_TLS_CIPHER UPSTREAM_TLS_SESSION_ID \
    UPSTREAM_TLS_VERSION UPSTREAM_TRANSPORT_FAILURE_REASON UPSTREAM_WIRE_BYTES_RECEIVED \
    UPSTREAM_WIRE_BYTES_SENT VIRTUAL_CLUSTER_NAME";

/// Commands that need an argument in parentheses.
const COMMANDS_WITH_ARGUMENT: &str = "\
    CEL CLUSTER_METADATA COMMON_DURATION DYNAMIC_METADATA ENVIRONMENT FILTER_STATE METADATA \
    PER_REQUEST_STATE QUERY_PARAM REQ REQUEST_HEADER RESP TRAILER UPSTREAM_FILTER_STATE \
    UPSTREAM_METADATA";

/// Why Envoy refuses the header changes, if it does.
pub(super) fn refusal(edits: &HeaderEdits) -> Option<Mistake> {
    let added = edits.request_add.iter().chain(&edits.response_add);
    let mut removed = edits.request_remove.iter().chain(&edits.response_remove);
    added.filter_map(of_added).next().or_else(|| removed.find_map(|name| of_removed(name)))
}

fn of_added(edit: &HeaderEdit) -> Option<Mistake> {
    if edit.name.is_empty() {
        return Some(invalid("a header to add without a name"));
    }
    one_line(Code::InvalidHeader, "a header", &edit.name)
        .or_else(|| one_line(Code::InvalidHeader, "the value of a header", &edit.value))
        .or_else(|| of_value(&edit.value))
}

fn of_removed(name: &str) -> Option<Mistake> {
    if name.is_empty() {
        return Some(invalid("a header to remove without a name"));
    }
    let fixed = name.starts_with(':') || name.eq_ignore_ascii_case("host");
    fixed.then(|| invalid(format!(":-prefixed or host headers may not be removed, got {name}")))
}

fn invalid(words: impl Into<String>) -> Mistake {
    Mistake::new(Code::InvalidHeader, words)
}

/// `%%` is a percent sign; any other stands at the beginning or the end of a command.
fn of_value(value: &str) -> Option<Mistake> {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('%') {
        if let Some(after) = after.strip_prefix('%') {
            rest = after;
            continue;
        }
        let Some(length) = command(after) else {
            return Some(invalid(format!(
                "unknown or unfinished %command% in header value {value:?}"
            )));
        };
        rest = &after[length..];
    }
    None
}

/// The length of a command with its closing `%`, if it is one.
fn command(text: &str) -> Option<usize> {
    let name = text.find(|c: char| !c.is_ascii_uppercase() && c != '_' && !c.is_ascii_digit())?;
    let among = |commands: &str| commands.split(' ').any(|command| command == &text[..name]);
    let mut end = name;
    let mut argument = "";
    if let Some(open) = text[name..].strip_prefix('(') {
        let close = open.find(')')?;
        argument = &open[..close];
        end += close + 2;
    }
    if let Some(limit) = text[end..].strip_prefix(':') {
        end += 1 + limit.find(|c: char| !c.is_ascii_digit())?;
    }
    let known = among(COMMANDS) || (among(COMMANDS_WITH_ARGUMENT) && !argument.is_empty());
    (known && text[end..].starts_with('%')).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::of_value;

    #[test]
    fn commands_are_taken_and_single_percent_signs_are_not() {
        for value in ["", "a%%b", "%REQ(x?y):5%", "%START_TIME(%s)%", "%PROTOCOL%-%HOSTNAME%"] {
            assert_eq!(of_value(value), None, "{value}");
        }
        for value in ["%FOO%", "100%", "%REQ()%", "%req(x)%", "%REQ(x)", "%REQ%"] {
            assert!(of_value(value).is_some(), "{value}");
        }
    }
}
