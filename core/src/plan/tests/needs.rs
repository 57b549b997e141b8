//! What is waited for, one condition at a time.

use super::*;

#[test]
fn routes_are_rolled_back_as_soon_as_the_settle_time_is_over() {
    let desired = service(&["v1"], &[("v1", 100)]);
    let id = desired.routes[0].id().clone();
    let mut seen = healthy(&["v1"], None);
    let rejected = Some(Verdict::Rejected("no".into()));
    seen.objects.insert(id.clone(), routes(&[("v1", 100)], rejected));
    let before = Some((desired.routes[0].clone(), Verdict::Accepted));
    seen.previous = Some(Arc::new(PreviousRoutes { before: [(id, before)].into() }));
    seen.route_times.changed_at = at(97);
    assert!(matches!(plan(&desired, &seen)[..], [Step::RollBack(_)]), "97 s and 3 s are now");
    seen.now = at(99);
    let [Step::Await(wait)] = &plan(&desired, &seen)[..] else { panic!() };
    assert_eq!(wait.until, Some(at(100)));
}

#[test]
fn only_a_deployment_that_goes_to_no_pods_waits_for_the_routes() {
    let mut desired = service(&["v1", "v2"], &[("v2", 100)]);
    let id = pods("v1").deployment;
    let mut seen = healthy(&["v1", "v2"], Some(&[("v1", 100)]));
    seen.changed = changed(&[&id, desired.routes[0].id()]);
    for (live, wanted, waits) in
        [(1, Some(0), true), (0, Some(0), false), (1, Some(1), false), (1, None, false)]
    {
        let spec = wanted.map_or(json!({}), |replicas| json!({"replicas": replicas}));
        let object = object(Kind::Deployment, "echo", &id.name, spec);
        desired.workloads[0] = Manifest::new(object).expect("complete");
        let detail = Detail::Deployment { replicas: live, health: Health::Ready };
        seen.objects.insert(id.clone(), facts(detail));
        let steps = plan(&desired, &seen);
        let is_late = matches!(steps[..], [Step::Route(_), Step::Apply(_)]);
        assert_eq!(is_late, waits, "{live} to {wanted:?}: {steps:?}");
    }
}

#[test]
fn routes_that_keep_the_upstream_that_falls_back_wait_for_nobody_who_gets_less() {
    let desired = service(&["v1", "v2"], &[("v1", 90), ("v2", 10)]);
    let mut seen = healthy(&["v1", "v2"], Some(&[("v1", 50), ("v2", 50)]));
    seen.changed = changed(&[desired.routes[0].id()]);
    fails(&mut seen, "v2");
    for (kind, name) in [("VirtualService", "echo"), ("Upstream", "golf")] {
        let other = manifest(kind, name).id().clone();
        let falls_back = Detail::Upstream { verdict: Some(Verdict::Accepted), falls_back: true };
        let detail = if kind == "Upstream" { falls_back } else { Detail::Other };
        seen.objects.insert(other.clone(), facts(detail));
        seen.to_prune = changed(&[&other]);
        assert!(matches!(plan(&desired, &seen)[0], Step::Route(_)), "{kind} {name}");
    }
}

#[test]
fn pods_that_no_deployment_of_ours_has_are_foreign() {
    let mut desired = service(&["v1"], &[("v1", 100)]);
    assert!(!desired.uses_foreign_pods());
    desired.routed.push(Backend::Upstream(manifest("Upstream", "vm").id().clone()));
    assert!(!desired.uses_foreign_pods(), "an Upstream has no pods that a watch could show");
    desired.routed.push(Backend::Pods(Pods { ours: false, ..pods("v2") }));
    assert!(desired.uses_foreign_pods());
}

