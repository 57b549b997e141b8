use std::collections::BTreeMap;

use super::outcome::Outcome;
use super::path::split;
use crate::Request;
use crate::config::JwtRequirement;

/// The tokens that are known, by the text behind `Bearer`.
pub type Tokens = BTreeMap<String, Token>;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Who is named as its issuer.
    pub issuer: String,
    /// Who it is for.
    pub audiences: Vec<String>,
    /// What it says.
    pub claims: BTreeMap<String, String>,
    /// What comes of checking it.
    pub verdict: Verdict,
}

/// What comes of checking a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is signed by its issuer and not too old.
    Valid,
    /// It is too old.
    Expired,
    /// It is not signed by its issuer.
    Forged,
}

/// What the filter for tokens does to a request.
pub(super) enum Checked {
    /// It goes on with these headers, and maybe another route.
    Passed { request: Request, recompute: bool },
    /// It is answered.
    Rejected(Outcome, Vec<(String, String)>),
    /// Nobody knows this token.
    Unknown,
}

/// Checks the token of a request.
pub(super) fn check(
    requirement: &JwtRequirement,
    request: &Request,
    tokens: &Tokens,
    has_tls: bool,
) -> Checked {
    let mut passed = request.clone();
    if requirement.providers.is_empty() {
        return Checked::Passed { request: passed, recompute: false };
    }
    // A client cannot say what only a token may say.
    let claims = || requirement.providers.iter().flat_map(|provider| &provider.claims);
    passed
        .headers
        .retain(|(name, _)| !claims().any(|(_, header)| header.eq_ignore_ascii_case(name)));
    let scheme = if has_tls { "https" } else { "http" };
    let realm = format!("Bearer realm=\"{scheme}://{}{}\"", request.host, split(&request.path).0);
    let rejected = |status, words: &str, realm: String| {
        Checked::Rejected(Outcome::status(status, words), vec![("www-authenticate".into(), realm)])
    };
    let invalid = |words: &str| rejected(401, words, format!("{realm}, error=\"invalid_token\""));
    let Some(text) = bearer(request) else {
        return match requirement.allow_missing {
            true => Checked::Passed { request: passed, recompute: false },
            false => rejected(401, "Jwt is missing", realm.clone()),
        };
    };
    let Some(token) = tokens.get(text) else {
        return match text.split('.').count() {
            3 => Checked::Unknown,
            _ => invalid(
                "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
            ),
        };
    };
    let fits = |it: &&crate::config::JwtProvider| it.issuer.is_empty() || it.issuer == token.issuer;
    let Some(provider) = requirement.providers.iter().find(fits) else {
        return invalid("Jwt issuer is not configured");
    };
    if token.verdict == Verdict::Expired {
        return invalid("Jwt is expired");
    }
    // Who it is for is looked at before its signature (case 09-jwt-required).
    let audiences = &provider.audiences;
    if !audiences.is_empty() && !audiences.iter().any(|it| token.audiences.contains(it)) {
        let words = "Audiences in Jwt are not allowed";
        return rejected(403, words, format!("{realm}, error=\"invalid_token\""));
    }
    if token.verdict == Verdict::Forged {
        return invalid("Jwt verification fails");
    }
    // The token goes no further.
    passed.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
    for (claim, header) in &provider.claims {
        if let Some(value) = token.claims.get(claim) {
            passed.headers.push((header.to_ascii_lowercase(), value.clone()));
        }
    }
    Checked::Passed { request: passed, recompute: provider.recompute_route }
}

fn bearer(request: &Request) -> Option<&str> {
    let mut values =
        request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    values.find_map(|(_, value)| value.strip_prefix("Bearer ")).map(str::trim)
}
