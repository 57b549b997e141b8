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
    /// `RouteConfiguration`.
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
}

impl Envoys {
    pub(super) fn forget(&mut self, gateway: &ObjectRef) {
        self.0.remove(gateway);
    }
}
