//! Fetching, with the real child process, from real repositories and from servers that misbehave.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use coalmine::source::{
    Change, Credentials, Policy, Revision, Signatures, Source, SourceConfig, SourceError,
    TrustedKeys,
};
use coalmine_core::reason::Hinted;
use coalmine_core::tree::{Flaw, Tree};
use git2::{ObjectType, Oid, Repository, Signature};

const PROGRAM: &str = env!("CARGO_BIN_EXE_coalmine");
/// Far more than any of these fetches takes: whoever meets it hangs.
const AMPLE: Duration = Duration::from_secs(120);

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

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn clone_directory(&self) -> PathBuf {
        self.state().join("clone.git")
    }

    /// Points `branch` at a new commit of one file, on top of `parent`.
    fn commit(&self, branch: &str, content: &str, parent: Option<&str>) -> String {
        let blob = self.origin.blob(content.as_bytes()).unwrap();
        let mut services = self.origin.treebuilder(None).unwrap();
        services.insert("echo.yaml", blob, 0o100_644).unwrap();
        let mut root = self.origin.treebuilder(None).unwrap();
        root.insert("services", services.write().unwrap(), 0o040_000).unwrap();
        let tree = self.origin.find_tree(root.write().unwrap()).unwrap();
        let time = git2::Time::new(1_700_000_000, 0);
        let author = Signature::new("Ada", "ada@example.com", &time).unwrap();
        let parent = parent.map(|id| self.origin.find_commit(Oid::from_str(id).unwrap()).unwrap());
        let parents: Vec<_> = parent.iter().collect();
        let message = format!("say {}\n\nbecause", content.get(..80).unwrap_or(content));
        let id = self.origin.commit(None, &author, &author, &message, &tree, &parents).unwrap();
        self.origin.reference(&format!("refs/heads/{branch}"), id, true, "test").unwrap();
        id.to_string()
    }

    fn config(&self) -> SourceConfig {
        SourceConfig {
            repository: format!("file://{}", self.origin.path().display()),
            branch: "main".to_owned(),
            path: ".".to_owned(),
            directory: self.state(),
            deadline: AMPLE,
            memory: 1 << 30,
            credentials: Credentials::default(),
            policy: Policy::default(),
            program: PathBuf::from(PROGRAM),
        }
    }

    fn source(&self) -> Source {
        Source::new(self.config()).unwrap()
    }

    fn source_at(&self, repository: &str) -> Source {
        Source::new(SourceConfig { repository: repository.to_owned(), ..self.config() }).unwrap()
    }
}

fn content(source: &Source, revision: &Revision) -> String {
    let tree = source.tree(revision).unwrap();
    assert_eq!(tree.files.len(), 1);
    String::from_utf8(tree.files["services/echo.yaml"].content().to_vec()).unwrap()
}

