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
    /// Envoy takes no route configuration of anybody (case 08-weights).
    Frozen {
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
            Self::Undecodable { object, .. } | Self::Frozen { object, .. } => object,
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
            Self::Frozen { object, words } => {
                write!(f, "Envoy gets no change of routes until {object} is repaired: {words}")
            }
            Self::RejectedHost { host, words } => {
                write!(f, "{host} stays as Gloo last knew it until it is repaired: {words}")
            }
        }
    }
}
