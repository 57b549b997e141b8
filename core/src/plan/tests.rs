mod gateway_api;
mod guards;
mod needs;
mod newcomers;
mod others_troubles;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::health::{Health, Shortfall};
use crate::managed_fields::Digest;
use crate::object::object;
use crate::object_state::{Addresses, Claim, Detail, PodFacts};

const SETTLE: Duration = Duration::from_secs(3);
const SOME_LACK: Shortfall = Shortfall::Unavailable { available: 0, desired: 1 };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn manifest(kind: &str, name: &str) -> Manifest {
    let known = Kind::ALL.into_iter().find(|known| known.as_str() == kind).expect("a known kind");
    Manifest::new(object(known, "echo", name, json!({}))).expect("complete")
}

fn pods(version: &str) -> Pods {
    Pods {
        version: version.into(),
        selector: format!("app=echo,version={version}"),
        service: manifest("Service", "echo").id().clone(),
        endpoints: vec![manifest("Service", "echo").id().clone()],
        deployment: manifest("Deployment", &format!("echo-{version}")).id().clone(),
        ours: true,
        parked: false,
    }
}

fn shares(shares: &[(&str, u64)]) -> Shares {
    let given: Shares = shares.iter().copied().collect();
    shares.first().map(|(primary, _)| given.clone().with_primary(primary)).unwrap_or(given)
}

fn service(versions: &[&str], routed: &[(&str, u64)]) -> Desired {
    let deployments = versions.iter().map(|v| manifest("Deployment", &format!("echo-{v}")));
    let is_routed = |version: &&&str| routed.iter().any(|(name, _)| name == *version);
    Desired {
        workloads: deployments.chain([manifest("Service", "echo")]).collect(),
        upstreams: vec![manifest("Upstream", "echo")],
        routes: vec![manifest("RouteTable", "echo-routes")],
        shares: shares(routed),
        routed: routed.iter().map(|(version, _)| Backend::Pods(pods(version))).collect(),
        unrouted: versions.iter().filter(|v| !is_routed(v)).map(|v| pods(v)).collect(),
        tolerates_warnings: false,
        is_staged: false,
        is_repeated: false,
    }
}

fn facts(detail: Detail) -> Facts {
    Facts {
        uid: "1".into(),
        version: 1,
        claim: Claim::Ours("echo".into()),
        owned: Digest::of(&json!(null)),
        counts: Vec::new(),
        applied: None,
        account: None,
        changed_at: Some(at(0)),
        keep: None,
        terminating: false,
        routing: None,
        gateway_api: None,
        http_route: None,
        marks: None,
        detail,
    }
}

fn routes(routed: &[(&str, u64)], verdict: Option<Verdict>) -> Facts {
    facts(Detail::Routes { verdict, shares: shares(routed) })
}

/// A cluster in which all these versions are healthy, and these routes are applied.
fn healthy(versions: &[&str], routed: Option<&[(&str, u64)]>) -> Observation {
    let mut objects = BTreeMap::new();
    let mut by_selector = BTreeMap::new();
    let mut addresses = Addresses::new();
    for version in versions {
        let pods = pods(version);
        let detail = Detail::Deployment { replicas: 1, health: Health::Ready };
        objects.insert(pods.deployment, facts(detail));
        addresses.insert((*version).into(), Some(at(0)));
        let pod = PodFacts {
            name: (*version).into(),
            version: (*version).into(),
            ready_since: Some(at(0)),
            trouble: None,
            ..PodFacts::default()
        };
        by_selector.insert(pods.selector, vec![pod]);
    }
    let accepted = Some(Verdict::Accepted);
    let upstream = manifest("Upstream", "echo").id().clone();
    objects.insert(
        upstream.clone(),
        facts(Detail::Upstream { verdict: accepted.clone(), falls_back: true }),
    );
    if let Some(routed) = routed {
        let id = manifest("RouteTable", "echo-routes").id().clone();
        objects.insert(id, routes(routed, accepted));
    }
    let mut pods = LivePods { by_selector, addresses, ..LivePods::default() };
    versions.iter().for_each(|version| pods.insert_answering(Some((*version).into())));
    Observation::new(objects, "gloo-system", SETTLE, at(100))
        .with_pods(pods)
        .with_judged_upstreams([upstream].into())
        .with_route_times(RouteTimes::since(at(0)))
}

