//! Commits by the daemon, with the real child process, to real repositories and to servers that misbehave.

mod fixture;
mod git_server;
mod https;

use std::fs;
use std::path::Path;
use std::time::Duration;

use coalmine::source::{
    Edit, PublishError, Published, Publisher, Signatures, SourceError, Step, TrustedKeys,
};
use coalmine_core::reason::Hinted;
use serde_json::json;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{LineEnding, PrivateKey};

use fixture::{AFTER, AMPLE, BEFORE, Fixture, landed};
use git_server::{Fault, GitServer};
use https::HttpsServer;

const SUBJECT: &str = "echo: promote, give v2 25 %";

/// A fixture whose repository is reached by a server.
fn served() -> (Fixture, GitServer) {
    let mut fixture = Fixture::new();
    let server = GitServer::start(fixture.origin.path());
    fixture.config.repository = server.address.clone();
    (fixture, server)
}

#[tokio::test]
async fn a_commit_changes_one_file_and_says_who_made_it_and_why() {
    let (served, _server) = served();
    for fixture in [Fixture::new(), served] {
        let daemon = fixture.daemon().await;
        let (id, earlier) = landed(daemon.publish().await);
        assert!(!earlier);
        let tip = fixture.tip("main");
        assert_eq!(tip.id().to_string(), id);
        assert_eq!(tip.parent_id(0).expect("one").to_string(), daemon.accepted.id);
        assert_eq!(fixture.content(&tip, "services/echo.yaml"), AFTER);
        assert_eq!(fixture.content(&tip, "services/golf.yaml"), "one\n");
        assert_eq!(tip.author().to_string(), "coalmine autopilot <autopilot@coalmine.dev>");
        assert_eq!(tip.committer().to_string(), tip.author().to_string());
        assert_eq!(
            tip.message().expect("text"),
            "echo: promote, give v2 25 %\n\nNo harm in 412 requests.\n\nCoalmine-Step: 25\n\
             Coalmine-Evidence: {\"requests\":412}\nCoalmine-Started-By: c0ffee Ada\n"
        );
        assert_eq!(daemon.source.fetch().await.expect("fetched").id, id);
        assert_eq!(fixture.leftovers(), 0);
        let checked = std::process::Command::new("git")
            .args(["fsck", "--strict", "--no-dangling"])
            .current_dir(fixture.origin.path())
            .output()
            .expect("git");
        assert!(checked.status.success(), "{checked:?}");
    }
}

#[tokio::test]
async fn an_edit_that_is_published_again_is_found_and_makes_no_second_commit() {
    let (fixture, _server) = served();
    let daemon = fixture.daemon().await;
    let (id, _) = landed(daemon.publish().await);
    // Another daemon knows nothing but the edit.
    let other = fixture.daemon().await;
    let published = other.source.commit(&other.publisher, &daemon.edit(), AMPLE).await;
    assert_eq!(landed(published), (id.clone(), true));
    fixture.person(&[("services/golf.yaml", "two\n")], None);
    assert_eq!(landed(daemon.publish().await), (id, true));
    assert_eq!(fixture.subjects(), ["by hand", SUBJECT]);
}

