//! The child's side. Every call of libgit2 here may block for ever.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use git2::{Oid, Repository};
use jiff::Timestamp;
use ssh_key::PrivateKey;

use super::build::build;
use super::edit::Edit;
use super::error::{PublishError, Step};
use super::outcome::{Published, Verdict, look, others};
use super::task::{Job, Report, Task};
use super::words::{is_denial, is_race, shown};
use super::{local, signing};
use crate::source::ancestry::open;
use crate::source::child::{serve_one, tell_step};
use crate::source::clone::{CUT, SHALLOW, disk, without_branch};
use crate::source::contact::{Contact, DEPTHS, Pushed};
use crate::source::error::SourceError;
use crate::source::location::{is_local, local_path};
use crate::source::policy::Fetched;
use crate::source::request::Failure;
use crate::source::revision::Revision;
use crate::source::signature::Signers;
use coalmine_core::reason::Advice;
use coalmine_core::sanitize::sanitize;

/// How often a commit is made and pushed.
const TRIES: usize = 5;
/// The pause after a push that did not arrive; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(100);

/// The child's side, the whole of the hidden `publish` command.
pub fn serve() -> ExitCode {
    serve_one(
        "publish",
        |task: &Task| task.request.memory,
        |task| task.work().unwrap_or_else(Report::Failed),
    )
}

/// A repository of the child's own, and where its commit goes.
struct Work<'a> {
    task: &'a Task,
    own: Repository,
    edit: &'a Edit,
    /// The file's path from the root of the repository.
    path: String,
    key: Option<PrivateKey>,
    /// The branch of our own, in full.
    proposal: Option<String>,
}

impl Task {
    fn work(self) -> Result<Report, PublishError> {
        let (edit, branch) = match &self.job {
            Job::Check => return self.check().map(Report::Checked),
            Job::Commit(edit) => (edit, None),
            Job::Propose(edit, branch) => (edit, Some(format!("refs/heads/{branch}"))),
        };
        let key = self.signing_key.as_deref().map(signing::read).transpose()?;
        let folder = self.request.path.as_str();
        let path = match folder {
            "" => edit.file.clone(),
            folder => format!("{folder}/{}", edit.file),
        };
        if is_local(&self.request.repository) {
            self.look_at_local(branch.as_deref().unwrap_or(&self.followed()))?;
        }
        let own = self.own_repository()?;
        let work = Work { task: &self, own, edit, path, key, proposal: branch };
        work.publish().map(Report::Published)
    }

    /// The followed branch, in full.
    fn followed(&self) -> String {
        format!("refs/heads/{}", self.request.branch)
    }

    /// Whether a push would be let in, as far as the server tells before it.
    fn check(&self) -> Result<String, PublishError> {
        let repository = &self.request.repository;
        if is_local(repository) {
            self.look_at_local(&self.followed())?;
            // Opened for writing, and nothing written.
            let head = local_path(repository).join("HEAD");
            let opened = fs::OpenOptions::new().write(true).open(&head);
            return opened.map(|_| "its folder can be written".to_owned()).map_err(|error| {
                let (repository, head) = (repository.clone(), head.display());
                PublishError::Denied { repository, words: format!("{head}: {error}") }
            });
        }
        let own = self.own_repository()?;
        let (name, known) = (self.followed(), own.refname_to_id(&self.followed()).is_ok());
        let depth = (!known).then_some(DEPTHS[1]);
        let failed = |failure| self.failed(failure);
        tell_step(&Step::Fetch);
        let heads = Contact::new(&self.request)?.fetch(&own, &[&name], depth).map_err(failed)?;
        if !heads.contains(&name) {
            return Err(without_branch(&self.request, heads).into());
        }
        let tip = own.refname_to_id(&name).map_err(|error| self.git(&error))?;
        tell_step(&Step::Push);
        Contact::new(&self.request)?.may_push(&own, &name, tip).map_err(failed)?;
        Ok("the server accepts them for a push".to_owned())
    }

    fn look_at_local(&self, name: &str) -> Result<(), PublishError> {
        let repository = self.request.repository.clone();
        // What is wrong with the folder is told by the fetch.
        let Ok(remote) = Repository::open(local_path(&repository)) else { return Ok(()) };
        if let Some(hook) = local::deciding_hook(&remote) {
            return Err(PublishError::Hook { repository, hook });
        }
        if local::is_checked_out(&remote, name) {
            let branch = self.request.branch.clone();
            return Err(PublishError::CheckedOut { repository, branch });
        }
        Ok(())
    }