fn changed(ids: &[&ObjectId]) -> BTreeSet<ObjectId> {
    ids.iter().map(|id| (*id).clone()).collect()
}

fn fails(seen: &mut Observation, version: &str) {
    let pods = pods(version);
    let detail = Detail::Deployment { replicas: 1, health: Health::Waiting(SOME_LACK) };
    seen.objects.insert(pods.deployment, facts(detail));
    seen.pods.insert(&pods.selector, Vec::new());
    seen.pods.addresses.remove(version);
}

fn is_await(step: &Step) -> bool {
    matches!(step, Step::Await(_))
}

#[test]
fn a_service_where_nothing_changed_has_no_steps() {
    let routed = [("v1", 100)];
    assert_eq!(plan(&service(&["v1"], &routed), &healthy(&["v1"], Some(&routed))), []);
}

#[test]
fn a_version_that_is_deployed_and_not_routed_delays_no_route() {
    let desired = service(&["v1", "v2"], &[("v1", 100)]);
    let mut seen = healthy(&["v1"], None);
    fails(&mut seen, "v2");
    seen.changed = changed(&[desired.routes[0].id()]);
    let steps = plan(&desired, &seen);
    assert!(matches!(steps.first(), Some(Step::Route(_))), "{steps:?}");
    assert!(is_await(steps.last().expect("waited for in the end")));
}

#[test]
fn a_service_without_any_pods_gets_its_routes_before_its_deployment_is_observed() {
    let mut desired = service(&["v1"], &[("v1", 100)]);
    let mut seen = healthy(&["v1"], None);
    fails(&mut seen, "v1");
    seen.changed = changed(&[desired.routes[0].id()]);
    assert!(is_await(&plan(&desired, &seen)[0]));
    desired.routed = vec![Backend::Pods(Pods { parked: true, ..pods("v1") })];
    let steps = plan(&desired, &seen);
    assert!(matches!(steps.first(), Some(Step::Route(_))), "{steps:?}");
    assert!(is_await(steps.last().expect("waited for in the end")));
}

#[test]
fn a_version_that_gets_more_has_to_be_ready_and_known_to_every_proxy() {
    let desired = service(&["v1", "v2"], &[("v1", 50), ("v2", 50)]);
    let mut seen = healthy(&["v1", "v2"], Some(&[("v1", 100)]));
    seen.changed = changed(&[desired.routes[0].id()]);
    assert!(matches!(plan(&desired, &seen)[0], Step::Route(_)));
    seen.pods.by_selector.get_mut("app=echo,version=v2").unwrap()[0].ready_since = Some(at(98));
    let [Step::Await(wait), Step::Route(_), ..] = &plan(&desired, &seen)[..] else { panic!() };
    assert_eq!(wait.until, Some(at(102)));
    seen.pods.by_selector.get_mut("app=echo,version=v2").unwrap()[0].ready_since = Some(at(0));
    seen.pods.addresses.insert("v2".into(), Some(at(97)));
    let [Step::Await(wait), Step::Route(_), ..] = &plan(&desired, &seen)[..] else { panic!() };
    assert_eq!(wait.until, Some(at(101)));
    // The pods that are seen may be those of a Deployment that is gone.
    seen.pods.addresses.insert("v2".into(), Some(at(0)));
    seen.objects.get_mut(&pods("v2").deployment).unwrap().changed_at = Some(at(98));
    let [Step::Await(wait), Step::Route(_), ..] = &plan(&desired, &seen)[..] else { panic!() };
    assert_eq!(wait.until, Some(at(102)));
    fails(&mut seen, "v2");
    assert!(is_await(&plan(&desired, &seen)[0]));
}

