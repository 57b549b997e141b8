//! What holds of every schedule, and what it does in single cases.

use proptest::prelude::*;

use super::*;
use crate::shard::Shard;

const SECOND: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(600);
const START: Duration = Duration::ZERO;
/// The number of the content that is nothing: the service goes.
const REMOVAL: u8 = 0;

/// What is requested of a service, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content(pub(crate) u8);

impl Request for Content {
    fn is_same(&self, other: &Self) -> bool {
        self == other
    }

    fn is_removal(&self) -> bool {
        self.0 == REMOVAL
    }
}

fn echo() -> Arc<str> {
    "echo".into()
}

/// A schedule of which a revision requests this.
fn schedule(services: &[(&str, u8)]) -> Schedule<Content> {
    let mut schedule = Schedule::new(LONGEST);
    revision(&mut schedule, services, &[], START);
    schedule
}

fn revision(
    schedule: &mut Schedule<Content>,
    services: &[(&str, u8)],
    orphans: &[&str],
    now: Duration,
) -> Vec<Accepted> {
    let names = services.iter().map(|(name, _)| (*name).to_owned());
    let requests = services.iter().map(|(name, content)| ((*name).into(), Content(*content)));
    let orphans = orphans.iter().map(|name| (*name).into());
    let removal = |_: &Arc<str>| Content(REMOVAL);
    schedule.on_revision(KnownServices::new(names, Shard::WHOLE), requests, orphans, removal, now)
}

fn touch(schedule: &mut Schedule<Content>, name: &str, now: Duration) -> bool {
    schedule.on_change(&Touched::Service(name.into()), |_| true, now)
}

/// Takes the only pass that is due, and ends it.
fn pass(schedule: &mut Schedule<Content>, result: PassResult, now: Duration) -> Next {
    let pass = schedule.take(now).expect("due");
    schedule.on_result(&pass, result, now)
}

#[test]
fn the_pause_after_failures_doubles_up_to_the_longest_and_begins_anew_after_a_success() {
    let mut schedule = schedule(&[("echo", 1)]);
    let (mut now, mut pauses) = (START, Vec::new());
    let mut fail = |schedule: &mut Schedule<Content>| {
        let Next::At(due) = pass(schedule, PassResult::Failed { retry: true }, now) else {
            panic!("not due again")
        };
        pauses.push((due - now).as_secs());
        now = due;
    };
    (0..12).for_each(|_| fail(&mut schedule));
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    for result in [PassResult::Ready, PassResult::Pending { recheck: None }] {
        pauses.clear();
        let taken = schedule.take(now).expect("due");
        schedule.on_result(&taken, result, now);
        touch(&mut schedule, "echo", now);
        let Next::At(due) = pass(&mut schedule, PassResult::Failed { retry: true }, now) else {
            panic!("not due again")
        };
        assert_eq!(due - now, SECOND, "after {result:?}");
        now = due;
    }
    revision(&mut schedule, &[("echo", 2)], &[], now);
    let next = pass(&mut schedule, PassResult::Failed { retry: true }, now);
    assert_eq!(next, Next::At(now + SECOND), "what is new has not failed yet");
}

#[test]
fn what_only_a_change_can_help_is_due_only_then() {
    let mut schedule = schedule(&[("echo", 1)]);
    assert_eq!(pass(&mut schedule, PassResult::Failed { retry: false }, START), Next::OnChange);
    assert_eq!(schedule.next_due(), None);
    schedule.on_change(&Touched::Foreign, |_| false, SECOND);
    assert_eq!(schedule.next_due(), Some(SECOND));
}

#[test]
fn other_peoples_changes_concern_everybody_but_those_who_are_ready() {
    let mut schedule = schedule(&[("echo", 1), ("foxtrot", 1), ("golf", 1)]);
    pass(&mut schedule, PassResult::Ready, START);
    pass(&mut schedule, PassResult::Pending { recheck: None }, START);
    let golf = schedule.take(START).expect("due");
    schedule.on_change(&Touched::Foreign, |_| false, SECOND);
    assert_eq!(&*schedule.take(SECOND).expect("due").name, "foxtrot");
    assert!(schedule.take(SECOND).is_none(), "echo is ready, and golf is being reconciled");
    // It had looked already when that came.
    assert_eq!(schedule.on_result(&golf, PassResult::Ready, SECOND), Next::At(SECOND));
}

