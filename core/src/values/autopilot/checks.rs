//! What of an autopilot does not fit together, or not to the rest of the service.

use std::time::Duration;

use crate::problem::{Location, Problem};
use crate::values::model::{AnalysisRule, Autopilot, Ladder, Profile, Service, Split, Step};
use crate::values::names::Weight;
use crate::values::places::Places;
use crate::values::scalars::shown;

/// What does not fit together. `max_step` is `policy.maxStep`.
pub(in crate::values) fn problems(
    service: &Service,
    max_step: Option<Weight>,
    places: &Places,
) -> Vec<Problem> {
    let Some(autopilot) = &service.autopilot else { return Vec::new() };
    let mut check = Check { service, autopilot, places, problems: Vec::new() };
    check.headers();
    check.rises(max_step);
    check.finishes();
    check.beyond_control();
    check.gates();
    check.measurable();
    check.times();
    let mut problems = check.problems;
    problems.sort_by_key(|problem| (problem.at.line, problem.at.column));
    problems
}

/// The last weight at which enough requests go to the primary to compare with.
const LAST_WITH_CONTROL: u8 = 90;

struct Check<'a> {
    service: &'a Service,
    autopilot: &'a Autopilot,
    places: &'a Places,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    /// Adds a problem at the first of these keys that the service's own file has: defaults are right for others.
    fn add(&mut self, keys: &[&[&str]], message: impl Into<String>, help: impl Into<String>) {
        let is_own = |at: &Location| *at.file == *self.service.file;
        let found = keys.iter().map(|keys| (*keys, self.places.of(keys)));
        let mut found: Vec<(&[&str], Location)> = found.collect();
        let own = found.iter().position(|(keys, at)| self.places.is_own(keys) && is_own(at));
        let (keys, at) = found.swap_remove(own.unwrap_or_default());
        self.problems.push(Problem::new(&at, dotted(keys), message).help(help));
    }

    fn ladder(&self) -> &'a Ladder {
        &self.autopilot.ladder
    }

    /// The position of a step in the list of the file.
    fn index(&self, position: usize) -> String {
        (position + usize::from(self.ladder().headers)).to_string()
    }

    /// Phase 1 is the requests that are led to the canary. Steps from the defaults leave it away where there are none.
    fn headers(&mut self) {
        let Some(canary) = &self.service.routes.canary else { return };
        let keys = ["autopilot", "steps"];
        if self.ladder().headers && !canary.is_tested() && self.places.is_own(&keys) {
            let message = format!(
                "the step `headers` needs requests that are led to {}, and the canary has neither `headers` nor `jwt`",
                canary.version
            );
            let help = "write `routes.canary.headers`, for example `{stage: canary}`, or take `headers` out of `steps`";
            self.add(&[&["autopilot", "steps", "0"]], message, help);
        }
    }

    /// No step is more than the policy allows in one commit, the last one to all requests too.
    fn rises(&mut self, max_step: Option<Weight>) {
        let Some(most) = max_step else { return };
        let mut before = Weight::ZERO;
        for (position, &Step { weight, .. }) in self.ladder().steps.iter().enumerate() {
            let next = Weight::new(u32::from(
                before.percent() + most.percent().min(100 - before.percent()),
            ));
            if let Some(next) = next.filter(|next| *next < weight) {
                let index = self.index(position);
                let message = format!(
                    "from {before} to {weight} is more than policy.maxStep allows in one commit, {most}"
                );
                let help = format!("write a step of at most {next} before it");
                self.add(&[&["autopilot", "steps", &index]], message, help);
            }
            before = weight;
        }
        if self.autopilot.finish_after.is_some() && before.rest() > most {
            let message = format!(
                "from the last step, {before}, to all requests is more than policy.maxStep allows in one commit, {most}"
            );
            let help = format!("write `steps` that go on to {} at least", most.rest());
            self.add(&[&["autopilot", "finish"], &["autopilot", "steps"]], message, help);
        }
    }

    /// Nobody makes a version the primary that had no request but those that were led to it.
    fn finishes(&mut self) {
        if self.autopilot.finish_after.is_some() && self.ladder().steps.is_empty() {
            self.add(
                &[&["autopilot", "finish"], &["autopilot", "steps"]],
                "the steps have no weight, so that all requests would go to the canary at once",
                "write weights, for example `steps: [headers, 5, 25, 50, 90]`, or leave the end to a person",
            );
        }
    }

    /// With next to nobody left on the primary an analysis says something only by a bound of its own.
    fn beyond_control(&mut self) {
        let last = self.ladder().last();
        if last.percent() <= LAST_WITH_CONTROL {
            return;
        }
        let analyses = self.autopilot.analyses.iter();
        let without =
            analyses.filter(|(_, rule)| rule.comparison().is_some_and(|it| it.above.is_none()));
        for (name, _) in without {
            let index = self.index(self.ladder().steps.len().saturating_sub(1));
            let message = format!(
                "at {last} % next to nobody is left on the primary to compare with, and the analysis {name} has no `above`"
            );
            let help = format!(
                "write `autopilot.analysis.{name}.above`, the share of bad answers from which on it is harm, such as \
                 `1%`, or end with {LAST_WITH_CONTROL}"
            );
            let analysis = ["autopilot", "analysis", name];
            self.add(&[&["autopilot", "steps", &index], &analysis], message, help);
        }
    }

    fn gates(&mut self) {
        let ladder = self.ladder();
        for gate in ladder.gates.iter().filter(|gate| ladder.step(**gate).is_none()) {
            let steps: Vec<String> =
                ladder.steps.iter().map(|step| step.weight.to_string()).collect();
            let message =
                format!("there is no step {gate}, so that nobody would ever be asked before it");
            let help = format!("the steps are {}", steps.join(", "));
            self.add(&[&["autopilot", "gates", "before"], &["autopilot", "steps"]], message, help);
        }
    }

    /// Envoy has a histogram for each cluster, and subsets share one. So do the versions of a rule of Envoy Gateway's.
    fn measurable(&mut self) {
        if self.autopilot.analyses.is_empty() {
            let help =
                "leave one: without any nothing is ever known to be good, and nothing is promoted";
            self.add(&[&["autopilot", "analysis"]], "no analysis is left", help);
        }
        let slow = self.autopilot.analyses.get("slow");
        let is_subset =
            self.service.routes.gateway.is_gloo() && self.service.routes.split == Split::Subset;
        if is_subset && matches!(slow, Some(AnalysisRule::Slow { .. })) {
            self.add(
                &[
                    &["autopilot", "analysis", "slow"],
                    &["routes", "split"],
                    &["routes"],
                    &[],
                ],
                "with `split: subset` both versions are one Upstream, and Envoy has one histogram of times for it",
                "write `routes.split: upstream`, or `slow: false`; or measure it as counters of a PromQL server: \
                 `{bad: ..., total: ...}`",
            );
        }
        let gateway_api = self.service.routes.gateway.gateway_api();
        let is_shared = gateway_api.is_some_and(|it| it.profile == Profile::EnvoyGateway);
        if is_shared && matches!(slow, Some(AnalysisRule::Slow { .. })) {
            self.add(
                &[&["autopilot", "analysis", "slow"], &["routes", "gateway"], &["routes"], &[]],
                "with Envoy Gateway both versions are one cluster, and Envoy has one histogram of times for it",
                "write `slow: false`, or measure it as counters of a PromQL server: `{bad: ..., total: ...}`",
            );
        }
    }

    /// No step is over before its time for evidence is.
    fn times(&mut self) {
        let within = self.autopilot.enough.within;
        let ladder = self.ladder();
        let steps = ladder.steps.iter().map(|step| step.least);
        let longest = steps.chain(ladder.headers.then_some(ladder.least)).max();
        let longest = longest.unwrap_or(Duration::ZERO);
        if longest > within {
            let message = format!(
                "a step lasts {} at least, and the time for its evidence is over after {}",
                shown(longest),
                shown(within)
            );
            let help = "write `enough.within` as long as the longest step, or a shorter `for`";
            self.add(
                &[
                    &["autopilot", "enough", "within"],
                    &["autopilot", "for"],
                    &["autopilot", "steps"],
                ],
                message,
                help,
            );
        }
    }
}

/// The keys as the messages of the reader write them: `autopilot.steps[1]`.
fn dotted(keys: &[&str]) -> String {
    let mut dotted = String::new();
    for key in keys {
        match key.parse::<usize>() {
            Ok(index) => dotted += &format!("[{index}]"),
            Err(_) if dotted.is_empty() => dotted += key,
            Err(_) => dotted += &format!(".{key}"),
        }
    }
    dotted
}