#[test]
fn nothing_goes_before_every_proxy_has_followed_a_late_verdict_or_a_late_deletion() {
    let routed = [("v2", 100)];
    let desired = service(&["v2"], &routed);
    let mut seen = healthy(&["v1", "v2"], Some(&routed));
    seen.to_prune = changed(&[&pods("v1").deployment]);
    assert!(matches!(plan(&desired, &seen)[..], [Step::Delete(_)]));
    seen.route_times.judged_at = at(99);
    let [Step::Await(wait), Step::Delete(_)] = &plan(&desired, &seen)[..] else { panic!() };
    assert_eq!(wait.until, Some(at(102)));
    seen.route_times.judged_at = at(0);
    let old = Facts { terminating: true, ..routes(&[("v1", 100)], Some(Verdict::Accepted)) };
    seen.objects.insert(manifest("RouteTable", "old").id().clone(), old);
    assert!(is_await(&plan(&desired, &seen)[0]));
}

#[test]
fn taking_requests_from_a_version_that_fails_waits_for_nothing() {
    let desired = service(&["v1", "v2"], &[("v1", 100), ("v2", 0)]);
    let mut seen = healthy(&["v1", "v2"], Some(&[("v1", 50), ("v2", 50)]));
    seen.changed = changed(&[desired.routes[0].id()]);
    fails(&mut seen, "v2");
    let steps = plan(&desired, &seen);
    assert!(matches!(steps[0], Step::Route(_)), "{steps:?}");
    // Neither does a primary whose rollout is not complete, as long as it answers.
    let detail = Detail::Deployment { replicas: 3, health: Health::Waiting(SOME_LACK) };
    seen.objects.insert(pods("v1").deployment, facts(detail));
    assert!(matches!(plan(&desired, &seen)[0], Step::Route(_)));
    fails(&mut seen, "v1");
    assert!(is_await(&plan(&desired, &seen)[0]));
}

#[test]
fn a_primary_that_takes_its_share_back_with_new_pods_only_waits_until_proxies_know_one() {
    let desired = service(&["v1", "v2"], &[("v1", 100), ("v2", 0)]);
    let mut seen = healthy(&["v1", "v2"], Some(&[("v1", 50), ("v2", 50)]));
    seen.changed = changed(&[desired.routes[0].id()]);
    seen.pods.addresses.insert("v1".into(), Some(at(98)));
    let [Step::Await(wait), Step::Route(_), ..] = &plan(&desired, &seen)[..] else { panic!() };
    assert_eq!(wait.until, Some(at(102)));
    let old =
        PodFacts { name: "old".into(), ..seen.pods.by_selector["app=echo,version=v1"][0].clone() };
    seen.pods.by_selector.get_mut("app=echo,version=v1").unwrap().push(old);
    seen.pods.addresses.insert("old".into(), Some(at(0)));
    assert!(matches!(plan(&desired, &seen)[0], Step::Route(_)));
}

#[test]
fn requests_of_another_service_come_to_pods_and_routes_that_every_proxy_knows() {
    let desired = service(&["v1"], &[("v1", 100)]);
    let mut seen = healthy(&["v1"], None).with_requests_of_others(true);
    seen.changed = changed(&[desired.routes[0].id()]);
    seen.pods.addresses.insert("v1".into(), Some(at(98)));
    let [Step::Await(wait), Step::Route(_), ..] = &plan(&desired, &seen)[..] else { panic!() };
    assert_eq!(wait.until, Some(at(102)));
    let mut seen = healthy(&["v1"], Some(&[("v1", 100)])).with_requests_of_others(true);
    seen.route_times.judged_at = at(99);
    let [Step::Await(wait)] = &plan(&desired, &seen)[..] else { panic!() };
    assert_eq!(wait.until, Some(at(102)), "until then the routes of the other one stay");
    seen.now = at(102);
    assert_eq!(plan(&desired, &seen), []);
    seen = seen.with_requests_of_others(false);
    seen.now = at(100);
    assert_eq!(plan(&desired, &seen), [], "nobody waits for its routes");
}

