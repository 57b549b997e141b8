//! Which fetched commits are accepted, with the real child process.

use std::path::PathBuf;
use std::time::Duration;

use coalmine::source::{
    CommitId, Credentials, Policy, Revision, Rewind, Signatures, Source, SourceConfig, SourceError,
    TrustedKeys,
};
use coalmine_core::reason::Hinted;
use git2::{Oid, Repository, Signature};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

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

    /// Points `main` at a new commit with this message, on top of `parent`.
    fn push(&self, message: &str, parent: Option<&str>) -> String {
        self.push_signed(message, parent.as_slice(), None)
    }

    fn push_signed(&self, message: &str, parents: &[&str], key: Option<&PrivateKey>) -> String {
        let tree = self.origin.treebuilder(None).unwrap().write().unwrap();
        let tree = self.origin.find_tree(tree).unwrap();
        let author = Signature::new("Ada", "ada@example.com", &git2::Time::new(0, 0)).unwrap();
        let parents = parents.iter().map(|id| Oid::from_str(id).unwrap());
        let parents: Vec<_> = parents.map(|id| self.origin.find_commit(id).unwrap()).collect();
        let parents: Vec<_> = parents.iter().collect();
        let id = match key {
            None => self.origin.commit(None, &author, &author, message, &tree, &parents).unwrap(),
            Some(key) => {
                let commit = self
                    .origin
                    .commit_create_buffer(&author, &author, message, &tree, &parents)
                    .unwrap();
                let text = std::str::from_utf8(&commit).unwrap();
                let signature = key.sign("git", HashAlg::Sha512, &commit).unwrap();
                let signature = signature.to_pem(LineEnding::LF).unwrap();
                self.origin.commit_signed(text, signature.trim_end(), None).unwrap()
            }
        };
        self.reset(&id.to_string());
        id.to_string()
    }

    /// Makes these the keys whose signatures are accepted.
    fn allow(&self, keys: &[&PrivateKey]) {
        let line = |key: &&PrivateKey| format!("ada@example.com {}", openssh(key));
        let lines: Vec<_> = keys.iter().map(line).collect();
        std::fs::write(self.folder.path().join("allowed_signers"), lines.join("\n")).unwrap();
    }

    /// A daemon that asks for signatures, just started.
    fn verifying(&self, after: Option<&str>) -> Source {
        let keys = vec![TrustedKeys::Ssh(self.folder.path().join("allowed_signers"))];
        let after = after.map(|commit| commit.parse().unwrap());
        let policy = Policy { signatures: Signatures { keys, after }, ..Policy::default() };
        Source::new(SourceConfig { policy, ..self.config() }).unwrap()
    }

    fn reset(&self, commit: &str) {
        let id = Oid::from_str(commit).unwrap();
        self.origin.reference("refs/heads/main", id, true, "test").unwrap();
    }

    fn config(&self) -> SourceConfig {
        SourceConfig {
            repository: format!("file://{}", self.origin.path().display()),
            branch: "main".to_owned(),
            path: ".".to_owned(),
            directory: self.folder.path().join("state"),
            deadline: Duration::from_secs(30),
            memory: 1 << 30,
            credentials: Credentials::default(),
            policy: Policy::default(),
            program: PathBuf::from(env!("CARGO_BIN_EXE_coalmine")),
        }
    }

    /// A daemon that was just started.
    fn source(&self, rewind: Rewind) -> Source {
        Source::new(SourceConfig {
            policy: Policy { rewind, ..Policy::default() },
            ..self.config()
        })
        .unwrap()
    }

    fn confirming(&self, commit: &str) -> Source {
        self.source(Rewind::To(commit.parse::<CommitId>().unwrap()))
    }
}

fn key(seed: u8) -> PrivateKey {
    Ed25519Keypair::from_seed(&[seed; 32]).into()
}

fn openssh(key: &PrivateKey) -> String {
    key.public_key().to_openssh().unwrap()
}

