//! What Gloo's rules say about the objects of each service as they are.

use std::collections::BTreeMap;

/// What Gloo's rules say about the objects of one service as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surveyed {
    /// The Gateways that serve its routes, `<namespace>/<name>`.
    pub gateways: Vec<String>,
    /// What could not be judged, with the object; it is neither good nor bad.
    pub notes: Vec<String>,
}

/// The same of every service, by name; one without anything to say need not be in it.
pub type Survey = BTreeMap<String, Surveyed>;