#[test]
fn a_service_that_nothing_desires_loses_its_routes_first_and_the_rest_after_the_settle_time() {
    let mut seen = healthy(&["v1"], Some(&[("v1", 100)]));
    seen.to_prune = seen.objects.keys().cloned().collect();
    let desired = Desired::default();
    let Step::Delete(first) = &plan(&desired, &seen)[0] else { panic!() };
    assert!(first.iter().all(ObjectId::is_route));
    seen.to_prune.retain(|id| !id.is_route());
    seen.route_times.changed_at = at(99);
    let [Step::Await(wait), Step::Delete(rest)] = &plan(&desired, &seen)[..] else { panic!() };
    assert_eq!(wait.until, Some(at(102)));
    assert_eq!(rest.len(), 2);
    seen.now = at(102);
    assert!(matches!(plan(&desired, &seen)[..], [Step::Delete(_)]));
}

#[test]
fn a_version_that_goes_to_no_pods_keeps_them_until_the_routes_do_without_it() {
    let mut desired = service(&["v1", "v2"], &[("v2", 100)]);
    let id = pods("v1").deployment;
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": id.name, "namespace": "echo"}, "spec": {"replicas": 0}});
    desired.workloads[0] = Manifest::new(object).expect("complete");
    let mut seen = healthy(&["v1", "v2"], Some(&[("v1", 100)]));
    seen.changed = changed(&[&id, desired.routes[0].id()]);
    let steps = plan(&desired, &seen);
    let [Step::Route(_), Step::Apply(late)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(late[0].id(), &id);
}

#[test]
fn nothing_goes_that_may_answer_for_pods_that_have_just_come() {
    let routed = [("v2", 100)];
    let desired = service(&["v2"], &routed);
    let mut seen = healthy(&["v1", "v2"], Some(&routed));
    seen.to_prune = changed(&[&pods("v1").deployment]);
    seen.pods.addresses.insert("v2".into(), Some(at(98)));
    let [Step::Await(wait), Step::Delete(_)] = &plan(&desired, &seen)[..] else { panic!() };
    assert_eq!(wait.until, Some(at(102)));
}

#[test]
fn routes_that_leave_an_upstream_that_falls_back_wait_for_every_version() {
    let mut desired = service(&["v1", "v2"], &[("v1", 90), ("v2", 10)]);
    let mut seen = healthy(&["v1", "v2"], Some(&[("v1", 50), ("v2", 50)]));
    seen.changed = changed(&[desired.routes[0].id()]);
    fails(&mut seen, "v2");
    assert!(matches!(plan(&desired, &seen)[0], Step::Route(_)));
    let shared = std::mem::take(&mut desired.upstreams);
    seen.to_prune = changed(&[shared[0].id()]);
    assert!(is_await(&plan(&desired, &seen)[0]));
}

#[test]
fn an_upstream_falls_back_until_the_routes_do_without() {
    let mut desired = service(&["v1", "v2"], &[("v2", 100)]);
    let id = desired.upstreams[0].id().clone();
    let object = json!({"apiVersion": id.api_version, "kind": id.kind,
        "metadata": {"name": id.name, "namespace": "echo"},
        "spec": {"kube": {"subsetSpec": {"fallbackPolicy": "NO_FALLBACK"}}}});
    desired.upstreams[0] = Manifest::new(object).expect("complete");
    let mut seen = healthy(&["v1", "v2"], Some(&[("v1", 100)]));
    seen.changed = changed(&[&id, desired.routes[0].id()]);
    let steps = plan(&desired, &seen);
    let [Step::Route(_), Step::Apply(late)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(late[0].id(), &id);
    // One that begins to fall back, or is new, harms nobody.
    seen.objects.get_mut(&id).unwrap().detail =
        Detail::Upstream { verdict: Some(Verdict::Accepted), falls_back: false };
    assert!(matches!(plan(&desired, &seen)[..], [Step::Apply(_), Step::Route(_)]));
}

#[test]
fn routes_that_gloo_judges_worse_are_rolled_back_after_the_settle_time() {
    let desired = service(&["v1", "v2"], &[("v1", 50), ("v2", 50)]);
    let id = desired.routes[0].id().clone();
    let mut seen = healthy(&["v1", "v2"], None);
    let rejected = Verdict::Rejected("no".into());
    seen.objects.insert(id.clone(), routes(&[("v1", 50), ("v2", 50)], Some(rejected)));
    seen.previous = Some(Arc::new(PreviousRoutes {
        before: [(id.clone(), Some((desired.routes[0].clone(), Verdict::Accepted)))].into(),
    }));
    assert!(matches!(plan(&desired, &seen)[0], Step::RollBack(_)));
    seen.route_times.changed_at = at(99);
    assert!(is_await(&plan(&desired, &seen)[0]));
    // Those that are served stay where the others would lead to nobody.
    let warning = Verdict::Warning("hm".into());
    seen.route_times.changed_at = at(0);
    seen.objects.insert(id.clone(), routes(&[("v1", 50), ("v2", 50)], Some(warning)));
    assert!(matches!(plan(&desired, &seen)[0], Step::RollBack(_)));
    let v0 = json!({"single":
        {"upstream": {"name": "echo"}, "subset": {"values": {"version": "v0.1"}}}});
    let before = json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
        "metadata": {"name": "echo-routes", "labels": {SERVICE: "echo"}},
        "spec": {"routes": [{"matchers": [{"prefix": "/"}], "routeAction": v0}]}});
    let before = (Manifest::new(before).expect("complete"), Verdict::Accepted);
    seen.previous = Some(Arc::new(PreviousRoutes { before: [(id.clone(), Some(before))].into() }));
    assert!(is_await(&plan(&desired, &seen)[0]));
    // Pods of no version that is known may be those that somebody else deploys, and of ours they are not.
    seen.pods.answering.insert(None);
    assert!(matches!(plan(&desired, &seen)[0], Step::RollBack(_)));
    let deployment = manifest("Deployment", "echo-v0-1").id().clone();
    let parked = facts(Detail::Deployment { replicas: 0, health: Health::Ready });
    seen.objects.insert(deployment, parked);
    assert!(is_await(&plan(&desired, &seen)[0]));
    seen.pods.answering.insert(Some("v0.1".into()));
    assert!(matches!(plan(&desired, &seen)[0], Step::RollBack(_)));
    // Without a verdict they stay until the deadline.
    seen.objects.insert(id.clone(), routes(&[("v1", 50), ("v2", 50)], None));
    assert!(is_await(&plan(&desired, &seen)[0]));
    seen.overdue = Some(Subject::Object(id.clone()));
    assert!(matches!(plan(&desired, &seen)[0], Step::RollBack(_)));
    // Once rolled back they are not tried again.
    seen.previous = None;
    seen.changed = changed(&[&id]);
    seen.refused_routes = Some(Reason::UpstreamMissing(id.clone()));
    assert!(is_await(&plan(&desired, &seen)[0]));
}

