//! Which objects an object names.

use crate::api::{Destination, ObjectRef, ResourceRef, Route};
use crate::snapshot::Snapshot;

impl Snapshot {
    /// The Upstreams and UpstreamGroups that the routes of an object send requests or copies to, and
    /// the Service of an Upstream; whether they are there or not.
    pub fn uses(&self, object: &ObjectRef) -> Vec<ObjectRef> {
        let reference = object.resource();
        let routes = match object.kind.as_str() {
            "RouteTable" => self.route_table(&reference).map(|(_, spec)| &spec.routes),
            "VirtualService" => {
                let host = self.virtual_service(&reference).and_then(|it| it.virtual_host.as_ref());
                host.map(|host| &host.routes)
            }
            "Upstream" => {
                let kube = self.upstream(&reference).and_then(|spec| spec.kube.as_ref());
                return Vec::from_iter(kube.map(|kube| {
                    ObjectRef::new("Service", &kube.service_namespace, &kube.service_name)
                }));
            }
            _ => None,
        };
        let routes = routes.into_iter().flatten();
        routes.flat_map(|route| of_route(route, &object.namespace)).collect()
    }
}

/// A reference without a namespace is to one in the namespace of the object that holds the route
/// (gloo-conformance case 11-upstream-namespace-default).
fn of_route(route: &Route, namespace: &str) -> Vec<ObjectRef> {
    let named = |kind: &str, reference: &ResourceRef| {
        let own = reference.namespace.as_str();
        ObjectRef::new(kind, if own.is_empty() { namespace } else { own }, &reference.name)
    };
    let action = route.route_action.iter();
    let multi = action.clone().filter_map(|action| action.multi.as_ref());
    let weighted =
        multi.flat_map(|multi| &multi.destinations).filter_map(|it| it.destination.as_ref());
    let single = action.clone().filter_map(|action| action.single.as_ref());
    let upstream =
        |destination: &Destination| destination.upstream.as_ref().map(|it| named("Upstream", it));
    let shadowing = route.options.iter().filter_map(|options| options.shadowing.as_ref());
    let mirrors = shadowing.filter_map(|it| it.upstream.as_ref()).map(|it| named("Upstream", it));
    let groups = action.clone().filter_map(|action| action.upstream_group.as_ref());
    let groups = groups.map(|it| named("UpstreamGroup", it));
    single.chain(weighted).filter_map(upstream).chain(mirrors).chain(groups).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What an object of this kind in `echo` names.
    fn used(kind: &str, spec: Value) -> Vec<String> {
        let metadata = json!({ "namespace": "echo", "name": "it" });
        let mut snapshot = Snapshot::default();
        snapshot.upsert(&json!({ "kind": kind, "metadata": metadata, "spec": spec }));
        let used = snapshot.uses(&ObjectRef::new(kind, "echo", "it"));
        used.iter().map(|it| format!("{} {}/{}", it.kind, it.namespace, it.name)).collect()
    }

    #[test]
    fn routes_name_their_destinations_and_those_of_copies() {
        let upstream = |name: &str| json!({ "upstream": { "name": name, "namespace": "far" } });
        let group = json!({ "upstreamGroup": { "name": "group", "namespace": "far" } });
        let destinations = [
            json!({ "destination": upstream("two"), "weight": 1 }),
            json!({ "destination": { "upstream": { "name": "near" } } }),
        ];
        let routes = json!([
            { "routeAction": { "single": upstream("one") },
              "options": { "shadowing": upstream("copies") } },
            { "routeAction": { "multi": { "destinations": destinations } } },
            { "routeAction": group },
            { "directResponseAction": { "status": 200 } },
        ]);
        let expected = [
            "Upstream far/one",
            "Upstream far/copies",
            "Upstream far/two",
            "Upstream echo/near",
            "UpstreamGroup far/group",
        ];
        assert_eq!(used("RouteTable", json!({ "routes": routes })), expected);
        let host = json!({ "virtualHost": { "domains": ["*"], "routes": routes } });
        assert_eq!(used("VirtualService", host), expected);
        assert_eq!(used("VirtualService", json!({})), [""; 0]);
    }

    #[test]
    fn an_upstream_names_its_service() {
        let kube = json!({ "serviceName": "echo", "serviceNamespace": "far", "servicePort": 80 });
        assert_eq!(used("Upstream", json!({ "kube": kube })), ["Service far/echo"]);
        assert_eq!(used("Upstream", json!({ "static": {} })), [""; 0]);
        assert_eq!(used("Gateway", json!({})), [""; 0]);
    }
}
