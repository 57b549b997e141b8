use std::collections::BTreeMap;

use coalmine_core::managed_fields::Digest;
use coalmine_core::object::ObjectId;

/// How the API server stores objects that it stores otherwise than they are applied: an amount in another
/// unit, a field that a webhook adds.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct StoredForms(BTreeMap<ObjectId, (Digest, Digest)>);

impl StoredForms {
    /// What we own of the object when this manifest is applied.
    pub(in crate::reconcile) fn expected(&self, id: &ObjectId, manifest: Digest) -> Digest {
        match self.0.get(id) {
            Some((of, stored)) if *of == manifest => *stored,
            _ => manifest,
        }
    }

    /// Notes how the API server stores a manifest.
    pub(in crate::reconcile) fn record(&mut self, id: &ObjectId, manifest: Digest, stored: Digest) {
        if manifest == stored {
            self.0.remove(id);
        } else {
            self.0.insert(id.clone(), (manifest, stored));
        }
    }
}

/// The manifests that a dry run has accepted, each on a state of its object.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct DryRuns(BTreeMap<ObjectId, (Digest, u64)>);

impl DryRuns {
    /// Whether the manifest was accepted on this `resourceVersion` of the object.
    pub(in crate::reconcile) fn accepted(
        &self,
        id: &ObjectId,
        manifest: Digest,
        version: u64,
    ) -> bool {
        self.0.get(id) == Some(&(manifest, version))
    }

    /// Notes that it was.
    pub(in crate::reconcile) fn record(&mut self, id: &ObjectId, manifest: Digest, version: u64) {
        self.0.insert(id.clone(), (manifest, version));
    }

    /// Nothing is left to be written.
    pub(in crate::reconcile) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Drift that was reported and is left as it is.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct ReportedDrift(BTreeMap<ObjectId, Option<Digest>>);

impl ReportedDrift {
    /// Whether this state of the object was reported; `None` when it is not there.
    pub(in crate::reconcile) fn has(&self, id: &ObjectId, owned: Option<Digest>) -> bool {
        self.0.get(id) == Some(&owned)
    }

    /// Notes that it was.
    pub(in crate::reconcile) fn record(&mut self, id: &ObjectId, owned: Option<Digest>) {
        self.0.insert(id.clone(), owned);
    }

    /// There is none any more.
    pub(in crate::reconcile) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id() -> ObjectId {
        ObjectId::new("apps/v1", "Deployment", Some("echo"), "echo-v1")
    }

    fn digests() -> [Digest; 3] {
        [1, 2, 3].map(|number| Digest::of(&json!(number)))
    }

    #[test]
    fn a_stored_form_counts_for_its_own_manifest_only_and_ends_with_a_plain_one() {
        let ([applied, stored, other], mut forms) = (digests(), StoredForms::default());
        assert_eq!(forms.expected(&id(), applied), applied);
        forms.record(&id(), applied, stored);
        assert_eq!(forms.expected(&id(), applied), stored);
        assert_eq!(forms.expected(&id(), other), other);
        forms.record(&id(), applied, applied);
        assert_eq!(forms.expected(&id(), applied), applied);
    }

    #[test]
    fn a_dry_run_counts_for_its_manifest_on_its_state_of_the_object() {
        let ([manifest, other, _], mut runs) = (digests(), DryRuns::default());
        runs.record(&id(), manifest, 7);
        assert!(runs.accepted(&id(), manifest, 7));
        assert!(!runs.accepted(&id(), manifest, 8) && !runs.accepted(&id(), other, 7));
        runs.clear();
        assert!(!runs.accepted(&id(), manifest, 7));
    }

    #[test]
    fn another_state_of_the_object_is_reported_again_and_so_is_its_deletion() {
        let ([one, other, _], mut reported) = (digests(), ReportedDrift::default());
        assert!(!reported.has(&id(), None));
        reported.record(&id(), Some(one));
        assert!(reported.has(&id(), Some(one)));
        assert!(!reported.has(&id(), Some(other)) && !reported.has(&id(), None));
        reported.clear();
        assert!(!reported.has(&id(), Some(one)));
    }
}