#[test]
fn a_change_of_the_platform_is_one_for_those_who_wait_for_a_namespace() {
    let mut schedule = schedule(&[("echo", 1)]);
    pass(&mut schedule, PassResult::Pending { recheck: None }, START);
    touch(&mut schedule, PLATFORM, SECOND);
    assert_eq!(schedule.next_due(), Some(SECOND));
}

#[test]
fn whoever_waits_for_the_platform_is_due_when_it_is_ready_or_stands_still() {
    for (result, is_under_way) in [
        (PassResult::Pending { recheck: None }, true),
        (PassResult::Ready, false),
        (PassResult::Failed { retry: false }, false),
    ] {
        let mut schedule = schedule(&[("echo", 1), (PLATFORM, 1)]);
        let (echo, platform) = (schedule.take(START).expect("due"), schedule.take(START));
        let platform = platform.expect("due");
        assert!(schedule.is_under_way(PLATFORM));
        schedule.on_result(&echo, PassResult::Pending { recheck: None }, START);
        schedule.on_result(&platform, result, SECOND);
        assert_eq!(schedule.is_under_way(PLATFORM), is_under_way, "{result:?}");
        assert_eq!(schedule.next_due(), (!is_under_way).then_some(SECOND), "{result:?}");
    }
}

#[test]
fn what_a_removal_takes_away_is_told_to_who_may_wait_for_it() {
    let mut schedule = schedule(&[("echo", 1), ("golf", 1)]);
    pass(&mut schedule, PassResult::Ready, START);
    pass(&mut schedule, PassResult::Ready, START);
    revision(&mut schedule, &[("golf", 2)], &[], START);
    let golf = schedule.take(START).expect("due");
    let golf = if &*golf.name == "golf" { golf } else { schedule.take(START).expect("due") };
    schedule.on_result(&golf, PassResult::Pending { recheck: None }, START);
    touch(&mut schedule, "echo", SECOND);
    let due = schedule.waiting.iter().find(|(_, name)| &**name == "golf");
    assert_eq!(due.map(|(due, _)| *due), Some(SECOND));
}

#[test]
fn an_outcome_that_was_not_reported_is_followed_by_another_pass() {
    let mut schedule = schedule(&[("echo", 1)]);
    assert_eq!(pass(&mut schedule, PassResult::Unfinished, SECOND), Next::At(SECOND));
}

#[test]
fn whoever_leads_again_looks_at_every_service() {
    let mut schedule = schedule(&[("echo", 1), ("foxtrot", 1), ("golf", 1)]);
    pass(&mut schedule, PassResult::Ready, START);
    pass(&mut schedule, PassResult::Failed { retry: false }, START);
    let golf = schedule.take(START).expect("due");
    schedule.on_leadership(SECOND);
    assert_eq!(&*schedule.take(SECOND).expect("due").name, "echo");
    assert_eq!(&*schedule.take(SECOND).expect("due").name, "foxtrot");
    assert_eq!(schedule.on_result(&golf, PassResult::Ready, SECOND), Next::At(SECOND));
}

#[test]
fn a_newer_revision_with_the_same_content_is_no_reason_for_a_pass() {
    let mut schedule = schedule(&[("echo", 1)]);
    let taken = schedule.take(START).expect("due");
    let accepted = revision(&mut schedule, &[("echo", 1)], &[], SECOND);
    assert_eq!(accepted, [Accepted { name: echo(), is_new: false }]);
    assert!(schedule.current(&taken).is_some());
    assert_eq!(schedule.on_result(&taken, PassResult::Ready, SECOND), Next::OnChange);
}

