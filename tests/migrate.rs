//! `coalmine migrate` on files and repositories, as a person or a pipeline calls it.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// The first article's objects in the middle of its second phase, in two files.
const ECHO: &str = "apiVersion: v1
kind: Service
metadata: {name: echo, namespace: echo}
spec:
  ports: [{port: 80, targetPort: 8080, protocol: TCP}]
  selector: {app: echo}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo-v1, namespace: echo}
spec:
  replicas: 1
  selector: {matchLabels: {app: echo, version: v1}}
  template:
    metadata: {labels: {app: echo, version: v1}}
    spec:
      containers:
        - image: hashicorp/http-echo
          args: ['-text=version:v1', '-listen=:8080']
          imagePullPolicy: Always
          name: echo-v1
          ports: [{containerPort: 8080}]
";

const GLOO: &str = "apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: echo, namespace: gloo-system}
spec:
  kube:
    selector: {app: echo}
    serviceName: echo
    serviceNamespace: echo
    servicePort: 80
    subsetSpec: {selectors: [{keys: [version]}]}
---
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: echo, namespace: gloo-system}
spec:
  virtualHost:
    domains: ['*']
    routes:
      - matchers:
          - headers: [{name: stage, value: canary}]
            prefix: /
        routeAction:
          single:
            upstream: {name: echo, namespace: gloo-system}
            subset: {values: {version: v2}}
      - matchers: [{prefix: /}]
        routeAction:
          multi:
            destinations:
              - destination:
                  upstream: {name: echo, namespace: gloo-system}
                  subset: {values: {version: v1}}
                weight: 75
              - destination:
                  upstream: {name: echo, namespace: gloo-system}
                  subset: {values: {version: v2}}
                weight: 25
";

/// A folder with the article's files.
fn article(gloo: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("gloo")).unwrap();
    fs::write(folder.path().join("gloo/echo.yaml"), ECHO).unwrap();
    fs::write(folder.path().join("gloo/gloo.yaml"), gloo).unwrap();
    folder
}

/// What a command printed, and its exit code.
struct Printed {
    out: String,
    err: String,
    code: Option<i32>,
}

fn coalmine(folder: &Path, arguments: &[&str], input: &str) -> Printed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine"));
    let output = command.current_dir(folder).args(arguments).write_stdin(input).output().unwrap();
    Printed {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

fn migrate(folder: &Path, arguments: &[&str]) -> Printed {
    let common = ["migrate", "--gateway", "infra/edge"];
    coalmine(folder, &[&common, arguments].concat(), "")
}

/// The files of a folder, those below others included.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(folder).unwrap().display().to_string()),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn requests_that_are_answered_otherwise_are_listed_and_nothing_is_written() {
    let folder = article(GLOO);
    let printed = migrate(folder.path(), &["gloo", "--out", "new"]);
    assert_eq!(printed.code, Some(2), "{}", printed.err);
    assert!(printed.out.contains("    [missing-pods] "), "{}", printed.out);
    assert!(printed.out.contains("  curl "), "{}", printed.out);
    assert!(!folder.path().join("new").exists());
    assert!(printed.err.starts_with("nothing is written to new"), "{}", printed.err);
    assert!(printed.err.contains("`--accept missing-pods,slashes`"), "{}", printed.err);
}

#[test]
fn what_is_accepted_is_written_as_a_whole_with_its_report() {
    let folder = article(GLOO);
    let accept = ["--accept", "missing-pods,slashes"];
    let printed = migrate(folder.path(), &[&["gloo", "--out", "a/new"], &accept[..]].concat());
    assert_eq!(printed.code, Some(0), "{}{}", printed.out, printed.err);
    let new = folder.path().join("a/new");
    assert_eq!(
        files(&new),
        [
            "echo/referencegrant-from-gloo.yaml",
            "echo/service-echo-v1.yaml",
            "echo/service-echo-v2.yaml",
            "gloo-system/httproute-echo.yaml",
            "report.md",
        ]
    );
    let route = fs::read_to_string(new.join("gloo-system/httproute-echo.yaml")).unwrap();
    let route: Value = serde_yaml::from_str(&route).unwrap();
    assert_eq!(route["spec"]["rules"][1]["backendRefs"][1]["weight"], 25);
    let report = fs::read_to_string(new.join("report.md")).unwrap();
    assert!(report.contains("missing-pods, accepted"), "{report}");
    assert_eq!(files(&folder.path().join("a")).len(), 5, "nothing is left beside it");
}

#[test]
fn a_folder_with_something_in_it_is_never_written_to() {
    let folder = article(GLOO);
    let arguments = ["gloo", "--out", "gloo", "--accept", "missing-pods,slashes"];
    let printed = migrate(folder.path(), &arguments);
    assert_eq!((printed.code, printed.out.as_str()), (Some(1), ""));
    assert!(
        printed.err.starts_with("error: gloo is not empty\nhint: name a folder"),
        "{}",
        printed.err
    );
    assert_eq!(files(&folder.path().join("gloo")), ["echo.yaml", "gloo.yaml"]);
}

