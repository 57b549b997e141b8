//! Where the desired state comes from: one commit of a git repository, or a folder.
//!
//! The repository is kept as a bare clone on disk and brought up to date by a child process of this
//! very program, because libgit2 can block in a read for as long as a server pleases: a process can
//! be killed, a thread cannot. Nothing is ever checked out; the files of a commit are read from the
//! clone into memory.

mod accepted;
mod ancestry;
mod blobs;
mod child;
mod clone;
mod collect;
mod config;
mod contact;
mod credentials;
mod directory;
mod error;
mod host_key;
mod limits;
mod location;
mod memory;
mod past;
mod patience;
mod policy;
mod poll;
mod publish;
mod request;
mod revision;
mod signature;
mod trees;
mod trigger;

use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

pub use blobs::read_commit;
pub use child::serve as serve_fetch;
pub use config::SourceConfig;
pub(crate) use config::{branch_name, inside};
pub(crate) use credentials::token;
pub use credentials::{Credentials, Purpose};
pub use directory::read_directory;
pub(crate) use error::has_other_object_ids;
pub use error::{Refusal, SourceError};
pub use memory::default_fetch_memory;
pub use past::Change;
pub use policy::{CommitId, Policy, Rewind, Signatures};
pub use poll::next_poll;
pub use publish::{
    Edit, Identity, PublishConfig, PublishError, Published, Publisher, Step, Trailers,
    serve_publish,
};
pub use revision::Revision;
pub use signature::{Signers, TrustedKeys};
pub use trigger::Trigger;

use coalmine_core::sanitize::sanitize;
use coalmine_core::tree::Tree;

use accepted::Accepted;

/// One branch of one git repository.
#[derive(Debug)]
pub struct Source {
    config: SourceConfig,
    /// Whether every file of the last revision was readable in the clone. Cleared when reading fails,
    /// so that the next fetch looks closely and, if need be, clones anew.
    intact: AtomicBool,
    fetching: Mutex<()>,
    accepted: std::sync::Mutex<Option<Accepted>>,
    /// What somebody else accepted last, for as long as we have accepted nothing.
    accepted_elsewhere: std::sync::Mutex<Option<Accepted>>,
}

impl Source {
    /// A source that has fetched nothing yet, and remembers what was accepted before.
    ///
    /// # Errors
    /// [`SourceError::Configuration`] for what cannot work whatever the server answers: a password in
    /// the URL, a token over http, ssh without a key or without known hosts, an invalid branch name,
    /// a path that leaves the repository. [`SourceError::KeyFile`] for trusted keys, and
    /// [`SourceError::Disk`] for what was accepted last, when they cannot be read.
    pub fn new(config: SourceConfig) -> Result<Self, SourceError> {
        let config = config.validated()?;
        Signers::load(&config.policy.signatures.keys)?;
        let accepted = Accepted::load(&config.directory, &config.repository, &config.branch)?;
        Ok(Self {
            config,
            intact: AtomicBool::new(false),
            fetching: Mutex::new(()),
            accepted: std::sync::Mutex::new(accepted),
            accepted_elsewhere: std::sync::Mutex::default(),
        })
    }

    /// Brings the clone up to date and returns the branch's newest commit.
    ///
    /// When nothing changed this is one question to the server and no download. A damaged clone is made
    /// anew, once per call.
    ///
    /// # Errors
    /// See [`SourceError`]; every one leaves what was fetched before in place. What the configured
    /// [`Policy`] does not allow is an error that names the commit ([`SourceError::refused_revision`]).
    pub async fn fetch(&self) -> Result<Revision, SourceError> {
        let _one_at_a_time = self.fetching.lock().await;
        let verify = !self.intact.load(Ordering::Acquire);
        let accepted = self.last_accepted();
        let revision = child::fetch(&self.config, verify, accepted).await?;
        self.intact.store(true, Ordering::Release);
        Ok(revision)
    }

    /// What the branch has to descend from.
    fn last_accepted(&self) -> Option<Accepted> {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let elsewhere =
            || self.accepted_elsewhere.lock().unwrap_or_else(PoisonError::into_inner).clone();
        accepted.or_else(elsewhere)
    }

    /// The commit that was accepted last, by this process or one before it on the same state directory.
    /// Its tree is readable as long as the clone has not been lost.
    pub fn accepted(&self) -> Option<Revision> {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.as_ref().map(|accepted| accepted.revision.clone())
    }

