//! Reads a tree from a folder: what `validate`, `render` and `diff` work on.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::collect::{Entry, Listing, Storage};
use super::error::SourceError;
use super::limits::{Kind, LIMITS, Limits};
use coalmine_core::tree::{File, Flaw, Tree};

/// The files below a folder that a [`Reader`](coalmine_core::values::Reader) reads, by the rules that
/// also hold for a commit.
///
/// # Errors
/// [`SourceError::Disk`] when the folder or something in it cannot be read, and
/// [`SourceError::Refused`] for what is too much.
pub fn read_directory(root: &Path) -> Result<Tree, SourceError> {
    read(root, LIMITS)
}

fn read(root: &Path, limits: Limits) -> Result<Tree, SourceError> {
    let storage = Disk { root };
    super::collect::collect(&storage, root.to_owned(), "local".to_owned(), &Tree::default(), limits)
}

/// A folder on disk.
struct Disk<'a> {
    root: &'a Path,
}

impl Storage for Disk<'_> {
    type Handle = PathBuf;
    type Error = SourceError;

    fn entries(&self, folder: &PathBuf) -> Result<Listing<PathBuf>, SourceError> {
        let entry = |(name, path): (OsString, PathBuf)| Entry {
            is_text: name.to_str().is_some(),
            name: name.to_string_lossy().into_owned(),
            handle: path,
        };
        Ok(Ok(entries(folder)?.into_iter().map(entry).collect()))
    }

    fn kind(
        &self,
        entry: &PathBuf,
        _path: &str,
        _known: Option<&File>,
        _is_read: bool,
    ) -> Result<Kind, SourceError> {
        kind(entry)
    }

    fn is_same(&self, _file: &File, _entry: &PathBuf) -> bool {
        false
    }

    fn content(&self, entry: &PathBuf, limit: u64) -> Result<File, SourceError> {
        content(entry, limit)
    }

    fn flawed(&self, entry: &PathBuf, flaw: Flaw) -> File {
        File::flawed(flaw, entry.as_os_str().as_encoded_bytes())
    }

    fn shown(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }
}

/// What stands at a path.
fn kind(path: &Path) -> Result<Kind, SourceError> {
    let metadata = fs::symlink_metadata(path).map_err(|error| disk(path, &error))?;
    let kind = metadata.file_type();
    Ok(if kind.is_symlink() {
        // Where it ends is only looked at; what cannot be looked at is no file to be sure of.
        Kind::Link { to_file: fs::metadata(path).is_ok_and(|target| target.is_file()) }
    } else if kind.is_dir() {
        Kind::Folder
    } else if kind.is_file() {
        Kind::File { size: metadata.len() }
    } else {
        Kind::Special
    })
}

/// Names and paths, sorted so that the first refusal is always the same.
fn entries(folder: &Path) -> Result<Vec<(OsString, PathBuf)>, SourceError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| disk(folder, &error))? {
        let entry = entry.map_err(|error| disk(folder, &error))?;
        entries.push((entry.file_name(), entry.path()));
    }
    entries.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(entries)
}

/// The content, or how large it is: a file may grow while it is read.
fn content(path: &Path, limit: u64) -> Result<File, SourceError> {
    let file = fs::File::open(path).map_err(|error| disk(path, &error))?;
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content).map_err(|error| disk(path, &error))?;
    let size = content.len() as u64;
    Ok(match size > limit {
        true => File::flawed(Flaw::TooLarge { size, limit }, path.as_os_str().as_encoded_bytes()),
        false => content.into(),
    })
}

