//! What a source needs to know, checked before anything is tried.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::credentials::Credentials;
use super::error::SourceError;
use super::location::{self, Transport};
use super::patience::LONGEST;
use super::policy::Policy;
use coalmine_core::reason::Advice;

/// The clone's folder inside the state directory.
pub(super) const CLONE: &str = "clone.git";

/// Which branch of which repository to follow, and how.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// `https://`, `http://`, `ssh://`, `git@host:path`, `git://`, `file://` or a path.
    pub repository: String,
    /// The branch, with or without `refs/heads/`.
    pub branch: String,
    /// The folder inside the repository; `.` for all of it.
    pub path: String,
    /// Where the clone is kept. Made when missing; only one process may use it at a time.
    pub directory: PathBuf,
    /// How long nothing may come from the server before a fetch is killed. The whole of one may take
    /// 60 times as long.
    pub deadline: Duration,
    /// How much memory a fetch may take, in bytes; see [`super::default_fetch_memory`].
    pub memory: u64,
    /// Who we are to the server.
    pub credentials: Credentials,
    /// Which commits may be accepted.
    pub policy: Policy,
    /// The program whose hidden `fetch` command does the work: this program itself, so
    /// `std::env::current_exe()`; tests name the built binary.
    pub program: PathBuf,
}

impl SourceConfig {
    /// The longest that a fetch can take before it is ended.
    pub fn longest_fetch(&self) -> Duration {
        self.deadline.saturating_mul(LONGEST)
    }

    /// Whether no TLS connection can come of this address. The library would read every certificate
    /// authority of the machine all the same, which takes more time than the rest of a small fetch.
    pub(super) fn needs_no_authorities(&self) -> bool {
        let transport = location::transport(&self.repository);
        matches!(transport, Ok(Transport::Ssh | Transport::Git | Transport::Local))
    }

    /// The bare clone.
    pub(super) fn clone_directory(&self) -> PathBuf {
        self.directory.join(CLONE)
    }

    /// The same configuration with its path and branch normalised, or why it cannot work.
    pub(super) fn validated(mut self) -> Result<Self, SourceError> {
        let transport = location::transport(&self.repository)?;
        self.credentials.fit(&self.repository, transport)?;
        self.branch = branch_name(&self.branch).to_owned();
        if self.branch.starts_with("refs/") {
            return Err(SourceError::Configuration {
                detail: Advice::new(
                    format_args!("`{}` is not a branch", self.branch),
                    "give --branch the name of one: a tag or another reference does not move",
                ),
            });
        }
        if !git2::Reference::is_valid_name(&format!("refs/heads/{}", self.branch)) {
            return Err(SourceError::Configuration {
                detail: Advice::new(
                    format_args!("`{}` is not a branch name", self.branch),
                    "check --branch",
                ),
            });
        }
        self.path = inside(&self.path)?;
        Ok(self)
    }
}

/// The name of a branch, which may be given in full as `refs/heads/NAME`.
pub(crate) fn branch_name(branch: &str) -> &str {
    branch.strip_prefix("refs/heads/").unwrap_or(branch)
}

/// `./rollouts/` as `rollouts`, and the root as the empty string.
pub(crate) fn inside(path: &str) -> Result<String, SourceError> {
    let mut names = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => names.push(name.to_string_lossy()),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(SourceError::Configuration {
                    detail: Advice::new(
                        format_args!("the path `{path}` leaves the repository"),
                        "give --path a folder inside it",
                    ),
                });
            }
        }
    }
    Ok(names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_core::reason::Hinted;

    fn config() -> SourceConfig {
        SourceConfig {
            repository: "https://git.example.com/rollouts.git".to_owned(),
            branch: "main".to_owned(),
            path: ".".to_owned(),
            directory: PathBuf::from("state"),
            deadline: Duration::from_secs(1),
            memory: 1 << 30,
            credentials: Credentials::default(),
            policy: Policy::default(),
            program: PathBuf::from("coalmine"),
        }
    }

    #[test]
    fn a_path_is_normalised_to_names_inside_the_repository() {
        for (given, expected) in
            [(".", ""), ("", ""), ("/", ""), ("./rollouts/", "rollouts"), ("a//b/./c", "a/b/c")]
        {
            let config = SourceConfig { path: given.to_owned(), ..config() };
            assert_eq!(config.validated().unwrap().path, expected, "{given}");
        }
    }

    #[test]
    fn a_path_that_leaves_the_repository_is_refused() {
        let config = SourceConfig { path: "a/../../b".to_owned(), ..config() };
        assert_eq!(
            config.validated().unwrap_err().line(),
            "the path `a/../../b` leaves the repository; give --path a folder inside it"
        );
    }

    #[test]
    fn a_branch_may_be_given_in_full_and_another_reference_is_none() {
        for (given, branch) in [("main", "main"), ("refs/heads/team/main", "team/main")] {
            let config = SourceConfig { branch: given.to_owned(), ..config() };
            assert_eq!(config.validated().unwrap().branch, branch);
        }
        let config = SourceConfig { branch: "refs/tags/v1".to_owned(), ..config() };
        assert_eq!(
            config.validated().unwrap_err().line(),
            "`refs/tags/v1` is not a branch; give --branch the name of one: a tag or another reference does \
             not move"
        );
    }

    #[test]
    fn a_branch_name_that_git_forbids_is_refused() {
        for branch in ["", "a..b", "feature/*", "a b", "-\u{7}"] {
            let config = SourceConfig { branch: branch.to_owned(), ..config() };
            let error = config.validated().unwrap_err().line();
            assert_eq!(error, format!("`{branch}` is not a branch name; check --branch"));
        }
    }
}
