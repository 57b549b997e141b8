//! Reads `autopilot`: how a service's canary is taken through its rollout.

mod analysis;
mod checks;
mod rollout_test;
mod steps;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) use checks::problems;

use super::entry::{Entry, Problems};
use super::model::{Autopilot, Enough, Mode, Shortage};
use super::names::Weight;
use super::scalars::{read_duration_within, read_percentage};
use super::schema::{self, MAX_REQUESTS, MAX_STEPS};

const HELP: &str = "for example `autopilot: {mode: on, steps: [headers, 5, 25, 50, 90], for: 5m}`";
/// The least time of a step.
const LEAST: RangeInclusive<Duration> = SECOND..=MONTH;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The highest chance of a false alarm, in percent.
const MOST_FALSE_ALARM: f64 = 10.0;

/// What is known of a service beside its autopilot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    /// Whether the service's own file has the block, which the defaults complete.
    pub(super) is_own: bool,
    /// `policy.maxStep`, which the built-in ladder keeps.
    pub(super) max_step: Option<Weight>,
}

/// Reads `autopilot`.
pub(super) fn read(entry: &Entry, context: Context, problems: &mut Problems) -> Option<Autopilot> {
    let before = problems.len();
    let mut fields = entry.fields_like::<schema::Autopilot>(HELP, problems)?;
    let mode = fields.take(schema::Autopilot::mode()).map(|entry| read_mode(&entry, problems));
    let least = fields
        .take(schema::Autopilot::least())
        .and_then(|entry| read_duration_within(&entry, LEAST, problems))
        .unwrap_or(Duration::from_secs(300));
    let steps = fields.take(schema::Autopilot::steps());
    let gates = fields.take(schema::Autopilot::gates());
    let ladder = steps::read(steps.as_ref(), gates.as_ref(), least, context.max_step, problems);
    let analyses = match fields.take(schema::Autopilot::analysis()) {
        Some(entry) => analysis::read(&entry, problems),
        None => BTreeMap::from([("errors".to_owned(), analysis::errors())]),
    };
    let tests = match fields.take(schema::Autopilot::tests()) {
        Some(entry) => rollout_test::read(&entry, problems),
        None => BTreeMap::new(),
    };
    let false_alarm = fields
        .take(schema::Autopilot::false_alarm())
        .and_then(|entry| read_percentage(&entry, MOST_FALSE_ALARM, problems));
    let enough = fields.take(schema::Autopilot::enough());
    let enough = read_enough(enough.as_ref(), problems);
    let blind_after = fields
        .take(schema::Autopilot::blind())
        .and_then(|entry| read_blind(&entry, problems))
        .unwrap_or(Duration::from_secs(30));
    let finish_after = fields.take(schema::Autopilot::finish()).map(|entry| {
        const HELP: &str = "for example `finish: {after: 1h}`";
        let mut fields = entry.fields_like::<schema::Finish>(HELP, problems)?;
        let after = match fields.take(schema::Finish::after()) {
            Some(entry) => read_duration_within(&entry, Duration::ZERO..=MONTH, problems),
            None => {
                problems.push(fields.missing(schema::Finish::after(), HELP));
                None
            }
        };
        fields.finish(problems);
        after
    });
    fields.finish(problems);
    if problems.len() > before {
        return None;
    }
    let unsaid = if context.is_own { Mode::On } else { Mode::Off };
    Some(Autopilot {
        mode: mode.map_or(Some(unsaid), |mode| mode)?,
        ladder: ladder?,
        analyses,
        tests,
        false_alarm: false_alarm.unwrap_or(0.001),
        enough,
        blind_after,
        finish_after: finish_after.flatten(),
    })
}

fn read_mode(entry: &Entry, problems: &mut Problems) -> Option<Mode> {
    let text = entry.text(problems)?;
    let modes = [Mode::Off, Mode::Shadow, Mode::On];
    let mode = modes.into_iter().find(|mode| mode.as_str() == text);
    if mode.is_none() {
        problems.push(entry.expected("off, shadow or on"));
    }
    mode
}

fn read_enough(entry: Option<&Entry>, problems: &mut Problems) -> Enough {
    const HELP: &str = "for example `enough: {requests: 300, within: 1h}`";
    let mut enough = Enough::default();
    let fields = entry.and_then(|entry| entry.fields_like::<schema::Enough>(HELP, problems));
    let Some(mut fields) = fields else { return enough };
    if let Some(entry) = fields.take(schema::Enough::requests())
        && let Some(requests) =
            entry.whole(1..=MAX_REQUESTS, "requests that the canary has answered", problems)
    {
        enough.requests = u64::from(requests);
    }
    if let Some(entry) = fields.take(schema::Enough::within())
        && let Some(within) = read_duration_within(&entry, LEAST, problems)
    {
        enough.within = within;
    }
    if let Some(entry) = fields.take(schema::Enough::otherwise())
        && let Some(text) = entry.text(problems)
    {
        match text.as_str() {
            "hold" => enough.otherwise = Shortage::Hold,
            "abort" => enough.otherwise = Shortage::Abort,
            "promote" => enough.otherwise = Shortage::Promote,
            _ => problems.push(entry.expected("hold, abort or promote")),
        }
    }
    fields.finish(problems);
    enough
}

fn read_blind(entry: &Entry, problems: &mut Problems) -> Option<Duration> {
    const HELP: &str = "for example `blind: {after: 30s, do: hold}`";
    let mut fields = entry.fields_like::<schema::Blind>(HELP, problems)?;
    let after = fields
        .take(schema::Blind::after())
        .and_then(|entry| read_duration_within(&entry, SECOND..=HOUR, problems));
    if let Some(entry) = fields.take(schema::Blind::action())
        && let Some(text) = entry.text(problems)
        && text != "hold"
    {
        let help = "what is not known is neither good nor bad: nothing is promoted and nothing aborted for it";
        problems.push(entry.expected("hold").help(help));
    }
    fields.finish(problems);
    after
}

/// The entries of a mapping of analyses or tests that have a name which can stand in metrics, without those that are
/// switched off (`false`) or empty.
fn named(entry: &Entry, what: &str, problems: &mut Problems) -> Vec<(String, Entry)> {
    let Some(mut entries) = entry.entries(problems) else { return Vec::new() };
    if entries.len() > MAX_STEPS {
        problems.push(entry.problem(format!("more than {MAX_STEPS} are listed")));
        entries.truncate(MAX_STEPS);
    }
    entries.retain(|(name, entry)| {
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.len() <= 63
            && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it));
        if !is_name {
            let message = format!(
                "{what} has a name of up to 63 letters, digits, `-` and `_` that begins with a letter"
            );
            problems.push(crate::problem::Problem::new(&entry.key_at, &entry.path, message));
        }
        let is_off = entry.node.scalar() == Some(super::node::Scalar::Bool(false));
        is_name && !is_off && !entry.node.is_null()
    });
    entries
}
