//! Objects of services that are gone, and that appear all the same: by a write that was under way when
//! another daemon took over, by a watch that is late, from somebody's backup.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::reconcile::leaves;
use crate::shard::Shard;
use coalmine_core::object::ObjectId;
use coalmine_core::object_state::Facts;
use coalmine_core::values::{PLATFORM, Repository};

/// The services that the newest revision keeps, right or wrong, and those of other daemons.
pub(super) struct Roll {
    names: BTreeSet<String>,
    shard: Shard,
}

impl Roll {
    pub(super) fn of(repository: &Repository, shard: Shard) -> Self {
        let services = repository.services.keys().map(ToString::to_string);
        Self { names: services.chain(repository.resembled.iter().cloned()).collect(), shard }
    }

    /// Whether the service's objects are not to be taken for those of one that is gone.
    pub(super) fn has(&self, name: &str) -> bool {
        name.is_empty() || name == PLATFORM || self.names.contains(name) || !self.shard.owns(name)
    }
}

/// Whether there may be something left of services that are gone.
#[derive(Default)]
pub(super) struct Strays {
    roll: Mutex<Option<Roll>>,
    came: Notify,
}

impl Strays {
    /// From now on these are the services that are not gone.
    pub(super) fn expect(&self, roll: Roll) {
        *self.roll.lock().unwrap_or_else(PoisonError::into_inner) = Some(roll);
    }

    /// Looks at what there is of a service of which nothing is wanted.
    pub(super) fn look(&self, name: &str, objects: &BTreeMap<ObjectId, Facts>) {
        let roll = self.roll.lock().unwrap_or_else(PoisonError::into_inner);
        if roll.as_ref().is_some_and(|roll| !roll.has(name)) && leaves(objects) {
            tracing::info!(service = name, "it is gone, and there is something of it again");
            self.came.notify_one();
        }
    }

    /// Returns when there is something again.
    pub(super) async fn came(&self) {
        self.came.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use coalmine_core::labels::{INSTANCE, KEEP, SERVICE};
    use coalmine_core::object_state::identify;
    use coalmine_core::tree::Tree;

    fn has_come(name: &str, kept: bool) -> bool {
        let values = "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";
        let files = [("services/echo.yaml", values), ("services/wrong.yaml", "deployment: [")];
        let files = files.map(|(path, text)| (path.into(), text.into()));
        let tree = Tree { revision: "r".into(), files: files.into() };
        let strays = Strays::default();
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
            "name": "v1", "namespace": name, "labels": {INSTANCE: "default", SERVICE: name},
            "annotations": {KEEP: kept.to_string()}}});
        let id = identify(&object, "apps/v1", "Deployment");
        let objects = [(id, Facts::of(&object, "default", "gloo-system"))].into();
        // Before the first revision nobody knows who is gone.
        strays.look(name, &objects);
        strays.expect(Roll::of(&Repository::parse(&tree), Shard::WHOLE));
        let came = |strays: &Strays| {
            let mut came = std::pin::pin!(strays.came());
            let waker = std::task::Waker::noop();
            came.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_ready()
        };
        assert!(!came(&strays));
        strays.look(name, &objects);
        came(&strays)
    }

    #[test]
    fn what_appears_of_a_service_that_is_gone_is_noticed() {
        assert!(has_come("gone", false));
        assert!(!has_come("gone", true), "it is to be kept");
        assert!(!has_come("echo", false) && !has_come("wrong", false), "they have a file");
        assert!(!has_come("", false) && !has_come(PLATFORM, false));
    }
}
