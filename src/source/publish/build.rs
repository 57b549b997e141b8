//! The commit itself, made of objects.

use git2::build::TreeUpdateBuilder;
use git2::{Commit, FileMode, Oid, Repository, Signature, Time};
use jiff::Timestamp;
use ssh_key::PrivateKey;

use super::edit::{Edit, Identity};
use super::signing;

/// Writes a commit that makes the change on top of `parent`, and returns its id. No branch moves.
pub(super) fn build(
    repository: &Repository,
    parent: &Commit<'_>,
    path: &str,
    edit: &Edit,
    identity: &Identity,
    key: Option<&PrivateKey>,
) -> Result<Oid, git2::Error> {
    let blob = repository.blob(edit.after.as_bytes())?;
    let before = parent.tree()?;
    let mode = match before.get_path(std::path::Path::new(path))?.filemode() {
        0o100_755 => FileMode::BlobExecutable,
        _ => FileMode::Blob,
    };
    let tree =
        TreeUpdateBuilder::new().upsert(path, blob, mode).create_updated(repository, &before)?;
    let tree = repository.find_tree(tree)?;
    let time = Time::new(Timestamp::now().as_second(), 0);
    let author = Signature::new(&identity.name, &identity.email, &time)?;
    let message = edit.message();
    let commit = repository.commit_create_buffer(&author, &author, &message, &tree, &[parent])?;
    let Some(key) = key else {
        return repository.odb()?.write(git2::ObjectType::Commit, &commit);
    };
    let text = std::str::from_utf8(&commit)
        .map_err(|error| git2::Error::from_str(&format!("the commit is no text: {error}")))?;
    let signature = signing::sign(key, &commit).map_err(|error| git2::Error::from_str(&error))?;
    repository.commit_signed(text, &signature, None)
}
