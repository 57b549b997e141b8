//! Reads the tree of one commit from the clone's objects, without a checkout.

use std::path::Path;

use git2::{ErrorCode, ObjectType, Repository};

use super::error::{Refusal, SourceError};
use super::limits::{Collected, LIMITS, Limits, refused};
use coalmine_core::sanitize::sanitize;
use coalmine_core::tree::short;
use coalmine_core::tree::{File, Tree};

/// File modes of git's trees that are not plain files or folders.
const SYMLINK: i32 = 0o120_000;

/// The files of a commit below `path`, of any repository on disk; an empty path is its root.
///
/// # Errors
/// [`SourceError::Damaged`] when an object cannot be read, and [`SourceError::Refused`] for what no
/// tree may have.
pub fn read_commit(repository: &Path, revision: &str, path: &str) -> Result<Tree, SourceError> {
    read(repository, revision, path, &Tree::default())
}

/// The files of a commit below `path` (normalised; empty for the root). A file that `previous` has
/// with the same content is shared with it and not read.
pub(super) fn read(
    clone: &Path,
    revision: &str,
    path: &str,
    previous: &Tree,
) -> Result<Tree, SourceError> {
    let damaged = |error: git2::Error| SourceError::Damaged {
        directory: clone.to_path_buf(),
        detail: error.message().to_owned(),
    };
    let repository = Repository::open_bare(clone).map_err(damaged)?;
    collect(&repository, revision, path, previous, LIMITS).map_err(|error| match error {
        ReadError::Git(error) => damaged(error),
        ReadError::Source(error) => error,
    })
}

/// Either our own refusal, or libgit2 failing on objects that should be there.
enum ReadError {
    Git(git2::Error),
    Source(SourceError),
}

impl From<git2::Error> for ReadError {
    fn from(error: git2::Error) -> Self {
        Self::Git(error)
    }
}

impl From<SourceError> for ReadError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

fn collect(
    repository: &Repository,
    revision: &str,
    path: &str,
    previous: &Tree,
    limits: Limits,
) -> Result<Tree, ReadError> {
    let objects = repository.odb()?;
    let mut collected = Collected::new(revision.to_owned(), limits);
    let mut folders = vec![(folder(repository, revision, path)?, String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in &folder {
            let name = String::from_utf8_lossy(entry.name_bytes());
            let below = format!("{prefix}{name}");
            let shown = if path.is_empty() { below.clone() } else { format!("{path}/{below}") };
            if std::str::from_utf8(entry.name_bytes()).is_err() {
                return Err(refused(&shown, Refusal::Name).into());
            }
            collected.entry(&shown)?;
            if name.contains('/') || ["", ".", ".."].contains(&&*name) {
                return Err(refused(&shown, Refusal::Forged).into());
            }
            match (entry.kind(), entry.filemode()) {
                (_, SYMLINK) => return Err(refused(&shown, Refusal::Symlink).into()),
                (Some(ObjectType::Tree), _) => {
                    folders.push((repository.find_tree(entry.id())?, format!("{below}/")));
                }
                (Some(ObjectType::Blob), _) => {
                    let id = entry.id();
                    let known =
                        previous.files.get(&below).filter(|file| file.is_blob(id.as_bytes()));
                    let size = match known {
                        Some(file) => file.content().len(),
                        None => objects.read_header(id)?.0,
                    };
                    collected.size(&shown, size as u64)?;
                    let file = match known {
                        Some(file) => file.clone(),
                        None => File::of_blob(blob_id(id), repository.find_blob(id)?.content()),
                    };
                    collected.keep(below, file)?;
                }
                // The only other thing git puts into a tree is the commit of a submodule.
                _ => return Err(refused(&shown, Refusal::Submodule).into()),
            }
        }
    }
    Ok(collected.finish())
}

/// The tree object of the configured folder.
fn folder<'r>(
    repository: &'r Repository,
    revision: &str,
    path: &str,
) -> Result<git2::Tree<'r>, ReadError> {
    let mut tree = repository.find_commit(git2::Oid::from_str(revision)?)?.tree()?;
    if path.is_empty() {
        return Ok(tree);
    }
    let entry = match tree.get_path(Path::new(path)) {
        Ok(entry) if entry.kind() == Some(ObjectType::Tree) => Some(entry.id()),
        Ok(_) => None,
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(id) = entry {
        return Ok(repository.find_tree(id)?);
    }
    // Name what is there at the deepest level that exists.
    let mut parent = Vec::new();
    for name in path.split('/') {
        let Some(id) = tree
            .get_name(name)
            .filter(|entry| entry.kind() == Some(ObjectType::Tree))
            .map(|entry| entry.id())
        else {
            break;
        };
        tree = repository.find_tree(id)?;
        parent.push(name);
    }
    let existing = tree
        .iter()
        .filter(|entry| entry.kind() == Some(ObjectType::Tree))
        .map(|entry| {
            let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            parent.iter().copied().chain([&*sanitize(&name)]).collect::<Vec<_>>().join("/")
        })
        .collect();
    Err(SourceError::PathMissing {
        revision: short(revision).to_owned(),
        path: path.to_owned(),
        existing,
    }
    .into())
}

