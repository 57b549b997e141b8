//! What is decided, by what was seen.

use jiff::SignedDuration;
use judge::{Counts, Measure};
use serde_json::json;

use super::*;

const BLOCK: &str = "{steps: [20, 50], for: 10s, enough: {requests: 30, within: 1h}}";

/// A rollout that is looked at each second, at a moment that is as good as any.
struct Watched {
    run: Run,
    policy: Policy,
    sight: Sight,
}

impl Watched {
    fn of(block: &str, canary: &str) -> Self {
        let run = Run::begin(&echo(block, canary)).expect("a rollout");
        let now = at("2027-01-06T12:00:00Z");
        let sight = Sight { now, in_force: Some(now), ..Sight::default() };
        Self { run, policy: Policy::default(), sight }
    }

    /// One second later, with so many answers of each version: all and the bad ones.
    fn see(&mut self, primary: (u64, u64), canary: (u64, u64)) -> Opinion {
        let of = |(total, bad)| Counts { total, bad };
        let measure = Measure::Counts { primary: of(primary), canary: of(canary) };
        self.measured(Ok(measure))
    }

    fn measured(&mut self, measure: Result<Measure, String>) -> Opinion {
        self.sight.now = self.sight.now.checked_add(SignedDuration::from_secs(1)).expect("a time");
        self.sight.measures = [("errors".to_owned(), measure)].into();
        self.run.see(&self.sight, &self.policy)
    }

    fn seconds(&mut self, seconds: u32, primary: (u64, u64), canary: (u64, u64)) -> Opinion {
        (1..seconds).for_each(|_| drop(self.see(primary, canary)));
        self.see(primary, canary)
    }
}

#[test]
fn a_canary_that_answers_badly_is_aborted_in_seconds() {
    let mut watched = Watched::of(BLOCK, "weight: 20");
    let opinion = watched.seconds(3, (20, 0), (5, 5));
    assert_eq!(opinion.act, Act::Abort, "{opinion:#?}");
    assert!(
        opinion.sentence.contains("v2 answered 15 of 15 requests badly"),
        "{}",
        opinion.sentence
    );
    assert!(opinion.waits.is_empty());
    // Whatever comes then.
    assert_eq!(watched.seconds(60, (20, 0), (5, 0)).act, Act::Abort);
}

#[test]
fn an_abort_waits_for_nothing() {
    let gate =
        "{steps: [20, 50], for: 1h, enough: {requests: 300, within: 2h}, gates: {before: [50]}}";
    let mut watched = Watched::of(gate, "weight: 20");
    watched.policy.freeze = vec![freeze("2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z", "why")];
    watched.sight.in_force = None;
    watched.sight.tests = Tests::Running("a test runs".into());
    assert_eq!(watched.seconds(3, (20, 0), (5, 5)).act, Act::Abort);
}

#[test]
fn a_good_canary_gets_the_next_weight_when_time_and_requests_are_enough() {
    let mut watched = Watched::of(BLOCK, "weight: 20");
    let opinion = watched.seconds(9, (20, 0), (5, 0));
    assert_eq!(opinion.act, Act::Hold);
    assert_eq!(opinion.waits, ["the step lasts 1 s more"]);
    let opinion = watched.see((20, 0), (5, 0));
    assert_eq!(opinion.act, Act::Promote(weight(50)), "{opinion:#?}");
    assert_eq!(opinion.sentence, "v2 answered none of 50 requests badly, v1 0 of 200");

    let mut few = Watched::of(BLOCK, "weight: 20");
    let opinion = few.seconds(600, (20, 0), (0, 0));
    assert_eq!(opinion.act, Act::Hold, "nothing measured is never good");
    assert_eq!(opinion.waits, ["`errors` has 0 of the 30 requests that it needs"]);
}

