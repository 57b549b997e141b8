use std::fmt;

use crate::object::ObjectId;

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A state of an object.
    Object(ObjectId),
    /// That another service is ready.
    Service(String),
    /// The time that proxies take to learn of new pods, Upstreams and rules.
    Proxies,
    /// The time that proxies take to follow new routes.
    Routes,
    /// The repair of what Gloo cannot read or Envoy refuses.
    Gloo,
    /// An answer of the API server.
    ApiServer,
    /// A decision of a person.
    Person,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(id) => id.fmt(f),
            Self::Service(name) => write!(f, "service {name}"),
            Self::Proxies => f.write_str("proxies"),
            Self::Routes => f.write_str("routes"),
            Self::Gloo => f.write_str("Gloo"),
            Self::ApiServer => f.write_str("the API server"),
            Self::Person => f.write_str("a person"),
        }
    }
}
