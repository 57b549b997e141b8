//! Which objects are ours: their identity, and the labels that are the only book we keep.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::live::Digest;

/// The field manager of every server-side apply.
pub const FIELD_MANAGER: &str = "coalmine";
/// Label that says which tool manages the object; the value is [`FIELD_MANAGER`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label that names the daemon's instance, so that two daemons can share a cluster.
pub const INSTANCE: &str = "coalmine.dev/instance";
/// Label that names the service an object belongs to.
pub const SERVICE: &str = "coalmine.dev/service";
/// Annotation with the git revision the object was last rendered from.
pub const REVISION: &str = "coalmine.dev/revision";
/// Annotation with the digest of the manifest that was applied last. An object that carries the digest
/// of what is desired now and yet differs was changed by somebody else.
pub const APPLIED: &str = "coalmine.dev/applied";
/// Annotation that lets an object in `platform/` take over one that exists without our label; the
/// value is `true`.
pub const ADOPT: &str = "coalmine.dev/adopt";
/// Annotation that keeps an object in the cluster when its service's file goes; the value is `true`.
pub const KEEP: &str = "coalmine.dev/keep";

/// The three labels of everything that we write for a service, its pods included.
pub fn labels<'a>(instance: &'a str, service: &'a str) -> BTreeMap<&'static str, &'a str> {
    BTreeMap::from([(MANAGED_BY, FIELD_MANAGER), (INSTANCE, instance), (SERVICE, service)])
}

/// True when the object stays although its service's file is gone.
pub fn is_kept(object: &Value) -> bool {
    object["metadata"]["annotations"][KEEP] == "true"
}

/// When the object was last changed, its status included, by its managed fields, to the second.
pub fn last_changed(object: &Value) -> Option<Timestamp> {
    let fields = object.pointer("/metadata/managedFields")?.as_array()?;
    fields.iter().filter_map(|entry| entry.get("time")?.as_str()?.parse().ok()).max()
}

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
    pub fn new(object: Value) -> Option<Self> {
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
