//! A person's checkout of the repository: where verbs and reviews read commits, and where a verb's commit
//! goes.
//!
//! A verb acts on what the remote's branch says, for that is what the daemon follows; the work tree and
//! commits that are not pushed are left alone. Commits are read with libgit2 and transferred by the `git`
//! program, so that whoever can `git push` can do all of this.

mod descent;
mod git;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Repository};

use crate::hint::{Advise, advised};
use crate::source::{Revision, SourceError, has_other_object_ids, inside, read_commit};
use coalmine_core::reason::Hinted;
use coalmine_core::tree::{Tree, short};
pub use descent::Descent;
use git::Git;

/// How often a push is tried on top of somebody else's.
const TRIES: usize = 5;

/// A checkout, and the folder in it that holds `coalmine.yaml`, `platform/` and `services/`.
pub struct Checkout {
    repository: Repository,
    git: Git,
    path: String,
}

/// A branch of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The remote's name, such as `origin`.
    pub name: String,
    /// The branch, without `refs/heads/`.
    pub branch: String,
}

/// Where a commit goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publish {
    /// Onto the branch that the daemon follows.
    Push(Remote),
    /// Into a branch of its own, for a pull request; it starts at the one that the daemon follows.
    Branch {
        /// The branch that the daemon follows.
        from: Remote,
        /// The new branch.
        name: String,
    },
    /// Nowhere: onto the branch that is checked out.
    Local,
}

/// A commit that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCommit {
    /// Its id.
    pub id: String,
    /// Where it stands now, in words.
    pub place: String,
    /// What the person should know beside.
    pub note: Option<String>,
}

/// What a commit is to make of files, and its message.
#[derive(Clone)]
pub struct FileEdit {
    /// The files.
    pub files: Vec<FileChange>,
    /// The commit's message.
    pub message: String,
}

/// A file before and after a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// The file, relative to the folder of the rollouts.
    pub file: String,
    /// Its content before; `None` when there is no such file.
    pub before: Option<String>,
    /// Its content after; `None` when it is removed.
    pub after: Option<String>,
}

impl Checkout {
    /// The checkout around a folder. `path` is the rollouts' folder inside of it; without one it is the
    /// nearest one, from `directory` up, that looks like one.
    ///
    /// # Errors
    /// When there is no checkout, or no such folder in it.
    pub fn discover(directory: &Path, path: Option<&str>) -> anyhow::Result<Self> {
        let repository = Repository::discover(directory).map_err(|error| {
            if has_other_object_ids(error.message()) {
                let repository = directory.display().to_string();
                let error = SourceError::ObjectFormat { repository };
                return advised(error.to_string(), error.hint().unwrap_or_default());
            }
            advised(
                format_args!("{} is in no git repository", directory.display()),
                "clone the repository of rollouts, or say -C",
            )
        })?;
        let Some(root) = repository.workdir().map(Path::to_path_buf) else {
            let path = repository.path().display();
            let wrong = format_args!("{path} is a bare repository").to_string();
            return Err(advised(wrong, "a clone of it is needed"));
        };
        let path = match path {
            Some(path) => inside(path)?,
            None => rollouts(&root, directory)?,
        };
        Ok(Self { repository, git: Git(root), path })
    }

    /// The rollouts' folder on disk.
    pub fn folder(&self) -> PathBuf {
        self.git.0.join(&self.path)
    }

    /// The remote's branch that the checked out branch follows.
    ///
    /// # Errors
    /// When no branch is checked out, or it follows none.
    pub fn upstream(&self) -> anyhow::Result<Remote> {
        let hint =
            "`git branch --set-upstream-to=origin/main` sets one, and --no-push does without";
        let head = self.repository.find_reference("HEAD")?;
        let branch = head.symbolic_target().ok().flatten().map(str::to_owned);
        let Some(branch) = branch else {
            return Err(advised("no branch is checked out, so there is none to push to", hint));
        };
        let text = |name: Result<git2::Buf, git2::Error>| -> anyhow::Result<String> {
            let name = name.ok().and_then(|name| name.as_str().ok().map(str::to_owned));
            name.advise(|| (format!("{branch} follows no branch of a remote"), hint))
        };
        let remote = text(self.repository.branch_upstream_remote(&branch))?;
        let merge = text(self.repository.branch_upstream_merge(&branch))?;
        let merge = merge.strip_prefix("refs/heads/").unwrap_or(&merge).to_owned();
        Ok(Remote { name: remote, branch: merge })
    }

