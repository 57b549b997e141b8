//! What is read of commits, and what is not.

mod harm;

use git2::Signature;

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

    /// A commit of a folder `services` with these entries.
    fn services(&self, entries: &[(&[u8], Oid, FileMode)]) -> String {
        self.commit(&[(b"services", self.tree(entries), FileMode::Tree)])
    }

    /// What of a commit has no content, and why.
    fn flaws(&self, revision: &str, limits: Limits) -> Vec<(String, Flaw)> {
        let tree = self.read(revision, "", limits).unwrap();
        let flaws = tree.files.into_iter().filter_map(|(path, file)| Some((path, file.flaw()?)));
        flaws.collect()
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
        collect(&self.repository, revision, path, previous, limits).map_err(|error| match error {
            ReadError::Git(error) => format!("git: {}", error.message()),
            ReadError::Source(error) => error.line(),
        })
    }
}

#[test]
fn files_below_the_path_are_read_relative_to_it_and_others_are_not() {
    let fixture = Fixture::new();
    let echo = fixture.blob("weight: 50");
    let services = fixture.tree(&[
        (b"echo.yaml", echo, FileMode::Blob),
        (b"README.md", fixture.blob("hello"), FileMode::Blob),
    ]);
    let rollouts = fixture.tree(&[
        (b"services", services, FileMode::Tree),
        (b"coalmine.yaml", fixture.blob("{}"), FileMode::BlobExecutable),
        (b"run.sh", fixture.blob("#!"), FileMode::BlobExecutable),
    ]);
    let revision = fixture.commit(&[
        (b"rollouts", rollouts, FileMode::Tree),
        (b"README.md", fixture.blob("hello"), FileMode::Blob),
    ]);
    let tree = fixture.read(&revision, "rollouts", LIMITS).unwrap();
    assert_eq!(tree.revision, revision);
    let paths: Vec<_> = tree.files.keys().collect();
    assert_eq!(paths, ["coalmine.yaml", "services/echo.yaml"]);
    assert_eq!(tree.files["services/echo.yaml"].content(), b"weight: 50");
    assert!(fixture.read(&revision, "", LIMITS).unwrap().files.is_empty());
}

