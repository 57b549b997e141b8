//! Somebody who issues tokens (JSON Web Tokens) for scenarios.

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rcgen::{KeyPair, PKCS_ED25519, SigningKey as _};
use serde_json::{Map, Value, json};

/// Who a token says it is from.
pub const ISSUER: &str = "https://id.example";
/// How long a token is valid, in seconds.
const VALIDITY: i64 = 24 * 3600;

/// The issuer of tokens, and somebody else with a key of their own.
#[derive(Debug)]
pub struct Issuer {
    key: KeyPair,
    other: KeyPair,
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It was valid, and is no longer.
    Expired,
    /// It is from another issuer, and signed with the key of this one.
    OtherIssuer,
    /// It says that nobody has signed it (`alg: none`).
    Unsigned,
    /// It is signed with somebody else's key, under the name of this one's.
    OtherKey,
    /// Its claims were changed after it was signed.
    Changed,
}

impl Issuer {
    /// An issuer with a new key.
    ///
    /// # Errors
    /// No key can be made.
    pub fn new() -> Result<Self> {
        Ok(Self {
            key: KeyPair::generate_for(&PKCS_ED25519)?,
            other: KeyPair::generate_for(&PKCS_ED25519)?,
        })
    }

    /// Its public key, as a JSON Web Key Set (RFC 7517, RFC 8037).
    pub fn jwks(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key_raw());
        let key = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "k", "x": x});
        json!({"keys": [key]}).to_string()
    }

    /// A valid token with these claims.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn token(&self, claims: &Map<String, Value>) -> Result<String> {
        self.signed(&self.key, ISSUER, VALIDITY, claims)
    }

    /// A token with these claims that nobody should take.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn flawed(&self, flaw: Flaw, claims: &Map<String, Value>) -> Result<String> {
        Ok(match flaw {
            Flaw::Expired => self.signed(&self.key, ISSUER, -VALIDITY, claims)?,
            Flaw::OtherIssuer => {
                self.signed(&self.key, "https://other.example", VALIDITY, claims)?
            }
            Flaw::OtherKey => self.signed(&self.other, ISSUER, VALIDITY, claims)?,
            Flaw::Unsigned => {
                let header = encoded(&json!({"alg": "none", "typ": "JWT"}));
                format!("{header}.{}.", encoded(&payload(ISSUER, VALIDITY, claims)))
            }
            Flaw::Changed => {
                let signed = self.token(&Map::new())?;
                let parts: Vec<&str> = signed.split('.').collect();
                format!("{}.{}.{}", parts[0], encoded(&payload(ISSUER, VALIDITY, claims)), parts[2])
            }
        })
    }

    fn signed(
        &self,
        key: &KeyPair,
        issuer: &str,
        validity: i64,
        claims: &Map<String, Value>,
    ) -> Result<String> {
        let header = encoded(&json!({"alg": "EdDSA", "typ": "JWT", "kid": "k"}));
        let text = format!("{header}.{}", encoded(&payload(issuer, validity, claims)));
        let signature = key.sign(text.as_bytes())?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// What a token says that is valid for so many seconds from now, or until so many before.
fn payload(issuer: &str, validity: i64, claims: &Map<String, Value>) -> Value {
    let now = Timestamp::now().as_second();
    let mut payload =
        json!({"iss": issuer, "sub": "somebody", "iat": now - 2 * VALIDITY, "exp": now + validity});
    if let Some(payload) = payload.as_object_mut() {
        payload.extend(claims.clone());
    }
    payload
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(token: &str, index: usize) -> Value {
        let part = token.split('.').nth(index).expect("a part");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
    }

    #[test]
    fn tokens_say_what_they_are_asked_to_and_differ_in_what_is_wrong() {
        let issuer = Issuer::new().expect("a key");
        let claims = Map::from_iter([("stage".to_owned(), json!("canary"))]);
        let good = issuer.token(&claims).expect("a token");
        assert_eq!(part(&good, 1)["stage"], "canary");
        assert_eq!(
            (part(&good, 0)["alg"].clone(), part(&good, 1)["iss"].clone()),
            (json!("EdDSA"), json!(ISSUER))
        );
        let now = Timestamp::now().as_second();
        assert!(part(&good, 1)["exp"].as_i64() > Some(now));
        let flawed = |flaw| issuer.flawed(flaw, &claims).expect("a token");
        assert!(part(&flawed(Flaw::Expired), 1)["exp"].as_i64() < Some(now));
        assert_ne!(part(&flawed(Flaw::OtherIssuer), 1)["iss"], ISSUER);
        assert_eq!(part(&flawed(Flaw::Unsigned), 0)["alg"], "none");
        let (changed, empty) = (flawed(Flaw::Changed), issuer.token(&Map::new()).expect("a token"));
        assert_eq!(
            changed.rsplit('.').next(),
            empty.rsplit('.').next(),
            "the signature of another"
        );
        let keys: Value = serde_json::from_str(&issuer.jwks()).expect("JSON");
        assert_eq!(keys["keys"][0].get("d"), None, "a public key");
    }
}