#[test]
fn what_is_not_carried_over_is_named_by_file_and_line_and_has_an_exit_code_of_its_own() {
    let gloo =
        GLOO.replace("    domains: ['*']\n", "    domains: ['*']\n    options:\n      jwt: {}\n");
    let line = gloo.lines().position(|line| line.contains("jwt")).unwrap() + 1;
    let folder = article(&gloo);
    let printed = migrate(folder.path(), &["gloo", "--out", "new", "-o", "json"]);
    assert_eq!(printed.code, Some(4), "{}", printed.err);
    let report: Value = serde_json::from_str(&printed.out).unwrap();
    let lack = &report["notCarried"][0];
    assert_eq!(lack["at"], format!("gloo/gloo.yaml:{line}"));
    assert_eq!(lack["object"], "VirtualService gloo-system/echo");
    assert_eq!(lack["field"], "spec.virtualHost.options.jwt");
    assert_eq!((&lack["code"], &lack["accepted"]), (&Value::from("guard"), &Value::from(false)));
    assert_eq!(report["objects"], Value::Array(Vec::new()));
    assert!(!folder.path().join("new").exists());
}

#[test]
fn values_are_a_repository_that_is_valid_and_renders_the_same_routes() {
    let folder = article(GLOO);
    for (profile, accept) in
        [("kgateway", "missing-pods,slashes"), ("envoy-gateway", "missing-pods,slashes")]
    {
        let out = format!("rollouts-{profile}");
        let arguments =
            ["gloo", "--to", "values", "--profile", profile, "--accept", accept, "--out", &out];
        let printed = migrate(folder.path(), &arguments);
        assert_eq!(printed.code, Some(0), "{}{}", printed.out, printed.err);
        let repository = folder.path().join(&out);
        assert_eq!(files(&repository), ["coalmine.yaml", "report.md", "services/echo.yaml"]);
        let echo = fs::read_to_string(repository.join("services/echo.yaml")).unwrap();
        let echo: Value = serde_yaml::from_str(&echo).unwrap();
        assert_eq!(echo["deployment"]["v1"]["image"], "hashicorp/http-echo");
        assert_eq!(echo["deployment"]["v2"]["external"], true);
        let valid = coalmine(folder.path(), &["validate", &out], "");
        assert_eq!(valid.code, Some(0), "{}{}", valid.out, valid.err);
        let rendered = coalmine(folder.path(), &["render", &out], "");
        assert!(rendered.out.contains("kind: HTTPRoute"), "{}", rendered.out);
        assert!(rendered.out.contains("weight: 25"), "{}", rendered.out);
    }
}

#[test]
fn a_repository_of_values_is_read_as_what_it_renders() {
    let rollouts = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/rollouts"));
    let printed = migrate(rollouts, &[".", "-o", "json"]);
    assert_eq!(printed.code, Some(2), "{}{}", printed.out, printed.err);
    let report: Value = serde_json::from_str(&printed.out).unwrap();
    let names: Vec<&str> = report["objects"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["kind"] == "HTTPRoute")
        .map(|it| it["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["foxtrot-routes", "echo-routes", "app"]);
    assert_eq!(report["notCarried"], Value::Array(Vec::new()));
    let kinds: Vec<&str> = report["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert!(!kinds.contains(&"answer"), "{kinds:?}");
    let again = migrate(rollouts, &[".", "--to", "values"]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("hint: write `gateway: {api: both"), "{}", again.err);
}

#[test]
fn the_standard_input_and_several_files_are_read() {
    let folder = article(GLOO);
    let all = format!("{ECHO}---\n{GLOO}");
    let arguments = ["migrate", "-", "--gateway", "infra/edge", "-o", "markdown"];
    let read = coalmine(folder.path(), &arguments, &all);
    let printed = migrate(folder.path(), &["gloo/echo.yaml", "gloo/gloo.yaml", "-o", "markdown"]);
    assert_eq!((read.code, printed.code), (Some(2), Some(2)), "{}", read.err);
    assert_eq!(read.out, printed.out);
    assert!(
        read.out.contains("| answered otherwise | now | afterwards | what to do |"),
        "{}",
        read.out
    );
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_to_do() {
    let folder = article("kind: [\n");
    let printed = migrate(folder.path(), &["gloo"]);
    assert_eq!(printed.code, Some(1));
    assert!(printed.err.contains("--> gloo/gloo.yaml:"), "{}", printed.err);
    let folder = article("");
    let printed = migrate(folder.path(), &["gloo"]);
    assert_eq!(printed.code, Some(1));
    assert!(
        printed.err.starts_with("error: there is no VirtualService in gloo"),
        "{}",
        printed.err
    );
    assert!(printed.err.contains("hint: "), "{}", printed.err);
    for (arguments, words) in [
        (&["gloo", "--accept", "all"][..], "expected one of prefix-by-element, answer"),
        (&[], "required arguments were not provided"),
        (&["gloo", "--cluster"], "cannot be used with"),
        (&["nowhere"], "cannot read nowhere"),
    ] {
        let printed = migrate(folder.path(), arguments);
        assert_eq!(printed.code, Some(1), "{arguments:?}");
        assert!(printed.err.contains(words), "{arguments:?}: {}", printed.err);
    }
    let twice = migrate(article(GLOO).path(), &["gloo", "gloo/gloo.yaml"]);
    assert_eq!(twice.code, Some(1));
    assert!(twice.err.contains("gloo/gloo.yaml has what was read before"), "{}", twice.err);
}