#[test]
fn a_file_that_did_not_change_is_shared_and_its_blob_not_read() {
    let fixture = Fixture::new();
    let (same, old) = (fixture.blob("same"), fixture.blob("old"));
    let first = fixture
        .services(&[(b"changes.yaml", old, FileMode::Blob), (b"stays.yaml", same, FileMode::Blob)]);
    let previous = fixture.read(&first, "", LIMITS).unwrap();
    let new = fixture.blob("new");
    let second = fixture
        .services(&[(b"changes.yaml", new, FileMode::Blob), (b"stays.yaml", same, FileMode::Blob)]);
    let hex = same.to_string();
    let folder = fixture.repository.path().join("objects").join(&hex[..2]);
    std::fs::remove_file(folder.join(&hex[2..])).unwrap();
    // A fresh handle has no cached objects.
    let fixture = Fixture {
        repository: Repository::open_bare(fixture.repository.path()).unwrap(),
        ..fixture
    };
    let tree = fixture.read_after(&previous, &second, "", LIMITS).unwrap();
    assert_eq!(tree.files["services/stays.yaml"].content(), b"same");
    assert_eq!(tree.files["services/changes.yaml"].content(), b"new");
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
    let revision = fixture
        .commit(&[(b"deploy", outer, FileMode::Tree), (b"file", fixture.blob(""), FileMode::Blob)]);
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
fn a_symbolic_link_in_place_of_a_file_is_a_flaw_of_that_file() {
    let fixture = Fixture::new();
    let link = fixture.blob("../README.md");
    let revision = fixture.services(&[
        (b"echo.yaml", link, FileMode::Link),
        (b"foxtrot.yaml", fixture.blob("a: 1"), FileMode::Blob),
    ]);
    assert_eq!(
        fixture.flaws(&revision, LIMITS),
        [("services/echo.yaml".to_owned(), Flaw::Symlink)]
    );
    let tree = fixture.read(&revision, "", LIMITS).unwrap();
    assert_eq!(tree.files["services/foxtrot.yaml"].content(), b"a: 1");
}

#[test]
fn links_submodules_and_large_files_that_are_not_read_are_passed_over() {
    let fixture = Fixture::new();
    let commit = Oid::from_str(&fixture.commit(&[])).unwrap();
    let (empty, large) = (fixture.blob(""), fixture.blob("123456789"));
    let docs = fixture.tree(&[(b"link", fixture.blob("/etc"), FileMode::Link)]);
    let services = fixture.tree(&[
        (b"echo.yaml", fixture.blob("a: 1"), FileMode::Blob),
        (b"README.md", fixture.blob("../README.md"), FileMode::Link),
        (b"LICENSE", fixture.blob("./README.md"), FileMode::Link),
        (b".#echo.yaml", fixture.blob("ada@host.4711"), FileMode::Link),
        (b"picture.png", large, FileMode::Blob),
    ]);
    let revision = fixture.commit(&[
        (b"services", services, FileMode::Tree),
        (b"README.md", large, FileMode::Blob),
        (b"docs", docs, FileMode::Tree),
        (b"link", fixture.blob("services"), FileMode::Link),
        (b"vendor", commit, FileMode::Commit),
        (b"a\xff", empty, FileMode::Blob),
    ]);
    let limits = Limits { file: 4, entries: 2, total: 4 };
    let tree = fixture.read(&revision, "", limits).unwrap();
    let paths: Vec<_> = tree.files.keys().collect();
    assert_eq!(paths, ["services/echo.yaml"]);
}

#[test]
fn what_may_hide_files_is_kept_as_a_flaw() {
    let fixture = Fixture::new();
    let commit = Oid::from_str(&fixture.commit(&[])).unwrap();
    let revision = fixture.services(&[
        (b"elsewhere", fixture.blob("../../outside"), FileMode::Link),
        (b"here", fixture.blob("."), FileMode::Link),
        (b"loop", fixture.blob("loop"), FileMode::Link),
        (b"root", fixture.blob("/srv"), FileMode::Link),
        (b"team", commit, FileMode::Commit),
    ]);
    let flaws = fixture.flaws(&revision, LIMITS);
    let named = |name: &str, flaw| (format!("services/{name}"), flaw);
    let mut expected: Vec<_> =
        ["elsewhere", "here", "loop", "root"].map(|name| named(name, Flaw::Symlink)).into();
    expected.push(named("team", Flaw::Submodule));
    assert_eq!(flaws, expected);
    let link = fixture.blob("elsewhere");
    for top in [&b"services"[..], b"coalmine.yaml", b"Services", b"Coalmine.yml"] {
        let revision = fixture.commit(&[(top, link, FileMode::Link)]);
        let path = String::from_utf8(top.to_vec()).unwrap();
        assert_eq!(fixture.flaws(&revision, LIMITS), [(path, Flaw::Symlink)]);
    }
}

#[test]
fn of_a_folder_with_a_misspelt_name_one_file_is_noted() {
    let fixture = Fixture::new();
    let empty = fixture.blob("");
    let inner = fixture.tree(&[
        (b"a.go", empty, FileMode::Blob),
        (b"a.yaml", empty, FileMode::Blob),
        (b"b.yaml", empty, FileMode::Blob),
    ]);
    let revision = fixture.commit(&[(b"Services", inner, FileMode::Tree)]);
    let expected = [("Services/a.yaml".to_owned(), Flaw::Misplaced)];
    assert_eq!(fixture.flaws(&revision, LIMITS), expected);
    let code = fixture.tree(&[(b"a.go", empty, FileMode::Blob)]);
    let revision = fixture.commit(&[(b"service", code, FileMode::Tree)]);
    let limits = Limits { entries: 1, ..LIMITS };
    assert_eq!(fixture.flaws(&revision, limits), []);
}

#[test]
fn a_name_that_is_not_utf8_is_a_flaw() {
    let fixture = Fixture::new();
    let empty = fixture.blob("");
    let revision = fixture.services(&[
        (b"a\xfe.yaml", empty, FileMode::Blob),
        (b"a\xff.yaml", empty, FileMode::Blob),
        (b"b\xff", empty, FileMode::Blob),
        (b"c\xff", fixture.tree(&[]), FileMode::Tree),
    ]);
    assert_eq!(
        fixture.flaws(&revision, LIMITS),
        [
            ("services/a\u{fffd}.yaml".to_owned(), Flaw::Name),
            ("services/c\u{fffd}".to_owned(), Flaw::Name)
        ]
    );
}

#[test]
fn each_limit_holds_for_the_first_path_beyond_it() {
    let fixture = Fixture::new();
    let revision = fixture.services(&[
        (b"1.yaml", fixture.blob("123"), FileMode::Blob),
        (b"2.yaml", fixture.blob("1234"), FileMode::Blob),
    ]);
    let read = |limits| fixture.read(&revision, "", limits);
    let exactly = Limits { file: 4, entries: 3, total: 7 };
    assert!(read(exactly).is_ok());
    assert_eq!(fixture.flaws(&revision, exactly), []);
    assert_eq!(
        fixture.flaws(&revision, Limits { file: 3, ..exactly }),
        [("services/2.yaml".to_owned(), Flaw::TooLarge { size: 4, limit: 3 })]
    );
    assert_eq!(
        read(Limits { entries: 2, ..exactly }).unwrap_err(),
        "`services/2.yaml` is one too many: at most 2 files and folders are read; narrow --path"
    );
    assert_eq!(
        read(Limits { total: 6, ..exactly }).unwrap_err(),
        "`services/2.yaml` brings the files to more than 6 bytes in total; narrow --path"
    );
}

#[test]
fn a_folder_with_too_much_is_cut_and_leaves_room_for_others() {
    let fixture = Fixture::new();
    let empty = fixture.blob("");
    let names: Vec<_> = (0..2600).map(|number| format!("{number:04}.yaml")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_bytes(), empty, FileMode::Blob)).collect();
    let large: Vec<_> = (b'a'..=b'z')
        .map(|name| ([name, b'.', b'y', b'm', b'l'], fixture.blob(&" ".repeat(1 << 20))))
        .collect();
    let large: Vec<_> =
        large.iter().map(|(name, blob)| (name.as_slice(), *blob, FileMode::Blob)).collect();
    let own = fixture.tree(&[(b"echo.yaml", empty, FileMode::Blob)]);
    let flaw = Flaw::FolderTooLarge { entries: 2500, bytes: 16 << 20 };
    for content in [many, large] {
        let folder = fixture.tree(&content);
        let revision = fixture
            .services(&[(b"team-a", folder, FileMode::Tree), (b"team-b", own, FileMode::Tree)]);
        let tree = fixture.read(&revision, "", LIMITS).unwrap();
        assert_eq!(fixture.flaws(&revision, LIMITS), [("services/team-a".to_owned(), flaw)]);
        assert!(tree.files.contains_key("services/team-b/echo.yaml"));
        assert!(tree.files.len() <= 2502, "{}", tree.files.len());
    }
}

#[test]
fn a_clone_that_is_not_there_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let error =
        read(&folder.path().join("clone.git"), &"0".repeat(40), "", &Tree::default()).unwrap_err();
    assert!(matches!(error, SourceError::Damaged { .. }), "{error}");
    assert!(error.line().ends_with("the next fetch makes it anew"), "{error}");
}
