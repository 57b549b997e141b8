//! Which RouteTables a delegation means, and label conditions as Kubernetes checks them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mistake::Mistake;
use super::view::Seen;
use crate::api::{
    DelegateAction, Expression, Operator, ResourceRef, RouteTableSelector, RouteTableSpec,
};
use crate::code::Code;

/// The tables that `action` of an object in `owner` means, in the order of namespace and name.
///
/// # Errors
/// Why there are none; Gloo makes a warning of it.
pub(super) fn select(
    action: &DelegateAction,
    owner: &str,
    tables: &Seen<RouteTableSpec>,
) -> Result<Vec<Arc<ResourceRef>>, Mistake> {
    if let Some(reference) = reference(action) {
        let missing = || {
            let words = format!("route table {} missing", reference.key());
            Mistake::new(Code::MissingRouteTable, words)
        };
        let (found, _) = tables.get_key_value(&reference).ok_or_else(missing)?;
        return Ok(vec![Arc::clone(found)]);
    }
    let Some(selector) = &action.selector else {
        let words = "cannot determine delegation target: you must specify a route table either via \
                     a resource reference or a selector";
        return Err(Mistake::new(Code::NoDelegationTarget, words));
    };
    let selected = by_selector(selector, owner, tables)?;
    if selected.is_empty() {
        let words = "no route table matches the given selector";
        return Err(Mistake::new(Code::NoRouteTableSelected, words));
    }
    Ok(selected)
}

/// The table that `action` names. The deprecated form wins over both others, and the selector over `ref`: it is
/// declared after it (gloo-conformance case 02-delegate-ref).
pub(super) fn reference(action: &DelegateAction) -> Option<ResourceRef> {
    let old_form = !action.name.is_empty() || !action.namespace.is_empty();
    if old_form {
        return Some(ResourceRef::new(&action.namespace, &action.name));
    }
    action.reference.clone().filter(|_| action.selector.is_none())
}

fn by_selector(
    selector: &RouteTableSelector,
    owner: &str,
    tables: &Seen<RouteTableSpec>,
) -> Result<Vec<Arc<ResourceRef>>, Mistake> {
    if !selector.labels.is_empty() && !selector.expressions.is_empty() {
        let words = "cannot use both labels and expressions within the same selector";
        return Err(Mistake::new(Code::InvalidSelector, words));
    }
    for expression in &selector.expressions {
        check(expression).map_err(|mistake| {
            mistake.within(|e| format!("{e}: the route table selector expression is invalid"))
        })?;
    }
    let in_namespace = |namespace: &str| match selector.namespaces.as_slice() {
        [] => namespace == owner,
        names => names.iter().any(|name| name == "*" || name == namespace),
    };
    let selected = tables.iter().filter(|(reference, table)| {
        let labels = &table.labels;
        in_namespace(&reference.namespace)
            && has_labels(labels, &selector.labels)
            && selector.expressions.iter().all(|expression| holds(expression, labels))
    });
    Ok(selected.map(|(reference, _)| Arc::clone(reference)).collect())
}

/// Whether `labels` holds all of `wanted`.
pub(super) fn has_labels(
    labels: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Whether the condition holds.
pub(super) fn holds(expression: &Expression, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&expression.key);
    let among = value.is_some_and(|value| expression.values.contains(value));
    let number = |text: &str| text.parse::<i64>().ok();
    let limit = expression.values.first().and_then(|text| number(text));
    let compared = value.and_then(|text| number(text)).zip(limit);
    match expression.operator {
        Operator::Equals | Operator::DoubleEquals | Operator::In => among,
        Operator::NotEquals | Operator::NotIn => !among,
        Operator::Exists => value.is_some(),
        Operator::DoesNotExist => value.is_none(),
        Operator::GreaterThan => compared.is_some_and(|(value, limit)| value > limit),
        Operator::LessThan => compared.is_some_and(|(value, limit)| value < limit),
    }
}

/// Kubernetes' rules for a condition.
///
/// # Errors
/// Kubernetes' words for the rule that is broken.
pub(super) fn check(expression: &Expression) -> Result<(), Mistake> {
    let values = &expression.values;
    let invalid = |rule: &str| {
        let given = match values.is_empty() {
            true => "null".to_owned(),
            false => serde_json::to_string(values).unwrap_or_default(),
        };
        let words = format!("values: Invalid value: {given}: {rule}");
        Err(Mistake::new(Code::InvalidSelector, words))
    };
    match expression.operator {
        Operator::In | Operator::NotIn if values.is_empty() => {
            invalid("for 'in', 'notin' operators, values set can't be empty")
        }
        Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values.len() != 1 => {
            invalid("exact-match compatibility requires one single value")
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            invalid("values set must be empty for exists and does not exist")
        }
        Operator::GreaterThan | Operator::LessThan if values.len() != 1 => {
            invalid("for 'Gt', 'Lt' operators, exactly one value is required")
        }
        Operator::GreaterThan | Operator::LessThan if values[0].parse::<i64>().is_err() => {
            let words = format!(
                "values[0]: Invalid value: {:?}: for 'Gt', 'Lt' operators, the value must be an \
                 integer",
                values[0]
            );
            Err(Mistake::new(Code::InvalidSelector, words))
        }
        _ => Ok(()),
    }
}
