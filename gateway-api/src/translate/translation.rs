//! What comes of a translation.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::output::Clusters;
use super::{Finding, Memory, Note, Refused, Status};
use crate::ObjectRef;
use crate::config::{Cluster, Listener, RouteConfiguration, VirtualHost};

/// What the controller and the Envoys of its Gateways make of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation {
    /// What Envoys listen on, by Gateway. Elsewhere connections are refused.
    pub listeners: Vec<Listener>,
    /// What they serve there. Of what Envoy refuses this is what it took last.
    pub routes: Vec<RouteConfiguration>,
    /// The clusters of the Envoys, by Gateway and name.
    pub clusters: BTreeMap<Arc<ObjectRef>, Clusters>,
    /// The statuses as they stand on the objects. An object without one is not in here.
    pub statuses: Arc<BTreeMap<ObjectRef, Status>>,
    /// What Envoys refuse of what they are sent. Then no change of it reaches anybody, and no status tells.
    pub refused: Vec<Refused>,
    /// The virtual hosts that the objects ask for, those included that Envoy does not take.
    pub desired: Vec<Desired>,
    /// Every mistake with the object it is written in, sorted; also what no status shows.
    pub findings: Vec<Finding>,
    /// What could not be judged, sorted. It is neither good nor bad.
    pub notes: Vec<Note>,
    /// For the next translation.
    pub memory: Memory,
}

/// The virtual hosts that the objects ask for in a route configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The Gateway.
    pub gateway: Arc<ObjectRef>,
    /// The name of the route configuration.
    pub routes: String,
    /// By name.
    pub virtual_hosts: Vec<Arc<VirtualHost>>,
}

impl Translation {
    /// A cluster of an Envoy.
    pub fn cluster(&self, gateway: &ObjectRef, name: &str) -> Option<&Cluster> {
        self.clusters.get(gateway)?.get(name)
    }

    /// The virtual hosts that the objects ask for, of all listeners.
    pub fn desired_hosts(&self) -> impl Iterator<Item = &Arc<VirtualHost>> {
        self.desired.iter().flat_map(|desired| &desired.virtual_hosts)
    }

    /// The virtual hosts that Envoys serve, of all listeners.
    pub fn served_hosts(&self) -> impl Iterator<Item = &Arc<VirtualHost>> {
        self.routes.iter().flat_map(|routes| &routes.virtual_hosts)
    }
}
