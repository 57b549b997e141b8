use serde_json::json;

use super::Snapshot;
use crate::{ObjectRef, ResourceRef};

#[test]
fn an_object_is_put_in_replaced_and_taken_out() {
    let mut snapshot = Snapshot::default();
    let route = |host: &str| {
        json!({
            "kind": "HTTPRoute",
            "metadata": { "namespace": "echo", "name": "r" },
            "spec": { "hostnames": [host] },
        })
    };
    assert!(snapshot.upsert(&route("a.test")));
    let copy = snapshot.clone();
    assert!(snapshot.upsert(&route("b.test")));
    let name = ResourceRef::new("echo", "r");
    let hosts = |snapshot: &Snapshot| snapshot.http_route(&name).map(|it| it.hostnames.clone());
    assert_eq!(hosts(&snapshot), Some(vec!["b.test".to_owned()]));
    assert_eq!(hosts(&copy), Some(vec!["a.test".to_owned()]), "a copy keeps what it had");
    assert!(snapshot.contains(&ObjectRef::new("HTTPRoute", "echo", "r")));
    assert!(snapshot.remove("HTTPRoute", "echo", "r"));
    assert!(!snapshot.remove("HTTPRoute", "echo", "r"));
}

#[test]
fn what_cannot_be_decoded_is_not_there() {
    let mut snapshot = Snapshot::default();
    let object = |hosts| {
        json!({
            "kind": "HTTPRoute",
            "metadata": { "namespace": "echo", "name": "r" },
            "spec": { "hostnames": hosts },
        })
    };
    snapshot.upsert(&object(json!(["a.test"])));
    assert!(snapshot.upsert(&object(json!("a.test"))), "the kind counts all the same");
    assert_eq!(snapshot.undecodable().count(), 1);
    assert!(snapshot.http_route(&ResourceRef::new("echo", "r")).is_none());
    snapshot.upsert(&object(json!(["a.test"])));
    assert_eq!(snapshot.undecodable().count(), 0);
}

#[test]
fn of_other_kinds_it_is_known_that_they_are_there() {
    let mut snapshot = Snapshot::default();
    let object = json!({ "kind": "GRPCRoute", "metadata": { "namespace": "echo", "name": "r" } });
    assert!(!snapshot.upsert(&object));
    let name = ObjectRef::new("GRPCRoute", "echo", "r");
    assert!(snapshot.contains(&name));
    assert_eq!(snapshot.others().collect::<Vec<_>>(), [name]);
    assert!(snapshot.remove("GRPCRoute", "echo", "r"));
    assert_eq!(snapshot.others().count(), 0);
}

#[test]
fn endpoint_slices_belong_to_their_service() {
    let mut snapshot = Snapshot::default();
    let slice = |name: &str| {
        json!({
            "kind": "EndpointSlice",
            "metadata": {
                "namespace": "echo",
                "name": name,
                "labels": { "kubernetes.io/service-name": "a" },
            },
            "endpoints": [],
        })
    };
    assert!(snapshot.upsert(&slice("a-1")) && snapshot.upsert(&slice("a-2")));
    assert!(snapshot.remove("EndpointSlice", "echo", "a-1"));
    assert!(snapshot.contains(&ObjectRef::new("EndpointSlice", "echo", "a-2")));
    assert!(snapshot.remove("EndpointSlice", "echo", "a-2"));
    assert!(!snapshot.contains(&ObjectRef::new("EndpointSlice", "echo", "a-2")));
}
