//! What gateways make of an HTTPRoute, by the conditions in its status.

use serde_json::Value;

use super::verdict::Verdict;
use crate::kind::{Kind, group};

/// The verdict of the gateways on an HTTPRoute; `None` while one of them has not looked at its present generation.
///
/// Only the parents that the route names count: Envoy Gateway leaves the status of one that the route has left
/// (gateway-conformance case 08-attach-detach). A route that names none is selected by other HTTPRoutes (kgateway's
/// delegation), each of which counts; while none does, there is no verdict.
pub(super) fn verdict(route: &Value) -> Option<Verdict> {
    let generation = route["metadata"]["generation"].as_i64().unwrap_or(0);
    let list = |pointer: &str| {
        route.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    };
    let (named, rows) = (list("/spec/parentRefs"), list("/status/parents"));
    let home = route["metadata"]["namespace"].as_str().unwrap_or_default();
    let mut verdicts = Vec::new();
    if named.is_empty() {
        if rows.is_empty() {
            return None;
        }
        for row in rows {
            verdicts.push(of_parent(row, generation, home)?);
        }
    }
    for parent in named {
        let mut own = rows
            .iter()
            .filter(|row| Parent::of(parent, home) == Parent::of(&row["parentRef"], home))
            .peekable();
        own.peek()?;
        for row in own {
            verdicts.push(of_parent(row, generation, home)?);
        }
    }
    verdicts.into_iter().max_by_key(Verdict::rank)
}

/// Whether a parent that the route names has written nothing in its status; of a route that names none, whether nobody
/// has.
pub(super) fn is_unnoticed(route: &Value) -> bool {
    let list = |pointer: &str| {
        route.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    };
    let (named, rows) = (list("/spec/parentRefs"), list("/status/parents"));
    let home = route["metadata"]["namespace"].as_str().unwrap_or_default();
    let has_row = |parent: &Value| {
        rows.iter().any(|row| Parent::of(parent, home) == Parent::of(&row["parentRef"], home))
    };
    if named.is_empty() { rows.is_empty() } else { !named.iter().all(has_row) }
}

/// Whether a gateway serves the route that may name Envoy's clusters by the index of a rule: any but kgateway.
pub(super) fn has_clusters_by_rule(route: &Value) -> bool {
    let rows = route.pointer("/status/parents").and_then(Value::as_array);
    let mut controllers = rows.into_iter().flatten().filter_map(|it| it["controllerName"].as_str());
    controllers.any(|name| !name.starts_with(KGATEWAY))
}

/// What one parent reports, `None` while that is about an older generation.
fn of_parent(row: &Value, generation: i64, home: &str) -> Option<Verdict> {
    let conditions = row["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_fresh = |condition: &Value| {
        condition["observedGeneration"].as_i64().is_some_and(|seen| seen >= generation)
    };
    let named = |name: &str| {
        let mut conditions = conditions.iter();
        conditions
            .find(|condition| condition["type"].as_str().is_some_and(|it| is_called(it, name)))
    };
    let said = |condition: &Value| {
        let text = |field: &str| condition[field].as_str().unwrap_or_default();
        let message = text("message").split_whitespace().collect::<Vec<_>>().join(" ");
        let parent = Parent::of(&row["parentRef"], home);
        let colon = if message.is_empty() { "" } else { ": " };
        format!("{} {parent}: {}{colon}{message}", text("type"), text("reason"))
    };
    let accepted = named("Accepted").filter(|it| is_fresh(it))?;
    if accepted["status"] != "True" {
        return Some(Verdict::Rejected(said(accepted)));
    }
    let resolved = named("ResolvedRefs").filter(|it| is_fresh(it))?;
    let programmed = match named("Programmed") {
        // kgateway reports it beside the others; the standard has none for routes.
        None if row["controllerName"].as_str().is_some_and(|it| it.starts_with(KGATEWAY)) => {
            return None;
        }
        Some(programmed) if !is_fresh(programmed) => return None,
        programmed => programmed,
    };
    if let Some(programmed) = programmed.filter(|it| it["status"] != "True") {
        return Some(Verdict::Warning(said(programmed)));
    }
    if resolved["status"] != "True" {
        return Some(Verdict::Warning(said(resolved)));
    }
    // A part of the route is not served (case 07-bad-regex).
    let partial = named("PartiallyInvalid").filter(|it| is_fresh(it) && it["status"] == "True");
    Some(partial.map_or(Verdict::Accepted, |it| Verdict::Warning(said(it))))
}

