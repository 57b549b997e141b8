use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::source::Revision;
use crate::testing::service;
use coalmine_core::reason::Code;

struct Clock(Arc<AtomicI64>);

impl Clock {
    fn set(&self, second: i64) {
        self.0.store(second, Ordering::Relaxed);
    }
}

fn status_store() -> (StatusStore, Clock) {
    let second = Arc::new(AtomicI64::new(0));
    let clock = Clock(second.clone());
    let now = move || Timestamp::from_second(second.load(Ordering::Relaxed)).expect("a time");
    (StatusStore::with_clock(now), clock)
}

fn attempt(status_store: &StatusStore, revision: &str) {
    status_store.service("echo", |report| {
        report.last_attempted_revision = revision.into();
        report.progressing(None, "");
    });
}

fn waits_since(status_store: &StatusStore) -> Option<i64> {
    status_store.content().services["echo"].waits_since.map(Timestamp::as_second)
}

#[test]
fn a_commit_waits_from_its_arrival_until_it_is_applied() {
    let (status_store, clock) = status_store();
    clock.set(10);
    attempt(&status_store, "a");
    clock.set(20);
    attempt(&status_store, "b");
    assert_eq!(waits_since(&status_store), Some(10), "the first commit still waits");
    clock.set(30);
    status_store.service("echo", |report| report.ready("a"));
    assert_eq!(waits_since(&status_store), Some(20), "the second commit still waits");
    clock.set(40);
    status_store.service("echo", |report| report.ready("b"));
    assert_eq!(waits_since(&status_store), None);
    clock.set(50);
    status_store.service("echo", |report| report.progressing(None, "repairing"));
    assert_eq!(waits_since(&status_store), None, "a repair is no commit");
}

#[test]
fn a_commit_with_errors_waits_until_a_later_one_is_applied() {
    let (status_store, clock) = status_store();
    attempt(&status_store, "a");
    status_store.service("echo", |report| report.ready("a"));
    clock.set(10);
    status_store.invalid("echo", "services/echo.yaml:1:1: no".into(), "b");
    assert_eq!(waits_since(&status_store), Some(10));
    clock.set(20);
    status_store.valid("echo");
    attempt(&status_store, "c");
    assert_eq!(waits_since(&status_store), Some(10));
    status_store.service("echo", |report| report.ready("c"));
    assert_eq!(waits_since(&status_store), None);
}

#[test]
fn a_state_keeps_the_time_of_its_last_change() {
    let (status_store, clock) = status_store();
    let since = || {
        let report = status_store.summary().services.remove(0);
        (report.state, report.since.as_second())
    };
    clock.set(10);
    status_store.service("echo", |report| report.stalled(Code::WaitingForPods, "no ready pod"));
    clock.set(20);
    status_store
        .service("echo", |report| report.stalled(Code::WaitingForPods, "no ready pod of two"));
    assert_eq!(since(), (State::Stalled, 10));
    clock.set(30);
    status_store.invalid("echo", "no".into(), "b");
    assert_eq!(since(), (State::Invalid, 30));
    clock.set(40);
    status_store.valid("echo");
    assert_eq!(since(), (State::Stalled, 40));
}

#[test]
fn becoming_stalled_is_counted_and_staying_stalled_is_not() {
    let (status_store, _) = status_store();
    for reason in ["one", "two"] {
        status_store.service("echo", |report| report.stalled(Code::WaitingForPods, reason));
    }
    status_store.service("echo", |report| report.ready("a"));
    status_store.service("echo", |report| report.stalled(Code::GlooRejected, "three"));
    let expected = [(Code::WaitingForPods, 1), (Code::GlooRejected, 1)];
    assert_eq!(status_store.content().services["echo"].tally.stalls, expected);
}

