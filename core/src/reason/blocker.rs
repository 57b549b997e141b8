use std::fmt;
use std::sync::Arc;

use gloo::ObjectRef;

/// A mistake of another owner that keeps changes from Envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// Gloo takes no change of any object of this kind (case 13-undecodable).
    Undecodable {
        /// The object with the mistake.
        object: Arc<ObjectRef>,
        /// What is wrong with it.
        words: String,
    },
    /// The listener of a Gateway takes no change of routes of anybody (cases 08-weights,
    /// 12-domains-duplicate, 18-secret-missing).
    Frozen {
        /// The object with the mistake.
        object: Arc<ObjectRef>,
        /// The Gateway.
        gateway: Arc<ObjectRef>,
        /// Gloo's words, or Envoy's.
        words: String,
    },
    /// Envoy takes no cluster and no endpoint of anybody, or Gloo has died (cases
    /// 20-envoy-refuses-new-cluster, 17-tcp-host-crash).
    Everything {
        /// The object with the mistake.
        object: Arc<ObjectRef>,
        /// Gloo's words, or Envoy's.
        words: String,
    },
    /// A VirtualService stays as Gloo last knew it (case 12-last-good).
    RejectedHost {
        /// The VirtualService.
        host: Arc<ObjectRef>,
        /// Gloo's words.
        words: String,
    },
}

impl Blocker {
    /// The object that has to be repaired, or the VirtualService that a part of is.
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Undecodable { object, .. }
            | Self::Frozen { object, .. }
            | Self::Everything { object, .. } => object,
            Self::RejectedHost { host, .. } => host,
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecodable { object, words } => write!(
                f,
                "Gloo accepts no change of any {} until {object} is repaired, which it cannot decode \
                 ({words})",
                object.kind
            ),
            Self::Frozen { object, gateway, words } => {
                let own = object == gateway;
                let until = if own { "it".to_owned() } else { object.to_string() };
                write!(
                    f,
                    "Envoy gets no change of the routes of {gateway} until {until} is repaired: {words}"
                )
            }
            Self::Everything { object, words } => {
                write!(f, "Envoy gets no change of anybody until {object} is repaired: {words}")
            }
            Self::RejectedHost { host, words } => {
                write!(f, "{host} stays as Gloo last knew it until it is repaired: {words}")
            }
        }
    }
}
