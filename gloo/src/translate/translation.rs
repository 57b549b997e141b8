//! What comes of a translation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Finding, Memory, Note, Refused};
use crate::api::{ObjectRef, Status};
use crate::config::{Cluster, Listener, RouteConfiguration, VirtualHost};

/// What Gloo and the Envoys of its proxies make of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation {
    /// What Envoys listen on, by proxy and name. Elsewhere connections are refused.
    pub listeners: Vec<Listener>,
    /// What they serve there. Of what Envoy refuses this is what it took last.
    pub routes: Vec<RouteConfiguration>,
    /// The clusters, as every Envoy has them.
    pub clusters: Vec<Cluster>,
    /// What answers for routes that lead nowhere, if any was replaced.
    pub replacement: Option<Replacement>,
    /// The verdicts as they stand on the objects. An object without one is not in here.
    pub statuses: Arc<BTreeMap<ObjectRef, Status>>,
    /// The verdicts on the proxies, which Gloo keeps to itself. Errors of routes show here only.
    pub proxies: BTreeMap<String, Status>,
    /// What Envoys refuse of what Gloo sends them. Then no change of it reaches anybody.
    pub refused: Vec<Refused>,
    /// Envoys no longer ask for clusters, although none is refused any more: they have to be restarted.
    pub behind: bool,
    /// Gloo has died of an object and does nothing until that is repaired.
    pub crashed: bool,
    /// The virtual hosts that the objects ask for, those included that Gloo or Envoy does not take.
    pub desired: Vec<Desired>,
    /// Every mistake with the object it is written in, sorted; also what no status shows.
    pub findings: Vec<Finding>,
    /// What could not be judged, sorted. It is neither good nor bad.
    pub notes: Vec<Note>,
    /// The mistakes that the status of an object lists, in its order: errors, or warnings, of its own
    /// and of what it uses. A mistake may be listed by several objects.
    pub reported: BTreeMap<ObjectRef, Vec<Finding>>,
    /// For the next translation.
    pub memory: Memory,
}

/// The virtual hosts that the objects ask for behind a listener, or behind part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The proxy.
    pub proxy: String,
    /// The Gateway.
    pub gateway: Arc<ObjectRef>,
    /// The port of the Gateway.
    pub port: u32,
    /// Whether connections have TLS.
    pub tls: bool,
    /// The name of the route configuration.
    pub routes: String,
    /// By name.
    pub virtual_hosts: Vec<Arc<VirtualHost>>,
}

impl Translation {
    /// The objects whose status lists the mistake: the one it is written in, and those that use it.
    pub fn reported_on(&self, finding: &Finding) -> impl Iterator<Item = &ObjectRef> {
        let lists = self.reported.iter().filter(|(_, listed)| listed.contains(finding));
        lists.map(|(object, _)| object)
    }

    /// The virtual hosts that the objects ask for, of all listeners.
    pub fn desired_hosts(&self) -> impl Iterator<Item = &Arc<VirtualHost>> {
        self.desired.iter().flat_map(|desired| &desired.virtual_hosts)
    }

    /// The Gateways that serve virtual hosts, or would.
    pub fn gateways(&self) -> BTreeSet<&ObjectRef> {
        self.desired.iter().map(|desired| &*desired.gateway).collect()
    }

    /// The virtual hosts that Envoys serve, of all listeners.
    pub fn served_hosts(&self) -> impl Iterator<Item = &Arc<VirtualHost>> {
        self.routes.iter().flat_map(|routes| &routes.virtual_hosts)
    }
}

/// The answer of routes that lead nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// HTTP status.
    pub status: u32,
    /// The body.
    pub body: String,
}
