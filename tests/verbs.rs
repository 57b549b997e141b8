//! `coalmine start`, `promote`, `abort`, `finish`, `undo` and `plan`, as a person calls them in a checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use coalmine::report::{self, Reports, serve};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const ECHO: &str = "# team A\ndeployment: {v1: {}}\nroutes:\n  apiGroup: example # ours\n  \
                    primary: {version: v1}\n";

/// A repository and a clone of it, in which commands are run.
struct Desk {
    folder: TempDir,
}

struct Printed {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Desk {
    /// A repository with one service.
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        desk.git(
            desk.folder.path(),
            &["init", "--quiet", "--bare", "--initial-branch=main", "origin.git"],
        );
        let checkout = desk.clone_as("ada");
        desk.write(&checkout, "services/echo.yaml", ECHO);
        desk.write(&checkout, "coalmine.yaml", "");
        desk.commit(&checkout, "the first one");
        desk.git(&checkout, &["push", "--quiet", "--set-upstream", "origin", "main"]);
        desk
    }

    fn clone_as(&self, name: &str) -> PathBuf {
        self.git(self.folder.path(), &["clone", "--quiet", "origin.git", name]);
        let checkout = self.folder.path().join(name);
        self.git(&checkout, &["config", "user.name", name]);
        self.git(&checkout, &["config", "user.email", &format!("{name}@example.com")]);
        self.git(&checkout, &["checkout", "--quiet", "-B", "main"]);
        checkout
    }

    fn checkout(&self) -> PathBuf {
        self.folder.path().join("ada")
    }

