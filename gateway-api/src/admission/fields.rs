//! The fields of the kinds of the Gateway API 1.6, in the words of its reference.

use regex::Regex;

use super::schema::Schema;
use crate::environment::Channel;

const PRECISE_HOST: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const ORIGIN: &str = r"\*|https?://((\*\.)?([a-zA-Z0-9\-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?";
const METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
const CORS_METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"];
const FILTERS: &[&str] = &[
    "RequestHeaderModifier",
    "ResponseHeaderModifier",
    "RequestMirror",
    "RequestRedirect",
    "URLRewrite",
    "ExtensionRef",
    "CORS",
];
const EXPERIMENTAL_FILTERS: &[&str] = &[
    "RequestHeaderModifier",
    "ResponseHeaderModifier",
    "RequestMirror",
    "RequestRedirect",
    "URLRewrite",
    "ExtensionRef",
    "CORS",
    "ExternalAuth",
];

/// A text of which the whole has to look like this.
fn text(least: usize, most: usize, format: &str) -> Schema {
    Schema::Text { least, most, format: Regex::new(&format!("^(?:{format})$")).ok() }
}

fn plain(least: usize, most: usize) -> Schema {
    Schema::Text { least, most, format: None }
}

fn number(least: i64, most: i64) -> Schema {
    Schema::Number { least, most, one_of: &[] }
}

fn list(item: Schema, least: usize, most: usize) -> Schema {
    Schema::List { item: Box::new(item), least, most, key: None }
}

fn named(item: Schema, most: usize) -> Schema {
    Schema::List { item: Box::new(item), least: 0, most, key: Some("name") }
}

fn fields(required: &'static [&'static str], fields: Vec<(&'static str, Schema)>) -> Schema {
    Schema::Fields { fields, required }
}

fn group() -> Schema {
    text(0, 253, &format!("|{PRECISE_HOST}"))
}

fn kind() -> Schema {
    text(1, 63, "[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?")
}

fn name() -> Schema {
    plain(1, 253)
}

fn namespace() -> Schema {
    text(1, 63, "[a-z0-9]([-a-z0-9]*[a-z0-9])?")
}

fn section() -> Schema {
    text(1, 253, PRECISE_HOST)
}

fn port() -> Schema {
    number(1, 65_535)
}

fn hostname() -> Schema {
    text(1, 253, &format!(r"(\*\.)?{PRECISE_HOST}"))
}

fn header_name() -> Schema {
    text(1, 256, r"[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+")
}

fn duration() -> Schema {
    text(0, usize::MAX, "([0-9]{1,5}(h|m|s|ms)){1,4}")
}

/// An HTTPRoute.
pub(super) fn http_route(channel: Channel) -> Schema {
    let parent = fields(
        &["name"],
        vec![
            ("group", group()),
            ("kind", kind()),
            ("namespace", namespace()),
            ("name", name()),
            ("sectionName", section()),
            ("port", port()),
        ],
    );
    let mut all = vec![
        ("parentRefs", list(parent, 0, 32)),
        ("hostnames", list(hostname(), 0, 16)),
        ("rules", list(rule(channel), 1, 16)),
    ];
    if channel == Channel::Experimental {
        all.push(("useDefaultGateways", Schema::Word(&["All", "None"])));
    }
    fields(&[], all)
}

fn rule(channel: Channel) -> Schema {
    let mut backend =
        vec![("weight", number(0, 1_000_000)), ("filters", list(filter(channel), 0, 16))];
    backend.extend(backend_object());
    let timeouts = fields(&[], vec![("request", duration()), ("backendRequest", duration())]);
    let mut all = vec![
        ("name", section()),
        ("matches", list(http_match(), 0, 64)),
        ("filters", list(filter(channel), 0, 16)),
        ("backendRefs", list(fields(&["name"], backend), 0, 16)),
        ("timeouts", timeouts),
    ];
    if channel == Channel::Experimental {
        let codes = list(number(400, 599), 0, usize::MAX);
        let retry =
            vec![("codes", codes), ("attempts", number(1, i64::MAX)), ("backoff", duration())];
        let cookie = fields(&[], vec![("lifetimeType", Schema::Word(&["Permanent", "Session"]))]);
        let session = vec![
            ("sessionName", plain(0, 128)),
            ("absoluteTimeout", duration()),
            ("type", Schema::Word(&["Cookie", "Header"])),
            ("cookieConfig", cookie),
        ];
        all.push(("retry", fields(&[], retry)));
        all.push(("sessionPersistence", fields(&[], session)));
    }
    fields(&[], all)
}

fn backend_object() -> Vec<(&'static str, Schema)> {
    vec![
        ("group", group()),
        ("kind", kind()),
        ("namespace", namespace()),
        ("name", name()),
        ("port", port()),
    ]
}

