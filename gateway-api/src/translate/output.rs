//! What a controller makes of the objects, before Envoys have seen it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::conditions::{ParentStatus, Status};
use super::findings::{Finding, Note, Severity};
use crate::ObjectRef;
use crate::code::Code;
use crate::config::{Cluster, Listener, RouteConfiguration};
use crate::snapshot::Snapshot;

/// The clusters of an Envoy, by name.
pub(crate) type Clusters = Arc<BTreeMap<String, Cluster>>;

/// The statuses of Gateways that a controller wanted to write last.
pub(super) type Wanted = BTreeMap<ObjectRef, Status>;

#[derive(Default)]
pub(super) struct Output {
    /// The Gateways that are served.
    pub(super) gateways: Vec<Arc<ObjectRef>>,
    pub(super) listeners: Vec<Listener>,
    pub(super) routes: Vec<RouteConfiguration>,
    pub(super) clusters: Clusters,
    pub(super) statuses: BTreeMap<ObjectRef, Status>,
    /// What the controller wanted to write last, for its memory.
    pub(super) wanted: Wanted,
    /// How the policies of kgateway stand below the Gateways where they count.
    pub(super) standings: BTreeMap<(ObjectRef, String), Standing>,
    pub(super) findings: Vec<Finding>,
    pub(super) notes: Vec<Note>,
}

/// How a policy stands below a Gateway, over all rules that it is for.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Why it cannot be applied.
    pub(super) fault: Option<String>,
    /// Somewhere others say all that it says.
    pub(super) overridden: bool,
    /// Somewhere others say something beside it.
    pub(super) merged: bool,
}

impl Output {
    pub(super) fn find(
        &mut self,
        object: &Arc<ObjectRef>,
        severity: Severity,
        code: Code,
        words: impl Into<String>,
    ) {
        let finding = Finding {
            object: Arc::clone(object),
            severity,
            words: words.into(),
            code,
            gateway: None,
        };
        self.findings.push(finding);
    }

    /// Something about one Gateway.
    pub(super) fn find_at(
        &mut self,
        object: &Arc<ObjectRef>,
        gateway: &Arc<ObjectRef>,
        severity: Severity,
        code: Code,
        words: impl Into<String>,
    ) {
        let (object, gateway) = (Arc::clone(object), Some(Arc::clone(gateway)));
        self.findings.push(Finding { object, severity, words: words.into(), code, gateway });
    }

    pub(super) fn note(&mut self, object: &Arc<ObjectRef>, words: impl Into<String>) {
        let words = words.into();
        let note = Note { object: Arc::clone(object), words, gateway: None, unread: None };
        self.notes.push(note);
    }

    /// What comes of a reference to an object that is not in the snapshot is not known.
    pub(super) fn unread(&mut self, object: &Arc<ObjectRef>, unread: ObjectRef) {
        let words = format!("{unread} was not read: what comes of it is not judged");
        let unread = Some(Arc::new(unread));
        let note = Note { object: Arc::clone(object), words, gateway: None, unread };
        self.notes.push(note);
    }

    /// Puts a status below a parent on an object, in place of one below the same parent.
    pub(super) fn below(&mut self, object: &ObjectRef, status: ParentStatus) {
        let parents = &mut self.statuses.entry(object.clone()).or_default().parents;
        match parents.iter_mut().find(|it| it.parent == status.parent) {
            Some(known) => *known = status,
            None => parents.push(status),
        }
    }
}

/// Whether the object may be there although it is not in the snapshot: nobody has looked.
pub(super) fn is_unread(snapshot: &Snapshot, object: &ObjectRef) -> bool {
    !snapshot.contains(object) && !snapshot.is_complete_in(&object.kind, &object.namespace)
}