#[test]
fn what_pods_lack_is_told_as_the_deployment_says_it() {
    let desired = service(&["v1", "v2"], &[("v1", 50), ("v2", 50)]);
    let mut seen = healthy(&["v1", "v2"], Some(&[("v1", 100)]));
    seen.changed = changed(&[desired.routes[0].id()]);
    let mut told = |health: Option<Health>| {
        let id = pods("v2").deployment;
        seen.objects.remove(&id);
        if let Some(health) = health {
            seen.objects.insert(id, facts(Detail::Deployment { replicas: 1, health }));
        }
        let [Step::Await(wait), ..] = &plan(&desired, &seen)[..] else { panic!() };
        let Reason::PodsNotReady(lack) = &wait.reason else { panic!("{wait:?}") };
        assert_eq!((lack.version.as_str(), lack.share, lack.by_header), ("v2", 0, false));
        (lack.shortfall.clone(), lack.has_failed)
    };
    assert_eq!(told(Some(Health::Waiting(SOME_LACK))), (SOME_LACK, false));
    assert_eq!(told(Some(Health::Failed(SOME_LACK))), (SOME_LACK, true));
    assert_eq!(told(None), (Shortfall::Missing, false));
}

#[test]
fn a_version_that_gets_more_needs_all_its_pods_in_the_endpoints_and_a_primary_one() {
    let mut seen = healthy(&["v1", "v2"], Some(&[("v1", 50), ("v2", 50)]));
    for version in ["v1", "v2"] {
        let known = seen.pods.by_selector[&pods(version).selector][0].clone();
        let late = PodFacts { name: "late".into(), ..known.clone() };
        seen.pods.insert(&pods(version).selector, vec![known, late]);
    }
    let mut first = |routed: &[(&str, u64)]| {
        let desired = service(&["v1", "v2"], routed);
        seen.changed = changed(&[desired.routes[0].id()]);
        plan(&desired, &seen).remove(0)
    };
    let back = first(&[("v1", 100), ("v2", 0)]);
    assert!(matches!(back, Step::Route(_)), "one pod of the primary is enough: {back:?}");
    let Step::Await(wait) = first(&[("v1", 40), ("v2", 60)]) else { panic!() };
    let Reason::NotInEndpoints { missing, version, .. } = wait.reason else { panic!() };
    assert_eq!((missing, version.as_str()), (Some(1), "v2"));
    seen.pods.insert(&pods("v2").selector, Vec::new());
    let desired = service(&["v1", "v2"], &[("v1", 40), ("v2", 60)]);
    seen.changed = changed(&[desired.routes[0].id()]);
    let [Step::Await(wait), ..] = &plan(&desired, &seen)[..] else { panic!() };
    let Reason::NotInEndpoints { missing, .. } = &wait.reason else { panic!() };
    assert_eq!(*missing, None, "no pod is ready");
}

#[test]
fn routes_wait_for_gloos_verdict_on_upstreams_that_get_one() {
    let desired = service(&["v1"], &[("v1", 100)]);
    let upstream = desired.upstreams[0].id().clone();
    let mut seen = healthy(&["v1"], Some(&[("v1", 100)]));
    seen.changed = changed(&[desired.routes[0].id()]);
    let mut first = |verdict: Option<Verdict>, is_judged: bool| {
        let detail = Detail::Upstream { verdict, falls_back: true };
        seen.objects.insert(upstream.clone(), facts(detail));
        let judged = is_judged.then(|| upstream.clone());
        seen = seen.clone().with_judged_upstreams(judged.into_iter().collect());
        plan(&desired, &seen).remove(0)
    };
    let Step::Await(wait) = first(None, true) else { panic!() };
    assert!(matches!(wait.reason, Reason::NoVerdict { is_overdue: false, .. }), "{wait:?}");
    let rejected = Verdict::Rejected("no".into());
    let Step::Await(wait) = first(Some(rejected.clone()), true) else { panic!() };
    let Reason::Verdict { verdict, .. } = wait.reason else { panic!() };
    assert_eq!(verdict, rejected);
    assert!(matches!(first(Some(Verdict::Accepted), true), Step::Route(_)));
    assert!(matches!(first(None, false), Step::Route(_)), "Gloo would say nothing of it yet");
}