/// The files of the object store, to see what a fetch wrote.
fn objects(clone: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![clone.join("objects")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Leaves of a clone only commits and folders: the damage that shows last.
fn lose_files(clone: &Path) {
    let mut kept = Vec::new();
    {
        let repository = Repository::open_bare(clone).unwrap();
        let objects = repository.odb().unwrap();
        let mut ids = Vec::new();
        objects
            .foreach(|id| {
                ids.push(*id);
                true
            })
            .unwrap();
        for id in ids {
            let object = objects.read(id).unwrap();
            if object.kind() != ObjectType::Blob {
                kept.push((object.kind(), object.data().to_vec()));
            }
        }
    }
    for file in objects(clone) {
        fs::remove_file(file).unwrap();
    }
    let repository = Repository::open_bare(clone).unwrap();
    let objects = repository.odb().unwrap();
    for (kind, data) in kept {
        objects.write(kind, &data).unwrap();
    }
}

#[tokio::test]
async fn what_earlier_commits_changed_is_read_as_it_was_before_and_after() {
    let fixture = Fixture::new();
    let first = fixture.commit("main", "one", None);
    let second = fixture.commit("main", "two", Some(&first));
    let same = fixture.commit("main", "two", Some(&second));
    fixture.commit("main", "three", Some(&same));
    let source = fixture.source();
    let revision = source.fetch().await.unwrap();
    let told = |most: usize| {
        let past = source.past(&revision, most).unwrap();
        let text = |tree: &Tree| {
            let content = tree.files["services/echo.yaml"].content();
            String::from_utf8(content.to_vec()).unwrap()
        };
        let tell = |change: &Change| {
            assert_eq!(change.after.files.len(), 1);
            let subject = change.revision.subject.clone();
            (subject, text(&change.before), text(&change.after))
        };
        past.iter().map(tell).collect::<Vec<_>>()
    };
    let [two, three] = [("say two", "one", "two"), ("say three", "two", "three")]
        .map(|(subject, before, after)| (subject.into(), before.into(), after.into()));
    assert_eq!(told(10), [two, three.clone()], "the oldest first, without what changed nothing");
    assert_eq!(told(1), [three]);
}

#[tokio::test]
async fn the_newest_commit_is_fetched_and_its_files_are_read() {
    let fixture = Fixture::new();
    let first = fixture.commit("main", "one", None);
    let source = fixture.source();
    let revision = source.fetch().await.unwrap();
    assert_eq!(revision.id, first);
    assert_eq!(revision.short(), &first[..7]);
    assert_eq!((revision.author.as_str(), revision.subject.as_str()), ("Ada", "say one"));
    assert_eq!(revision.committed.as_second(), 1_700_000_000);
    assert_eq!(content(&source, &revision), "one");

    let second = fixture.commit("main", "two", Some(&first));
    let next = source.fetch().await.unwrap();
    assert_eq!(next.id, second);
    assert_eq!(content(&source, &next), "two");
    assert_eq!(content(&source, &revision), "one", "an earlier revision stays readable");
}

#[tokio::test]
async fn a_fetch_without_news_downloads_nothing() {
    let fixture = Fixture::new();
    fixture.commit("main", "one", None);
    let source = fixture.source();
    let revision = source.fetch().await.unwrap();
    let before = objects(&fixture.clone_directory());
    assert_eq!(source.fetch().await.unwrap(), revision);
    assert_eq!(objects(&fixture.clone_directory()), before);
}

#[tokio::test]
async fn a_plain_path_is_a_repository_too() {
    let fixture = Fixture::new();
    let id = fixture.commit("main", "one", None);
    let source = fixture.source_at(fixture.origin.path().to_str().unwrap());
    assert_eq!(source.fetch().await.unwrap().id, id);
}

#[tokio::test]
async fn a_path_that_the_revision_lacks_fails_only_when_the_tree_is_read() {
    let fixture = Fixture::new();
    fixture.commit("main", "one", None);
    let config = SourceConfig { path: "service".to_owned(), ..fixture.config() };
    let source = Source::new(config).unwrap();
    let revision = source.fetch().await.unwrap();
    let error = source.tree(&revision).unwrap_err().line();
    assert!(error.contains("has no folder `service` (did you mean `services`?)"), "{error}");
    assert!(error.contains(revision.short()), "{error}");
}

#[tokio::test]
async fn a_repository_that_does_not_exist_is_said_not_to() {
    let fixture = Fixture::new();
    let missing = fixture.folder.path().join("missing.git");
    for repository in [format!("file://{}", missing.display()), missing.display().to_string()] {
        let error = fixture.source_at(&repository).fetch().await.unwrap_err();
        assert!(matches!(error, SourceError::RepositoryMissing { .. }), "{error:?}");
        let expected = format!("git repository {repository} does not exist");
        assert!(error.line().starts_with(&expected), "{error}");
    }
    let folder = fixture.folder.path().display().to_string();
    let error = fixture.source_at(&folder).fetch().await.unwrap_err();
    assert!(matches!(error, SourceError::RepositoryMissing { .. }), "no repository: {error:?}");
}

#[tokio::test]
async fn an_empty_repository_is_told_from_one_without_the_branch() {
    let fixture = Fixture::new();
    let source = fixture.source();
    let error = source.fetch().await.unwrap_err();
    assert!(matches!(error, SourceError::RepositoryEmpty { .. }), "{error:?}");
    assert!(error.line().ends_with("is empty; push branch `main` to it"), "{error}");

    fixture.commit("mian", "one", None);
    fixture.commit("develop", "one", None);
    let error = source.fetch().await.unwrap_err().line();
    assert!(
        error.ends_with(
            "has no branch `main` (did you mean `mian`?); it has `develop`, `mian`; push the branch or \
             change --branch"
        ),
        "{error}"
    );

    let id = fixture.commit("main", "one", None);
    assert_eq!(source.fetch().await.unwrap().id, id, "and once it is there it is fetched");
}

#[tokio::test]
async fn a_branch_that_is_named_in_full_is_fetched() {
    let fixture = Fixture::new();
    let id = fixture.commit("main", "one", None);
    let config = SourceConfig { branch: "refs/heads/main".to_owned(), ..fixture.config() };
    let source = Source::new(config).unwrap();
    let revision = source.fetch().await.unwrap();
    assert_eq!(revision.id, id);
    source.accept(&revision).unwrap();
    assert_eq!(fixture.source().accepted(), Some(revision), "it is the same branch");
}

#[tokio::test]
async fn a_repository_with_sha_256_ids_is_said_to_be_one() {
    let fixture = Fixture::new();
    let folder = fixture.folder.path().join("other.git");
    // git makes such repositories since 2.29.
    let script = "git init --quiet --bare --object-format=sha256 \"$0\" && cd \"$0\" \
                  && tree=$(git hash-object -w -t tree --stdin < /dev/null) \
                  && commit=$(git -c user.name=Ada -c user.email=ada@example.com commit-tree -m one $tree) \
                  && git update-ref refs/heads/main $commit";
    let made = Command::new("sh").args(["-c", script]).arg(&folder).status();
    assert!(made.unwrap().success());
    for repository in [format!("file://{}", folder.display()), folder.display().to_string()] {
        let error = fixture.source_at(&repository).fetch().await.unwrap_err();
        assert_eq!(error, SourceError::ObjectFormat { repository: repository.clone() });
        let expected = format!("git repository {repository} has SHA-256 object ids");
        assert!(error.line().starts_with(&expected), "{error}");
    }
    let address = slow_server(folder, 50_000, Duration::ZERO);
    let error = fixture.source_at(&address).fetch().await.unwrap_err();
    assert_eq!(error, SourceError::ObjectFormat { repository: address });
}

#[tokio::test]
async fn links_submodules_and_large_files_beside_the_services_refuse_no_revision() {
    let fixture = Fixture::new();
    fixture.commit("main", "one", None);
    let head = fixture.origin.find_reference("refs/heads/main").unwrap();
    let head = head.peel_to_commit().unwrap();
    let blob = |content: &[u8]| fixture.origin.blob(content).unwrap();
    let old = head.tree().unwrap();
    let services = old.get_name("services").unwrap().id();
    let mut inner = fixture.origin.treebuilder(fixture.origin.find_tree(services).ok().as_ref());
    let inner = inner.as_mut().unwrap();
    inner.insert("golf.yaml", blob(b"echo.yaml"), 0o120_000).unwrap();
    let mut root = fixture.origin.treebuilder(Some(&old)).unwrap();
    root.insert("services", inner.write().unwrap(), 0o040_000).unwrap();
    root.insert("current", blob(b"services"), 0o120_000).unwrap();
    root.insert("vendor", Oid::from_str(&"1".repeat(40)).unwrap(), 0o160_000).unwrap();
    root.insert("film.mp4", blob(&vec![b'x'; 2 << 20]), 0o100_644).unwrap();
    let tree = fixture.origin.find_tree(root.write().unwrap()).unwrap();
    let author = head.author();
    let main = Some("refs/heads/main");
    fixture.origin.commit(main, &author, &author, "more", &tree, &[&head]).unwrap();
    let source = fixture.source();
    let tree = source.tree(&source.fetch().await.unwrap()).unwrap();
    let read: Vec<_> = tree.files.iter().map(|(path, file)| (path.as_str(), file.flaw())).collect();
    assert_eq!(read, [("services/echo.yaml", None), ("services/golf.yaml", Some(Flaw::Symlink))]);
}

#[tokio::test]
async fn a_branch_that_is_deleted_later_is_missing_again() {
    let fixture = Fixture::new();
    let first = fixture.commit("main", "one", None);
    fixture.commit("other", "two", Some(&first));
    let source = fixture.source();
    let revision = source.fetch().await.unwrap();
    fixture.origin.find_reference("refs/heads/main").unwrap().delete().unwrap();
    let error = source.fetch().await.unwrap_err();
    assert!(matches!(error, SourceError::BranchMissing { .. }), "{error:?}");
    assert_eq!(content(&source, &revision), "one", "what was fetched stays readable");
}

#[tokio::test]
async fn a_damaged_clone_is_made_anew_by_the_same_fetch() {
    let fixture = Fixture::new();
    let id = fixture.commit("main", "one", None);
    fixture.source().fetch().await.unwrap();
    let clone = fixture.clone_directory();
    let damages: [(&str, &dyn Fn()); 5] = [
        ("lost files", &|| lose_files(&clone)),
        ("no objects", &|| fs::remove_dir_all(clone.join("objects")).unwrap()),
        ("no head", &|| fs::remove_file(clone.join("HEAD")).unwrap()),
        ("a lock left behind", &|| {
            fs::remove_file(clone.join("refs/heads/main")).unwrap();
            fs::write(clone.join("refs/heads/main.lock"), "").unwrap();
        }),
        ("garbled objects", &|| {
            for file in objects(&clone) {
                let length = fs::metadata(&file).unwrap().len();
                fs::remove_file(&file).unwrap();
                fs::write(&file, vec![0x55; usize::try_from(length).unwrap()]).unwrap();
            }
        }),
    ];
    for (name, damage) in damages {
        damage();
        let source = fixture.source();
        let revision = source.fetch().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(revision.id, id, "{name}");
        assert_eq!(content(&source, &revision), "one", "{name}");
    }
}

#[tokio::test]
async fn damage_that_shows_when_the_tree_is_read_is_repaired_by_the_next_fetch() {
    let fixture = Fixture::new();
    fixture.commit("main", "one", None);
    let source = fixture.source();
    let revision = source.fetch().await.unwrap();
    lose_files(&fixture.clone_directory());
    let error = source.tree(&revision).unwrap_err();
    assert!(matches!(error, SourceError::Damaged { .. }), "{error:?}");
    source.fetch().await.unwrap();
    assert_eq!(content(&source, &revision), "one");
}

#[tokio::test]
async fn what_a_killed_fetch_left_behind_is_removed() {
    let fixture = Fixture::new();
    fixture.commit("main", "one", None);
    let source = fixture.source();
    source.fetch().await.unwrap();
    let leftover = fixture.clone_directory().join("objects/pack/pack_git2_a1b2c3");
    fs::write(&leftover, "half a pack").unwrap();
    source.fetch().await.unwrap();
    assert!(!leftover.exists());
}

#[tokio::test]
async fn a_clone_that_has_gathered_very_many_packs_is_made_anew() {
    let fixture = Fixture::new();
    fixture.commit("main", "one", None);
    let source = fixture.source();
    let revision = source.fetch().await.unwrap();
    let packs = fixture.clone_directory().join("objects/pack");
    for number in 0..500 {
        fs::write(packs.join(format!("pack-{number}.pack")), "").unwrap();
    }
    assert_eq!(source.fetch().await.unwrap(), revision);
    assert!(!packs.join("pack-0.pack").exists());
    assert_eq!(content(&source, &revision), "one");
}

#[tokio::test]
async fn two_daemons_on_one_state_directory_do_not_disturb_each_other() {
    let fixture = Fixture::new();
    fixture.commit("main", "one", None);
    fs::create_dir_all(fixture.state()).unwrap();
    let lock = fs::File::create(fixture.state().join("lock")).unwrap();
    lock.lock().unwrap();
    let error = fixture.source().fetch().await.unwrap_err();
    assert!(matches!(error, SourceError::Busy { .. }), "{error:?}");
    assert!(error.line().ends_with("give every daemon its own --state-dir"), "{error}");
    lock.unlock().unwrap();
    fixture.source().fetch().await.unwrap();
}

/// A git server that accepts and never says a word, with its address.
fn silent_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("git://{}/rollouts.git", listener.local_addr().unwrap());
    (listener, address)
}

/// Returns once the other side is gone; panics if it is still there after a while.
fn wait_for_end(mut connection: TcpStream) {
    connection.set_read_timeout(Some(AMPLE)).unwrap();
    let ended = connection.read_to_end(&mut Vec::new());
    let reset = |kind| kind == std::io::ErrorKind::ConnectionReset;
    assert!(ended.as_ref().map_or_else(|error| reset(error.kind()), |_| true), "{ended:?}");
}

#[tokio::test]
async fn a_server_that_hangs_ends_the_child_at_the_deadline() {
    let fixture = Fixture::new();
    let (server, repository) = silent_server();
    server.set_nonblocking(true).unwrap();
    let deadline = Duration::from_millis(300);
    let config = SourceConfig { repository: repository.clone(), deadline, ..fixture.config() };
    let source = Source::new(config).unwrap();
    let end = Instant::now() + AMPLE;
    // On a busy machine a child may be ended before it has reached the server.
    let connection = loop {
        let error = source.fetch().await.unwrap_err();
        assert_eq!(error, SourceError::Deadline { repository: repository.clone(), deadline });
        let expected = format!("git repository {repository} sent nothing for 300ms");
        assert!(error.line().starts_with(&expected), "{error}");
        match server.accept() {
            Ok((connection, _)) => break connection,
            Err(error) => assert!(Instant::now() < end, "no child reaches the server: {error}"),
        }
    };
    connection.set_nonblocking(false).unwrap();
    wait_for_end(connection);
}

/// A git server that serves a repository to everybody.
fn git_server(repository: PathBuf) -> String {
    let (listener, address) = silent_server();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut length = [0; 4];
            connection.read_exact(&mut length).unwrap();
            let length = u64::from_str_radix(std::str::from_utf8(&length).unwrap(), 16).unwrap();
            std::io::copy(&mut (&mut connection).take(length - 4), &mut std::io::sink()).unwrap();
            let end = || std::os::fd::OwnedFd::from(connection.try_clone().unwrap());
            let mut git = Command::new("git");
            git.arg("upload-pack").arg(&repository).stdin(end()).stdout(end());
            git.status().unwrap();
        }
    });
    address
}

