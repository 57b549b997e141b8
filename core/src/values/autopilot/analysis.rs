//! Reads `autopilot.analysis`: what is measured, and what of it is harm.

use std::collections::BTreeMap;
use std::time::Duration;

use super::named;
use crate::values::entry::{Entry, Fields, Problems};
use crate::values::model::{
    AnalysisRule, Bound, Comparison, ENVOY_BOUNDS, PLACEHOLDERS, next_placeholder,
};
use crate::values::node::Scalar;
use crate::values::scalars::{
    read_duration, read_duration_within, read_number, read_percentage, shown,
};
use crate::values::schema::{self, Key, MAX_QUERY, MAX_WORSE, Mapping};

const OWN: &str = "write two counters, `{bad: PROMQL, total: PROMQL, worse: 1.2}`, or a number, \
                   `{query: PROMQL, max: 0.8}`";
/// The highest share of bad answers that may be no harm, in percent.
const MOST_ABOVE: f64 = 99.0;
/// The longest that a number may be beyond its bound.
const MOST_LASTING: Duration = Duration::from_secs(24 * 60 * 60);
/// How many times worse than the primary is harm, where nothing is said.
const WORSE: f64 = 1.5;

/// The analysis that there is where none is named.
pub(super) fn errors() -> AnalysisRule {
    AnalysisRule::Errors(Comparison { worse: WORSE, above: Some(0.002) })
}

/// Reads the analyses. `errors` is one of them unless it is switched off.
pub(super) fn read(entry: &Entry, problems: &mut Problems) -> BTreeMap<String, AnalysisRule> {
    let mut analyses = BTreeMap::new();
    let off = |entry: &Entry| entry.node.scalar() == Some(Scalar::Bool(false));
    let is_off = entry.entries(&mut Problems::new()).into_iter().flatten();
    if !is_off.into_iter().any(|(name, entry)| name == "errors" && off(&entry)) {
        analyses.insert("errors".to_owned(), errors());
    }
    for (name, entry) in named(entry, "an analysis", problems) {
        let rule = match name.as_str() {
            "errors" => read_errors(&entry, problems),
            "slow" => read_slow(&entry, problems),
            _ => read_own(&entry, problems),
        };
        analyses.extend(rule.map(|rule| (name, rule)));
    }
    analyses
}

fn read_errors(entry: &Entry, problems: &mut Problems) -> Option<AnalysisRule> {
    let help = "for example `errors: {worse: 1.5, above: 0.2%}`";
    let mut fields = entry.fields_like::<schema::Errors>(help, problems)?;
    let keys = (schema::Errors::worse(), schema::Errors::above());
    let comparison = read_comparison(&mut fields, keys, Some(0.002), problems);
    fields.finish(problems);
    comparison.map(AnalysisRule::Errors)
}

fn read_slow(entry: &Entry, problems: &mut Problems) -> Option<AnalysisRule> {
    const HELP: &str = "for example `slow: {over: 500ms, worse: 1.5}`";
    let mut fields = entry.fields_like::<schema::Slow>(HELP, problems)?;
    let over = match fields.take(schema::Slow::over()) {
        Some(entry) => read_bound(&entry, problems),
        None => {
            problems.push(fields.missing(schema::Slow::over(), HELP));
            None
        }
    };
    let keys = (schema::Slow::worse(), schema::Slow::above());
    let comparison = read_comparison(&mut fields, keys, None, problems);
    fields.finish(problems);
    Some(AnalysisRule::Slow { over: over?, comparison: comparison? })
}

/// A duration by which Envoy's histograms divide answers.
fn read_bound(entry: &Entry, problems: &mut Problems) -> Option<Duration> {
    let over = read_duration(entry, problems)?;
    let bounds = ENVOY_BOUNDS.map(Duration::from_millis);
    if bounds.contains(&over) {
        return Some(over);
    }
    let below = bounds.iter().rev().find(|bound| **bound < over);
    let above = bounds.iter().find(|bound| **bound > over);
    let nearest: Vec<String> = below.into_iter().chain(above).map(|bound| shown(*bound)).collect();
    let message = "Envoy's histograms do not count how many answers took longer than this";
    let problem = entry.problem(format!("{message}: {}", shown(over)));
    problems.push(problem.help(format!("write {}", nearest.join(" or "))));
    None
}

fn read_comparison<M: Mapping>(
    fields: &mut Fields<M>,
    (worse, above): (Key<M>, Key<M>),
    unsaid: Option<f64>,
    problems: &mut Problems,
) -> Option<Comparison> {
    let worse = match fields.take(worse) {
        Some(entry) => read_worse(&entry, problems),
        None => Some(WORSE),
    };
    let above = match fields.take(above) {
        Some(entry) => read_percentage(&entry, MOST_ABOVE, problems).map(Some),
        None => Some(unsaid),
    };
    Some(Comparison { worse: worse?, above: above? })
}