#[test]
fn what_cannot_be_measured_is_neither_good_nor_bad() {
    let block = "{steps: [20, 50], for: 1s, enough: {requests: 1, within: 10s, else: promote}, blind: {after: 5s}}";
    let mut watched = Watched::of(block, "weight: 20");
    watched.see((20, 0), (5, 0));
    let mut opinion = None;
    for _ in 0..600 {
        let seen = watched.measured(Err("proxy a: it does not answer".into()));
        assert_eq!(seen.act, Act::Hold, "{seen:#?}");
        opinion = Some(seen);
    }
    let opinion = opinion.expect("some");
    assert_eq!(
        opinion.waits,
        ["`errors` has not been measured for 10 min: proxy a: it does not answer"]
    );
    let blind = &opinion.blind["errors"];
    assert!(blind.is_reported && blind.lasting == minutes(10), "{blind:?}");
    assert_eq!(watched.see((20, 0), (5, 0)).act, Act::Promote(weight(50)));
}

#[test]
fn bad_answers_of_the_last_second_count_as_well() {
    let block = "{steps: [20, 50], for: 1s, enough: {requests: 1, within: 1s, else: promote}}";
    for looks in 1..4 {
        let mut watched = Watched::of(block, "weight: 20");
        let opinion = watched.seconds(looks, (4, 0), (1, 1));
        assert_eq!(opinion.act, Act::Hold, "{opinion:#?}");
    }
}

#[test]
fn a_step_that_is_not_applied_is_followed_by_none() {
    let mut watched = Watched::of(BLOCK, "weight: 20");
    watched.sight.in_force = None;
    let opinion = watched.seconds(600, (20, 0), (5, 0));
    assert_eq!(opinion.act, Act::Hold);
    assert_eq!(opinion.waits[0], "weight 20 is not applied yet");
}

#[test]
fn a_gate_a_freeze_and_the_end_of_the_ladder_hold() {
    let gate =
        "{steps: [20, 50], for: 1s, enough: {requests: 1, within: 1h}, gates: {before: [50]}}";
    let waits = |block: &str, canary: &str, policy: Policy| {
        let mut watched = Watched::of(block, canary);
        watched.policy = policy;
        let opinion = watched.seconds(20, (20, 0), (5, 0));
        assert_eq!(opinion.act, Act::Hold);
        opinion.waits
    };
    assert_eq!(
        waits(gate, "weight: 20", Policy::default()),
        ["a person has to say yes to weight 50"]
    );
    let end = waits(gate, "weight: 50", Policy::default());
    assert_eq!(end, ["50 % is the last step, and a person finishes"]);
    let frozen = freeze("2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z", "end of the year");
    let frozen = Policy { freeze: vec![frozen], ..Policy::default() };
    let open = "{steps: [20, 50], for: 1s, enough: {requests: 1, within: 1h}}";
    let frozen = waits(open, "weight: 20", frozen);
    assert_eq!(frozen, ["nothing is promoted until 2027-02-01T00:00:00Z: end of the year"]);
}

#[test]
fn without_a_weight_no_requests_are_needed_and_none_may_be_bad() {
    let block = "{steps: [headers, 20], for: 10s, enough: {requests: 30, within: 1m, else: abort}}";
    let mut watched = Watched::of(block, LEADS);
    let opinion = watched.seconds(9, (20, 0), (0, 0));
    assert_eq!(opinion.waits, ["the step lasts 1 s more"]);
    assert_eq!(watched.see((20, 0), (0, 0)).act, Act::Promote(weight(20)));
    let mut late = Watched::of(block, LEADS);
    late.sight.in_force = Some(at("2027-01-06T11:00:00Z"));
    assert_eq!(
        late.see((20, 0), (0, 0)).act,
        Act::Promote(weight(20)),
        "no test request is no shortage"
    );
    let mut blind = Watched::of(block, LEADS);
    let opinion = blind.measured(Err("nobody answers".into()));
    assert_eq!(opinion.act, Act::Hold, "no weight is given in the dark");
    let mut bad = Watched::of(block, LEADS);
    assert_eq!(bad.seconds(3, (20, 0), (5, 5)).act, Act::Abort);
}