#[test]
fn a_newer_request_supersedes_the_pass_under_way() {
    let mut schedule = schedule(&[("echo", 1)]);
    let taken = schedule.take(START).expect("due");
    revision(&mut schedule, &[("echo", 2)], &[], SECOND);
    assert!(schedule.current(&taken).is_none());
    assert!(schedule.take(SECOND).is_none(), "one at a time");
    assert_eq!(schedule.on_result(&taken, PassResult::Ready, 2 * SECOND), Next::At(SECOND));
    assert_eq!(schedule.take(2 * SECOND).expect("due").request, Content(2));
}

#[test]
fn a_service_that_the_revision_does_not_keep_goes_and_is_forgotten_when_that_is_done() {
    let mut schedule = schedule(&[("echo", 1)]);
    pass(&mut schedule, PassResult::Ready, START);
    let accepted = revision(&mut schedule, &[], &["orphan"], SECOND);
    assert!(accepted.iter().all(|it| it.is_new), "{accepted:?}");
    for name in ["echo", "orphan"] {
        assert!(schedule.requested(name).expect("to go").is_removal());
        let taken = schedule.take(SECOND).expect("due");
        assert_eq!(&*taken.name, name);
        let waits = PassResult::Pending { recheck: None };
        assert_eq!(schedule.on_result(&taken, waits, SECOND), Next::OnChange);
        touch(&mut schedule, name, SECOND);
        assert_eq!(pass(&mut schedule, PassResult::Ready, SECOND), Next::Removed);
        assert!(schedule.requested(name).is_none());
    }
}

#[test]
fn what_comes_while_the_last_object_goes_is_seen_before_the_service_is_forgotten() {
    let mut schedule = schedule(&[("echo", 1)]);
    revision(&mut schedule, &[], &[], START);
    let taken = schedule.take(START).expect("due");
    touch(&mut schedule, "echo", SECOND);
    assert_eq!(schedule.on_result(&taken, PassResult::Ready, SECOND), Next::At(SECOND));
    assert_eq!(pass(&mut schedule, PassResult::Ready, SECOND), Next::Removed);
}

#[test]
fn a_service_that_comes_back_while_it_goes_is_not_forgotten() {
    let mut schedule = schedule(&[("echo", 1)]);
    revision(&mut schedule, &[], &[], START);
    let taken = schedule.take(START).expect("due");
    revision(&mut schedule, &[("echo", 1)], &[], SECOND);
    assert_eq!(schedule.on_result(&taken, PassResult::Ready, SECOND), Next::At(SECOND));
    assert_eq!(schedule.take(SECOND).expect("due").request, Content(1));
}

#[test]
fn a_service_whose_values_have_errors_keeps_what_was_requested_of_it() {
    let mut schedule = schedule(&[("echo", 1)]);
    pass(&mut schedule, PassResult::Ready, START);
    let known = KnownServices::new(["echo".to_owned()], Shard::WHOLE);
    let orphans = [echo()];
    let accepted = schedule.on_revision(known, [], orphans, |_| Content(REMOVAL), SECOND);
    assert_eq!(accepted, []);
    assert_eq!(schedule.requested("echo"), Some(&Content(1)));
    assert_eq!(schedule.next_due(), None);
}

#[test]
fn objects_of_a_service_that_is_gone_are_orphans() {
    let mut schedule = Schedule::<Content>::new(LONGEST);
    assert!(!touch(&mut schedule, "gone", START), "nobody knows before the first revision");
    revision(&mut schedule, &[("echo", 1)], &[], START);
    assert!(touch(&mut schedule, "gone", START));
    assert!(!schedule.on_change(&Touched::Service("gone".into()), |_| false, START));
    for known in ["echo", "", PLATFORM] {
        assert!(!touch(&mut schedule, known, START), "{known}");
    }
    let known = KnownServices::new(["wrong".to_owned()], Shard::WHOLE);
    schedule.on_revision(known, [], [], |_| Content(REMOVAL), START);
    assert!(!touch(&mut schedule, "wrong", START), "its values have errors");
}