/// How many commits of the branch a clone has.
fn commits(clone: &Path) -> usize {
    let clone = Repository::open(clone).unwrap();
    let mut commit = clone.find_reference("refs/heads/main").unwrap().peel_to_commit().unwrap();
    for count in 1.. {
        match commit.parent(0) {
            Ok(parent) => commit = parent,
            Err(_) => return count,
        }
    }
    unreachable!("it has a beginning")
}

#[tokio::test]
async fn only_the_newest_commits_come_where_no_history_is_needed_and_the_next_ones_go_on_from_there()
 {
    let fixture = Fixture::new();
    let mut tip = fixture.commit("main", "0", None);
    for number in 1..60 {
        tip = fixture.commit("main", &number.to_string(), Some(&tip));
    }
    let server = git_server(fixture.origin.path().to_path_buf());
    let source = fixture.source_at(&server);
    let revision = source.fetch().await.unwrap();
    assert_eq!(revision.id, tip);
    assert_eq!(content(&source, &revision), "59");
    assert_eq!(commits(&fixture.clone_directory()), 50);
    source.accept(&revision).unwrap();
    // What it brings back was in no commit that the clone has.
    let back = fixture.commit("main", "0", Some(&tip));
    let revision = source.fetch().await.unwrap();
    assert_eq!((revision.id.as_str(), content(&source, &revision).as_str()), (&*back, "0"));
    assert_eq!(commits(&fixture.clone_directory()), 51);
    source.accept(&revision).unwrap();
    fixture.commit("main", "other", Some(&tip));
    let error = source.fetch().await.unwrap_err();
    assert!(matches!(error, SourceError::Rewritten { .. }), "{error:?}");
    // What was accepted has to be found in it.
    let newest = fixture.commit("main", "newest", Some(&back));
    assert_eq!(source.fetch().await.unwrap().id, newest);
    fs::remove_dir_all(fixture.clone_directory()).unwrap();
    assert_eq!(fixture.source_at(&server).fetch().await.unwrap().id, newest);
    assert_eq!(commits(&fixture.clone_directory()), 62);
}

