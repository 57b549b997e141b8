//! `coalmine status` and `wait` against a status endpoint, and options from the environment and a file.

use std::fs;
use std::process::{Command, Stdio};

use coalmine::report::{self, Reports, ServiceReport, Survey, Surveyed, serve};
use coalmine_core::reason::Code;
use coalmine_core::values::Version;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A status endpoint on loopback that ends with it.
struct Endpoint {
    reports: Reports,
    address: String,
    _stop: DropGuard,
}

impl Endpoint {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (reports, stop) = (Reports::default(), CancellationToken::new());
        let endpoint = report::Endpoint { reports: reports.clone(), ..report::Endpoint::default() };
        tokio::spawn(serve(listener, endpoint, stop.clone()));
        Self { reports, address, _stop: stop.drop_guard() }
    }

    fn service(&self, name: &str, change: impl FnOnce(&mut ServiceReport)) {
        self.reports.status_store.service(name, change);
    }

    async fn coalmine(&self, arguments: &[&str]) -> Printed {
        coalmine(arguments, &[("COALMINE_SERVER", &self.address)]).await
    }
}

#[derive(Debug)]
struct Printed {
    out: String,
    err: String,
    code: Option<i32>,
}

async fn coalmine(arguments: &[&str], environment: &[(&str, &str)]) -> Printed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine"));
    command.args(arguments).envs(environment.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    Printed {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

fn shifting(report: &mut ServiceReport) {
    report.phase = "Shifting".into();
    let version = |name: &str| Version::new(name).unwrap();
    report.weights = [(&version("v1"), 75), (&version("v2"), 25)].into_iter().collect();
    report.last_attempted_revision = "0123456789".into();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_needs_a_person_comes_first_with_the_reason_and_the_next_command() {
    let endpoint = Endpoint::new().await;
    endpoint.service("alpha", |report| {
        shifting(report);
        report.ready("0123456789");
    });
    let good = endpoint.coalmine(&["status"]).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.out.contains("Ready"), "{good:?}");
    assert!(good.out.contains("v1:75% v2:25%"), "{good:?}");
    assert!(good.out.contains("0123456   coalmine promote alpha"), "{good:?}");

    endpoint.service("zulu", |report| {
        shifting(report);
        report.stalled(Code::WaitingForPods, "Deployment zulu/zulu-v2: \u{1b}[2Jno pods");
    });
    let bad = endpoint.coalmine(&["status"]).await;
    assert_eq!(bad.code, Some(4), "{bad:?}");
    let lines: Vec<&str> = bad.out.lines().collect();
    assert!(lines[1].starts_with("zulu") && lines[1].ends_with("coalmine abort zulu"), "{bad:?}");
    assert_eq!(lines[2], r"  Deployment zulu/zulu-v2: \u{1b}[2Jno pods");
    assert!(lines[3].starts_with("alpha"), "{bad:?}");

    let one = endpoint.coalmine(&["status", "alpha", "--json"]).await;
    let told: serde_json::Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(told["services"].as_array().unwrap().len(), 1);
    assert_eq!(told["services"][0]["weights"]["v2"], 25);
    assert_eq!(told["services"][0]["namespace"], "", "every field of the endpoint is there");
    let unknown = endpoint.coalmine(&["status", "golf"]).await;
    assert_eq!(unknown.err, "error: the daemon knows no service golf\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_judged_and_which_of_several_gateways_serve_is_said_and_is_no_trouble() {
    let endpoint = Endpoint::new().await;
    for name in ["echo", "golf"] {
        endpoint.service(name, |report| {
            shifting(report);
            report.ready("0123456789");
        });
    }
    let surveyed = |gateways: &[&str], notes: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Surveyed { gateways: owned(gateways), notes: owned(notes) }
    };
    let note = "RouteTable echo/echo-routes: options.csrf is not modelled\u{1b}";
    let mut survey = Survey::from([
        ("echo".to_owned(), surveyed(&["gloo-system/one"], &[note])),
        ("golf".to_owned(), surveyed(&["gloo-system/one"], &[])),
        ("gone".to_owned(), surveyed(&["gloo-system/one"], &[])),
    ]);
    let store = &endpoint.reports.status_store;
    store.surveyed(&survey);
    let changes = *store.changes().borrow();
    store.surveyed(&survey);
    assert_eq!(*store.changes().borrow(), changes, "nothing new is no change");
    let shown = endpoint.coalmine(&["status"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let lines: Vec<&str> = shown.out.lines().collect();
    assert_eq!(lines.len(), 4, "{shown:?}");
    assert_eq!(
        lines[2],
        r"  note: RouteTable echo/echo-routes: options.csrf is not modelled\u{1b}"
    );
    survey.insert("golf".to_owned(), surveyed(&["gloo-system/one", "gloo-system/two"], &[]));
    store.surveyed(&survey);
    let shown = endpoint.coalmine(&["status"]).await;
    let lines: Vec<&str> = shown.out.lines().collect();
    assert_eq!(lines[2], "  served by Gateway gloo-system/one", "{shown:?}");
    assert_eq!(lines[5], "  served by Gateway gloo-system/one, gloo-system/two", "{shown:?}");
    let json = endpoint.coalmine(&["status", "golf", "--json"]).await;
    let told: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(told["services"][0]["gateways"][1], "gloo-system/two");
    assert_eq!(told["services"][0]["state"], "Ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_when_it_is_there_too_late_or_in_need_of_a_person() {
    let endpoint = Endpoint::new().await;
    endpoint.service("echo", shifting);
    let wait = ["wait", "echo", "--phase", "shifting", "--revision", "0123", "--timeout", "1m"];
    let mut waiting = tokio::process::Command::new(env!("CARGO_BIN_EXE_coalmine"))
        .args(wait)
        .env("COALMINE_SERVER", &endpoint.address)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(waiting.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert_eq!(first, "echo Shifting Progressing at 0123456");
    endpoint.service("echo", |report| report.ready("0123456789"));
    let last = lines.next_line().await.unwrap().unwrap();
    assert_eq!(last, "echo Shifting Ready at 0123456");
    assert!(waiting.wait().await.unwrap().success());

    let late = endpoint.coalmine(&["wait", "echo", "--phase", "Shifted", "--timeout", "1s"]).await;
    assert_eq!((late.code, late.err.as_str()), (Some(3), "echo is not there after 1 s\n"));

    endpoint.service("echo", |report| report.stalled(Code::WaitingForPods, "no pods"));
    let stalled = endpoint.coalmine(&["wait", "echo", "--timeout", "1m"]).await;
    assert_eq!(stalled.code, Some(4), "{stalled:?}");
    assert_eq!(stalled.out, "echo Shifting Stalled at 0123456: no pods\n");
    let phase = endpoint.coalmine(&["wait", "echo", "--phase", "Half"]).await;
    assert!(phase.err.contains("Stable, Deployed, CanaryTest, Shifting, Shifted"), "{phase:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_primary_beside_a_good_canary_is_not_given_its_requests_back() {
    let endpoint = Endpoint::new().await;
    endpoint.service("echo", |report| {
        shifting(report);
        let version = |name: &str| Version::new(name).unwrap();
        let (v1, v2) = (version("v1"), version("v2"));
        report.phase = "Shifted".into();
        (report.primary, report.canary) = ("v1".into(), Some("v2".into()));
        report.weights = [(&v1, 0), (&v2, 100)].into_iter().collect();
        report.applied_weights = [(&v1, 50), (&v2, 50)].into_iter().collect();
        report.observed_weights = report.weights.clone();
        report.ready_pods = [(&v1, 0), (&v2, 1)].into_iter().collect();
        report.stalled(Code::PodsCrashing, "Deployment echo/echo-v1: 0 of 1 pods are ready");
        report.reason_version = Some("v1".into());
    });
    let printed = endpoint.coalmine(&["status"]).await;
    let line = printed.out.lines().nth(1).unwrap();
    assert!(line.contains(" Stalled  v2:100%  v1:0 v2:1 "), "the routes are these: {printed:?}");
    assert!(line.ends_with("coalmine finish echo"), "{printed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_can_be_waited_for() {
    let endpoint = Endpoint::new().await;
    endpoint.service("platform", |report| {
        report.stalled(Code::NamespaceTerminating, "Namespace echo: no");
    });
    let shown = endpoint.coalmine(&["status"]).await;
    assert!(shown.out.contains("coalmine wait platform"), "{shown:?}");
    let stalled = endpoint.coalmine(&["wait", "platform", "--timeout", "1m"]).await;
    assert_eq!(stalled.code, Some(4), "{stalled:?}");
    endpoint.service("platform", |report| {
        report.last_attempted_revision = "0123456789".into();
        report.ready("0123456789");
    });
    let ready = endpoint.coalmine(&["wait", "platform", "--timeout", "1m"]).await;
    assert_eq!(
        (ready.code, ready.out.as_str()),
        (Some(0), "platform Ready at 0123456\n"),
        "{ready:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_address_is_told_with_what_to_do() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let printed = coalmine(&["status", "--server", &address], &[]).await;
    assert_eq!(printed.code, Some(1));
    assert!(printed.err.contains("kubectl port-forward"), "{printed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let endpoint = Endpoint::new().await;
    endpoint.service("echo", |report| report.ready("0123456789"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    let path = file.to_str().unwrap();
    let good = endpoint.address.as_str();
    let wrong = "http://127.0.0.1:1";
    for (line, variable, in_file, expected) in [
        (None, None, good, 0),
        (None, Some(good), wrong, 0),
        (None, Some(wrong), good, 1),
        (Some(good), Some(wrong), wrong, 0),
        (Some(wrong), Some(good), good, 1),
    ] {
        fs::write(&file, format!("server: {in_file}\n")).unwrap();
        let mut arguments = vec!["--config", path, "status"];
        arguments.extend(line.into_iter().flat_map(|server| ["--server", server]));
        let environment: Vec<_> = variable.map(|it| ("COALMINE_SERVER", it)).into_iter().collect();
        let printed = coalmine(&arguments, &environment).await;
        assert_eq!(printed.code, Some(expected), "{line:?} {variable:?} {in_file}: {printed:?}");
    }
    fs::write(&file, "sever: x\n").unwrap();
    let unknown = coalmine(&["status"], &[("COALMINE_CONFIG", path)]).await;
    assert!(unknown.err.contains("`sever`, which is no option\nhint: known: "), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_and_manual_pages_are_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(coalmine(&["man", path], &[]).await.code, Some(0));
    for command in ["run", "status", "promote", "plan", "doctor"] {
        let page = fs::read_to_string(folder.path().join(format!("coalmine-{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
        for shell in ["bash", "zsh", "fish"] {
            let script = coalmine(&["completions", shell], &[]).await;
            assert!(script.out.contains(command), "{shell}");
        }
    }
}
