//! The hostile trees as commits, one after the other, on the daemon's way: fetched, read, taken apart.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use coalmine::source::{Credentials, Policy, Source, SourceConfig};
use coalmine_core::reason::Hinted;
use coalmine_core::tree::Tree;
use coalmine_core::values::{Reader, Repository};
use git2::{ObjectType, Oid, Signature};

use super::{AMPLE, assert_harmless, corpus};

/// What a fetch may take in the pod of `deploy/base`, which may take 256 MiB.
const SHIPPED: u64 = 128 << 20;

/// A repository to fetch from and a state directory, both gone at the end of the test.
struct Fixture {
    directory: tempfile::TempDir,
    origin: git2::Repository,
    source: Source,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let origin = git2::Repository::init_bare(folder.path().join("origin.git")).unwrap();
        let source = Source::new(SourceConfig {
            repository: format!("file://{}", origin.path().display()),
            branch: "main".to_owned(),
            path: ".".to_owned(),
            directory: folder.path().join("state"),
            deadline: AMPLE,
            memory: SHIPPED,
            credentials: Credentials::default(),
            policy: Policy::default(),
            program: PathBuf::from(env!("CARGO_BIN_EXE_coalmine")),
        });
        Self { directory: folder, origin, source: source.unwrap() }
    }

    fn blob(&self, content: &[u8]) -> Oid {
        self.origin.blob(content).unwrap()
    }

    /// A tree object as it is written, which need not be one that git would write.
    fn tree(&self, entries: &[(&str, &str, Oid)]) -> Oid {
        let mut raw = Vec::new();
        for (mode, name, id) in entries {
            raw.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            raw.extend_from_slice(id.as_bytes());
        }
        self.origin.odb().unwrap().write(ObjectType::Tree, &raw).unwrap()
    }

    /// The files of a folder, whatever their number.
    fn folder(&self, files: &[(&str, &[u8])]) -> Oid {
        let mut builder = self.origin.treebuilder(None).unwrap();
        let mut folders: BTreeMap<&str, Vec<(&str, &[u8])>> = BTreeMap::new();
        for (path, content) in files {
            match path.split_once('/') {
                Some((folder, below)) => folders.entry(folder).or_default().push((below, content)),
                None => drop(builder.insert(path, self.blob(content), 0o100_644).unwrap()),
            }
        }
        for (name, files) in folders {
            builder.insert(name, self.folder(&files), 0o040_000).unwrap();
        }
        builder.write().unwrap()
    }

    /// Makes a tree the newest commit, on top of what is there.
    fn push(&self, tree: Oid) {
        let author = Signature::new("A", "a@example.com", &git2::Time::new(0, 0)).unwrap();
        let tree = self.origin.find_tree(tree).unwrap();
        let parent = self.origin.find_reference("refs/heads/main").ok();
        let parent = parent.map(|parent| parent.peel_to_commit().unwrap());
        let parents: Vec<_> = parent.iter().collect();
        self.origin
            .commit(Some("refs/heads/main"), &author, &author, "x", &tree, &parents)
            .unwrap();
    }

    /// What the daemon reads of the newest commit.
    async fn read(&self, previous: &Tree) -> Result<Tree, String> {
        let revision = self.source.fetch().await.map_err(|error| error.line())?;
        self.source.tree_after(&revision, previous).map_err(|error| error.line())
    }
}

fn messages(repository: &Repository) -> Vec<String> {
    let services = repository.services.values().filter_map(|outcome| outcome.as_ref().err());
    let platform = &repository.platform.problems;
    let problems = repository.problems.iter().chain(platform).chain(services.flatten());
    problems.map(ToString::to_string).collect()
}

