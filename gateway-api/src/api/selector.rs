use std::collections::BTreeMap;

use serde::Deserialize;

/// A condition on labels, as Kubernetes writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must be there with these values.
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions; all must hold.
    pub match_expressions: Vec<Requirement>,
}

/// A condition on one label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// The values of `In` and `NotIn`.
    pub values: Vec<String>,
}

impl LabelSelector {
    /// Whether labels fulfil all conditions; an empty selector takes all.
    pub fn takes(&self, labels: &BTreeMap<String, String>) -> bool {
        let equal = self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        equal && self.match_expressions.iter().all(|requirement| requirement.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            "NotIn" => value.is_none_or(|value| !self.values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_of_a_selector_has_to_hold() {
        let selector = |value| crate::api::decode::<LabelSelector>(&value).expect("a selector");
        let labels = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
        for (text, expected) in [
            (serde_json::json!({}), true),
            (serde_json::json!({ "matchLabels": { "team": "a" } }), true),
            (serde_json::json!({ "matchLabels": { "team": "a", "x": "y" } }), false),
            (expression("In", &["a", "b"]), true),
            (expression("NotIn", &["a"]), false),
            (expression("Exists", &[]), true),
            (expression("DoesNotExist", &[]), false),
            (expression("Nonsense", &[]), false),
        ] {
            assert_eq!(selector(text.clone()).takes(&labels), expected, "{text}");
        }
    }

    fn expression(operator: &str, values: &[&str]) -> serde_json::Value {
        let requirement =
            serde_json::json!({ "key": "team", "operator": operator, "values": values });
        serde_json::json!({ "matchExpressions": [requirement] })
    }
}
