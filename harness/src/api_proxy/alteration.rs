//! What is written to the API server and what it answers, changed on the way.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Bytes;
use serde_json::Value;

use super::{Request, versions::Versions};

/// Changes an object of a request or of an answer. What it returns says whether the object goes on: an
/// answer can be kept from the client, a request always goes on.
type Change = Box<dyn FnMut(&Request, &mut Value) -> bool + Send>;

/// Active changes, in the order in which they were set.
#[derive(Clone, Default)]
pub(super) struct Alterations(Arc<Mutex<Vec<(u64, Change)>>>);

/// An active change; dropping it ends it.
#[must_use = "a change ends when this is dropped"]
#[derive(Debug)]
pub struct Altered {
    all: Alterations,
    id: u64,
}

impl Alterations {
    pub(super) fn add(&self, change: Change) -> Altered {
        let mut changes = self.lock();
        let id = changes.last().map_or(0, |(id, _)| id + 1);
        changes.push((id, change));
        drop(changes);
        Altered { all: self.clone(), id }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The body of a request as it goes on. What is no JSON goes on as it came.
    pub(super) fn written(&self, request: &Request, body: Bytes) -> Bytes {
        if self.is_empty() || !request.is_write() {
            return body;
        }
        let Ok(mut object) = serde_json::from_slice(&body) else { return body };
        self.change(request, &mut object);
        object.to_string().into()
    }

    /// The body of an answer as the client gets it, `None` for an object that is kept from it: with the versions that
    /// clients see. Each object of a list is changed for itself, as an object alone is. What is no JSON goes on as it
    /// came.
    pub(super) fn answered(
        &self,
        request: &Request,
        versions: &Versions,
        body: Bytes,
    ) -> Option<Bytes> {
        let Ok(mut answer) = serde_json::from_slice::<Value>(&body) else { return Some(body) };
        versions.change(request, &mut answer);
        if self.is_empty() || request.resource.is_none() {
            return Some(answer.to_string().into());
        }
        let shown = match answer.get_mut("items").and_then(Value::as_array_mut) {
            Some(items) => {
                items.retain_mut(|item| self.change(request, item));
                true
            }
            None => self.change(request, &mut answer),
        };
        shown.then(|| answer.to_string().into())
    }

    /// Changes one object. False when it is kept from the client.
    pub(super) fn change(&self, request: &Request, object: &mut Value) -> bool {
        self.lock().iter_mut().all(|(_, change)| change(request, object))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Change)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Alterations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alterations")
    }
}

impl Drop for Altered {
    fn drop(&mut self) {
        self.all.lock().retain(|(id, _)| *id != self.id);
    }
}
