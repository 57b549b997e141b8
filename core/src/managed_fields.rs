//! What we own of an object: the fields that server-side apply notes for our field manager.
//!
//! A live object is in sync when the fields we own have the values we would apply, and we own all the
//! fields we would apply. Both sides are brought into one form and only its digest is kept: an
//! autoscaler's replicas, defaulted fields and Gloo's status are not in it. A field that another
//! manager has changed or forced is no longer ours, so it is missing and the digests differ.

mod empty_lists;
mod whole;

use std::{fmt, io};

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::kind::Kind;
use crate::labels::{APPLIED, FIELD_MANAGER, REVISION, STEP};

/// The fields of an object that count, in 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(u128);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Digest {
    /// The digest of a manifest that we would apply.
    pub fn of_manifest(manifest: &Value) -> Self {
        Self::of(&what_counts(manifest.clone(), is_http_route(manifest)))
    }

    /// The digest of what we own of a live object; that of nothing when we own nothing.
    pub fn of_live(live: &Value) -> Self {
        Self::of(&what_counts(owned(live), is_http_route(live)))
    }

    /// The digest of a whole value, whatever the order of its fields.
    pub fn of(value: &Value) -> Self {
        let mut hasher = Sha256::new();
        feed(&mut hasher, value);
        let bytes: [u8; 16] = hasher.finalize()[..16].try_into().expect("32 bytes have 16");
        Self(u128::from_be_bytes(bytes))
    }
}

/// The part of a live object that we own, in the shape of the manifest that was applied.
pub fn owned(live: &Value) -> Value {
    if let Some(whole) = whole::owned(live) {
        return whole;
    }
    let fields = ours(live).and_then(|entry| entry.get("fieldsV1"));
    fields.and_then(|fields| project(live, fields)).unwrap_or(Value::Null)
}

/// Our entry in the managed fields: what we applied, not what we wrote in other ways.
pub(crate) fn ours(live: &Value) -> Option<&Value> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    entries.iter().find(|entry| {
        entry["manager"] == FIELD_MANAGER
            && entry["operation"] == "Apply"
            && entry.get("subresource").is_none_or(|name| name == "")
    })
}

/// Numbers of pods in a `spec`, each with the one that Kubernetes or KEDA takes when nobody says any. An autoscaler
/// goes on from the number that is there.
const COUNTS: [(&str, u64); 3] = [("replicas", 1), ("minReplicas", 1), ("minReplicaCount", 0)];

/// Whether we own a number of pods that the manifest leaves out.
pub fn gives_up_counts(owned_counts: &[&'static str], manifest: &Value) -> bool {
    owned_counts.iter().any(|count| manifest["spec"].get(count).is_none())
}

/// The numbers of pods in the object's `spec` that we own.
pub fn owned_counts(live: &Value) -> Vec<&'static str> {
    let fields = ours(live).map(|entry| &entry["fieldsV1"]["f:spec"]);
    let is_owned = |count: &str| fields.is_some_and(|it| it.get(format!("f:{count}")).is_some());
    COUNTS.map(|(count, _)| count).into_iter().filter(|count| is_owned(count)).collect()
}

/// The fields of `spec` whose values would fall to a lower default once the manifest is applied, because we own them
/// and the manifest leaves them out: numbers of pods. Whoever owns such a field before it leaves keeps its value
/// (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership>). Nothing starts
/// from zero by itself, so zero is not among them.
pub fn counts_given_up(live: &Value, manifest: &Value) -> Map<String, Value> {
    let owned = owned_counts(live);
    let given_up = COUNTS.iter().filter(|(count, default)| {
        owned.contains(count)
            && manifest["spec"].get(count).is_none()
            && live["spec"][count].as_u64().is_some_and(|live| live > *default)
    });
    given_up.map(|(count, _)| ((*count).to_owned(), live["spec"][count].clone())).collect()
}

