//! What the CustomResourceDefinitions say across fields.

use serde_json::Value;

use super::Violation;
use crate::api::{
    BackendRef, Filter, FilterKind, GatewaySpec, HttpRouteSpec, ParentRef, PathKind, PathSpec,
    RuleSpec, decode, millis,
};

/// The most matches of all rules of a route together (case 07-too-many-rules).
const MOST_MATCHES: usize = 128;

/// Adds the rules that an object breaks.
pub(super) fn check(object: &Value, out: &mut Vec<Violation>) {
    let spec = &object["spec"];
    let mut wrong = |path: String, words: &str| {
        out.push(Violation { path, words: words.to_owned() });
    };
    match object["kind"].as_str() {
        Some("HTTPRoute") => match decode::<HttpRouteSpec>(spec) {
            Ok(route) => http_route(&route, &mut wrong),
            Err(fault) => wrong("spec".into(), &fault.to_string()),
        },
        Some("Gateway") => match decode::<GatewaySpec>(spec) {
            Ok(gateway) => listeners(&gateway, &mut wrong),
            Err(fault) => wrong("spec".into(), &fault.to_string()),
        },
        _ => {}
    }
}

fn http_route(route: &HttpRouteSpec, wrong: &mut impl FnMut(String, &str)) {
    parents(&route.parent_refs, wrong);
    let matches: usize = route.rules.iter().map(|rule| rule.matches.len()).sum();
    if matches > MOST_MATCHES {
        let words =
            format!("expected at most {MOST_MATCHES} matches in all rules, found {matches}");
        wrong("spec.rules".into(), &words);
    }
    for (index, rule) in route.rules.iter().enumerate() {
        let path = format!("spec.rules[{index}]");
        for (number, one) in rule.matches.iter().enumerate() {
            if let Some(words) = path_fault(&one.path) {
                wrong(format!("{path}.matches[{number}].path"), words);
            }
        }
        rule_as_a_whole(rule, &path, wrong);
    }
}

/// Two references to one parent have to name different listeners.
fn parents(parents: &[ParentRef], wrong: &mut impl FnMut(String, &str)) {
    let same = |a: &ParentRef, b: &ParentRef| {
        a.group == b.group && a.kind == b.kind && a.name == b.name && a.namespace == b.namespace
    };
    for (index, one) in parents.iter().enumerate() {
        let twins = parents[..index].iter().filter(|it| same(it, one));
        for twin in twins {
            let clash = match (&one.section_name, &twin.section_name) {
                (Some(one), Some(other)) => one == other,
                _ => true,
            };
            if clash {
                let words = "sectionName must be specified and unique when parentRefs includes 2 \
                             or more references to the same parent";
                wrong(format!("spec.parentRefs[{index}]"), words);
            }
        }
    }
}

fn path_fault(path: &PathSpec) -> Option<&'static str> {
    if path.kind == PathKind::RegularExpression {
        return None;
    }
    let value = path.value.as_str();
    let ordinary = |c: u8| c.is_ascii_alphanumeric() || b"-/._~!$&'()*+,;=:@".contains(&c);
    if !value.starts_with('/') {
        return Some("value must be an absolute path and start with '/'");
    }
    for (part, words) in [
        ("//", "must not contain '//'"),
        ("/./", "must not contain '/./'"),
        ("/../", "must not contain '/../'"),
        ("%2f", "must not contain '%2f'"),
        ("%2F", "must not contain '%2F'"),
        ("#", "must not contain '#'"),
    ] {
        if value.contains(part) {
            return Some(words);
        }
    }
    if value.ends_with("/..") || value.ends_with("/.") {
        return Some("must not end with '/..' or '/.'");
    }
    let bytes = value.as_bytes();
    let escaped = |at: usize| {
        bytes.get(at + 1..at + 3).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
    };
    let valid = (0..bytes.len()).all(|at| match bytes[at] {
        b'%' => escaped(at),
        c => ordinary(c),
    });
    (!valid).then_some("must only contain characters of a path")
}

fn rule_as_a_whole(rule: &RuleSpec, path: &str, wrong: &mut impl FnMut(String, &str)) {
    filters(&rule.filters, &format!("{path}.filters"), wrong);
    let redirects = |filter: &Filter| filter.request_redirect.is_some();
    if !rule.backend_refs.is_empty() && rule.filters.iter().any(redirects) {
        wrong(path.into(), "RequestRedirect filter must not be used together with backendRefs");
    }
    let of_backends = rule.backend_refs.iter().flat_map(|backend| &backend.filters);
    let replaces = rule.filters.iter().chain(of_backends).any(replaces_prefix);
    let one_prefix = matches!(&rule.matches[..], [only] if only.path.kind == PathKind::PathPrefix);
    if replaces && !one_prefix {
        let words = "with path.replacePrefixMatch exactly one PathPrefix match must be specified";
        wrong(path.into(), words);
    }
    for (index, backend) in rule.backend_refs.iter().enumerate() {
        let path = format!("{path}.backendRefs[{index}]");
        service_port(backend, &path, wrong);
        filters(&backend.filters, &format!("{path}.filters"), wrong);
    }
    if let Some(timeouts) = &rule.timeouts {
        let read = |text: &Option<String>| text.as_deref().and_then(millis);
        if let (Some(request), Some(backend)) =
            (read(&timeouts.request), read(&timeouts.backend_request))
            && request != 0
            && backend > request
        {
            let words = "backendRequest timeout cannot be longer than request timeout";
            wrong(format!("{path}.timeouts"), words);
        }
    }
    if let Some(session) = &rule.session_persistence {
        let permanent = session.cookie_config.as_ref().and_then(|it| it.lifetime_type.as_deref());
        if permanent == Some("Permanent") && session.absolute_timeout.is_none() {
            let words = "absoluteTimeout must be specified when lifetimeType is Permanent";
            wrong(format!("{path}.sessionPersistence"), words);
        }
        if session.cookie_config.is_some() && session.kind.as_deref() == Some("Header") {
            let words = "cookieConfig can only be set with type Cookie";
            wrong(format!("{path}.sessionPersistence"), words);
        }
    }
}