/// What the name of kgateway's controller begins with.
const KGATEWAY: &str = "kgateway.dev/";

/// Whether a condition is of this type, whoever's domain stands before it.
fn is_called(kind: &str, name: &str) -> bool {
    kind.rsplit('/').next() == Some(name)
}

/// A parent, with what a reference leaves to its defaults.
#[derive(PartialEq)]
struct Parent<'a> {
    group: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    section: Option<&'a str>,
    port: Option<u64>,
}

impl<'a> Parent<'a> {
    fn of(reference: &'a Value, home: &'a str) -> Self {
        let text = |field: &str| reference[field].as_str();
        Self {
            group: text("group").unwrap_or(group(Kind::HttpRoute.api_version())),
            kind: text("kind").unwrap_or("Gateway"),
            namespace: text("namespace").unwrap_or(home),
            name: text("name").unwrap_or_default(),
            section: text("sectionName"),
            port: reference["port"].as_u64(),
        }
    }
}

impl std::fmt::Display for Parent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "by {} {}/{}", self.kind, self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(kind: &str, status: &str, generation: i64) -> Value {
        json!({"type": kind, "status": status, "observedGeneration": generation, "reason": "Why", "message": "so"})
    }

    fn row(parent: Value, controller: &str, conditions: &[Value]) -> Value {
        json!({"parentRef": parent, "controllerName": controller, "conditions": conditions})
    }

    fn route(parents: Value, rows: &[Value]) -> Value {
        json!({"kind": "HTTPRoute", "metadata": {"namespace": "echo", "generation": 3},
            "spec": {"parentRefs": parents}, "status": {"parents": rows}})
    }

    fn edge() -> Value {
        json!({"name": "edge", "namespace": "infra"})
    }

    fn conditions(accepted: &str, resolved: &str, generation: i64) -> Vec<Value> {
        vec![
            condition("Accepted", accepted, generation),
            condition("ResolvedRefs", resolved, generation),
        ]
    }

    #[test]
    fn a_route_is_accepted_at_its_present_generation_only() {
        let judged = |accepted: &str, resolved: &str, generation: i64| {
            let parent = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge", "namespace": "infra"});
            let rows = [row(
                parent,
                "gateway.envoyproxy.io/c",
                &conditions(accepted, resolved, generation),
            )];
            verdict(&route(json!([edge()]), &rows))
        };
        assert_eq!(judged("True", "True", 3), Some(Verdict::Accepted));
        assert_eq!(judged("True", "True", 2), None, "an older generation");
        let rejected = "Accepted by Gateway infra/edge: Why: so".to_owned();
        assert_eq!(judged("False", "True", 3), Some(Verdict::Rejected(rejected)));
        let warned = "ResolvedRefs by Gateway infra/edge: Why: so".to_owned();
        assert_eq!(judged("True", "False", 3), Some(Verdict::Warning(warned)));
        assert_eq!(verdict(&route(json!([edge()]), &[])), None);
    }

    #[test]
    fn kgateway_says_also_whether_it_programmed_the_route() {
        let judged = |more: Option<(&str, i64)>| {
            let more = more.map(|(status, it)| condition("kgateway.dev/Programmed", status, it));
            let all: Vec<Value> = conditions("True", "True", 3).into_iter().chain(more).collect();
            verdict(&route(json!([edge()]), &[row(edge(), "kgateway.dev/kgateway", &all)]))
        };
        assert_eq!(judged(None), None);
        assert_eq!(judged(Some(("True", 2))), None);
        assert_eq!(judged(Some(("True", 3))), Some(Verdict::Accepted));
        assert!(matches!(judged(Some(("False", 3))), Some(Verdict::Warning(_))));
    }

    #[test]
    fn only_the_parents_that_the_route_names_count_and_each_of_them() {
        let good = row(edge(), "c", &conditions("True", "True", 3));
        let left =
            row(json!({"name": "old", "namespace": "infra"}), "c", &conditions("False", "True", 1));
        assert_eq!(
            verdict(&route(json!([edge()]), &[left, good.clone()])),
            Some(Verdict::Accepted)
        );
        let two = json!([edge(), {"name": "inner", "namespace": "infra"}]);
        assert_eq!(verdict(&route(two.clone(), std::slice::from_ref(&good))), None);
        let inner = |accepted: &str| {
            row(
                json!({"name": "inner", "namespace": "infra"}),
                "c",
                &conditions(accepted, "True", 3),
            )
        };
        assert_eq!(
            verdict(&route(two.clone(), &[good.clone(), inner("True")])),
            Some(Verdict::Accepted)
        );
        assert!(matches!(
            verdict(&route(two, &[good, inner("False")])),
            Some(Verdict::Rejected(_))
        ));
        let section = json!([{"name": "edge", "namespace": "infra", "sectionName": "http"}]);
        let whole = row(edge(), "c", &conditions("True", "True", 3));
        assert_eq!(verdict(&route(section, &[whole])), None, "another part of the Gateway");
    }

    #[test]
    fn a_route_that_names_no_parent_is_judged_by_those_that_select_it() {
        let parent = json!({"kind": "HTTPRoute", "name": "app", "namespace": "infra"});
        let good = row(parent, "c", &conditions("True", "True", 3));
        assert_eq!(verdict(&route(Value::Null, &[])), None, "nobody selects it");
        assert_eq!(verdict(&route(Value::Null, &[good])), Some(Verdict::Accepted));
    }

    #[test]
    fn a_route_is_unnoticed_while_a_parent_that_it_names_has_no_row() {
        let row = |name: &str| {
            row(json!({"name": name, "namespace": "infra"}), "c", &conditions("True", "True", 1))
        };
        let inner = json!({"name": "inner", "namespace": "infra"});
        let is_unnoticed = |parents: Value, rows: &[Value]| is_unnoticed(&route(parents, rows));
        assert!(is_unnoticed(json!([edge()]), &[]));
        assert!(is_unnoticed(json!([edge()]), &[row("inner")]));
        // That it is about an older generation is another matter: it comes by itself.
        assert!(!is_unnoticed(json!([edge()]), &[row("edge")]));
        assert!(is_unnoticed(json!([edge(), inner]), &[row("edge")]));
        assert!(is_unnoticed(Value::Null, &[]));
        assert!(!is_unnoticed(Value::Null, &[row("edge")]));
    }

    #[test]
    fn which_gateway_serves_a_route_is_told_by_its_status() {
        let by = |controllers: &[&str]| {
            let rows: Vec<_> = controllers.iter().map(|name| row(edge(), name, &[])).collect();
            has_clusters_by_rule(&route(json!([edge()]), &rows))
        };
        assert!(by(&["gateway.envoyproxy.io/gatewayclass-controller"]));
        assert!(by(&["kgateway.dev/kgateway", "example.org/another"]));
        assert!(!by(&["kgateway.dev/kgateway"]));
        assert!(!by(&[]), "nobody serves it");
    }

    #[test]
    fn a_route_of_which_a_part_is_not_served_has_a_flaw() {
        let partial = condition("PartiallyInvalid", "True", 3);
        let all = [conditions("True", "True", 3), vec![partial]].concat();
        let judged = verdict(&route(json!([edge()]), &[row(edge(), "c", &all)]));
        assert!(matches!(judged, Some(Verdict::Warning(_))), "{judged:?}");
    }
}
