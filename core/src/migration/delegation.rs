//! RouteTables that a VirtualService selects by one label, as children of kgateway's delegation.
//!
//! The others get the hosts of the VirtualService and attach to the Gateway themselves, which means the same.

use std::collections::{BTreeMap, BTreeSet};

use gloo::ObjectRef;
use serde_json::{Map, Value, json};

use super::source::{Source, Sources};
use super::target::Target;

/// The group of a reference to HTTPRoutes by their label.
const GROUP: &str = "delegation.kgateway.dev";

/// Which RouteTables become children, and what selects them.
#[derive(Debug, Default)]
pub(super) struct Delegation {
    children: BTreeMap<ObjectRef, String>,
    parents: BTreeMap<ObjectRef, Vec<Map<String, Value>>>,
}

/// A route that leads to RouteTables.
struct Delegating<'a> {
    owner: &'a Source,
    action: &'a Value,
    /// The prefixes below which it leads there and the label's key and value, if kgateway can say the same.
    plain: Option<(Vec<&'a str>, &'a str, &'a str)>,
}

impl Delegation {
    /// What of the objects' delegation kgateway can say; nothing for another profile.
    pub(super) fn of(sources: &Sources, target: &Target) -> Self {
        let mut delegation = Self::default();
        if !target.profile.delegates() {
            return delegation;
        }
        let all: Vec<Delegating<'_>> = sources.all().flat_map(delegating).collect();
        let ambiguous = ambiguous(&all);
        for table in sources.of_kind("gateway.solo.io", "RouteTable") {
            let leading: Vec<&Delegating<'_>> = all.iter().filter(|it| it.selects(table)).collect();
            let Some(first) = leading.first() else { continue };
            let Some((_, key, value)) = first.plain else { continue };
            let is_same = |it: &&Delegating<'_>| {
                it.owner.reference() == first.owner.reference()
                    && it.plain.as_ref().is_some_and(|it| (it.1, it.2) == (key, value))
            };
            if leading.iter().all(is_same) && !ambiguous.contains(value) {
                delegation.children.insert(table.reference(), value.to_owned());
            }
        }
        let tables: Vec<&Source> = sources.of_kind("gateway.solo.io", "RouteTable").collect();
        for it in &all {
            let Some((prefixes, _, value)) = &it.plain else { continue };
            let is_child = |table: &&&Source| delegation.children.contains_key(&table.reference());
            if tables.iter().filter(is_child).any(|table| it.selects(table)) {
                let rule = parent(prefixes, value, &it.namespaces());
                delegation.parents.entry(it.owner.reference()).or_default().push(rule);
            }
        }
        delegation
    }

    /// The value of the label by which a parent selects what becomes of this RouteTable.
    pub(super) fn label(&self, table: &ObjectRef) -> Option<&str> {
        self.children.get(table).map(String::as_str)
    }

    /// The rules by which what becomes of this VirtualService selects its children.
    pub(super) fn rules(&self, virtual_service: &ObjectRef) -> Vec<Map<String, Value>> {
        self.parents.get(virtual_service).cloned().unwrap_or_default()
    }
}

/// Values of more than one label: kgateway has one label for all.
fn ambiguous<'a>(all: &[Delegating<'a>]) -> BTreeSet<&'a str> {
    let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, key, value) in all.iter().filter_map(|it| it.plain.as_ref()) {
        keys.entry(value).or_default().insert(key);
    }
    keys.into_iter().filter(|(_, keys)| keys.len() > 1).map(|(value, _)| value).collect()
}

/// The rule by which a parent selects routes with a label below these prefixes; the namespace `*` is all.
pub(super) fn parent(prefixes: &[&str], label: &str, namespaces: &[&str]) -> Map<String, Value> {
    let path = |prefix: &&str| json!({"path": {"type": "PathPrefix", "value": prefix}});
    let backend = |namespace: &&str| {
        let namespace = if *namespace == "*" { "all" } else { namespace };
        json!({"group": GROUP, "kind": "label", "name": label, "namespace": namespace})
    };
    let mut rule = Map::new();
    rule.insert("matches".into(), prefixes.iter().map(path).collect());
    rule.insert("backendRefs".into(), namespaces.iter().map(backend).collect());
    rule
}

/// The routes of an object that lead to RouteTables.
fn delegating(owner: &Source) -> Vec<Delegating<'_>> {
    let pointer = match (owner.group(), owner.kind()) {
        ("gateway.solo.io", "VirtualService") => "/spec/virtualHost/routes",
        ("gateway.solo.io", "RouteTable") => "/spec/routes",
        _ => return Vec::new(),
    };
    let routes = owner.value.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    routes
        .filter(|route| !route["delegateAction"].is_null())
        .map(|route| Delegating {
            owner,
            action: &route["delegateAction"],
            plain: plain(owner, route),
        })
        .collect()
}

/// The prefixes, and the label's key and value, of a route that does no more than to select by one label.
fn plain<'a>(owner: &Source, route: &'a Value) -> Option<(Vec<&'a str>, &'a str, &'a str)> {
    let fields = route.as_object()?;
    let is_known = |key: &str| matches!(key, "name" | "matchers" | "delegateAction");
    if owner.kind() != "VirtualService" || !fields.keys().all(|key| is_known(key)) {
        return None;
    }
    let matchers = route["matchers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let prefix = |matcher: &'a Value| -> Option<&'a str> {
        let fields = matcher.as_object()?;
        if fields.len() == 1 { fields.get("prefix")?.as_str() } else { None }
    };
    let mut prefixes = matchers.iter().map(prefix).collect::<Option<Vec<&str>>>()?;
    if prefixes.is_empty() {
        prefixes.push("/");
    }
    let selector = &route["delegateAction"]["selector"];
    let is_more = |key: &String| !matches!(key.as_str(), "labels" | "namespaces");
    if selector.as_object()?.keys().any(is_more) || !route["delegateAction"]["ref"].is_null() {
        return None;
    }
    let mut labels = selector["labels"].as_object()?.iter();
    let (key, value) = labels.next()?;
    match labels.next() {
        None => Some((prefixes, key, value.as_str()?)),
        Some(_) => None,
    }
}

impl Delegating<'_> {
    /// The namespaces in which it looks; `*` is all.
    fn namespaces(&self) -> Vec<&str> {
        let listed = self.action["selector"]["namespaces"].as_array().into_iter().flatten();
        let listed: Vec<&str> = listed.filter_map(Value::as_str).collect();
        if listed.is_empty() { vec![self.owner.namespace()] } else { listed }
    }

    /// Whether it leads to the RouteTable, or might.
    fn selects(&self, table: &Source) -> bool {
        let reference = match &self.action["ref"] {
            Value::Null => self.action,
            reference => reference,
        };
        if let Some(name) = reference["name"].as_str() {
            let namespace = reference["namespace"].as_str().unwrap_or(self.owner.namespace());
            return name == table.name() && namespace == table.namespace();
        }
        let namespaces = self.namespaces();
        let labels = self.action["selector"]["labels"].as_object().into_iter().flatten();
        let mut labels =
            labels.map(|(key, value)| &table.value["metadata"]["labels"][key] == value);
        // What expressions select is not told apart here.
        namespaces.iter().any(|it| *it == "*" || *it == table.namespace()) && labels.all(|it| it)
    }
}
