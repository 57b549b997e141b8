//! What somebody else broke.

use super::*;

fn undecodable() -> Value {
    let mut strange = table("golf", "/golf", single("foxtrot"));
    strange["spec"]["routes"][0]["options"] = json!({"timeout": "soon"});
    strange
}

fn frozen() -> Value {
    let nothing =
        json!({"multi": {"destinations": [{"destination": destination("foxtrot"), "weight": 0}]}});
    table("golf", "/golf", nothing)
}

fn cluster_with(stranger: Value) -> Vec<Value> {
    let mut objects = cluster_with_foxtrot();
    objects.extend([service("echo"), upstream("echo"), table("echo", "/echo", single("echo"))]);
    objects.push(stranger);
    objects
}

/// echo with another route than now.
fn moved() -> ProposedChange {
    echo(table("echo", "/echo/v2", single("echo")))
}

#[test]
fn a_table_that_gloo_cannot_decode_holds_up_routes_and_nothing_else() {
    let objects = cluster_with(undecodable());
    let blocked = judge(&objects, &moved()).expect("harmless").blocked_by.expect("held up");
    assert!(blocked.to_string().contains("RouteTable golf/golf-routes"), "{blocked}");
    let mut other = echo(table("echo", "/echo", single("echo")));
    assert_eq!(judge(&objects, &other).expect("harmless").blocked_by, None, "nothing changes");
    let spec = json!({"selectors": [{"keys": ["version"]}, {"keys": ["stage"]}]});
    let mut wider = upstream("echo");
    wider["spec"]["kube"]["subsetSpec"] = spec;
    other.desired.upstreams = vec![manifest(wider)];
    assert_eq!(judge(&objects, &other).expect("harmless").blocked_by, None, "an Upstream");
    // Envoy may still send requests to what is to be deleted.
    let other = other.without(&[upstream("old")]);
    assert!(judge(&objects, &other).expect("harmless").blocked_by.is_some(), "a deletion");
}

#[test]
fn another_owners_table_that_cannot_be_decoded_hides_no_mistake_of_ours() {
    let objects = cluster_with(undecodable());
    let refusal = refused(&objects, &echo(table("echo", "/foxtrot", single("echo"))));
    assert!(matches!(refusal, Refusal::Conflict(_)), "{refusal}");
}

#[test]
fn a_frozen_route_configuration_holds_up_routes_and_deletions() {
    let objects = cluster_with(frozen());
    let blocked = judge(&objects, &moved()).expect("harmless").blocked_by.expect("held up");
    assert!(blocked.to_string().contains("RouteTable golf/golf-routes"), "{blocked}");
    let draining = echo(table("echo", "/echo", single("echo"))).without(&[upstream("old")]);
    assert!(judge(&objects, &draining).expect("harmless").blocked_by.is_some());
}

#[test]
fn a_mistake_of_ours_is_found_although_another_owner_made_it_before() {
    let objects = cluster_with(frozen());
    let nothing =
        json!({"multi": {"destinations": [{"destination": destination("echo"), "weight": 0}]}});
    let refusal = refused(&objects, &echo(table("echo", "/echo", nothing)));
    assert_eq!(refusal.object().name, "echo-routes", "{refusal}");
}

#[test]
fn whoever_mends_the_mistake_is_not_held_up_by_it() {
    let objects = cluster_with(frozen());
    let repair = wish("golf", table("golf", "/golf", single("foxtrot")));
    assert_eq!(judge(&objects, &repair).expect("good").blocked_by, None);
    // Others are, until the repair is there.
    let (repair, moved) = (repair.change(), moved());
    let verdicts = Baseline::new(cluster(&objects)).check(&[repair, moved.change()]);
    assert!(verdicts[1].as_ref().expect("harmless").blocked_by.is_some());
}

#[test]
fn a_rejected_virtual_service_holds_up_its_own_routes_only() {
    let dead = json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
        "metadata": {"name": "golf", "namespace": "golf"},
        "spec": {"virtualHost": {"domains": ["golf.example"], "routes": [{"matchers": [{"prefix": "/"}]}]}}});
    let mut objects = cluster_with(dead);
    assert_eq!(judge(&objects, &moved()).expect("harmless").blocked_by, None);
    let mut circle = table("hotel", "/hotel", single("foxtrot"));
    circle["spec"]["routes"][0] = json!({"matchers": [{"prefix": "/hotel"}],
        "delegateAction": {"ref": {"name": "hotel-routes", "namespace": "hotel"}}});
    objects.push(circle);
    let blocked = judge(&objects, &moved()).expect("harmless").blocked_by.expect("held up");
    assert!(blocked.to_string().contains("VirtualService gloo-system/app"), "{blocked}");
}

#[test]
fn what_is_broken_is_listed_by_name_and_stays_the_same_from_one_look_to_the_next() {
    let mut objects = cluster_with(frozen());
    let mut typo = table("hotel", "/hotel", single("typo"));
    typo["metadata"]["namespace"] = json!("hotel");
    objects.extend([typo, {
        let mut other = undecodable();
        other["metadata"]["name"] = json!("other");
        other
    }]);
    let baseline = Baseline::new(cluster(&objects));
    let broken = baseline.broken();
    let listed: Vec<(String, Rule)> =
        broken.iter().map(|it| (it.object.to_string(), it.rule)).collect();
    assert!(listed.contains(&("RouteTable golf/golf-routes".into(), Rule::Refused)), "{listed:?}");
    assert!(listed.contains(&("RouteTable golf/other".into(), Rule::Undecodable)), "{listed:?}");
    assert!(
        listed.contains(&("RouteTable hotel/hotel-routes".into(), Rule::Warning)),
        "{listed:?}"
    );
    let refused = broken.iter().find(|it| it.rule == Rule::Refused).expect("listed");
    let gateway = ObjectRef::new("Gateway", "gloo-system", "gateway-proxy");
    assert_eq!(refused.blocks, Blocks::Gateway(gateway));
    // Another service comes and everything moves along: the same is still the same.
    objects.extend([service("alpha"), upstream("alpha"), table("alpha", "/zulu", single("alpha"))]);
    assert_eq!(baseline.follow(cluster(&objects)).broken(), broken);
}
