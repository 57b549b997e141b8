//! Which changes are judged together.

use super::*;

fn plain(name: &str) -> ProposedChange {
    wish(name, table(name, &format!("/{name}"), single(name)))
}

/// The services of each run of independent changes.
fn runs(objects: &[Value], wishes: &[ProposedChange]) -> Vec<Vec<String>> {
    let live = TranslatedCluster::read(cluster(objects), &Memory::default());
    let changes: Vec<Arc<Change>> = wishes.iter().map(ProposedChange::change).collect();
    let runs = super::super::group::independent(&live, None, &changes);
    runs.iter().map(|run| run.iter().map(|change| change.service.clone()).collect()).collect()
}

/// Whether two changes are judged together, in either order.
fn are_independent(objects: &[Value], one: &ProposedChange, other: &ProposedChange) -> bool {
    let there = runs(objects, &[one.clone(), other.clone()]).len() == 1;
    let back = runs(objects, &[other.clone(), one.clone()]).len() == 1;
    assert_eq!(there, back, "the order makes no difference");
    there
}

fn owner(name: &str, domain: &str) -> ProposedChange {
    let host = json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
        "metadata": {"name": name, "namespace": name},
        "spec": {"virtualHost": {"domains": [domain], "routes": [
            {"matchers": [{"prefix": "/"}], "routeAction": single(name)}]}}});
    wish(name, host)
}

/// The platform with this object beside.
fn platform_with(object: Value) -> ProposedChange {
    let desired = Desired { workloads: vec![manifest(object)], ..Desired::default() };
    ProposedChange { service: "platform".into(), desired, ..ProposedChange::default() }
}

#[test]
fn new_services_are_judged_together() {
    let objects = cluster_with_foxtrot();
    assert_eq!(runs(&objects, &["a", "b", "c"].map(plain)), [["a", "b", "c"]]);
    assert_eq!(runs(&objects, &[]), [[""; 0]; 0]);
    assert!(are_independent(&objects, &plain("a"), &owner("b", "b.example")));
    assert!(are_independent(&objects, &owner("a", "a.example"), &owner("b", "b.example")));
}

#[test]
fn changes_that_have_or_use_an_object_of_each_other_are_judged_apart() {
    let objects = cluster_with_foxtrot();
    let mut same = plain("b");
    same.desired.upstreams.push(manifest(upstream("a")));
    assert!(!are_independent(&objects, &plain("a"), &same), "both write an Upstream");
    let borrowing = wish("b", table("b", "/b", single("a")));
    assert!(!are_independent(&objects, &plain("a"), &borrowing), "one uses the other's");
    assert!(are_independent(&objects, &plain("c"), &borrowing));
}

#[test]
fn what_stays_as_it_is_is_no_part_of_a_change() {
    let mut objects = cluster_with_foxtrot();
    objects.extend([service("a"), upstream("a"), table("a", "/a", single("a"))]);
    let borrowing = wish("b", table("b", "/b", single("a")));
    assert!(are_independent(&objects, &plain("a"), &borrowing), "a writes nothing");
    let mut again = platform(app());
    assert!(are_independent(&objects, &again, &plain("b")), "nor does the platform");
    again.desired.routes[0] = manifest({
        let mut other = app();
        other["spec"]["virtualHost"]["domains"] = json!(["other.example"]);
        other
    });
    assert!(!are_independent(&objects, &again, &plain("b")), "it delegates to tables");
}

#[test]
fn what_may_be_of_use_or_harm_to_anybody_is_judged_alone() {
    let mut objects = cluster_with_foxtrot();
    for at in 0..2 {
        let mut changed = objects[at].clone();
        changed["spec"]["proxyNames"] = json!(["other"]);
        changed["spec"]["gloo"] = json!({"invalidConfigPolicy": {"replaceInvalidRoutes": true}});
        assert!(
            !are_independent(&objects, &platform_with(changed.clone()), &plain("a")),
            "{changed}"
        );
        let same = platform_with(objects[at].clone());
        assert!(are_independent(&objects, &same, &plain("a")), "it stays as it is");
    }
    let mut handing_on = table("b", "/b", single("b"));
    let to = json!({"ref": {"name": "foxtrot-routes", "namespace": "foxtrot"}});
    handing_on["spec"]["routes"][0] = json!({"matchers": [{"prefix": "/b"}], "delegateAction": to});
    assert!(!are_independent(&objects, &wish("b", handing_on), &plain("a")));
    // Others may be waiting for its repair.
    let nothing =
        json!({"multi": {"destinations": [{"destination": destination("b"), "weight": 0}]}});
    let mut undecodable = table("b", "/b", single("b"));
    undecodable["spec"]["routes"][0]["options"] = json!({"timeout": "soon"});
    objects.extend([service("b"), upstream("b")]);
    for broken in [table("b", "/b", nothing), undecodable] {
        objects.push(broken);
        assert!(!are_independent(&objects, &plain("b"), &plain("a")), "{:?}", objects.last());
        objects.pop();
    }
    objects.push(table("b", "/elsewhere", single("b")));
    assert!(are_independent(&objects, &plain("b"), &plain("a")), "it was no worse before");
}

#[test]
fn tables_that_come_and_tables_that_go_are_judged_apart() {
    let mut objects = cluster_with_foxtrot();
    let old = table("b", "/b", single("b"));
    objects.extend([service("b"), upstream("b"), old.clone()]);
    let leaving = ProposedChange { service: "b".into(), ..ProposedChange::default() }
        .without(std::slice::from_ref(&old));
    assert!(!are_independent(&objects, &plain("a"), &leaving));
    let change = |field: &str, value: Value| {
        let mut table = old.clone();
        *table.pointer_mut(field).expect("there") = value;
        wish("b", table)
    };
    let relabelled = change("/metadata/labels/apiGroup", "other".into());
    assert!(!are_independent(&objects, &plain("a"), &relabelled), "it may be selected no more");
    assert!(!are_independent(
        &objects,
        &leaving.clone(),
        &ProposedChange { service: "c".into(), ..relabelled }
    ));
    let rewritten = change("/spec/routes/0/matchers/0/prefix", "/c".into());
    assert!(are_independent(&objects, &plain("a"), &rewritten), "it stays where it is");
    objects.push(table("c", "/c", single("b")));
    let other = ProposedChange { service: "c".into(), ..ProposedChange::default() }
        .without(&[table("c", "/c", single("b"))]);
    assert!(are_independent(&objects, &leaving, &other), "both go");
}

#[test]
fn virtual_services_whose_domains_overlap_are_judged_apart() {
    let mut objects = cluster_with_foxtrot();
    assert!(!are_independent(&objects, &owner("a", "a.example"), &owner("b", "*.example")));
    assert!(!are_independent(&objects, &owner("a", "a.example"), &owner("b", "A.example")));
    objects.extend(owner("b", "a.example").desired.routes.iter().map(|it| it.object().clone()));
    let away = owner("b", "b.example");
    assert!(!are_independent(&objects, &owner("a", "a.example"), &away), "b has it until now");
    assert!(are_independent(&objects, &owner("a", "c.example"), &away));
    let mut all = owner("c", "c.example");
    let mut host = all.desired.routes[0].object().clone();
    host["spec"]["virtualHost"]["domains"] = json!([]);
    all.desired.routes = vec![manifest(host)];
    assert!(!are_independent(&objects, &owner("a", "a.example"), &all), "every domain");
}
