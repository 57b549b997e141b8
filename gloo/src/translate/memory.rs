use std::collections::BTreeMap;
use std::sync::Arc;

use super::envoys::Envoys;
use super::proxy::Proxy;
use super::view::View;
use crate::api::{ObjectRef, Status};

/// What Gloo, Envoy and the API server remember between two translations.
///
/// The default is a Gloo and Envoys that have just started and objects without a status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// In Gloo: the proxies it served last, by name.
    pub(super) proxies: BTreeMap<String, Arc<Proxy>>,
    /// In Gloo: the objects it has read.
    pub(super) view: View,
    /// In the Envoys: what they took last.
    pub(super) envoys: Envoys,
    /// On the objects.
    pub(super) statuses: Arc<BTreeMap<ObjectRef, Status>>,
    /// Gloo has died of an object.
    pub(super) crashed: bool,
}

impl Memory {
    /// The same after Gloo was restarted: last good virtual hosts are gone, Envoy keeps what it has
    /// (gloo-conformance case 12-last-good-restart).
    #[must_use]
    pub fn gloo_restarted(self) -> Self {
        Self {
            proxies: BTreeMap::new(),
            view: View::default(),
            crashed: false,
            envoys: self.envoys.gloo_restarted(),
            ..self
        }
    }
}