fn disk(path: &Path, error: &std::io::Error) -> SourceError {
    SourceError::Disk { path: path.to_path_buf(), detail: error.to_string().into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_core::reason::Hinted;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn message(root: &Path, limits: Limits) -> String {
        let message = read(root, limits).unwrap_err().line();
        message.replace(&root.display().to_string(), "ROOT")
    }

    #[test]
    fn files_are_found_at_any_depth_and_git_itself_is_left_out() {
        let folder = folder(&[
            ("coalmine.yaml", "a"),
            ("services/team-a/foxtrot.yaml", "b"),
            ("docs/echo.yaml", "e"),
            (".git/config", "c"),
            ("services/.git/config", "d"),
        ]);
        let tree = read_directory(folder.path()).unwrap();
        assert_eq!(tree.revision, "local");
        let files: Vec<_> = tree.files.into_iter().collect();
        assert_eq!(
            files,
            [
                ("coalmine.yaml".to_owned(), "a".into()),
                ("services/team-a/foxtrot.yaml".to_owned(), "b".into())
            ]
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let message = message(Path::new("no/such/folder"), LIMITS);
        assert_eq!(message, "ROOT: No such file or directory (os error 2)");
    }

    /// What of a folder has no content, and why.
    fn flaws(root: &Path, limits: Limits) -> Vec<(String, Flaw)> {
        let files = read(root, limits).unwrap().files.into_iter();
        files.filter_map(|(path, file)| Some((path, file.flaw()?))).collect()
    }

    #[test]
    fn what_is_no_file_is_a_flaw_where_a_file_is_read_and_passed_over_elsewhere() {
        use std::os::unix::{fs::symlink, net::UnixListener};
        let folder = folder(&[("services/echo.yaml", "a"), ("README.md", "b")]);
        let path = |name: &str| folder.path().join(name);
        for name in ["link", "services/link.yaml", "services/folder"] {
            symlink("/etc", path(name)).unwrap();
        }
        symlink("../README.md", path("services/README.md")).unwrap();
        symlink("ada@host.4711", path("services/.#echo.yaml")).unwrap();
        let _sockets =
            ["a", "services/a", "services/a.yaml"].map(|name| UnixListener::bind(path(name)));
        assert_eq!(
            flaws(folder.path(), LIMITS),
            [
                ("services/a.yaml".to_owned(), Flaw::Special),
                ("services/folder".to_owned(), Flaw::Symlink),
                ("services/link.yaml".to_owned(), Flaw::Symlink)
            ]
        );
    }

    #[test]
    fn a_name_that_is_not_utf8_is_a_flaw() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder(&[("services/echo.yaml", "a")]);
        for name in [&b"a\xff"[..], b"services/a\xff", b"services/a\xff.yaml"] {
            fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), "a").unwrap();
        }
        let expected = [("services/a\u{fffd}.yaml".to_owned(), Flaw::Name)];
        assert_eq!(flaws(folder.path(), LIMITS), expected);
    }

    #[test]
    fn a_file_above_the_limit_is_a_flaw() {
        let files = [("services/small.yaml", "123"), ("services/zbig.yaml", "1234")];
        let folder = folder(&[files[0], files[1], ("big", "1234"), ("services/big", "1234")]);
        let limits = Limits { file: 3, ..LIMITS };
        let expected = [("services/zbig.yaml".to_owned(), Flaw::TooLarge { size: 4, limit: 3 })];
        assert_eq!(flaws(folder.path(), limits), expected);
    }

    #[test]
    fn too_many_files_and_folders_are_refused() {
        let files = ["a/1", "a/2", "a/3", "services/1.yaml", "services/2.yaml", "services/3.yaml"];
        let folder = folder(&files.map(|file| (file, "")));
        assert!(read(folder.path(), Limits { entries: 4, ..LIMITS }).is_ok());
        assert_eq!(
            message(folder.path(), Limits { entries: 3, ..LIMITS }),
            "`ROOT/services/3.yaml` is one too many: at most 3 files and folders are read; narrow --path"
        );
    }

    #[test]
    fn too_much_in_total_is_refused() {
        let folder = folder(&[("1", "1"), ("services/1.yaml", "123"), ("services/2.yaml", "123")]);
        assert!(read(folder.path(), Limits { total: 6, ..LIMITS }).is_ok());
        assert_eq!(
            message(folder.path(), Limits { total: 5, ..LIMITS }),
            "`ROOT/services/2.yaml` brings the files to more than 5 bytes in total; narrow --path"
        );
    }
}
