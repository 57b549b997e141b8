//! What gateways make of a policy, by the conditions in its status.

use serde_json::Value;

use super::verdict::Verdict;

/// The verdict of the gateways on a policy; `None` while one of them has not looked at its present generation.
///
/// A policy whose target is not there has no status with kgateway, and one of a rule that is not there is not accepted by
/// Envoy Gateway (gateway-conformance case 07-policy-conflict). A row of a Gateway that the route has left may stay, with
/// an old generation; a controller writes all of its rows at once.
pub(super) fn verdict(policy: &Value) -> Option<Verdict> {
    let generation = policy["metadata"]["generation"].as_i64().unwrap_or(0);
    let rows = policy.pointer("/status/ancestors").and_then(Value::as_array)?;
    let judged = rows.iter().map(|row| (&row["controllerName"], of_row(row, generation)));
    let judged: Vec<(&Value, Option<Verdict>)> = judged.collect();
    let has_fresh = |controller: &Value| {
        judged.iter().any(|(other, verdict)| *other == controller && verdict.is_some())
    };
    if !judged.iter().all(|(controller, _)| has_fresh(controller)) {
        return None;
    }
    judged.iter().filter_map(|(_, verdict)| verdict.clone()).max_by_key(Verdict::rank)
}

/// What one row says, `None` while that is about an older generation. A policy that is only in part in force keeps
/// nobody out, and is as good as rejected.
fn of_row(row: &Value, generation: i64) -> Option<Verdict> {
    let conditions = row["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = |name: &str| conditions.iter().find(|condition| condition["type"] == name);
    let is_fresh = |condition: &&Value| {
        condition["observedGeneration"].as_i64().is_some_and(|seen| seen >= generation)
    };
    // kgateway says beside that whether the policy is attached, and not overridden by another.
    for (name, is_needed) in [("Accepted", true), ("Attached", false)] {
        match named(name) {
            None if !is_needed => {}
            condition => {
                let condition = condition.filter(is_fresh)?;
                if condition["status"] != "True" {
                    return Some(Verdict::Rejected(said(condition)));
                }
            }
        }
    }
    Some(Verdict::Accepted)
}

fn said(condition: &Value) -> String {
    let text = |field: &str| condition[field].as_str().unwrap_or_default();
    let message = text("message").split_whitespace().collect::<Vec<_>>().join(" ");
    let colon = if message.is_empty() { "" } else { ": " };
    format!("not {}: {}{colon}{message}", text("type"), text("reason"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(kind: &str, status: &str, generation: i64) -> Value {
        json!({"type": kind, "status": status, "observedGeneration": generation, "reason": "Why", "message": "so"})
    }

    fn row(controller: &str, conditions: &[Value]) -> Value {
        json!({"controllerName": controller, "conditions": conditions})
    }

    fn judged(rows: &[Value]) -> Option<Verdict> {
        verdict(&json!({"metadata": {"generation": 2}, "status": {"ancestors": rows}}))
    }

    #[test]
    fn a_policy_is_accepted_at_its_present_generation_only() {
        assert_eq!(verdict(&json!({"metadata": {"generation": 1}})), None);
        assert_eq!(judged(&[]), None, "its target is not there");
        assert_eq!(judged(&[row("e", &[condition("Accepted", "True", 1)])]), None);
        assert_eq!(
            judged(&[row("e", &[condition("Accepted", "True", 2)])]),
            Some(Verdict::Accepted)
        );
        let rejected = Verdict::Rejected("not Accepted: Why: so".into());
        assert_eq!(judged(&[row("e", &[condition("Accepted", "False", 2)])]), Some(rejected));
    }

    #[test]
    fn a_policy_that_another_overrides_is_not_in_force() {
        let kgateway = |status: &str, generation: i64| {
            judged(&[row(
                "k",
                &[condition("Accepted", "True", 2), condition("Attached", status, generation)],
            )])
        };
        assert_eq!(kgateway("True", 2), Some(Verdict::Accepted));
        assert_eq!(kgateway("True", 1), None);
        assert!(matches!(kgateway("False", 2), Some(Verdict::Rejected(_))));
    }

    #[test]
    fn every_controller_and_every_fresh_row_counts() {
        let fresh = row("e", &[condition("Accepted", "True", 2)]);
        let old = |controller: &str| row(controller, &[condition("Accepted", "False", 1)]);
        assert_eq!(
            judged(&[fresh.clone(), old("e")]),
            Some(Verdict::Accepted),
            "the route has left it"
        );
        assert_eq!(judged(&[fresh.clone(), old("f")]), None);
        let refused = row("e", &[condition("Accepted", "False", 2)]);
        assert!(matches!(judged(&[fresh, refused]), Some(Verdict::Rejected(_))));
    }
}
