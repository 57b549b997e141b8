//! HTTPRoutes that are live and have no status.
//!
//! kgateway 2.4.0 writes the status of a route once. It reads the route from a second cache before, and when that does not
//! have a new route yet, nothing is written until some HTTPRoute of the Gateway has another generation. So such a route
//! is written again, in words that mean the same and are another `spec` to the API server.

use serde_json::{Value, json};

use super::desired::Desired;
use super::observation::Observation;
use super::step::Step;
use crate::kind::Kind;
use crate::object::{Manifest, ObjectId};
use crate::reason::{Reason, Subject};

/// Optional lists of a rule, by where they are and their name. An empty one says what no list says, and is no difference
/// to [`crate::managed_fields::Digest`].
const LISTS: [(&str, &str); 4] = [
    ("", "filters"),
    ("/backendRefs/0", "filters"),
    ("/matches/0", "headers"),
    ("/matches/0", "queryParams"),
];

/// What to do while this route has no verdict, if writing it again may help: to do so, or to wait until it is time.
/// Nothing when the deadline is over.
pub(super) fn repetition(
    id: &ObjectId,
    desired: &Desired,
    seen: &Observation,
    reason: &Reason,
) -> Option<Step> {
    let is_overdue = seen.overdue == Some(Subject::Object(id.clone()));
    if is_overdue || !desired.is_repeated {
        return None;
    }
    let unnoticed: Vec<Manifest> =
        desired.routes.iter().filter_map(|manifest| in_other_words(manifest, seen)).collect();
    if unnoticed.iter().all(|manifest| manifest.id() != id) {
        return None;
    }
    let due = seen.route_times.repetition_due();
    Some(match due > seen.now {
        true => Step::interrupted(due, reason.clone()),
        false => Step::Repeat(unnoticed),
    })
}

/// The route with an empty list where the live one has none, or without where it has one. `None` for a route that every
/// parent has noticed, or that is not as it was written: what somebody else changed is not to be lost by it.
fn in_other_words(manifest: &Manifest, seen: &Observation) -> Option<Manifest> {
    let id = manifest.id();
    let facts = seen.object(id).filter(|_| id.is(Kind::HttpRoute))?;
    let live = facts.http_route.as_ref().filter(|live| live.is_unnoticed)?;
    let is_as_written = !(facts.terminating || seen.changed.contains(id) || seen.left.contains(id));
    let (index, place, list) = free_list(manifest).filter(|_| is_as_written)?;
    let holder = live.rules.get(index).and_then(|rule| rule.pointer(place));
    if holder.is_some_and(|holder| holder.get(list).is_some()) {
        return Some(manifest.clone());
    }
    let mut object = manifest.object().clone();
    let holder = object.pointer_mut(&format!("/spec/rules/{index}{place}"))?;
    holder[list] = json!([]);
    Manifest::new(object)
}

/// A list that the manifest does not have: the rule's index, where in the rule it would be, and its name.
fn free_list(manifest: &Manifest) -> Option<(usize, &'static str, &'static str)> {
    let rules = manifest.object().pointer("/spec/rules").and_then(Value::as_array)?;
    rules.iter().enumerate().find_map(|(index, rule)| {
        let is_free = |(place, list): &&(&str, &str)| {
            let holder = rule.pointer(place).and_then(Value::as_object);
            holder.is_some_and(|holder| !holder.contains_key(*list))
        };
        LISTS.iter().find(is_free).map(|(place, list)| (index, *place, *list))
    })
}
