use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::findings::{Finding, Note, Remark, Severity};
use super::mistake::Mistake;
use crate::api::{ObjectRef, State, Status};

/// Who Gloo says the verdict is from.
const REPORTER: &str = "gloo";

/// What is wrong with one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) errors: Vec<String>,
    pub(super) warnings: Vec<String>,
}

impl Report {
    /// The verdict in Gloo's words and layout.
    pub(super) fn status(&self) -> Status {
        let mut reason = if self.errors.is_empty() { String::new() } else { list(&self.errors) };
        if !self.warnings.is_empty() {
            if !reason.is_empty() {
                reason.push('\n');
            }
            reason.push_str("warning: \n  ");
            reason.push_str(&self.warnings.join("\n"));
        }
        let state = match (self.errors.is_empty(), self.warnings.is_empty()) {
            (false, _) => State::Rejected,
            (true, false) => State::Warning,
            (true, true) => State::Accepted,
        };
        Status { state, reason, reported_by: REPORTER.into(), ..Status::default() }
    }
}

/// Several errors as one text.
pub(super) fn list(errors: &[String]) -> String {
    let noun = if errors.len() == 1 { "error" } else { "errors" };
    let lines: Vec<String> = errors.iter().map(|error| format!("\t* {error}")).collect();
    format!("{} {noun} occurred:\n{}\n\n", errors.len(), lines.join("\n"))
}

/// What is wrong with which object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reports {
    objects: BTreeMap<ObjectRef, Report>,
    /// What the objects are told, in this order.
    told: BTreeMap<ObjectRef, Vec<Finding>>,
    /// Every mistake once, with the object that it is written in.
    findings: Vec<Finding>,
    notes: BTreeSet<Note>,
    /// How often something was noted.
    noted: usize,
    /// The Gateway that is looked at.
    gateway: Option<Arc<ObjectRef>>,
}

impl Reports {
    /// From now on mistakes and notes belong to this Gateway, or to none.
    pub(super) fn look_at(&mut self, gateway: Option<&Arc<ObjectRef>>) {
        self.gateway = gateway.cloned();
    }

    /// How often something was noted, be it of the same object.
    pub(super) fn notes_so_far(&self) -> usize {
        self.noted
    }

    /// Something in the object cannot be judged.
    pub(super) fn note(&mut self, object: &ObjectRef, remark: impl Into<Remark>) {
        let (object, gateway) = (Arc::new(object.clone()), self.gateway.clone());
        let Remark { words, unread } = remark.into();
        self.noted += 1;
        self.notes.insert(Note { object, words, gateway, unread });
    }

    /// Nothing is wrong with the object so far.
    pub(super) fn accept(&mut self, object: ObjectRef) {
        self.objects.entry(object).or_default();
    }

    pub(super) fn error(&mut self, object: &ObjectRef, mistake: Mistake) -> Finding {
        self.found(object, Severity::Rejected, mistake)
    }

    pub(super) fn warning(&mut self, object: &ObjectRef, mistake: Mistake) -> Finding {
        self.found(object, Severity::Warning, mistake)
    }

    /// Tells an object of a mistake that stands in another, in these words.
    pub(super) fn relay(&mut self, object: &ObjectRef, finding: &Finding, words: String) {
        let report = self.objects.entry(object.clone()).or_default();
        match finding.severity {
            Severity::Warning => report.warnings.push(words),
            Severity::RouteError
            | Severity::Rejected
            | Severity::Refused
            | Severity::ClustersRefused
            | Severity::Crash => report.errors.push(words),
        }
        self.told.entry(object.clone()).or_default().push(finding.clone());
    }

    /// Whether the object has errors. One that is not known has none.
    pub(super) fn has_errors(&self, object: &ObjectRef) -> bool {
        self.objects.get(object).is_some_and(|report| !report.errors.is_empty())
    }

    fn found(&mut self, object: &ObjectRef, severity: Severity, mistake: Mistake) -> Finding {
        let finding = Finding::new(&Arc::new(object.clone()), severity, mistake);
        let finding = Finding { gateway: self.gateway.clone(), ..finding };
        self.relay(object, &finding, finding.words.clone());
        self.findings.push(finding.clone());
        finding
    }

    /// What each object is told, every mistake once, sorted, and the notes.
    pub(super) fn into_findings(
        mut self,
    ) -> (BTreeMap<ObjectRef, Vec<Finding>>, Vec<Finding>, Vec<Note>) {
        self.findings.sort();
        (self.told, self.findings, self.notes.into_iter().collect())
    }

    /// Adds mistakes that show in no object's status.
    pub(super) fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        let gateway = self.gateway.clone();
        let findings = findings.into_iter().map(|finding| {
            let gateway = finding.gateway.clone().or_else(|| gateway.clone());
            Finding { gateway, ..finding }
        });
        self.findings.extend(findings);
    }

    /// Whether there is a verdict on the object.
    pub(super) fn has(&self, object: &ObjectRef) -> bool {
        self.objects.contains_key(object)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&ObjectRef, &Report)> {
        self.objects.iter()
    }
}
