//! What the Envoys took last.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::output::Clusters;
use crate::ObjectRef;
use crate::config::{Listener, RouteConfiguration};

/// Something that Envoy refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The Gateway whose Envoy refuses it.
    pub gateway: Arc<ObjectRef>,
    /// `RouteConfiguration` or `Listener`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Why.
    pub words: String,
}

/// What the Envoys took last, by Gateway.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Envoys(pub(super) BTreeMap<Arc<ObjectRef>, Envoy>);

/// What an Envoy took last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Envoy {
    pub(super) listeners: Vec<Listener>,
    pub(super) routes: Vec<RouteConfiguration>,
    pub(super) clusters: Clusters,
    /// The names of the route configurations, in the order in which it asked for them.
    pub(super) asked: Vec<String>,
}

impl Envoy {
    /// Adds the names that are new, and forgets those that are gone.
    pub(super) fn ask(&mut self, known: Option<&Self>, names: &[&String]) {
        let known = known.into_iter().flat_map(|envoy| &envoy.asked);
        self.asked = known.filter(|name| names.contains(name)).cloned().collect();
        for name in names {
            if !self.asked.contains(name) {
                self.asked.push((*name).clone());
            }
        }
    }
}

impl Envoys {
    pub(super) fn forget(&mut self, gateway: &ObjectRef) {
        self.0.remove(gateway);
    }
}
