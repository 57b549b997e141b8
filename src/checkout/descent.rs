//! Whether what a daemon speaks of came after a commit of ours.

use std::cell::RefCell;

use git2::Oid;

use super::{Checkout, Publish};

/// A commit of a clone, looked for in others' history.
pub struct Descent {
    checkout: Checkout,
    commit: String,
    /// The last commit that the clone did not have: what is not on the remote's branch is not asked for again.
    looked_for: RefCell<String>,
}

impl Descent {
    /// Takes the full id of a commit that the clone has.
    pub fn new(checkout: Checkout, commit: String) -> Self {
        Self { checkout, commit, looked_for: RefCell::default() }
    }

    /// Whether a commit is this one or came after it. Somebody else may have pushed it meanwhile, so a commit
    /// that the clone has not is looked for once on the remote's branch; where that cannot be reached, or has
    /// it neither, the answer is no.
    pub fn is_in(&self, revision: &str) -> bool {
        if revision == self.commit {
            return true;
        }
        let ids = (Oid::from_str(&self.commit), Oid::from_str(revision));
        let (Ok(commit), Ok(revision)) = ids else { return false };
        self.has(revision)
            && self.checkout.repository.graph_descendant_of(revision, commit).unwrap_or_default()
    }

    fn has(&self, commit: Oid) -> bool {
        let is_there = || self.checkout.repository.find_commit(commit).is_ok();
        if is_there() {
            return true;
        }
        let id = commit.to_string();
        if self.looked_for.replace(id.clone()) == id {
            return false;
        }
        let remote = self.checkout.upstream().map(Publish::Push);
        remote.and_then(|remote| self.checkout.base(&remote)).is_ok() && is_there()
    }
}
