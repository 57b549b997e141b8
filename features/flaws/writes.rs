//! Objects that are not written as they should be.

use harness::api_proxy::Request;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::flaw::Written;
use crate::world::bed;

/// The routes of foxtrot lead to echo.
pub(super) fn another_upstream() -> Written {
    routes("foxtrot-routes", |routes| {
        for upstream in
            routes.iter_mut().filter_map(|route| route.pointer_mut("/routeAction/single/upstream"))
        {
            *upstream = json!({"name": "echo", "namespace": "echo"});
        }
    })
}

pub(super) fn swapped_weights() -> Written {
    routes("echo-routes", |routes| {
        for destinations in routes.iter_mut().filter_map(destinations) {
            if let [first, second] = destinations {
                std::mem::swap(&mut first["weight"], &mut second["weight"]);
            }
        }
    })
}

/// The last destination gets what the first leaves of 100.
pub(super) fn weights_as_percentages() -> Written {
    routes("coalmine", |routes| {
        for destinations in routes.iter_mut().filter_map(destinations) {
            if let [first, second] = destinations {
                let share = first["weight"].as_u64().unwrap_or_default();
                second["weight"] = 100_u64.saturating_sub(share).into();
            }
        }
    })
}

/// A header counts whatever its value is.
pub(super) fn any_header_value() -> Written {
    routes("echo-routes", |routes| {
        let headers =
            routes.iter_mut().filter_map(|route| route.pointer_mut("/matchers/0/headers"));
        for header in headers.filter_map(Value::as_array_mut).flatten() {
            *header = json!({"name": header["name"]});
        }
    })
}

pub(super) fn no_header_route() -> Written {
    routes("echo-routes", |routes| routes.retain(|route| !has_headers(route)))
}

pub(super) fn header_route_last() -> Written {
    routes("echo-routes", |routes| routes.sort_by_key(has_headers))
}

pub(super) fn no_subset() -> Written {
    routes("echo-routes", |routes| {
        for single in routes.iter_mut().filter_map(|route| route.pointer_mut("/routeAction/single"))
        {
            if single["subset"]["values"]["version"] == "v2"
                && let Some(single) = single.as_object_mut()
            {
                single.remove("subset");
            }
        }
    })
}

/// The routes stay what they were at first.
pub(super) fn stale_routes() -> Written {
    let mut first = None;
    routes("echo-routes", move |routes| {
        *routes = first.get_or_insert_with(|| routes.clone()).clone();
    })
}

/// The routes stay those that give v2 the most.
pub(super) fn only_advances() -> Written {
    let mut furthest = (0, Vec::new());
    routes("echo", move |routes| {
        let reached = routes.iter_mut().map(share_of_v2).sum();
        if reached < furthest.0 {
            routes.clone_from(&furthest.1);
        } else {
            furthest = (reached, routes.clone());
        }
    })
}

/// Nobody asks Gloo for a new verdict.
pub(super) fn no_pending() -> Written {
    Box::new(|request, object| {
        if request.is_about("routetables")
            && let Some(object) = object.as_object_mut()
        {
            object.remove("status");
        }
    })
}

/// A Deployment ends all its pods before it starts others.
pub(super) fn recreate() -> Written {
    Box::new(|request, object| {
        if request.is_about("deployments") && !object["spec"]["strategy"].is_null() {
            object["spec"]["strategy"] = json!({"type": "Recreate"});
        }
    })
}

/// Takes v1 away when v2 is made, as who replaces one by the other.
pub(super) fn delete_too_early() -> Written {
    Box::new(|request, object| {
        if request.is_about("deployments") && object["metadata"]["name"] == "echo-v2" {
            object["metadata"]["annotations"]["example.com/in-place-of"] = "echo-v1".into();
            let handle = tokio::runtime::Handle::current();
            // An error shows as a suite that does not notice.
            let _ = tokio::task::block_in_place(|| handle.block_on(delete("echo", "echo-v1")));
        }
    })
}

/// Takes the RouteTable away when the HTTPRoute is written, as who replaces one by the other.
pub(super) fn delete_table_too_early() -> Written {
    Box::new(|request, object| {
        if request.is_about("httproutes") && object["metadata"]["name"] == "echo-routes" {
            object["metadata"]["annotations"]["example.com/in-place-of"] = "RouteTable".into();
            let handle = tokio::runtime::Handle::current();
            // An error shows as a suite that does not notice.
            let _ = tokio::task::block_in_place(|| handle.block_on(delete_table_of_echo()));
        }
    })
}

/// The versions of an HTTPRoute have each other's shares.
pub(super) fn swapped_backends() -> Written {
    Box::new(|request, object| {
        if request.is_about("httproutes") && object["metadata"]["name"] == "echo-routes" {
            let rules = object.pointer_mut("/spec/rules").and_then(Value::as_array_mut);
            let backends = rules.into_iter().flatten().map(|rule| &mut rule["backendRefs"]);
            for backends in backends.filter_map(Value::as_array_mut) {
                if let [first, second] = backends.as_mut_slice() {
                    std::mem::swap(&mut first["weight"], &mut second["weight"]);
                }
            }
        }
    })
}

/// Changes what the payments team has when v2 is made.
pub(super) fn what_others_have() -> Written {
    Box::new(|request, object| {
        if request.is_about("deployments") && object["metadata"]["name"] == "echo-v2" {
            object["metadata"]["annotations"]["example.com/currency"] = "USD".into();
            let handle = tokio::runtime::Handle::current();
            // An error shows as a suite that does not notice.
            let _ = tokio::task::block_in_place(|| handle.block_on(change_ledger()));
        }
    })
}

/// Changes the routes of a RouteTable or VirtualService of this name.
fn routes(name: &'static str, mut change: impl FnMut(&mut Vec<Value>) + Send + 'static) -> Written {
    Box::new(move |request: &Request, object: &mut Value| {
        let at = if request.is_about("routetables") {
            "/spec/routes"
        } else if request.is_about("virtualservices") {
            "/spec/virtualHost/routes"
        } else {
            return;
        };
        if object["metadata"]["name"] == name
            && let Some(routes) = object.pointer_mut(at).and_then(Value::as_array_mut)
        {
            change(routes);
        }
    })
}

fn has_headers(route: &Value) -> bool {
    route.pointer("/matchers/0/headers").is_some()
}

fn destinations(route: &mut Value) -> Option<&mut [Value]> {
    let destinations = route.pointer_mut("/routeAction/multi/destinations")?;
    destinations.as_array_mut().map(Vec::as_mut_slice)
}

fn share_of_v2(route: &mut Value) -> u64 {
    if route["routeAction"]["single"]["subset"]["values"]["version"] == "v2" {
        return 100;
    }
    let destinations = destinations(route).into_iter().flatten();
    let of_v2 = destinations.filter(|it| it["destination"]["subset"]["values"]["version"] == "v2");
    of_v2.filter_map(|it| it["weight"].as_u64()).sum()
}

async fn delete_table_of_echo() -> kube::Result<()> {
    let kind = GroupVersionKind::gvk("gateway.solo.io", "v1", "RouteTable");
    let tables: Api<DynamicObject> =
        Api::namespaced_with(bed().client(), "echo", &ApiResource::from_gvk(&kind));
    tables.delete("echo-routes", &DeleteParams::default()).await.map(drop)
}

async fn change_ledger() -> kube::Result<()> {
    let ledgers: Api<ConfigMap> = Api::namespaced(bed().client(), "payments");
    let patch = Patch::Merge(json!({"data": {"currency": "USD"}}));
    ledgers.patch("ledger", &PatchParams::default(), &patch).await.map(drop)
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