/// Routes come after what they rest on and before anything is deleted, routes and the rest are deleted apart, and a version
/// that gets more than by the routes `before`, of the same API, is ready or is waited for.
fn in_safe_order(
    steps: &[Step],
    desired: &Desired,
    seen: &Observation,
    before: Option<&[(&str, u64)]>,
) -> Result<(), TestCaseError> {
    let route = steps.iter().position(|step| matches!(step, Step::Route(_)));
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Apply(_) => prop_assert!(route.is_none_or(|route| index < route)),
            Step::Delete(ids) => {
                prop_assert!(route.is_none_or(|route| route < index));
                let is_rest = ids.iter().any(|id| !id.is_route());
                prop_assert!(!(is_rest && ids.iter().any(ObjectId::is_route)));
            }
            _ => {}
        }
    }
    if let Some(route) = route {
        let applied = before.map(shares);
        for (version, new) in desired.shares.iter() {
            let old = applied.as_ref().map_or(0, |shares| shares.share(version));
            if new > old && !seen.pods.addresses.contains_key(version) {
                prop_assert!(steps[..route].iter().any(is_await));
            }
        }
    }
    Ok(())
}

proptest! {
    /// Whatever differs and whatever is left over, the order is safe.
    #[test]
    fn the_order_is_safe_whatever_was_found(
        differs in prop::collection::vec(any::<bool>(), 5),
        left_over in prop::collection::vec(any::<bool>(), 4),
        failing in prop::collection::vec(any::<bool>(), 3),
        has_routes in any::<bool>(),
        share in 0_u64..=100,
    ) {
        let desired = service(&["v2", "v3"], &[("v2", 100 - share), ("v3", share)]);
        let before = [("v1", 50), ("v2", 50)];
        let mut seen = healthy(&["v1", "v2", "v3"], has_routes.then_some(&before[..]));
        for (version, fail) in ["v1", "v2", "v3"].into_iter().zip(failing) {
            if fail {
                fails(&mut seen, version);
            }
        }
        let pick = |ids: Vec<ObjectId>, picked: &[bool]| -> BTreeSet<ObjectId> {
            ids.into_iter().zip(picked).filter(|(_, take)| **take).map(|(id, _)| id).collect()
        };
        seen.changed = pick(desired.manifests().map(|m| m.id().clone()).collect(), &differs);
        let old = ["Deployment", "Upstream", "RouteTable", "VirtualService"];
        seen.to_prune = pick(old.iter().map(|kind| manifest(kind, "old").id().clone()).collect(), &left_over);
        let steps = plan(&desired, &seen);

        in_safe_order(&steps, &desired, &seen, has_routes.then_some(&before[..]))?;
        let written: BTreeSet<ObjectId> = steps.iter().flat_map(|step| match step {
            Step::Apply(manifests) | Step::Route(manifests) => {
                manifests.iter().map(|m| m.id().clone()).collect()
            }
            _ => Vec::new(),
        }).collect();
        prop_assert_eq!(written, seen.changed);
        let deleted: BTreeSet<ObjectId> = steps.iter().flat_map(|step| match step {
            Step::Delete(ids) => ids.clone(),
            _ => Vec::new(),
        }).collect();
        prop_assert_eq!(deleted, seen.to_prune);
    }
}

