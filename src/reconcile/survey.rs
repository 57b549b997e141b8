//! From the translated cluster to what is said of each service.

use std::collections::BTreeMap;
use std::sync::Arc;

use gloo::ObjectRef;

use crate::report::Survey;
use coalmine_core::kind::Kind;
use coalmine_core::object::ObjectId;
use coalmine_core::object_state::HttpRoute;
use coalmine_core::preflight::Baseline;
use coalmine_core::proposal::reference;

/// Which Gateways serve each service, and what of its objects could not be judged. `inventory` says whose
/// an object is, `blind_spot` what is not read of the cluster.
pub(super) fn survey(
    baseline: &Baseline,
    inventory: &[(ObjectId, Arc<str>, Option<bool>)],
    blind_spot: Option<&str>,
) -> Survey {
    let owners = inventory.iter().map(|(id, service, _)| (reference(id), &**service));
    let owners: BTreeMap<ObjectRef, &str> = owners.collect();
    let mut survey = Survey::new();
    for (object, gateway) in baseline.served_by() {
        let Some(service) = owners.get(object) else { continue };
        let known = &mut survey.entry((*service).to_owned()).or_default().gateways;
        insert(known, format!("{}/{}", gateway.namespace, gateway.name));
    }
    for note in baseline.notes() {
        let Some(service) = owners.get(&*note.object) else { continue };
        insert(&mut survey.entry((*service).to_owned()).or_default().notes, note.to_string());
    }
    if let Some(words) = blind_spot {
        for (id, service, _) in inventory {
            if id.is_route() {
                let notes = &mut survey.entry(service.to_string()).or_default().notes;
                insert(notes, words.to_owned());
            }
        }
    }
    survey
}

/// Adds to which Gateways the HTTPRoutes of services attach, those of implementations that are not modelled among them.
/// `kept` is what is kept of one.
pub(super) fn survey_http_routes(
    survey: &mut Survey,
    inventory: &[(ObjectId, Arc<str>, Option<bool>)],
    kept: impl Fn(&ObjectId) -> Option<Arc<HttpRoute>>,
) {
    for (id, service, _) in inventory.iter().filter(|(id, ..)| id.is(Kind::HttpRoute)) {
        let surveyed = survey.entry(service.to_string()).or_default();
        for gateway in kept(id).iter().flat_map(|route| &route.gateways) {
            insert(&mut surveyed.gateways, gateway.clone());
        }
    }
}

/// Keeps the texts sorted, each once.
fn insert(known: &mut Vec<String>, text: String) {
    if let Err(place) = known.binary_search(&text) {
        known.insert(place, text);
    }
}

#[cfg(test)]
mod tests {
    use gloo::Snapshot;
    use serde_json::{Value, json};

    use super::*;
    use crate::report::Surveyed;
    use coalmine_core::preflight::http_route_snapshot;

    fn object(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
        json!({"kind": kind, "metadata": {"namespace": namespace, "name": name}, "spec": spec})
    }

    #[test]
    fn a_service_is_told_of_its_gateways_and_of_what_is_not_judged() {
        let route = |option: Value| {
            json!({"matchers": [{"prefix": "/"}], "options": option,
            "directResponseAction": {"status": 200}})
        };
        let host = |domain: &str, option: Value| json!({"virtualHost": {"domains": [domain], "routes": [route(option)]}});
        let mut snapshot = Snapshot::default();
        for it in [
            object("Gateway", "gloo-system", "public", json!({"httpGateway": {}, "bindPort": 80})),
            object("Gateway", "gloo-system", "private", json!({"httpGateway": {}, "bindPort": 81})),
            object("VirtualService", "echo", "echo", host("a", json!({"csrf": {}}))),
            object("VirtualService", "far", "other", host("b", json!({"csrf": {}}))),
        ] {
            assert!(snapshot.upsert(&it));
        }
        let own = ObjectId::new("gateway.solo.io/v1", "VirtualService", Some("echo"), "echo");
        let survey = survey(&Baseline::new(snapshot), &[(own, "echo".into(), None)], None);
        let note = "VirtualService echo/echo: options.csrf is not modelled: what comes of it is not judged";
        let echo = Surveyed {
            gateways: vec!["gloo-system/private".into(), "gloo-system/public".into()],
            notes: vec![note.into()],
        };
        assert_eq!(survey, Survey::from([("echo".to_owned(), echo)]), "others are not told");
    }

    #[test]
    fn a_service_is_told_of_the_gateways_that_its_http_routes_attach_to() {
        let route = ObjectId::of(Kind::HttpRoute, Some("echo"), "echo-routes");
        let table = ObjectId::of(Kind::RouteTable, Some("echo"), "echo-routes");
        let inventory = [(route, "echo".into(), None), (table, "golf".into(), None)];
        let gateways = vec!["infra/edge".to_owned()];
        let kept = |_: &ObjectId| {
            Some(Arc::new(HttpRoute { gateways: gateways.clone(), ..HttpRoute::default() }))
        };
        let mut survey = Survey::new();
        survey_http_routes(&mut survey, &inventory, kept);
        let surveyed = survey.remove("echo").expect("told");
        assert_eq!((surveyed.gateways, surveyed.notes), (gateways, Vec::new()));
        assert_eq!(survey, Survey::new(), "a RouteTable is told of elsewhere");
    }

    #[test]
    fn a_service_is_told_of_what_is_not_judged_of_its_http_routes() {
        let mut snapshot = http_route_snapshot().of_what_is_read();
        let route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"namespace": "echo", "name": "echo"},
            "spec": {"parentRefs": [{"name": "edge", "namespace": "infra"}]}});
        assert!(snapshot.upsert(&route));
        let own = [(ObjectId::of(Kind::HttpRoute, Some("echo"), "echo"), "echo".into(), None)];
        for (profile, words) in [
            (None, "what Gateway infra/edge makes of it is not judged: it was not read"),
            (
                Some(gateway_api::Profile::EnvoyGateway),
                "Gateway infra/edge was not read: the route is",
            ),
        ] {
            let baseline = Baseline::new(Snapshot::default()).beside(snapshot.clone(), profile);
            let survey = survey(&baseline, &own, None);
            assert_eq!(survey["echo"].notes.len(), 1, "{survey:?}");
            assert!(survey["echo"].notes[0].contains(words), "{survey:?}");
        }
    }
}
