use std::collections::BTreeSet;

use coalmine_core::object::ObjectId;

/// Objects that were to be written or deleted, of which nobody knows whether they were.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct Unconfirmed(BTreeSet<ObjectId>);

impl Unconfirmed {
    /// These are about to be written or deleted.
    pub(in crate::reconcile) fn begin(&mut self, ids: impl IntoIterator<Item = ObjectId>) {
        self.0.extend(ids);
    }

    /// What became of these is known.
    pub(in crate::reconcile) fn confirm<'a>(
        &mut self,
        ids: impl IntoIterator<Item = &'a ObjectId>,
    ) {
        for id in ids {
            self.0.remove(id);
        }
    }

    /// One of them.
    pub(in crate::reconcile) fn first(&self) -> Option<&ObjectId> {
        self.0.first()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_unconfirmed_from_its_beginning_until_it_is_answered() {
        let id = |name| ObjectId::new("v1", "Service", Some("echo"), name);
        let mut unconfirmed = Unconfirmed::default();
        assert_eq!(unconfirmed.first(), None);
        unconfirmed.begin([id("a"), id("b")]);
        unconfirmed.confirm([&id("a")]);
        assert_eq!(unconfirmed.first(), Some(&id("b")));
        unconfirmed.confirm([&id("b")]);
        assert_eq!(unconfirmed.first(), None);
    }
}
