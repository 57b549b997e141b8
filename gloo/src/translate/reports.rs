use std::collections::BTreeMap;
use std::sync::Arc;

use super::findings::{Finding, Severity};
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
}

impl Reports {
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
            Severity::RouteError | Severity::Rejected | Severity::Refused => {
                report.errors.push(words)
            }
        }
        self.told.entry(object.clone()).or_default().push(finding.clone());
    }

    /// Whether the object has errors. One that is not known has none.
    pub(super) fn has_errors(&self, object: &ObjectRef) -> bool {
        self.objects.get(object).is_some_and(|report| !report.errors.is_empty())
    }

    fn found(&mut self, object: &ObjectRef, severity: Severity, mistake: Mistake) -> Finding {
        let finding = Finding::new(&Arc::new(object.clone()), severity, mistake);
        self.relay(object, &finding, finding.words.clone());
        self.findings.push(finding.clone());
        finding
    }

    /// What each object is told, and every mistake once, sorted.
    pub(super) fn into_findings(mut self) -> (BTreeMap<ObjectRef, Vec<Finding>>, Vec<Finding>) {
        self.findings.sort();
        (self.told, self.findings)
    }

    /// Adds mistakes that show in no object's status.
    pub(super) fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
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
