//! What `coalmine.yaml` gives to every service, and a service's own values over it.

use std::sync::Arc;

use super::gateway::GatewayChoice;
use super::names::Weight;
use super::node::{Data, Extent, Node};

/// What every service says that does not say otherwise.
#[derive(Debug)]
pub(super) struct Defaults {
    pub(super) node: Arc<Node>,
    pub(super) extent: Extent,
    /// Which API routes are written in.
    pub(super) gateway: GatewayChoice,
    /// `policy.maxStep`, which ladders of the autopilot keep.
    pub(super) max_step: Option<Weight>,
}

impl Defaults {
    pub(super) fn new(node: Arc<Node>) -> Self {
        Self { extent: node.extent(), node, gateway: GatewayChoice::default(), max_step: None }
    }

    /// The same with what stands in `gateway` beside them.
    pub(super) fn with_gateway(self, gateway: GatewayChoice) -> Self {
        Self { gateway, ..self }
    }

    /// The same with `policy.maxStep` beside them.
    pub(super) fn with_max_step(self, max_step: Option<Weight>) -> Self {
        Self { max_step, ..self }
    }
}

/// How much a service holds at most, the defaults in it counted for each of its versions.
pub(super) fn extent(root: &Node, defaults: Option<&Defaults>) -> Extent {
    let mut extent = root.extent();
    if let Some(defaults) = defaults {
        let versions = match root.get("deployment").map(|node| &node.data) {
            Some(Data::Mapping(versions)) => versions.len(),
            _ => 0,
        };
        extent += defaults.extent.times(versions + 1);
    }
    extent
}

/// The service's own values over the defaults, key by key.
pub(super) fn with_defaults(own: &Arc<Node>, defaults: Option<&Arc<Node>>) -> Arc<Node> {
    let (Some(defaults), Data::Mapping(entries)) = (defaults, &own.data) else {
        return own.clone();
    };
    let mut entries = entries.clone();
    for (key, node) in &mut entries {
        let Some(defaults) = defaults.get(&key.name) else { continue };
        *node = match key.name.as_str() {
            "deployment" => with_version_defaults(node, defaults),
            "routes" => with_route_defaults(node, defaults),
            "service" | "drift" | "upstream" | "autopilot" => Node::merge(defaults, node),
            _ => continue,
        };
    }
    if let Data::Mapping(defaults) = &defaults.data {
        for (key, node) in defaults.iter().filter(|(key, _)| own.get(&key.name).is_none()) {
            match key.name.as_str() {
                "routes" => entries.push((key.clone(), routes_without_canary(node))),
                "service" | "drift" | "upstream" | "autopilot" => {
                    entries.push((key.clone(), node.clone()));
                }
                _ => {}
            }
        }
    }
    Arc::new(Node { at: own.at.clone(), data: Data::Mapping(entries) })
}

fn with_version_defaults(deployment: &Arc<Node>, defaults: &Arc<Node>) -> Arc<Node> {
    let Data::Mapping(versions) = &deployment.data else { return deployment.clone() };
    let merged = versions.iter().map(|(key, node)| {
        let external = node.get("external").is_some_and(|external| !external.is_null());
        let node = if external { node.clone() } else { Node::merge(defaults, node) };
        (key.clone(), node)
    });
    let data = Data::Mapping(merged.collect());
    Arc::new(Node { at: deployment.at.clone(), data })
}

/// The default routes of a service that names no canary: a default canary only completes one.
fn routes_without_canary(defaults: &Arc<Node>) -> Arc<Node> {
    defaults.only(|key| key != "canary")
}

/// The service's own routes over the defaults. Of `apiGroup` and `domains` the service's own
/// one stands alone.
fn with_route_defaults(own: &Arc<Node>, defaults: &Arc<Node>) -> Arc<Node> {
    let has = |name: &str| own.get(name).is_some_and(|node| !node.is_null());
    let fitting = defaults.only(|key| match key {
        "canary" => has("canary"),
        "apiGroup" => !has("domains"),
        "domains" => !has("apiGroup"),
        _ => true,
    });
    Node::merge(&fitting, own)
}
