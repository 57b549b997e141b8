//! A repository with one service, a daemon's source and its publisher.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coalmine::source::{
    Credentials, Edit, Identity, Policy, PublishConfig, PublishError, Published, Publisher,
    Purpose, Revision, Source, SourceConfig, Trailers,
};
use git2::{Commit, Oid, Repository, Signature};
use serde_json::json;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

const PROGRAM: &str = env!("CARGO_BIN_EXE_coalmine");
/// Far more than any of these takes: whoever meets it hangs.
pub(crate) const AMPLE: Duration = Duration::from_secs(120);

pub(crate) const BEFORE: &str = "# ours\nweight: 5\n";
pub(crate) const AFTER: &str = "# ours\nweight: 25\n";

pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) origin: Repository,
    pub(crate) config: SourceConfig,
    pub(crate) publish: PublishConfig,
}

/// A source that has fetched and accepted the branch, and its publisher.
pub(crate) struct Daemon {
    pub(crate) source: Source,
    pub(crate) publisher: Publisher,
    pub(crate) accepted: Revision,
}

impl Fixture {
    /// With a first commit of the service and of a neighbour.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let origin = Repository::init_bare(folder.path().join("origin.git")).expect("made");
        let config = SourceConfig {
            repository: format!("file://{}", origin.path().display()),
            branch: "main".to_owned(),
            path: ".".to_owned(),
            directory: folder.path().join("state"),
            deadline: AMPLE,
            memory: 1 << 30,
            credentials: Credentials::default(),
            policy: Policy::default(),
            program: PathBuf::from(PROGRAM),
        };
        let publish = PublishConfig {
            credentials: Credentials { purpose: Purpose::Write, ..Credentials::default() },
            identity: Identity::default(),
            signing_key: None,
            deadline: AMPLE,
        };
        let fixture = Self { folder, origin, config, publish };
        fixture.person(&[("services/echo.yaml", BEFORE), ("services/golf.yaml", "one\n")], None);
        fixture
    }

    /// A commit of a person on the branch, with these files beside what is there.
    pub(crate) fn person(&self, files: &[(&str, &str)], key: Option<&PrivateKey>) -> String {
        let id = self.commit(files, key);
        self.origin.reference("refs/heads/main", id, true, "test").expect("moved");
        id.to_string()
    }

    /// The same, and the branch stays.
    pub(crate) fn commit(&self, files: &[(&str, &str)], key: Option<&PrivateKey>) -> Oid {
        let parent = self.origin.find_reference("refs/heads/main").ok();
        let parent = parent.map(|it| it.peel_to_commit().expect("a commit"));
        let mut index = git2::Index::new().expect("an index");
        self.origin.set_index(&mut index).expect("set");
        if let Some(parent) = &parent {
            index.read_tree(&parent.tree().expect("a tree")).expect("read");
        }
        for (path, content) in files {
            let entry = git2::IndexEntry {
                ctime: git2::IndexTime::new(0, 0),
                mtime: git2::IndexTime::new(0, 0),
                dev: 0,
                ino: 0,
                mode: 0o100_644,
                uid: 0,
                gid: 0,
                file_size: 0,
                id: self.origin.blob(content.as_bytes()).expect("written"),
                flags: 0,
                flags_extended: 0,
                path: path.as_bytes().to_vec(),
            };
            index.add(&entry).expect("added");
        }
        let tree = index.write_tree_to(&self.origin).expect("written");
        let tree = self.origin.find_tree(tree).expect("there");
        let time = git2::Time::new(1_700_000_000, 0);
        let ada = Signature::new("Ada", "ada@example.com", &time).expect("a person");
        let parents: Vec<_> = parent.iter().collect();
        let made = self.origin.commit_create_buffer(&ada, &ada, "by hand\n", &tree, &parents);
        let made = made.expect("a commit");
        match key {
            None => self.origin.odb().expect("it").write(git2::ObjectType::Commit, &made),
            Some(key) => {
                let signature = key.sign("git", HashAlg::Sha512, &made).expect("signed");
                let signature = signature.to_pem(LineEnding::LF).expect("text");
                let text = std::str::from_utf8(&made).expect("text");
                self.origin.commit_signed(text, signature.trim_end(), None)
            }
        }
        .expect("written")
    }

    /// A hook of the origin.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        let path = self.origin.path().join("hooks").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    }

    pub(crate) async fn daemon(&self) -> Daemon {
        let source = Source::new(self.config.clone()).expect("a source");
        let accepted = source.fetch().await.expect("fetched");
        source.accept(&accepted).expect("accepted");
        let publisher = Publisher::new(&self.config, self.publish.clone()).expect("a publisher");
        Daemon { source, publisher, accepted }
    }

    /// The newest commit of a branch.
    pub(crate) fn tip(&self, branch: &str) -> Commit<'_> {
        let name = format!("refs/heads/{branch}");
        let found = self.origin.find_reference(&name).unwrap_or_else(|error| panic!("{error}"));
        found.peel_to_commit().expect("a commit")
    }

    /// The subjects of the branch's newest commits, the newest first, without the first one of all.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let mut commit = self.tip("main");
        let mut subjects = Vec::new();
        while let Ok(parent) = commit.parent(0) {
            subjects.push(commit.summary().expect("text").unwrap_or_default().to_owned());
            commit = parent;
        }
        subjects
    }

    pub(crate) fn content(&self, commit: &Commit<'_>, path: &str) -> String {
        let tree = commit.tree().expect("a tree");
        let entry = tree.get_path(Path::new(path)).expect("an entry");
        let blob = self.origin.find_blob(entry.id()).expect("a blob");
        String::from_utf8(blob.content().to_vec()).expect("text")
    }

    /// What the children left in the state directory.
    pub(crate) fn leftovers(&self) -> usize {
        let folder = fs::read_dir(self.config.directory.join("publish"));
        folder.map_or(0, |folder| folder.count())
    }
}

impl Daemon {
    pub(crate) fn edit(&self) -> Edit {
        Edit {
            file: "services/echo.yaml".to_owned(),
            before: BEFORE.to_owned(),
            after: AFTER.to_owned(),
            base: self.accepted.id.clone(),
            subject: "echo: promote, give v2 25 %".to_owned(),
            body: "No harm in 412 requests.".to_owned(),
            trailers: Trailers {
                step: "25".to_owned(),
                evidence: json!({"requests": 412}),
                started_by: "c0ffee Ada".to_owned(),
            },
        }
    }

    pub(crate) async fn publish(&self) -> Result<Published, PublishError> {
        self.source.commit(&self.publisher, &self.edit(), AMPLE).await
    }

    pub(crate) async fn propose(&self, edit: &Edit) -> Result<Published, PublishError> {
        self.source.propose(&self.publisher, edit, "coalmine/default/echo", AMPLE).await
    }
}

/// The id of a commit that landed, and whether it was there before.
#[track_caller]
pub(crate) fn landed(published: Result<Published, PublishError>) -> (String, bool) {
    match published {
        Ok(Published::Landed { commit, earlier, .. }) => (commit.id, earlier),
        other => panic!("{other:?}"),
    }
}