/// The commit that was found wanting, and why.
fn untrusted(result: Result<Revision, SourceError>) -> (String, String) {
    match result.unwrap_err() {
        SourceError::Untrusted { commit, why, .. } => (commit.id, why),
        error => panic!("{error:?}"),
    }
}

/// Fetches as the daemon does.
async fn follow(source: &Source) -> Result<Revision, SourceError> {
    let revision = source.fetch().await?;
    source.accept(&revision)?;
    Ok(revision)
}

fn rewritten(result: Result<Revision, SourceError>) -> (String, String) {
    match result.unwrap_err() {
        SourceError::Rewritten { accepted, tip, .. } => (accepted, tip.id),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_rewritten_history_is_refused_by_both_names_and_forgotten_by_no_restart() {
    let fixture = Fixture::new();
    let first = fixture.push("one", None);
    let second = fixture.push("two", Some(&first));
    follow(&fixture.source(Rewind::Refuse)).await.unwrap();
    let other = fixture.push("other", Some(&first));

    let restarted = fixture.source(Rewind::Refuse);
    assert_eq!(restarted.accepted().unwrap().id, second);
    for _ in 0..2 {
        let error = restarted.fetch().await.unwrap_err();
        assert_eq!(error.refused_revision(), Some(other.as_str()));
        let expected = format!(
            "branch `main` was rewritten: its newest commit {other} (\"other\" by Ada) does not descend from \
             {second}, which was accepted last and stays applied; "
        );
        assert!(error.line().starts_with(&expected), "{error}");
        assert!(error.line().ends_with(&format!("--allow-rewind={other}")), "{error}");
    }
    restarted.tree(&restarted.accepted().unwrap()).expect("what is applied stays readable");
}

#[tokio::test]
async fn going_back_to_an_ancestor_is_a_rewritten_history_too() {
    let fixture = Fixture::new();
    let first = fixture.push("one", None);
    let second = fixture.push("two", Some(&first));
    let source = fixture.source(Rewind::Refuse);
    follow(&source).await.unwrap();
    fixture.reset(&first);
    assert_eq!(rewritten(follow(&source).await), (second, first));
}

#[tokio::test]
async fn a_branch_that_comes_back_to_what_was_accepted_goes_on_by_itself() {
    let fixture = Fixture::new();
    let first = fixture.push("one", None);
    let second = fixture.push("two", Some(&first));
    let source = fixture.source(Rewind::Refuse);
    follow(&source).await.unwrap();
    fixture.push("other", Some(&first));
    source.fetch().await.unwrap_err();
    fixture.reset(&second);
    assert_eq!(follow(&source).await.unwrap().id, second);
    let third = fixture.push("three", Some(&second));
    assert_eq!(follow(&source).await.unwrap().id, third);
}

#[tokio::test]
async fn a_revision_that_was_fetched_but_never_accepted_binds_nobody() {
    let fixture = Fixture::new();
    let first = fixture.push("one", None);
    let source = fixture.source(Rewind::Refuse);
    follow(&source).await.unwrap();
    fixture.push("broken", Some(&first));
    source.fetch().await.unwrap();
    let mended = fixture.push("mended", Some(&first));
    assert_eq!(follow(&source).await.unwrap().id, mended);
}

#[tokio::test]
async fn a_clone_made_anew_remembers_what_was_accepted() {
    let fixture = Fixture::new();
    let first = fixture.push("one", None);
    let second = fixture.push("two", Some(&first));
    follow(&fixture.source(Rewind::Refuse)).await.unwrap();
    std::fs::remove_dir_all(fixture.folder.path().join("state/clone.git")).unwrap();
    let other = fixture.push("other", Some(&first));
    assert_eq!(rewritten(follow(&fixture.source(Rewind::Refuse)).await), (second, other));
}

#[tokio::test]
async fn a_clone_that_is_replaced_hands_on_what_was_accepted_and_dropped_from_the_branch() {
    let fixture = Fixture::new();
    let first = fixture.push("one", None);
    fixture.push("two", Some(&first));
    follow(&fixture.source(Rewind::Refuse)).await.unwrap();
    fixture.push("other", Some(&first));
    let packs = fixture.folder.path().join("state/clone.git/objects/pack");
    for number in 0..500 {
        std::fs::write(packs.join(format!("pack-{number}.pack")), "").unwrap();
    }
    let source = fixture.source(Rewind::Refuse);
    rewritten(follow(&source).await);
    assert!(!packs.join("pack-0.pack").exists(), "the clone was replaced");
    source.tree(&source.accepted().unwrap()).expect("what is applied stays readable");
}

#[tokio::test]
async fn a_confirmed_commit_and_what_descends_from_it_are_accepted() {
    let fixture = Fixture::new();
    let first = fixture.push("one", None);
    fixture.push("two", Some(&first));
    follow(&fixture.source(Rewind::Refuse)).await.unwrap();
    let other = fixture.push("other", Some(&first));
    let more = fixture.push("more", Some(&other));
    let source = fixture.confirming(&other);
    assert_eq!(follow(&source).await.unwrap().id, more);
}

#[tokio::test]
async fn a_confirmation_is_for_one_commit_and_is_used_up_by_accepting_it() {
    let fixture = Fixture::new();
    let first = fixture.push("one", None);
    let second = fixture.push("two", Some(&first));
    follow(&fixture.source(Rewind::Refuse)).await.unwrap();
    let other = fixture.push("other", Some(&first));
    rewritten(follow(&fixture.confirming(&second)).await);

    let source = fixture.confirming(&other);
    follow(&source).await.unwrap();
    let more = fixture.push("more", Some(&other));
    follow(&source).await.unwrap();
    fixture.reset(&other);
    assert_eq!(rewritten(follow(&source).await), (more, other));
}

#[tokio::test]
async fn with_every_rewind_allowed_the_branch_is_what_it_is() {
    let fixture = Fixture::new();
    let first = fixture.push("one", None);
    fixture.push("two", Some(&first));
    let source = fixture.source(Rewind::Follow);
    follow(&source).await.unwrap();
    let other = fixture.push("other", Some(&first));
    assert_eq!(follow(&source).await.unwrap().id, other);
    assert_eq!(source.accepted().unwrap().id, other);
}

#[tokio::test]
async fn an_unsigned_commit_is_refused_by_its_name_and_what_was_accepted_stays() {
    let fixture = Fixture::new();
    let ada = key(1);
    fixture.allow(&[&ada]);
    let first = fixture.push_signed("one", &[], Some(&ada));
    let source = fixture.verifying(None);
    assert_eq!(follow(&source).await.unwrap().id, first);
    let second = fixture.push("two", Some(&first));
    let error = follow(&source).await.unwrap_err();
    assert_eq!(error.refused_revision(), Some(second.as_str()));
    let expected = format!(
        "branch `main` at {second} is not accepted: commit {second} (\"two\", which says it is by Ada) cannot be \
         trusted, since it is not signed. What was accepted last stays applied; "
    );
    assert!(error.line().starts_with(&expected), "{error}");
    assert_eq!(source.accepted().unwrap().id, first);
    let third = fixture.push_signed("three", &[&first], Some(&ada));
    assert_eq!(follow(&source).await.unwrap().id, third, "once it is gone nothing is left of it");
}

#[tokio::test]
async fn a_commit_by_an_unknown_key_is_refused_with_the_key() {
    let fixture = Fixture::new();
    fixture.allow(&[&key(1)]);
    let first = fixture.push_signed("one", &[], Some(&key(2)));
    let (commit, why) = untrusted(follow(&fixture.verifying(None)).await);
    assert_eq!(commit, first);
    let print = key(2).fingerprint(HashAlg::Sha256);
    assert_eq!(
        why,
        format!("it is signed by ssh-ed25519 key {print}, which is not among the allowed signers")
    );
}

#[tokio::test]
async fn a_signed_commit_vouches_for_no_unsigned_one_below_it_or_merged_by_it() {
    let fixture = Fixture::new();
    let ada = key(1);
    fixture.allow(&[&ada]);
    let first = fixture.push_signed("one", &[], Some(&ada));
    let source = fixture.verifying(None);
    follow(&source).await.unwrap();
    let unsigned = fixture.push("unsigned", Some(&first));
    fixture.push_signed("on top", &[&unsigned], Some(&ada));
    assert_eq!(untrusted(follow(&source).await).0, unsigned);
    let other = fixture.push_signed("other", &[&first], Some(&ada));
    fixture.push_signed("merge", &[&other, &unsigned], Some(&ada));
    assert_eq!(untrusted(follow(&source).await).0, unsigned);

    let looked_at = fixture.verifying(Some(&unsigned));
    follow(&looked_at).await.expect("what somebody looked at needs no signature");
}

#[tokio::test]
async fn a_first_contact_asks_for_the_newest_signature_or_for_all_after_a_commit() {
    let fixture = Fixture::new();
    let ada = key(1);
    fixture.allow(&[&ada]);
    let first = fixture.push("one", None);
    let second = fixture.push("two", Some(&first));
    fixture.push_signed("three", &[&second], Some(&ada));
    assert_eq!(untrusted(follow(&fixture.verifying(Some(&first))).await).0, second);
    follow(&fixture.verifying(Some(&second))).await.unwrap();
    std::fs::remove_file(fixture.folder.path().join("state/accepted.json")).unwrap();
    follow(&fixture.verifying(None)).await.unwrap();
}

#[tokio::test]
async fn what_was_accepted_without_a_signature_is_judged_once_signatures_are_asked_for() {
    let fixture = Fixture::new();
    fixture.allow(&[&key(1)]);
    let first = fixture.push("one", None);
    follow(&fixture.source(Rewind::Refuse)).await.unwrap();
    assert_eq!(untrusted(follow(&fixture.verifying(None)).await).0, first);
}

#[tokio::test]
async fn a_key_that_is_taken_out_ends_with_what_it_signed_before() {
    let fixture = Fixture::new();
    let (ada, bob) = (key(1), key(2));
    fixture.allow(&[&ada, &bob]);
    let first = fixture.push_signed("one", &[], Some(&ada));
    let source = fixture.verifying(None);
    follow(&source).await.unwrap();
    fixture.allow(&[&bob]);
    follow(&fixture.verifying(None)).await.expect("what was accepted is not judged again");
    let second = fixture.push_signed("two", &[&first], Some(&ada));
    assert_eq!(untrusted(follow(&source).await).0, second);
}

#[tokio::test]
async fn a_key_file_that_cannot_be_used_stops_the_start_and_later_every_new_commit() {
    let fixture = Fixture::new();
    let ada = key(1);
    let file = fixture.folder.path().join("allowed_signers");
    let keys = vec![TrustedKeys::Ssh(file.clone())];
    let policy = Policy { signatures: Signatures { keys, after: None }, ..Policy::default() };
    let config = SourceConfig { policy, ..fixture.config() };
    let error = Source::new(config).unwrap_err().line();
    assert_eq!(
        error,
        format!("file {} of --verify: No such file or directory (os error 2)", file.display())
    );
    fixture.allow(&[&ada]);
    fixture.push_signed("one", &[], Some(&ada));
    let source = fixture.verifying(None);
    std::fs::write(&file, "ada\n").unwrap();
    let error = follow(&source).await.unwrap_err();
    assert!(matches!(error, SourceError::KeyFile { .. }), "{error:?}");
}

/// The commit of `--verify-after` that was not found, and whether the clone has it.
fn without_anchor(result: Result<Revision, SourceError>) -> (String, bool) {
    match result.unwrap_err() {
        SourceError::Anchor { after, known, .. } => (after, known),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_commit_to_verify_after_that_nobody_has_is_an_error_and_asks_for_no_less() {
    let fixture = Fixture::new();
    let ada = key(1);
    fixture.allow(&[&ada]);
    let first = fixture.push_signed("one", &[], Some(&ada));
    let unsigned = fixture.push("unsigned", Some(&first));
    let tip = fixture.push_signed("three", &[&unsigned], Some(&ada));
    let wrong = "0123456789012345678901234567890123456789";
    let error = follow(&fixture.verifying(Some(wrong))).await.unwrap_err();
    assert_eq!(error.refused_revision(), Some(tip.as_str()));
    assert!(error.line().contains(&format!("there is no commit {wrong}")), "{}", error.line());
    // Nor once something was accepted: it is the flag that is wrong.
    fixture.reset(&first);
    follow(&fixture.verifying(None)).await.unwrap();
    fixture.reset(&tip);
    assert_eq!(
        without_anchor(follow(&fixture.verifying(Some(wrong))).await),
        (wrong.into(), false)
    );
}

#[tokio::test]
async fn a_signed_commit_from_before_the_one_to_verify_after_is_refused() {
    let fixture = Fixture::new();
    let ada = key(1);
    fixture.allow(&[&ada]);
    let first = fixture.push_signed("one", &[], Some(&ada));
    let anchor = fixture.push_signed("two", &[&first], Some(&ada));
    fixture.reset(&first);
    assert_eq!(
        without_anchor(follow(&fixture.verifying(Some(&anchor))).await),
        (anchor.clone(), false)
    );
    // Also where the clone has seen it.
    fixture.reset(&anchor);
    fixture.verifying(Some(&anchor)).fetch().await.unwrap();
    fixture.push_signed("other", &[&first], Some(&ada));
    assert_eq!(without_anchor(follow(&fixture.verifying(Some(&anchor))).await), (anchor, true));
}

#[tokio::test]
async fn what_was_accepted_and_is_lost_leaves_the_whole_history_to_be_signed() {
    let fixture = Fixture::new();
    let ada = key(1);
    fixture.allow(&[&ada]);
    let first = fixture.push_signed("one", &[], Some(&ada));
    follow(&fixture.verifying(None)).await.unwrap();
    std::fs::remove_dir_all(fixture.folder.path().join("state/clone.git")).unwrap();
    let unsigned = fixture.push("unsigned", None);
    fixture.push_signed("on top", &[&unsigned], Some(&ada));
    let keys = vec![TrustedKeys::Ssh(fixture.folder.path().join("allowed_signers"))];
    let signatures = Signatures { keys, after: None };
    let policy = Policy { signatures, rewind: Rewind::Follow };
    let source = Source::new(SourceConfig { policy, ..fixture.config() }).unwrap();
    assert_eq!(source.accepted().unwrap().id, first);
    assert_eq!(untrusted(follow(&source).await).0, unsigned);
}

#[tokio::test]
async fn an_empty_state_directory_goes_by_what_was_accepted_elsewhere() {
    let fixture = Fixture::new();
    let ada = key(1);
    fixture.allow(&[&ada]);
    let first = fixture.push_signed("one", &[], Some(&ada));
    let second = fixture.push_signed("two", &[&first], Some(&ada));
    for last in [second.as_str(), "no commit\u{1b}[2J"] {
        fixture.reset(&first);
        let source = fixture.verifying(None);
        assert!(source.needs_last_accepted());
        source.accepted_elsewhere(last);
        let error = follow(&source).await.unwrap_err();
        assert!(!error.line().contains('\u{1b}'), "{error:?}");
        assert_eq!(rewritten(Err(error)).1, first);
    }
    fixture.reset(&second);
    let source = fixture.verifying(None);
    source.accepted_elsewhere(&second);
    follow(&source).await.unwrap();
    assert!(!source.needs_last_accepted() && !fixture.verifying(None).needs_last_accepted());
    assert!(!fixture.source(Rewind::Refuse).needs_last_accepted());
}
