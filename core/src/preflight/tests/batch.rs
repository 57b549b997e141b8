//! Several changes at once.

use super::*;

fn is_admitted(verdicts: &[Result<Prediction, Refusal>]) -> Vec<bool> {
    verdicts.iter().map(Result::is_ok).collect()
}

fn check(objects: &[Value], wishes: &[ProposedChange]) -> Vec<Result<Prediction, Refusal>> {
    let changes: Vec<Arc<Change>> = wishes.iter().map(ProposedChange::change).collect();
    Baseline::new(cluster(objects)).check(&changes)
}

fn owner(name: &str, domain: &str) -> Value {
    json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
        "metadata": {"name": name, "namespace": name},
        "spec": {"virtualHost": {"domains": [domain], "routes": [
            {"matchers": [{"prefix": "/"}], "routeAction": single(name)}]}}})
}

fn plain(name: &str) -> ProposedChange {
    wish(name, table(name, &format!("/{name}"), single(name)))
}

#[test]
fn exactly_the_harmful_ones_of_a_batch_are_refused() {
    let mut wishes: Vec<ProposedChange> = ["a", "b", "c", "d", "e", "g", "h"].map(plain).to_vec();
    wishes[4] = wish("e", table("e", "/foxtrot", single("e")));
    let verdicts = check(&cluster_with_foxtrot(), &wishes);
    assert_eq!(is_admitted(&verdicts), [true, true, true, true, false, true, true]);
}

#[test]
fn of_two_that_claim_the_same_the_later_is_refused() {
    let one = wish("a", table("a", "/same", single("a")));
    let other = wish("b", table("b", "/same", single("b")));
    let verdicts = check(&cluster_with_foxtrot(), &[one, other]);
    assert_eq!(is_admitted(&verdicts), [true, false]);
    let refusal = verdicts[1].as_ref().expect_err("the later");
    assert!(refusal.to_string().contains("RouteTable a/a-routes"), "{refusal}");
}

/// Gloo sorts the routes of two tables of one weight, and leaves those of a single table as they are.
#[test]
fn a_table_does_not_count_on_being_sorted_beside_one_that_is_yet_to_come() {
    let objects: Vec<Value> = settings().into_iter().chain([app()]).collect();
    let any_version = json!({"single": {"upstream": {"name": "a", "namespace": "a"}}});
    let mut shadowed = table("a", "/", any_version);
    let longer = table("a", "/z", single("a"))["spec"]["routes"][0].clone();
    shadowed["spec"]["routes"].as_array_mut().expect("a list").push(longer);
    let wishes = [wish("a", shadowed), plain("b")];
    assert_eq!(is_admitted(&check(&objects, &wishes)), [false, true]);
}

#[test]
fn a_path_that_another_gives_up_can_be_claimed_when_it_is_free() {
    let mut objects = cluster_with_foxtrot();
    objects.extend([service("a"), upstream("a"), table("a", "/a", single("a"))]);
    let away = wish("a", table("a", "/elsewhere", single("a")));
    let claim = wish("b", table("b", "/a", single("b")));
    for wishes in [[away.clone(), claim.clone()], [claim.clone(), away.clone()]] {
        let verdicts = check(&objects, &wishes);
        let claims = usize::from(wishes[0].service == "a");
        assert!(verdicts[claims].is_err() && verdicts[1 - claims].is_ok());
    }
    objects[8] = table("a", "/elsewhere", single("a"));
    assert_eq!(is_admitted(&check(&objects, &[claim])), [true]);
}

#[test]
fn a_change_does_not_count_on_what_another_is_yet_to_bring() {
    let mut borrowing = plain("a");
    borrowing.desired.routes = vec![manifest(table("a", "/a", single("b")))];
    let verdicts = check(&cluster_with_foxtrot(), &[plain("b"), borrowing]);
    assert_eq!(is_admitted(&verdicts), [true, false]);
}

#[test]
fn what_was_admitted_before_is_carried_forward() {
    let objects = cluster_with_foxtrot();
    let one = wish("a", table("a", "/same", single("a")));
    let other = wish("b", table("b", "/same", single("b")));
    let baseline = Baseline::new(cluster(&objects)).with(&[one.change()]);
    assert_eq!(is_admitted(&baseline.check(&[other.change()])), [false]);
    let mut thief = plain("c");
    thief.desired.workloads.push(manifest(service("a")));
    thief.desired.upstreams.push(manifest(upstream("a")));
    let refusal = baseline.check(&[thief.change()]).remove(0).expect_err("a's Upstream");
    assert!(matches!(refusal, Refusal::Claimed { .. }), "{refusal}");
}

