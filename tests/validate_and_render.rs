//! `coalmine validate` and `coalmine render`, as a person or a pipeline calls them.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const GOOD: &str = "deployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}}\n";
const BROKEN: &str = "deployment: {v1: {}, v2: {}}\n\
                      routes:\n  apiGroup: example\n  primary: {version: v1}\n  \
                      canary: {version: v2, weight: 150}\n";

/// The example repository.
fn rollouts() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/rollouts"))
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

/// What a command printed, and its exit code.
struct Printed {
    out: String,
    err: String,
    code: Option<i32>,
}

fn coalmine(arguments: &[&str], path: &Path) -> Printed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine"));
    let output = command.args(arguments).arg(path).output().unwrap();
    Printed {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

#[test]
fn the_example_repository_is_valid() {
    let printed = coalmine(&["validate"], rollouts());
    assert_eq!(printed.err, "");
    assert_eq!(
        printed.out,
        "ok     echo                 Stable      services/echo.yaml\n\
         ok     foxtrot              Stable      services/foxtrot.yaml\n\
         2 services ok\n"
    );
    assert_eq!(printed.code, Some(0));
}

#[test]
fn a_mistake_is_shown_in_its_line_and_the_other_services_are_judged_too() {
    let folder = folder(&[("services/echo.yaml", BROKEN), ("services/foxtrot.yaml", GOOD)]);
    let printed = coalmine(&["validate"], folder.path());
    assert_eq!(
        printed.err,
        "error: routes.canary.weight: expected a whole number from 0 to 100, found 150\n \
         --> services/echo.yaml:5:33\n  \
         |\n\
         5 |   canary: {version: v2, weight: 150}\n  \
         |                                 ^^^\n  \
         = help: the canary's percentage, the primary gets the rest\n\n"
    );
    assert_eq!(
        printed.out,
        "error  echo                 1 problem\n\
         ok     foxtrot              Stable      services/foxtrot.yaml\n\
         1 service ok, 1 with errors\n"
    );
    assert_eq!(printed.code, Some(1));
}

#[test]
fn what_is_probably_not_meant_is_a_warning_and_no_error() {
    let values = BROKEN.replace(", weight: 150", "");
    let folder = folder(&[("services/echo.yaml", &values)]);
    let printed = coalmine(&["validate"], folder.path());
    assert!(
        printed.out.contains("warning: services/echo.yaml:5:3: routes.canary: v2 gets no requests"),
        "{}",
        printed.out
    );
    assert_eq!(printed.code, Some(0));
}

#[test]
fn problems_of_the_platform_and_of_the_whole_are_in_the_summary() {
    let folder = folder(&[
        ("coalmine.yaml", "timings: {}\n"),
        ("platform/a.yaml", "kind: Namespace\n"),
        ("services/echo.yaml", GOOD),
    ]);
    let printed = coalmine(&["validate"], folder.path());
    let summary = "1 service ok, 1 problem in platform/, \
                   and nothing would be applied: see the first error";
    assert_eq!(printed.out.lines().last(), Some(summary));
    assert_eq!(printed.code, Some(1));
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let printed = coalmine(&["validate"], Path::new("no/such/folder"));
    assert_eq!(printed.err, "error: no/such/folder: No such file or directory (os error 2)\n");
    assert_eq!(printed.code, Some(1));
}

#[test]
fn a_wrong_command_line_is_an_error_and_not_a_difference() {
    assert_eq!(coalmine(&["validate", "--color"], rollouts()).code, Some(1));
    assert_eq!(coalmine(&["validate", "--help"], rollouts()).code, Some(0));
}

#[test]
fn render_prints_every_object_as_a_document() {
    let printed = coalmine(&["render"], rollouts());
    assert_eq!(printed.err, "");
    assert_eq!(printed.code, Some(0));
    let objects: Vec<serde_json::Value> = serde_yaml::from_multiple(&printed.out).unwrap();
    let names: Vec<_> = objects
        .iter()
        .map(|object| format!("{} {}", object["kind"], object["metadata"]["name"]).replace('"', ""))
        .collect();
    assert_eq!(
        names,
        [
            "Deployment echo-v1",
            "Service echo",
            "Upstream echo",
            "RouteTable echo-routes",
            "Deployment foxtrot-v1",
            "Service foxtrot",
            "Upstream foxtrot",
            "RouteTable foxtrot-routes",
        ]
    );
    assert_eq!(coalmine(&["render"], rollouts()).out, printed.out);
}

#[test]
fn render_can_be_asked_for_one_service() {
    let printed = coalmine(&["render", "--service", "foxtrot"], rollouts());
    assert!(printed.out.contains("name: foxtrot-v1\n"), "{}", printed.out);
    assert!(!printed.out.contains("name: echo"), "{}", printed.out);
    let unknown = coalmine(&["render", "--service", "golf"], rollouts());
    assert_eq!(
        unknown.err,
        "error: no service is called \"golf\"\nhint: the folder has: echo, foxtrot\n"
    );
    assert_eq!(unknown.code, Some(1));
}

#[test]
fn render_fails_on_the_problems_of_the_services_it_was_asked_for() {
    let folder = folder(&[("services/echo.yaml", BROKEN), ("services/foxtrot.yaml", GOOD)]);
    let all = coalmine(&["render"], folder.path());
    assert!(all.err.contains("found 150") && all.out.contains("foxtrot-v1"), "{}", all.err);
    assert_eq!(all.code, Some(1));
    let one = coalmine(&["render", "--service", "foxtrot"], folder.path());
    assert_eq!((one.err.as_str(), one.code), ("", Some(0)));
}

#[test]
fn what_leaves_the_repository_and_stays_in_the_cluster_is_noted_before_the_commit() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: echo}\n";
    let folder = folder(&[("services/echo.yaml", GOOD), ("platform/namespaces.yaml", namespace)]);
    commit_all(folder.path());
    let before = coalmine(&["validate"], folder.path());
    assert!(!before.out.contains("note"), "{}", before.out);
    fs::remove_file(folder.path().join("platform/namespaces.yaml")).unwrap();
    let printed = coalmine(&["validate"], folder.path());
    assert!(
        printed.out.contains(
            "note   Namespace echo leaves the repository and stays in the cluster: no namespace is ever deleted, \
             and echo lives in it; to delete it yourself: kubectl delete namespace echo\n"
        ),
        "{}",
        printed.out
    );
    assert_eq!((printed.err.as_str(), printed.code), ("", Some(0)));
}

#[test]
fn a_folder_that_no_commit_has_yet_is_checked_as_well() {
    let folder = folder(&[("old/services/echo.yaml", GOOD)]);
    commit_all(folder.path());
    fs::create_dir_all(folder.path().join("new/services")).unwrap();
    fs::write(folder.path().join("new/services/echo.yaml"), GOOD).unwrap();
    let printed = coalmine(&["validate"], &folder.path().join("new"));
    assert_eq!((printed.err.as_str(), printed.code), ("", Some(0)), "{}", printed.out);
}

/// Makes a repository of the folder with all of it in one commit.
fn commit_all(folder: &Path) {
    for arguments in
        [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message", "all"]]
    {
        let who = ["-c", "user.name=echo", "-c", "user.email=echo@example.org"];
        let mut command = std::process::Command::new("git");
        let done = command.args(who).args(arguments).current_dir(folder).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}