/// The value at the fields of a FieldsV1 set, `None` when there is none
/// (<https://kubernetes.io/docs/reference/using-api/server-side-apply/>).
fn project(value: &Value, fields: &Value) -> Option<Value> {
    let children = fields.as_object()?;
    let mut children = children.iter().filter(|(path, _)| path.as_str() != ".").peekable();
    if children.peek().is_none() {
        // A leaf is ours as a whole; a mere `.` is the map or list without what is in it.
        let only_itself = !fields.as_object()?.is_empty();
        return Some(match value {
            Value::Object(_) if only_itself => Value::Object(Map::new()),
            Value::Array(_) if only_itself => Value::Array(Vec::new()),
            whole => whole.clone(),
        });
    }
    match value {
        Value::Object(object) => {
            let mut kept = Map::new();
            for (path, below) in children {
                if let Some(name) = path.strip_prefix("f:")
                    && let Some(field) = object.get(name).and_then(|field| project(field, below))
                {
                    kept.insert(name.to_owned(), field);
                }
            }
            Some(Value::Object(kept))
        }
        Value::Array(items) => {
            let children: Vec<_> = children.collect();
            let kept = items.iter().enumerate().filter_map(|(index, item)| {
                let (_, below) = children.iter().find(|(path, _)| names(path, index, item))?;
                project(item, below)
            });
            Some(Value::Array(kept.collect()))
        }
        _ => None,
    }
}

/// Whether a FieldsV1 set of an object holds the field at this JSON pointer, itself or as part of
/// something that is owned as a whole.
pub fn holds(fields: &Value, object: &Value, pointer: &str) -> bool {
    let (mut fields, mut value) = (fields, object);
    for segment in pointer.split('/').skip(1) {
        let name = segment.replace("~1", "/").replace("~0", "~");
        let children = fields.as_object();
        if children.is_some_and(Map::is_empty) {
            return true;
        }
        let below = match (value, name.parse::<usize>()) {
            (Value::Array(items), Ok(index)) => items.get(index).and_then(|item| {
                let mut children = children.into_iter().flatten();
                let (_, below) = children.find(|(path, _)| names(path, index, item))?;
                Some((below, item))
            }),
            _ => fields.get(format!("f:{name}")).map(|below| (below, &value[&name])),
        };
        match below {
            Some(below) => (fields, value) = below,
            None => return false,
        }
    }
    true
}

/// Whether a path element means this item of a list.
fn names(path: &str, index: usize, item: &Value) -> bool {
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    match path.split_once(':') {
        Some(("k", keys)) => {
            let keys = json(keys);
            let keys = keys.as_ref().and_then(Value::as_object);
            keys.is_some_and(|keys| keys.iter().all(|(key, value)| item.get(key) == Some(value)))
        }
        Some(("v", value)) => json(value).as_ref() == Some(item),
        Some(("i", position)) => position.parse() == Ok(index),
        _ => false,
    }
}

/// Whether it is an HTTPRoute of the Gateway API.
fn is_http_route(object: &Value) -> bool {
    object["kind"] == Kind::HttpRoute.as_str()
        && object["apiVersion"] == Kind::HttpRoute.api_version()
}

/// Without what identifies the object, what changes with every apply, and what only spells an HTTPRoute in another way.
fn what_counts(mut object: Value, is_http_route: bool) -> Value {
    let Some(fields) = object.as_object_mut() else { return object };
    for name in ["apiVersion", "kind", "status"] {
        fields.remove(name);
    }
    if is_http_route && let Some(spec) = fields.get_mut("spec") {
        empty_lists::drop_from(spec);
    }
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("name");
        metadata.remove("namespace");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(REVISION);
            annotations.remove(APPLIED);
            annotations.remove(STEP);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    object
}

fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Object(fields) => {
            hasher.update(b"{");
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            for (name, field) in fields {
                feed_scalar(hasher, name);
                feed(hasher, field);
            }
            hasher.update(b"}");
        }
        Value::Array(items) => {
            hasher.update(b"[");
            items.iter().for_each(|item| feed(hasher, item));
            hasher.update(b"]");
        }
        scalar => feed_scalar(hasher, scalar),
    }
}

fn feed_scalar(hasher: &mut Sha256, scalar: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(Hashed(hasher), scalar).expect("a scalar can be written to memory");
    hasher.update(b",");
}

/// Accepts what is written to it.
struct Hashed<'a>(&'a mut Sha256);

