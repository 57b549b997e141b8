use std::collections::BTreeMap;
use std::sync::Arc;

use super::proxy::Proxy;
use super::view::View;
use crate::api::{ObjectRef, Status};
use crate::config::VirtualHost;

/// What Gloo, Envoy and the API server remember between two translations.
///
/// The default is a Gloo and an Envoy that have just started and objects without a status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// In Gloo: the proxy it served last.
    pub(super) proxy: Option<Arc<Proxy>>,
    /// In Gloo: the objects it has read.
    pub(super) view: View,
    /// In Envoy: the route configuration it took last, by the name of its listener.
    pub(super) accepted: Option<(String, Vec<Arc<VirtualHost>>)>,
    /// On the objects.
    pub(super) statuses: Arc<BTreeMap<ObjectRef, Status>>,
}

impl Memory {
    /// The same after Gloo was restarted: last good virtual hosts are gone, Envoy keeps what it has
    /// (gloo-conformance case 12-last-good-restart).
    #[must_use]
    pub fn gloo_restarted(self) -> Self {
        Self { proxy: None, view: View::default(), ..self }
    }
}
