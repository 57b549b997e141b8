//! The labels by which anything tells pods apart.

use std::collections::{BTreeMap, BTreeSet};

use gloo::ObjectRef;
use serde_json::Value;

use crate::migration::backends::{Labels, selector, upstreams};
use crate::migration::source::{Source, Sources};

/// The keys of labels that tell pods apart for anything.
pub(super) fn keys(sources: &Sources) -> BTreeSet<String> {
    let mut keys = BTreeSet::from(["app", "version"].map(str::to_owned));
    for service in sources.of_kind("", "Service") {
        keys.extend(selector(&service.value).into_keys());
    }
    for upstream in upstreams(sources).into_values() {
        keys.extend(upstream.selector.into_keys());
        let selectors = upstream.source.value.pointer("/spec/kube/subsetSpec/selectors");
        let selectors = selectors.and_then(Value::as_array).into_iter().flatten();
        let named = selectors.flat_map(|it| it["keys"].as_array().into_iter().flatten());
        keys.extend(named.filter_map(|key| Some(key.as_str()?.to_owned())));
    }
    keys
}

/// The labels of the pods that the objects run, by namespace, as far as they tell pods apart.
pub(super) fn templates(sources: &Sources, keys: &BTreeSet<String>) -> Vec<(String, Labels)> {
    let of = |source: &Source| -> Option<(String, Labels)> {
        let pod = match (source.group(), source.kind()) {
            ("apps", "Deployment" | "StatefulSet" | "DaemonSet")
                if source.value["spec"]["replicas"] != 0 =>
            {
                &source.value["spec"]["template"]
            }
            ("", "Pod") => &source.value,
            _ => return None,
        };
        let mut labels = labels(&pod["metadata"]["labels"]);
        labels.retain(|key, _| keys.contains(key));
        Some((source.namespace().to_owned(), labels))
    };
    sources.all().filter_map(of).collect()
}

/// The subsets that anything names, by the Upstream.
pub(super) fn subsets(sources: &Sources) -> BTreeMap<ObjectRef, BTreeSet<Labels>> {
    let mut found = Subsets::new();
    for source in sources.all().filter(|source| source.is_gloo()) {
        gather(&source.value, source.namespace(), &mut found);
        if let Some(default) = source.value.pointer("/spec/kube/subsetSpec/defaultSubset/values") {
            found.entry(source.reference()).or_default().insert(labels(default));
        }
    }
    found
}

type Subsets = BTreeMap<ObjectRef, BTreeSet<Labels>>;

fn gather(value: &Value, namespace: &str, found: &mut Subsets) {
    match value {
        Value::Object(fields) => {
            let named = fields.get("upstream");
            if let Some((name, subset)) = named.zip(value.pointer("/subset/values")) {
                let of = name["namespace"].as_str().unwrap_or(namespace);
                let name = name["name"].as_str().unwrap_or_default();
                let upstream = ObjectRef::new("Upstream", of, name);
                found.entry(upstream).or_default().insert(labels(subset));
            }
            fields.values().for_each(|inner| gather(inner, namespace, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| gather(inner, namespace, found)),
        _ => {}
    }
}

fn labels(value: &Value) -> Labels {
    let all = value.as_object().into_iter().flatten();
    all.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
