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

fn board() -> (Board, Clock) {
    let second = Arc::new(AtomicI64::new(0));
    let clock = Clock(second.clone());
    let now = move || Timestamp::from_second(second.load(Ordering::Relaxed)).expect("a time");
    (Board::with_clock(now), clock)
}

fn attempt(board: &Board, revision: &str) {
    board.service("echo", |report| {
        report.attempted_revision = revision.into();
        report.progressing(None, "");
    });
}

fn waits_since(board: &Board) -> Option<i64> {
    board.content().services["echo"].waits_since.map(Timestamp::as_second)
}

#[test]
fn a_commit_waits_from_its_arrival_until_it_is_in_force() {
    let (board, clock) = board();
    clock.set(10);
    attempt(&board, "a");
    clock.set(20);
    attempt(&board, "b");
    assert_eq!(waits_since(&board), Some(10), "the first commit still waits");
    clock.set(30);
    board.service("echo", |report| report.ready("a"));
    assert_eq!(waits_since(&board), Some(20), "the second commit still waits");
    clock.set(40);
    board.service("echo", |report| report.ready("b"));
    assert_eq!(waits_since(&board), None);
    clock.set(50);
    board.service("echo", |report| report.progressing(None, "repairing"));
    assert_eq!(waits_since(&board), None, "a repair is no commit");
}

#[test]
fn a_commit_with_errors_waits_until_a_later_one_is_in_force() {
    let (board, clock) = board();
    attempt(&board, "a");
    board.service("echo", |report| report.ready("a"));
    clock.set(10);
    board.invalid("echo", "services/echo.yaml:1:1: no".into(), "b");
    assert_eq!(waits_since(&board), Some(10));
    clock.set(20);
    board.valid("echo");
    attempt(&board, "c");
    assert_eq!(waits_since(&board), Some(10));
    board.service("echo", |report| report.ready("c"));
    assert_eq!(waits_since(&board), None);
}

#[test]
fn a_state_keeps_the_time_of_its_last_change() {
    let (board, clock) = board();
    let since = || {
        let report = board.summary().services.remove(0);
        (report.state, report.since.as_second())
    };
    clock.set(10);
    board.service("echo", |report| report.stalled(Code::WaitingForPods, "no ready pod"));
    clock.set(20);
    board.service("echo", |report| report.stalled(Code::WaitingForPods, "no ready pod of two"));
    assert_eq!(since(), (State::Stalled, 10));
    clock.set(30);
    board.invalid("echo", "no".into(), "b");
    assert_eq!(since(), (State::Invalid, 30));
    clock.set(40);
    board.valid("echo");
    assert_eq!(since(), (State::Stalled, 40));
}

#[test]
fn becoming_stalled_is_counted_and_staying_stalled_is_not() {
    let (board, _) = board();
    for reason in ["one", "two"] {
        board.service("echo", |report| report.stalled(Code::WaitingForPods, reason));
    }
    board.service("echo", |report| report.ready("a"));
    board.service("echo", |report| report.stalled(Code::GlooRejected, "three"));
    let expected = [(Code::WaitingForPods, 1), (Code::GlooRejected, 1)];
    assert_eq!(board.content().services["echo"].tally.stalls, expected);
}

#[test]
fn a_commit_that_was_refused_as_a_whole_shows_beside_the_one_at_work() {
    let (board, clock) = board();
    let take_up = |revision: &str| {
        board.source(|source| source.attempted_revision = Some(revision.into()));
    };
    take_up("a");
    board.source(|source| source.revision = Some("a".into()));
    clock.set(10);
    take_up("b");
    board.source(|source| source.error = Some("coalmine.yaml:1:1: no".into()));
    clock.set(20);
    take_up("c");
    let summary = board.summary();
    assert_eq!(summary.revision.as_deref(), Some("c"));
    assert_eq!(summary.source.revision.as_deref(), Some("a"));
    let waits = || board.content().source_waits_since.map(Timestamp::as_second);
    assert_eq!(waits(), Some(10));
    board.source(|source| source.revision = Some("c".into()));
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
    let (board, _) = board();
    let values = "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";
    let values = Arc::new(service(values));
    let (id, author, subject) = ("a".into(), "Ada".into(), "Begin".into());
    board.takes_up(&Revision { id, author, subject, committed: Timestamp::UNIX_EPOCH });
    board.service("echo", |report| report.describe(&values));
    board.asks(&values, Some(Course::First));
    board.drifted(
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
    let detail = serde_json::to_value(board.detail("echo").expect("a service")).expect("JSON");
    let history = &detail["history"];
    assert_eq!(keys(&one["routes"][0]), keys(&detail["routes"][0]));
    assert_eq!(keys(&one["history"]), keys(history));
    assert_eq!(keys(&one["history"]["steps"][0]), keys(&history["steps"][0]));
    assert_eq!(keys(&one["history"]["drifts"][0]), keys(&history["drifts"][0]));
    let shown = serde_json::to_value(board.summary()).expect("JSON");
    assert_eq!(keys(example), keys(&shown));
    assert_eq!(keys(&example["source"]), keys(&shown["source"]));
    let (example, shown) = (&example["services"][0], &shown["services"][0]);
    assert_eq!(keys(example), keys(shown));
    assert!(keys(&detail).starts_with(&keys(shown)), "one service tells at least as much");
    assert_eq!(keys(&example["lastDrift"]), keys(&shown["lastDrift"]));
    assert_eq!(keys(&example["conditions"][0]), keys(&shown["conditions"][0]));
}

#[test]
fn a_refused_commit_shows_as_attempted_until_the_branch_is_back_at_the_one_in_force() {
    let mut source = SourceReport::default();
    assert!(!source.taken_up("1"));
    assert!(source.not_taken_up(Some("2"), "unsigned"));
    assert!(!source.not_taken_up(Some("2"), "unsigned"), "it is told once");
    assert_eq!(source.revision.as_deref(), Some("1"));
    assert_eq!(source.attempted_revision.as_deref(), Some("2"));
    assert!(source.not_taken_up(None, "unreachable"));
    assert_eq!(source.attempted_revision.as_deref(), Some("2"), "it was the last");
    assert!(source.taken_up("1"));
    assert_eq!(source.attempted_revision.as_deref(), Some("1"));
    assert_eq!(source.error, None);
}
