//! Objects of ours that are ours as a whole: the policies that guard routes, and what they refer to.

use serde_json::{Map, Value, json};

use crate::kind::Kind;
use crate::labels::{INSTANCE, MANAGED_BY, PLATFORM, SERVICE};

/// What the annotations of ours begin with.
const OURS: &str = "coalmine.dev/";

/// What we own of a live guard of a service's routes: its spec, whoever wrote it. `None` for any other object.
///
/// Something that another manager adds, such as a further issuer of tokens, lets in whom the values do not. And the
/// managed fields do not tell: kgateway updates the status of a TrafficPolicy with an object that has no spec, by which the
/// API server takes the spec off the fields of whoever applied it.
pub(super) fn owned(live: &Value) -> Option<Value> {
    let metadata = &live["metadata"];
    let kind = Kind::of(live["apiVersion"].as_str()?, live["kind"].as_str()?)?;
    let service = metadata["labels"][SERVICE].as_str()?;
    if !kind.is_guard() || service == PLATFORM {
        return None;
    }
    let some = |field: &str, is_ours: &dyn Fn(&str) -> bool| {
        let all = metadata[field].as_object().into_iter().flatten();
        let ours = all.filter(|(key, _)| is_ours(key));
        ours.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>()
    };
    let labels = some("labels", &|key| [MANAGED_BY, INSTANCE, SERVICE].contains(&key));
    let annotations = some("annotations", &|key| key.starts_with(OURS));
    let mut owned = json!({"metadata": {"labels": labels}, "spec": live["spec"]});
    if !annotations.is_empty() {
        owned["metadata"]["annotations"] = annotations.into();
    }
    Some(owned)
}

#[cfg(test)]
mod tests {
    use super::super::Digest;
    use super::*;
    use crate::labels::{APPLIED, KEEP, REVISION, labels};

    fn manifest(kind: Kind, service: &str) -> Value {
        json!({"apiVersion": kind.api_version(), "kind": kind, "metadata": {"name": "echo", "namespace": "echo",
            "labels": labels("main", service), "annotations": {REVISION: "r", KEEP: "true"}},
            "spec": {"jwt": {"providers": [{"name": "a"}]}}})
    }

    /// As the API server has it after a status update without a spec.
    fn live(kind: Kind, service: &str) -> Value {
        let mut live = manifest(kind, service);
        live["metadata"]["annotations"][APPLIED] = "x".into();
        live["metadata"]["annotations"]["theirs"] = "y".into();
        live["metadata"]["labels"]["theirs"] = "z".into();
        live["status"] = json!({"ancestors": []});
        live["metadata"]["managedFields"] = json!([{"manager": "coalmine", "operation": "Apply",
            "fieldsV1": {"f:metadata": {"f:labels": {}}}}]);
        live
    }

    #[test]
    fn a_policy_is_in_sync_as_long_as_its_spec_is_what_was_written() {
        for kind in [Kind::TrafficPolicy, Kind::GatewayExtension, Kind::SecurityPolicy] {
            let expected = Digest::of_manifest(&manifest(kind, "echo"));
            assert_eq!(Digest::of_live(&live(kind, "echo")), expected, "{kind}");
            let mut added = live(kind, "echo");
            added["spec"]["jwt"]["providers"] = json!([{"name": "a"}, {"name": "b"}]);
            assert_ne!(Digest::of_live(&added), expected, "{kind}: another issuer of tokens");
            let mut unlabelled = live(kind, "echo");
            unlabelled["metadata"]["labels"] = json!({});
            assert_ne!(Digest::of_live(&unlabelled), expected, "{kind}");
        }
    }

    #[test]
    fn other_objects_are_what_their_managed_fields_say() {
        for (kind, service) in [(Kind::HttpRoute, "echo"), (Kind::TrafficPolicy, PLATFORM)] {
            assert_eq!(owned(&live(kind, service)), None, "{kind}");
        }
    }
}