/// Something that happens to a schedule.
#[derive(Clone, Debug)]
enum Action {
    /// A revision with these contents of the services; without one a service goes.
    Revision([Option<u8>; SERVICES.len()]),
    Touch(usize),
    Foreign,
    Lead,
    Take,
    /// The pass that was taken first of those under way ends.
    End(PassResult),
    Elapse(Duration),
}

const SERVICES: [&str; 3] = ["echo", "foxtrot", "golf"];

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let recheck = prop::option::of((0..100_u64).prop_map(Duration::from_secs));
    let result = prop_oneof![
        3 => Just(PassResult::Ready),
        2 => recheck.prop_map(|recheck| PassResult::Pending { recheck }),
        2 => any::<bool>().prop_map(|retry| PassResult::Failed { retry }),
        1 => Just(PassResult::Unfinished),
    ];
    let contents = prop::array::uniform3(prop::option::weighted(0.7, 1..3_u8));
    let action = prop_oneof![
        2 => contents.prop_map(Action::Revision),
        2 => (0..SERVICES.len()).prop_map(Action::Touch),
        1 => Just(Action::Foreign),
        1 => Just(Action::Lead),
        5 => Just(Action::Take),
        5 => result.prop_map(Action::End),
        2 => (0..900_u64).prop_map(|seconds| Action::Elapse(Duration::from_secs(seconds))),
    ];
    prop::collection::vec(action, 1..80)
}

/// What has to hold of one service, reckoned in the plainest way.
#[derive(Clone, Debug, Default)]
struct Expected {
    /// What was requested last; nothing of a service that is gone.
    content: Option<u8>,
    is_running: bool,
    /// Something has come that asks for a pass, and no pass has begun since.
    asks: bool,
    /// How the last pass ended, and when.
    last: Option<(PassResult, Duration)>,
}

/// A schedule beside what is expected of it.
struct Checked {
    schedule: Schedule<Content>,
    now: Duration,
    running: Vec<Pass<Content>>,
    expected: BTreeMap<&'static str, Expected>,
}

impl Checked {
    fn new() -> Self {
        let expected = SERVICES.into_iter().map(|name| (name, Expected::default()));
        let (schedule, running) = (Schedule::new(LONGEST), Vec::new());
        Self { schedule, now: START, running, expected: expected.collect() }
    }

    fn of(&mut self, name: &str) -> &mut Expected {
        self.expected.get_mut(name).expect("one of ours")
    }

    fn act(&mut self, action: &Action) -> Result<(), TestCaseError> {
        match action {
            Action::Revision(contents) => self.revise(contents)?,
            Action::Touch(service) => {
                let name = SERVICES[*service];
                touch(&mut self.schedule, name, self.now);
                let expected = self.of(name);
                expected.asks |= expected.content.is_some();
                // What goes may be what others wait for.
                if expected.content == Some(REMOVAL) {
                    self.expect_those_who_are_not_ready();
                }
            }
            Action::Foreign => {
                self.schedule.on_change(&Touched::Foreign, |_| false, self.now);
                self.expect_those_who_are_not_ready();
            }
            Action::Lead => {
                self.schedule.on_leadership(self.now);
                for expected in self.expected.values_mut() {
                    expected.asks |= expected.content.is_some();
                }
            }
            Action::Take => self.take()?,
            Action::End(result) => self.end(*result)?,
            Action::Elapse(time) => self.now += *time,
        }
        Ok(())
    }

    fn expect_those_who_are_not_ready(&mut self) {
        for expected in self.expected.values_mut() {
            let is_ready = matches!(expected.last, Some((PassResult::Ready, _)));
            expected.asks |= expected.content.is_some() && (!is_ready || expected.is_running);
        }
    }

