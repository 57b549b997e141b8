//! Objects that routes name and that are not among those that were read.

use gloo::ObjectRef;
use serde_json::Value;

use super::places::at;
use super::{Lack, Scan};
use crate::migration::not_carried::Cause;
use crate::migration::source::{Source, Sources, Step};

/// Names every reference of an object's routes to options and RouteTables that were not read. Options that nobody has read
/// might keep requests out, so nothing is written of an object that names them.
pub(super) fn scan(sources: &Sources, source: &Source, scan: &mut Scan) {
    let (routes, host) = match source.kind() {
        "VirtualService" => (vec!["spec", "virtualHost", "routes"], true),
        "RouteTable" => (vec!["spec", "routes"], false),
        _ => return,
    };
    let steps = |keys: &[&str]| -> Vec<Step> {
        keys.iter().map(|key| Step::Key((*key).to_owned())).collect()
    };
    if host {
        let holder = &source.value["spec"]["virtualHost"];
        let at = steps(&["spec", "virtualHost"]);
        options(sources, source, holder, "VirtualHostOption", &at, scan);
    }
    let pointer = format!("/{}", routes.join("/"));
    let all = source.value.pointer(&pointer).and_then(Value::as_array).into_iter().flatten();
    for (index, route) in all.enumerate() {
        let mut at = steps(&routes);
        at.push(Step::Index(index));
        options(sources, source, route, "RouteOption", &at, scan);
        table(sources, source, route, &at, scan);
    }
}

fn options(
    sources: &Sources,
    source: &Source,
    holder: &Value,
    kind: &str,
    steps: &[Step],
    scan: &mut Scan,
) {
    let named = holder["optionsConfigRefs"]["delegateOptions"].as_array().into_iter().flatten();
    for (index, reference) in named.enumerate() {
        let object = reference_of(kind, reference, "");
        if sources.get(&object).is_some() {
            continue;
        }
        let keys = ["optionsConfigRefs", "delegateOptions"].map(|key| Step::Key(key.to_owned()));
        let steps = [steps, keys.as_slice(), &[Step::Index(index)]].concat();
        let why = format!(
            "{object} is not among the objects, and might keep requests out: nothing of this object's routes is written"
        );
        let next = "add it to what is read; if it is nowhere, take the reference away";
        scan.not_carried.push(at(source, &steps, Lack::new(Cause::Guard, why, next)));
        scan.blocked.insert(source.reference());
    }
}

fn table(sources: &Sources, source: &Source, route: &Value, steps: &[Step], scan: &mut Scan) {
    let action = &route["delegateAction"];
    let reference = match (&action["name"], &action["ref"], &action["selector"]) {
        (Value::String(_), ..) => action,
        (_, reference, Value::Null) if !reference.is_null() => reference,
        _ => return,
    };
    let object = reference_of("RouteTable", reference, source.namespace());
    if sources.get(&object).is_some() {
        return;
    }
    let steps = [steps, &[Step::Key("delegateAction".to_owned())]].concat();
    let why = format!("{object} is not among the objects: no rule is written for it");
    let next = "add it to what is read; if it is nowhere, take the route away";
    scan.not_carried.push(at(source, &steps, Lack::new(Cause::Route, why, next)));
}

/// The object that a reference means; without a namespace it is in this one.
fn reference_of(kind: &str, reference: &Value, namespace: &str) -> ObjectRef {
    let text = |key: &str| reference[key].as_str().filter(|text| !text.is_empty());
    ObjectRef::new(kind, text("namespace").unwrap_or(namespace), text("name").unwrap_or_default())
}