/// The two are some hundred kilobytes to download, the one a change of the other.
#[tokio::test]
async fn what_is_too_large_in_the_past_is_no_obstacle_to_a_first_fetch() {
    let fixture = Fixture::new();
    let mut tip = None;
    let mut zeros = "0".repeat(160 << 20);
    for _ in 0..2 {
        tip = Some(fixture.commit("main", &zeros, tip.as_deref()));
        zeros.push('1');
    }
    drop(zeros);
    let small = fixture.commit("main", "small", tip.as_deref());
    let repository = git_server(fixture.origin.path().to_path_buf());
    let config = SourceConfig { repository, memory: 128 << 20, ..fixture.config() };
    let source = Source::new(config).unwrap();
    let revision = source.fetch().await.unwrap();
    assert_eq!(revision.id, small);
    assert_eq!(content(&source, &revision), "small");
    assert_eq!(commits(&fixture.clone_directory()), 1, "the past did not fit");
}

#[tokio::test]
async fn what_is_too_large_between_two_fetches_keeps_out_nothing_that_comes_after_it() {
    let fixture = Fixture::new();
    let first = fixture.commit("main", "first", None);
    let repository = git_server(fixture.origin.path().to_path_buf());
    let config = SourceConfig { repository, memory: 128 << 20, ..fixture.config() };
    let source = Source::new(config.clone()).unwrap();
    source.accept(&source.fetch().await.unwrap()).unwrap();
    let (mut tip, mut zeros) = (first.clone(), "0".repeat(160 << 20));
    for _ in 0..2 {
        tip = fixture.commit("main", &zeros, Some(&tip));
        zeros.push('1');
    }
    drop(zeros);
    let small = fixture.commit("main", "small", Some(&tip));
    let allowed = fixture.folder.path().join("allowed_signers");
    let key = ssh_key::PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[1; 32]));
    fs::write(&allowed, format!("a@example.com {}", key.public_key().to_openssh().unwrap()))
        .unwrap();
    let verifying = |after: Option<&str>| {
        let after = after.map(|commit| commit.parse().unwrap());
        let signatures = Signatures { keys: vec![TrustedKeys::Ssh(allowed.clone())], after };
        let policy = Policy { signatures, ..Policy::default() };
        Source::new(SourceConfig { policy, ..config.clone() }).unwrap()
    };
    // Whether everything since is signed nobody can tell, and it is not said that it is not there.
    for source in [verifying(None), verifying(Some(&first))] {
        for _ in 0..2 {
            let error = source.fetch().await.unwrap_err();
            assert!(matches!(error, SourceError::HistoryTooLarge { .. }), "{error:?}");
            assert_eq!(error.refused_revision(), Some(&*small));
            let line = error.line();
            assert!(line.contains(&first) && line.contains("128 MiB"), "{line}");
            assert!(line.contains(&format!("--verify-after={small}")), "{line}");
        }
    }
    let revision = source.fetch().await.unwrap();
    assert_eq!((revision.id.as_str(), content(&source, &revision).as_str()), (&*small, "small"));
    source.accept(&revision).unwrap();
    // From here on it is as ever.
    let next = fixture.commit("main", "next", Some(&small));
    let revision = source.fetch().await.unwrap();
    assert_eq!(revision.id, next);
    source.accept(&revision).unwrap();
    fixture.commit("main", "other", Some(&small));
    let error = source.fetch().await.unwrap_err();
    assert!(matches!(error, SourceError::Rewritten { .. }), "{error:?}");
}