    /// The commit that a verb's commit will stand on: of a remote's branch the newest one.
    ///
    /// # Errors
    /// When the remote cannot be reached.
    pub fn base(&self, publish: &Publish) -> anyhow::Result<String> {
        match publish {
            Publish::Push(remote) | Publish::Branch { from: remote, .. } => {
                let Remote { name, branch } = remote;
                let tracking = format!("refs/remotes/{name}/{branch}");
                let refspec = format!("+refs/heads/{branch}:{tracking}");
                self.git.run(&["fetch", "--quiet", "--no-tags", name, &refspec])?;
                self.commit_id(&tracking)
            }
            Publish::Local => self.commit_id("HEAD"),
        }
    }

    /// The full id of the commit that a name means.
    ///
    /// # Errors
    /// When there is none.
    pub fn commit_id(&self, name: &str) -> anyhow::Result<String> {
        if self.repository.is_empty().unwrap_or(false) {
            return Err(advised(
                "the repository has no commit yet",
                "commit its files first: `git add --all && git commit`",
            ));
        }
        let object = self.repository.revparse_single(name);
        let object = object.with_context(|| format!("there is no commit {name}"))?;
        let commit =
            object.peel(ObjectType::Commit).with_context(|| format!("{name} is no commit"))?;
        Ok(commit.id().to_string())
    }

    /// The newest commit that both have.
    ///
    /// # Errors
    /// When they have none in common.
    pub fn merge_base(&self, one: &str, other: &str) -> anyhow::Result<String> {
        let (one, other) = (Oid::from_str(one)?, Oid::from_str(other)?);
        let base = self.repository.merge_base(one, other);
        let base = base.advise(|| ("the two have no commit in common", "is the clone shallow?"))?;
        Ok(base.to_string())
    }

    /// The files of a commit in the rollouts' folder.
    ///
    /// # Errors
    /// As for the daemon: what it would refuse is refused here.
    pub fn tree(&self, commit: &str) -> Result<Tree, SourceError> {
        read_commit(self.repository.commondir(), commit, &self.path)
    }

    /// What a commit says about itself.
    ///
    /// # Errors
    /// When there is no such commit.
    pub fn revision(&self, commit: &str) -> anyhow::Result<Revision> {
        Ok(Revision::of(&self.repository.find_commit(Oid::from_str(commit)?)?))
    }