#[test]
fn tests_have_to_pass_before_the_first_weight() {
    let mut watched = Watched::of("{steps: [20], for: 1s}", LEADS);
    watched.sight.tests = Tests::Running("test smoke has not ended".into());
    let opinion = watched.seconds(5, (20, 0), (0, 0));
    assert_eq!(
        (opinion.act, opinion.waits),
        (Act::Hold, vec!["test smoke has not ended".to_owned()])
    );
    watched.sight.tests = Tests::Failed("test smoke has failed: 500".into());
    let opinion = watched.see((20, 0), (0, 0));
    assert_eq!(
        (opinion.act, opinion.sentence.as_str()),
        (Act::Abort, "test smoke has failed: 500")
    );
    watched.sight.tests = Tests::Passed;
    assert_eq!(watched.see((20, 0), (0, 0)).act, Act::Promote(weight(20)));
}

#[test]
fn pods_that_crash_since_the_step_began_are_harm() {
    let mut watched = Watched::of(BLOCK, "weight: 20");
    let pods = |restarts: u32| PodsSeen {
        desired: 1,
        ready: 1,
        restarts: [("echo-v2-a".to_owned(), restarts)].into(),
    };
    watched.sight.pods = Some(pods(40));
    assert_eq!(watched.see((20, 0), (0, 0)).act, Act::Hold, "it crashed before");
    watched.sight.pods = Some(pods(42));
    assert_eq!(watched.see((20, 0), (0, 0)).act, Act::Hold);
    watched.sight.pods = Some(pods(43));
    let opinion = watched.see((20, 0), (0, 0));
    assert_eq!(opinion.act, Act::Abort);
    assert_eq!(opinion.sentence, "a pod of v2 has restarted 3 times in this step");
}

#[test]
fn evidence_goes_on_over_the_steps_of_one_rollout_and_begins_again_with_another() {
    let first = Watched::of(BLOCK, "weight: 20").run;
    assert!(first.clone().advance(&echo(BLOCK, "weight: 50")).is_some());
    let other = BLOCK.replace("requests: 30", "requests: 31");
    assert!(first.clone().advance(&echo(&other, "weight: 50")).is_none());
    assert!(first.advance(&echo(BLOCK, "weight: 0, held: why")).is_none());
    assert!(Run::begin(&echo(BLOCK, "weight: 0, held: why")).is_none());
    assert!(Run::begin(&echo(BLOCK, "")).is_none());
    assert!(Run::begin(&echo("{mode: off}", "weight: 20")).is_none());
}

#[test]
fn the_steps_of_one_rollout_need_requests_each() {
    let mut watched = Watched::of(BLOCK, "weight: 20");
    watched.seconds(20, (20, 0), (5, 0));
    let run = watched.run.clone().advance(&echo(BLOCK, "weight: 50")).expect("a step");
    let finish = Watched { run, ..watched };
    let mut finish = finish;
    let opinion = finish.see((20, 0), (5, 0));
    assert!(opinion.waits.iter().any(|it| it.contains("5 of the 30 requests")), "{opinion:#?}");
}

#[test]
fn a_shadow_decides_and_does_not_act() {
    let mut shadow = Watched::of("{mode: shadow, steps: [20, 50]}", "weight: 20");
    assert_eq!(shadow.seconds(3, (20, 0), (5, 5)).act, Act::Abort);
    assert!(!shadow.run.acts());
    assert!(Watched::of(BLOCK, "weight: 20").run.acts());
}

#[test]
fn no_commit_gives_more_than_one_may() {
    let block = "{steps: [10, 20], for: 1s, enough: {requests: 1, within: 1h}}";
    let mut watched = Watched::of(block, "weight: 3");
    watched.policy.max_step = Some(weight(5));
    assert_eq!(watched.seconds(3, (20, 0), (5, 0)).act, Act::Promote(weight(8)));
}

