//! JSON Schemas of the files, for editors: which keys there are, and what they mean.
//!
//! What a schema cannot say (that the canary is a version of the service, that no two services claim a path)
//! `coalmine validate` says. Whatever is valid there fits the schema.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde::Serialize;
use serde_json::{Map, Value};

/// The schema of `services/*.yaml`.
pub fn service() -> Value {
    schema_for!(ServiceFile).to_value()
}

/// The schema of `coalmine.yaml`.
pub fn settings() -> Value {
    schema_for!(SettingsFile).to_value()
}

/// Text; an unquoted number or boolean is the text it is written as.
#[derive(Serialize)]
struct Text;

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

/// A duration.
struct Span;

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["5m", "3s", "1m 30s"]})
    }
}

/// A whole number from 0 to 100.
struct Percent;

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 0, "maximum": 100})
    }
}

/// A TCP port.
struct Port;

impl JsonSchema for Port {
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 1, "maximum": 65535})
    }
}

/// Whatever Kubernetes or Gloo takes here.
type Open = Map<String, Value>;

macro_rules! mapping {
    ($(#[$about:meta])* $name:ident { $($(#[$meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[expect(dead_code, reason = "only its schema is used")]
        struct $name { $($(#[$meta])* $field: $type,)* }
    };
}

mapping! {
    /// A service's values: the versions that run, and who gets the requests. The file's name is the service's.
    ServiceFile {
        /// Where all of the service's objects live; by default the service's name.
        namespace: Option<Text>,
        /// The versions to run, by name.
        deployment: BTreeMap<String, Option<Version>>,
        /// The Kubernetes Service.
        service: Option<Service>,
        /// Who gets the requests.
        routes: Routes,
        /// More of the Upstreams' spec, passed through.
        upstream: Option<Open>,
        /// Take over objects that exist without our labels.
        adopt: Option<bool>,
        /// Leave the objects in the cluster when the file goes.
        keep: Option<bool>,
        /// What is done when somebody else changes an object.
        drift: Option<Drift>,
    }
}

mapping! {
    /// A version's settings.
    Version {
        /// The number of pods.
        replicas: Option<u32>,
        /// The container's image; by default http-echo answering `version:<service>-<version>`.
        image: Option<Text>,
        /// The container's arguments.
        args: Option<Vec<Text>>,
        /// The environment: a mapping of name to value or source, or Kubernetes' list.
        env: Option<Environment>,
        /// The port the container listens on; 8080 by default.
        port: Option<Port>,
        /// Kubernetes' imagePullPolicy.
        image_pull_policy: Option<PullPolicy>,
        /// Kubernetes' resource requirements.
        resources: Option<Open>,
        /// Kubernetes' probes.
        probes: Option<Probes>,
        /// More labels, for the Deployment and its pods.
        labels: Option<BTreeMap<String, Text>>,
        /// More annotations, for the Deployment and its pods.
        annotations: Option<BTreeMap<String, Text>>,
        /// The pods' service account.
        service_account_name: Option<Text>,
        /// How long a pod that goes still answers before it is asked to end; 7s by default.
        drain: Option<Span>,
        /// A JSON merge patch (RFC 7386) on the rendered Deployment.
        patch: Option<Open>,
        /// Somebody else runs this version; nothing else stands beside it then.
        external: Option<External>,
    }
}

/// An environment.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Environment {
    /// Name to value or source.
    Mapping(BTreeMap<String, Variable>),
    /// Kubernetes' list.
    List(Vec<Open>),
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
    Off(bool),
    /// Kubernetes' probe.
    Given(Open),
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
        name: Text,
        /// Its namespace; the service's by default.
        namespace: Option<Text>,
    }
}

mapping! {
    /// The Kubernetes Service.
    Service {
        /// Its port; 80 by default.
        port: Option<Port>,
        /// Where it sends to: a number or the name of a container port.
        target_port: Option<TargetPort>,
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
    Name(String),
}

mapping! {
    /// Who gets the requests.
    Routes {
        /// Label of the RouteTable, by which the platform's VirtualService finds it.
        api_group: Option<Text>,
        /// Instead of apiGroup: a VirtualService of the service's own with these domains.
        domains: Option<Vec<Text>>,
        /// The paths that the service answers; `[{prefix: /<service>}]` by default.
        paths: Option<Vec<Path>>,
        /// Gloo's route options for every route, passed through.
        options: Option<Open>,
        /// The version that gets what the canary does not.
        primary: Option<Primary>,
        /// The version that is being tried.
        canary: Option<Canary>,
        /// How versions are told apart.
        split: Option<Split>,
        /// What happens to the share of a version that has no ready pod.
        fallback: Option<Fallback>,
    }
}

mapping! {
    /// The version that gets what the canary does not.
    Primary {
        /// A version of `deployment`.
        version: Option<Text>,
    }
}

mapping! {
    /// The version that is being tried.
    Canary {
        /// A version of `deployment`, another one than the primary.
        version: Option<Text>,
        /// Phase 1: requests that carry all of these go to the canary.
        headers: Option<BTreeMap<String, Condition>>,
        /// Phase 2: the canary's share of the other requests, in percent.
        weight: Option<Percent>,
        /// The percentage of requests of which the canary gets a copy.
        shadow: Option<Percent>,
    }
}

/// A condition on a header or query parameter.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Condition {
    /// It has this value.
    Value(Text),
    /// Something else.
    Match(Match),
}

mapping! {
    /// A condition.
    Match {
        /// It has this value.
        value: Option<Text>,
        /// It has a value that the expression (RE2) matches as a whole.
        regex: Option<Text>,
        /// It is there.
        present: Option<bool>,
        /// The condition does not hold.
        invert: Option<bool>,
    }
}

mapping! {
    /// A path; one of prefix, exact and regex.
    Path {
        /// Every path that begins with this text.
        prefix: Option<Text>,
        /// This path alone.
        exact: Option<Text>,
        /// Every path that the expression (RE2) matches as a whole.
        regex: Option<Text>,
        /// The methods, upper case; every one by default.
        methods: Option<Vec<Text>>,
        /// Conditions on query parameters.
        query_parameters: Option<BTreeMap<String, Condition>>,
        /// Gloo's route options for this path.
        options: Option<Open>,
        /// A function of a REST Upstream: `destinationSpec.rest`.
        rest: Option<Open>,
    }
}

/// How versions are told apart.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Split {
    /// One Upstream, versions by their pods' label.
    Subset,
    /// An Upstream per version.
    Upstream,
}

/// What happens to the share of a version that has no ready pod.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Fallback {
    /// The other versions' pods answer.
    Any,
    /// The gateway answers 503.
    None,
}

