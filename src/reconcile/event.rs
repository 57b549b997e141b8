//! What a pass did, for whoever tells it to people.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use crate::report;
use coalmine_core::diff::Difference;
use coalmine_core::object::ObjectId;
use coalmine_core::reason::{PreflightError, Reason};

/// Something that a pass did or found.
#[derive(Clone, Debug, PartialEq)]
pub enum ReconcileEvent {
    /// These objects were written because the repository asks for it.
    Applied(Vec<ObjectId>),
    /// These objects were deleted because nothing desires them any more.
    Pruned(Vec<ObjectId>),
    /// The previous routes were written again, for this reason.
    RolledBack(Reason),
    /// The preflight did not admit a change, for this reason.
    Refused(PreflightError),
    /// Somebody else changed what we own.
    Drift(DriftDetails),
}

/// A change of somebody else's to what we own.
#[derive(Clone, Debug, PartialEq)]
pub struct DriftDetails {
    /// The object.
    pub object: ObjectId,
    /// What was changed, and by which field manager, if that can be told; empty for an object that
    /// was deleted.
    pub fields: Vec<(Difference, Option<String>)>,
    /// Whether it was undone; otherwise it was only found.
    pub repaired: bool,
}

impl DriftDetails {
    /// Its first field, in the words of the status.
    pub fn summary(&self, at: Timestamp) -> report::Drift {
        let first = self.fields.first();
        let value = |value: &Option<Value>| value.clone().unwrap_or_default();
        report::Drift {
            object: self.object.to_string(),
            field: first.map(|(difference, _)| difference.field.clone()).unwrap_or_default(),
            from: first.map(|(difference, _)| value(&difference.wanted)).unwrap_or_default(),
            to: first.map(|(difference, _)| value(&difference.found)).unwrap_or_default(),
            manager: first.and_then(|(_, manager)| manager.clone()),
            at,
        }
    }
}

impl fmt::Display for DriftDetails {
    /// One line: the object, and of each field the found and the wanted value and the manager.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, fields, repaired } = self;
        write!(f, "{object} was {}", if fields.is_empty() { "deleted" } else { "changed" })?;
        for (index, (difference, manager)) in fields.iter().enumerate() {
            let (found, wanted) = (shown(&difference.found), shown(&difference.wanted));
            let manager = manager.as_deref().unwrap_or("somebody");
            write!(f, "{}", if index == 0 { ": " } else { "; " })?;
            write!(f, "{manager} made {} {found} where {wanted} is desired", difference.field)?;
        }
        f.write_str(if *repaired { "; repaired" } else { "; left as it is" })
    }
}

/// A value on one line, shortened.
fn shown(value: &Option<Value>) -> String {
    const LONGEST: usize = 100;
    let Some(value) = value else { return "absent".into() };
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