/// A git server that sends a repository, in pieces with pauses between them.
fn slow_server(repository: PathBuf, piece: u64, pause: Duration) -> String {
    let (listener, address) = silent_server();
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        // The request is one packet: four digits with its length, and what is asked for.
        let mut length = [0; 4];
        connection.read_exact(&mut length).unwrap();
        let length = u64::from_str_radix(std::str::from_utf8(&length).unwrap(), 16).unwrap();
        std::io::copy(&mut (&mut connection).take(length - 4), &mut std::io::sink()).unwrap();
        let mut git = Command::new("git")
            .arg("upload-pack")
            .arg(repository)
            .stdin(std::os::fd::OwnedFd::from(connection.try_clone().unwrap()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answer = git.stdout.take().unwrap();
        while std::io::copy(&mut (&mut answer).take(piece), &mut connection).unwrap() > 0 {
            std::thread::sleep(pause);
        }
        git.wait().unwrap();
    });
    address
}

#[tokio::test]
async fn a_fetch_that_takes_longer_than_the_deadline_goes_on_as_long_as_something_comes() {
    let fixture = Fixture::new();
    let mut random = fastrand::Rng::with_seed(1);
    let large: String = (0..1_000_000).map(|_| random.alphanumeric()).collect();
    let id = fixture.commit("main", &large, None);
    // More than 700 kB come in pieces of at most 50 kB, each far sooner than the deadline.
    let deadline = Duration::from_secs(6);
    let pause = Duration::from_millis(500);
    let repository = slow_server(fixture.origin.path().to_path_buf(), 50_000, pause);
    let config = SourceConfig { repository, deadline, ..fixture.config() };
    let begun = Instant::now();
    assert_eq!(Source::new(config).unwrap().fetch().await.unwrap().id, id);
    assert!(begun.elapsed() > deadline, "it took only {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_any_more_ends_the_child() {
    let fixture = Fixture::new();
    let (server, repository) = silent_server();
    let source = fixture.source_at(&repository);
    let fetching = tokio::spawn(async move { source.fetch().await });
    let connection = tokio::task::spawn_blocking(move || server.accept().unwrap().0).await.unwrap();
    fetching.abort();
    assert!(fetching.await.unwrap_err().is_cancelled());
    tokio::task::spawn_blocking(|| wait_for_end(connection)).await.unwrap();
}

#[test]
fn the_child_ends_with_the_daemon_that_started_it() {
    let fixture = Fixture::new();
    let (server, repository) = silent_server();
    let mut child = Command::new(PROGRAM)
        .arg("fetch")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let request = serde_json::json!({
        "repository": repository, "branch": "main", "path": "", "directory": fixture.state(),
        "credentials": {}, "memory": 1 << 30, "verify": false, "policy": {"rewind": "refuse", "signatures": {"keys": []}},
    });
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{request}").unwrap();
    let (connection, _) = server.accept().unwrap();
    assert!(child.try_wait().unwrap().is_none(), "it waits for the server");
    drop(stdin);
    wait_for_end(connection);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn the_hidden_command_explains_itself_to_a_person() {
    let output = Command::new(PROGRAM).arg("fetch").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("`fetch` is started by the daemon"), "{message}");
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("fetch"));
}

