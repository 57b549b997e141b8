//! Where the desired state comes from: one commit of a git repository, or a folder.
//!
//! The repository is kept as a bare clone on disk and brought up to date by a child process of this
//! very program, because libgit2 can block in a read for as long as a server pleases: a process can
//! be killed, a thread cannot. Nothing is ever checked out; the files of a commit are read from the
//! clone into memory.

mod blobs;
mod child;
mod clone;
mod config;
mod contact;
mod credentials;
mod directory;
mod error;
mod host_key;
mod limits;
mod location;
mod poll;
mod revision;
mod tree;

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

pub use child::serve as serve_fetch;
pub use config::SourceConfig;
pub use credentials::Credentials;
pub use error::{Refusal, SourceError};
pub use poll::next_poll;
pub use revision::Revision;
pub use tree::{File, Identity, Tree};

/// One branch of one git repository.
#[derive(Debug)]
pub struct Source {
    config: SourceConfig,
    /// Whether every file of the last revision was readable in the clone. Cleared when reading fails,
    /// so that the next fetch looks closely and, if need be, clones anew.
    intact: AtomicBool,
    fetching: Mutex<()>,
}

impl Source {
    /// A source that has fetched nothing yet.
    ///
    /// # Errors
    /// [`SourceError::Configuration`] for what cannot work whatever the server answers: a password in
    /// the URL, a token over http, ssh without a key or without known hosts, an invalid branch name,
    /// a path that leaves the repository.
    pub fn new(config: SourceConfig) -> Result<Self, SourceError> {
        let config = config.validated()?;
        Ok(Self { config, intact: AtomicBool::new(false), fetching: Mutex::new(()) })
    }

    /// Brings the clone up to date and returns the branch's newest commit.
    ///
    /// When nothing changed this is one question to the server and no download. History that was
    /// rewritten (a forced push) is followed without complaint: the branch is what it is now.
    /// A damaged clone is made anew, once per call.
    ///
    /// # Errors
    /// See [`SourceError`]; every one leaves what was fetched before in place.
    pub async fn fetch(&self) -> Result<Revision, SourceError> {
        let _one_at_a_time = self.fetching.lock().await;
        let verify = !self.intact.load(Ordering::Acquire);
        let revision = child::fetch(&self.config, verify).await?;
        self.intact.store(true, Ordering::Release);
        Ok(revision)
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
