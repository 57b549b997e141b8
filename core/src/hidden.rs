//! What nobody is shown: the values of Secrets, wherever they are repeated.
//!
//! Hidden are the values in a Secret's `data` and `stringData`, its annotations (an applied configuration
//! repeats the values, also earlier ones), the annotation of any object in which `kubectl apply` keeps
//! what it applied, and the value of an environment variable that comes from a Secret on one of the two
//! sides, since whoever copied it out of there has not made it public.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::object::{decoded, is_secret};

/// Stands for a value that is the same on both sides, or is on one side only.
pub const HIDDEN: &str = "***";
/// Stands for a value on the one side that is another on the other, as `kubectl diff` says it.
pub const BEFORE: &str = "*** (before)";
/// Stands for that other value.
pub const AFTER: &str = "*** (after)";

/// What `kubectl apply` keeps in an annotation.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Annotations of our own repeat no values.
const OURS: &str = "coalmine.dev/";

/// Two states of one object, of which only whether a secret value differs is left.
pub fn hide(before: Option<&Value>, after: Option<&Value>) -> [Option<Value>; 2] {
    let mut states = [before.cloned(), after.cloned()];
    let is_secret = states.iter().flatten().any(is_secret);
    let mut variables = BTreeSet::new();
    states.iter().flatten().for_each(|state| secret_variables(state, &mut variables));
    let [before, after] = &mut states;
    let pair = Pair { before: before.as_mut(), after: after.as_mut() };
    pair.hide(is_secret, &variables);
    states
}

/// Whether the object is a Secret, and a text repeats one of its values, as it stands there or decoded.
/// Values of less than three bytes are in any text, and not looked for.
pub fn repeats_a_value(secret: &Value, text: &str) -> bool {
    if !is_secret(secret) {
        return false;
    }
    let values = ["data", "stringData"].into_iter().filter_map(|field| secret[field].as_object());
    values.flat_map(Map::values).any(|value| {
        let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let decoded = decoded(&plain);
        let quoted = |value: &str| value.escape_debug().to_string();
        [Some(plain), decoded].into_iter().flatten().any(|value| {
            value.len() > 2 && (text.contains(&value) || text.contains(&quoted(&value)))
        })
    })
}

/// Whether a file seems to hold a Secret.
pub fn holds_a_secret(text: &str) -> bool {
    text.lines().any(|line| {
        let words = line.replace(['"', '\'', ',', '{', '}'], " ");
        let mut words =
            words.split_whitespace().skip_while(|word| *word != "kind:" && *word != "kind");
        words.find(|word| !matches!(*word, "kind:" | "kind" | ":")) == Some("Secret")
    })
}

/// A part of an object in both states.
struct Pair<'a> {
    before: Option<&'a mut Value>,
    after: Option<&'a mut Value>,
}

impl Pair<'_> {
    fn at(&mut self, pointer: &str) -> Pair<'_> {
        Pair {
            before: self.before.as_mut().and_then(|value| value.pointer_mut(pointer)),
            after: self.after.as_mut().and_then(|value| value.pointer_mut(pointer)),
        }
    }

    fn hide(mut self, is_secret: bool, variables: &BTreeSet<String>) {
        let is_kept = |name: &str| name.starts_with(OURS);
        if is_secret {
            self.at("/data").hide_fields(|_| true);
            self.at("/stringData").hide_fields(|_| true);
            self.at("/metadata/annotations").hide_fields(|name| !is_kept(name));
        }
        self.at("/metadata/annotations").hide_fields(|name| name == LAST_APPLIED);
        if !variables.is_empty() {
            let mut found = [Vec::new(), Vec::new()];
            for (values, state) in found.iter_mut().zip([self.before, self.after]) {
                values_of(state, variables, values);
            }
            let [before, after] = found;
            hide_values(before, after);
        }
    }

    /// Hides the fields whose names fit. What is no map is hidden as a whole.
    fn hide_fields(self, fits: impl Fn(&str) -> bool) {
        let is_map = |state: &Option<&mut Value>| {
            state.as_ref().is_none_or(|value| value.is_object() || value.is_null())
        };
        if !is_map(&self.before) || !is_map(&self.after) {
            return hide_pair(self.before, self.after);
        }
        let fields = |state: Option<&Value>| -> BTreeSet<String> {
            let fields = state.and_then(Value::as_object).into_iter().flat_map(Map::keys);
            fields.filter(|name| fits(name)).cloned().collect()
        };
        let mut names = fields(self.before.as_deref());
        names.extend(fields(self.after.as_deref()));
        let Self { mut before, mut after } = self;
        for name in names {
            hide_pair(
                before.as_mut().and_then(|state| state.get_mut(&name)),
                after.as_mut().and_then(|state| state.get_mut(&name)),
            );
        }
    }
}

fn hide_pair(before: Option<&mut Value>, after: Option<&mut Value>) {
    match (before, after) {
        (Some(before), Some(after)) if before != after => {
            *before = BEFORE.into();
            *after = AFTER.into();
        }
        (before, after) => before.into_iter().chain(after).for_each(|value| *value = HIDDEN.into()),
    }
}