fn replaces_prefix(filter: &Filter) -> bool {
    let paths = [
        filter.request_redirect.as_ref().and_then(|it| it.path.as_ref()),
        filter.url_rewrite.as_ref().and_then(|it| it.path.as_ref()),
    ];
    paths.into_iter().flatten().any(|path| path.kind == "ReplacePrefixMatch")
}

fn service_port(backend: &BackendRef, path: &str, wrong: &mut impl FnMut(String, &str)) {
    if backend.group.is_empty() && backend.kind == "Service" && backend.port.is_none() {
        wrong(path.into(), "Must have port for Service reference");
    }
}

fn filters(all: &[Filter], path: &str, wrong: &mut impl FnMut(String, &str)) {
    let count = |kind| all.iter().filter(|filter| filter.kind == kind).count();
    for kind in [
        FilterKind::Cors,
        FilterKind::RequestHeaderModifier,
        FilterKind::ResponseHeaderModifier,
        FilterKind::RequestRedirect,
        FilterKind::UrlRewrite,
    ] {
        if count(kind) > 1 {
            wrong(path.into(), &format!("{kind:?} filter cannot be repeated"));
        }
    }
    if count(FilterKind::RequestRedirect) > 0 && count(FilterKind::UrlRewrite) > 0 {
        wrong(path.into(), "may specify either RequestRedirect or URLRewrite, but not both");
    }
    for (index, filter) in all.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let present = [
            (FilterKind::RequestHeaderModifier, filter.request_header_modifier.is_some()),
            (FilterKind::ResponseHeaderModifier, filter.response_header_modifier.is_some()),
            (FilterKind::RequestMirror, filter.request_mirror.is_some()),
            (FilterKind::RequestRedirect, filter.request_redirect.is_some()),
            (FilterKind::UrlRewrite, filter.url_rewrite.is_some()),
            (FilterKind::Cors, filter.cors.is_some()),
            (FilterKind::ExtensionRef, filter.extension_ref.is_some()),
        ];
        for (kind, is_there) in present {
            if is_there != (filter.kind == kind) {
                wrong(path.clone(), &format!("the field of {kind:?} belongs to that type alone"));
            }
        }
        if let Some(mirror) = &filter.request_mirror {
            service_port(&mirror.backend_ref, &format!("{path}.requestMirror.backendRef"), wrong);
            if mirror.percent.is_some() && mirror.fraction.is_some() {
                wrong(path.clone(), "only one of percent or fraction may be specified");
            }
            if mirror.fraction.as_ref().is_some_and(|it| it.numerator > it.denominator) {
                wrong(path.clone(), "numerator must be less than or equal to denominator");
            }
        }
        let modifiers = [
            filter.request_redirect.as_ref().and_then(|it| it.path.as_ref()),
            filter.url_rewrite.as_ref().and_then(|it| it.path.as_ref()),
        ];
        for modifier in modifiers.into_iter().flatten() {
            let full = modifier.kind == "ReplaceFullPath";
            if modifier.replace_full_path.is_some() != full
                || modifier.replace_prefix_match.is_some() == full
            {
                wrong(path.clone(), "the path has to be in the field that its type names");
            }
        }
        if let Some(cors) = &filter.cors {
            let lonely = |list: &[String]| list.len() > 1 && list.iter().any(|it| it == "*");
            if lonely(&cors.allow_origins)
                || lonely(&cors.allow_methods)
                || lonely(&cors.allow_headers)
            {
                wrong(path, "'*' cannot stand beside others");
            }
        }
    }
}

fn listeners(gateway: &GatewaySpec, wrong: &mut impl FnMut(String, &str)) {
    for (index, listener) in gateway.listeners.iter().enumerate() {
        let path = format!("spec.listeners[{index}]");
        let plain = ["HTTP", "TCP", "UDP"].contains(&listener.protocol.as_str());
        if plain && listener.tls.is_some() {
            wrong(path.clone(), "tls must not be specified for protocols HTTP, TCP, UDP");
        }
        let mode = listener.tls.as_ref().map(|tls| tls.mode.as_deref().unwrap_or("Terminate"));
        if listener.protocol == "HTTPS" && mode == Some("Passthrough") {
            wrong(path.clone(), "tls mode must be Terminate for protocol HTTPS");
        }
        if ["TCP", "UDP"].contains(&listener.protocol.as_str()) && listener.hostname.is_some() {
            wrong(path.clone(), "hostname must not be specified for protocols TCP, UDP");
        }
        let without = listener.tls.as_ref().is_some_and(|tls| tls.certificate_refs.is_empty());
        if without && mode == Some("Terminate") {
            wrong(path.clone(), "certificateRefs must be specified when mode is Terminate");
        }
        let same = gateway.listeners[..index].iter().any(|other| {
            other.port == listener.port
                && other.protocol == listener.protocol
                && other.hostname == listener.hostname
        });
        if same {
            wrong(path, "combination of port, protocol and hostname must be unique");
        }
    }
}
