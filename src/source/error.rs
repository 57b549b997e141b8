//! What can go wrong on the way from a repository to its files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::patience::LONGEST;
use super::revision::Revision;
use coalmine_core::reason::{Advice, Hinted};
use coalmine_core::tree::Flaw;

/// How many branches or folders a message lists.
const LISTED: usize = 10;

/// Why there is no new revision, or no tree. Each has a hint that says what to do next.
///
/// It travels from the fetching child to the daemon as JSON, so every variant is plain data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum SourceError {
    /// Flags that cannot work together, found before anything is tried.
    #[error("{detail}")]
    Configuration {
        /// What does not fit, and what to change.
        detail: Advice,
    },
    /// A token, key or known hosts file that cannot be used.
    #[error("credential file {}: {detail}", path.display())]
    CredentialFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: Advice,
    },
    /// No repository there, or none that these credentials may see: servers often do not say which.
    #[error(
        "git repository {repository} does not exist, or these credentials may not see it ({detail})"
    )]
    RepositoryMissing {
        /// Its address.
        repository: String,
        /// What the server said.
        detail: String,
    },
    /// A repository without a single branch.
    #[error("git repository {repository} is empty")]
    RepositoryEmpty {
        /// Its address.
        repository: String,
        /// The branch that is followed.
        branch: String,
    },
    /// A repository without the branch that is followed.
    #[error("git repository {repository} has no branch `{branch}`{}", nearest(branch, existing))]
    BranchMissing {
        /// Its address.
        repository: String,
        /// The branch that is followed.
        branch: String,
        /// The branches that exist.
        existing: Vec<String>,
    },
    /// The server does not accept us.
    #[error("git repository {repository} refused us: {detail}")]
    Authentication {
        /// Its address.
        repository: String,
        /// What was tried, and what to change.
        detail: Advice,
    },
    /// An ssh server whose key the known hosts file does not have, or has differently.
    #[error(
        "host key of {host} {}: the server shows {fingerprint}",
        if *changed { "has changed" } else { "is unknown" }
    )]
    HostKey {
        /// The server, with its port unless that is 22.
        host: String,
        /// Key type and SHA256 fingerprint, as ssh shows it.
        fingerprint: String,
        /// The file that was consulted.
        known_hosts: PathBuf,
        /// Whether the file has another key for this very host.
        changed: bool,
    },
    /// A TLS certificate that does not verify.
    #[error("the TLS certificate of git repository {repository} is not trusted ({detail})")]
    Certificate {
        /// Its address.
        repository: String,
        /// What the TLS library said.
        detail: String,
    },
    /// The server hangs.
    #[error("git repository {repository} sent nothing for {deadline:?}, so the fetch was ended")]
    Deadline {
        /// Its address.
        repository: String,
        /// How long nothing came.
        deadline: Duration,
    },
    /// The server goes on sending and never ends.
    #[error(
        "git repository {repository} had not sent everything after {limit:?}, so the fetch was ended"
    )]
    Endless {
        /// Its address.
        repository: String,
        /// How long it had.
        limit: Duration,
    },
    /// No connection, or one that broke.
    #[error("git repository {repository} cannot be reached ({detail})")]
    Unreachable {
        /// Its address.
        repository: String,
        /// What the connection ended with.
        detail: String,
    },
    /// The server leads on to another host, or from https to http.
    #[error(
        "git repository {repository} leads to another server, which is not followed ({detail})"
    )]
    Redirected {
        /// Its address.
        repository: String,
        /// From where to where.
        detail: String,
    },
    /// The branch's newest commit does not descend from the one accepted last: somebody pushed by
    /// force.
    #[error(
        "branch `{branch}` was rewritten: its newest commit {} ({:?} by {}) does not descend from {accepted}, \
         which was accepted last and stays applied",
        tip.id, tip.subject, tip.author
    )]
    Rewritten {
        /// The branch that is followed.
        branch: String,
        /// The full id of the commit that was accepted last.
        accepted: String,
        /// The branch's newest commit.
        tip: Box<Revision>,
    },
    /// A commit that nobody signed who may.
    #[error(
        "branch `{branch}` at {tip} is not accepted: commit {} ({:?}, which says it is by {}) cannot be trusted, \
         since {why}. What was accepted last stays applied",
        commit.id, commit.subject, commit.author
    )]
    Untrusted {
        /// The branch that is followed.
        branch: String,
        /// The commit.
        commit: Box<Revision>,
        /// What is wrong with its signature, to follow `it`.
        why: String,
        /// The full id of the branch's newest commit.
        tip: String,
    },
    /// The branch does not descend from the commit of `--verify-after`, so nobody has looked at where its
    /// history begins.
    #[error(
        "branch `{branch}` at {} ({:?} by {}) is not accepted: {}. What was accepted last stays applied",
        tip.id, tip.subject, tip.author,
        if *known {
            format!("it does not descend from {after} of --verify-after")
        } else {
            format!("there is no commit {after}, which --verify-after names, in its history")
        }
    )]
    Anchor {
        /// The branch that is followed.
        branch: String,
        /// The full id of the commit that `--verify-after` names.
        after: String,
        /// Whether the clone has that commit.
        known: bool,
        /// The branch's newest commit.
        tip: Box<Revision>,
    },
    /// Signatures are asked for, and the commits between one that is trusted and the newest cannot be fetched.
    #[error(
        "branch `{branch}` at {} ({:?} by {}) is not accepted: whether its commits since {ancestor} are signed is not \
         known, because fetching them needs more memory than the {} MiB that a fetch may take. What was accepted last \
         stays applied",
        tip.id, tip.subject, tip.author, limit >> 20
    )]
    HistoryTooLarge {
        /// The branch that is followed.
        branch: String,
        /// The full id of the commit that was accepted last, or that `--verify-after` names.
        ancestor: String,
        /// The branch's newest commit.
        tip: Box<Revision>,
        /// What a fetch may take, in bytes.
        limit: u64,
    },
    /// Nothing was accepted here yet, and what the replica before accepted last is not known, so an old
    /// signed commit could not be told from the newest.
    #[error(
        "nothing is accepted yet: signatures are asked for, --state-dir remembers no commit, and the Lease, \
         which names the commit that was accepted last, cannot be read"
    )]
    LastUnknown,
    /// A file of trusted keys that cannot be used.
    #[error("file {} of --verify: {detail}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: Advice,
    },
    /// The configured folder is not in the revision.
    #[error("revision {revision} has no folder `{path}`{}", nearest(path, existing))]
    PathMissing {
        /// The short commit id, or the folder that was given.
        revision: String,
        /// The folder that was asked for.
        path: String,
        /// The folders where it was looked for.
        existing: Vec<String>,
    },
    /// Something in the tree that is never read.
    #[error("`{path}` {refusal}")]
    Refused {
        /// Where, from the root of the repository or of the file system.
        path: String,
        /// Why.
        refusal: Refusal,
    },
    /// The clone on disk cannot be read.
    #[error("the clone {} is damaged ({detail})", directory.display())]
    Damaged {
        /// The clone.
        directory: PathBuf,
        /// What libgit2 said.
        detail: String,
    },
    /// Another process works on the same state directory.
    #[error("another coalmine uses {}", directory.display())]
    Busy {
        /// The state directory.
        directory: PathBuf,
    },
    /// The disk under the state directory, or a folder that is read directly.
    #[error("{}: {detail}", path.display())]
    Disk {
        /// What was being read or written.
        path: PathBuf,
        /// What the operating system said.
        detail: Advice,
    },
    /// The fetch needs more memory than it may take.
    #[error(
        "git repository {repository} needs more memory than the {} MiB that a fetch may take ({detail})",
        limit >> 20
    )]
    Memory {
        /// The repository's address.
        repository: String,
        /// What it may take, in bytes.
        limit: u64,
        /// What said so.
        detail: String,
    },
    /// The fetching child did not do its part.
    #[error("the fetch of git repository {repository} broke off: {detail}")]
    Child {
        /// The repository's address.
        repository: String,
        /// How it ended.
        detail: String,
    },
    /// A repository whose object ids are not SHA-1.
    #[error("git repository {repository} has SHA-256 object ids, and coalmine reads SHA-1 only")]
    ObjectFormat {
        /// Its address, or its folder.
        repository: String,
    },
    /// Anything else that libgit2 reports.
    #[error("the fetch of git repository {repository} failed: {detail}")]
    Git {
        /// The repository's address.
        repository: String,
        /// What libgit2 said.
        detail: String,
    },
}

