//! What is remembered of a service between two passes. All of it can be lost: then a pass waits a
//! little longer, or asks the API server once more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use coalmine_core::health::Verdict;
use coalmine_core::managed_fields::Digest;
use coalmine_core::object::ObjectId;
use coalmine_core::object_state::Facts;
use coalmine_core::plan::Undo;

/// The pause after the first repair of an object, doubled by each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two repairs of an object, and how long it has to stay as it is for its
/// repairs to be forgotten.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// What is remembered of a service between two passes.
#[derive(Debug)]
pub struct Memory {
    /// The routes that were seen last: what of them is ours, whether they are being deleted, and the
    /// rank of Gloo's verdict on them.
    routes: BTreeMap<ObjectId, ((Digest, bool), Option<u8>)>,
    /// When routes were last seen to change; at first the moment of the first look.
    pub(super) routes_changed_at: Timestamp,
    /// When Gloo was last seen to give them a better or worse verdict, to begin or end to have one, or to
    /// serve changes again after it was kept from it.
    pub(super) routes_judged_at: Timestamp,
    /// The job whose objects were all in force.
    pub(super) in_force: Option<Digest>,
    /// The routes of before, while Gloo has not judged the present ones.
    pub(super) undo: Option<Arc<Undo>>,
    /// The routes that were put back.
    pub(super) refused: Option<Refused>,
    /// What is waited for, and since when.
    pub(super) waiting: Option<(String, Timestamp)>,
    /// Objects that were repaired.
    repairs: BTreeMap<ObjectId, Repairs>,
    /// For objects that the API server stores otherwise than they are applied (an amount in another
    /// unit, a field that a webhook adds): the manifest, and what we own of the stored object.
    stored: BTreeMap<ObjectId, (Digest, Digest)>,
    /// What a dry run has accepted: the manifest, on this state of the object.
    pub(super) tried: BTreeMap<ObjectId, (Digest, u64)>,
    /// The job that harms nobody, in these surroundings.
    pub(super) admitted: Option<(Digest, u64)>,
    /// See [`crate::plan::Observation::judged_upstreams`].
    pub(super) judged_upstreams: BTreeSet<ObjectId>,
    /// Why changes of routes would not reach Envoy in these surroundings.
    pub(super) blocked_by: Option<String>,
    /// Whether they would not have in earlier surroundings, and the admission has not been asked since.
    pub(super) was_blocked: bool,
    /// Drift that was told and is left as it is.
    pub(super) told: BTreeMap<ObjectId, Option<Digest>>,
    /// Objects that were to be written or deleted, of which nobody knows whether they were.
    pub(super) in_doubt: BTreeSet<ObjectId>,
}

/// Routes that were put back.
#[derive(Debug)]
pub(super) struct Refused {
    /// All that was asked for.
    pub(super) routes: Digest,
    /// Why.
    pub(super) reason: String,
    /// Whether Gloo had judged them.
    pub(super) is_judged: bool,
}

#[derive(Clone, Copy, Debug)]
struct Repairs {
    count: u32,
    last: Timestamp,
}

impl Memory {
    /// Nothing but the moment.
    pub fn new(now: Timestamp) -> Self {
        Self {
            routes: BTreeMap::new(),
            routes_changed_at: now,
            routes_judged_at: now,
            in_force: None,
            undo: None,
            refused: None,
            waiting: None,
            repairs: BTreeMap::new(),
            stored: BTreeMap::new(),
            tried: BTreeMap::new(),
            admitted: None,
            judged_upstreams: BTreeSet::new(),
            blocked_by: None,
            was_blocked: false,
            told: BTreeMap::new(),
            in_doubt: BTreeSet::new(),
        }
    }

    /// Forgets everything but what is not known: somebody else has written meanwhile.
    pub fn forget(&mut self, now: Timestamp) {
        let in_doubt = std::mem::take(&mut self.in_doubt);
        *self = Self { in_doubt, ..Self::new(now) };
    }