    /// A repository in the child's folder that begins with what the clone has.
    fn own_repository(&self) -> Result<Repository, PublishError> {
        let folder = self.request.directory.join("own.git");
        let failed = |error: git2::Error| self.git(&error);
        let own = Repository::init_bare(&folder).map_err(failed)?;
        let Ok(clone) = open(&self.clone) else { return Ok(own) };
        let objects = self.clone.join("objects");
        let objects = std::path::absolute(&objects).map_err(|error| disk(&objects, &error))?;
        let put = |name: &str, text: &[u8]| {
            fs::write(folder.join(name), text).map_err(|error| disk(&folder, &error))
        };
        fs::create_dir_all(folder.join("objects/info")).map_err(|error| disk(&folder, &error))?;
        put("objects/info/alternates", format!("{}\n", objects.display()).as_bytes())?;
        if let Ok(ends) = fs::read(self.clone.join(SHALLOW)) {
            put(SHALLOW, &ends)?;
        }
        // Objects that others write are seen only by who opens the repository after that.
        let own = open(&folder).map_err(failed)?;
        let name = self.followed();
        if let Ok(id) = clone.refname_to_id(&name)
            && own.find_commit(id).is_ok()
        {
            // So that the server sends what is new, and not everything.
            own.reference(&name, id, true, "the clone's").map_err(failed)?;
        }
        Ok(own)
    }

    fn failed(&self, failure: Failure) -> PublishError {
        let error = match failure {
            Failure::Final(error) => error,
            Failure::Clone(detail) => match self.request.lack(&detail) {
                Some(lack) => lack,
                None => {
                    let repository = self.request.repository.clone();
                    return PublishError::Git { repository, detail };
                }
            },
        };
        match error {
            // What the other end of ssh says before it hangs up, which libgit2 takes for trouble with the network.
            SourceError::Unreachable { repository, detail } if is_denial(&detail) => {
                PublishError::Denied { repository, words: shown(&detail) }
            }
            error => error.into(),
        }
    }

    fn git(&self, error: &git2::Error) -> PublishError {
        self.failed(Failure::Clone(error.message().to_owned()))
    }
}

