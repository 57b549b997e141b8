//! A git repository with a working clone, driven by the git command line as people drive it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// The branch that everything happens on.
pub const BRANCH: &str = "main";

/// A bare repository and a working clone of it.
#[derive(Clone, Debug)]
pub struct Repository {
    bare: PathBuf,
    clone: PathBuf,
}

/// A commit that the bare repository has.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// The commit's full id.
    pub revision: String,
    /// When the push began.
    pub at: Instant,
}

/// A commit that somebody has pushed.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The commit's full id.
    pub revision: String,
    /// Who wrote it.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
    /// Its whole message.
    pub message: String,
}

impl Repository {
    /// Makes `repository.git` and `clone` in `directory`, with the files below `content` as the
    /// first commit, pushed; a history that it has stays behind. What was there under these two names is removed first.
    ///
    /// # Errors
    /// No git on the PATH, git's own complaint, or the disk's.
    pub async fn create(directory: &Path, content: &Path) -> Result<Self> {
        let repository =
            Self { bare: directory.join("repository.git"), clone: directory.join("clone") };
        for folder in [&repository.bare, &repository.clone] {
            if folder.exists() {
                std::fs::remove_dir_all(folder)
                    .with_context(|| format!("cannot remove the old {}", folder.display()))?;
            }
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let branch = format!("--initial-branch={BRANCH}");
        git(&repository.bare, &["init", "--quiet", "--bare", &branch]).await?;
        repository.git(&["init", "--quiet", &branch]).await?;
        let origin = repository.bare.to_str().context("the folder's name is not UTF-8")?;
        repository.git(&["remote", "add", "origin", origin]).await?;
        // People commit here from their own shells, whether or not git knows them.
        for (name, value) in [
            ("user.name", "coalmine"),
            ("user.email", "coalmine@example.invalid"),
            ("commit.gpgsign", "false"),
            ("push.default", "simple"),
        ] {
            repository.git(&["config", name, value]).await?;
        }
        copy(content, &repository.clone)?;
        repository.commit("Begin").await?;
        repository.git(&["push", "--quiet", "--set-upstream", "origin", BRANCH]).await?;
        Ok(repository)
    }

    /// The bare repository: what the daemon follows.
    pub fn bare(&self) -> &Path {
        &self.bare
    }

    /// The working clone.
    pub fn clone_directory(&self) -> &Path {
        &self.clone
    }

    /// Writes a file of the working clone, with its folders.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, path: &str, content: &str) -> Result<()> {
        let path = self.clone.join(path);
        let folder = path.parent().context("a file needs a name")?;
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, content))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Removes a file of the working clone.
    ///
    /// # Errors
    /// The disk's.
    pub fn remove(&self, path: &str) -> Result<()> {
        let path = self.clone.join(path);
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
    }

    /// Commits everything in the working clone, even when nothing changed, and returns the id.
    ///
    /// # Errors
    /// Git's own complaint.
    pub async fn commit(&self, message: &str) -> Result<String> {
        self.git(&["add", "--all"]).await?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]).await?;
        self.head().await
    }

    /// Commits the opposite of a commit, such as `HEAD~2`.
    ///
    /// # Errors
    /// Git's own complaint.
    pub async fn revert(&self, commit: &str) -> Result<()> {
        self.git(&["revert", "--no-edit", commit]).await.map(drop)
    }

    /// Pushes the branch.
    ///
    /// # Errors
    /// Git's own complaint.
    pub async fn push(&self) -> Result<Pushed> {
        let revision = self.head().await?;
        let at = Instant::now();
        self.git(&["push", "--quiet", "origin", BRANCH]).await?;
        Ok(Pushed { revision, at })
    }

    /// The newest commits of the bare repository, the newest first.
    ///
    /// # Errors
    /// Git's own complaint.
    pub async fn pushed(&self) -> Result<Vec<Commit>> {
        let log = git(
            &self.bare,
            &["log", "-z", "--max-count=50", "--format=%H%x1f%an%x1f%s%x1f%B", BRANCH],
        );
        let log = log.await?;
        let commits = log.split('\0').filter_map(|commit| {
            let mut fields = commit.splitn(4, '\x1f').map(str::to_owned);
            let (revision, author) = (fields.next()?, fields.next()?);
            Some(Commit { revision, author, subject: fields.next()?, message: fields.next()? })
        });
        Ok(commits.collect())
    }

    /// Brings the working clone up to date with what others have pushed.
    ///
    /// # Errors
    /// Git's own complaint.
    pub async fn pull(&self) -> Result<()> {
        self.git(&["pull", "--quiet", "--ff-only", "origin", BRANCH]).await.map(drop)
    }

    /// Takes the bare repository away, as if its server were down.
    ///
    /// # Errors
    /// The disk's.
    pub fn hide(&self) -> Result<()> {
        std::fs::rename(&self.bare, self.hidden()).context("cannot hide the repository")
    }

    /// Brings the bare repository back.
    ///
    /// # Errors
    /// The disk's.
    pub fn show(&self) -> Result<()> {
        std::fs::rename(self.hidden(), &self.bare).context("cannot bring the repository back")
    }

    fn hidden(&self) -> PathBuf {
        self.bare.with_extension("hidden")
    }

    /// The commit that the working clone has checked out.
    ///
    /// # Errors
    /// Git's own complaint.
    pub async fn head(&self) -> Result<String> {
        self.git(&["rev-parse", "HEAD"]).await
    }

    async fn git(&self, arguments: &[&str]) -> Result<String> {
        git(&self.clone, arguments).await
    }
}

