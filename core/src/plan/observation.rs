//! What is seen of one service at a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::health::Verdict;
use crate::object::{Manifest, ObjectId};
use crate::object_state::{Addresses, Facts, PodFacts};
use crate::traffic::Shares;

/// Versions that have a ready pod. `None` stands for ready pods in the Service of which no version is known.
pub type Answering = BTreeSet<Option<Arc<str>>>;

/// What is seen of one service at a moment: all that [`super::plan`] decides by.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Desired objects that are missing or differ.
    pub changed: BTreeSet<ObjectId>,
    /// Objects of this service with our label that nothing desires any more.
    pub surplus: BTreeSet<ObjectId>,
    /// The service's objects, and those of others that it uses.
    pub objects: BTreeMap<ObjectId, Facts>,
    /// Its pods, by the selector that finds them.
    pub pods: BTreeMap<String, Vec<PodFacts>>,
    /// The ready pods in the Service's v1 Endpoints.
    pub addresses: Addresses,
    /// Who has a ready pod.
    pub answering: Answering,
    /// Upstreams on which Gloo will give a verdict before the new routes are there. Without any
    /// VirtualService Gloo writes no status on an Upstream (case 15-delete-virtualservice).
    pub judged_upstreams: BTreeSet<ObjectId>,
    /// When the routes were last changed, as far as this process knows: a process that has just
    /// started takes the moment of its first look.
    pub routes_changed_at: Timestamp,
    /// When Gloo last gave them another verdict, began or ended to have one, or served changes again after it
    /// was kept from it, in the same way.
    pub routes_judged_at: Timestamp,
    /// The routes before the present ones, while Gloo has not judged these.
    pub undo: Option<Arc<Undo>>,
    /// Why the desired routes are not to be tried again.
    pub refused_routes: Option<String>,
    /// Why changes of routes would not reach Envoy now, by somebody else's mistake.
    pub blocked_by: Option<String>,
    /// The object of a wait that has passed its deadline.
    pub overdue: Option<String>,
    /// Where Gloo runs.
    pub gloo_namespace: Arc<str>,
    /// How long every proxy takes to follow.
    pub settle: Duration,
    /// The present.
    pub now: Timestamp,
}

impl Observation {
    /// Who gets the service's requests now; `None` when nobody does.
    pub fn routes_in_force(&self) -> Option<&Shares> {
        let routes = self.objects.iter().filter(|(id, facts)| id.is_route() && !facts.terminating);
        routes.filter_map(|(_, facts)| facts.shares()).next()
    }

    /// When the objects that arrived together have had time to find each other.
    pub fn settled_at(&self) -> Timestamp {
        after(self.routes_changed_at, self.settle)
    }

    /// When every proxy follows the routes that are there: Envoy follows Gloo's verdict, however late
    /// that comes.
    pub fn followed_at(&self) -> Timestamp {
        after(self.routes_changed_at.max(self.routes_judged_at), self.settle)
    }
}

/// A moment later; the end of time when there is none.
pub(super) fn after(moment: Timestamp, pause: Duration) -> Timestamp {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    moment.checked_add(pause).unwrap_or(Timestamp::MAX)
}

/// The routes that were there before ours: the way back while Gloo has not judged the new ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Undo {
    /// By object what it was and how Gloo judged that; `None` for one that was not there.
    pub before: BTreeMap<ObjectId, Option<(Manifest, Verdict)>>,
}

impl Undo {
    /// Whether it says anything about this object.
    pub fn concerns(&self, id: &ObjectId) -> bool {
        self.before.contains_key(id)
    }

    /// Whether there is something to go back to.
    pub fn was_there(&self, id: &ObjectId) -> bool {
        self.before.get(id).is_some_and(Option::is_some)
    }

    /// Routes that are new may draw a warning (a VirtualService that selects no table yet does, case
    /// 02-selectors); routes that were there before may not, whether or not Gloo had judged them yet.
    pub fn is_worse(&self, id: &ObjectId, now: &Verdict) -> bool {
        match self.before.get(id) {
            Some(Some((_, before))) => now.rank() > before.rank(),
            Some(None) => matches!(now, Verdict::Rejected(_)),
            None => false,
        }
    }
}