#[test]
fn an_observation_has_what_it_was_given() {
    let id = manifest("RouteTable", "echo-routes").id().clone();
    let previous = Arc::new(PreviousRoutes { before: BTreeMap::new() });
    let reason = Reason::UpstreamMissing(id.clone());
    let seen = healthy(&["v1"], Some(&[("v1", 100)]))
        .with_differences(changed(&[&id]), changed(&[&pods("v1").deployment]))
        .with_previous_routes(Some(previous))
        .with_refused_routes(Some(reason))
        .with_overdue(Some(Subject::Object(id.clone())));
    assert_eq!(seen.changed(), &changed(&[&id]));
    assert_eq!(seen.to_prune(), &changed(&[&pods("v1").deployment]));
    assert!(seen.previous.is_some() && seen.refused_routes.is_some());
    assert_eq!(seen.overdue, Some(Subject::Object(id.clone())));
    assert_eq!(seen.objects().len(), 3);
    assert!(seen.object(&id).is_some() && seen.object(&pods("v2").deployment).is_none());
    assert_eq!((seen.now(), seen.settled_at(), seen.followed_at()), (at(100), at(3), at(3)));
    assert!(seen.pods.addresses().contains_key("v1"));
}

#[test]
fn routes_and_deletions_wait_while_changes_would_not_reach_envoy() {
    let desired = service(&["v2"], &[("v2", 100)]);
    let object = Arc::new(gloo::ObjectRef::new("RouteTable", "golf", "golf-routes"));
    let gateway =
        std::sync::Arc::new(gloo::ObjectRef::new("Gateway", "gloo-system", "gateway-proxy"));
    let blocker = crate::reason::Blocker::Frozen { object, gateway, words: "no".into() };
    let mut seen = healthy(&["v1", "v2"], Some(&[("v2", 100)])).with_blocker(Some(blocker));
    assert_eq!(plan(&desired, &seen), [], "nothing is to be changed");
    for (changes, to_prune) in
        [(Some(desired.routes[0].id()), None), (None, Some(pods("v1").deployment))]
    {
        seen.changed = changes.cloned().into_iter().collect();
        seen.to_prune = to_prune.into_iter().collect();
        let [Step::Await(wait), ..] = &plan(&desired, &seen)[..] else { panic!() };
        assert!(matches!(wait.reason, Reason::Blocked(_)), "{wait:?}");
    }
}

#[test]
fn what_has_a_domain_of_the_new_routes_goes_right_before_they_come() {
    let host = |name: &str| manifest("VirtualService", name);
    let (old, new) = (host("old").id().clone(), host("new"));
    let desired = Desired { routes: vec![new.clone()], ..service(&["v1"], &[("v1", 100)]) };
    let seen = |own: bool| {
        let mut seen = healthy(&["v1"], None);
        let facts = routes(&[("v1", 100)], Some(Verdict::Accepted));
        seen.objects.insert(old.clone(), facts);
        let to_prune = if own { [old.clone()].into() } else { BTreeSet::new() };
        seen.with_differences([new.id().clone()].into(), to_prune)
            .with_routes_in_place([old.clone()].into())
    };
    let steps = plan(&desired, &seen(true));
    assert_eq!(steps[..2], [Step::Delete(vec![old.clone()]), Step::Route(vec![new.clone()])]);
    let deletions = steps.iter().filter(|step| matches!(step, Step::Delete(_)));
    assert_eq!(deletions.count(), 1, "{steps:?}");
    // That of another service is the other service's to delete.
    let steps = plan(&desired, &seen(false));
    assert_eq!(steps[0], Step::from(Reason::PredecessorGoes(old.clone())));
    // Nothing makes room before the version is ready that comes.
    let mut early = seen(true);
    early.objects.remove(&old);
    fails(&mut early, "v1");
    assert!(is_await(&plan(&desired, &early)[0]));
}
