//! The files of one revision, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::reason::Hinted;

/// The files of one revision below the configured path.
///
/// Paths are relative to that path and use `/`, for example `services/team-a/foxtrot.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The commit's full id; for a plain folder the word `local`.
    pub revision: String,
    /// Path to file, in the order of the paths.
    pub files: BTreeMap<String, File>,
}

/// One file: its content, which clones share, and what tells it from other content without a
/// comparison of the bytes. Something without content that can be read has a [`Flaw`] instead.
#[derive(Clone)]
pub struct File {
    identity: Identity,
    content: Arc<[u8]>,
    flaw: Option<Flaw>,
}

/// Why there is no content of something that stands where a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A symbolic link could point anywhere.
    #[error("is a symbolic link, which is never followed")]
    Symlink,
    /// A submodule's content is another repository's.
    #[error("is a submodule, which is never fetched")]
    Submodule,
    /// A pipe, a socket or a device.
    #[error("is neither a file nor a folder")]
    Special,
    /// A name that is not UTF-8.
    #[error("has a name that is not UTF-8")]
    Name,
    /// One file is too large.
    #[error("has {size} bytes, more than the {limit} that one file may have")]
    TooLarge {
        /// The file's size in bytes.
        size: u64,
        /// The most one file may have.
        limit: u64,
    },
    /// A folder below `services/` has more than it may have: what comes after that is not read.
    #[error(
        "has more than {entries} files and folders or {bytes} bytes, and the rest of it is not read"
    )]
    FolderTooLarge {
        /// The most files and folders that it may have.
        entries: usize,
        /// The most that its files may have together, in bytes.
        bytes: u64,
    },
    /// All folders below `services/` have too much together, and this one more than its part of what there is: what comes
    /// after that is not read.
    #[error(
        "has more than its part of what all folders may have together, which is {entries} files and folders or {bytes} \
         bytes, and the rest of it is not read"
    )]
    ShareTooLarge {
        /// The most files and folders that it may have at the moment.
        entries: usize,
        /// The most that its files may have together at the moment, in bytes.
        bytes: u64,
    },
    /// A folder below `services/` is nested too deep: what comes after that is not read.
    #[error(
        "has a path of more than {folders} folders or {bytes} bytes, and the rest of it is not read"
    )]
    TooDeep {
        /// The most parts that a path may have.
        folders: usize,
        /// The most bytes that a path may have.
        bytes: usize,
    },
    /// A folder below `services/` has too much that is no service: what comes after that is not looked at.
    #[error("has more than {limit} entries of any kind, and the rest of it is not read")]
    TooMuchBeside {
        /// How many are looked at.
        limit: usize,
    },
    /// A folder whose list of entries is too large to be loaded.
    #[error(
        "is a folder whose tree object has {size} bytes, more than the {limit} that one may have"
    )]
    TreeTooLarge {
        /// The tree object's size in bytes.
        size: u64,
        /// The most one may have.
        limit: u64,
    },
    /// There are too many folders below `services/`.
    #[error("is one of more than {limit} folders, and is not read")]
    OneFolderTooMany {
        /// How many are read.
        limit: usize,
    },
    /// A name that leads out of its folder or stands twice in it, or a folder that is none: git makes no such tree.
    #[error("is an entry that git does not make")]
    Forged,
    /// A file of a folder whose name is misspelt: that it is there is all that matters.
    #[error("is in a folder that is not read")]
    Misplaced,
}

impl Hinted for Flaw {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Symlink => "put the file itself there",
            Self::Submodule => "put its files there",
            Self::Special => "remove it",
            Self::Name => "rename it",
            Self::TooLarge { .. } => "values are short: is this the right file?",
            Self::FolderTooLarge { .. }
            | Self::ShareTooLarge { .. }
            | Self::TooDeep { .. }
            | Self::TooMuchBeside { .. }
            | Self::TreeTooLarge { .. } => {
                "remove what is no service; what the cluster has of its services stays"
            }
            Self::OneFolderTooMany { .. } => {
                "put services into fewer folders; what the cluster has of its services stays"
            }
            Self::Forged => "make the commit anew, by git itself; `git fsck` says more",
            Self::Misplaced => "rename the folder",
        };
        Some(hint.to_owned())
    }
}

/// What identifies a file's content: two files of one source with the same identity have the same
/// content. In a commit it is the blob's id, elsewhere the start of a SHA-256 digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity([u8; 20]);

impl Identity {
    /// The start of a digest, which has at least 20 bytes.
    fn of(digest: &[u8]) -> Self {
        let mut identity = [0; 20];
        identity.copy_from_slice(&digest[..20]);
        Self(identity)
    }
}

impl std::fmt::Display for Identity {
    /// As git writes the id of a blob.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl File {
    /// A file of a commit, by its blob's id.
    pub fn of_blob(id: [u8; 20], content: &[u8]) -> Self {
        Self { identity: Identity(id), content: content.into(), flaw: None }
    }

    /// Something that has no content to read. `id` tells it from others with the same flaw.
    pub fn flawed(flaw: Flaw, id: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(format!("{flaw:?} ")).chain_update(id).finalize();
        Self { identity: Identity::of(&digest), content: Arc::default(), flaw: Some(flaw) }
    }

    /// Why there is no content, if so; it is empty then.
    pub fn flaw(&self) -> Option<Flaw> {
        self.flaw
    }

    /// What tells this content from any other.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The bytes.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Whether this is the content of the blob with this id.
    pub fn is_blob(&self, id: &[u8]) -> bool {
        self.identity.0 == id
    }
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

impl Eq for File {}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.flaw {
            Some(flaw) => write!(f, "File({flaw:?})"),
            None => write!(f, "File({:?})", String::from_utf8_lossy(&self.content)),
        }
    }
}

impl From<Vec<u8>> for File {
    fn from(content: Vec<u8>) -> Self {
        let identity = Identity::of(&Sha256::digest(&content));
        Self { identity, content: content.into(), flaw: None }
    }
}

impl From<&str> for File {
    fn from(content: &str) -> Self {
        content.as_bytes().to_vec().into()
    }
}

/// The first seven digits of a commit id, as git shows it.
pub fn short(id: &str) -> &str {
    id.get(..7).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_equal_by_their_identity() {
        let (one, other) = (File::from("a: 1"), File::from("a: 2"));
        assert_eq!(one, File::from(b"a: 1".to_vec()));
        assert_eq!(one.content(), b"a: 1");
        assert_ne!(one, other);
        assert_ne!(one.identity(), other.identity());
        let blob = File::of_blob([7; 20], b"a: 1");
        assert_ne!(blob, one, "a blob's id is no digest of the content");
        assert!(blob.is_blob(&[7; 20]) && !blob.is_blob(&[8; 20]) && !blob.is_blob(&[7; 19]));
        assert_eq!(format!("{one:?}"), "File(\"a: 1\")");
    }

    #[test]
    fn a_revision_is_shown_by_its_first_seven_digits() {
        assert_eq!(short("0123456789abcdef"), "0123456");
        assert_eq!((short("0123456"), short("local"), short("")), ("0123456", "local", ""));
    }
}