    /// The file's content before the newest change of it, and that change.
    ///
    /// # Errors
    /// When nothing ever changed it, or the history that is here ends before.
    pub fn previous(&self, base: &str, file: &str) -> anyhow::Result<(Revision, String)> {
        let path = self.path_of(file);
        let blob = |commit: &git2::Commit<'_>| -> anyhow::Result<Option<Oid>> {
            match commit.tree()?.get_path(Path::new(&path)) {
                Ok(entry) => Ok(Some(entry.id())),
                Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        let mut commit = self.repository.find_commit(Oid::from_str(base)?)?;
        let now = blob(&commit)?.with_context(|| format!("{path} is not in {}", short(base)))?;
        loop {
            let change = Revision::of(&commit);
            if commit.parent_count() == 0 {
                bail!(
                    "{path} has no earlier state: it came with {} ({})",
                    change.short(),
                    change.subject
                );
            }
            let Ok(parent) = commit.parent(0) else {
                return Err(advised(
                    format_args!("the history ends at {}", change.short()),
                    "`git fetch --unshallow` brings the rest",
                ));
            };
            match blob(&parent)? {
                Some(before) if before == now => commit = parent,
                Some(before) => {
                    let content = self.repository.find_blob(before)?.content().to_vec();
                    let content = String::from_utf8(content);
                    let content = content
                        .with_context(|| format!("{path} was no text before {}", change.short()))?;
                    return Ok((change, content));
                }
                None => {
                    return Err(advised(
                        format_args!("{path} came with {} ({})", change.short(), change.subject),
                        "to take the service away remove the file",
                    ));
                }
            }
        }
    }

    /// The files below a folder that the newest change of it changed, as they were before, and that change.
    ///
    /// # Errors
    /// When nothing changed the folder since it came, or the history that is here ends before.
    pub fn previous_of(
        &self,
        base: &str,
        folder: &str,
    ) -> anyhow::Result<(Revision, Vec<FileChange>)> {
        let path = self.path_of(folder);
        let entry = |commit: &git2::Commit<'_>| -> anyhow::Result<Option<Oid>> {
            match commit.tree()?.get_path(Path::new(&path)) {
                Ok(entry) => Ok(Some(entry.id())),
                Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        let mut commit = self.repository.find_commit(Oid::from_str(base)?)?;
        let now = entry(&commit)?;
        loop {
            let change = Revision::of(&commit);
            if commit.parent_count() == 0 {
                return Err(advised(
                    format_args!("{path} has no earlier state up to {}", change.short()),
                    "change its files by a commit of your own",
                ));
            }
            let Ok(parent) = commit.parent(0) else {
                return Err(advised(
                    format_args!("the history ends at {}", change.short()),
                    "`git fetch --unshallow` brings the rest",
                ));
            };
            let before = entry(&parent)?;
            if before == now {
                commit = parent;
                continue;
            }
            if before.is_none() {
                return Err(advised(
                    format_args!("{path} came with {} ({})", change.short(), change.subject),
                    "to take its objects away remove their files by a commit of your own",
                ));
            }
            let files = self.changed_files(&path, &parent.tree()?, &commit.tree()?)?;
            return Ok((change, files));
        }
    }

    /// The files below a path of the repository that differ, as they are to be brought back.
    fn changed_files(
        &self,
        path: &str,
        old: &git2::Tree<'_>,
        new: &git2::Tree<'_>,
    ) -> anyhow::Result<Vec<FileChange>> {
        let mut options = git2::DiffOptions::new();
        options.pathspec(path).disable_pathspec_match(true);
        let diff = self.repository.diff_tree_to_tree(Some(old), Some(new), Some(&mut options))?;
        let content = |file: git2::DiffFile<'_>| -> anyhow::Result<Option<String>> {
            if !file.exists() {
                return Ok(None);
            }
            let content = self.repository.find_blob(file.id())?.content().to_vec();
            let name = || file.path().unwrap_or(Path::new(path)).display().to_string();
            let content = String::from_utf8(content);
            Ok(Some(content.with_context(|| format!("{} is no text", name()))?))
        };
        let changes = diff.deltas().map(|delta| {
            let file = delta.new_file().path().or(delta.old_file().path()).and_then(Path::to_str);
            let file = file.context("a file's name is no text")?;
            Ok(FileChange {
                file: self.within(file).to_owned(),
                before: content(delta.new_file())?,
                after: content(delta.old_file())?,
            })
        });
        changes.collect()
    }

    /// Makes a commit and publishes it. When somebody else pushed meanwhile, `edit` is asked again for the
    /// new base.
    ///
    /// # Errors
    /// When `edit` fails, or git refuses. No branch has moved then.
    pub fn publish(
        &self,
        publish: &Publish,
        mut base: String,
        mut edit: impl FnMut(&str) -> anyhow::Result<FileEdit>,
    ) -> anyhow::Result<NewCommit> {
        let mut refused = String::new();
        for _ in 0..TRIES {
            let change = edit(&base)?;
            let commit = self.commit(&base, &change)?;
            let (target, remote) = match publish {
                Publish::Push(remote) => (&remote.branch, remote),
                Publish::Branch { from, name } => (name, from),
                Publish::Local => return self.move_local(&commit),
            };
            let push = format!("{commit}:refs/heads/{target}");
            let answer = self.git.ask(&["push", "--quiet", &remote.name, &push])?;
            if answer.succeeded {
                return Ok(self.pushed(publish, commit));
            }
            refused = answer.words;
            let now = self.base(publish)?;
            if now == base {
                break;
            }
            base = now;
        }
        bail!("the push was refused: {refused}");
    }

    fn commit(&self, base: &str, edit: &FileEdit) -> anyhow::Result<String> {
        let tree = self.repository.find_commit(Oid::from_str(base)?)?.tree()?;
        let mut update = TreeUpdateBuilder::new();
        for FileChange { file, after, .. } in &edit.files {
            let path = self.path_of(file);
            let Some(after) = after else {
                update.remove(path);
                continue;
            };
            let mode = match tree.get_path(Path::new(&path)).map(|entry| entry.filemode()) {
                Ok(0o100_755) => FileMode::BlobExecutable,
                _ => FileMode::Blob,
            };
            let blob = self.repository.blob(after.as_bytes())?;
            update.upsert(path, blob, mode);
        }
        let tree = update.create_updated(&self.repository, &tree)?;
        self.git.commit(&tree.to_string(), base, &edit.message)
    }

    /// The commit is where it should be; the branch that is checked out follows it if it can.
    fn pushed(&self, publish: &Publish, id: String) -> NewCommit {
        match publish {
            Publish::Push(remote) => {
                let place = format!("{} of {}", remote.branch, remote.name);
                let follows = self.upstream().is_ok_and(|upstream| upstream == *remote);
                let note = follows.then(|| self.follow(&id)).flatten();
                NewCommit { id, place, note }
            }
            Publish::Branch { from, name } => {
                let note = format!("open a pull request from {name} to {}", from.branch);
                NewCommit { id, place: format!("{name} of {}", from.name), note: Some(note) }
            }
            Publish::Local => {
                NewCommit { id, place: "the branch that is checked out".into(), note: None }
            }
        }
    }

    fn move_local(&self, commit: &str) -> anyhow::Result<NewCommit> {
        let answer = self.git.ask(&["merge", "--ff-only", "--quiet", commit])?;
        if !answer.succeeded {
            bail!("the work tree is in the way, nothing was changed: {}", answer.words);
        }
        Ok(self.pushed(&Publish::Local, commit.to_owned()))
    }

    /// Brings the checked out branch up to the commit; says why it stays behind if it does.
    fn follow(&self, commit: &str) -> Option<String> {
        let advice = "this checkout stays as it was; `git pull --rebase` brings it up to date";
        match self.git.ask(&["merge", "--ff-only", "--quiet", commit]) {
            Ok(answer) if answer.succeeded => None,
            _ => Some(advice.to_owned()),
        }
    }

    /// A file of the repository, relative to the folder of the rollouts.
    fn within<'a>(&self, path: &'a str) -> &'a str {
        let below = path.strip_prefix(&self.path).and_then(|rest| rest.strip_prefix('/'));
        below.unwrap_or(path)
    }

    fn path_of(&self, file: &str) -> String {
        if self.path.is_empty() { file.to_owned() } else { format!("{}/{file}", self.path) }
    }
}

/// The nearest folder that looks like one of rollouts, from `directory` up to the root of the checkout,
/// relative to that root.
fn rollouts(root: &Path, directory: &Path) -> anyhow::Result<String> {
    let (root, start) = (root.canonicalize()?, directory.canonicalize()?);
    let is_one = |folder: &Path| {
        let files = ["coalmine.yaml", "services", "platform"];
        folder.starts_with(&root) && files.iter().any(|name| folder.join(name).exists())
    };
    // Whoever stands in `services/` means the folder above.
    let inside = |folder: &Path| {
        folder.parent().is_some_and(is_one) && !folder.join("coalmine.yaml").exists()
    };
    let found = start.ancestors().filter(|folder| is_one(folder)).find(|folder| !inside(folder));
    let Some(found) = found else {
        return Err(advised(
            format_args!(
                "neither {} nor a folder above it in the repository has coalmine.yaml, services/ or platform/",
                directory.display()
            ),
            "say --path",
        ));
    };
    Ok(found.strip_prefix(&root)?.to_string_lossy().into_owned())
}