    /// Notes since when the routes are as they are seen, whoever changed them: also a write of ours
    /// whose answer was lost shows in this way.
    pub(super) fn note_routes(&mut self, objects: &BTreeMap<ObjectId, Facts>, now: Timestamp) {
        let routes = objects.iter().filter(|(id, _)| id.is_route());
        let seen =
            |facts: &Facts| ((facts.owned, facts.terminating), facts.verdict().map(Verdict::rank));
        let routes: BTreeMap<_, _> = routes.map(|(id, facts)| (id.clone(), seen(facts))).collect();
        if routes != self.routes {
            self.routes_judged_at = now;
            let is_same = |(id, (spec, _)): (&ObjectId, &((Digest, bool), Option<u8>))| {
                self.routes.get(id).is_some_and(|(known, _)| known == spec)
            };
            if routes.len() != self.routes.len() || !routes.iter().all(is_same) {
                self.routes_changed_at = now;
            }
            self.routes = routes;
        }
        // A Gloo that was silent speaks again.
        let is_judged = self.routes.values().all(|(_, rank)| rank.is_some());
        self.refused.take_if(|refused| is_judged && !refused.is_judged);
    }

    /// What we own of the object when this manifest is in force.
    pub(super) fn expected(&self, id: &ObjectId, manifest: Digest) -> Digest {
        match self.stored.get(id) {
            Some((of, stored)) if *of == manifest => *stored,
            _ => manifest,
        }
    }

    /// Notes how the API server stores a manifest.
    pub(super) fn note_stored(&mut self, id: &ObjectId, manifest: Digest, stored: Digest) {
        if manifest == stored {
            self.stored.remove(id);
        } else {
            self.stored.insert(id.clone(), (manifest, stored));
        }
    }

    /// Until when an object that somebody else changes again and again is left alone.
    pub(super) fn repair_due(&self, id: &ObjectId) -> Option<Timestamp> {
        let Repairs { count, last } = self.repairs.get(id)?;
        let pause = match count {
            0 | 1 => Duration::ZERO,
            more => FIRST_PAUSE.saturating_mul(1 << (more - 2).min(16)).min(LONGEST_PAUSE),
        };
        last.checked_add(SignedDuration::try_from(pause).ok()?).ok()
    }

    /// Counts a repair; one after a long calm is the first again.
    pub(super) fn note_repair(&mut self, id: &ObjectId, now: Timestamp) {
        let calm = SignedDuration::try_from(LONGEST_PAUSE).expect("ten minutes fit");
        let repairs = self.repairs.entry(id.clone()).or_insert(Repairs { count: 0, last: now });
        if now.duration_since(repairs.last) > calm {
            repairs.count = 0;
        }
        *repairs = Repairs { count: repairs.count.saturating_add(1), last: now };
    }

    /// How long this has been waited for.
    pub(super) fn waited(&mut self, on: &str, now: Timestamp) -> SignedDuration {
        match &self.waiting {
            Some((what, since)) if what == on => now.duration_since(*since),
            _ => {
                self.waiting = Some((on.to_owned(), now));
                SignedDuration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> ObjectId {
        ObjectId::new("gateway.solo.io/v1", "RouteTable", Some("echo"), "echo-routes")
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn repairs_of_an_object_that_keeps_changing_become_rarer_and_are_forgotten_after_a_calm() {
        let mut memory = Memory::new(second(0));
        assert_eq!(memory.repair_due(&table()), None);
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..14 {
            memory.note_repair(&table(), second(now));
            let due = memory.repair_due(&table()).expect("repaired before");
            pauses.push(due.as_second() - now);
            now = due.as_second();
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
        memory.note_repair(&table(), second(now + 601));
        assert_eq!(memory.repair_due(&table()), Some(second(now + 601)));
    }

    #[test]
    fn routes_that_gloo_accepts_after_it_had_rejected_them_are_served_from_then_on() {
        let mut memory = Memory::new(second(0));
        let mut judged = |state: &str, now: i64| {
            let object = json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
                "metadata": {"name": "echo-routes", "namespace": "echo"},
                "status": {"statuses": {"gloo-system": {"state": state}}}});
            let objects = [(table(), Facts::of(&object, "default", "gloo-system"))].into();
            memory.note_routes(&objects, second(now));
            (memory.routes_changed_at, memory.routes_judged_at)
        };
        assert_eq!(judged("Pending", 1), (second(1), second(1)));
        assert_eq!(judged("Rejected", 2), (second(1), second(2)));
        assert_eq!(judged("Rejected", 3), (second(1), second(2)));
        assert_eq!(judged("Accepted", 9), (second(1), second(9)));
    }

    #[test]
    fn a_wait_for_something_else_begins_anew() {
        let mut memory = Memory::new(second(0));
        assert!(memory.waited("a", second(1)).is_zero());
        assert_eq!(memory.waited("a", second(4)).as_secs(), 3);
        assert!(memory.waited("b", second(5)).is_zero());
        assert!(memory.waited("a", second(6)).is_zero());
    }
}