impl Work<'_> {
    fn publish(&self) -> Result<Published, PublishError> {
        let (mut sent, mut last) = (None, None);
        for round in 0..=TRIES {
            tell_step(if sent.is_none() { &Step::Fetch } else { &Step::ReadBack });
            let (tip, head) = match (self.fetch(), sent) {
                (Ok(fetched), _) => fetched,
                (Err(error), None) => return Err(error),
                (Err(error), Some(commit)) => return Err(self.unconfirmed(commit, &error)),
            };
            if let Some(published) = self.look(tip, head, sent)? {
                return Ok(published);
            }
            let target = if self.proposal.is_some() { head } else { Some(tip) };
            if let Some((error, before)) = last.take() {
                let error: PublishError = error;
                // What was refused on one commit need not be on the next, and what is passing is tried again.
                let is_here = before == target;
                if is_here && (!error.is_passing() || round == TRIES) {
                    return Err(error);
                }
                if is_here {
                    std::thread::sleep(PAUSE * 2_u32.pow(u32::try_from(round).unwrap_or(0)));
                }
            }
            if round == TRIES {
                break;
            }
            tell_step(&Step::Build);
            let commit = self.build(tip)?;
            tell_step(&Step::Push);
            match self.push(commit, target) {
                Ok(Pushed::Done) => sent = Some(commit),
                Ok(Pushed::Moved) => {}
                // Another push has the branch locked, and may come to nothing.
                Ok(Pushed::Refused { status, .. }) if is_race(&status) => {
                    last = Some((self.contended(), target));
                }
                Ok(Pushed::Refused { status, words }) => {
                    last = Some((self.refused(&status, &words), target));
                }
                Err(error) => {
                    sent = Some(commit);
                    last = Some((error, target));
                }
            }
        }
        Err(self.contended())
    }

    fn contended(&self) -> PublishError {
        PublishError::Contended {
            repository: self.task.request.repository.clone(),
            branch: self.branch().to_owned(),
            tries: TRIES,
        }
    }

    /// The branch that is pushed to, as people call it.
    fn branch(&self) -> &str {
        let own = self.proposal.as_deref().and_then(|name| name.strip_prefix("refs/heads/"));
        own.unwrap_or(&self.task.request.branch)
    }

    /// Brings the branches here, and returns the newest commit of the followed one and of ours.
    fn fetch(&self) -> Result<(Oid, Option<Oid>), PublishError> {
        let request = &self.task.request;
        let followed = self.task.followed();
        let mut names = vec![followed.as_str()];
        names.extend(self.proposal.as_deref());
        let known = self.own.refname_to_id(&followed).is_ok();
        let depth = (!known && !is_local(&request.repository)).then_some(DEPTHS[0]);
        let heads = Contact::new(request)?.fetch(&self.own, &names, depth);
        let heads = heads.map_err(|failure| self.task.failed(failure))?;
        if !heads.contains(&followed) {
            return Err(without_branch(request, heads).into());
        }
        let id = |name: &str| self.own.refname_to_id(name).map_err(|error| self.task.git(&error));
        let head = self.proposal.as_ref().filter(|name| heads.contains(name));
        Ok((id(&followed)?, head.map(|name| id(name)).transpose()?))
    }

    /// Whether everything is done, or somebody else has decided.
    fn look(
        &self,
        tip: Oid,
        head: Option<Oid>,
        sent: Option<Oid>,
    ) -> Result<Option<Published>, PublishError> {
        let git = |error: git2::Error| self.task.git(&error);
        let (own, identity) = (&self.own, &self.task.identity);
        let commit = own.find_commit(tip).map_err(git)?;
        let newest = Revision::of(&commit);
        let earlier = |id| sent != Some(id);
        let verdict = look(own, &commit, &self.path, self.edit, identity).map_err(git)?;
        match verdict {
            Verdict::Has(id) => {
                let ours = Revision::of(&own.find_commit(id).map_err(git)?);
                return Ok(Some(Published::Landed {
                    commit: ours,
                    tip: newest,
                    earlier: earlier(id),
                }));
            }
            Verdict::Other { is_same } => {
                return Ok(Some(Published::Superseded { tip: newest, is_same }));
            }
            Verdict::Make => {}
        }
        // A branch that is refused by ourselves is no place for a commit.
        self.judge(&newest)?;
        let Some(head) = head else { return Ok(None) };
        if let Some(other) = others(own, head, tip, identity).map_err(git)? {
            let other = Revision::of(&own.find_commit(other).map_err(git)?);
            let branch = self.branch().to_owned();
            return Err(PublishError::OthersCommits {
                branch,
                commit: other.id,
                author: sanitize(&other.author).into_owned(),
                subject: sanitize(&other.subject).into_owned(),
            });
        }
        let proposed = own.find_commit(head).map_err(git)?;
        let verdict = look(own, &proposed, &self.path, self.edit, identity).map_err(git)?;
        match verdict {
            Verdict::Has(id) if id == head => Ok(Some(Published::Proposed {
                commit: Revision::of(&proposed),
                earlier: earlier(head),
            })),
            _ => Ok(None),
        }
    }

    fn judge(&self, tip: &Revision) -> Result<(), PublishError> {
        let request = &self.task.request;
        let cut = fs::read_to_string(self.task.clone.join(CUT)).ok();
        let fetched = Fetched {
            repository: &self.own,
            branch: &request.branch,
            tip,
            accepted: request.accepted.as_ref(),
            cut: cut.as_deref(),
            memory: request.memory,
        };
        Ok(request.policy.judge(&fetched, Timestamp::now())?)
    }

    /// Makes the commit, which the daemon itself would accept.
    fn build(&self, parent: Oid) -> Result<Oid, PublishError> {
        let git = |error: git2::Error| self.task.git(&error);
        let parent = self.own.find_commit(parent).map_err(git)?;
        let (identity, key) = (&self.task.identity, self.key.as_ref());
        let commit =
            build(&self.own, &parent, &self.path, self.edit, identity, key).map_err(git)?;
        let asked = &self.task.request.policy.signatures.keys;
        if let (Some(key), Some(path), false) = (key, &self.task.signing_key, asked.is_empty()) {
            signing::is_trusted(key, path, &Signers::load(asked)?)?;
        }
        Ok(commit)
    }

    fn push(&self, commit: Oid, before: Option<Oid>) -> Result<Pushed, PublishError> {
        let request = &self.task.request;
        let name = self.proposal.clone().unwrap_or_else(|| self.task.followed());
        if is_local(&request.repository) {
            let pushed = Repository::open(local_path(&request.repository))
                .and_then(|remote| local::push(&self.own, &remote, &name, commit, before));
            return pushed.map_err(|error| self.local_failure(&error));
        }
        let pushed = Contact::new(request)?.push(&self.own, &name, commit, before);
        pushed.map_err(|failure| self.task.failed(failure))
    }

    /// Why a repository on this machine cannot be written.
    fn local_failure(&self, error: &git2::Error) -> PublishError {
        let repository = self.task.request.repository.clone();
        let words = error.message().to_owned();
        if self.task.request.lack(&words).is_some() {
            return self.refused("the disk of the repository is full", &words);
        }
        match words.to_lowercase().contains("permission denied") || words.contains("read-only") {
            true => PublishError::Denied { repository, words: shown(&words) },
            false => PublishError::Git { repository, detail: words },
        }
    }

    /// What a refusal by the server means.
    fn refused(&self, status: &str, words: &str) -> PublishError {
        let (repository, branch) = (self.task.request.repository.clone(), self.branch().to_owned());
        let text = format!("{status}\n{words}").to_lowercase();
        let words = shown(&format!("{status}\n{words}"));
        if text.contains("protected") || text.contains("deny updating a hidden ref") {
            return PublishError::Protected { repository, branch, words };
        }
        match is_denial(&text) {
            true => PublishError::Denied { repository, words },
            false => PublishError::Declined { repository, branch, words },
        }
    }

    fn unconfirmed(&self, commit: Oid, error: &PublishError) -> PublishError {
        PublishError::Unconfirmed {
            repository: self.task.request.repository.clone(),
            commit: commit.to_string(),
            detail: Advice::of(error),
        }
    }
}
