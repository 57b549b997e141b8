//! What the daemon reads of commits before the newest, which anybody may have pushed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use coalmine::source::{Credentials, Policy, Revision, Source, SourceConfig};
use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Repository, Signature};

/// A repository to fetch from and a state directory, both gone at the end of the test.
struct Fixture {
    folder: tempfile::TempDir,
    origin: Repository,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let origin = Repository::init_bare(folder.path().join("origin.git")).unwrap();
        Self { folder, origin }
    }

    /// The newest commit of `main` with this tree.
    fn push(&self, message: &str, tree: Oid) -> String {
        let author = Signature::new("A", "a@example.com", &git2::Time::new(0, 0)).unwrap();
        let tree = self.origin.find_tree(tree).unwrap();
        let parent = self.origin.find_reference("refs/heads/main").ok();
        let parent = parent.map(|parent| parent.peel_to_commit().unwrap());
        let parents: Vec<_> = parent.iter().collect();
        let main = Some("refs/heads/main");
        self.origin.commit(main, &author, &author, message, &tree, &parents).unwrap().to_string()
    }

    fn tree(&self, files: &[(&str, &str)]) -> Oid {
        let empty = self.origin.odb().unwrap().write(ObjectType::Tree, b"").unwrap();
        let mut builder = TreeUpdateBuilder::new();
        for (path, content) in files {
            builder.upsert(*path, self.origin.blob(content.as_bytes()).unwrap(), FileMode::Blob);
        }
        builder.create_updated(&self.origin, &self.origin.find_tree(empty).unwrap()).unwrap()
    }

    /// A source that has fetched the newest commit.
    async fn fetched(&self, path: &str) -> (Source, Revision) {
        let source = Source::new(SourceConfig {
            repository: format!("file://{}", self.origin.path().display()),
            branch: "main".to_owned(),
            path: path.to_owned(),
            directory: self.folder.path().join("state"),
            deadline: Duration::from_secs(120),
            memory: 128 << 20,
            credentials: Credentials::default(),
            policy: Policy::default(),
            program: PathBuf::from(env!("CARGO_BIN_EXE_coalmine")),
        })
        .unwrap();
        let revision = source.fetch().await.unwrap();
        (source, revision)
    }
}

#[tokio::test]
async fn commits_say_where_they_moved_files_to() {
    let fixture = Fixture::new();
    let push = |files: &[(&str, &str)]| fixture.push("x", fixture.tree(files));
    let first = push(&[
        ("deploy/services/a/gone.yaml", "3"),
        ("deploy/services/a/x.yaml", "1"),
        ("deploy/services/a/y.yaml", "2"),
        ("deploy/services/root.yaml", "4"),
    ]);
    // The whole folder and one that was in none.
    push(&[
        ("deploy/services/b/gone.yaml", "3"),
        ("deploy/services/b/root.yaml", "4"),
        ("deploy/services/b/x.yaml", "1"),
        ("deploy/services/b/y.yaml", "2"),
    ]);
    // One goes on, and changes; of another somebody makes a copy; the third is gone.
    push(&[
        ("deploy/services/b/root.yaml", "4"),
        ("deploy/services/b/y.yaml", "2"),
        ("deploy/services/c/x.yaml", "other"),
        ("deploy/services/d/y.yaml", "2"),
    ]);
    // And comes again elsewhere, by a commit that did not remove it.
    push(&[
        ("deploy/services/b/root.yaml", "4"),
        ("deploy/services/b/y.yaml", "2"),
        ("deploy/services/c/x.yaml", "other"),
        ("deploy/services/d/gone.yaml", "3"),
        ("deploy/services/d/y.yaml", "2"),
    ]);
    let (source, revision) = fixture.fetched("deploy").await;
    let moves = |from: &str| source.moves(from, &revision).unwrap();
    let moved = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    };
    let expected = moved(&[
        ("services/a/gone.yaml", "services/b/gone.yaml"),
        ("services/a/x.yaml", "services/c/x.yaml"),
        ("services/a/y.yaml", "services/b/y.yaml"),
        ("services/root.yaml", "services/b/root.yaml"),
    ]);
    assert_eq!(moves(&first), expected);
    assert_eq!(moves(&revision.id), moved(&[]));
    assert_eq!(moves(&"1".repeat(40)), moved(&[]), "a commit that nobody has");
    assert_eq!(moves("nothing"), moved(&[]));
    assert!(source.earlier(&first).unwrap().files.contains_key("services/a/x.yaml"));
    assert!(source.earlier(&"1".repeat(40)).is_none() && source.earlier("nothing").is_none());
}

#[tokio::test]
async fn a_commit_of_the_past_that_is_made_for_harm_costs_little() {
    let fixture = Fixture::new();
    let good = fixture.tree(&[("services/echo.yaml", "1")]);
    let first = fixture.push("first", good);
    // A tree that names itself over and over, ten to the thirtieth times.
    let mut bomb = fixture.tree(&[("x.yaml", "1")]);
    for _ in 0..30 {
        let mut builder = fixture.origin.treebuilder(None).unwrap();
        for name in b'a'..=b'j' {
            builder.insert(&[name][..], bomb, FileMode::Tree.into()).unwrap();
        }
        bomb = builder.write().unwrap();
    }
    let mut builder = fixture.origin.treebuilder(None).unwrap();
    builder.insert("services", bomb, FileMode::Tree.into()).unwrap();
    fixture.push("bomb", builder.write().unwrap());
    fixture.push("good", good);
    let last = fixture.push("last", fixture.tree(&[("services/echo.yaml", "2")]));
    let (source, revision) = fixture.fetched(".").await;
    assert_eq!(revision.id, last);
    let subjects: Vec<String> =
        source.past(&revision, 50).unwrap().iter().map(|it| it.revision.subject.clone()).collect();
    assert_eq!(subjects, ["last"], "of the others nobody can say what they changed");
    assert!(source.moves(&first, &revision).unwrap().is_empty());
    // A message that is larger than anything else.
    fixture.push(&"x".repeat(2 << 20), good);
    fixture.push("after", fixture.tree(&[("services/echo.yaml", "3")]));
    let (source, revision) = fixture.fetched(".").await;
    assert_eq!(revision.subject, "after");
    assert!(source.past(&revision, 50).unwrap().is_empty());
    assert!(source.moves(&first, &revision).unwrap().is_empty());
}
