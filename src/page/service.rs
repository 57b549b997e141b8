//! `/services/{name}`: all that is known of one service.

use askama::Template;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::appearance::Appearance;
use super::autopilot::AutopilotView;
use super::chart::{Chart, palette};
use super::head::{Commit, Head, short};
use super::moment::{Moment, span};
use super::{beginning, readable};
use crate::report::{
    ChangeKind, Condition, ConditionStatus, Detail, Drifts, GatewayRequests, PerVersion, Requested,
    Route, ServiceReport, Step, Summary,
};
use coalmine_core::phase::Phase;

/// The longest value that is shown whole, in characters.
const LONGEST: usize = 160;

/// The page.
#[derive(Template)]
#[template(path = "service.html")]
pub(super) struct ServicePage {
    head: Head,
    name: String,
    address: String,
    namespace: String,
    appearance: Appearance,
    /// The phases up to now and after; none for `platform/`.
    phases: Vec<PhaseMark>,
    /// The commits applied and tried last, when they differ.
    applied: Option<String>,
    attempted: Option<String>,
    versions: Vec<VersionRow>,
    chart: Option<Chart>,
    /// The newest first.
    steps: Vec<StepRow>,
    conditions: Vec<ConditionRow>,
    /// The newest first.
    drifts: Vec<DriftRow>,
    routes: Vec<RouteRow>,
    domains: String,
    gateways: String,
    /// By which gateway its requests come, while both APIs serve it.
    requests: Vec<RequestsRow>,
    /// How its autopilot stands.
    autopilot: Option<AutopilotView>,
    /// What of its objects could not be judged.
    notes: Vec<String>,
}

struct RequestsRow {
    api: &'static str,
    /// `12.5/s`; nothing as long as it is not known.
    rate: Option<String>,
    /// Since when none has come.
    none_since: Option<Moment>,
    problem: String,
}

struct PhaseMark {
    name: &'static str,
    /// `past`, `now` or `next`.
    place: &'static str,
}

struct VersionRow {
    name: String,
    colour: usize,
    /// `primary`, `canary` or nothing.
    role: &'static str,
    asked: u8,
    applied: Option<u8>,
    /// What the routes in the cluster say.
    observed: Option<u8>,
    ready: Option<u32>,
}

struct StepRow {
    commit: Commit,
    accepted: Moment,
    /// Nothing when the values had errors.
    phase: &'static str,
    change: &'static str,
    /// How it looks: `bad`, `busy`, `good` or `old`.
    tone: &'static str,
    shares: String,
    outcome: String,
    errors: String,
}

struct ConditionRow {
    name: String,
    holds: bool,
    /// Whether that it holds is good news, bad news or neither.
    tone: &'static str,
    reason: &'static str,
    message: String,
    since: Moment,
}

struct DriftRow {
    at: Moment,
    object: String,
    /// Nothing when the whole object was deleted.
    field: String,
    from: String,
    to: String,
    manager: String,
    times: u32,
}

struct RouteRow {
    kind: &'static str,
    path: String,
    conditions: Vec<String>,
    answers: String,
    options: String,
}

impl ServicePage {
    pub(super) fn of(detail: &Detail, summary: &Summary, number: u64, now: Timestamp) -> Self {
        let Detail { report, routes, history } = detail;
        let name = readable(&report.service);
        let appearance = Appearance::of(report, now);
        let title = format!("{name} · {} · coalmine", appearance.word);
        let tried = Some(&report.last_attempted_revision).filter(|tried| !tried.is_empty());
        let attempted = tried.filter(|tried| report.last_applied_revision.as_ref() != Some(*tried));
        let steps = history.steps.iter().enumerate().rev();
        Self {
            head: Head::of(&title, "../", summary, number, now),
            name,
            address: report.service.clone(),
            namespace: readable(&report.namespace),
            appearance,
            phases: phases(&report.phase),
            applied: report.last_applied_revision.as_deref().map(short),
            attempted: attempted.map(|id| short(id)),
            versions: versions(report, &palette(history)),
            chart: Chart::of(history, now),
            steps: steps.map(|(place, _)| StepRow::of(&history.steps[place..], now)).collect(),
            conditions: report.conditions.iter().map(|c| ConditionRow::of(c, now)).collect(),
            drifts: history.drifts.iter().rev().map(|drifts| DriftRow::of(drifts, now)).collect(),
            routes: routes.iter().map(RouteRow::of).collect(),
            domains: readable(&report.domains.join(", ")),
            gateways: readable(&report.gateways.join(", ")),
            requests: report.requests.iter().map(|it| RequestsRow::of(it, now)).collect(),
            autopilot: report.autopilot.as_deref().map(|it| AutopilotView::of(it, now)),
            notes: report.notes.iter().map(|note| readable(note)).collect(),
        }
    }
}

impl RequestsRow {
    fn of(requests: &GatewayRequests, now: Timestamp) -> Self {
        Self {
            api: requests.api.as_str(),
            rate: requests.per_second.map(|rate| format!("{rate}/s")),
            none_since: requests.none_since.map(|since| Moment::of(since, now)),
            problem: readable(requests.problem.as_deref().unwrap_or_default()),
        }
    }
}

