use crate::api::Cors;
use crate::code::Code;
use crate::config::{Action, CorsPolicy, HeaderEdit, Route};
use crate::pattern;
use crate::translate::mistake::Mistake;
use crate::translate::proxy::ProxyRoute;

/// Cross-origin rules of a route (gloo-conformance case 13-faults-cors).
pub(super) fn apply(route: &ProxyRoute, out: &mut Route) -> Result<(), Mistake> {
    let options = route.options.as_ref();
    let Some(cors) = options.and_then(|options| options.cors.as_ref()) else { return Ok(()) };
    match &out.action {
        Action::DirectResponse { .. } if !cors.disable_for_route => {
            out.headers.response_add.extend(answer_headers(cors));
            Ok(())
        }
        Action::Forward(_) => {
            let policy = policy(cors)?;
            out.cors = Some(CorsPolicy { disabled: cors.disable_for_route, ..policy });
            Ok(())
        }
        _ => {
            let words = "cannot use cors plugin on non-Route_Route route actions";
            Err(Mistake::new(Code::OptionNotApplicable, words))
        }
    }
}

/// Envoy's rules.
pub(super) fn policy(cors: &Cors) -> Result<CorsPolicy, Mistake> {
    if cors.allow_origin.is_empty() && cors.allow_origin_regex.is_empty() {
        let words = "must provide at least one of AllowOrigin or AllowOriginRegex";
        return Err(Mistake::new(Code::InvalidCors, words));
    }
    for expression in &cors.allow_origin_regex {
        pattern::check(expression).map_err(|fault| Mistake::new(Code::InvalidExpression, fault))?;
    }
    Ok(CorsPolicy { rules: cors.clone(), disabled: false })
}

/// Envoy's filter does not touch direct answers, so Gloo writes the headers out.
fn answer_headers(cors: &Cors) -> Vec<HeaderEdit> {
    let mut origins: Vec<&str> = Vec::new();
    for origin in cors.allow_origin.iter().chain(&cors.allow_origin_regex) {
        if !origins.contains(&origin.as_str()) {
            origins.push(origin);
        }
    }
    let values = [
        ("Access-Control-Allow-Origin", origins.join(",")),
        ("Access-Control-Allow-Methods", cors.allow_methods.join(",")),
        ("Access-Control-Allow-Headers", cors.allow_headers.join(",")),
        ("Access-Control-Expose-Headers", cors.expose_headers.join(",")),
        ("Access-Control-Max-Age", cors.max_age.clone()),
        ("Access-Control-Allow-Credentials", cors.allow_credentials.to_string()),
    ];
    let edit =
        |(name, value): (&str, String)| HeaderEdit { name: name.into(), value, overwrite: false };
    values.into_iter().map(edit).collect()
}