impl io::Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest() -> Value {
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "echo", "namespace": "echo", "labels": {"a": "1"},
                "annotations": {REVISION: "one"}},
            "spec": {"ports": [{"port": 80, "protocol": "TCP", "targetPort": "http"}],
                "selector": {"app": "echo"}}})
    }

    /// As the API server stores it, with another manager's label and defaulted fields.
    fn live() -> Value {
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "echo", "namespace": "echo", "labels": {"a": "1", "theirs": "x"},
                "annotations": {REVISION: "two", "theirs": "y"}, "resourceVersion": "7",
                "managedFields": [
                    {"manager": "kubectl-label", "operation": "Update",
                        "fieldsV1": {"f:metadata": {"f:labels": {"f:theirs": {}}}}},
                    {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:a": {}}, "f:annotations": {format!("f:{REVISION}"): {}}},
                        "f:spec": {"f:selector": {}, "f:ports": {
                            "k:{\"port\":80,\"protocol\":\"TCP\"}": {
                                ".": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {}}}}}}]},
            "spec": {"clusterIP": "10.0.0.1", "selector": {"app": "echo"}, "ports": [
                {"port": 90, "protocol": "TCP", "targetPort": 90},
                {"port": 80, "protocol": "TCP", "targetPort": "http", "nodePort": 3}]}})
    }

    #[test]
    fn an_object_that_has_what_we_applied_is_in_sync_whatever_others_added() {
        assert_eq!(Digest::of_live(&live()), Digest::of_manifest(&manifest()));
    }

    #[test]
    fn another_value_of_ours_a_field_taken_over_and_a_field_too_many_are_differences() {
        let expected = Digest::of_manifest(&manifest());
        let mut edited = live();
        edited["spec"]["selector"]["app"] = "foxtrot".into();
        assert_ne!(Digest::of_live(&edited), expected);
        let mut taken = live();
        let ours = taken.pointer_mut("/metadata/managedFields/1/fieldsV1/f:metadata/f:labels");
        ours.unwrap().as_object_mut().unwrap().clear();
        assert_ne!(Digest::of_live(&taken), expected);
        let mut wanted = manifest();
        wanted["metadata"]["labels"]["b"] = "2".into();
        assert_ne!(Digest::of_live(&live()), Digest::of_manifest(&wanted));
        let mut wanted = manifest();
        wanted["metadata"].as_object_mut().unwrap().remove("labels");
        assert_ne!(Digest::of_live(&live()), Digest::of_manifest(&wanted));
    }

    #[test]
    fn an_empty_list_in_a_rule_of_an_http_route_is_no_difference() {
        let with = |kind: &str, filters: Option<Value>| {
            let mut rule = json!({"backendRefs": [{"name": "echo-v1"}]});
            rule.as_object_mut().unwrap().extend(filters.map(|it| ("filters".to_owned(), it)));
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind,
                "metadata": {"name": "echo", "namespace": "echo", "labels": {"a": "1"}, "managedFields": [{
                    "manager": FIELD_MANAGER, "operation": "Apply",
                    "fieldsV1": {"f:metadata": {"f:labels": {}}, "f:spec": {"f:rules": {}}}}]},
                "spec": {"rules": [rule]}})
        };
        let manifest = |object: Value| {
            let mut object = object;
            object["metadata"].as_object_mut().unwrap().remove("managedFields");
            Digest::of_manifest(&object)
        };
        let (none, empty) = (with("HTTPRoute", None), with("HTTPRoute", Some(json!([]))));
        assert_eq!(Digest::of_live(&empty), Digest::of_live(&none));
        assert_eq!(Digest::of_live(&empty), manifest(none.clone()));
        assert_eq!(manifest(empty), manifest(none.clone()));
        let full = with("HTTPRoute", Some(json!([{"type": "URLRewrite"}])));
        assert_ne!(Digest::of_live(&full), Digest::of_live(&none));
        // Of other kinds nothing is known.
        let other = |filters| Digest::of_live(&with("GRPCRoute", filters));
        assert_ne!(other(Some(json!([]))), other(None));
    }

    #[test]
    fn an_object_of_which_we_own_nothing_differs_from_every_manifest() {
        let mut foreign = live();
        foreign["metadata"]["managedFields"].as_array_mut().unwrap().pop();
        assert_eq!(owned(&foreign), Value::Null);
        assert_ne!(Digest::of_live(&foreign), Digest::of_manifest(&manifest()));
    }

    #[test]
    fn a_number_of_pods_that_leaves_the_manifest_is_given_up_with_its_live_value() {
        let live = |owner: &str, replicas: u64| {
            json!({"metadata": {"managedFields": [{"manager": owner, "operation": "Apply",
                    "fieldsV1": {"f:spec": {"f:replicas": {}, "f:minReplicas": {}}}}]},
                "spec": {"replicas": replicas, "minReplicas": 1, "paused": true}})
        };
        let without = json!({"spec": {}});
        let given_up =
            |live: &Value, manifest: &Value| Value::Object(counts_given_up(live, manifest));
        assert_eq!(given_up(&live(FIELD_MANAGER, 6), &without), json!({"replicas": 6}));
        assert_eq!(given_up(&live(FIELD_MANAGER, 6), &json!({"spec": {"replicas": 2}})), json!({}));
        assert_eq!(given_up(&live("kube-controller-manager", 6), &without), json!({}));
        for no_loss in [0, 1] {
            assert_eq!(given_up(&live(FIELD_MANAGER, no_loss), &without), json!({}));
        }
        let owned = owned_counts(&live(FIELD_MANAGER, 6));
        assert_eq!(owned, ["replicas", "minReplicas"]);
        assert!(gives_up_counts(&owned, &json!({"spec": {"replicas": 2}})));
        assert!(!gives_up_counts(&owned, &json!({"spec": {"replicas": 2, "minReplicas": 1}})));
    }

    #[test]
    fn sets_and_positions_are_found_in_their_lists() {
        let live = json!({"metadata": {"managedFields": [{"manager": FIELD_MANAGER,
                "operation": "Apply", "fieldsV1": {
                    "f:set": {"v:\"b\"": {}}, "f:list": {"i:1": {}}, "f:map": {".": {}}}}]},
            "set": ["a", "b"], "list": [1, 2, 3], "map": {"theirs": 1}});
        assert_eq!(owned(&live), json!({"set": ["b"], "list": [2], "map": {}}));
    }

    #[test]
    fn only_what_we_applied_to_the_object_itself_is_ours() {
        let entry = |manager: &str, operation: &str, subresource: Option<&str>| {
            let mut entry = json!({"manager": manager, "operation": operation});
            if let Some(name) = subresource {
                entry["subresource"] = name.into();
            }
            entry
        };
        let object = |entry: &Value| json!({"metadata": {"managedFields": [entry]}});
        for subresource in [None, Some("")] {
            let own = entry(FIELD_MANAGER, "Apply", subresource);
            assert_eq!(ours(&object(&own)), Some(&own));
        }
        for other in [
            entry("kubectl", "Apply", None),
            entry(FIELD_MANAGER, "Update", None),
            entry(FIELD_MANAGER, "Apply", Some("status")),
        ] {
            assert_eq!(ours(&object(&other)), None, "{other}");
        }
    }

    #[test]
    fn a_set_holds_a_field_itself_or_as_part_of_what_is_owned_as_a_whole() {
        let object = json!({
            "metadata": {"annotations": {"a/b~c": "1", "theirs": "2"}},
            "spec": {"selector": {"app": "echo"}, "replicas": 3, "7": "x", "ports": [
                {"port": 90, "name": "other"}, {"port": 80, "name": "http"}]}});
        let fields = json!({
            "f:metadata": {"f:annotations": {"f:a/b~c": {}}},
            "f:spec": {"f:selector": {}, "f:7": {}, "f:ports": {"k:{\"port\":80}": {".": {}, "f:port": {}}}}});
        let is_held = |pointer: &str| holds(&fields, &object, pointer);
        for held in [
            "",
            "/metadata/annotations",
            "/metadata/annotations/a~1b~0c",
            "/spec/selector",
            "/spec/selector/app",
            "/spec/7",
            "/spec/ports/1",
            "/spec/ports/1/port",
        ] {
            assert!(is_held(held), "{held}");
        }
        for not_held in [
            "/metadata/annotations/theirs",
            "/metadata/labels",
            "/spec/replicas",
            "/spec/ports/0",
            "/spec/ports/0/port",
            "/spec/ports/1/name",
            "/spec/ports/2",
            "/status",
        ] {
            assert!(!is_held(not_held), "{not_held}");
        }
    }

    #[test]
    fn the_order_of_fields_is_no_difference_and_that_of_a_list_is() {
        let digest = |text: &str| Digest::of(&serde_json::from_str(text).expect("JSON"));
        assert_eq!(digest(r#"{"a": 1, "b": [2, 3]}"#), digest(r#"{"b": [2, 3], "a": 1}"#));
        assert_ne!(digest("[2, 3]"), digest("[3, 2]"));
        let all =
            ["[]", "{}", "null", "\"\"", "[[]]", "[1, 23]", "[12, 3]", r#"{"a": {}}"#, r#"["a"]"#];
        let digests: std::collections::BTreeSet<_> = all.iter().map(|text| digest(text)).collect();
        assert_eq!(digests.len(), all.len());
        assert_eq!(digest("{}").to_string().len(), 32);
        assert_eq!(format!("{:?}", digest("{}")), digest("{}").to_string());
    }
}
