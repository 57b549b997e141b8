//! Statuses as the controllers write them.

use std::collections::BTreeMap;

use crate::api::ParentRef;

/// The status of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Of a route for each parent, of a policy for each ancestor.
    pub parents: Vec<ParentStatus>,
    /// Of a Gateway.
    pub conditions: Vec<Condition>,
    /// Of the listeners of a Gateway.
    pub listeners: Vec<ListenerStatus>,
}

/// What is said about an object below one parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentStatus {
    /// `Kind namespace/name#section:port`, section and port where the reference has them.
    pub parent: String,
    /// By type.
    pub conditions: Vec<Condition>,
}

/// What is said about a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenerStatus {
    /// Its name.
    pub name: String,
    /// How many routes are attached.
    pub attached_routes: usize,
    /// The kinds of routes that may attach, sorted.
    pub supported_kinds: Vec<String>,
    /// By type.
    pub conditions: Vec<Condition>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// For example `Accepted`.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// One word.
    pub reason: String,
    /// In words; empty where all is well.
    pub message: String,
    /// The generation of the object that it is about.
    pub observed_generation: i64,
}

/// Conditions on their way.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions(BTreeMap<&'static str, (&'static str, String, String)>);

impl Conditions {
    /// Sets a condition, in place of one of the same type.
    pub(super) fn set(
        &mut self,
        kind: &'static str,
        status: &'static str,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.0.insert(kind, (status, reason.into(), message.into()));
    }

    /// Sets one that is not there yet.
    pub(super) fn assume(
        &mut self,
        kind: &'static str,
        status: &'static str,
        reason: &'static str,
    ) {
        self.0.entry(kind).or_insert((status, reason.to_owned(), String::new()));
    }

    pub(super) fn is(&self, kind: &str, status: &str) -> bool {
        self.0.get(kind).is_some_and(|(known, _, _)| *known == status)
    }

    /// Reason and message of one that has this status.
    pub(super) fn reason(&self, kind: &str, status: &str) -> Option<(&str, &str)> {
        let (known, reason, message) = self.0.get(kind)?;
        (*known == status).then_some((reason, message))
    }

    pub(super) fn finish(self, generation: i64) -> Vec<Condition> {
        let all = self.0.into_iter().map(|(kind, (status, reason, message))| Condition {
            kind: kind.into(),
            status,
            reason,
            message,
            observed_generation: generation,
        });
        all.collect()
    }
}

/// The name of a parent in statuses.
pub(super) fn parent_name(parent: &ParentRef, own_namespace: &str) -> String {
    let ParentRef { kind, namespace, name, section_name, port, .. } = parent;
    let namespace = namespace.as_deref().unwrap_or(own_namespace);
    let section = section_name.as_ref().map(|it| format!("#{it}")).unwrap_or_default();
    let port = port.map(|it| format!(":{it}")).unwrap_or_default();
    format!("{kind} {namespace}/{name}{section}{port}")
}
