//! Where each namespace is watched for itself.

use serde_json::json;

use super::*;
use coalmine_core::labels::INSTANCE;

/// A state of the namespaces a and b, and of Gloo's.
fn state() -> State {
    let namespaces = Namespaces::named(["a".to_owned(), "b".to_owned()]);
    let mut state = State::new("default", namespaces);
    for namespace in ["a", "b"] {
        for kind in WatchedKind::of_services() {
            assert!(state.begin_kind(&kind.within(namespace)));
        }
    }
    state
}

fn tables(namespace: &str) -> WatchedKind {
    let kind = WatchedKind::of_services().find(|kind| kind.kind == "RouteTable");
    kind.expect("watched").within(namespace)
}

fn table(namespace: &str, version: u64, path: &str) -> Value {
    json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
        "metadata": {"name": "echo-routes", "namespace": namespace,
            "labels": {INSTANCE: "default", SERVICE: namespace},
            "resourceVersion": version.to_string(), "uid": "u"},
        "spec": {"routes": [{"matchers": [{"prefix": path}]}]}})
}

fn enter(state: &mut State, object: &Value, origin: Origin) -> Option<Touched> {
    state.upsert("gateway.solo.io/v1", "RouteTable", object, origin)
}

fn id(namespace: &str) -> ObjectId {
    identify(&table(namespace, 1, "/"), "gateway.solo.io/v1", "RouteTable")
}

fn version_of(state: &State, namespace: &str) -> Option<u64> {
    state.object(&id(namespace)).map(|facts| facts.version)
}

/// Lists every kind of a namespace, with these tables.
fn list(state: &mut State, namespace: &str, objects: &[Value]) {
    for kind in WatchedKind::of_services() {
        let kind = kind.within(namespace);
        state.begin_list(&kind);
        if kind == tables(namespace) {
            objects.iter().for_each(|object| drop(enter(state, object, Origin::List)));
        }
        state.end_list(&kind);
    }
}

fn forbid(state: &mut State, namespace: &str) {
    for kind in WatchedKind::of_services() {
        let trouble = Trouble { line: "no Role".into(), lasts: true, forbidden: Some("no".into()) };
        state.record_trouble(&kind.within(namespace), trouble);
    }
}

fn why(state: &State, namespace: &str) -> Option<String> {
    state.unknown(&BTreeSet::from([namespace])).map(|reason| reason.to_string())
}

#[test]
fn the_list_of_one_namespace_strikes_nothing_in_another() {
    let mut state = state();
    list(&mut state, "a", &[table("a", 5, "/a")]);
    list(&mut state, "b", &[table("b", 6, "/b")]);
    list(&mut state, "a", &[]);
    assert_eq!((version_of(&state, "a"), version_of(&state, "b")), (None, Some(6)));
    assert!(state.of_service("a").is_empty() && state.of_service("b").len() == 1);
    // Nor does what its list says of pods, by the same name.
    for namespace in ["a", "b"] {
        let labels = json!({INSTANCE: "default", SERVICE: "echo", "version": "v1"});
        let pod = json!({"metadata": {"name": "pod", "namespace": namespace, "labels": labels}});
        state.upsert("v1", "Pod", &pod, Origin::Event);
    }
    list(&mut state, "b", &[]);
    assert_eq!(state.pods("echo").len(), 1);
    assert_eq!(state.pods_in("echo", "a").len(), 1);
}

#[test]
fn the_store_of_the_api_server_is_believed_for_each_namespace_once_it_was_restored() {
    let mut state = state();
    list(&mut state, "a", &[table("a", 9, "/new")]);
    list(&mut state, "b", &[table("b", 9, "/new")]);
    state.begin_list(&tables("a"));
    assert!(enter(&mut state, &table("a", 4, "/old"), Origin::List).is_some());
    // A list of another namespace is no reason to believe an event that comes late.
    assert_eq!(enter(&mut state, &table("b", 4, "/old"), Origin::Event), None);
    state.end_list(&tables("a"));
    assert_eq!((version_of(&state, "a"), version_of(&state, "b")), (Some(4), Some(9)));
    // What was answered while a list came in is newer than that list, and than no other.
    state.begin_list(&tables("a"));
    enter(&mut state, &table("a", 12, "/answer"), Origin::Answer);
    state.begin_list(&tables("b"));
    enter(&mut state, &table("a", 5, "/late"), Origin::List);
    enter(&mut state, &table("b", 5, "/back"), Origin::List);
    assert_eq!((version_of(&state, "a"), version_of(&state, "b")), (Some(12), Some(5)));
}