/// Hides the values of variables, those of the same place and name as a pair.
fn hide_values(before: Vec<(String, &mut Value)>, after: Vec<(String, &mut Value)>) {
    let mut after: Vec<_> = after.into_iter().map(|(place, value)| (place, Some(value))).collect();
    for (place, value) in before {
        let other = after.iter_mut().find(|(other, value)| *other == place && value.is_some());
        hide_pair(Some(value), other.and_then(|(_, value)| value.take()));
    }
    after.into_iter().for_each(|(_, value)| hide_pair(None, value));
}

/// The names of variables that come from a Secret, anywhere in an object.
fn secret_variables(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if fields.get("valueFrom").is_some_and(|from| from.get("secretKeyRef").is_some())
                && let Some(name) = fields.get("name").and_then(Value::as_str)
            {
                names.insert(name.to_owned());
            }
            fields.values().for_each(|field| secret_variables(field, names));
        }
        Value::Array(items) => items.iter().for_each(|item| secret_variables(item, names)),
        _ => {}
    }
}

/// The values of variables of these names, anywhere in an object, each with the name.
fn values_of<'a>(
    value: Option<&'a mut Value>,
    names: &BTreeSet<String>,
    found: &mut Vec<(String, &'a mut Value)>,
) {
    match value {
        Some(Value::Object(fields)) => {
            let name =
                fields.get("name").and_then(Value::as_str).filter(|name| names.contains(*name));
            let name = name.map(str::to_owned);
            for (field, value) in fields {
                match &name {
                    Some(name) if field == "value" => found.push((name.clone(), value)),
                    _ => values_of(Some(value), names, found),
                }
            }
        }
        Some(Value::Array(items)) => {
            items.iter_mut().for_each(|item| values_of(Some(item), names, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(password: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "annotations": {
            LAST_APPLIED: format!("{{\"data\": \"{password}\"}}"), "tool/applied": password,
            "coalmine.dev/revision": "a"}}, "data": {"password": password, "user": "same"}})
    }

    #[test]
    fn of_a_secret_is_shown_what_differs_and_no_value() {
        let [before, after] = hide(Some(&secret("aHVudGVy")), Some(&secret("b3RoZXI=")));
        let (before, after) = (before.expect("one"), after.expect("one"));
        assert_eq!(before["data"], json!({"password": BEFORE, "user": HIDDEN}));
        assert_eq!(after["data"], json!({"password": AFTER, "user": HIDDEN}));
        assert_eq!(after["metadata"]["annotations"]["coalmine.dev/revision"], "a");
        for text in [before.to_string(), after.to_string()] {
            assert!(!text.contains("aHVudGVy") && !text.contains("b3RoZXI="), "{text}");
        }
        let [none, alone] = hide(None, Some(&secret("aHVudGVy")));
        assert_eq!(none, None);
        assert!(!alone.expect("one").to_string().contains("aHVudGVy"));
        let mut odd = secret("a");
        odd["data"] = json!(["aHVudGVy"]);
        let [_, odd] = hide(Some(&secret("b")), Some(&odd));
        assert!(!odd.expect("one").to_string().contains("aHVudGVy"));
    }

    #[test]
    fn a_variable_that_comes_from_a_secret_on_one_side_is_hidden_on_both() {
        let pod = |env: Value| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"annotations": {
                LAST_APPLIED: "hunter"}}, "spec": {"containers": [{"env": env}]}})
        };
        let wanted = pod(json!([{"name": "A", "value": "shown"},
            {"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}}]));
        let found = pod(json!([{"name": "A", "value": "other"}, {"name": "P", "value": "hunter"},
            {"name": "more", "value": "x"}]));
        let [found, wanted] = hide(Some(&found), Some(&wanted));
        let (found, wanted) = (found.expect("one"), wanted.expect("one"));
        assert_eq!(found["spec"]["containers"][0]["env"][1]["value"], HIDDEN);
        assert_eq!(found["spec"]["containers"][0]["env"][0]["value"], "other");
        assert_eq!(wanted["spec"]["containers"][0]["env"][0]["value"], "shown");
        assert!(!found.to_string().contains("hunter") && !wanted.to_string().contains("hunter"));
    }

    #[test]
    fn a_file_with_a_secret_is_known_however_it_is_written() {
        for file in [
            "a: 1\nkind: Secret\n",
            "{\"kind\": \"Secret\"}",
            "kind: 'Secret' # one",
            "{kind: Secret}",
            "{\"apiVersion\":\"v1\", \"kind\" : \"Secret\"}",
        ] {
            assert!(holds_a_secret(file), "{file}");
        }
        for file in ["kind: SecretStore", "name: Secret\nkind: ConfigMap", ""] {
            assert!(!holds_a_secret(file), "{file}");
        }
    }

    #[test]
    fn a_text_that_repeats_a_value_is_known() {
        let secret = secret("aHVudGVyMg==");
        for text in ["got aHVudGVyMg== here", "got hunter2 here"] {
            assert!(repeats_a_value(&secret, text), "{text}");
        }
        assert!(!repeats_a_value(&secret, "data: expected map"));
    }
}
