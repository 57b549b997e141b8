//! Claims of tokens as headers: what a gateway writes into a request whose token it has checked, for a rule to look at.

use serde_json::{Value, json};

use crate::managed_fields::Digest;
use crate::values::{Jwt, Service};

/// What the names of such headers begin with.
const CLAIM_HEADER: &str = "x-coalmine-claim-";
/// How much of a name is there to be read.
const READABLE: usize = 40;

/// The header that has a claim of a token for this service. Each service has its own, so that no token that another
/// service checks says anything here.
pub(crate) fn claim_header(service: &Service, claim: &str) -> String {
    let readable = claim.chars().take(READABLE);
    let readable: String = readable
        .map(|sign| if sign.is_ascii_alphanumeric() { sign.to_ascii_lowercase() } else { '-' })
        .collect();
    format!(
        "{CLAIM_HEADER}{readable}-{}",
        short(&json!([service.namespace, service.name.as_str(), claim]))
    )
}

/// What the name of a rule has that requires these claims: another one for other claims, so that a policy that provides
/// for some never guards a rule that looks at others.
pub(crate) fn claims_name(service: &Service, jwt: &Jwt) -> String {
    let headers: Vec<String> =
        jwt.claims.keys().map(|claim| claim_header(service, claim)).collect();
    format!("canary-jwt-{}", short(&json!(headers)))
}

/// Whether a rule of an HTTPRoute looks at claims: nobody may reach it by headers alone.
pub(crate) fn is_guarded(rule: &Value) -> bool {
    let matches = rule["matches"].as_array().into_iter().flatten();
    let mut headers = matches.filter_map(|it| it["headers"].as_array()).flatten();
    headers.any(|header| header["name"].as_str().is_some_and(|name| name.starts_with(CLAIM_HEADER)))
}

fn short(value: &Value) -> String {
    Digest::of(value).to_string()[..8].to_owned()
}