    fn write(&self, checkout: &Path, file: &str, content: &str) {
        let path = checkout.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn commit(&self, checkout: &Path, message: &str) {
        self.git(checkout, &["add", "--all"]);
        self.git(checkout, &["commit", "--quiet", "--message", message]);
    }

    fn push(&self, checkout: &Path, file: &str, content: &str, message: &str) {
        self.write(checkout, file, content);
        self.commit(checkout, message);
        self.git(checkout, &["push", "--quiet", "origin", "main"]);
    }

    fn git(&self, directory: &Path, arguments: &[&str]) -> String {
        let output = self.hermetic("git").current_dir(directory).args(arguments).output().unwrap();
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        words
    }

    /// A command that sees nobody's settings.
    fn hermetic(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("GIT_DIR");
        command
    }

    fn coalmine(&self, arguments: &[&str]) -> Printed {
        let mut command = self.hermetic(env!("CARGO_BIN_EXE_coalmine"));
        let output = command.current_dir(self.checkout()).args(arguments).output().unwrap();
        Printed {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    /// What must succeed.
    fn done(&self, arguments: &[&str]) -> String {
        let printed = self.coalmine(arguments);
        assert_eq!(printed.code, Some(0), "{arguments:?}: {}{}", printed.out, printed.err);
        printed.out
    }

    /// The file as the repository has it.
    fn pushed(&self, branch: &str, file: &str) -> String {
        let origin = self.folder.path().join("origin.git");
        self.git(&origin, &["show", &format!("{branch}:{file}")])
    }
}

#[test]
fn a_whole_rollout_is_five_commands_and_leaves_the_file_as_it_would_be_written() {
    let desk = Desk::new();
    desk.done(&["start", "echo", "--version", "v2", "--header", "stage=canary", "-m", "faster"]);
    assert_eq!(
        desk.pushed("main", "services/echo.yaml"),
        "# team A\ndeployment: {v1: {}, v2: {}}\nroutes:\n  apiGroup: example # ours\n  primary: \
         {version: v1}\n  canary: {version: v2, headers: {stage: canary}}\n"
    );
    let message = desk.git(&desk.checkout(), &["log", "-1", "--format=%an: %B"]);
    assert_eq!(
        message.trim(),
        "ada: echo: start v2 beside v1\n\nfaster\n\nStable to CanaryTest, advance."
    );
    desk.done(&["promote", "echo"]);
    let shown = desk.done(&["promote", "echo", "--weight", "100"]);
    assert!(shown.contains("echo: Shifting 10 % → Shifted (advance)"), "{shown}");
    desk.done(&["finish", "echo"]);
    assert_eq!(
        desk.pushed("main", "services/echo.yaml"),
        "# team A\ndeployment: {v2: {}}\nroutes:\n  apiGroup: example # ours\n  primary: {version: v2}\n"
    );
    desk.done(&["undo", "echo"]);
    assert!(desk.pushed("main", "services/echo.yaml").contains("weight: 100"));
    assert_eq!(desk.git(&desk.checkout(), &["status", "--porcelain"]), "", "the checkout follows");
}

#[test]
fn a_push_of_somebody_else_meanwhile_is_built_upon() {
    let desk = Desk::new();
    let bert = desk.clone_as("bert");
    desk.push(&bert, "services/golf.yaml", ECHO, "golf");
    // The checkout has not fetched that, and a third commit arrives right before its push.
    let hook = desk.checkout().join(".git/hooks/pre-push");
    desk.write(&bert, "README.md", "late");
    desk.commit(&bert, "late");
    let script = format!(
        "#!/bin/sh\nunset GIT_DIR\ncd '{}' && git push --quiet origin main\nexit 0\n",
        bert.display()
    );
    fs::write(&hook, script).unwrap();
    make_executable(&hook);
    desk.done(&["start", "echo", "--version", "v2"]);
    let log = desk.git(&desk.checkout(), &["log", "--format=%s", "origin/main"]);
    assert_eq!(log, "echo: start v2 beside v1\nlate\ngolf\nthe first one\n");
}

#[test]
fn a_change_of_the_same_service_meanwhile_is_refused_and_nothing_pushed() {
    let desk = Desk::new();
    let bert = desk.clone_as("bert");
    desk.write(&bert, "services/echo.yaml", &ECHO.replace("v1: {}", "v1: {replicas: 3}"));
    desk.commit(&bert, "more pods");
    let hook = desk.checkout().join(".git/hooks/pre-push");
    let script = format!(
        "#!/bin/sh\nunset GIT_DIR\ncd '{}' && git push --quiet origin main\nexit 0\n",
        bert.display()
    );
    fs::write(&hook, script).unwrap();
    make_executable(&hook);
    let printed = desk.coalmine(&["start", "echo", "--version", "v2"]);
    assert_eq!(printed.code, Some(1), "{}", printed.out);
    assert!(printed.err.contains("somebody changed echo meanwhile"), "{}", printed.err);
    assert!(printed.err.contains("(more pods, by bert)"), "{}", printed.err);
    let log = desk.git(&desk.folder.path().join("origin.git"), &["log", "--format=%s", "main"]);
    assert_eq!(log, "more pods\nthe first one\n");
}

fn make_executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_a_commit_ends_with_one_that_somebody_else_pushed_after_it() {
    let desk = Desk::new();
    let ours = desk.git(&desk.checkout(), &["rev-parse", "HEAD"]);
    let bert = desk.clone_as("bert");
    desk.push(&bert, "services/golf.yaml", ECHO, "golf");
    let theirs = desk.git(&bert, &["rev-parse", "HEAD"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let (shown, stop) = (Reports::default(), CancellationToken::new());
    let endpoint = report::Endpoint { reports: shown.clone(), ..report::Endpoint::default() };
    let serving = tokio::spawn(serve(listener, endpoint, stop.clone()));
    let wait = |revision: &str| {
        let of = ["wait", "echo", "--timeout", "1s", "--server", &server, "--revision", revision];
        let printed = tokio::task::block_in_place(|| desk.coalmine(&of));
        (printed.code, printed.err)
    };

    shown.status_store.service("echo", |report| report.ready(ours.trim()));
    desk.write(&desk.checkout(), "README.md", "not pushed");
    desk.commit(&desk.checkout(), "mine");
    assert_eq!(wait("HEAD"), (Some(3), "echo is not there after 1 s\n".into()));
    assert_eq!(wait("HEAD~1"), (Some(0), String::new()));
    shown.status_store.service("echo", |report| report.ready(theirs.trim()));
    assert_eq!(wait("HEAD~1"), (Some(0), String::new()));
    assert_eq!(wait(&theirs[..7]), (Some(0), String::new()));
    let (code, words) = wait("nobody");
    assert_eq!(code, Some(1));
    assert!(words.contains("--revision nobody"), "{words}");
    stop.cancel();
    serving.await.unwrap();
}

#[test]
fn nothing_is_pushed_that_could_not_be_followed() {
    let desk = Desk::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = format!("http://{nobody}");
    let printed =
        desk.coalmine(&["start", "echo", "--version", "v2", "--wait", "--server", &server]);
    assert_eq!(printed.code, Some(1), "{}", printed.err);
    assert!(printed.err.contains("nothing was pushed"), "{}", printed.err);
    assert_eq!(desk.pushed("main", "services/echo.yaml"), ECHO);
}

#[test]
fn a_commit_can_go_to_a_branch_of_its_own_or_stay_here_or_not_be_made() {
    let desk = Desk::new();
    let start = ["start", "echo", "--version", "v2"];
    let shown = desk.done(&[&start[..], &["--dry-run"]].concat());
    assert!(shown.contains("+  canary: {version: v2}"), "{shown}");
    assert_eq!(desk.pushed("main", "services/echo.yaml"), ECHO);

    let shown = desk.done(&[&start[..], &["--branch", "echo-v2"]].concat());
    assert!(shown.contains("open a pull request from echo-v2 to main"), "{shown}");
    assert!(desk.pushed("echo-v2", "services/echo.yaml").contains("v2"));
    assert_eq!(desk.pushed("main", "services/echo.yaml"), ECHO);
    let again = desk.coalmine(&[&start[..], &["--branch", "echo-v2", "-m", "again"]].concat());
    assert!(again.err.contains("the push was refused"), "{}", again.err);

    desk.done(&[&start[..], &["--no-push"]].concat());
    assert!(fs::read_to_string(desk.checkout().join("services/echo.yaml")).unwrap().contains("v2"));
    assert_eq!(desk.pushed("main", "services/echo.yaml"), ECHO);
}

#[test]
fn what_is_not_committed_here_stays_and_is_not_pushed() {
    let desk = Desk::new();
    let mine = ECHO.replace("team A", "team A, and I am not done");
    desk.write(&desk.checkout(), "services/echo.yaml", &mine);
    let shown = desk.done(&["start", "echo", "--version", "v2"]);
    assert!(shown.contains("this checkout stays as it was"), "{shown}");
    assert!(!desk.pushed("main", "services/echo.yaml").contains("not done"));
    let here = fs::read_to_string(desk.checkout().join("services/echo.yaml")).unwrap();
    assert_eq!(here, mine);
    let refused = desk.coalmine(&["promote", "echo", "--no-push"]);
    assert_eq!(refused.code, Some(1));
}

#[test]
fn what_the_daemon_would_refuse_is_not_pushed() {
    let desk = Desk::new();
    desk.push(&desk.checkout(), "coalmine.yaml", "policy: {requireHeaderPhase: true}\n", "careful");
    desk.done(&["start", "echo", "--version", "v2"]);
    let printed = desk.coalmine(&["promote", "echo"]);
    assert_eq!(printed.code, Some(1));
    assert!(printed.err.contains("policy.requireHeaderPhase"), "{}", printed.err);
}

#[test]
fn a_broken_file_can_be_undone() {
    let desk = Desk::new();
    desk.push(&desk.checkout(), "services/echo.yaml", "deployment: [", "oops");
    assert_eq!(desk.coalmine(&["promote", "echo"]).code, Some(1));
    desk.done(&["undo", "echo"]);
    assert_eq!(desk.pushed("main", "services/echo.yaml"), ECHO);
    let nothing = desk.coalmine(&["undo", "golf"]);
    assert!(nothing.err.contains("there are: echo"), "{}", nothing.err);
}

#[test]
fn the_last_change_of_the_platform_can_be_undone_whatever_files_it_has() {
    const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: echo}\n";
    let desk = Desk::new();
    let checkout = desk.checkout();
    let nothing = desk.coalmine(&["undo", "platform"]);
    assert!(nothing.err.contains("no earlier state"), "{}", nothing.err);
    desk.write(&checkout, "platform/echo.yaml", NAMESPACE);
    desk.write(&checkout, "platform/golf.yaml", &NAMESPACE.replace("echo", "golf"));
    desk.push(&checkout, "platform/README.md", "ours", "namespaces");
    let first = desk.coalmine(&["undo", "platform"]);
    assert!(first.err.contains("platform came with"), "{}", first.err);
    desk.write(&checkout, "platform/hotel.yaml", &NAMESPACE.replace("echo", "hotel"));
    fs::remove_file(checkout.join("platform/golf.yaml")).unwrap();
    let wrong = NAMESPACE.replace("echo}", "echo, labels: {team: a}}");
    desk.push(&checkout, "platform/echo.yaml", &wrong, "labels");
    desk.push(&checkout, "services/echo.yaml", &ECHO.replace("# ours", "# theirs"), "a word");
    let shown = desk.done(&["undo", "platform"]);
    assert!(shown.contains("-metadata: {name: echo, labels: {team: a}}"), "{shown}");
    let files = || {
        let origin = desk.folder.path().join("origin.git");
        desk.git(&origin, &["ls-tree", "-r", "--name-only", "main", "platform"])
    };
    assert_eq!(files().trim(), "platform/README.md\nplatform/echo.yaml\nplatform/golf.yaml");
    assert_eq!(desk.pushed("main", "platform/echo.yaml"), NAMESPACE);
    assert!(desk.pushed("main", "services/echo.yaml").contains("theirs"), "nothing else changes");
    let subject = desk.git(&checkout, &["log", "-1", "--format=%s"]);
    assert!(subject.starts_with("platform: undo \"labels\""), "{subject}");
    desk.done(&["undo", "platform"]);
    assert_eq!(desk.pushed("main", "platform/echo.yaml"), wrong, "said twice it is back");
    assert_eq!(files().trim(), "platform/README.md\nplatform/echo.yaml\nplatform/hotel.yaml");
}

#[test]
fn a_plan_says_what_a_push_would_do_and_whether_it_can_be_done() {
    let desk = Desk::new();
    let unchanged = desk.coalmine(&["plan", "--detailed-exitcode"]);
    assert_eq!(
        (unchanged.out.as_str(), unchanged.code),
        ("nothing changes in the cluster\n", Some(0))
    );
    let canary = ECHO.replace("v1: {}", "v1: {}, v2: {}") + "  canary: {version: v2, weight: 25}\n";
    desk.write(&desk.checkout(), "services/echo.yaml", &canary);
    let plan = desk.coalmine(&["plan", "--detailed-exitcode", "--output", "json"]);
    assert_eq!(plan.code, Some(2), "{}", plan.err);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!(plan["verdict"], "advance");
    assert_eq!(plan["services"][0]["after"], "Shifting 25 %");
    assert_eq!(plan["services"][0]["routesAfter"][0]["shares"]["v2"], 25);
    desk.write(&desk.checkout(), "services/echo.yaml", &canary.replace("25", "250"));
    let broken = desk.coalmine(&["plan"]);
    assert_eq!(broken.code, Some(1));
    assert!(broken.out.contains("services/echo.yaml:6:33"), "{}", broken.out);
    let range = desk.coalmine(&["plan", "main..HEAD", "-o", "markdown"]);
    assert!(range.out.starts_with("<!-- coalmine plan -->"), "{}", range.err);
}

#[test]
fn a_folder_that_is_in_no_repository_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::new();
    let path = folder.path().to_str().unwrap();
    let printed = desk.coalmine(&["promote", "echo", "-C", path]);
    assert_eq!(
        printed.err,
        format!(
            "error: {path} is in no git repository\nhint: clone the repository of rollouts, or say -C\n"
        )
    );
}

#[test]
fn an_abort_says_in_the_file_why_and_a_promotion_goes_on() {
    let desk = Desk::new();
    let checkout = desk.checkout();
    let values = format!(
        "{}  canary: {{version: v2, weight: 25}}\nautopilot: {{steps: [25, 60]}}\n",
        ECHO.replace("{v1: {}}", "{v1: {}, v2: {}}")
    );
    desk.write(&checkout, "services/echo.yaml", &values);
    desk.commit(&checkout, "a canary");
    let file = || fs::read_to_string(checkout.join("services/echo.yaml")).unwrap();

    desk.done(&["abort", "echo", "-m", "v2 answers 500", "--no-push"]);
    assert!(file().contains("weight: 0, held: v2 answers 500}"), "{}", file());
    desk.done(&["promote", "echo", "--no-push"]);
    assert!(file().contains("canary: {version: v2, weight: 25}"), "{}", file());
    desk.done(&["promote", "echo", "--no-push"]);
    assert!(file().contains("weight: 60}"), "{}", file());
}
