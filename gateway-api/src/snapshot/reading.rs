//! From an object as the API server has it to what routing looks at.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Secret;
use crate::ResourceRef;
use crate::api::{SliceSpec, decode};
use crate::objects::Meta;

pub(super) fn spec<S: DeserializeOwned + Default>(object: &Value) -> Result<S, String> {
    match object.get("spec") {
        None | Some(Value::Null) => Ok(S::default()),
        Some(spec) => decode(spec).map_err(|e| e.to_string()),
    }
}

/// Name and metadata as far as they can be read.
pub(super) fn metadata(object: &Value) -> (ResourceRef, Meta) {
    let metadata = &object["metadata"];
    let text = |name: &str| metadata[name].as_str().unwrap_or_default().to_owned();
    let texts = |name: &str| -> BTreeMap<String, String> {
        let fields = metadata[name].as_object().into_iter().flatten();
        fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    };
    let meta = Meta {
        labels: texts("labels"),
        annotations: texts("annotations"),
        created: text("creationTimestamp"),
        generation: metadata["generation"].as_i64().unwrap_or_default(),
    };
    (ResourceRef::new(text("namespace"), text("name")), meta)
}

/// An EndpointSlice and the Service that it belongs to.
pub(super) fn slice_of(object: &Value) -> (ResourceRef, SliceSpec) {
    let (reference, meta) = metadata(object);
    let service = meta.labels.get("kubernetes.io/service-name").cloned().unwrap_or_default();
    let slice = decode(object).unwrap_or_default();
    (ResourceRef::new(reference.namespace, service), slice)
}

/// What a Secret holds, without opening it.
pub(super) fn secret(object: &Value) -> Secret {
    if object["type"] != "kubernetes.io/tls" {
        let has = |data: &str| object[data].get(".htpasswd").is_some();
        return if has("data") || has("stringData") { Secret::Users } else { Secret::Other };
    }
    // `LS0tLS1CRUdJTi` is the beginning of every PEM block in base64.
    let begins = |name: &str| {
        let data = object["data"][name].as_str().is_some_and(|it| it.starts_with("LS0tLS1CRUdJTi"));
        let text = object["stringData"][name].as_str();
        data || text.is_some_and(|it| it.trim_start().starts_with("-----BEGIN "))
    };
    match begins("tls.crt") && begins("tls.key") {
        true => Secret::Certificate,
        false => Secret::Broken,
    }
}