/// Whether libgit2 says that it does not know a repository's object ids (`extensions.objectFormat`, or
/// the capability `object-format` of a server).
pub(crate) fn has_other_object_ids(words: &str) -> bool {
    words.contains("object format")
}

impl SourceError {
    /// The disk under the state directory has no room, in these words.
    pub(super) fn full_disk(directory: &Path, words: &str) -> Self {
        Self::Disk {
            path: directory.to_owned(),
            detail: Advice::new(
                format_args!("the disk is full ({words})"),
                "make the volume of --state-dir larger, or the repository smaller; a clone that is made anew \
                 needs twice its size for a moment",
            ),
        }
    }

    /// The full id of the commit that was fetched and then refused, if it got that far.
    pub fn refused_revision(&self) -> Option<&str> {
        match self {
            Self::Rewritten { tip, .. }
            | Self::Anchor { tip, .. }
            | Self::HistoryTooLarge { tip, .. } => Some(&tip.id),
            Self::Untrusted { tip, .. } => Some(tip),
            _ => None,
        }
    }
}

impl Hinted for SourceError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Configuration { detail }
            | Self::CredentialFile { detail, .. }
            | Self::Authentication { detail, .. }
            | Self::KeyFile { detail, .. }
            | Self::Disk { detail, .. } => return detail.hint(),
            Self::Refused { refusal, .. } => return refusal.hint(),
            Self::Child { .. } | Self::Git { .. } => return None,
            Self::RepositoryMissing { .. } => "check --repo and who may read it".to_owned(),
            Self::RepositoryEmpty { branch, .. } => format!("push branch `{branch}` to it"),
            Self::BranchMissing { existing, .. } => {
                format!("it has {}; push the branch or change --branch", listed(existing))
            }
            Self::HostKey { known_hosts, .. } => format!(
                "nothing was sent to it. Compare the fingerprint with the server's owner before you change {}",
                known_hosts.display()
            ),
            Self::Certificate { .. } => {
                "install the authority that signed it, or name its file in SSL_CERT_FILE".to_owned()
            }
            Self::Deadline { .. } => {
                "the next poll tries again. Check the server and the network on the way to it, or allow more \
                 with --fetch-deadline"
                    .to_owned()
            }
            Self::Endless { .. } => format!(
                "the next poll tries again from the beginning. Make the repository smaller or the network \
                 faster, or allow more with --fetch-deadline, of which this is {LONGEST} times as much"
            ),
            Self::Unreachable { .. } => {
                "the next poll tries again. Check the host's name, the network and the server".to_owned()
            }
            Self::Memory { .. } => {
                "take the large files out of the branch's history and let the git server refuse such pushes; or \
                 allow more with --fetch-memory, within the memory limit of the pod"
                    .to_owned()
            }
            Self::Redirected { .. } => {
                "when the repository has moved, and you trust where it leads, give --repo the new address"
                    .to_owned()
            }
            Self::Rewritten { tip, .. } => format!(
                "push a branch that contains that commit; or, if the rewriting is wanted, confirm it with \
                 --allow-rewind={}",
                tip.id
            ),
            Self::Untrusted { commit, .. } => format!(
                "push a branch of commits that are all signed by a key of --verify; or, when you have looked \
                 at everything up to that commit, say --verify-after={}",
                commit.id
            ),
            Self::Anchor { after, branch, .. } => format!(
                "push a branch that contains that commit, or look at the branch and name the newest commit that \
                 you have looked at with --verify-after; `git merge-base --is-ancestor {after} origin/{branch}; \
                 echo $?` prints 0 when the branch has it"
            ),
            Self::HistoryTooLarge { ancestor, tip, .. } => format!(
                "look at `git log --show-signature {ancestor}..{0}`, and confirm with --allow-rewind={0} and \
                 --verify-after={0}; or allow more with --fetch-memory and remove the clone in --state-dir",
                tip.id
            ),
            Self::LastUnknown => {
                "the next poll tries again. Check the API server and the daemon's Role; `kubectl get lease -A` \
                 shows the Lease"
                    .to_owned()
            }
            Self::PathMissing { existing, .. } => {
                format!("beside it there is {}; push it or change --path", listed(existing))
            }
            Self::ObjectFormat { .. } => {
                "follow a repository that was made with `git init --object-format=sha1`, and push the files \
                 to it"
                    .to_owned()
            }
            Self::Damaged { .. } => "the next fetch makes it anew".to_owned(),
            Self::Busy { .. } => "give every daemon its own --state-dir".to_owned(),
        };
        Some(hint)
    }
}