#[tokio::test]
async fn a_commit_that_a_person_took_back_is_not_made_again() {
    let fixture = Fixture::new();
    let daemon = fixture.daemon().await;
    let (id, _) = landed(daemon.publish().await);
    let back = fixture.person(&[("services/echo.yaml", BEFORE)], None);
    match daemon.publish().await {
        Ok(Published::Landed { commit, tip, earlier }) => {
            assert_eq!((commit.id, tip.id, earlier), (id, back, true));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fixture.subjects(), ["by hand", SUBJECT]);
}

#[tokio::test]
async fn a_lost_race_is_run_again_while_the_file_is_the_same_and_given_up_when_it_is_not() {
    for (file, content, wins) in [
        ("services/golf.yaml", "two\n", true),
        ("services/echo.yaml", "weight: 0\n", false),
        ("services/echo.yaml", AFTER, false),
    ] {
        let (fixture, server) = served();
        let daemon = fixture.daemon().await;
        let others = fixture.commit(&[(file, content)], None);
        // Between the moment when the server showed its branches and the one when it moves them.
        fixture.hook(
            "pre-receive",
            &format!(
                "test -e raced && exit 0\ntouch raced\nenv -u GIT_QUARANTINE_PATH -u GIT_OBJECT_DIRECTORY \
                 -u GIT_ALTERNATE_OBJECT_DIRECTORIES git update-ref refs/heads/main {others}"
            ),
        );
        match (daemon.publish().await, wins) {
            (Ok(Published::Landed { earlier: false, .. }), true) => {
                assert_eq!(fixture.subjects(), [SUBJECT, "by hand"]);
                assert_eq!(fixture.content(&fixture.tip("main"), file), content);
                assert_eq!(server.pushes(), 2);
            }
            (Ok(Published::Superseded { tip, is_same }), false) => {
                assert_eq!((tip.id, is_same), (others.to_string(), content == AFTER));
                assert_eq!(fixture.subjects(), ["by hand"]);
            }
            (other, _) => panic!("{file}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_file_that_is_gone_or_another_one_ends_the_matter() {
    let fixture = Fixture::new();
    let daemon = fixture.daemon().await;
    let tip = fixture.person(&[("services/echo.yaml", "weight: 50\n")], None);
    match daemon.publish().await {
        Ok(Published::Superseded { tip: found, is_same: false }) => assert_eq!(found.id, tip),
        other => panic!("{other:?}"),
    }
    let elsewhere = Edit { file: "services/none.yaml".to_owned(), ..daemon.edit() };
    let published = daemon.source.commit(&daemon.publisher, &elsewhere, AMPLE).await;
    assert!(matches!(published, Ok(Published::Superseded { .. })), "{published:?}");
}

#[tokio::test]
async fn a_push_whose_answer_was_lost_is_recognized_and_one_that_did_not_arrive_is_made_again() {
    let (fixture, server) = served();
    let daemon = fixture.daemon().await;
    server.faults([Fault::LoseAnswer]);
    let (id, earlier) = landed(daemon.publish().await);
    assert_eq!((fixture.tip("main").id().to_string(), earlier), (id, false));
    assert_eq!((fixture.subjects().len(), server.pushes()), (1, 1));

    let (fixture, server) = served();
    let daemon = fixture.daemon().await;
    server.faults([Fault::Break, Fault::Break]);
    landed(daemon.publish().await);
    assert_eq!((fixture.subjects().len(), server.pushes()), (1, 3));

    let (fixture, server) = served();
    let daemon = fixture.daemon().await;
    server.faults([Fault::Break; 5]);
    let error = daemon.publish().await.expect_err("it breaks each time");
    assert!(matches!(error, PublishError::Source(SourceError::Unreachable { .. })), "{error:?}");
    assert_eq!((fixture.subjects().len(), server.pushes()), (0, 5));
}

#[tokio::test]
async fn a_branch_that_somebody_has_locked_is_tried_again() {
    let (fixture, server) = served();
    let daemon = fixture.daemon().await;
    let lock = fixture.origin.path().join("refs/heads/main.lock");
    fs::write(&lock, "").expect("written");
    // git waits a moment for such a lock itself.
    let mut config = fixture.origin.config().expect("its settings");
    config.set_i32("core.filesRefLockTimeout", 0).expect("set");
    let error = daemon.publish().await.expect_err("it stays locked");
    assert!(matches!(error, PublishError::Contended { .. }), "{error:?}");
    assert!(error.is_passing() && server.pushes() == 5, "{} pushes", server.pushes());
    fs::remove_file(&lock).expect("removed");
    landed(daemon.publish().await);
}

#[tokio::test]
async fn a_file_is_found_below_the_folder_that_is_followed_and_keeps_its_mode() {
    let mut fixture = Fixture::new();
    fixture.person(&[("rollouts/services/echo.yaml", BEFORE)], None);
    executable(&fixture, "rollouts/services/echo.yaml");
    fixture.config.path = "rollouts".to_owned();
    let daemon = fixture.daemon().await;
    landed(daemon.publish().await);
    let tip = fixture.tip("main");
    assert_eq!(fixture.content(&tip, "rollouts/services/echo.yaml"), AFTER);
    assert_eq!(fixture.content(&tip, "services/echo.yaml"), BEFORE, "another service's");
    let tree = tip.tree().expect("a tree");
    let entry = tree.get_path(Path::new("rollouts/services/echo.yaml")).expect("an entry");
    assert_eq!(entry.filemode(), 0o100_755);
}

/// A person's commit that makes the service's file executable.
fn executable(fixture: &Fixture, path: &str) {
    let tip = fixture.tip("main");
    let blob = git2::Oid::hash_object(git2::ObjectType::Blob, BEFORE.as_bytes()).expect("an id");
    let mut update = git2::build::TreeUpdateBuilder::new();
    update.upsert(path, blob, git2::FileMode::BlobExecutable);
    let made = update.create_updated(&fixture.origin, &tip.tree().expect("a tree"));
    let tree = fixture.origin.find_tree(made.expect("a tree")).expect("there");
    let ada = git2::Signature::now("Ada", "ada@example.com").expect("a person");
    let main = Some("refs/heads/main");
    fixture.origin.commit(main, &ada, &ada, "mode", &tree, &[&tip]).expect("a commit");
}

#[tokio::test]
async fn what_the_server_says_it_did_is_read_back_and_pushed_again_if_it_did_not() {
    let (fixture, server) = served();
    let daemon = fixture.daemon().await;
    let before = &daemon.accepted.id;
    // As a replica that takes over without the newest push.
    fixture.hook(
        "reference-transaction",
        &format!(
            "test \"$1\" = committed || exit 0\ntest -e lost && exit 0\ntouch lost\n\
             git update-ref refs/heads/main {before}"
        ),
    );
    let (id, _) = landed(daemon.publish().await);
    assert_eq!(fixture.tip("main").id().to_string(), id);
    assert_eq!((fixture.subjects().len(), server.pushes()), (1, 2));
}

#[tokio::test]
async fn a_push_that_cannot_be_read_back_is_unconfirmed_until_the_next_try() {
    let (fixture, server) = served();
    let daemon = fixture.daemon().await;
    server.faults([Fault::LoseAnswerAndGo]);
    let error = daemon.publish().await.expect_err("nobody answers");
    assert!(matches!(error, PublishError::Unconfirmed { .. }), "{error:?}");
    assert!(error.may_have_arrived() && error.is_passing());
    assert!(error.line().contains("is not known: git repository git://"), "{}", error.line());
    let error = daemon.publish().await.expect_err("nobody answers");
    assert!(matches!(error, PublishError::Source(SourceError::Unreachable { .. })), "{error:?}");
    assert!(!error.may_have_arrived() && error.is_passing());
    server.is_gone(false);
    assert!(landed(daemon.publish().await).1);
    assert_eq!(fixture.subjects(), [SUBJECT]);
}

#[tokio::test]
async fn a_server_that_hangs_ends_the_child_which_says_how_far_it_was() {
    let (fixture, server) = served();
    let daemon = fixture.daemon().await;
    server.faults([Fault::Hang]);
    // A child of a busy machine may not even be at the push by then.
    let mut patience = Duration::from_secs(1);
    let error = loop {
        let published = daemon.source.commit(&daemon.publisher, &daemon.edit(), patience).await;
        let error = published.expect_err("it hangs");
        match &error {
            PublishError::Deadline { step: Step::Push, .. } => break error,
            PublishError::Deadline { step: Step::Fetch | Step::Build, .. } if patience < AMPLE => {
                patience *= 2;
            }
            error => panic!("{error:?}"),
        }
    };
    assert!(error.may_have_arrived());
    assert!(error.line().contains("while the commit was pushed, so it was given up"), "{error}");
    assert_eq!(fixture.leftovers(), 0, "the child's folder goes with it");
    assert_eq!(fixture.subjects(), [""; 0]);
    landed(daemon.publish().await);
}

#[tokio::test]
async fn a_hook_that_declines_is_told_with_the_words_of_the_server() {
    let (fixture, server) = served();
    let daemon = fixture.daemon().await;
    fixture
        .hook("pre-receive", r"printf 'no \033[31mpushes\033[0m at night\nask ops\n' >&2; exit 1");
    let error = daemon.publish().await.expect_err("declined");
    assert!(matches!(error, PublishError::Declined { .. }), "{error:?}");
    let line = error.line();
    assert!(line.contains("declined the commit on branch `main`"), "{line}");
    assert!(line.contains("pre-receive hook declined; no \\u{1b}[31mpushes"), "{line}");
    assert!(line.contains("ask ops") && !line.contains('\u{1b}'), "{line}");
    assert!(!error.is_passing() && !error.may_have_arrived());
    assert_eq!(server.pushes(), 1, "what is declined is not sent again and again");

    fixture.hook("pre-receive", "echo 'GH006: Protected branch update failed' >&2; exit 1");
    let error = daemon.publish().await.expect_err("protected");
    assert!(matches!(error, PublishError::Protected { .. }), "{error:?}");
    assert!(error.line().contains("--autopilot-pull-requests"), "{}", error.line());

    fixture
        .hook("pre-receive", "echo 'You are not allowed to push code to this project' >&2; exit 1");
    let error = daemon.publish().await.expect_err("denied");
    assert!(matches!(error, PublishError::Denied { .. }), "{error:?}");
    assert_eq!(fixture.subjects(), [""; 0]);
}

#[tokio::test]
async fn a_repository_on_this_machine_is_pushed_to_only_where_git_would() {
    let fixture = Fixture::new();
    let daemon = fixture.daemon().await;
    assert_eq!(
        daemon.source.check_push(&daemon.publisher).await.expect("allowed"),
        "its folder can be written"
    );
    fixture.hook("update", "exit 0");
    for error in [
        daemon.publish().await.expect_err("a hook"),
        daemon.source.check_push(&daemon.publisher).await.expect_err("a hook"),
    ] {
        assert!(matches!(error, PublishError::Hook { .. }), "{error:?}");
        assert!(error.line().contains("hooks/update"), "{}", error.line());
    }
    fs::remove_file(fixture.origin.path().join("hooks/update")).expect("removed");
    let mut config = fixture.origin.config().expect("its settings");
    config.set_bool("core.bare", false).expect("set");
    config.set_str("core.worktree", "..").expect("set");
    fixture.origin.reference_symbolic("HEAD", "refs/heads/main", true, "test").expect("set");
    let error = daemon.publish().await.expect_err("checked out");
    assert!(matches!(error, PublishError::CheckedOut { .. }), "{error:?}");
    assert_eq!(fixture.subjects(), [""; 0]);
}

#[tokio::test]
async fn a_commit_is_made_on_a_clone_that_has_only_the_newest_history() {
    let (fixture, _server) = served();
    for number in 0..60 {
        fixture.person(&[("services/golf.yaml", &number.to_string())], None);
    }
    let daemon = fixture.daemon().await;
    assert!(daemon_clone_is_shallow(&fixture));
    fixture.person(&[("services/golf.yaml", "new\n")], None);
    landed(daemon.publish().await);
    assert_eq!(fixture.subjects().len(), 62);
    // Without any clone it is the same.
    fs::remove_dir_all(fixture.config.directory.join("clone.git")).expect("removed");
    assert!(landed(daemon.publish().await).1);
}

fn daemon_clone_is_shallow(fixture: &Fixture) -> bool {
    fixture.config.directory.join("clone.git/shallow").exists()
}

#[tokio::test]
async fn a_full_disk_is_told_as_one() {
    let mut fixture = Fixture::new();
    let accepted = fixture.daemon().await.accepted;
    let script = fixture.folder.path().join("small");
    let program = fixture.config.program.display().to_string();
    // No file may become larger than nothing, which is what a disk says that is full.
    let text = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 0\nexec {program} \"$@\"\n");
    fs::write(&script, text).expect("written");
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    let good = fixture.daemon().await;
    fixture.config.program = script;
    let publisher = Publisher::new(&fixture.config, fixture.publish.clone()).expect("a publisher");
    let edit = Edit { base: accepted.id, ..good.edit() };
    let error = good.source.commit(&publisher, &edit, AMPLE).await.expect_err("full");
    assert!(matches!(error, PublishError::Source(SourceError::Disk { .. })), "{error:?}");
    assert!(error.line().contains("the disk is full"), "{}", error.line());
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn write_key(path: &Path, key: &PrivateKey) {
    fs::write(path, key.to_openssh(LineEnding::LF).expect("text").as_bytes()).expect("written");
}

#[tokio::test]
async fn a_signed_commit_is_accepted_like_anybody_s_and_an_unsigned_tip_gets_none() {
    let mut fixture = Fixture::new();
    let allowed = fixture.folder.path().join("allowed_signers");
    let line = |key: &PrivateKey| key.public_key().to_openssh().expect("a line");
    let lines = format!("ada {}\nautopilot {}\n", line(&key(1)), line(&key(2)));
    fs::write(&allowed, lines).expect("written");
    fixture.config.policy.signatures =
        Signatures { keys: vec![TrustedKeys::Ssh(allowed.clone())], after: None };
    let unsigned = Publisher::new(&fixture.config, fixture.publish.clone()).expect_err("unsigned");
    assert!(unsigned.line().contains("--autopilot-signing-key"), "{}", unsigned.line());
    let signing_key = fixture.folder.path().join("autopilot");
    fixture.publish.signing_key = Some(signing_key.clone());
    write_key(&signing_key, &key(3));
    let unlisted = Publisher::new(&fixture.config, fixture.publish.clone()).expect_err("unlisted");
    assert!(matches!(unlisted, PublishError::SigningKey { .. }), "{unlisted:?}");

    write_key(&signing_key, &key(2));
    fixture.person(&[("services/golf.yaml", "two\n")], Some(&key(1)));
    let daemon = fixture.daemon().await;
    let (id, _) = landed(daemon.publish().await);
    let revision = daemon.source.fetch().await.expect("it is trusted");
    assert_eq!(revision.id, id);
    daemon.source.accept(&revision).expect("accepted");

    // The key is read anew each time, so one that is exchanged for a wrong one is noticed before the push.
    write_key(&signing_key, &key(3));
    let next = Edit {
        before: AFTER.to_owned(),
        after: "weight: 50\n".to_owned(),
        base: id.clone(),
        ..daemon.edit()
    };
    let error = daemon.source.commit(&daemon.publisher, &next, AMPLE).await.expect_err("unlisted");
    assert!(matches!(error, PublishError::SigningKey { .. }), "{error:?}");
    assert_eq!(fixture.tip("main").id().to_string(), id);

    write_key(&signing_key, &key(2));
    let forged = fixture.person(&[("services/golf.yaml", "three\n")], None);
    let error = daemon.source.commit(&daemon.publisher, &next, AMPLE).await.expect_err("refused");
    assert!(matches!(error, PublishError::Source(SourceError::Untrusted { .. })), "{error:?}");
    assert_eq!(fixture.tip("main").id().to_string(), forged);
}

#[tokio::test]
async fn a_proposal_is_a_branch_of_our_own_that_is_renewed_and_never_takes_a_person_s_commit() {
    let (served, _server) = served();
    for fixture in [Fixture::new(), served] {
        let daemon = fixture.daemon().await;
        let branch = "coalmine/default/echo";
        let edit = daemon.edit();
        let proposed = |published: Result<Published, PublishError>| match published {
            Ok(Published::Proposed { commit, earlier }) => (commit.id, earlier),
            other => panic!("{other:?}"),
        };
        let (first, earlier) = proposed(daemon.propose(&edit).await);
        assert_eq!((fixture.tip(branch).id().to_string(), earlier), (first.clone(), false));
        assert_eq!(fixture.subjects(), [""; 0], "the followed branch stays");
        assert_eq!(proposed(daemon.propose(&edit).await), (first.clone(), true));

        // With other evidence it is renewed in place, on the newest commit.
        let tip = fixture.person(&[("services/golf.yaml", "two\n")], None);
        let mut newer = edit.clone();
        newer.trailers.evidence = json!({"requests": 900});
        let (second, _) = proposed(daemon.propose(&newer).await);
        let head = fixture.tip(branch);
        assert_eq!(head.id().to_string(), second);
        assert_eq!(head.parent_id(0).expect("one").to_string(), tip);

        // A person's commit on it is not thrown away.
        let ada = git2::Signature::now("Ada", "ada@example.com").expect("a person");
        let tree = head.tree().expect("a tree");
        let name = format!("refs/heads/{branch}");
        let hers = fixture.origin.commit(Some(&name), &ada, &ada, "mine", &tree, &[&head]);
        let hers = hers.expect("a commit");
        let error = daemon.propose(&edit).await.expect_err("it is hers");
        assert!(matches!(error, PublishError::OthersCommits { .. }), "{error:?}");
        assert!(error.line().contains("\"mine\" by Ada"), "{}", error.line());
        assert_eq!(fixture.tip(branch).id(), hers);

        // Once it is merged there is nothing left to propose.
        fixture.origin.reference("refs/heads/main", hers, true, "merged").expect("moved");
        assert_eq!(landed(daemon.propose(&newer).await), (second, true));
    }
}

#[tokio::test]
async fn over_https_the_token_that_pushes_is_another_than_the_one_that_reads() {
    let mut fixture = Fixture::new();
    let server = HttpsServer::start(fixture.origin.path());
    let folder = fixture.folder.path().to_path_buf();
    let file = |name: &str, token: &str| {
        let path = folder.join(name);
        fs::write(&path, format!("{token}\n")).expect("written");
        path
    };
    fixture.config.repository = server.address.clone();
    fixture.config.program = server.program(&fixture.config.program, &folder);
    fixture.config.credentials.token_file = Some(file("reader", https::READER));
    let token = file("writer", "wrong-s3cret");
    fixture.publish.credentials.token_file = Some(token.clone());
    let daemon = fixture.daemon().await;

    let check = || daemon.source.check_push(&daemon.publisher);
    for error in [daemon.publish().await.expect_err("wrong"), check().await.expect_err("wrong")] {
        let line = error.line();
        assert!(
            line.contains("it does not accept the token; check that --autopilot-token-file"),
            "{line}"
        );
        assert!(!line.contains("s3cret"), "{line}");
    }
    fs::write(&token, https::READER).expect("written");
    let error = check().await.expect_err("it may only read").line();
    assert!(
        error.contains("it answers 403; check that the owner of --autopilot-token-file may push"),
        "{error}"
    );
    let error = daemon.publish().await.expect_err("it may only read");
    assert!(error.line().contains("it answers 403"), "{}", error.line());
    assert_eq!(fixture.subjects(), [""; 0]);

    fs::write(&token, https::WRITER).expect("written");
    assert_eq!(check().await.expect("it may push"), "the server accepts them for a push");
    assert_eq!(fixture.subjects(), [""; 0], "nothing is written by it");
    landed(daemon.publish().await);
    assert_eq!(fixture.subjects(), [SUBJECT]);
}

/// What a command says, without a cluster.
async fn said(fixture: &Fixture, arguments: &[&str]) -> String {
    let mut command = tokio::process::Command::new(&fixture.config.program);
    command.args(arguments).env("KUBECONFIG", "/no/such/file").env("NO_COLOR", "1");
    let output = command.output().await.expect("started");
    String::from_utf8([output.stdout, output.stderr].concat()).expect("text")
}

#[tokio::test]
async fn doctor_looks_at_both_credentials_and_writes_nothing() {
    let mut fixture = Fixture::new();
    let server = HttpsServer::start(fixture.origin.path());
    let folder = fixture.folder.path().to_path_buf();
    fixture.config.program = server.program(&fixture.config.program, &folder);
    let [reader, writer] =
        [("reader", https::READER), ("writer", https::WRITER)].map(|(name, token)| {
            let path = folder.join(name);
            fs::write(&path, token).expect("written");
            path.display().to_string()
        });
    let doctor = ["doctor", "--repo", &server.address, "--git-token-file", &reader];
    let told = said(&fixture, &doctor).await;
    assert!(!told.contains("push:"), "nobody asked for it: {told}");
    let told = said(&fixture, &[&doctor[..], &["--autopilot-token-file", &writer]].concat()).await;
    assert!(told.contains("ok     push: the server accepts them for a push"), "{told}");
    let told = said(&fixture, &[&doctor[..], &["--autopilot-token-file", &reader]].concat()).await;
    assert!(told.contains("error  push: ") && told.contains("it answers 403"), "{told}");
    assert!(!told.contains(https::READER), "{told}");
    // Nobody listens there.
    let forge =
        ["--autopilot-pull-requests", "gitea", "--autopilot-api", "http://127.0.0.1:9/api/v1"];
    let all = [&doctor[..], &["--autopilot-token-file", &writer], &forge].concat();
    let told = said(&fixture, &all).await;
    assert!(told.contains("error  pull requests: the forge at http://127.0.0.1:9/"), "{told}");
    assert_eq!(fixture.subjects(), [""; 0]);
}

#[tokio::test]
async fn a_daemon_whose_own_commits_it_would_refuse_does_not_start() {
    let fixture = Fixture::new();
    let folder = fixture.folder.path();
    let allowed = folder.join("allowed_signers");
    let line = key(1).public_key().to_openssh().expect("a line");
    fs::write(&allowed, format!("ada {line}\n")).expect("written");
    let signing_key = folder.join("autopilot");
    write_key(&signing_key, &key(2));
    let (verify, signing_key) =
        (format!("ssh:{}", allowed.display()), signing_key.display().to_string());
    let state = folder.join("state").display().to_string();
    let run =
        ["run", "--repo", &fixture.config.repository, "--state-dir", &state, "--verify", &verify];
    let told =
        said(&fixture, &[&run[..], &["--autopilot-signing-key", &signing_key]].concat()).await;
    assert!(told.contains("the daemon would refuse its own commits"), "{told}");
    assert!(told.contains("hint: add `autopilot namespaces"), "{told}");
    // Where no autopilot is asked for it is no obstacle that nothing could be signed.
    let told = said(&fixture, &run).await;
    assert!(!told.contains("autopilot"), "{told}");
}

#[tokio::test]
async fn a_commit_waits_for_no_fetch_and_for_no_other_commit() {
    let (fixture, server) = served();
    let daemon = fixture.daemon().await;
    let lock = fs::File::create(fixture.config.directory.join("lock")).expect("a file");
    lock.lock().expect("as a fetch that hangs");
    server.faults([Fault::Hang]);
    let other = Edit {
        file: "services/golf.yaml".to_owned(),
        before: "one\n".to_owned(),
        after: "two\n".to_owned(),
        subject: "golf: abort".to_owned(),
        ..daemon.edit()
    };
    let hanging = daemon.source.commit(&daemon.publisher, &other, AMPLE);
    let passing = async {
        while server.pushes() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        daemon.publish().await
    };
    tokio::select! {
        published = passing => drop(landed(published)),
        published = hanging => panic!("{published:?}"),
    }
    assert_eq!(fixture.subjects(), [SUBJECT]);
}

#[test]
fn the_hidden_command_explains_itself_to_a_person() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_coalmine"))
        .arg("publish")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("started");
    let message = String::from_utf8(output.stderr).expect("text");
    assert!(message.starts_with("`publish` is started by the daemon"), "{message}");
}
