//! Policies that guard a canary's rule: they work before the rule can be reached, and until it cannot.

use super::*;
use crate::object_state::HttpRoute;
use crate::render::Owner;
use crate::traffic::{is_guarded, is_warming};
use crate::values::tests::service as values;

const PROFILES: [&str; 2] = ["kgateway", "envoy-gateway"];

fn desired(profile: &str, has_canary: bool) -> Desired {
    let canary = "canary: {version: v2, jwt: {issuer: me, claims: {stage: canary}, jwks: {keys: \
                  [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}}}";
    let canary = if has_canary { canary } else { "" };
    let service = values(&format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\nroutes:\n  domains: [example.com]\n  primary: {{version: v1}}\n  gateway: \
         {{api: gateway-api, profile: {profile}, gateways: [{{name: edge, namespace: infra}}]}}\n  {canary}\n"
    ));
    let owner = Owner { instance: "default".into(), revision: "r".into() };
    Job::for_service(&service, &owner).desired
}

fn policies(desired: &Desired) -> Vec<ObjectId> {
    let ids = desired.workloads.iter().map(|it| it.id().clone());
    ids.filter(ObjectId::is_policy).collect()
}

fn rules(route: &Manifest) -> Vec<serde_json::Value> {
    route.object()["spec"]["rules"].as_array().cloned().expect("rules")
}

/// The service is healthy, its policies have this verdict, and its HTTPRoute these rules.
fn seen(
    desired: &Desired,
    verdict: Option<Verdict>,
    live: Option<&[serde_json::Value]>,
) -> Observation {
    let mut seen = healthy(&["v1", "v2"], None);
    for id in policies(desired) {
        seen.objects.insert(id, facts(Detail::Policy { verdict: verdict.clone() }));
    }
    let route = desired.routes[0].id().clone();
    if let Some(live) = live {
        let kept = HttpRoute { rules: live.to_vec(), ..HttpRoute::default() };
        let routes = routes(&[("v1", 100)], Some(Verdict::Accepted));
        seen.objects.insert(route.clone(), Facts { http_route: Some(kept.into()), ..routes });
    }
    seen.changed = changed(&[&route]);
    seen
}

fn route_step(steps: &[Step]) -> (usize, Vec<serde_json::Value>) {
    let found = steps.iter().enumerate().find_map(|(index, step)| match step {
        Step::Route(routes) => Some((index, rules(&routes[0]))),
        _ => None,
    });
    found.expect("routes are written")
}

#[test]
fn policies_are_written_before_the_rule_that_they_guard() {
    for profile in PROFILES {
        let desired = desired(profile, true);
        for live in [None, Some(&rules(&self::desired(profile, false).routes[0])[..])] {
            let mut seen = seen(&desired, None, live);
            let ids = policies(&desired);
            assert_eq!(ids.len(), 2, "{profile}");
            ids.iter().for_each(|id| drop(seen.objects.remove(id)));
            seen.changed.extend(ids.clone());
            let steps = plan(&desired, &seen);
            let Step::Apply(first) = &steps[0] else { panic!("{steps:?}") };
            assert!(ids.iter().all(|id| first.iter().any(|it| it.id() == id)), "{profile}");
            let (_, written) = route_step(&steps);
            assert!(
                !written.iter().any(is_guarded) && written.iter().any(is_warming),
                "{written:?}"
            );
        }
    }
}

#[test]
fn a_rule_is_reached_only_when_its_policies_are_accepted_and_every_proxy_has_them() {
    for profile in PROFILES {
        let desired = desired(profile, true);
        let before = rules(&self::desired(profile, false).routes[0]);
        let (_, staged) = route_step(&plan(&desired, &seen(&desired, None, Some(&before))));
        for verdict in [None, Some(Verdict::Rejected("no".into()))] {
            let steps = plan(&desired, &seen(&desired, verdict.clone(), Some(&staged)));
            let Step::Await(wait) = &steps[0] else { panic!("{profile} {verdict:?}: {steps:?}") };
            assert!(
                wait.until.is_none() && wait.reason.to_string().contains("-jwt-"),
                "{}",
                wait.reason
            );
            assert!(wait.reason.to_string().contains("the gateway"), "{}", wait.reason);
        }
        let mut seen = seen(&desired, Some(Verdict::Accepted), Some(&staged));
        let id = policies(&desired)[1].clone();
        seen.route_times.judged_at = at(99);
        let steps = plan(&desired, &seen);
        let Step::Await(wait) = &steps[0] else { panic!("{steps:?}") };
        assert_eq!(wait.until, Some(at(102)));
        seen.route_times.judged_at = at(97);
        let (first, written) = route_step(&plan(&desired, &seen));
        assert_eq!((first, &written), (0, &rules(&desired.routes[0])));
        assert!(written.iter().any(is_guarded));
        // A policy that is gone, in whatever way, guards nothing.
        seen.objects.remove(&id);
        assert!(is_await(&plan(&desired, &seen)[0]));
    }
}

