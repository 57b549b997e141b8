//! Rules of several routes that take the very same requests: Envoy Gateway says so in their statuses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::findings::Severity;
use super::super::output::Output;
use super::super::reports::Reports;
use super::Placed;
use crate::ObjectRef;
use crate::code::Code;
use crate::config::{HeaderMatch, Match, ValueMatch};

/// Reports rules of different routes that take the same (case 03-across-routes).
pub(super) fn report(placed: &[Placed<'_>], reports: &mut Reports, output: &mut Output) {
    let mut buckets: BTreeMap<String, BTreeSet<&Arc<ObjectRef>>> = BTreeMap::new();
    for one in placed {
        let key = key(&one.host, &one.made.route.matcher);
        buckets.entry(key).or_default().insert(&one.made.route.holder);
    }
    let mut others: BTreeMap<&Arc<ObjectRef>, BTreeSet<String>> = BTreeMap::new();
    for routes in buckets.values().filter(|routes| routes.len() > 1) {
        for one in routes {
            let rest = routes.iter().filter(|it| *it != one).map(|it| it.to_string());
            others.entry(one).or_default().extend(rest);
        }
    }
    let mut said = BTreeSet::new();
    for one in placed {
        let Some(names) = others.get(&one.made.route.holder) else { continue };
        if !said.insert((&one.made.route.holder, &one.below)) {
            continue;
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let words = format!("Overlapping match conditions with route(s): {}", names.join(", "));
        reports.below(&one.made.route.holder.resource(), &one.below).set(
            "RouteRulesOverlap",
            "True",
            "RouteRulesOverlap",
            words.clone(),
        );
        output.find(&one.made.route.holder, Severity::Warning, Code::SameMatch, words);
    }
}

/// Two matches with the same text take the same requests.
pub(in super::super) fn key(host: &str, matcher: &Match) -> String {
    let list = |all: &[HeaderMatch], lower: bool| {
        let mut all: Vec<String> = all
            .iter()
            .map(|it| {
                let name = if lower { it.name.to_ascii_lowercase() } else { it.name.clone() };
                match &it.value {
                    ValueMatch::Exact(value) => format!("{name}\0e{value}"),
                    ValueMatch::Regex(value) => format!("{name}\0r{value}"),
                }
            })
            .collect();
        all.sort();
        all.join("\u{1}")
    };
    let kind = std::mem::discriminant(&matcher.path);
    format!(
        "{host}\u{2}{kind:?}{}\u{2}{}\u{2}{}",
        matcher.path.text(),
        list(&matcher.headers, true),
        list(&matcher.query, false)
    )
}