/// Why a tree is not read although it is there. What concerns one file is a
/// [`Flaw`](coalmine_core::tree::Flaw) of that file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// A folder whose list of entries nobody can read: git makes no such tree.
    #[error("is an entry that git does not make")]
    Forged,
    /// A commit or a folder whose list of entries is too large to be loaded.
    #[error("is too large to be looked at")]
    TooLarge,
    /// A path that is nested too deep, or too long.
    #[error("begins a path of more than {folders} folders or {bytes} bytes")]
    TooDeep {
        /// The most parts that a path may have.
        folders: usize,
        /// The most bytes that a path may have.
        bytes: usize,
    },
    /// Too many files and folders.
    #[error("is one too many: at most {limit} files and folders are read")]
    TooMany {
        /// The most there may be.
        limit: usize,
    },
    /// All files together are too large.
    #[error("brings the files to more than {limit} bytes in total")]
    TotalTooLarge {
        /// The most all files may have, in bytes.
        limit: u64,
    },
}

impl Refusal {
    /// What is wrong with the followed folder itself.
    pub(super) fn of_root(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Forged => Self::Forged,
            _ => Self::TooLarge,
        }
    }
}

impl Hinted for Refusal {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Forged => "make the commit anew",
            Self::TooLarge => {
                "make the commit anew, with a short message and fewer entries in one folder"
            }
            Self::TooDeep { .. } => "move what is there to a shorter path",
            Self::TooMany { .. } | Self::TotalTooLarge { .. } => "narrow --path",
        };
        Some(hint.to_owned())
    }
}