fn read_worse(entry: &Entry, problems: &mut Problems) -> Option<f64> {
    let worse = read_number(entry, "a number, how many times worse than the primary", problems)?;
    if worse > 1.0 && worse <= MAX_WORSE {
        return Some(worse);
    }
    let problem = entry.expected(&format!("a number above 1 and up to {MAX_WORSE}"));
    problems.push(problem.help(
        "how many times the primary's share of bad answers is too many: 1.5 finds half as many again",
    ));
    None
}

fn read_own(entry: &Entry, problems: &mut Problems) -> Option<AnalysisRule> {
    let mut fields = entry.fields_like::<schema::Own>(OWN, problems)?;
    let counters = [schema::Own::bad(), schema::Own::total()].map(|key| fields.take(key));
    let compared = fields.take(schema::Own::worse());
    let above = fields.take(schema::Own::above());
    let query = fields.take(schema::Own::query());
    let bounds = [schema::Own::max(), schema::Own::min()].map(|key| fields.take(key));
    let lasting = fields.take(schema::Own::lasting());
    let missing = |key| fields.missing(key, OWN);
    let (no_bad, no_total) = (missing(schema::Own::bad()), missing(schema::Own::total()));
    let (no_query, no_max) = (missing(schema::Own::query()), missing(schema::Own::max()));
    fields.finish(problems);

    let is_counted = counters.iter().any(Option::is_some);
    let others = match is_counted {
        true => [&query, &bounds[0], &bounds[1], &lasting],
        false => [&compared, &above, &None, &None],
    };
    for other in others.into_iter().flatten() {
        let message = match is_counted {
            true => "this belongs to a number (`query`), and these are counters",
            false => "this belongs to counters (`bad`, `total`), and this is a number",
        };
        problems.push(other.problem(message).help(OWN));
    }
    if others.into_iter().any(Option::is_some) {
        return None;
    }
    if is_counted {
        let [bad, total] = counters;
        for problem in [bad.is_none().then_some(no_bad), total.is_none().then_some(no_total)] {
            problems.extend(problem);
        }
        let bad = bad.and_then(|entry| read_query(&entry, true, problems));
        let total = total.and_then(|entry| read_query(&entry, true, problems));
        let worse = compared.map_or(Some(WORSE), |entry| read_worse(&entry, problems));
        let above = above
            .map_or(Some(None), |entry| read_percentage(&entry, MOST_ABOVE, problems).map(Some));
        let comparison = Comparison { worse: worse?, above: above? };
        return Some(AnalysisRule::Counters { bad: bad?, total: total?, comparison });
    }
    let query = match query {
        Some(entry) => read_query(&entry, false, problems),
        None => {
            problems.push(no_query);
            None
        }
    };
    const BOUND: &str = "a number, the bound";
    let bound = match bounds {
        [Some(max), None] => read_number(&max, BOUND, problems).map(Bound::Max),
        [None, Some(min)] => read_number(&min, BOUND, problems).map(Bound::Min),
        [Some(_), Some(min)] => {
            let problem = min.problem("`max` and `min` exclude each other");
            problems.push(problem.help("a number has one bound: write two analyses"));
            None
        }
        [None, None] => {
            problems.push(no_max);
            None
        }
    };
    let lasting = match lasting {
        Some(entry) => read_duration_within(&entry, Duration::ZERO..=MOST_LASTING, problems),
        None => Some(Duration::ZERO),
    };
    Some(AnalysisRule::Number { query: query?, bound: bound?, lasting: lasting? })
}

/// PromQL, of which nothing is known here but its placeholders.
fn read_query(entry: &Entry, for_each_version: bool, problems: &mut Problems) -> Option<String> {
    let text = entry.text(problems)?;
    let length = text.chars().count();
    if length == 0 || length > MAX_QUERY {
        let expected = format!("PromQL of 1 to {MAX_QUERY} characters");
        problems.push(entry.expected(&expected));
        return None;
    }
    let known = || PLACEHOLDERS.map(|name| format!("{{{{{name}}}}}")).join(", ");
    let (mut rest, mut has_version) = (text.as_str(), false);
    while let Some((_, name, after)) = next_placeholder(rest) {
        has_version |= name.trim() == "version";
        if !PLACEHOLDERS.contains(&name.trim()) {
            let problem = entry.problem(format!("unknown placeholder `{{{{{name}}}}}`"));
            problems.push(problem.help(format!("known here: {}", known())));
            return None;
        }
        rest = after;
    }
    if rest.contains("{{") {
        let problem = entry.problem("a placeholder has no end: `{{` without `}}`");
        problems.push(problem.help(format!("known here: {}", known())));
        return None;
    }
    if for_each_version && !has_version {
        let message = "the query does not say `{{version}}`, so that primary and canary would have the same count";
        let help = "select the pods of one version, for example `sum(orders_failed_total{version=\"{{version}}\"})`";
        problems.push(entry.problem(message).help(help));
        return None;
    }
    Some(text)
}
