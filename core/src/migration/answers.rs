//! What a gateway answers by itself: redirects, and cross-origin rules.

use gloo::api::RedirectCode;
use gloo::config::{CorsPolicy, Match, PathMatch, Redirect, RedirectPath};
use serde_json::{Map, Value, json};

use super::unsaid::Unsaid;

/// The filter of a redirect.
///
/// # Errors
/// Says what no filter can do.
pub(super) fn redirect(to: &Redirect, matcher: &Match) -> Result<Value, Unsaid> {
    let mut filter = Map::new();
    if to.https {
        filter.insert("scheme".into(), "https".into());
    }
    if !to.host.is_empty() {
        filter.insert("hostname".into(), to.host.as_str().into());
    }
    if let Some(port) = to.port {
        filter.insert("port".into(), port.into());
    }
    if to.strip_query {
        let next = "let clients keep the query: leave `stripQuery` away";
        return Err(Unsaid::new("a redirect that drops the query", next));
    }
    match (&to.path, &matcher.path) {
        (None, _) => {}
        (Some(RedirectPath::Path(path)), _) => {
            let path = json!({"type": "ReplaceFullPath", "replaceFullPath": path});
            filter.insert("path".into(), path);
        }
        (Some(RedirectPath::Prefix(prefix)), Some(PathMatch::Prefix(_))) => {
            let path = json!({"type": "ReplacePrefixMatch", "replacePrefixMatch": prefix});
            filter.insert("path".into(), path);
        }
        (Some(RedirectPath::Prefix(path)), Some(PathMatch::Exact(_))) => {
            let path = json!({"type": "ReplaceFullPath", "replaceFullPath": path});
            filter.insert("path".into(), path);
        }
        (Some(_), _) => {
            let next = "write a redirect for each path";
            return Err(Unsaid::new("a redirect by an expression", next));
        }
    }
    let status = match to.code {
        RedirectCode::MovedPermanently => 301,
        RedirectCode::Found => 302,
        RedirectCode::SeeOther => 303,
        RedirectCode::TemporaryRedirect => 307,
        RedirectCode::PermanentRedirect => 308,
    };
    filter.insert("statusCode".into(), status.into());
    Ok(json!({"type": "RequestRedirect", "requestRedirect": filter}))
}

/// The filter of cross-origin rules.
///
/// # Errors
/// Says which rule no filter has.
pub(super) fn cors(policy: &CorsPolicy) -> Result<Value, Unsaid> {
    let rules = &policy.rules;
    if !rules.allow_origin_regex.is_empty() {
        let next = "name the origins one by one in `allowOrigin`";
        return Err(Unsaid::new("origins by expressions", next));
    }
    if let Some(origin) = rules.allow_origin.iter().find(|it| *it != "*" && it.contains('*')) {
        let next = "name the origins one by one: the same text would allow more of them afterwards";
        return Err(Unsaid::new(format!("the origin {origin}, whose star is only a star"), next));
    }
    let mut cors = Map::new();
    for (key, values) in [
        ("allowOrigins", &rules.allow_origin),
        ("allowMethods", &rules.allow_methods),
        ("allowHeaders", &rules.allow_headers),
        ("exposeHeaders", &rules.expose_headers),
    ] {
        if !values.is_empty() {
            cors.insert(key.into(), values.clone().into());
        }
    }
    if rules.allow_credentials {
        cors.insert("allowCredentials".into(), true.into());
    }
    if !rules.max_age.is_empty() {
        let seconds: Option<u32> = rules.max_age.parse().ok().filter(|seconds| *seconds > 0);
        let Some(seconds) = seconds else {
            let next = "write whole seconds, at least 1: `maxAge: \"86400\"`";
            return Err(Unsaid::new(format!("the maxAge {:?} of cors", rules.max_age), next));
        };
        cors.insert("maxAge".into(), seconds.into());
    }
    Ok(json!({"type": "CORS", "cors": cors}))
}
