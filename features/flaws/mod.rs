//! What could be wrong with a daemon or a gateway, and the words by which the suite notices.

use harness::api_proxy::Request;
use harness::front;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::Value;

use crate::world::{Alteration, bed};

/// A flaw, and the scenario that has to notice it.
pub(crate) struct Mutation {
    /// What people call it.
    pub(crate) name: &'static str,
    /// What is wrong.
    pub(crate) flaw: Flaw,
    /// A part of the scenario's name.
    pub(crate) scenario: &'static str,
    /// Words of the failure: another one would be a coincidence.
    pub(crate) words: &'static str,
}

/// What is wrong.
#[derive(Clone, Copy)]
pub(crate) enum Flaw {
    /// The daemon writes something else.
    Writes(Alteration),
    /// The gateway answers something else.
    Gateway(front::Flaw),
}

const WALK: &str = "echo walks through its six values files";
const NO_CANARY: &str = r#"did not converge to {"echo-v2"}"#;

pub(crate) const ALL: [Mutation; 8] = [
    Mutation {
        name: "swapped weights",
        flaw: Flaw::Writes(|| routes(swap_weights)),
        scenario: WALK,
        words: r#"did not converge to {"echo-v1"}"#,
    },
    Mutation {
        name: "a missing header route",
        flaw: Flaw::Writes(|| routes(|routes| routes.retain(|route| !has_headers(route)))),
        scenario: WALK,
        words: NO_CANARY,
    },
    Mutation {
        name: "the header route after the prefix route",
        flaw: Flaw::Writes(|| routes(|routes| routes.sort_by_key(has_headers))),
        scenario: WALK,
        words: NO_CANARY,
    },
    Mutation {
        name: "a stale route table",
        flaw: Flaw::Writes(|| {
            let mut first = None;
            routes(move |routes| *routes = first.get_or_insert_with(|| routes.clone()).clone())
        }),
        scenario: WALK,
        words: NO_CANARY,
    },
    Mutation {
        name: "the canary's subset missing",
        flaw: Flaw::Writes(|| routes(|routes| routes.iter_mut().for_each(drop_subset))),
        scenario: WALK,
        words: NO_CANARY,
    },
    Mutation {
        name: "a Deployment deleted too early",
        flaw: Flaw::Writes(|| Box::new(delete_too_early)),
        scenario: WALK,
        words: "/echo",
    },
    Mutation {
        name: "one failed request in 10,000",
        flaw: Flaw::Gateway(front::Flaw::Fails(10_000)),
        scenario: WALK,
        words: "failed on purpose",
    },
    Mutation {
        name: "a proxy that ignores updates",
        flaw: Flaw::Gateway(front::Flaw::Frozen),
        scenario: WALK,
        words: "did not converge",
    },
];

type Change = Box<dyn FnMut(&Request, &mut Value) + Send>;

/// Changes the routes of echo's table.
fn routes(mut change: impl FnMut(&mut Vec<Value>) + Send + 'static) -> Change {
    Box::new(move |request, object| {
        if request.is_about("routetables")
            && object["metadata"]["name"] == "echo-routes"
            && let Some(routes) = object.pointer_mut("/spec/routes").and_then(Value::as_array_mut)
        {
            change(routes);
        }
    })
}

fn has_headers(route: &Value) -> bool {
    route.pointer("/matchers/0/headers").is_some()
}

fn swap_weights(routes: &mut Vec<Value>) {
    for route in routes {
        let destinations = route.pointer_mut("/routeAction/multi/destinations");
        if let Some([first, second]) =
            destinations.and_then(Value::as_array_mut).map(Vec::as_mut_slice)
        {
            std::mem::swap(&mut first["weight"], &mut second["weight"]);
        }
    }
}

fn drop_subset(route: &mut Value) {
    if let Some(single) = route.pointer_mut("/routeAction/single").and_then(Value::as_object_mut)
        && single["subset"]["values"]["version"] == "v2"
    {
        single.remove("subset");
    }
}

/// Takes v1 away when v2 is made, as who replaces one by the other.
fn delete_too_early(request: &Request, object: &mut Value) {
    if request.is_about("deployments") && object["metadata"]["name"] == "echo-v2" {
        let handle = tokio::runtime::Handle::current();
        // An error shows as a suite that does not notice.
        let _ = tokio::task::block_in_place(|| handle.block_on(delete("echo", "echo-v1")));
    }
}

async fn delete(namespace: &str, name: &str) -> kube::Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(bed().client(), namespace);
    deployments.delete(name, &DeleteParams::background()).await?;
    let pods: Api<Pod> = Api::namespaced(bed().client(), namespace);
    let at_once = DeleteParams::default().grace_period(0);
    for pod in pods.list_metadata(&ListParams::default()).await? {
        if pod.name_any().starts_with(name) {
            pods.delete(&pod.name_any(), &at_once).await?;
        }
    }
    Ok(())
}