/// What is done when somebody else changes an object.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Drift {
    /// Report it and write it again.
    Repair,
    /// Report it and leave it.
    Report,
    /// Nothing.
    Ignore,
}

mapping! {
    /// Settings of a repository of rollouts. All of them are optional.
    SettingsFile {
        /// What services share that do not say otherwise.
        defaults: Option<Defaults>,
        /// Gloo.
        gloo: Option<Gloo>,
        /// How long things may take.
        timing: Option<Timing>,
        /// What one commit may do.
        policy: Option<Policy>,
        /// What may be removed.
        prune: Option<Prune>,
    }
}

mapping! {
    /// What services share that do not say otherwise.
    Defaults {
        /// Settings of every version that is not external.
        deployment: Option<Version>,
        /// The Kubernetes Service.
        service: Option<Service>,
        /// Who gets the requests. A default canary completes that of a service which names one.
        routes: Option<Routes>,
        /// More of the Upstreams' spec.
        upstream: Option<Open>,
        /// What is done when somebody else changes an object.
        drift: Option<Drift>,
    }
}

mapping! {
    /// Gloo.
    Gloo {
        /// Where it runs; gloo-system by default.
        namespace: Option<Text>,
    }
}

mapping! {
    /// How long things may take.
    Timing {
        /// The longest wait before a service counts as stalled; 5m by default.
        deadline: Option<Span>,
        /// From Gloo's verdict until every proxy has the new routes; 3s by default.
        settle: Option<Span>,
    }
}

mapping! {
    /// What one commit may do.
    Policy {
        /// The biggest rise of a version's share, in percent.
        max_step: Option<Percent>,
        /// Whether a version is tried by headers before it gets a share.
        require_header_phase: Option<bool>,
    }
}

mapping! {
    /// What may be removed.
    Prune {
        /// The most objects that one revision may remove.
        limit: Option<u32>,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::values::tests::properties::valid_values;

    fn fits(schema: &Value, value: &Value) -> Result<(), String> {
        let validator = jsonschema::validator_for(schema).expect("a schema");
        validator.validate(value).map_err(|error| format!("{}: {error}", error.instance_path()))
    }

    fn published(name: &str) -> &'static str {
        match name {
            "service" => include_str!("../../../docs/schemas/service.json"),
            _ => include_str!("../../../docs/schemas/settings.json"),
        }
    }

    #[test]
    fn the_published_schemas_are_those_of_this_version() {
        for (name, schema) in [("service", service()), ("settings", settings())] {
            let now = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
            let command = format!("coalmine schema {name} > docs/schemas/{name}.json");
            assert_eq!(published(name), now, "run `{command}`");
        }
    }

    #[test]
    fn a_key_that_is_no_key_does_not_fit() {
        let values = |text: &str| -> Value { serde_yaml::from_str(text).expect("YAML") };
        let good = values(
            "deployment: {v1: , v2: {replicas: 2}}\nroutes: {apiGroup: a, primary: {version: 1}}",
        );
        assert_eq!(fits(&service(), &good), Ok(()));
        for bad in [
            "deployment: {v1: {}}\nroute: {apiGroup: a, primary: {version: v1}}",
            "deployment: {v1: {replica: 1}}\nroutes: {apiGroup: a, primary: {version: v1}}",
            "deployment: {v1: {}}\nroutes: {primary: {version: v1}, canary: {weight: 101}}",
            "deployment: {v1: {}}\nroutes: {primary: {version: v1}, split: half}",
        ] {
            assert!(fits(&service(), &values(bad)).is_err(), "{bad}");
        }
        assert_eq!(
            fits(&settings(), &values("policy: {maxStep: 20}\ntiming: {settle: 3s}")),
            Ok(())
        );
        assert!(fits(&settings(), &values("timings: {}")).is_err());
    }

    proptest! {
        #[test]
        fn what_is_valid_fits(values in valid_values()) {
            prop_assert_eq!(fits(&service(), &values), Ok(()));
        }
    }
}