    fn revise(&mut self, contents: &[Option<u8>]) -> Result<(), TestCaseError> {
        let named = SERVICES.into_iter().zip(contents);
        let services: Vec<_> = named.filter_map(|(name, it)| Some((name, (*it)?))).collect();
        let accepted = revision(&mut self.schedule, &services, &[], self.now);
        for (name, content) in SERVICES.into_iter().zip(contents) {
            let expected = self.of(name);
            let newest = content.or(expected.content.map(|_| REMOVAL));
            let is_new = newest != expected.content;
            if is_new {
                (expected.content, expected.asks, expected.last) = (newest, true, None);
            }
            let said = accepted.iter().find(|it| *it.name == *name).map(|it| it.is_new);
            prop_assert_eq!(said, newest.map(|_| is_new), "{}", name);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<(), TestCaseError> {
        let now = self.now;
        let Some(pass) = self.schedule.take(now) else {
            let waits = self.expected.iter().find(|(_, it)| it.asks && !it.is_running);
            prop_assert!(waits.is_none(), "{waits:?} is not due");
            return Ok(());
        };
        let expected = self.of(&pass.name);
        prop_assert!(!expected.is_running, "two passes of {} at once", pass.name);
        prop_assert_eq!(Some(pass.request.0), expected.content, "of an older request");
        let is_due_by_itself = match expected.last {
            None => true,
            Some((PassResult::Ready | PassResult::Failed { retry: false }, _)) => false,
            Some((PassResult::Pending { recheck }, at)) => {
                recheck.is_some_and(|pause| at + pause <= now)
            }
            Some((PassResult::Failed { .. }, at)) => at + SECOND <= now,
            Some((PassResult::Unfinished, _)) => true,
        };
        prop_assert!(expected.asks || is_due_by_itself, "{} is due for nothing", pass.name);
        (expected.is_running, expected.asks) = (true, false);
        self.running.push(pass);
        Ok(())
    }

    fn end(&mut self, result: PassResult) -> Result<(), TestCaseError> {
        if self.running.is_empty() {
            return Ok(());
        }
        let pass = self.running.remove(0);
        let (now, is_current) = (self.now, self.schedule.current(&pass).is_some());
        let next = self.schedule.on_result(&pass, result, now);
        let expected = self.of(&pass.name);
        expected.is_running = false;
        if is_current {
            expected.last = Some((result, now));
        } else {
            prop_assert!(expected.asks, "something newer is requested, and that is not due");
        }
        let due = match next {
            Next::At(due) => Some(due),
            Next::OnChange | Next::Removed => None,
        };
        if expected.asks || result == PassResult::Unfinished {
            prop_assert!(due.is_some_and(|due| due <= now), "a change got lost: {next:?}");
        } else {
            match result {
                PassResult::Ready if expected.content == Some(REMOVAL) => {
                    prop_assert_eq!(next, Next::Removed);
                    *expected = Expected::default();
                    prop_assert!(self.schedule.requested(&pass.name).is_none());
                }
                PassResult::Failed { retry: true } => {
                    let within = now + SECOND..=now + LONGEST;
                    prop_assert!(due.is_some_and(|due| within.contains(&due)), "{next:?}");
                }
                PassResult::Pending { recheck } => {
                    prop_assert_eq!(due, recheck.map(|pause| now + pause));
                }
                _ => prop_assert_eq!(next, Next::OnChange),
            }
        }
        Ok(())
    }

    /// Looks at everything once more, and lets it end well: then nothing is left to do, and nothing of what
    /// goes.
    fn calm_down(&mut self) -> Result<(), TestCaseError> {
        self.act(&Action::Lead)?;
        let mut passes = 0;
        while !self.running.is_empty() || self.schedule.next_due().is_some() {
            passes += 1;
            prop_assert!(passes < 100, "it never comes to rest");
            if let Some(due) = self.schedule.next_due() {
                self.now = self.now.max(due);
            }
            self.take()?;
            self.end(PassResult::Ready)?;
        }
        for (name, expected) in &self.expected {
            let requested = self.schedule.requested(name).map(|it| it.0);
            prop_assert_eq!(requested, expected.content.filter(|it| *it != REMOVAL), "{}", name);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn whatever_comes_in_which_order_no_service_is_forgotten_or_reconciled_twice_at_once(
        actions in actions()
    ) {
        let mut checked = Checked::new();
        for action in &actions {
            checked.act(action)?;
        }
        checked.calm_down()?;
    }
}
