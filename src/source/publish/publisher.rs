//! The daemon's side: starts a child for each commit.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::edit::{Edit, Identity};
use super::error::{PublishError, Step};
use super::outcome::Published;
use super::signing;
use super::task::{Job, Report, Task};
use crate::source::accepted::Accepted;
use crate::source::child::{Child, Trouble};
use crate::source::config::SourceConfig;
use crate::source::credentials::Credentials;
use crate::source::error::SourceError;
use crate::source::location::transport;
use crate::source::patience::{Exhausted, Patience};
use crate::source::request::Request;
use crate::source::signature::Signers;
use coalmine_core::reason::Advice;

/// Where the children work, below the state directory.
const FOLDER: &str = "publish";

/// How the daemon's commits are made.
#[derive(Clone, Debug)]
pub struct PublishConfig {
    /// Who may push. The known hosts are the source's.
    pub credentials: Credentials,
    /// Author and committer.
    pub identity: Identity,
    /// The private ssh key, in OpenSSH's format and without a passphrase, that signs the commits.
    pub signing_key: Option<PathBuf>,
    /// How long one step may go without a sign of life from the server: the fetch, the push, reading back.
    pub deadline: Duration,
}

/// Makes commits on the followed branch, and branches for pull requests.
#[derive(Debug)]
pub struct Publisher {
    source: SourceConfig,
    config: PublishConfig,
    next: AtomicU64,
}

impl Publisher {
    /// A publisher to the branch of this source.
    ///
    /// # Errors
    /// [`SourceError::Configuration`] and [`SourceError::KeyFile`] for what cannot work whatever the server answers:
    /// credentials that do not fit the address, signatures that are asked for without a key that makes them. And
    /// [`PublishError::SigningKey`], also for a key that `--verify` does not list.
    pub fn new(source: &SourceConfig, config: PublishConfig) -> Result<Self, PublishError> {
        let source = source.clone().validated()?;
        let transport = transport(&source.repository)?;
        config.credentials.fit(&source.repository, transport)?;
        let asked = &source.policy.signatures.keys;
        match &config.signing_key {
            Some(path) => {
                let key = signing::read(path)?;
                if !asked.is_empty() {
                    signing::is_trusted(&key, path, &Signers::load(asked)?)?;
                }
            }
            None if !asked.is_empty() => {
                let detail = Advice::new(
                    "--verify asks for signed commits, and the autopilot has no key to sign its own",
                    "make one with `ssh-keygen -t ed25519 -N '' -f autopilot`, add `autopilot \
                     namespaces=\"git\" ` and the content of autopilot.pub as a line to the file of --verify, and name \
                     the key with --autopilot-signing-key",
                );
                return Err(SourceError::Configuration { detail }.into());
            }
            None => {}
        }
        // What children of a daemon that was killed left behind.
        let _ = std::fs::remove_dir_all(source.directory.join(FOLDER));
        Ok(Self { source, config, next: AtomicU64::new(0) })
    }

    /// Makes the commit on the newest commit of the branch and pushes it, and reads back that it arrived. A lost race
    /// is run again on the new commit as long as the service's file is the same. All of it takes at most `longest`.
    ///
    /// The same change may be published again after any error, by another process too: a commit that has arrived is
    /// found by its words.
    ///
    /// # Errors
    /// See [`PublishError`]; [`PublishError::may_have_arrived`] tells whether the branch may have moved.
    pub(in crate::source) async fn commit(
        &self,
        accepted: Option<Accepted>,
        edit: &Edit,
        longest: Duration,
    ) -> Result<Published, PublishError> {
        edit.check()?;
        self.publish(accepted, Job::Commit(edit.clone()), longest).await
    }

    /// Puts the commit on a branch of our own, for a pull request, in place of what we put there before.
    ///
    /// # Errors
    /// See [`PublishError`]. A branch with a commit of anybody else is not touched:
    /// [`PublishError::OthersCommits`].
    pub(in crate::source) async fn propose(
        &self,
        accepted: Option<Accepted>,
        edit: &Edit,
        branch: &str,
        longest: Duration,
    ) -> Result<Published, PublishError> {
        edit.check()?;
        self.publish(accepted, Job::Propose(edit.clone(), branch.to_owned()), longest).await
    }

    /// Asks the server whether the credentials may push, and writes nothing. Returns what it says, for a person.
    ///
    /// # Errors
    /// See [`PublishError`]. A server that tells the right of a push only from the push itself is not seen through.
    pub(in crate::source) async fn check(
        &self,
        accepted: Option<Accepted>,
    ) -> Result<String, PublishError> {
        match self.ask(accepted, Job::Check, self.config.deadline).await? {
            Report::Checked(words) => Ok(words),
            Report::Failed(error) => Err(error),
            Report::Published(_) => Err(self.broken("it answers another question".to_owned())),
        }
    }

    async fn publish(
        &self,
        accepted: Option<Accepted>,
        job: Job,
        longest: Duration,
    ) -> Result<Published, PublishError> {
        match self.ask(accepted, job, longest).await? {
            Report::Published(published) => Ok(published),
            Report::Failed(error) => Err(error),
            Report::Checked(_) => Err(self.broken("it answers another question".to_owned())),
        }
    }

    async fn ask(
        &self,
        accepted: Option<Accepted>,
        job: Job,
        length: Duration,
    ) -> Result<Report, PublishError> {
        let folder = Folder::make(&self.source.directory.join(FOLDER), self.number())?;
        let task = Task {
            request: self.request(&folder.0, accepted),
            clone: self.source.clone_directory(),
            job,
            identity: self.config.identity.clone(),
            signing_key: self.config.signing_key.clone(),
        };
        let child = Child { config: &self.source, command: "publish", home: task.request.home() };
        let patience = Patience { silence: self.config.deadline.min(length), length };
        let step = Mutex::new(Step::Fetch);
        let lock = || step.lock().unwrap_or_else(PoisonError::into_inner);
        let on_step = |text: &[u8]| {
            if let Ok(next) = serde_json::from_slice(text) {
                *lock() = next;
            }
        };
        let answer = child.ask(&task, patience, on_step).await;
        answer.map_err(|trouble| match trouble {
            Trouble::Broken(detail) => self.broken(detail),
            Trouble::Memory(detail) => SourceError::Memory {
                repository: self.source.repository.clone(),
                limit: self.source.memory,
                detail,
            }
            .into(),
            Trouble::Exhausted(Exhausted::Silence(limit) | Exhausted::Length(limit)) => {
                let (repository, step) = (self.source.repository.clone(), *lock());
                PublishError::Deadline { repository, step, limit }
            }
        })
    }

    fn request(&self, directory: &Path, accepted: Option<Accepted>) -> Request {
        Request {
            repository: self.source.repository.clone(),
            branch: self.source.branch.clone(),
            path: self.source.path.clone(),
            directory: directory.to_owned(),
            memory: self.source.memory,
            credentials: self.config.credentials.clone(),
            verify: false,
            policy: self.source.policy.clone(),
            accepted,
        }
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn broken(&self, detail: String) -> PublishError {
        PublishError::Child { repository: self.source.repository.clone(), detail }
    }
}

/// A child's folder, which goes when nobody waits for the child any more.
struct Folder(PathBuf);

impl Folder {
    fn make(below: &Path, number: u64) -> Result<Self, SourceError> {
        let path = below.join(format!("{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path)
            .map_err(|error| crate::source::clone::disk(&path, &error))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is removed at the next start.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
