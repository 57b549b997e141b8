//! The kinds of objects that are watched.

use coalmine_core::kind::Kind;

/// A kind that is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchedKind {
    /// For example `gateway.solo.io/v1`.
    pub api_version: String,
    /// For example `RouteTable`.
    pub kind: String,
    /// Whether only objects with our instance label are watched.
    pub only_ours: bool,
}

impl WatchedKind {
    /// The kinds a service consists of, and all that Gloo's routing rests on. Of the latter every
    /// object counts: another owner's table can collide with a change of ours.
    pub fn of_services() -> impl Iterator<Item = Self> {
        let routing = gloo::Snapshot::ROUTING.iter().map(|kind| Self {
            api_version: kind.api_version.into(),
            kind: kind.kind.into(),
            only_ours: false,
        });
        let ours = [Kind::Endpoints, Kind::Pod, Kind::Deployment];
        routing.chain(ours.map(|kind| Self::ours(kind.api_version(), kind.as_str())))
    }

    /// The kinds that objects of Gloo may name beside. A cluster need not serve them, and whoever looks
    /// at nothing but services goes on without them; nothing is then concluded from what names one.
    pub fn further() -> impl Iterator<Item = Self> {
        gloo::Snapshot::FURTHER.iter().map(|kind| Self {
            api_version: kind.api_version.into(),
            kind: kind.kind.into(),
            only_ours: false,
        })
    }

    /// Whether it is one of [`Self::further`].
    pub fn is_further(&self) -> bool {
        Self::further().any(|further| further == *self)
    }

    /// Objects with our label of any kind.
    pub fn ours(api_version: &str, kind: &str) -> Self {
        Self { api_version: api_version.into(), kind: kind.into(), only_ours: true }
    }
}