/// Runs git in a folder, without anybody's configuration, identity, hooks' environment or questions.
async fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(variable);
    }
    let output = command
        .current_dir(folder)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run git; install it and make sure that it is on the PATH")?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`git {}` in {}: {}", arguments.join(" "), folder.display(), complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Copies the files below a folder, without its history.
///
/// # Errors
/// The disk's.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let entries =
        std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_name() == ".git" {
            continue;
        }
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&to)?;
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), &to)
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fixture() -> (tempfile::TempDir, Repository) {
        let folder = tempfile::tempdir().unwrap();
        let content = folder.path().join("content");
        std::fs::create_dir_all(content.join("services")).unwrap();
        std::fs::write(content.join("services/echo.yaml"), "one\n").unwrap();
        let repository = Repository::create(folder.path(), &content).await.unwrap();
        (folder, repository)
    }

    async fn pushed_file(repository: &Repository, path: &str) -> Result<String> {
        git(repository.bare(), &["show", &format!("{BRANCH}:{path}")]).await
    }

    #[tokio::test]
    async fn the_content_is_the_first_commit_and_a_push_brings_the_next() {
        let (_folder, repository) = fixture().await;
        assert_eq!(pushed_file(&repository, "services/echo.yaml").await.unwrap(), "one");

        repository.write("services/echo.yaml", "two\n").unwrap();
        repository.write("services/team-a/foxtrot.yaml", "new\n").unwrap();
        let committed = repository.commit("Say two").await.unwrap();
        assert_eq!(pushed_file(&repository, "services/echo.yaml").await.unwrap(), "one");
        let before = Instant::now();
        let pushed = repository.push().await.unwrap();
        assert!(before <= pushed.at && pushed.at <= Instant::now());
        assert_eq!(pushed.revision, committed);
        let tip = git(repository.bare(), &["rev-parse", BRANCH]).await.unwrap();
        assert_eq!(tip, committed);
        assert_eq!(pushed_file(&repository, "services/echo.yaml").await.unwrap(), "two");
        assert_eq!(pushed_file(&repository, "services/team-a/foxtrot.yaml").await.unwrap(), "new");

        repository.remove("services/echo.yaml").unwrap();
        repository.commit("Say nothing").await.unwrap();
        repository.push().await.unwrap();
        assert!(pushed_file(&repository, "services/echo.yaml").await.is_err());
    }

    #[tokio::test]
    async fn a_second_start_begins_anew() {
        let (folder, repository) = fixture().await;
        repository.write("stray", "x").unwrap();
        repository.commit("Stray").await.unwrap();
        repository.push().await.unwrap();
        let again =
            Repository::create(folder.path(), &folder.path().join("content")).await.unwrap();
        assert!(!again.clone_directory().join("stray").exists());
        assert!(pushed_file(&again, "stray").await.is_err());
    }

    #[tokio::test]
    async fn git_s_own_complaint_is_shown_with_the_command() {
        let (_folder, repository) = fixture().await;
        std::fs::remove_dir_all(repository.bare()).unwrap();
        let error = repository.push().await.unwrap_err().to_string();
        assert!(error.starts_with("`git push --quiet origin main` in "), "{error}");
        assert!(error.contains("does not appear to be a git repository"), "{error}");
    }
}
