//! A value, or several of which it is one.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::scalars::FilledText;

/// A value, or a list of which it is one.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum OneOf {
    /// This value.
    Value(FilledText),
    /// One of these.
    Values(FilledList),
}

/// Values, at least one.
pub(super) struct FilledList;

impl JsonSchema for FilledList {
    fn schema_name() -> Cow<'static, str> {
        "FilledList".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<FilledText>();
        json_schema!({"type": "array", "items": items, "minItems": 1})
    }
}
