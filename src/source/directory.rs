//! Reads a tree from a folder: what `validate`, `render` and `diff` work on.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::{Refusal, SourceError};
use super::limits::{Collected, LIMITS, Limits, refused};
use coalmine_core::tree::Tree;

/// The files below a folder, by the rules that also hold for a commit. `.git` is left out.
///
/// # Errors
/// [`SourceError::Disk`] when the folder or something in it cannot be read, and
/// [`SourceError::Refused`] for symbolic links and for what is too large or too much.
pub fn read_directory(root: &Path) -> Result<Tree, SourceError> {
    read(root, LIMITS)
}

fn read(root: &Path, limits: Limits) -> Result<Tree, SourceError> {
    let mut collected = Collected::new("local".to_owned(), limits);
    let mut folders = vec![(root.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for (name, path) in entries(&folder)? {
            let shown = path.display().to_string();
            let name = name.ok_or_else(|| refused(&shown, Refusal::Name))?;
            let kind =
                fs::symlink_metadata(&path).map_err(|error| disk(&path, &error))?.file_type();
            collected.entry(&shown)?;
            if kind.is_symlink() {
                return Err(refused(&shown, Refusal::Symlink));
            } else if kind.is_dir() {
                folders.push((path, format!("{prefix}{name}/")));
            } else if kind.is_file() {
                let content = content(&path, limits.file)?;
                collected.size(&shown, content.len() as u64)?;
                collected.keep(format!("{prefix}{name}"), content.into())?;
            } else {
                return Err(refused(&shown, Refusal::Special));
            }
        }
    }
    Ok(collected.finish())
}

/// Names (none where it is not UTF-8) and paths, sorted so that the first refusal is always the same.
fn entries(folder: &Path) -> Result<Vec<(Option<String>, PathBuf)>, SourceError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| disk(folder, &error))? {
        let entry = entry.map_err(|error| disk(folder, &error))?;
        if entry.file_name() != ".git" {
            entries.push((entry.file_name().into_string().ok(), entry.path()));
        }
    }
    entries.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(entries)
}

/// The content, cut just above the limit: a file may grow while it is read.
fn content(path: &Path, limit: u64) -> Result<Vec<u8>, SourceError> {
    let file = fs::File::open(path).map_err(|error| disk(path, &error))?;
    let size = file.metadata().map_err(|error| disk(path, &error))?.len();
    if size > limit {
        return Err(refused(&path.display().to_string(), Refusal::TooLarge { size, limit }));
    }
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content).map_err(|error| disk(path, &error))?;
    Ok(content)
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

    #[test]
    fn a_symbolic_link_is_refused() {
        let folder = folder(&[("services/echo.yaml", "a")]);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("services/link")).unwrap();
        assert_eq!(
            message(folder.path(), LIMITS),
            "`ROOT/services/link` is a symbolic link, which is never followed; put the file itself there"
        );
    }

    #[test]
    fn a_socket_is_refused() {
        let folder = folder(&[]);
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        assert_eq!(
            message(folder.path(), LIMITS),
            "`ROOT/socket` is neither a file nor a folder; remove it"
        );
    }

    #[test]
    fn a_name_that_is_not_utf8_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder(&[]);
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"a\xff")), "a").unwrap();
        assert_eq!(
            message(folder.path(), LIMITS),
            "`ROOT/a\u{fffd}` has a name that is not UTF-8; rename it"
        );
    }

    #[test]
    fn a_file_above_the_limit_is_refused() {
        let folder = folder(&[("small", "123"), ("zbig", "1234")]);
        let limits = Limits { file: 3, ..LIMITS };
        assert_eq!(
            message(folder.path(), limits),
            "`ROOT/zbig` has 4 bytes, more than the 3 that one file may have; move it out of the path"
        );
    }

    #[test]
    fn too_many_files_and_folders_are_refused() {
        let folder = folder(&[("a/1", ""), ("a/2", ""), ("a/3", "")]);
        assert!(read(folder.path(), Limits { entries: 4, ..LIMITS }).is_ok());
        assert_eq!(
            message(folder.path(), Limits { entries: 3, ..LIMITS }),
            "`ROOT/a/3` is one too many: at most 3 files and folders are read; narrow --path"
        );
    }

    #[test]
    fn too_much_in_total_is_refused() {
        let folder = folder(&[("1", "123"), ("2", "123")]);
        assert!(read(folder.path(), Limits { total: 6, ..LIMITS }).is_ok());
        assert_eq!(
            message(folder.path(), Limits { total: 5, ..LIMITS }),
            "`ROOT/2` brings the files to more than 5 bytes in total; narrow --path"
        );
    }
}
