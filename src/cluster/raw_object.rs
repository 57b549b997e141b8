//! An object as plain JSON, read once.

use std::borrow::Cow;

use kube::Resource;
use kube::api::ObjectMeta;
use kube::core::DynamicResourceScope;
use kube::discovery::ApiResource;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// An object of any kind, all of it as the API server sent it. A `DynamicObject` takes the metadata
/// apart, and would have to be written as JSON to be read as JSON again.
#[derive(Clone, Debug)]
pub(super) struct RawObject {
    /// All that a watch looks at, which is the resource version.
    metadata: ObjectMeta,
    fields: Map<String, Value>,
}

impl RawObject {
    /// The object as JSON.
    pub(super) fn into_value(self) -> Value {
        self.fields.into()
    }

    /// The same for an item of a list, which leaves out what all its items have.
    pub(super) fn into_value_of(mut self, api_version: &str, kind: &str) -> Value {
        self.fields.shift_insert(0, "kind".into(), kind.into());
        self.fields.shift_insert(0, "apiVersion".into(), api_version.into());
        self.fields.into()
    }
}

impl<'de> Deserialize<'de> for RawObject {
    /// # Errors
    /// When it is no JSON object.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let version = fields.get("metadata").and_then(|metadata| metadata.get("resourceVersion"));
        let resource_version = version.and_then(Value::as_str).map(str::to_owned);
        Ok(Self { metadata: ObjectMeta { resource_version, ..ObjectMeta::default() }, fields })
    }
}

impl Resource for RawObject {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_of_a_list_is_told_what_it_is_before_all_else() {
        let item = r#"{"metadata": {"name": "echo", "resourceVersion": "7"}, "spec": {}}"#;
        let whole: RawObject = serde_json::from_str(item).expect("an object");
        assert_eq!(whole.meta().resource_version.as_deref(), Some("7"));
        let expected = r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"echo","resourceVersion":"7"},"spec":{}}"#;
        assert_eq!(whole.into_value_of("v1", "Service").to_string(), expected);
        assert!(serde_json::from_str::<RawObject>("[]").is_err());
    }
}
