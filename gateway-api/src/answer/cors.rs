use super::outcome::Outcome;
use crate::Request;
use crate::api::Cors;
use crate::config::{Action, Route};
use crate::pattern;

type Headers = Vec<(String, String)>;

/// The rules of a route. Envoy looks at them only where it asks a backend, not where it answers by itself.
fn rules(route: &Route) -> Option<&Cors> {
    let policy = route.cors.as_ref().filter(|_| matches!(route.action, Action::Forward(_)));
    policy.map(|policy| &policy.rules)
}

/// The answer to a browser's preflight request, which no backend sees. `None`: the request is none. An origin that is
/// not allowed gets all but the word that it is.
pub(super) fn preflight(route: &Route, request: &Request) -> Option<(Outcome, Headers)> {
    let rules = rules(route)?;
    let origin = header(request, "origin")?;
    header(request, "access-control-request-method")?;
    if request.method != "OPTIONS" {
        return None;
    }
    let mut headers = Headers::new();
    if allows(rules, origin) {
        headers.push(("access-control-allow-origin".into(), origin.into()));
        headers.extend(exposed(rules));
    }
    // A star alone stands for whatever is asked for.
    let list = |name: &str, values: &[String]| {
        if values.iter().any(|value| value == "*") {
            let asked = name.replacen("allow", "request", 1);
            let asked =
                asked.strip_suffix("methods").map_or(asked.clone(), |it| format!("{it}method"));
            return header(request, &asked).map(|asked| (name.to_owned(), asked.to_owned()));
        }
        (!values.is_empty()).then(|| (name.to_owned(), values.join(", ")))
    };
    headers.extend(credentials(rules));
    headers.extend(list("access-control-allow-methods", &rules.allow_methods));
    headers.extend(list("access-control-allow-headers", &rules.allow_headers));
    headers.push(("access-control-max-age".into(), rules.max_age.to_string()));
    Some((Outcome::status(200, ""), headers))
}

/// What is added to the answers to other requests.
pub(super) fn added(route: &Route, request: &Request) -> Headers {
    let Some(rules) = rules(route) else { return Headers::new() };
    let Some(origin) = header(request, "origin").filter(|origin| allows(rules, origin)) else {
        return Headers::new();
    };
    let mut headers = vec![("access-control-allow-origin".to_owned(), origin.to_owned())];
    headers.extend(credentials(rules));
    headers.extend(exposed(rules));
    headers
}

fn exposed(rules: &Cors) -> Option<(String, String)> {
    let name = || "access-control-expose-headers".to_owned();
    (!rules.expose_headers.is_empty()).then(|| (name(), rules.expose_headers.join(", ")))
}

fn credentials(rules: &Cors) -> Option<(String, String)> {
    let allowed = rules.allow_credentials == Some(true);
    allowed.then(|| ("access-control-allow-credentials".into(), "true".into()))
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let value = request.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    value.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// A star in an allowed origin stands for anything.
fn allows(rules: &Cors, origin: &str) -> bool {
    rules.allow_origins.iter().any(|allowed| match allowed.contains('*') {
        true => {
            let parts: Vec<String> = allowed.split('*').map(regex_syntax::escape).collect();
            pattern::matches_all(&parts.join(".*"), origin)
        }
        false => allowed == origin,
    })
}