#[test]
fn routes_in_another_namespace_wait_for_the_pods_there() {
    let there = |id: &ObjectId| ObjectId::new(&id.api_version, &id.kind, Some("edge"), &id.name);
    let moved = |manifest: &Manifest| {
        let mut object = manifest.object().clone();
        object["metadata"]["namespace"] = "edge".into();
        Manifest::new(object).expect("complete")
    };
    let old = service(&["v1"], &[("v1", 100)]);
    let there_pods = Pods {
        service: there(&pods("v1").service),
        deployment: there(&pods("v1").deployment),
        ..pods("v1")
    };
    let new = Desired {
        workloads: old.workloads.iter().map(moved).collect(),
        upstreams: old.upstreams.iter().map(moved).collect(),
        routes: old.routes.iter().map(moved).collect(),
        routed: vec![Backend::Pods(there_pods.clone())],
        ..old.clone()
    };
    let mut seen = healthy(&["v1"], Some(&[("v1", 100)]));
    // Nobody else answers for a version without pods.
    let upstream = manifest("Upstream", "echo").id().clone();
    let detail = Detail::Upstream { verdict: Some(Verdict::Accepted), falls_back: false };
    seen.objects.insert(upstream, facts(detail));
    let old_ids: BTreeSet<ObjectId> = old.manifests().map(|it| it.id().clone()).collect();
    let everything: BTreeSet<ObjectId> = new.manifests().map(|it| it.id().clone()).collect();
    let seen = seen.with_differences(everything, old_ids);
    let steps = plan(&new, &seen);
    let at = |is_it: &dyn Fn(&Step) -> bool| steps.iter().position(is_it).expect("a step");
    let waits = at(&|step| match step {
        Step::Await(wait) => {
            wait.reason.subject() == Subject::Object(there_pods.deployment.clone())
        }
        _ => false,
    });
    let routes = at(&|step| matches!(step, Step::Route(_)));
    let deletes = at(&|step| matches!(step, Step::Delete(_)));
    assert!(waits < routes && routes < deletes, "{steps:#?}");
}