#[test]
fn what_changes_do_is_foreseen_as_far_as_it_has_come_and_nothing_else_is() {
    let mut objects = cluster_with_foxtrot();
    let old = upstream("old");
    objects.extend([service("old"), old.clone()]);
    let wish = plain("a").without(&[old]);
    let before = cluster(&objects);
    let foresaw = |objects: &[Value]| are_expected(&before, &cluster(objects), &[wish.change()]);
    assert!(foresaw(&objects));
    objects.extend([service("a"), upstream("a")]);
    assert!(foresaw(&objects), "the backends are written");
    objects.push(table("a", "/a", single("a")));
    let mut edited = objects.clone();
    *edited.last_mut().expect("a table") = table("a", "/edited", single("a"));
    assert!(!foresaw(&edited), "the routes are not the desired ones");
    objects.retain(|object| object["metadata"]["name"] != "old" || object["kind"] == "Service");
    assert!(foresaw(&objects), "the surplus is gone");
    let mut strange = objects.clone();
    strange.push(upstream("strange"));
    assert!(!foresaw(&strange), "nobody was to write this");
    objects.retain(|object| object["kind"] != "VirtualService");
    assert!(!foresaw(&objects), "nobody was to delete this");
}

#[test]
fn a_change_that_says_who_is_served_is_never_foreseen() {
    let objects = cluster_with_foxtrot();
    let wish = wish("b", owner("b", "b.example"));
    let before = cluster(&objects);
    let mut after = objects;
    after.extend([service("b"), upstream("b")]);
    assert!(are_expected(&before, &cluster(&after), &[wish.change()]));
    after.extend(wish.desired.routes.iter().map(|routes| routes.object().clone()));
    assert!(!are_expected(&before, &cluster(&after), &[wish.change()]));
}

#[test]
fn a_domain_cannot_change_hands_in_one_batch() {
    let mut objects = cluster_with_foxtrot();
    objects.extend([service("a"), upstream("a"), owner("a", "a.example")]);
    let away = wish("a", owner("a", "b.example"));
    let claim = wish("b", owner("b", "a.example"));
    assert_eq!(is_admitted(&check(&objects, &[away, claim])), [true, false]);
}

#[test]
fn what_one_change_deletes_another_cannot_come_to_rely_on() {
    let mut objects = cluster_with_foxtrot();
    let old = [service("a"), upstream("a"), table("a", "/a", single("a"))];
    objects.extend(old.clone());
    let leaves = || ProposedChange { desired: Desired::default(), ..plain("a").without(&old) };
    let relies = || wish("c", table("c", "/c", single("a")));
    assert_eq!(is_admitted(&check(&objects, &[leaves(), relies()])), [true, false]);
    assert_eq!(is_admitted(&check(&objects, &[relies(), leaves()])), [true, false]);
}

#[test]
fn each_change_is_judged_beside_all_that_were_admitted_before() {
    let baseline = Baseline::new(cluster(&cluster_with_foxtrot())).with(&[plain("a").change()]);
    assert_eq!(is_admitted(&baseline.check(&[plain("b").change()])), [true]);
    let later = baseline.with(&[plain("b").change()]);
    let same = wish("c", table("c", "/b", single("c")));
    assert_eq!(is_admitted(&later.check(&[same.change()])), [false], "b has this path");
    assert_eq!(is_admitted(&baseline.check(&[same.change()])), [true], "nobody has it yet");
    let again = later.with(&[]);
    assert_eq!(is_admitted(&again.check(&[same.change()])), [false]);
}

#[test]
fn a_path_that_is_given_up_for_nothing_cannot_be_claimed_at_once_either() {
    let mut two = table("a", "/a", single("a"));
    let route = |path: &str| json!({"matchers": [{"prefix": path}], "routeAction": single("a")});
    two["spec"]["routes"] = json!([route("/a"), route("/z")]);
    let mut objects = cluster_with_foxtrot();
    objects.extend([service("a"), upstream("a"), two]);
    let away = wish("a", table("a", "/z", single("a")));
    let claim = wish("b", table("b", "/a", single("b")));
    assert_eq!(is_admitted(&check(&objects, &[away, claim])), [true, false]);
}
