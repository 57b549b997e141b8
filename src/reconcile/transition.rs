//! Transitions that no order of steps makes safe, so they are not begun while there is traffic.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::inventory::{Manifest, ObjectId};
use crate::plan::{Backend, Desired, Findings};

/// Why going from what is live to what is desired would drop requests.
pub(super) fn objection(
    desired: &Desired,
    live: &BTreeMap<ObjectId, Value>,
    findings: &Findings,
) -> Option<String> {
    if !findings.has_routes {
        return None;
    }
    let handed_over = desired.routed.iter().find_map(|backend| match backend {
        Backend::Pods { deployment, ours: false, .. } if findings.surplus.contains(deployment) => {
            Some(format!(
                "the version of {deployment} is `external` now, and its pods would go with that \
                 Deployment; route to another version first, then hand this one over"
            ))
        }
        _ => None,
    });
    handed_over
        .or_else(|| desired.workloads.iter().find_map(|manifest| port_change(manifest, live)))
}

/// Gloo finds endpoints by the Service's port: between the change of the Service and the one of the
/// Upstream there are none (gloo-conformance case 05-service-port-mismatch).
fn port_change(manifest: &Manifest, live: &BTreeMap<ObjectId, Value>) -> Option<String> {
    let id = manifest.id();
    if id.kind != "Service" {
        return None;
    }
    let port = |object: &Value| object.pointer("/spec/ports/0/port").and_then(Value::as_u64);
    let (old, new) = (port(live.get(id)?)?, port(manifest.object())?);
    (old != new).then(|| {
        format!(
            "{id}: service.port would change from {old} to {new}, and until Gloo has followed every \
             request would get 503; keep {old}, or bring the service out anew under another name"
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(port: u16) -> Manifest {
        let object = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "echo", "namespace": "echo"}, "spec": {"ports": [{"port": port}]}});
        Manifest::new(object).expect("complete")
    }

    fn with_traffic() -> Findings {
        Findings { has_routes: true, ..Findings::default() }
    }

    #[test]
    fn another_service_port_is_refused_while_there_is_traffic() {
        let live = BTreeMap::from([(service(80).id().clone(), service(80).object().clone())]);
        let to = |port| Desired { workloads: vec![service(port)], ..Desired::default() };
        let reason = objection(&to(8080), &live, &with_traffic()).expect("refused");
        assert!(reason.contains("from 80 to 8080"), "{reason}");
        assert_eq!(objection(&to(80), &live, &with_traffic()), None);
        assert_eq!(objection(&to(8080), &live, &Findings::default()), None);
        assert_eq!(objection(&to(8080), &BTreeMap::new(), &with_traffic()), None);
    }

    #[test]
    fn a_routed_version_is_not_handed_over_by_deleting_its_pods() {
        let deployment = ObjectId {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: Some("echo".into()),
            name: "echo-v1".into(),
        };
        let external = Backend::Pods {
            service: service(80).id().clone(),
            selector: "app=echo,version=v1".into(),
            deployment: deployment.clone(),
            ours: false,
        };
        let desired = Desired { routed: vec![external], ..Desired::default() };
        let mut findings = with_traffic();
        assert_eq!(objection(&desired, &BTreeMap::new(), &findings), None);
        findings.surplus.insert(deployment);
        let reason = objection(&desired, &BTreeMap::new(), &findings).expect("refused");
        assert!(reason.contains("Deployment echo/echo-v1"), "{reason}");
    }
}
