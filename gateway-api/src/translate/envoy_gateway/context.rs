//! A rule on its way.

use std::sync::Arc;

use crate::api::RuleSpec;
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// A rule and where it stands.
pub(super) struct Context<'a, 'b> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) reference: &'a ResourceRef,
    pub(super) rule: &'a RuleSpec,
    pub(super) number: usize,
    /// `httproute/<namespace>/<name>/rule/<n>`.
    pub(super) name: String,
    pub(super) holder: &'b Arc<ObjectRef>,
}
