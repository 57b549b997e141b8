//! The trees of a commit, each looked at before it is loaded: whoever may push can make one that is larger than memory,
//! or that names itself over and over.

use git2::{ErrorClass, ErrorCode, ObjectType, Odb, Oid, Repository};

use coalmine_core::tree::Flaw;

/// The largest tree object that is loaded, in bytes: about 100,000 entries.
const LARGEST_TREE: usize = 4 << 20;
/// The largest commit that is loaded, in bytes: its message is all that makes one large.
const LARGEST_COMMIT: usize = 1 << 20;

/// The trees of a clone.
pub(super) struct Trees<'r> {
    pub(super) repository: &'r Repository,
    pub(super) objects: Odb<'r>,
}

impl<'r> Trees<'r> {
    pub(super) fn of(repository: &'r Repository) -> Result<Self, git2::Error> {
        Ok(Self { repository, objects: repository.odb()? })
    }

    /// A tree, or what is wrong with it.
    pub(super) fn load(&self, id: Oid) -> Result<Result<git2::Tree<'r>, Flaw>, git2::Error> {
        let (size, kind) = self.objects.read_header(id)?;
        if kind != ObjectType::Tree {
            return Ok(Err(Flaw::Forged));
        }
        if size > LARGEST_TREE {
            return Ok(Err(Flaw::TreeTooLarge { size: size as u64, limit: LARGEST_TREE as u64 }));
        }
        match self.repository.find_tree(id) {
            Ok(tree) => Ok(Ok(tree)),
            // It is what its name says, and yet nothing that can be read.
            Err(error) if error.class() == ErrorClass::Tree => Ok(Err(Flaw::Forged)),
            Err(error) => Err(error),
        }
    }

    /// A commit; none when it is too large to be looked at.
    pub(super) fn commit(&self, id: Oid) -> Result<Option<git2::Commit<'r>>, git2::Error> {
        let (size, _) = self.objects.read_header(id)?;
        if size > LARGEST_COMMIT { Ok(None) } else { self.repository.find_commit(id).map(Some) }
    }

    /// The root of a commit's files; none for a commit that is too large to be looked at.
    pub(super) fn root_of(&self, commit: Oid) -> Result<Option<Oid>, git2::Error> {
        Ok(self.commit(commit)?.map(|commit| commit.tree_id()))
    }

    /// What stands at a path below a tree, with its mode; `None` when there is nothing, or nothing that can be reached.
    pub(super) fn at(&self, root: Oid, path: &str) -> Result<Option<(Oid, i32)>, git2::Error> {
        let mut found = (root, i32::from(git2::FileMode::Tree));
        for name in path.split('/') {
            let tree = match self.load(found.0) {
                Ok(Ok(tree)) => tree,
                Ok(Err(_)) => return Ok(None),
                Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let Some(entry) = tree.get_name(name) else { return Ok(None) };
            found = (entry.id(), entry.filemode());
        }
        Ok(Some(found))
    }

    /// The text of a small blob.
    pub(super) fn text(&self, id: Oid, most: usize) -> Option<String> {
        let (size, kind) = self.objects.read_header(id).ok()?;
        let is_small = kind == ObjectType::Blob && size <= most;
        let blob = is_small.then(|| self.repository.find_blob(id).ok()).flatten()?;
        String::from_utf8(blob.content().to_vec()).ok()
    }
}