#[test]
fn a_namespace_that_may_not_be_listed_holds_up_no_other() {
    let mut state = state();
    let count = WatchedKind::of_services().count();
    assert_eq!(state.unsynced(), 2 * count);
    assert!(matches!(state.unknown(&BTreeSet::from(["b"])), Some(Reason::BeingListed(_))));
    forbid(&mut state, "b");
    assert_eq!(state.unsynced(), count, "those of a");
    list(&mut state, "a", &[]);
    assert_eq!(state.unsynced(), 0);
    assert_eq!(why(&state, "a"), None);
    assert!(why(&state, "b").is_some_and(|why| why.contains("no Role")));
    assert_eq!(why(&state, "elsewhere"), None, "nobody watches it");
    list(&mut state, "b", &[]);
    assert_eq!((state.unsynced(), why(&state, "b")), (0, None));
    // A right that goes again holds up the same, until the list that follows when it is back.
    forbid(&mut state, "b");
    assert_eq!((state.unsynced(), why(&state, "a")), (0, None));
    assert!(why(&state, "b").is_some_and(|why| why.contains("no Role")));
    state.begin_list(&tables("b"));
    assert!(state.end_list(&tables("b")).contains(&Touched::Foreign), "somebody may wait");
    list(&mut state, "b", &[]);
    assert_eq!(why(&state, "b"), None);
}

#[test]
fn one_kind_that_is_not_known_is_enough_for_its_namespace_not_to_be_known() {
    let mut state = state();
    list(&mut state, "a", &[]);
    for kind in WatchedKind::of_services().filter(|kind| kind.kind != "Pod") {
        state.begin_list(&kind.clone().within("b"));
        state.end_list(&kind.within("b"));
    }
    assert!(why(&state, "b").is_some_and(|why| why.contains("Pod b/*")), "{:?}", why(&state, "b"));
    assert_eq!(why(&state, "a"), None);
}

#[test]
fn an_api_server_that_does_not_answer_is_waited_for_and_one_silent_namespace_is_not() {
    let mut state = state();
    for namespace in ["a", "b"] {
        for kind in WatchedKind::of_services() {
            let kind = kind.within(namespace);
            state.record_trouble(&kind, Trouble::passing("refused".into()));
        }
    }
    let unsynced = state.unsynced();
    assert_eq!(unsynced, 2 * WatchedKind::of_services().count());
    assert!(!state.leave_out(), "nothing is known");
    assert_eq!(state.unsynced(), unsynced);
    list(&mut state, "a", &[]);
    assert!(state.leave_out());
    assert_eq!(state.unsynced(), 0);
    assert!(why(&state, "b").is_some_and(|why| why.contains("refused")));
    // In the whole cluster there is nobody who could go on.
    let mut whole = State::new("default", Namespaces::default());
    WatchedKind::of_services().for_each(|kind| assert!(whole.begin_kind(&kind)));
    let pods = WatchedKind::ours("v1", "Pod");
    whole.begin_list(&pods);
    whole.end_list(&pods);
    assert!(!whole.leave_out());
}

#[test]
fn what_is_not_read_is_said() {
    let mut state = state();
    forbid(&mut state, "b");
    list(&mut state, "a", &[]);
    let words = state.blind_spot().expect("not everything is read");
    assert!(words.contains("in the namespaces a, gloo-system are read"), "{words}");
    assert!(words.ends_with("; b cannot be read now"), "{words}");
    // That a cluster does not serve a kind is nothing that is not read.
    let further = WatchedKind::further().next().expect("one").within("a");
    state.record_unserved(&further, "not served".into());
    assert_eq!(state.blind_spot().as_ref(), Some(&words));
    let version = state.gloo().1;
    list(&mut state, "b", &[]);
    assert!(state.gloo().1 > version, "what is said is said anew");
    let words = state.blind_spot().expect("not everything is read");
    assert!(words.contains("in the namespaces a, b, gloo-system are read"), "{words}");
    assert_eq!(State::new("default", Namespaces::default()).blind_spot(), None);
}

#[test]
fn an_object_outside_is_nobodys_of_ours_whatever_its_labels_say() {
    let mut state = state();
    state.begin_kind(&tables("gloo-system"));
    assert_eq!(
        enter(&mut state, &table("gloo-system", 5, "/x"), Origin::List),
        Some(Touched::Foreign)
    );
    assert!(state.inventory().is_empty());
    let claim = state.object(&id("gloo-system")).map(|facts| facts.claim.clone());
    assert_eq!(claim, Some(Claim::Nobody));
}