#[test]
fn a_commit_says_what_it_rests_on() {
    let mut watched = Watched::of(BLOCK, "weight: 20");
    let opinion = watched.seconds(3, (20, 0), (5, 5));
    let message =
        message("echo", &watched.run, &opinion, watched.sight.in_force, watched.sight.now);
    assert_eq!(
        message.body,
        "v2 answered 15 of 15 requests badly, v1 0 of 60 in 3 looks in succession.\n\n\
         Measured with 20 % of the requests, for 3 s:\n\
         - errors: v2 15 of 15 bad (100.00 %), v1 0 of 60 bad (0.00 %); evidence of harm 1.26 of 1000\n\n\
         v2 gets no more requests and is held; it stays deployed.\n\
         `coalmine start echo --version v2` tries it again, `coalmine abort echo --full` gives it up.\n"
    );
    assert_eq!(message.step, "abort");
    assert_eq!(message.reason, opinion.sentence);
    assert_eq!(message.evidence["analyses"]["errors"]["canary"], json!({"total": 15, "bad": 15}));
    assert_eq!(message.evidence["weight"], 20);
    let abort = crate::edit::Verb::Abort { full: false, reason: Some(message.reason.clone()) };
    let values = "deployment: {v1: {}, v2: {}}\nroutes: {apiGroup: a, primary: {version: v1}, canary: {version: v2, weight: 20}}\nautopilot: {}\n";
    let files = [("services/echo.yaml".to_owned(), values.into())].into();
    let tree = crate::tree::Tree { revision: "local".into(), files };
    let edited = crate::edit::edit(&tree, "echo", &abort).expect("an edit");
    let after = service(&edited.after);
    let before = service(values);
    assert_eq!(
        after,
        withdrawn(&before, &message.reason),
        "the cluster before git is what git says then"
    );
}

proptest! {
    /// Whatever is seen, in whatever order: a promotion rests on an answer of the canary or on a canary without a weight,
    /// and on a look that saw.
    #[test]
    fn nothing_is_promoted_unseen(
        looks in vec((0..3_u8, 0..50_u64, 0..50_u64, 0..4_u64, any::<bool>()), 1..60),
        begin in 0..50_u32,
    ) {
        let mut watched = Watched::of(
            "{steps: [20, 50], for: 1s, enough: {requests: 1, within: 2s, else: promote}}",
            &format!("weight: {begin}"),
        );
        let since = watched.sight.in_force;
        let mut total = 0;
        for (kind, primary, canary, bad, in_force) in looks {
            watched.sight.in_force = since.filter(|_| in_force);
            let opinion = match kind {
                0 => watched.measured(Err("away".into())),
                _ => {
                    total += canary;
                    watched.see((primary, 0), (canary, bad.min(canary)))
                }
            };
            if let Act::Promote(next) = opinion.act {
                prop_assert!(kind != 0 && in_force, "{:?}", opinion);
                prop_assert!(total > 0 || begin == 0, "{:?}", opinion);
                prop_assert!(next > weight(begin));
            }
        }
    }
}

#[test]
fn what_is_to_be_expected_goes_up_the_ladder() {
    let service = echo(
        "{steps: [headers, 20, 50], for: 1m, enough: {requests: 300, within: 1h}, gates: {before: [50]}}",
        LEADS,
    );
    let autopilot = service.autopilot.expect("an autopilot");
    let steps = outlook(&autopilot, Position::Headers, 5.0, 0.0);
    let seconds = |at: usize| steps[at].lasts.map(|lasts| lasts.as_secs());
    assert_eq!(steps.len(), 3);
    assert_eq!([seconds(0), seconds(1), seconds(2)], [Some(60), Some(300), Some(120)]);
    assert_eq!(steps.iter().map(|step| step.gate).collect::<Vec<_>>(), [false, true, false]);
    assert!(steps[0].detectable.is_none() && steps[1].detectable.is_some_and(|it| it < 0.2));
    assert!(steps[1].found.is_some_and(|found| found < minutes(2)));
    let never = outlook(&autopilot, Position::Headers, 0.0, 0.0);
    assert_eq!(never[1].lasts, None, "without requests the first weight never ends");
}
