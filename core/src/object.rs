//! Kubernetes objects: their identity, and what we would write of them.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::kind::{Kind, RouteApi};
use crate::labels::{KEEP, REVISION, labels};
use crate::managed_fields::Digest;

/// The name of an object in a cluster; a copy shares it, for it stands in many places and there may be
/// thousands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(Arc<Identity>);

/// What identifies an object in a cluster.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// For example `apps/v1`.
    pub api_version: String,
    /// For example `Deployment`.
    pub kind: String,
    /// Absent for cluster-scoped objects.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
}

impl ObjectId {
    /// The object of this name; `namespace` is absent for a cluster-scoped one.
    pub fn new(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        Self(Arc::new(Identity {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }))
    }

    /// The object of this kind and name; `namespace` is absent for a cluster-scoped one.
    pub fn of(kind: Kind, namespace: Option<&str>, name: &str) -> Self {
        Self::new(kind.api_version(), kind.as_str(), namespace, name)
    }

    /// What `kubectl` calls it: its kind with the API group, its name, and where it is.
    pub fn for_kubectl(&self) -> String {
        let kind = self.kind.to_lowercase();
        let group = self
            .api_version
            .split_once('/')
            .map_or(String::new(), |(group, _)| format!(".{group}"));
        let place = self.namespace.as_ref().map_or(String::new(), |it| format!(" -n {it}"));
        format!("{kind}{group} {}{place}", self.name)
    }

    /// Its kind, if it is one that decisions look at.
    pub fn known_kind(&self) -> Option<Kind> {
        Kind::of(&self.api_version, &self.kind)
    }

    /// Whether it is of this kind.
    pub fn is(&self, kind: Kind) -> bool {
        self.kind == kind.as_str() && self.known_kind() == Some(kind)
    }

    /// Whether it says which requests go where.
    pub fn is_route(&self) -> bool {
        self.route_api().is_some()
    }

    /// The API whose routes it is.
    pub fn route_api(&self) -> Option<RouteApi> {
        self.known_kind().and_then(Kind::route_api)
    }

    /// Whether Gloo reports in its status what it makes of it.
    pub fn has_gloo_status(&self) -> bool {
        self.known_kind().is_some_and(Kind::has_gloo_status)
    }

    /// Whether gateways report in its status what they make of it as a policy for routes.
    pub fn is_policy(&self) -> bool {
        self.known_kind().is_some_and(Kind::is_policy)
    }

    /// Whether routes are guarded by it.
    pub fn is_guard(&self) -> bool {
        self.known_kind().is_some_and(Kind::is_guard)
    }

    /// Whether a controller of the Gateway API reports in its status what it makes of it.
    pub fn has_gateway_status(&self) -> bool {
        self.known_kind().is_some_and(Kind::has_gateway_status)
    }

    /// Whether Gloo's routing rests on it.
    pub fn is_routing(&self) -> bool {
        self.known_kind().is_some_and(Kind::is_routing)
    }
}

/// An object with this `spec`, as a manifest writes it.
pub fn object(kind: Kind, namespace: &str, name: &str, spec: impl Serialize) -> Value {
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    })
}

impl Deref for ObjectId {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl fmt::Display for ObjectId {
    /// `Kind namespace/name`, or `Kind name` for cluster-scoped objects.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// The objects as a sentence names them.
pub(crate) fn listed(ids: &[ObjectId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// One Kubernetes object as we would write it; a copy shares it. Its four identifying fields are known to
/// be there.
#[derive(Clone, Debug)]
pub struct Manifest {
    id: ObjectId,
    object: Arc<Value>,
    digest: OnceLock<Digest>,
}

impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        self.object == other.object
    }
}

impl Manifest {
    /// Takes an object apart far enough to name it; `None` when `apiVersion`, `kind` or
    /// `metadata.name` is missing.
    ///
    /// What a Secret says in `stringData` is moved to `data`, as the API server does when it stores it: that
    /// is what is there to compare with, and what managed fields speak of.
    pub fn new(mut object: Value) -> Option<Self> {
        if is_secret(&object) {
            encode_strings(&mut object);
        }
        let text = |pointer: &str| object.pointer(pointer)?.as_str();
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name")?);
        let id = ObjectId::new(text("/apiVersion")?, text("/kind")?, namespace, name);
        Some(Self { id, object: object.into(), digest: OnceLock::new() })
    }

    /// The object's identity.
    pub fn id(&self) -> &ObjectId {
        &self.id
    }

    /// The whole object.
    pub fn object(&self) -> &Value {
        &self.object
    }

    /// The digest of all that it asks for, whichever revision it comes from.
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of_manifest(&self.object))
    }

    /// Marks the object as ours: the three labels and the revision annotation.
    pub fn mark(&mut self, instance: &str, service: &str, revision: &str) {
        for (key, value) in labels(instance, service) {
            self.set("labels", key, value);
        }
        self.set("annotations", REVISION, revision);
    }

    /// Marks the object as one that stays when its service's file goes.
    pub fn keep(&mut self) {
        self.set("annotations", KEEP, "true");
    }

    /// Sets an annotation.
    pub fn annotate(&mut self, key: &str, value: &str) {
        self.set("annotations", key, value);
    }

