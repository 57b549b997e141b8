//! Whether the keys for tokens are there.

use serde_json::Value;

use crate::ObjectRef;
use crate::api::JwtProviderSpec;
use crate::snapshot::Snapshot;

/// What becomes of the keys of a provider.
pub(super) enum Keys {
    /// They are there, or somewhere else, where nobody looks.
    There,
    /// The text has no key that could be used.
    Broken,
    /// The object that should have them is not there.
    Missing(ObjectRef),
    /// The object that should have them was not read.
    Unread(ObjectRef),
}

/// Looks for the keys of a provider of a GatewayExtension or a SecurityPolicy (case 09-jwt-keys).
pub(super) fn find(snapshot: &Snapshot, namespace: &str, provider: &JwtProviderSpec) -> Keys {
    if let Some(local) = provider.jwks.as_ref().and_then(|it| it.get("local")) {
        let name = local.pointer("/configMapRef/name").and_then(Value::as_str);
        return match (local["inline"].as_str(), name) {
            (Some(text), _) => text_of(text, true),
            (None, Some(name)) => object(snapshot, ObjectRef::new("ConfigMap", namespace, name)),
            (None, None) => Keys::There,
        };
    }
    let Some(local) = &provider.local_jwks else { return Keys::There };
    let reference = &local["valueRef"];
    match (local["inline"].as_str(), reference["name"].as_str()) {
        (_, Some(name)) if local["type"] == "ValueRef" => {
            let kind = reference["kind"].as_str().unwrap_or("ConfigMap");
            object(snapshot, ObjectRef::new(kind, namespace, name))
        }
        (Some(text), _) => text_of(text, false),
        _ => Keys::There,
    }
}

fn object(snapshot: &Snapshot, object: ObjectRef) -> Keys {
    match (snapshot.contains(&object), snapshot.is_complete(&object.kind)) {
        (true, _) => Keys::There,
        (false, true) => Keys::Missing(object),
        (false, false) => Keys::Unread(object),
    }
}

/// A set of keys as JSON; kgateway takes a single one and PEM, too.
fn text_of(text: &str, single: bool) -> Keys {
    let is_key = |key: &Value| key["kty"].is_string();
    let usable = match serde_json::from_str::<Value>(text) {
        Ok(json) => {
            let keys = json["keys"].as_array();
            keys.is_some_and(|keys| keys.iter().any(is_key)) || (single && is_key(&json))
        }
        Err(_) => single && text.contains("-----BEGIN "),
    };
    if usable { Keys::There } else { Keys::Broken }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_a_set_that_is_not_empty() {
        let usable =
            |text: &str| [true, false].map(|single| matches!(text_of(text, single), Keys::There));
        assert_eq!(usable(r#"{"keys": [{"kty": "RSA"}]}"#), [true, true]);
        assert_eq!(usable(r#"{"keys": []}"#), [false, false]);
        assert_eq!(usable("{"), [false, false]);
        assert_eq!(usable(r#"{"kty": "RSA"}"#), [true, false]);
        assert_eq!(usable("-----BEGIN PUBLIC KEY-----"), [true, false]);
    }
}
