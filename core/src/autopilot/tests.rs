//! Positions, what comes next, and the calendar.

mod run;

use jiff::Timestamp;
use jiff::civil::{Weekday, time};
use jiff::tz::TimeZoneDatabase;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::values::tests::service;
use crate::values::{Freeze, Window};

/// A service with this `autopilot`, and a canary v2 unless it is empty.
fn echo(autopilot: &str, canary: &str) -> Service {
    let canary = match canary {
        "" => String::new(),
        more => format!(", canary: {{version: v2, {more}}}"),
    };
    service(&format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\nroutes: {{apiGroup: a, primary: {{version: v1}}{canary}}}\nautopilot: {autopilot}\n"
    ))
}

#[track_caller]
fn rollout(autopilot: &str, canary: &str) -> Rollout {
    match status(&echo(autopilot, canary)) {
        Status::Rollout(rollout) => rollout,
        other => panic!("{other:?}"),
    }
}

fn weight(percent: u32) -> Weight {
    Weight::new(percent).expect("a weight")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

const LEADS: &str = "headers: {stage: canary}";

#[test]
fn without_a_canary_or_with_the_mode_off_nothing_is_to_do() {
    assert_eq!(status(&echo("", LEADS)), Status::Off);
    assert_eq!(status(&echo("{mode: off}", LEADS)), Status::Off);
    assert_eq!(status(&echo("{}", "")), Status::Idle);
    assert_eq!(rollout("{mode: shadow}", LEADS).mode, Mode::Shadow);
}

#[test]
fn the_position_is_the_weight_in_git() {
    let timed = "{steps: [headers, 5, {weight: 25, for: 10m}, 50], for: 1m}";
    for (canary, position, least, next) in [
        (LEADS.to_owned(), Position::Headers, 1, Next::Weight(weight(5))),
        (format!("{LEADS}, weight: 5"), Position::Step(weight(5)), 1, Next::Weight(weight(25))),
        (format!("{LEADS}, weight: 6"), Position::Between(weight(6)), 1, Next::Weight(weight(25))),
        (format!("{LEADS}, weight: 25"), Position::Step(weight(25)), 10, Next::Weight(weight(50))),
        (format!("{LEADS}, weight: 50"), Position::Step(weight(50)), 1, Next::Person),
        (format!("{LEADS}, weight: 100"), Position::Beyond(weight(100)), 1, Next::Person),
    ] {
        let found = rollout(timed, &canary);
        assert_eq!((found.position, found.next), (position, next), "{canary}");
        assert_eq!(found.least, minutes(least), "{canary}");
    }
}

#[test]
fn a_canary_that_nothing_leads_to_begins_with_the_first_weight_at_once() {
    let found = rollout("{}", "weight: 0");
    assert_eq!((found.position, found.least), (Position::Start, Duration::ZERO));
    assert_eq!(found.next, Next::Weight(weight(5)));
    let found = rollout("{steps: [10]}", LEADS);
    assert_eq!((found.position, found.next), (Position::Start, Next::Weight(weight(10))));
}

#[test]
fn the_canary_becomes_the_primary_after_the_time_of_the_last_step() {
    let last = |finish: &str| rollout(&format!("{{finish: {{after: {finish}}}}}"), "weight: 90");
    assert_eq!((last("1h").next, last("1h").least), (Next::Finish, minutes(60)));
    assert_eq!(last("0s").least, minutes(5), "a step lasts as long as it has to");
    let found = rollout("{finish: {after: 1h}}", "weight: 100");
    assert_eq!((found.position, found.next), (Position::Beyond(weight(100)), Next::Finish));
}

#[test]
fn the_least_time_that_remains_is_that_of_all_steps() {
    let of = |block: &str, from| {
        let service = echo(block, LEADS);
        least_remaining(service.autopilot.as_ref().expect("an autopilot"), from)
    };
    assert_eq!(of("{}", Position::Headers), minutes(20), "a person finishes");
    assert_eq!(of("{finish: {after: 1h}}", Position::Headers), minutes(80));
    assert_eq!(of("{finish: {after: 1h}}", Position::Start), minutes(75));
    assert_eq!(of("{finish: {after: 1h}}", Position::Step(weight(90))), minutes(60));
}

#[test]
fn a_held_canary_and_a_gate_wait_for_a_person() {
    let (now, policy) = (at("2026-12-01T10:00:00Z"), Policy::default());
    let gated = "{gates: {before: [50]}}";
    let found = rollout(gated, "weight: 25");
    assert!(found.gate && found.held.is_none());
    assert_eq!(found.earliest(now, now, &policy), None);
    let found = rollout(gated, "weight: 5");
    assert!(!found.gate);
    assert_eq!(found.earliest(now, now, &policy), Some(at("2026-12-01T10:05:00Z")));
    assert_eq!(
        found.earliest(now, at("2026-12-01T10:07:00Z"), &policy),
        Some(at("2026-12-01T10:07:00Z"))
    );
    assert!(!rollout(gated, "weight: 50").gate, "the person has said yes");
    let found = rollout("{}", "weight: 5, held: v2 answers 500");
    assert_eq!(found.held.as_deref(), Some("v2 answers 500"));
    assert_eq!(found.earliest(now, now, &policy), None);
    assert_eq!(rollout("{}", "weight: 90").earliest(now, now, &policy), None, "a person finishes");
}

fn freeze(from: &str, to: &str, why: &str) -> Freeze {
    Freeze { from: at(from), to: at(to), why: why.to_owned() }
}

/// The working hours of Berlin.
fn working_hours() -> Window {
    let zone = TimeZoneDatabase::bundled().get("Europe/Berlin").expect("a time zone");
    let days = vec![Weekday::Monday, Weekday::Tuesday, Weekday::Friday];
    Window { days, from: time(9, 0, 0, 0), to: time(17, 0, 0, 0), zone }
}

#[test]
fn a_freeze_says_why_and_until_when() {
    let policy = Policy {
        freeze: vec![
            freeze("2026-12-24T00:00:00Z", "2026-12-27T00:00:00Z", "holidays"),
            freeze("2026-12-26T00:00:00Z", "2027-01-02T00:00:00Z", "end of the year"),
        ],
        ..Policy::default()
    };
    assert_eq!(closed(&policy, at("2026-12-23T23:59:59Z")), None);
    assert_eq!(closed(&policy, at("2027-01-02T00:00:00Z")), None);
    let found = closed(&policy, at("2026-12-24T00:00:00Z")).expect("a freeze");
    let cause = Cause::Freeze { why: "holidays".into(), to: at("2026-12-27T00:00:00Z") };
    assert_eq!(found, Closed { cause, until: Some(at("2027-01-02T00:00:00Z")) });
    let found = closed(&policy, at("2026-12-26T12:00:00Z")).expect("two freezes");
    assert!(matches!(found.cause, Cause::Freeze { why, .. } if why == "end of the year"));
}

#[test]
fn windows_open_by_the_clock_of_their_place() {
    let policy = Policy { windows: vec![working_hours()], ..Policy::default() };
    // 2026-12-01 is a Tuesday, in winter time.
    for (now, until) in [
        ("2026-12-01T08:00:00Z", None),
        ("2026-12-01T15:59:59Z", None),
        ("2026-12-01T07:59:59Z", Some("2026-12-01T08:00:00Z")),
        ("2026-12-01T16:00:00Z", Some("2026-12-04T08:00:00Z")),
        ("2026-12-04T16:00:00Z", Some("2026-12-07T08:00:00Z")),
        // The clocks change on the 29th of March.
        ("2027-03-26T16:00:00Z", Some("2027-03-29T07:00:00Z")),
    ] {
        let found = closed(&policy, at(now)).map(|closed| (closed.cause, closed.until));
        let expected = until.map(|until| (Cause::Windows, Some(at(until))));
        assert_eq!(found, expected, "{now}");
    }
    let policy = Policy {
        freeze: vec![freeze("2026-12-04T00:00:00Z", "2026-12-04T12:00:00Z", "a release")],
        ..policy
    };
    let found = closed(&policy, at("2026-12-01T16:00:00Z")).expect("closed");
    assert_eq!(found, Closed { cause: Cause::Windows, until: Some(at("2026-12-04T12:00:00Z")) });
}

#[test]
fn a_window_goes_over_midnight_from_its_day_on() {
    let mut night = working_hours();
    (night.days, night.from, night.to) =
        (vec![Weekday::Saturday], time(22, 0, 0, 0), time(6, 0, 0, 0));
    let policy = Policy { windows: vec![night], ..Policy::default() };
    // 2026-12-05 is a Saturday.
    for (now, is_open) in [
        ("2026-12-05T20:59:59Z", false),
        ("2026-12-05T21:00:00Z", true),
        ("2026-12-06T04:59:59Z", true),
        ("2026-12-06T05:00:00Z", false),
        ("2026-12-05T01:00:00Z", false),
    ] {
        assert_eq!(closed(&policy, at(now)).is_none(), is_open, "{now}");
    }
}

#[test]
fn hours_that_the_clock_leaves_out_open_no_window() {
    let mut gap = working_hours();
    (gap.days, gap.from, gap.to) = (vec![Weekday::Sunday], time(2, 0, 0, 0), time(3, 0, 0, 0));
    let policy = Policy { windows: vec![gap], ..Policy::default() };
    let found = closed(&policy, at("2027-03-27T12:00:00Z")).expect("closed");
    assert_eq!(found.until, Some(at("2027-04-04T00:00:00Z")), "not on the 28th of March");
    assert!(closed(&policy, at("2027-03-28T01:00:00Z")).is_some());
}

/// Steps with their least times in minutes, and perhaps phase 1.
fn ladders() -> impl Strategy<Value = (bool, Vec<(u32, u64)>)> {
    (any::<bool>(), btree_map(1..=90_u32, 1..60_u64, 1..8))
        .prop_map(|(headers, steps)| (headers, steps.into_iter().collect()))
}

fn block(headers: bool, steps: &[(u32, u64)], more: &str) -> String {
    let steps = steps.iter().map(|(weight, least)| format!("{{weight: {weight}, for: {least}m}}"));
    let steps: Vec<String> =
        headers.then(|| "headers".to_owned()).into_iter().chain(steps).collect();
    format!("{{steps: [{}]{more}}}", steps.join(", "))
}

/// Any freezes and windows, about the year 2027.
fn policies() -> impl Strategy<Value = Policy> {
    let start = at("2027-01-01T00:00:00Z").as_second();
    let freezes = vec((0..30 * 24_i64, 1..20 * 24_i64), 0..6).prop_map(move |freezes| {
        let moment = |hours: i64| Timestamp::from_second(start + hours * 3600).expect("a time");
        let freeze = |(from, lasts)| Freeze {
            from: moment(from),
            to: moment(from + lasts),
            why: "why".into(),
        };
        freezes.into_iter().map(freeze).collect::<Vec<_>>()
    });
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Apia"];
    let window = (1..7_usize, 0..24_i8, 0..24_i8, proptest::sample::select(zones.to_vec()));
    let windows = vec(window, 0..3).prop_map(|windows| {
        let window = |(day, from, to, zone)| {
            let zone = TimeZoneDatabase::bundled().get(zone).expect("a time zone");
            let days = vec![Weekday::from_monday_one_offset(day as i8).expect("a day")];
            Window { days, from: time(from, 0, 0, 0), to: time(to, 30, 0, 0), zone }
        };
        windows.into_iter().map(window).collect::<Vec<_>>()
    });
    (freezes, windows).prop_map(|(freeze, windows)| Policy { freeze, windows, ..Policy::default() })
}

proptest! {
    #[test]
    fn what_comes_next_is_more_and_leads_to_the_end((headers, steps) in ladders(), begin in 0..=100_u32) {
        let autopilot = block(headers, &steps, ", finish: {after: 1m}, enough: {within: 2h}");
        let service = echo(&autopilot, LEADS);
        let autopilot = service.autopilot.as_ref().expect("an autopilot");
        let mut canary = service.routes.canary.clone().expect("a canary");
        canary.weight = weight(begin);
        let mut seen = Vec::new();
        loop {
            let at = position(autopilot, &canary);
            prop_assert_eq!(at.weight(), canary.weight);
            match next(autopilot, at) {
                Next::Weight(weight) => {
                    prop_assert!(weight > canary.weight);
                    prop_assert!(autopilot.ladder.step(weight).is_some());
                    canary.weight = weight;
                    seen.push(u32::from(weight.percent()));
                }
                Next::Finish => break,
                Next::Person => prop_assert!(false, "the autopilot finishes"),
            }
        }
        let expected: Vec<u32> = steps.iter().map(|(weight, _)| *weight).filter(|it| *it > begin).collect();
        prop_assert_eq!(seen, expected, "no step is left out");
    }

    #[test]
    fn a_gate_stands_before_its_step_and_nowhere_else((headers, steps) in ladders(), index in any::<proptest::sample::Index>(), begin in 0..=100_u32) {
        let gate = steps[index.index(steps.len())].0;
        let block = block(headers, &steps, &format!(", gates: {{before: [{gate}]}}"));
        let found = rollout(&block, &format!("{LEADS}, weight: {begin}"));
        prop_assert_eq!(found.gate, found.next == Next::Weight(weight(gate)));
        if found.gate {
            let before = steps.iter().map(|(weight, _)| *weight).filter(|it| *it < gate).max();
            prop_assert!(begin < gate && begin >= before.unwrap_or(0));
        }
    }

    #[test]
    fn an_opening_is_the_first_time_at_which_nothing_is_closed(policy in policies(), hour in 0..40 * 24_i64) {
        let now = at("2027-01-01T00:00:00Z").checked_add(jiff::SignedDuration::from_hours(hour)).expect("a time");
        let found = opening(&policy, now).expect("freezes end, and windows open every week");
        prop_assert!(found >= now);
        prop_assert_eq!(closed(&policy, found), None);
        prop_assert_eq!(closed(&policy, now).is_none(), found == now);
        // Everything begins and ends at whole half hours.
        let mut before = now;
        while before < found {
            let state = closed(&policy, before);
            prop_assert_eq!(state.and_then(|it| it.until), Some(found), "{}", before);
            before = before.checked_add(jiff::SignedDuration::from_mins(30)).expect("a time");
        }
    }

    #[test]
    fn nothing_comes_before_its_least_time_or_while_it_is_closed(policy in policies(), hour in 0..40 * 24_i64, waited in 0..20_i64) {
        let since = at("2027-01-01T00:00:00Z").checked_add(jiff::SignedDuration::from_hours(hour)).expect("a time");
        let now = since.checked_add(jiff::SignedDuration::from_mins(waited)).expect("a time");
        let earliest = rollout("{}", "weight: 5").earliest(since, now, &policy).expect("a time");
        prop_assert!(earliest >= now && earliest.duration_since(since) >= jiff::SignedDuration::from_mins(5));
        prop_assert_eq!(closed(&policy, earliest), None);
    }
}
