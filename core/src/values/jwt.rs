//! Reads `routes.canary.jwt`.

use std::collections::BTreeMap;

use super::entry::{Entry, Problems};
use super::jwks;
use super::matching;
use super::model::{Jwt, ValueMatch};
use super::schema::{self, MAX_ISSUER};
use crate::problem::Problem;

const HELP: &str =
    "for example `jwt: {issuer: https://id.example, jwks: {keys: [...]}, claims: {stage: canary}}`";
const CLAIMS: &str = "say which tokens are meant: `claims: {stage: canary}`";

/// Reads which tokens lead to the canary.
pub(super) fn read(entry: &Entry, problems: &mut Problems) -> Option<Jwt> {
    let mut fields = entry.fields_like::<schema::Jwt>(HELP, problems)?;
    let issuer = match fields.take(schema::Jwt::issuer()) {
        Some(entry) => read_issuer(&entry, problems),
        None => {
            let help =
                "say whose tokens are meant, by their claim `iss`: `issuer: https://id.example`";
            problems.push(fields.missing(schema::Jwt::issuer(), help));
            None
        }
    };
    let jwks = match fields.take(schema::Jwt::jwks()) {
        Some(entry) => jwks::read(&entry, problems),
        None => {
            let help = "write the public keys of the issuer, as its `jwks_uri` has them: `jwks: {keys: [...]}`";
            problems.push(fields.missing(schema::Jwt::jwks(), help));
            None
        }
    };
    let claims = match fields.take(schema::Jwt::claims()) {
        Some(entry) => read_claims(&entry, problems),
        None => {
            problems.push(fields.missing(schema::Jwt::claims(), CLAIMS));
            None
        }
    };
    fields.finish(problems);
    Some(Jwt { issuer: issuer?, jwks: jwks?, claims: claims? })
}

fn read_issuer(entry: &Entry, problems: &mut Problems) -> Option<String> {
    let text = entry.text(problems)?;
    if text.is_empty() {
        let problem =
            entry.problem("without an issuer everybody's tokens would be checked by these keys");
        problems.push(problem.help("write the claim `iss` of the tokens"));
        return None;
    }
    if text.chars().count() > MAX_ISSUER || text.chars().any(char::is_control) {
        let message = format!("an issuer has at most {MAX_ISSUER} characters, in one line");
        problems.push(entry.problem(message));
        return None;
    }
    Some(text)
}

fn read_claims(entry: &Entry, problems: &mut Problems) -> Option<BTreeMap<String, ValueMatch>> {
    let mut claims = BTreeMap::new();
    add_claims(entry, "", &mut claims, problems).then_some(claims)
}

/// Adds the claims of a mapping whose own name is `around`, with a dot at its end. False when there is a mistake.
fn add_claims(
    entry: &Entry,
    around: &str,
    claims: &mut BTreeMap<String, ValueMatch>,
    problems: &mut Problems,
) -> bool {
    let Some(entries) = entry.entries(problems) else { return false };
    if entries.is_empty() {
        problems.push(entry.problem("no claim is named").help(CLAIMS));
        return false;
    }
    let mut is_right = true;
    for (name, entry) in entries {
        // Envoy takes `a.b` for the claim b in the claim a, and has no other way to write a dot.
        if name.is_empty() || name.contains('.') || name.chars().any(char::is_control) {
            let message =
                format!("{name:?} is not the name of a claim that the gateway can look up");
            let help = match name.contains('.') {
                true => {
                    "to the gateway a dot leads to a claim within another: write `realm: {stage: canary}`, or have the \
                         issuer name the claim without a dot"
                }
                false => "write the name that the token has",
            };
            problems.push(Problem::new(&entry.key_at, &entry.path, message).help(help));
            is_right = false;
        } else if entry.node.is_mapping() {
            is_right &= add_claims(&entry, &format!("{around}{name}."), claims, problems);
        } else if let Some(value) = matching::read_values(&entry, problems) {
            claims.insert(format!("{around}{name}"), value);
        } else {
            is_right = false;
        }
    }
    is_right
}
