//! The keys of `routes.canary.jwt`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::mapping::mapping;
use super::one_of::OneOf;
use super::scalars::scalar;

/// The longest issuer that Envoy Gateway takes.
pub(in crate::values) const MAX_ISSUER: usize = 253;

mapping! {
    /// Which tokens (JSON Web Tokens) lead to the canary.
    Jwt {
        /// Who issues them: their claim `iss`.
        issuer: Option<Issuer>,
        /// The public keys of the issuer, a JSON Web Key Set: as JSON text or as a mapping.
        jwks: Option<Jwks>,
        /// What their claims have to be, all of them.
        claims: Option<Claims>,
    }
}

scalar! {
    /// The issuer of tokens.
    Issuer: {"type": ["string", "number", "boolean"], "minLength": 1, "maxLength": MAX_ISSUER}

    /// A JSON Web Key Set with public keys.
    Jwks: {"type": ["string", "object"]}
}

/// Conditions by the names of claims; `null` leaves the default of coalmine.yaml.
struct Claims;

impl JsonSchema for Claims {
    fn schema_name() -> Cow<'static, str> {
        "Claims".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<Option<OneOf>>();
        let nested = generator.subschema_for::<Self>();
        json_schema!({
            "type": "object",
            "propertyNames": {"pattern": "^[^.]+$"},
            "additionalProperties": {"anyOf": [value, nested]}
        })
    }
}