    /// Whether [`Source::accepted_elsewhere`] has to be said before the first fetch: signatures are asked
    /// for, and the state directory does not say how far the branch was.
    pub fn needs_last_accepted(&self) -> bool {
        !self.config.policy.signatures.keys.is_empty() && self.accepted().is_none()
    }

    /// Says which commit another replica accepted last. Until we accept one of our own the branch has to
    /// descend from it, as if we had accepted it ourselves and asked for no signature; so an old commit,
    /// however well signed, is not taken for the newest by whoever starts with an empty state directory.
    pub fn accepted_elsewhere(&self, commit: &str) {
        let revision = Revision {
            id: sanitize(commit).into_owned(),
            author: String::new(),
            subject: String::new(),
            committed: jiff::Timestamp::UNIX_EPOCH,
        };
        let accepted = Accepted {
            repository: self.config.repository.clone(),
            branch: self.config.branch.clone(),
            revision,
            verified: false,
        };
        let mut elsewhere = self.accepted_elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        *elsewhere = Some(accepted);
    }

    /// Makes a commit on the newest commit of the branch and pushes it, and reads back that it arrived. A lost race
    /// is run again on the new commit as long as the service's file is the same. All of it takes at most `longest`.
    ///
    /// The same edit may be published again after any error, by another process too: a commit that has arrived is
    /// found by its words.
    ///
    /// # Errors
    /// See [`PublishError`]; [`PublishError::may_have_arrived`] tells whether the branch may have moved.
    pub async fn commit(
        &self,
        publisher: &Publisher,
        edit: &Edit,
        longest: Duration,
    ) -> Result<Published, PublishError> {
        publisher.commit(self.last_accepted(), edit, longest).await
    }

    /// Puts a commit on a branch of our own, for a pull request, in place of what we put there before.
    ///
    /// # Errors
    /// See [`PublishError`]. A branch with a commit of anybody else is not touched:
    /// [`PublishError::OthersCommits`].
    pub async fn propose(
        &self,
        publisher: &Publisher,
        edit: &Edit,
        branch: &str,
        longest: Duration,
    ) -> Result<Published, PublishError> {
        publisher.propose(self.last_accepted(), edit, branch, longest).await
    }

    /// Asks the server whether the publisher may push, and writes nothing. Returns what it says, for a person.
    ///
    /// # Errors
    /// See [`PublishError`]. A server that tells the right of a push only from the push itself is not seen through.
    pub async fn check_push(&self, publisher: &Publisher) -> Result<String, PublishError> {
        publisher.check(self.last_accepted()).await
    }

    /// Remembers that a fetched revision was accepted: from now on the branch has to descend from it.
    ///
    /// # Errors
    /// [`SourceError::Disk`]; then the one before stays the last.
    pub fn accept(&self, revision: &Revision) -> Result<(), SourceError> {
        let now = Some(Accepted {
            repository: self.config.repository.clone(),
            branch: self.config.branch.clone(),
            revision: revision.clone(),
            verified: !self.config.policy.signatures.keys.is_empty(),
        });
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if *accepted != now {
            now.iter().try_for_each(|now| now.save(&self.config.directory))?;
            *accepted = now;
        }
        Ok(())
    }

    /// The files of a fetched revision below the configured path. Reads the disk, not the network.
    ///
    /// # Errors
    /// [`SourceError::PathMissing`], [`SourceError::Refused`] for what the tree may not contain, and
    /// [`SourceError::Damaged`] when the clone cannot be read; the next [`Source::fetch`] repairs it.
    pub fn tree(&self, revision: &Revision) -> Result<Tree, SourceError> {
        self.tree_after(revision, &Tree::default())
    }

    /// As [`Source::tree`], but reads only what differs from the tree of an earlier revision; what
    /// does not is shared with it.
    ///
    /// # Errors
    /// As [`Source::tree`].
    pub fn tree_after(&self, revision: &Revision, previous: &Tree) -> Result<Tree, SourceError> {
        let clone = self.config.clone_directory();
        let tree = blobs::read(&clone, &revision.id, &self.config.path, previous);
        if matches!(tree, Err(SourceError::Damaged { .. })) {
            self.intact.store(false, Ordering::Release);
        }
        tree
    }
}