fn phases(phase: &str) -> Vec<PhaseMark> {
    let Some(here) = Phase::ALL.iter().position(|known| known.name() == phase) else {
        return Vec::new();
    };
    let mark = |(place, phase): (usize, &Phase)| {
        let place = match place.cmp(&here) {
            std::cmp::Ordering::Less => "past",
            std::cmp::Ordering::Equal => "now",
            std::cmp::Ordering::Greater => "next",
        };
        PhaseMark { name: phase.name(), place }
    };
    Phase::ALL.iter().enumerate().map(mark).collect()
}

fn versions(report: &ServiceReport, palette: &[&str]) -> Vec<VersionRow> {
    fn of<N: Copy>(numbers: &PerVersion<N>, version: &str) -> Option<N> {
        numbers.iter().find(|(known, _)| *known == version).map(|(_, number)| number)
    }
    let is_known = report.applied_weights.iter().next().is_some();
    let row = |(version, asked): (&str, u8)| VersionRow {
        name: readable(version),
        colour: palette.iter().position(|known| *known == version).unwrap_or_default(),
        role: match version {
            version if version == &*report.primary => "primary",
            version if report.canary.as_deref() == Some(version) => "canary",
            _ => "",
        },
        asked,
        applied: is_known.then(|| of(&report.applied_weights, version).unwrap_or(0)),
        observed: of(&report.observed_weights, version),
        ready: of(&report.ready_pods, version),
    };
    report.weights.iter().map(row).collect()
}

impl StepRow {
    /// The first of these steps; the others came after it.
    fn of(steps: &[Step], now: Timestamp) -> Self {
        let Step { revision, accepted_at, asked, applied_at } = &steps[0];
        let is_newest =
            !steps[1..].iter().any(|later| matches!(later.asked, Requested::Values { .. }));
        let (phase, change, shares, errors) = match asked {
            Requested::Values { phase, weights, change } => {
                (phase.name(), in_words(*change), shares(weights), String::new())
            }
            Requested::Errors { errors } => {
                ("", "values with errors", String::new(), readable(errors))
            }
        };
        let when = accepted_at.unwrap_or(revision.committed);
        let (tone, outcome) = match (applied_at, is_newest) {
            _ if phase.is_empty() => ("bad", "changed nothing".to_owned()),
            _ if accepted_at.is_none() => ("old", "before this daemon started".to_owned()),
            (Some(at), true) => ("good", format!("applied after {}", span(when, *at))),
            (Some(at), false) => ("old", format!("applied after {}", span(when, *at))),
            (None, true) => ("busy", "not applied yet".to_owned()),
            (None, false) => ("old", "never fully applied".to_owned()),
        };
        Self {
            commit: Commit::of(revision, now),
            accepted: Moment::of(when, now),
            phase,
            change,
            tone,
            shares,
            outcome,
            errors,
        }
    }
}

fn in_words(change: ChangeKind) -> &'static str {
    match change {
        ChangeKind::First => "first seen",
        ChangeKind::Other => "no other phase or share",
        ChangeKind::Advance | ChangeKind::Rollback | ChangeKind::Jump => change.name(),
    }
}

/// `v1 90 %, v2 10 %`.
fn shares(weights: &PerVersion<u8>) -> String {
    let share = |(version, share)| format!("{} {share} %", readable(version));
    weights.iter().map(share).collect::<Vec<_>>().join(", ")
}

impl ConditionRow {
    fn of(condition: &Condition, now: Timestamp) -> Self {
        use crate::report::ConditionKind as Kind;
        let holds = condition.status == ConditionStatus::True;
        let tone = match condition.r#type {
            Kind::Ready if holds => "good",
            Kind::Reconciling if holds => "busy",
            Kind::Stalled if holds => "bad",
            Kind::Drifted | Kind::Fighting if holds => "warn",
            _ => "old",
        };
        Self {
            name: format!("{:?}", condition.r#type),
            holds,
            tone,
            reason: condition.reason,
            message: if holds || condition.r#type == Kind::Ready {
                readable(&condition.message)
            } else {
                String::new()
            },
            since: Moment::of(condition.last_transition_time, now),
        }
    }
}

impl DriftRow {
    fn of(drifts: &Drifts, now: Timestamp) -> Self {
        let Drifts { last, times } = drifts;
        let manager = last.manager.as_deref().unwrap_or("somebody");
        Self {
            at: Moment::of(last.at, now),
            object: readable(&last.object),
            field: readable(&last.field),
            from: value(&last.from),
            to: value(&last.to),
            manager: readable(manager),
            times: *times,
        }
    }
}

/// A value on one line, shortened.
fn value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        other => beginning(&readable(&other.to_string()), LONGEST),
    }
}

impl RouteRow {
    fn of(route: &Route) -> Self {
        let named = |what: &str, map: &Map<String, Value>| {
            let condition = |(name, wanted): (&String, &Value)| match wanted {
                Value::String(text) => readable(&format!("{what} {name}: {text}")),
                other => readable(&format!("{what} {name}: {other}")),
            };
            map.iter().map(condition).collect::<Vec<_>>()
        };
        let mut conditions = Vec::new();
        if !route.methods.is_empty() {
            conditions.push(readable(&route.methods.join(", ")));
        }
        conditions.extend(named("query", &route.query_parameters));
        conditions.extend(named("header", &route.headers));
        let mut answers = shares(&route.weights);
        for (version, share) in route.shadow.iter() {
            answers.push_str(&format!(", and a copy of {share} % to {}", readable(version)));
        }
        Self {
            kind: route.kind,
            path: readable(&route.path),
            conditions,
            answers,
            options: readable(&route.options.join(", ")),
        }
    }
}
