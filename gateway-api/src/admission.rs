//! What the API server makes of an object of the Gateway API: refused, or stored without the fields that its
//! CustomResourceDefinition does not know.

mod fields;
mod rules;
mod schema;

use std::fmt;
use std::sync::LazyLock;

use serde_json::Value;

use self::schema::Schema;
use crate::environment::Channel;

/// Why the API server refuses an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Where it is, for example `spec.rules[0].matches`.
    pub path: String,
    /// What is wrong with it.
    pub words: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.words)
    }
}

/// An object that the API server stores.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// The object as it is stored, defaults aside.
    pub object: Value,
    /// The fields that were lost because the CustomResourceDefinition does not know them.
    pub lost: Vec<String>,
}

/// Says what the API server makes of an object.
///
/// Known are Gateway, HTTPRoute and ReferenceGrant of version 1.6; objects of other kinds pass as they are. `strict`
/// is field validation `Strict`, as kubectl and this program use it; without it unknown fields are lost in silence
/// (case 05-retry-standard).
///
/// # Errors
/// Everything for which the API server refuses the object.
pub fn admit(object: &Value, channel: Channel, strict: bool) -> Result<Admitted, Vec<Violation>> {
    let lost = unknown_fields(object, channel);
    if strict && !lost.is_empty() {
        let unknown = |path| Violation { path, words: "unknown field".into() };
        return Err(lost.into_iter().map(unknown).collect());
    }
    let object = pruned(object, channel);
    let mut violations = Vec::new();
    if let Some(schema) = schema_of(&object, channel) {
        schema.check(&object["spec"], "spec", &mut violations);
        // The rules across fields are only looked at when the fields themselves are right.
        if violations.is_empty() {
            rules::check(&object, &mut violations);
        }
    }
    match violations.is_empty() {
        true => Ok(Admitted { object, lost }),
        false => Err(violations),
    }
}

/// The fields that the CustomResourceDefinition of the object does not know.
pub(crate) fn unknown_fields(object: &Value, channel: Channel) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Some(schema) = schema_of(object, channel) {
        schema.unknown(&object["spec"], "spec", &mut unknown);
    }
    unknown
}

/// The object without those fields.
pub(crate) fn pruned(object: &Value, channel: Channel) -> Value {
    let mut object = object.clone();
    if let Some(schema) = schema_of(&object, channel)
        && let Some(spec) = object.get_mut("spec")
    {
        schema.prune(spec);
    }
    object
}

fn schema_of(object: &Value, channel: Channel) -> Option<&'static Schema> {
    static ROUTE: LazyLock<Schema> = LazyLock::new(|| fields::http_route(Channel::Standard));
    static EXPERIMENTAL: LazyLock<Schema> =
        LazyLock::new(|| fields::http_route(Channel::Experimental));
    static GATEWAY: LazyLock<Schema> = LazyLock::new(fields::gateway);
    static GRANT: LazyLock<Schema> = LazyLock::new(fields::grant);
    match (object.get("kind").and_then(Value::as_str)?, channel) {
        ("HTTPRoute", Channel::Standard) => Some(&ROUTE),
        ("HTTPRoute", Channel::Experimental) => Some(&EXPERIMENTAL),
        ("Gateway", _) => Some(&GATEWAY),
        ("ReferenceGrant", _) => Some(&GRANT),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