fn http_match() -> Schema {
    let compared = |longest| {
        let kinds = Schema::Word(&["Exact", "RegularExpression"]);
        fields(
            &["name", "value"],
            vec![("type", kinds), ("name", header_name()), ("value", plain(1, longest))],
        )
    };
    let path = vec![
        ("type", Schema::Word(&["Exact", "PathPrefix", "RegularExpression"])),
        ("value", plain(0, 1024)),
    ];
    fields(
        &[],
        vec![
            ("path", fields(&[], path)),
            ("headers", named(compared(4096), 16)),
            ("queryParams", named(compared(1024), 16)),
            ("method", Schema::Word(METHODS)),
        ],
    )
}

fn filter(channel: Channel) -> Schema {
    let header =
        || fields(&["name", "value"], vec![("name", header_name()), ("value", plain(1, 4096))]);
    let modifier = || {
        let remove = list(plain(0, usize::MAX), 0, 16);
        let all =
            vec![("set", named(header(), 16)), ("add", named(header(), 16)), ("remove", remove)];
        fields(&[], all)
    };
    let path = || {
        let all = vec![
            ("type", Schema::Word(&["ReplaceFullPath", "ReplacePrefixMatch"])),
            ("replaceFullPath", plain(0, 1024)),
            ("replacePrefixMatch", plain(0, 1024)),
        ];
        fields(&["type"], all)
    };
    let host = || text(1, 253, PRECISE_HOST);
    let code = Schema::Number { least: 0, most: 999, one_of: &[301, 302, 303, 307, 308] };
    let redirect = vec![
        ("scheme", Schema::Word(&["http", "https"])),
        ("hostname", host()),
        ("path", path()),
        ("port", port()),
        ("statusCode", code),
    ];
    let fraction = vec![
        ("numerator", number(0, i64::from(i32::MAX))),
        ("denominator", number(1, i64::from(i32::MAX))),
    ];
    let mirror = vec![
        ("backendRef", fields(&["name"], backend_object())),
        ("percent", number(0, 100)),
        ("fraction", fields(&["numerator"], fraction)),
    ];
    let local = vec![("group", group()), ("kind", kind()), ("name", name())];
    let mut all = vec![
        ("type", Schema::Word(FILTERS)),
        ("requestHeaderModifier", modifier()),
        ("responseHeaderModifier", modifier()),
        ("requestMirror", fields(&["backendRef"], mirror)),
        ("requestRedirect", fields(&[], redirect)),
        ("urlRewrite", fields(&[], vec![("hostname", host()), ("path", path())])),
        ("cors", cors()),
        ("extensionRef", fields(&["group", "kind", "name"], local)),
    ];
    if channel == Channel::Experimental {
        all[0] = ("type", Schema::Word(EXPERIMENTAL_FILTERS));
        all.push(("externalAuth", Schema::Any));
    }
    fields(&["type"], all)
}

fn cors() -> Schema {
    fields(
        &[],
        vec![
            ("allowOrigins", list(text(1, 253, ORIGIN), 0, 64)),
            ("allowCredentials", Schema::Flag),
            ("allowMethods", list(Schema::Word(CORS_METHODS), 0, 9)),
            ("allowHeaders", list(header_name(), 0, 64)),
            ("exposeHeaders", list(header_name(), 0, 64)),
            ("maxAge", number(1, i64::from(i32::MAX))),
        ],
    )
}

/// A Gateway.
pub(super) fn gateway() -> Schema {
    let certificate = fields(
        &["name"],
        vec![("group", group()), ("kind", kind()), ("namespace", namespace()), ("name", name())],
    );
    let tls = vec![
        ("mode", Schema::Word(&["Terminate", "Passthrough"])),
        ("certificateRefs", list(certificate, 0, 64)),
        ("options", Schema::Any),
    ];
    let namespaces =
        vec![("from", Schema::Word(&["All", "Selector", "Same"])), ("selector", Schema::Any)];
    let kinds = fields(&["kind"], vec![("group", group()), ("kind", kind())]);
    let allowed = vec![("namespaces", fields(&[], namespaces)), ("kinds", list(kinds, 0, 8))];
    let protocol = r"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?|.*[a-z0-9]/[A-Za-z0-9]+";
    let listener = fields(
        &["name", "port", "protocol"],
        vec![
            ("name", section()),
            ("hostname", hostname()),
            ("port", port()),
            ("protocol", text(1, 255, protocol)),
            ("tls", fields(&[], tls)),
            ("allowedRoutes", fields(&[], allowed)),
        ],
    );
    let listeners =
        Schema::List { item: Box::new(listener), least: 1, most: 64, key: Some("name") };
    fields(
        &["gatewayClassName", "listeners"],
        vec![
            ("gatewayClassName", name()),
            ("listeners", listeners),
            ("addresses", Schema::Any),
            ("infrastructure", Schema::Any),
            ("allowedListeners", Schema::Any),
            ("tls", Schema::Any),
        ],
    )
}

/// A ReferenceGrant.
pub(super) fn grant() -> Schema {
    let from = vec![("group", group()), ("kind", kind()), ("namespace", namespace())];
    let to = vec![("group", group()), ("kind", kind()), ("name", name())];
    fields(
        &["from", "to"],
        vec![
            ("from", list(fields(&["group", "kind", "namespace"], from), 1, 16)),
            ("to", list(fields(&["group", "kind"], to), 1, 16)),
        ],
    )
}