/// `, did you mean ...` when one name is close.
fn nearest(wanted: &str, existing: &[String]) -> String {
    // `origin/main` is what a clone calls the branch `main`.
    let is_end = |name: &str| wanted.strip_suffix(name).is_some_and(|rest| rest.ends_with('/'));
    let likeness = |name: &str| match is_end(name) {
        true => 1.0,
        false => strsim::normalized_damerau_levenshtein(wanted, name),
    };
    existing
        .iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| format!(" (did you mean `{name}`?)"))
        .unwrap_or_default()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let shown: Vec<_> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_branch(branch: &str, existing: &[&str]) -> String {
        SourceError::BranchMissing {
            repository: "file:///srv/a.git".to_owned(),
            branch: branch.to_owned(),
            existing: existing.iter().map(ToString::to_string).collect(),
        }
        .line()
    }

    #[test]
    fn a_missing_branch_names_the_nearest_and_those_that_exist() {
        assert_eq!(
            without_branch("mian", &["develop", "main"]),
            "git repository file:///srv/a.git has no branch `mian` (did you mean `main`?); it has `develop`, \
             `main`; push the branch or change --branch"
        );
    }

    #[test]
    fn a_branch_like_no_other_gets_no_guess_and_a_long_list_is_cut() {
        let names: Vec<_> = (10..30).map(|number| format!("release-{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let message = without_branch("main", &names);
        assert!(message.contains("has no branch `main`; it has `release-10`"), "{message}");
        assert!(message.contains("`release-19` and 10 more;"), "{message}");
    }

    #[test]
    fn an_error_survives_the_way_from_the_child() {
        let error = SourceError::Refused {
            path: "services/big.yaml".to_owned(),
            refusal: Refusal::TooMany { limit: 1 },
        };
        let line = serde_json::to_string(&error).unwrap();
        assert_eq!(serde_json::from_str::<SourceError>(&line).unwrap(), error);
    }
}
