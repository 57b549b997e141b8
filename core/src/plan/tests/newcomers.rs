//! The clusters that every proxy has to have endpoints of.

use super::*;
use crate::kind::RouteApi;
use crate::object_state::HttpRoute;

const FIFTEEN_SECONDS_AGO: i64 = 85;

fn route() -> Manifest {
    let backends = json!([{"name": "echo-v1", "port": 80}, {"name": "echo-v2", "port": 80}]);
    let spec = json!({"parentRefs": [{"name": "edge", "namespace": "infra"}],
        "rules": [{"backendRefs": backends}]});
    Manifest::new(object(Kind::HttpRoute, "echo", "echo-routes", spec)).expect("complete")
}

fn versions() -> Desired {
    let mut desired = service(&["v1", "v2"], &[("v1", 50), ("v2", 50)]);
    desired.routes = vec![route()];
    for backend in &mut desired.routed {
        let Backend::Pods(pods) = backend else { panic!("{backend:?}") };
        let name = format!("echo-{}", pods.version);
        pods.endpoints.push(manifest("Service", &name).id().clone());
    }
    desired
}

/// A service whose v2 has a Service since then, and whose routes were changed long ago.
fn since(second: i64) -> Observation {
    let mut seen = healthy(&["v1", "v2"], Some(&[("v1", 100)]));
    for (version, second) in [("v1", 0), ("v2", second)] {
        let made = Facts { changed_at: Some(at(second)), ..facts(Detail::Other) };
        seen.objects.insert(manifest("Service", &format!("echo-{version}")).id().clone(), made);
    }
    seen
}

fn names(newcomers: Option<Newcomers>) -> Vec<String> {
    let both = newcomers.into_iter().flat_map(|it| it.of_services.into_iter().chain(it.of_rules));
    both.collect()
}

#[test]
fn a_service_that_has_just_come_has_to_be_known_before_it_gets_requests() {
    let desired = versions();
    let step = Step::Route(desired.routes.clone());
    let found = newcomers(&desired, &since(FIFTEEN_SECONDS_AGO), Some(&step)).expect("v2 is new");
    assert_eq!(found.until, at(101));
    assert_eq!(found.gateways, ["infra/edge".to_owned()].into());
    assert_eq!(names(Some(found)), ["kube_echo_echo-v2_80"]);
    assert_eq!(newcomers(&desired, &since(FIFTEEN_SECONDS_AGO - 1), Some(&step)), None);
}

#[test]
fn nobody_is_asked_about_what_has_no_pods_or_gets_no_requests_now() {
    let desired = versions();
    let step = Step::Route(desired.routes.clone());
    let mut seen = since(99);
    fails(&mut seen, "v2");
    assert_eq!(newcomers(&desired, &seen, Some(&step)), None, "there are no endpoints");
    let others = [Step::Apply(Vec::new()), Step::Delete(Vec::new())];
    for other in &others {
        assert_eq!(newcomers(&desired, &since(99), Some(other)), None);
    }
    let mut gloo = desired.clone();
    gloo.routes = vec![manifest("RouteTable", "echo-routes")];
    assert_eq!(newcomers(&gloo, &since(99), Some(&Step::Route(gloo.routes.clone()))), None);
}

#[test]
fn first_routes_wait_for_nobody_unless_they_take_over_and_a_service_is_ready_when_it_answers() {
    let desired = versions();
    let step = Step::Route(desired.routes.clone());
    let mut seen = since(99);
    seen.objects.retain(|id, _| !id.is_route());
    assert_eq!(newcomers(&desired, &seen, Some(&step)), None);
    assert_eq!(names(newcomers(&desired, &seen, None)), ["kube_echo_echo-v2_80"]);
    let seen = seen.with_requests_of_others(true);
    assert_eq!(names(newcomers(&desired, &seen, Some(&step))), ["kube_echo_echo-v2_80"]);
}

#[test]
fn a_rule_that_was_written_a_moment_ago_is_a_cluster_too() {
    let desired = versions();
    let step = Step::Route(desired.routes.clone());
    let mut seen = since(0);
    let rule = |name: &str| json!({"backendRefs": [{"name": name, "port": 80}]});
    let rules = vec![rule("echo-v1"), rule("echo-v3"), rule("echo-v2")];
    let live = Facts {
        http_route: Some(HttpRoute { rules, ..HttpRoute::default() }.into()),
        ..routes(&[("v1", 100)], Some(Verdict::Accepted))
    };
    seen.objects.insert(desired.routes[0].id().clone(), live);
    seen.route_times.changed_at = at(99);
    let found = newcomers(&desired, &seen, Some(&step)).expect("some");
    assert_eq!(found.until, at(115));
    let rules = ["httproute/echo/echo-routes/rule/0", "httproute/echo/echo-routes/rule/2"];
    assert_eq!(names(Some(found)), rules, "nobody is behind the other one");
    seen.route_times.changed_at = at(0);
    assert_eq!(newcomers(&desired, &seen, Some(&step)), None);
    assert_eq!(desired.routes[0].id().route_api(), Some(RouteApi::GatewayApi));
}