    fn set(&mut self, field: &str, key: &str, value: &str) {
        self.digest = OnceLock::new();
        let metadata = &mut Arc::make_mut(&mut self.object)["metadata"];
        if let Some(map) = metadata[field].as_object_mut() {
            map.insert(key.into(), value.into());
        } else {
            let map = Map::from_iter([(key.to_owned(), value.into())]);
            metadata[field] = map.into();
        }
    }
}

/// Whether the object is a Secret.
pub(crate) fn is_secret(object: &Value) -> bool {
    object["kind"] == Kind::Secret.as_str() && object["apiVersion"] == Kind::Secret.api_version()
}

/// Moves the strings of a Secret's `stringData` to `data`. What is no string stays, for the API server to
/// refuse.
fn encode_strings(secret: &mut Value) {
    let Some(strings) = secret.get_mut("stringData").and_then(Value::as_object_mut) else { return };
    let mut encoded = Map::new();
    strings.retain(|key, value| match value.as_str() {
        Some(text) => {
            encoded.insert(key.clone(), STANDARD.encode(text).into());
            false
        }
        None => true,
    });
    if strings.is_empty()
        && let Some(secret) = secret.as_object_mut()
    {
        secret.shift_remove("stringData");
    }
    if encoded.is_empty() {
        return;
    }
    match &mut secret["data"] {
        Value::Object(data) => data.extend(encoded),
        data @ Value::Null => *data = encoded.into(),
        // For the API server to refuse.
        _ => {}
    }
}

/// A value of a Secret's `data` as text, if it is one.
pub(crate) fn decoded(value: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(value).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strings_of_a_secret_are_written_as_they_are_stored() {
        let manifest = |fields: Value| {
            let mut object =
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
            object
                .as_object_mut()
                .expect("a map")
                .extend(fields.as_object().cloned().expect("a map"));
            Manifest::new(object).expect("named").object().clone()
        };
        let both = manifest(json!({"data": {"a": "MQ==", "b": "Mg=="},
            "stringData": {"a": "hunter2", "c": ""}}));
        assert_eq!(both["data"], json!({"a": "aHVudGVyMg==", "b": "Mg==", "c": ""}));
        assert_eq!(both.get("stringData"), None);
        assert_eq!(manifest(json!({"stringData": {"a": "x"}}))["data"], json!({"a": "eA=="}));
        assert_eq!(manifest(json!({"stringData": {}})).get("data"), None);
        let odd = manifest(json!({"stringData": {"a": 1, "b": "x"}}));
        assert_eq!(odd["stringData"], json!({"a": 1}), "the API server says what is wrong with it");
    }

    fn manifest() -> Manifest {
        Manifest::new(object(Kind::Service, "shop", "echo", json!({"ports": []}))).expect("a name")
    }

    #[test]
    fn an_object_is_named_by_kind_namespace_and_name() {
        assert_eq!(manifest().id().to_string(), "Service shop/echo");
        let namespace = ObjectId::new("v1", "Namespace", None, "shop");
        assert_eq!(namespace.to_string(), "Namespace shop");
        for missing in ["apiVersion", "kind", "metadata"] {
            let mut object = manifest().object().clone();
            object.as_object_mut().expect("an object").remove(missing);
            assert_eq!(Manifest::new(object), None, "{missing}");
        }
    }

    #[test]
    fn a_kind_is_known_by_its_name_and_its_group() {
        let [table, service, deployment] = [Kind::RouteTable, Kind::Service, Kind::Deployment]
            .map(|kind| ObjectId::of(kind, Some("shop"), "echo"));
        let other = ObjectId::new("serving.knative.dev/v1", "Service", Some("shop"), "echo");
        assert!(service.is(Kind::Service) && !service.is(Kind::RouteTable));
        assert!(!other.is(Kind::Service), "of another group");
        assert_eq!([&service, &other].map(|it| it.known_kind()), [Some(Kind::Service), None]);
        let all = [&table, &service, &deployment, &other];
        assert_eq!(all.map(|it| it.is_route()), [true, false, false, false]);
        assert_eq!(all.map(|it| it.has_gloo_status()), [true, false, false, false]);
        assert_eq!(all.map(|it| it.is_routing()), [true, true, false, false]);
    }

    #[test]
    fn marks_are_added_to_labels_and_annotations_that_are_there() {
        let mut own = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "echo", "labels": {"a": "1"}}});
        let mut manifest = Manifest::new(own.clone()).expect("a name");
        manifest.mark("main", "echo", "abc");
        manifest.keep();
        manifest.annotate("note", "b");
        for (label, value) in labels("main", "echo") {
            own["metadata"]["labels"][label] = value.into();
        }
        own["metadata"]["annotations"] = json!({REVISION: "abc", KEEP: "true", "note": "b"});
        assert_eq!(manifest.object(), &own);
        assert_eq!(manifest, Manifest::new(own).expect("a name"));
    }

    #[test]
    fn the_digest_follows_what_is_asked_for_and_not_the_revision() {
        let (mut one, mut other) = (manifest(), manifest());
        assert_eq!(one.digest(), Digest::of_manifest(one.object()));
        one.mark("main", "echo", "one");
        other.mark("main", "echo", "two");
        assert_ne!(one, other);
        assert_eq!(one.digest(), other.digest());
        assert_ne!(one.digest(), manifest().digest(), "the labels are asked for");
        let before = one.digest();
        one.keep();
        assert_ne!(one.digest(), before);
    }
}