/// The 20 bytes of a SHA-1 object id.
pub(super) fn blob_id(id: git2::Oid) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(id.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use git2::{FileMode, Oid, Signature};

    use super::*;
    use coalmine_core::reason::Hinted;

    /// A bare repository whose single commit has these entries at its root.
    struct Fixture {
        _folder: tempfile::TempDir,
        repository: Repository,
    }

    impl Fixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let repository = Repository::init_bare(folder.path()).unwrap();
            Self { _folder: folder, repository }
        }

        fn blob(&self, content: &str) -> Oid {
            self.repository.blob(content.as_bytes()).unwrap()
        }

        fn tree(&self, entries: &[(&[u8], Oid, FileMode)]) -> Oid {
            let mut builder = self.repository.treebuilder(None).unwrap();
            for (name, id, mode) in entries {
                builder.insert(*name, *id, (*mode).into()).unwrap();
            }
            builder.write().unwrap()
        }

        fn commit(&self, entries: &[(&[u8], Oid, FileMode)]) -> String {
            let tree = self.repository.find_tree(self.tree(entries)).unwrap();
            let author = Signature::new("A", "a@example.com", &git2::Time::new(0, 0)).unwrap();
            let commit = self.repository.commit(None, &author, &author, "x", &tree, &[]).unwrap();
            commit.to_string()
        }

        fn read(&self, revision: &str, path: &str, limits: Limits) -> Result<Tree, String> {
            self.read_after(&Tree::default(), revision, path, limits)
        }

        fn read_after(
            &self,
            previous: &Tree,
            revision: &str,
            path: &str,
            limits: Limits,
        ) -> Result<Tree, String> {
            collect(&self.repository, revision, path, previous, limits).map_err(|error| match error
            {
                ReadError::Git(error) => format!("git: {}", error.message()),
                ReadError::Source(error) => error.line(),
            })
        }
    }

    #[test]
    fn files_below_the_path_are_read_relative_to_it() {
        let fixture = Fixture::new();
        let echo = fixture.blob("weight: 50");
        let services = fixture.tree(&[(b"echo.yaml", echo, FileMode::Blob)]);
        let rollouts = fixture.tree(&[
            (b"services", services, FileMode::Tree),
            (b"run.sh", fixture.blob("#!"), FileMode::BlobExecutable),
        ]);
        let revision = fixture.commit(&[
            (b"rollouts", rollouts, FileMode::Tree),
            (b"README.md", fixture.blob("hello"), FileMode::Blob),
        ]);
        let tree = fixture.read(&revision, "rollouts", LIMITS).unwrap();
        assert_eq!(tree.revision, revision);
        let paths: Vec<_> = tree.files.keys().collect();
        assert_eq!(paths, ["run.sh", "services/echo.yaml"]);
        assert_eq!(tree.files["services/echo.yaml"].content(), b"weight: 50");
        let all = fixture.read(&revision, "", LIMITS).unwrap();
        let paths: Vec<_> = all.files.keys().collect();
        assert_eq!(paths, ["README.md", "rollouts/run.sh", "rollouts/services/echo.yaml"]);
    }

    #[test]
    fn a_file_that_did_not_change_is_shared_and_its_blob_not_read() {
        let fixture = Fixture::new();
        let (same, old) = (fixture.blob("same"), fixture.blob("old"));
        let first =
            fixture.commit(&[(b"changes", old, FileMode::Blob), (b"stays", same, FileMode::Blob)]);
        let previous = fixture.read(&first, "", LIMITS).unwrap();
        let new = fixture.blob("new");
        let second =
            fixture.commit(&[(b"changes", new, FileMode::Blob), (b"stays", same, FileMode::Blob)]);
        let hex = same.to_string();
        let folder = fixture.repository.path().join("objects").join(&hex[..2]);
        std::fs::remove_file(folder.join(&hex[2..])).unwrap();
        // A fresh handle has no cached objects.
        let fixture = Fixture {
            repository: Repository::open_bare(fixture.repository.path()).unwrap(),
            ..fixture
        };
        let tree = fixture.read_after(&previous, &second, "", LIMITS).unwrap();
        assert_eq!(tree.files["stays"].content(), b"same");
        assert_eq!(tree.files["changes"].content(), b"new");
        let exactly = Limits { total: 7, ..LIMITS };
        assert!(fixture.read_after(&previous, &second, "", exactly).is_ok());
        let less = Limits { total: 6, ..LIMITS };
        assert!(fixture.read_after(&previous, &second, "", less).is_err(), "what is shared counts");
        assert!(fixture.read(&second, "", LIMITS).is_err(), "the blob is not there");
    }

    #[test]
    fn a_missing_path_names_what_is_there_instead() {
        let fixture = Fixture::new();
        let inner = fixture.tree(&[(b"a", fixture.blob(""), FileMode::Blob)]);
        let outer = fixture.tree(&[(b"rollouts", inner, FileMode::Tree)]);
        let revision = fixture.commit(&[
            (b"deploy", outer, FileMode::Tree),
            (b"file", fixture.blob(""), FileMode::Blob),
        ]);
        let short = short(&revision);
        assert_eq!(
            fixture.read(&revision, "deploy/rolouts", LIMITS).unwrap_err(),
            format!(
                "revision {short} has no folder `deploy/rolouts` (did you mean `deploy/rollouts`?); beside it \
                 there is `deploy/rollouts`; push it or change --path"
            )
        );
        assert_eq!(
            fixture.read(&revision, "file", LIMITS).unwrap_err(),
            format!(
                "revision {short} has no folder `file`; beside it there is `deploy`; push it or change --path"
            )
        );
    }

    #[test]
    fn a_symbolic_link_is_refused_by_its_full_path() {
        let fixture = Fixture::new();
        let services = fixture.tree(&[(b"link.yaml", fixture.blob("/etc/passwd"), FileMode::Link)]);
        let revision = fixture.commit(&[(b"services", services, FileMode::Tree)]);
        let expected = "`services/link.yaml` is a symbolic link, which is never followed; \
                        put the file itself there";
        assert_eq!(fixture.read(&revision, "", LIMITS).unwrap_err(), expected);
        assert_eq!(fixture.read(&revision, "services", LIMITS).unwrap_err(), expected);
    }

    #[test]
    fn a_submodule_is_refused() {
        let fixture = Fixture::new();
        let revision = fixture.commit(&[]);
        let commit = Oid::from_str(&revision).unwrap();
        let revision = fixture.commit(&[(b"vendor", commit, FileMode::Commit)]);
        assert_eq!(
            fixture.read(&revision, "", LIMITS).unwrap_err(),
            "`vendor` is a submodule, which is never fetched; put its files there"
        );
    }

    #[test]
    fn a_name_that_is_not_utf8_is_refused() {
        let fixture = Fixture::new();
        let revision = fixture.commit(&[(b"a\xff", fixture.blob(""), FileMode::Blob)]);
        assert_eq!(
            fixture.read(&revision, "", LIMITS).unwrap_err(),
            "`a\u{fffd}` has a name that is not UTF-8; rename it"
        );
    }

    #[test]
    fn each_limit_refuses_the_first_path_beyond_it() {
        let fixture = Fixture::new();
        let revision = fixture.commit(&[
            (b"1", fixture.blob("123"), FileMode::Blob),
            (b"2", fixture.blob("1234"), FileMode::Blob),
        ]);
        let read = |limits| fixture.read(&revision, "", limits);
        let exactly = Limits { file: 4, entries: 2, total: 7 };
        assert!(read(exactly).is_ok());
        assert_eq!(
            read(Limits { file: 3, ..exactly }).unwrap_err(),
            "`2` has 4 bytes, more than the 3 that one file may have; move it out of the path"
        );
        assert_eq!(
            read(Limits { entries: 1, ..exactly }).unwrap_err(),
            "`2` is one too many: at most 1 files and folders are read; narrow --path"
        );
        assert_eq!(
            read(Limits { total: 6, ..exactly }).unwrap_err(),
            "`2` brings the files to more than 6 bytes in total; narrow --path"
        );
    }

    #[test]
    fn a_tree_that_multiplies_itself_ends_at_the_limit() {
        let fixture = Fixture::new();
        let mut tree = fixture.tree(&[]);
        for _ in 0..40 {
            let names: Vec<_> = (b'a'..=b'j').map(|letter| [letter]).collect();
            let entries: Vec<_> =
                names.iter().map(|name| (name.as_slice(), tree, FileMode::Tree)).collect();
            tree = fixture.tree(&entries);
        }
        let revision = fixture.commit(&[(b"bomb", tree, FileMode::Tree)]);
        let error = fixture.read(&revision, "", LIMITS).unwrap_err();
        assert!(error.contains("is one too many: at most 10000 files and folders"), "{error}");
    }

    #[test]
    fn a_clone_that_is_not_there_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(&folder.path().join("clone.git"), &"0".repeat(40), "", &Tree::default())
            .unwrap_err();
        assert!(matches!(error, SourceError::Damaged { .. }), "{error}");
        assert!(error.line().ends_with("the next fetch makes it anew"), "{error}");
    }
}
