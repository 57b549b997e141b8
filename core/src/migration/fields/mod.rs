//! Which fields of the objects nothing is made of.

mod known;
mod places;
mod unread;

use std::collections::BTreeSet;

use gloo::config::{Action, Target};
use gloo::{ObjectRef, Translation};
use serde_json::Value;

use super::not_carried::{Cause, NotCarried};
use super::source::{Source, Sources, Step};
use known::{CARRIED, HARMLESS, OPTIONS, ROUTE, below};
use places::at;
pub(super) use places::{Lack, of_field, of_route};

/// What is found in the objects before anything is written.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) not_carried: Vec<NotCarried>,
    /// Objects of which nothing may be written, because requests would be answered that are not answered now.
    blocked: BTreeSet<ObjectRef>,
    /// One of those delegates, so that nothing of any RouteTable may be written.
    blocks_tables: bool,
}

impl Scan {
    /// Whether nothing of the object's routes may be written.
    pub(super) fn blocks(&self, object: &ObjectRef) -> bool {
        self.blocked.contains(object) || self.blocks_tables && object.kind == "RouteTable"
    }
}

/// What is said of other kinds of Gloo's.
const OTHER_KIND: &str = "nothing is made of objects of this kind";

/// Looks at every field of Gloo's objects. Of Upstreams those count that a route leads to: Gloo's discovery makes one of
/// every Service.
pub(super) fn scan(sources: &Sources, translation: &Translation) -> Scan {
    let mut scan = Scan::default();
    let used = used(translation);
    for source in sources.all().filter(|source| source.is_gloo()) {
        let is_upstream = source.kind() == "Upstream";
        if is_upstream && !used.contains(source.reference().resource().cluster().as_str()) {
            continue;
        }
        let Some((_, carried)) = CARRIED.iter().find(|(kind, _)| *kind == source.kind()) else {
            let next = "say it by what the new gateway has for it";
            let lack = Lack::new(Cause::Object, OTHER_KIND, next);
            scan.not_carried.push(at(source, &[], lack));
            continue;
        };
        let spec = Step::Key("spec".to_owned());
        let routes: &[&str] = match source.kind() {
            "VirtualService" => &["spec", "virtualHost", "routes"],
            "RouteTable" => &["spec", "routes"],
            _ => &[],
        };
        walk(source, &source.value["spec"], &mut vec![spec], "", carried, routes, &mut scan);
        unread::scan(sources, source, &mut scan);
    }
    scan.blocks_tables = sources.all().any(|source| {
        scan.blocked.contains(&source.reference())
            && source.value.to_string().contains("\"delegateAction\":")
    });
    scan
}

/// The names of the clusters that routes lead to.
fn used(translation: &Translation) -> BTreeSet<&str> {
    let mut used = BTreeSet::new();
    for route in translation.desired_hosts().flat_map(|host| &host.routes) {
        let Action::Forward(forward) = &route.action else { continue };
        used.extend(forward.mirrors.iter().map(|copy| copy.cluster.as_str()));
        match &forward.target {
            Target::Cluster { name, .. } => {
                used.insert(name.as_str());
            }
            Target::Weighted { clusters, .. } => {
                used.extend(clusters.iter().map(|cluster| cluster.name.as_str()));
            }
            _ => {}
        }
    }
    used
}

fn walk(
    source: &Source,
    value: &Value,
    steps: &mut Vec<Step>,
    name: &str,
    carried: &[&str],
    routes: &[&str],
    scan: &mut Scan,
) {
    let Some(fields) = value.as_object() else { return };
    for (key, inner) in fields.iter().filter(|(_, inner)| !is_nothing(inner)) {
        steps.push(Step::Key(key.clone()));
        let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        let here: Vec<&str> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Index(_) => None,
            })
            .collect();
        if !routes.is_empty() && here == *routes {
            for (index, route) in inner.as_array().into_iter().flatten().enumerate() {
                steps.push(Step::Index(index));
                let carried = [ROUTE, OPTIONS].concat();
                walk(source, route, steps, "", &carried, &[], scan);
                steps.pop();
            }
        } else if carried == ["*"] {
            // It is carried over.
        } else if carried.contains(&name.as_str()) {
            if let Some(carried) = below(key) {
                inside(source, inner, steps, "", carried, &[], scan);
            }
        } else if carried.iter().any(|it| it.starts_with(&format!("{name}.")))
            || inner.is_object()
                && (name == "options" || name == "virtualHost" || name == "virtualHost.options")
        {
            inside(source, inner, steps, &name, carried, routes, scan);
        } else {
            unsaid(source, steps, &name, scan);
        }
        steps.pop();
    }
}

/// Looks at what a field holds, at each item where it is a list.
fn inside(
    source: &Source,
    value: &Value,
    steps: &mut Vec<Step>,
    name: &str,
    carried: &[&str],
    routes: &[&str],
    scan: &mut Scan,
) {
    let Some(items) = value.as_array() else {
        walk(source, value, steps, name, carried, routes, scan);
        return;
    };
    for (index, item) in items.iter().enumerate() {
        steps.push(Step::Index(index));
        walk(source, item, steps, name, carried, routes, scan);
        steps.pop();
    }
}

/// Whether the value is what the field means where it is absent.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn unsaid(source: &Source, steps: &[Step], name: &str, scan: &mut Scan) {
    let plain = name.strip_prefix("virtualHost.").unwrap_or(name);
    let lack = if HARMLESS.contains(&plain) {
        Lack::new(
            Cause::Policy,
            "the routes are written without it; the same requests reach the same pods",
            "say it by a policy of the new gateway, if you need it",
        )
    } else {
        match source.kind() {
            "VirtualService" if name == "sslConfig" => Lack::new(
                Cause::Tls,
                "TLS ends at the Gateway, and routes behind TLS are not written",
                "give the Gateway a listener with the certificate, take sslConfig out of what is read, and run this \
                 again with --gateway NAMESPACE/NAME/LISTENER",
            ),
            "VirtualService" | "RouteTable" => {
                scan.blocked.insert(source.reference());
                Lack::new(
                    Cause::Guard,
                    "without it requests might be answered that are not answered now: nothing of this object's routes \
                     is written",
                    "say it by a policy of the new gateway, take it out of what is read, and run this again",
                )
            }
            kind => Lack::new(
                Cause::Guard,
                format!("what is written does not say this of the {kind}"),
                "say it by a policy of the new gateway before requests come in by it",
            ),
        }
    };
    scan.not_carried.push(at(source, steps, lack));
}
