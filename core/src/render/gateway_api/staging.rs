//! The way from the rules of a live HTTPRoute to the wanted ones, where Envoy's clusters are named by a rule's index.
//!
//! There a route may reach Envoy before the cluster that it names, and requests are lost (gateway-conformance,
//! "Dropped requests": in half of the runs). So a rule is added with a match that no request fits, and gets its own
//! match by a later write, when its cluster is everywhere; and a rule that goes loses its match first.
//!
//! A rule that looks at claims of tokens comes so in every implementation: it keeps its name, by which a policy guards it,
//! and can be reached only after the policy is in force for it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::traffic::{WARMING_HEADER, is_guarded, is_warming};

/// The rules to write next on the way from the live to the wanted rules; the wanted ones once nothing is in between.
pub(crate) fn next_rules(live: &[Value], wanted: &[Value]) -> Vec<Value> {
    if live.len() < wanted.len() {
        let added = wanted[live.len()..].iter().map(warming);
        return named(live.iter().cloned().chain(added).collect());
    }
    let (kept, gone) = live.split_at(wanted.len());
    // A rule that is prepared for something else is prepared anew, before requests come to it.
    let prepare = |(live, wanted): (&Value, &Value)| match is_warming(live) {
        true => warming(wanted),
        false => live.clone(),
    };
    let prepared: Vec<Value> = kept.iter().zip(wanted).map(prepare).collect();
    let prepared = named(prepared.into_iter().chain(gone.iter().cloned()).collect());
    if prepared != live {
        return prepared;
    }
    if kept == wanted && gone.iter().all(is_warming) {
        return wanted.to_vec();
    }
    let guarded = wanted.iter().map(|rule| match is_guarded(rule) && !has_policy(live, rule) {
        true => warming(rule),
        false => rule.clone(),
    });
    named(guarded.chain(gone.iter().map(warming)).collect())
}

/// The rules to write first where there is no HTTPRoute yet.
pub(crate) fn first_rules(wanted: &[Value]) -> Vec<Value> {
    let first = |rule: &Value| if is_guarded(rule) { warming(rule) } else { rule.clone() };
    wanted.iter().map(first).collect()
}

/// Whether a policy has been attached to the name of a guarded rule: by that rule, or by the one that prepares for it.
fn has_policy(live: &[Value], rule: &Value) -> bool {
    let mut all = live.iter().filter(|live| is_guarded(live) || is_warming(live));
    all.any(|live| live["name"] == rule["name"])
}

/// Whether some of the live rules are there for what comes, or for what has been.
pub(crate) fn is_staged(live: &[Value]) -> bool {
    live.iter().any(is_warming)
}

/// Whether no request fits any of the rules, of which there is one.
pub(crate) fn is_emptied(live: &[Value]) -> bool {
    !live.is_empty() && live.iter().all(is_warming)
}

/// The rules, as many as they are, with matches that no request fits.
pub fn emptied(rules: &[Value]) -> Vec<Value> {
    rules.iter().map(warming).collect()
}

/// Takes the names away from rules that no request fits and that another rule has: an HTTPRoute has each name once.
fn named(mut rules: Vec<Value>) -> Vec<Value> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    taken.extend(rules.iter().filter(|rule| !is_warming(rule)).filter_map(name));
    for rule in rules.iter_mut().filter(|rule| is_warming(rule)) {
        if let Some(name) = name(rule)
            && !taken.insert(name)
            && let Some(rule) = rule.as_object_mut()
        {
            rule.shift_remove("name");
        }
    }
    rules
}

fn name(rule: &Value) -> Option<String> {
    rule["name"].as_str().map(str::to_owned)
}

/// The rule with a match that no request fits.
fn warming(rule: &Value) -> Value {
    let mut rule = rule.clone();
    let header = json!({"type": "Exact", "name": WARMING_HEADER, "value": "nobody"});
    let path = rule.pointer("/matches/0/path").cloned();
    let path = path.unwrap_or_else(|| json!({"type": "PathPrefix", "value": "/"}));
    rule["matches"] = json!([{"path": path, "headers": [header]}]);
    rule
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(path: &str, backend: &str) -> Value {
        json!({"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": [{"name": backend}]})
    }

    #[test]
    fn a_rule_that_comes_is_prepared_and_one_that_goes_is_emptied_first() {
        let (main, canary) = (rule("/a", "v1"), rule("/a/canary", "v2"));
        let (one, two) = (vec![main.clone()], vec![main.clone(), canary.clone()]);
        let prepared = vec![main, warming(&canary)];
        assert_eq!(next_rules(&one, &two), prepared);
        assert_eq!(next_rules(&prepared, &two), two);
        assert_eq!(next_rules(&two, &one), prepared);
        assert_eq!(next_rules(&prepared, &one), one);
        assert!(is_staged(&prepared) && !is_staged(&two));
        assert!(!is_emptied(&prepared) && is_emptied(&emptied(&two)) && !is_emptied(&[]));
        assert_eq!(emptied(&two).len(), 2, "their clusters stay");
    }

    #[test]
    fn what_was_prepared_for_something_else_is_prepared_anew() {
        let (main, v2, v3) = (rule("/a", "v1"), rule("/b", "v2"), rule("/b", "v3"));
        let live = [main.clone(), warming(&v2)];
        let wanted = [main.clone(), v3.clone()];
        assert_eq!(next_rules(&live, &wanted), [main, warming(&v3)]);
    }

    fn rules() -> impl Strategy<Value = Vec<Value>> {
        let rule = (0..4_u8, 0..3_u8)
            .prop_map(|(path, version)| rule(&format!("/{path}"), &format!("v{version}")));
        prop::collection::vec(rule, 0..6)
    }

    proptest! {
        /// Envoy may have the routes of a write, and the clusters of the one before it.
        #[test]
        fn no_write_sends_requests_to_a_rule_that_was_not_there(from in rules(), to in rules(), cut in 0..4_usize, other in rules()) {
            let mut live = from;
            // Another commit may come on the way.
            for _ in 0..cut {
                live = step(&live, &other)?;
            }
            for _ in 0..5 {
                live = step(&live, &to)?;
            }
            prop_assert_eq!(live, to);
        }
    }

    fn step(live: &[Value], wanted: &[Value]) -> Result<Vec<Value>, TestCaseError> {
        let next = next_rules(live, wanted);
        for (index, rule) in next.iter().enumerate() {
            prop_assert!(is_warming(rule) || index < live.len(), "{next:?}");
            if let Some(before) = live.get(index) {
                prop_assert!(
                    is_warming(rule)
                        || !is_warming(before)
                        || before["backendRefs"] == rule["backendRefs"]
                );
            }
        }
        // And the clusters of a write, with the routes of the one before it.
        for (index, before) in live.iter().enumerate() {
            prop_assert!(is_warming(before) || index < next.len(), "{live:?} to {next:?}");
        }
        Ok(next)
    }
}
