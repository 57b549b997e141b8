//! The keys of a service's file.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::autopilot::Autopilot;
use super::mapping::mapping;
use super::routes::Routes;
use super::scalars::{LABEL_VALUE, Label, Port, PortName};
use super::version::Version;

mapping! {
    /// A service's values: the versions that run, and who gets the requests. The file's name is the service's.
    ServiceFile {
        /// Where all of the service's objects live; by default the service's name.
        namespace: Option<Label>,
        /// The versions to run, by name.
        deployment: Versions,
        /// The Kubernetes Service.
        service: Option<Service>,
        /// Who gets the requests; required unless coalmine.yaml says it.
        routes: Option<Routes>,
        /// More of the Upstreams' spec, passed through.
        upstream: Option<Upstream>,
        /// Take over objects that exist without our labels.
        adopt: Option<bool>,
        /// Leave the objects in the cluster when the file goes.
        keep: Option<bool>,
        /// What is done when somebody else changes an object.
        drift: Option<Drift>,
        /// How the daemon takes a canary through its rollout.
        autopilot: Option<Autopilot>,
    }
}

/// Versions by their names: values of the label `version`.
struct Versions;

impl JsonSchema for Versions {
    fn schema_name() -> Cow<'static, str> {
        "Versions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": LABEL_VALUE, "maxLength": 63},
            "additionalProperties": generator.subschema_for::<Option<Version>>()
        })
    }
}

mapping! {
    /// The Kubernetes Service.
    Service {
        /// Its port; 80 by default.
        port: Option<Port>,
        /// Where it sends to: a number or the name of a container port.
        target_port as "targetPort": Option<TargetPort>,
    }
}

/// A port by number or name.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum TargetPort {
    /// A number.
    Number(Port),
    /// The name of a container port.
    Name(PortName),
}

/// More of an Upstream's spec; not where its endpoints come from.
pub(super) struct Upstream;

impl JsonSchema for Upstream {
    fn schema_name() -> Cow<'static, str> {
        "Upstream".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "propertyNames": {"not": {"enum": ENDPOINT_SOURCES}}})
    }
}

/// The fields of an Upstream's spec that say where its endpoints come from.
pub(in crate::values) const ENDPOINT_SOURCES: [&str; 10] = [
    "kube",
    "static",
    "pipe",
    "aws",
    "azure",
    "consul",
    "awsEc2",
    "gcp",
    "ai",
    "discoveryMetadata",
];

/// What is done when somebody else changes an object.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum Drift {
    /// Report it and write it again.
    Repair,
    /// Report it and leave it.
    Report,
    /// Nothing.
    Ignore,
}