/// A web server that gives every request the same answer.
fn web_server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/rollouts.git", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = BufReader::new(connection.try_clone().unwrap()).lines();
            while request.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            // The client may have gone already; then there is nobody to answer.
            let _ =
                write!(connection, "{answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_wants_a_token_says_which_flag_is_missing() {
    let fixture = Fixture::new();
    let server = web_server("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"");
    let error = fixture.source_at(&server).fetch().await.unwrap_err();
    assert_eq!(
        error.line(),
        format!(
            "git repository {server} refused us: it asks for a token; name its file with --git-token-file"
        )
    );
}

#[tokio::test]
async fn a_web_server_without_the_repository_says_that_it_is_missing() {
    let fixture = Fixture::new();
    let server = web_server("HTTP/1.1 404 Not Found");
    let error = fixture.source_at(&server).fetch().await.unwrap_err();
    assert!(matches!(error, SourceError::RepositoryMissing { .. }), "{error:?}");
    assert!(error.line().contains("404"), "{error}");
}

/// A web server that leads every request to this address.
fn leading_to(target: &str) -> String {
    let answer =
        format!("HTTP/1.1 302 Found\r\nLocation: {target}/info/refs?service=git-upload-pack");
    web_server(Box::leak(answer.into_boxed_str()))
}

#[tokio::test]
async fn a_server_that_leads_to_another_is_not_followed_with_or_without_a_token() {
    let fixture = Fixture::new();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    let server = leading_to(&format!("http://localhost:{port}/rollouts.git"));
    let error = fixture.source_at(&server).fetch().await.unwrap_err();
    assert!(matches!(error, SourceError::Redirected { .. }), "{error:?}");
    assert!(error.line().contains("from '127.0.0.1' to 'localhost'"), "{error}");
    assert!(error.line().contains("give --repo the new address"), "{error}");
    assert!(elsewhere.accept().is_err(), "nobody connected");
}

#[tokio::test]
async fn a_server_that_is_down_or_breaks_is_unreachable() {
    let fixture = Fixture::new();
    let (listener, down) = silent_server();
    drop(listener);
    let error = fixture.source_at(&down).fetch().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    assert!(error.line().contains("the next poll tries again"), "{error}");

    let breaking = web_server("HTTP/1.1 503 Service Unavailable");
    let error = fixture.source_at(&breaking).fetch().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    assert!(error.line().contains("503"), "{error}");
}

#[tokio::test]
async fn a_child_that_cannot_do_its_part_is_reported_with_its_last_words() {
    let fixture = Fixture::new();
    let program = |program: &str| {
        Source::new(SourceConfig { program: PathBuf::from(program), ..fixture.config() }).unwrap()
    };
    let error = program("/no/such/program").fetch().await.unwrap_err().line();
    assert!(error.contains("/no/such/program cannot be started"), "{error}");

    let script = fixture.folder.path().join("broken");
    fs::write(&script, "#!/bin/sh\nread request\necho noise\necho out of order >&2\nexit 3\n")
        .unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = program(script.to_str().unwrap()).fetch().await.unwrap_err().line();
    assert!(error.ends_with("the child ended with exit status: 3: out of order"), "{error}");

    for (end, words) in [
        ("echo memory allocation of 9 bytes failed >&2\nkill -ABRT $$", "memory allocation of"),
        ("kill -KILL $$", "signal: 9"),
    ] {
        fs::write(&script, format!("#!/bin/sh\nread request\n{end}\n")).unwrap();
        let error = program(script.to_str().unwrap()).fetch().await.unwrap_err();
        assert!(matches!(error, SourceError::Memory { .. }), "{error:?}");
        assert!(error.line().contains(words) && error.line().contains("--fetch-memory"), "{error}");
    }
}
