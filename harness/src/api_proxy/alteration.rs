//! What is written to the API server, changed on the way.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Bytes;
use serde_json::Value;

use super::Request;

type Change = Box<dyn FnMut(&Request, &mut Value) + Send>;

/// Changes in force, in the order in which they were set.
#[derive(Clone, Default)]
pub(super) struct Alterations(Arc<Mutex<Vec<(u64, Change)>>>);

/// A change in force; dropping it ends it.
#[must_use = "a change ends when this is dropped"]
#[derive(Debug)]
pub struct Altered {
    all: Alterations,
    id: u64,
}

impl Alterations {
    pub(super) fn add(&self, change: Change) -> Altered {
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = changes.last().map_or(0, |(id, _)| id + 1);
        changes.push((id, change));
        drop(changes);
        Altered { all: self.clone(), id }
    }

    /// The body as it goes on. What is no JSON goes on as it came.
    pub(super) fn applied(&self, request: &Request, body: Bytes) -> Bytes {
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.is_empty() || !request.is_write() {
            return body;
        }
        let Ok(mut object) = serde_json::from_slice(&body) else { return body };
        changes.iter_mut().for_each(|(_, change)| change(request, &mut object));
        object.to_string().into()
    }
}

impl fmt::Debug for Alterations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alterations")
    }
}

impl Drop for Altered {
    fn drop(&mut self) {
        let mut changes = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        changes.retain(|(id, _)| *id != self.id);
    }
}