#[test]
fn a_commit_that_was_refused_as_a_whole_shows_beside_the_one_at_work() {
    let (status_store, clock) = status_store();
    let accept = |revision: &str| {
        status_store.source(|source| source.last_attempted_revision = Some(revision.into()));
    };
    accept("a");
    status_store.source(|source| source.accepted_revision = Some("a".into()));
    clock.set(10);
    accept("b");
    status_store.source(|source| source.error = Some("coalmine.yaml:1:1: no".into()));
    clock.set(20);
    accept("c");
    let summary = status_store.summary();
    assert_eq!(summary.source.last_attempted_revision.as_deref(), Some("c"));
    assert_eq!(summary.source.accepted_revision.as_deref(), Some("a"));
    let waits = || status_store.content().source_waits_since.map(Timestamp::as_second);
    assert_eq!(waits(), Some(10));
    status_store.source(|source| source.accepted_revision = Some("c".into()));
    assert_eq!(waits(), None);
}

/// Every key below a value, with `*` for whatever stands in a map of names or a list.
fn keys(value: &Value) -> Vec<&String> {
    value.as_object().map(|map| map.keys().collect()).unwrap_or_default()
}

#[test]
fn the_documentation_shows_every_field_of_the_status() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/status.md");
    let page = std::fs::read_to_string(page).expect("docs/status.md");
    let examples = page.split("```json").skip(1).map(|rest| rest.split("```").next());
    let examples: Vec<Value> = examples
        .map(|example| serde_json::from_str(example.expect("an end")).expect("JSON"))
        .collect();
    let [example, one] = &examples[..] else { panic!("{} examples", examples.len()) };
    let (status_store, _) = status_store();
    let values = "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";
    let values = Arc::new(service(values));
    let (id, author, subject) = ("a".into(), "Ada".into(), "Begin".into());
    status_store.takes_up(&Revision { id, author, subject, committed: Timestamp::UNIX_EPOCH });
    status_store.service("echo", |report| report.describe(&values));
    status_store.asks(&values, Some(ChangeKind::First));
    status_store.drifted(
        "echo",
        Drift {
            object: "Deployment echo/echo-v1".into(),
            field: "spec.replicas".into(),
            from: json!(1),
            to: json!(3),
            manager: Some("kubectl".into()),
            at: Timestamp::UNIX_EPOCH,
        },
    );
    let detail =
        serde_json::to_value(status_store.detail("echo").expect("a service")).expect("JSON");
    let history = &detail["history"];
    assert_eq!(keys(&one["routes"][0]), keys(&detail["routes"][0]));
    assert_eq!(keys(&one["history"]), keys(history));
    assert_eq!(keys(&one["history"]["steps"][0]), keys(&history["steps"][0]));
    assert_eq!(keys(&one["history"]["drifts"][0]), keys(&history["drifts"][0]));
    let shown = serde_json::to_value(status_store.summary()).expect("JSON");
    assert_eq!(keys(example), keys(&shown));
    assert_eq!(keys(&example["source"]), keys(&shown["source"]));
    let (example, shown) = (&example["services"][0], &shown["services"][0]);
    assert_eq!(keys(example), keys(shown));
    assert!(keys(&detail).starts_with(&keys(shown)), "one service tells at least as much");
    assert_eq!(keys(&example["lastDrift"]), keys(&shown["lastDrift"]));
    assert_eq!(keys(&example["conditions"][0]), keys(&shown["conditions"][0]));
}

#[test]
fn a_refused_commit_shows_as_attempted_until_the_branch_is_back_at_the_applied_one() {
    let mut source = SourceReport::default();
    assert!(!source.accepted("1"));
    assert!(source.not_accepted(Some("2"), "unsigned"));
    assert!(!source.not_accepted(Some("2"), "unsigned"), "it is told once");
    assert_eq!(source.accepted_revision.as_deref(), Some("1"));
    assert_eq!(source.last_attempted_revision.as_deref(), Some("2"));
    assert!(source.not_accepted(None, "unreachable"));
    assert_eq!(source.last_attempted_revision.as_deref(), Some("2"), "it was the last");
    assert!(source.accepted("1"));
    assert_eq!(source.last_attempted_revision.as_deref(), Some("1"));
    assert_eq!(source.error, None);
}
