//! The keys of a version's settings: `deployment.<version>`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::mapping::mapping;
use super::scalars::{Count, Duration, False, Label, ObjectName, Open, Port, Text};
use crate::labels;

mapping! {
    /// A version's settings.
    #[schemars(extend(
        "if" = {"required": ["external"], "properties": {"external": {"not": {"enum": [null, false]}}}},
        "then" = {"maxProperties": 1}
    ))]
    Version {
        /// The number of pods.
        replicas: Option<Count>,
        /// The container's image; by default http-echo answering `version:<service>-<version>`.
        image: Option<Text>,
        /// The container's arguments.
        args: Option<Vec<Text>>,
        /// The environment: a mapping of name to value or source, or Kubernetes' list.
        env: Option<Environment>,
        /// The port the container listens on; 8080 by default.
        port: Option<Port>,
        /// Kubernetes' imagePullPolicy.
        image_pull_policy as "imagePullPolicy": Option<PullPolicy>,
        /// Kubernetes' resource requirements.
        resources: Option<Open>,
        /// Kubernetes' probes.
        probes: Option<Probes>,
        /// More labels, for the Deployment and its pods.
        labels: Option<OwnMap>,
        /// More annotations, for the Deployment and its pods.
        annotations: Option<OwnMap>,
        /// The pods' service account.
        service_account_name as "serviceAccountName": Option<Text>,
        /// The container's security context.
        security_context as "securityContext": Option<Open>,
        /// The pods' security context.
        pod_security_context as "podSecurityContext": Option<Open>,
        /// How long a pod that goes still answers before it is asked to end; 7s by default.
        drain: Option<Duration>,
        /// A JSON merge patch (RFC 7386) on the rendered Deployment.
        patch: Option<Patch>,
        /// Somebody else runs this version; nothing else stands beside it then.
        external: Option<External>,
    }
}

/// An environment.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Environment {
    /// Name to value or source; `null` leaves the default of coalmine.yaml.
    Mapping(BTreeMap<String, Option<Variable>>),
    /// Kubernetes' list.
    List(Vec<ListedVariable>),
}

/// The value of a variable.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Variable {
    /// A value.
    Value(Text),
    /// `valueFrom`, as Kubernetes has it.
    Source(Open),
}

/// A variable as Kubernetes lists it.
struct ListedVariable;

impl JsonSchema for ListedVariable {
    fn schema_name() -> Cow<'static, str> {
        "ListedVariable".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = generator.subschema_for::<Text>();
        json_schema!({
            "type": "object",
            "properties": {"name": text, "value": text},
            "required": ["name"]
        })
    }
}

/// When an image is pulled.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

mapping! {
    /// Kubernetes' probes; `false` for none.
    Probes {
        /// When a pod gets requests; by default when its port takes connections.
        readiness: Option<Probe>,
        /// When a pod is restarted.
        liveness: Option<Probe>,
        /// When the other probes begin.
        startup: Option<Probe>,
    }
}

/// A probe.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Probe {
    /// `false`: no such probe.
    Off(False),
    /// Kubernetes' probe.
    Given(Open),
}

/// Labels or annotations that are not coalmine's own; `null` leaves the default of coalmine.yaml.
struct OwnMap;

impl JsonSchema for OwnMap {
    fn schema_name() -> Cow<'static, str> {
        "OwnMap".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": not_reserved(),
            "additionalProperties": generator.subschema_for::<Option<Text>>()
        })
    }
}

/// The labels and annotations that are coalmine's own.
pub(in crate::values) const RESERVED_KEYS: [&str; 3] = ["app", "version", labels::MANAGED_BY];
/// What the names of coalmine's other labels and annotations begin with.
pub(in crate::values) const RESERVED_PREFIX: &str = "coalmine.dev/";

/// A key of labels or annotations that is not coalmine's own.
fn not_reserved() -> Value {
    let prefix = format!("^{}", RESERVED_PREFIX.replace('.', r"\."));
    json!({"not": {"anyOf": [{"enum": RESERVED_KEYS}, {"pattern": prefix}]}})
}

/// A merge patch that leaves the Deployment's identity alone.
struct Patch;

impl JsonSchema for Patch {
    fn schema_name() -> Cow<'static, str> {
        "Patch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // `null` leaves the default of coalmine.yaml.
        let object =
            |properties: Value| json!({"type": ["object", "null"], "properties": properties});
        let shared = || json!({"type": ["object", "null"], "propertyNames": not_reserved()});
        let metadata =
            json!({"name": false, "namespace": false, "labels": shared(), "annotations": shared()});
        let template = json!({"metadata": object(json!({"labels": shared()}))});
        let spec = json!({"selector": false, "template": object(template)});
        json_schema!({
            "type": "object",
            "properties": {
                "apiVersion": false,
                "kind": false,
                "metadata": object(metadata),
                "spec": object(spec)
            }
        })
    }
}

/// Who runs the version.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum External {
    /// `true`: somebody else deploys pods labelled `app` and `version`.
    Pods(bool),
    /// It is an Upstream that exists already.
    Upstream(ExternalUpstream),
}

mapping! {
    /// An Upstream that exists already; needs `routes.split: upstream`.
    ExternalUpstream {
        /// The Upstream.
        upstream: UpstreamReference,
    }
}

mapping! {
    /// An Upstream by its name.
    UpstreamReference {
        /// Its name.
        name: ObjectName,
        /// Its namespace; the service's by default.
        namespace: Option<Label>,
    }
}