#[tokio::test]
async fn the_daemon_reads_one_hostile_revision_after_the_other() {
    let fixture = Fixture::new();
    let mut reader = Reader::default();
    let mut previous = Tree::default();
    let mut wrong = Vec::new();
    for case in corpus::all() {
        let files: Vec<_> =
            case.files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
        fixture.push(fixture.folder(&files));
        let messages = match fixture.read(&previous).await {
            Ok(tree) => {
                let repository = reader.read(&tree);
                assert!(repository == Repository::parse(&tree), "{}", case.name);
                previous = tree;
                messages(&repository)
            }
            Err(refused) => vec![refused],
        };
        wrong.extend(case.differs(messages.is_empty(), &messages.join("\n")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test]
async fn a_service_outlives_a_revision_in_which_its_file_is_something_else() {
    let fixture = Fixture::new();
    let mut reader = Reader::default();
    let values = b"deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";
    fixture.push(fixture.folder(&[("services/echo.yaml", values)]));
    let tree = fixture.read(&Tree::default()).await.unwrap();
    let first = reader.read(&tree).services["echo"].clone().unwrap();
    for path in ["services/echo.yaml/a", "services/Echo.yaml"] {
        fixture.push(fixture.folder(&[(path, values)]));
        let repository = reader.read(&fixture.read(&tree).await.unwrap());
        assert!(repository.keeps("echo") && !messages(&repository).is_empty(), "{path}");
    }
    fixture.push(fixture.folder(&[("services/echo.yaml", values)]));
    let again = reader.read(&fixture.read(&tree).await.unwrap()).services["echo"].clone().unwrap();
    assert_eq!(first, again);
    assert!(!Arc::ptr_eq(&first, &again), "its file was away in between");
}

#[tokio::test]
async fn what_is_no_file_is_refused_by_its_name() {
    let fixture = Fixture::new();
    let link = fixture.blob(b"../../../etc/passwd");
    let services = |entry| fixture.tree(&[("40000", "services", fixture.tree(&[entry]))]);
    let commit = Oid::from_str(&"1".repeat(40)).unwrap();
    for (tree, message) in [
        (
            services(("120000", "a\u{1b}.yaml", link)),
            "services/a\\u{1b}.yaml:1:1: is a symbolic link",
        ),
        (services(("160000", "module", commit)), "services/module:1:1: is a submodule"),
        (services(("100644", "..", link)), "services/???:1:1: is an entry that git does not make"),
        (services(("100644", "../../a.yaml", link)), "is an entry that git does not make"),
    ] {
        fixture.push(tree);
        let read = fixture.read(&Tree::default()).await;
        let refused = match read {
            Ok(tree) => messages(&Repository::parse(&tree)).join("\n"),
            Err(refused) => refused,
        };
        assert!(refused.contains(message), "{message}: {refused}");
        assert_harmless(message, &refused);
    }
}

/// All of them are the same few blobs and trees, and a few kilobytes to push.
#[tokio::test]
async fn folders_that_are_too_much_together_stop_no_other_and_fit_into_the_shipped_memory() {
    let fixture = Fixture::new();
    let values = b"deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";
    let own = fixture.tree(&[("100644", "echo.yaml", fixture.blob(values))]);
    let large = fixture.blob(&vec![b'#'; 1 << 20]);
    let names: Vec<_> = (0..16).map(|name| format!("{name:02}.yaml")).collect();
    let files: Vec<_> = names.iter().map(|name| ("100644", name.as_str(), large)).collect();
    let greedy = fixture.tree(&files);
    let mut bomb = fixture.tree(&[("100644", "x.yaml", large)]);
    for _ in 0..30 {
        bomb = fixture.tree(&[("40000", "a", bomb), ("40000", "b", bomb)]);
    }
    let names: Vec<_> = (0..40).map(|name| format!("greedy-{name:02}")).collect();
    let folders = names.iter().map(|name| ("40000", name.as_str(), greedy));
    let folders: Vec<_> =
        folders.chain([("40000", "bomb", bomb), ("40000", "team", own)]).collect();
    fixture.push(fixture.tree(&[("40000", "services", fixture.tree(&folders))]));
    let tree = fixture.read(&Tree::default()).await.unwrap();
    let repository = Repository::parse(&tree);
    assert_eq!(repository.problems, []);
    assert!(repository.services["echo"].is_ok(), "{:?}", repository.services["echo"]);
    let total: usize = tree.files.values().map(|file| file.content().len()).sum();
    assert!(total <= 64 << 20, "{total}");
    let said = messages(&repository).join("\n");
    assert!(
        said.contains(
            "services/greedy-00:1:1: has more than its part of what all folders may have together"
        ),
        "{said:.500}"
    );
    assert!(said.contains("services/bomb:1:1: has a path of more than 32 folders"), "{said:.500}");
}

/// Compressed these are some hundred kilobytes, which no server refuses for their size.
#[tokio::test]
async fn a_file_of_zeros_that_is_larger_than_memory_is_told_as_that_and_ends_with_its_commits() {
    let fixture = Fixture::new();
    let values = b"deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";
    fixture.push(fixture.folder(&[("services/echo.yaml", values)]));
    let good = fixture.origin.refname_to_id("refs/heads/main").unwrap();
    fixture.read(&Tree::default()).await.unwrap();
    let mut zeros = vec![0; usize::try_from(SHIPPED).unwrap() + (32 << 20)];
    for _ in 0..2 {
        fixture.push(fixture.folder(&[("big", &zeros), ("services/echo.yaml", values)]));
        zeros.push(0);
    }
    drop(zeros);
    for _ in 0..2 {
        let refused = fixture.read(&Tree::default()).await.unwrap_err();
        assert!(refused.contains("more memory than the 128 MiB"), "{refused}");
        assert!(refused.contains("--fetch-memory"), "{refused}");
    }
    let state = fixture.directory.path().join("state");
    assert!(!state.join("clone.new").exists(), "nothing unfinished takes the disk");
    fixture.origin.reference("refs/heads/main", good, true, "mended").unwrap();
    fixture.read(&Tree::default()).await.expect("what is there fits");
}