#[test]
fn policies_go_when_no_request_reaches_the_rule_any_more() {
    for profile in PROFILES {
        let (with, without) = (desired(profile, true), desired(profile, false));
        let mut seen = seen(&with, Some(Verdict::Accepted), Some(&rules(&with.routes[0])));
        seen.to_prune = policies(&with).into_iter().collect();
        let steps = plan(&without, &seen);
        let (first, written) = route_step(&steps);
        assert!(first == 0 && !written.iter().any(is_guarded), "{profile}: {steps:?}");
        let goes: Vec<ObjectId> = seen.to_prune.iter().cloned().collect();
        let deletes = steps.iter().position(|step| *step == Step::Delete(goes.clone()));
        assert!(deletes.is_some_and(|at| at > first), "{steps:?}");
        // And not before every proxy goes without it.
        seen.changed.clear();
        let kept = HttpRoute { rules: rules(&without.routes[0]), ..HttpRoute::default() };
        let route = without.routes[0].id().clone();
        seen.objects.get_mut(&route).expect("there").http_route = Some(kept.into());
        seen.route_times.changed_at = at(99);
        let [Step::Await(wait), Step::Delete(_)] = &plan(&without, &seen)[..] else { panic!() };
        assert_eq!(wait.until, Some(at(102)));
    }
}

#[test]
fn a_service_whose_policy_is_refused_is_not_ready_and_one_that_is_gone_is_written_at_once() {
    for profile in PROFILES {
        let desired = desired(profile, true);
        let live = rules(&desired.routes[0]);
        let mut seen = seen(&desired, Some(Verdict::Rejected("no".into())), Some(&live));
        seen.changed.clear();
        let steps = plan(&desired, &seen);
        assert!(
            matches!(&steps[..], [Step::Await(wait)] if wait.reason.code() == crate::reason::Code::GatewayRejected),
            "{steps:?}"
        );
        let gone = policies(&desired)[1].clone();
        seen.objects.remove(&gone);
        seen.changed = changed(&[&gone]);
        let Step::Apply(written) = &plan(&desired, &seen)[0] else { panic!() };
        assert_eq!(written[0].id(), &gone);
    }
}

#[test]
fn what_policies_refer_to_is_known_before_they_come_and_goes_after_them() {
    let (with, without) = (desired("kgateway", true), desired("kgateway", false));
    let ids = with.workloads.iter().map(|it| it.id().clone());
    let extensions: Vec<ObjectId> = ids.filter(|id| id.is(Kind::GatewayExtension)).collect();
    let of_routes = rules(&without.routes[0]);
    let mut seen = seen(&with, None, Some(&of_routes));
    seen.changed.extend(extensions.iter().cloned().chain(policies(&with)));
    policies(&with).iter().for_each(|id| drop(seen.objects.remove(id)));
    let steps = plan(&with, &seen);
    let [Step::Apply(first), Step::Apply(second), ..] = &steps[..] else { panic!("{steps:?}") };
    assert!(first.iter().map(Manifest::id).eq(&extensions), "{first:?}");
    assert!(second.iter().map(Manifest::id).eq(&policies(&with)), "{second:?}");
    extensions.iter().for_each(|id| {
        seen.changed.remove(id);
        let changed_at = Some(at(99));
        seen.objects.insert(id.clone(), Facts { changed_at, ..facts(Detail::Other) });
    });
    let steps = plan(&with, &seen);
    let [Step::Await(wait), Step::Apply(_), ..] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(wait.until, Some(at(103)));
    // On the way back.
    let mut seen = self::seen(&with, Some(Verdict::Accepted), Some(&of_routes));
    seen.changed.clear();
    seen.to_prune = extensions.iter().cloned().chain(policies(&with)).collect();
    let steps = plan(&without, &seen);
    let [Step::Delete(first), Step::Delete(second)] = &steps[..] else { panic!("{steps:?}") };
    assert!(
        first.iter().all(ObjectId::is_policy) && second.iter().all(|id| extensions.contains(id))
    );
    seen.to_prune = extensions.iter().cloned().collect();
    seen.route_times.changed_at = at(99);
    assert!(is_await(&plan(&without, &seen)[0]), "no gateway looks for them any more");
    // One that is being deleted is in force still.
    seen.route_times.changed_at = at(0);
    let policy = policies(&with)[0].clone();
    seen.objects.get_mut(&policy).expect("there").terminating = true;
    assert!(is_await(&plan(&without, &seen)[0]));
}
