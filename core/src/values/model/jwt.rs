//! Which tokens lead to the canary.

use std::collections::BTreeMap;

use super::matching::ValueMatch;

/// The tokens (JSON Web Tokens, RFC 7519) that lead to the canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// Who issues them: their claim `iss`.
    pub issuer: String,
    /// The public keys of the issuer, a JSON Web Key Set (RFC 7517) as text.
    pub jwks: String,
    /// What their claims have to be, at least one, by the names of the claims. The name of a nested claim has those
    /// of the claims around it before it, with dots between: `realm.stage`.
    pub claims: BTreeMap<String, ValueMatch>,
}
