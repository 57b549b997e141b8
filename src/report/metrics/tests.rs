use std::collections::BTreeSet;

use jiff::Timestamp;

use super::*;
use crate::report::{AnalysisReport, AutopilotReport, CountsReport, GatewayRequests};
use crate::testing::service;
use coalmine_core::kind::RouteApi;
use coalmine_core::measure::Measured;
use coalmine_core::reason::Code;
use coalmine_core::values::Service;

fn metrics_at(seconds: Arc<AtomicU64>) -> Metrics {
    let clock = move || {
        let seconds = seconds.load(std::sync::atomic::Ordering::Relaxed);
        Timestamp::from_second(seconds.try_into().expect("a second")).expect("a time")
    };
    Metrics::new(Arc::new(StatusStore::with_clock(clock)))
}

fn shifting() -> Service {
    service(
        "deployment: {v1: {}, v2: {}}\nroutes: {apiGroup: a, primary: {version: v1}, \
         canary: {version: v2, weight: 50, headers: {stage: canary}}}\n",
    )
}

/// Metrics of a daemon to which everything happened once.
fn after_everything() -> Metrics {
    let metrics = metrics_at(Arc::new(AtomicU64::new(1)));
    metrics.status_store.source(|source| {
        source.last_attempted_revision = Some("a".into());
        source.accepted_revision = Some("a".into());
    });
    metrics.status_store.service("echo", |report| {
        let values = shifting();
        report.describe(&values);
        report.ready_pods = values.versions.keys().map(|version| (version, 1)).collect();
        report.last_attempted_revision = "a".into();
        report.ready("a");
    });
    metrics.status_store.service("echo", |report| report.stalled(Code::GlooRejected, "no"));
    metrics
        .status_store
        .service("echo", |report| report.progressing(Some(Code::WaitingForGloo), ""));
    let second = Timestamp::from_second(1).expect("a time");
    let measured =
        Measured { per_second: Some(0.5), last_request: Some(second), none_since: Some(second) };
    let requests = GatewayRequests::of(RouteApi::Gloo, measured, 1, second, None);
    metrics.status_store.measured(&[("echo".to_owned(), vec![requests])].into());
    let counts = Some(CountsReport { total: 10, bad: 1 });
    let errors = AnalysisReport {
        name: "errors".into(),
        canary: counts,
        primary: counts,
        ..AnalysisReport::default()
    };
    let report = AutopilotReport {
        decision: "hold",
        step_since: Some(second),
        analyses: vec![errors],
        ..AutopilotReport::default()
    };
    metrics.status_store.piloted(&[("echo".to_owned(), report)].into());
    metrics.status_store.committed("echo", "promote");
    metrics.fetched(Duration::from_millis(5), true);
    metrics.fetched(Duration::from_millis(5), false);
    metrics.reconciled("echo", Duration::from_secs(1));
    metrics.reconcile_panicked("echo");
    metrics.drift_found("echo", "Deployment");
    metrics.drift_repaired("echo", "Deployment");
    metrics.preflight_refused();
    metrics.leads(true);
    metrics.watch_restarted("Pod");
    metrics.event_lost(Loss::TooMany);
    let answer = tower::service_fn(|_: http::Request<()>| std::future::ready(Ok::<_, ()>(())));
    let mut client = tower::Layer::layer(&metrics.requests(), answer);
    let request = http::Request::get("/api/v1/pods").body(()).expect("a request");
    drop(tower::Service::call(&mut client, request));
    metrics
}

/// The samples whose name begins so, with their values.
fn samples(metrics: &Metrics, name: &str) -> Vec<String> {
    let text = metrics.text();
    text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
}

/// The rows of the table that a scrape means: name, type, labels, meaning.
fn rows(text: &str) -> Vec<String> {
    let mut rows: Vec<(String, String, BTreeSet<String>, String)> = Vec::new();
    let mut help = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').expect("a text").1.trim_end_matches('.');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            rows.push((name.to_owned() + suffix, kind.into(), BTreeSet::new(), help.into()));
        } else if let Some((_, labels)) = line.split_once('{') {
            let labels = labels.split_once('}').expect("closed").0;
            let names = labels.split(',').map(|label| label.split_once('=').expect("a label").0);
            let row = rows.last_mut().expect("a sample follows its type");
            row.2.extend(names.filter(|name| *name != "le").map(|name| format!("`{name}`")));
        }
    }
    let row = |(name, kind, labels, help): (String, String, BTreeSet<String>, String)| {
        let labels = labels.into_iter().collect::<Vec<_>>().join(", ");
        format!("| `{name}` | {kind} | {labels} | {help} |").replace("|  |", "| |")
    };
    rows.into_iter().map(row).collect()
}

#[test]
fn the_documentation_lists_exactly_the_metrics_there_are() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let page = std::fs::read_to_string(page).expect("docs/metrics.md");
    let documented: BTreeSet<&str> =
        page.lines().filter(|line| line.starts_with("| `coalmine_")).collect();
    let there_are = rows(&after_everything().text());
    let there_are: BTreeSet<&str> = there_are.iter().map(String::as_str).collect();
    let difference = |a: &BTreeSet<&str>, b: &BTreeSet<&str>| {
        a.difference(b).copied().collect::<Vec<_>>().join("\n")
    };
    assert!(
        documented == there_are,
        "docs/metrics.md lacks:\n{}\nand has too much:\n{}",
        difference(&there_are, &documented),
        difference(&documented, &there_are),
    );
}

#[test]
fn everything_has_a_sample_once_it_happened() {
    let text = after_everything().text();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let next = lines.peek().expect("more");
            assert!(!next.starts_with('#'), "{family} has no sample");
        }
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn one_phase_and_one_state_of_a_service_are_true() {
    let metrics = after_everything();
    let phases = samples(&metrics, "coalmine_service_phase{");
    assert_eq!(phases.len(), 5);
    let current: Vec<_> = phases.into_iter().filter(|line| line.ends_with(" 1")).collect();
    assert_eq!(current, [r#"coalmine_service_phase{service="echo",phase="Shifting"} 1"#]);
    let states = samples(&metrics, "coalmine_service_state{");
    let current: Vec<_> = states.into_iter().filter(|line| line.ends_with(" 1")).collect();
    assert_eq!(current, [r#"coalmine_service_state{service="echo",state="Progressing"} 1"#]);
}

#[test]
fn the_reason_of_a_service_is_told_while_there_is_one_and_stalls_are_counted_by_it() {
    let metrics = after_everything();
    let reason = || samples(&metrics, "coalmine_service_reason{");
    let stalls = || samples(&metrics, "coalmine_service_stalls_total{");
    assert_eq!(reason(), [r#"coalmine_service_reason{service="echo",reason="WaitingForGloo"} 1"#]);
    let once = r#"coalmine_service_stalls_total{service="echo",reason="GlooRejected"} 1"#;
    assert_eq!(stalls(), [once]);
    metrics.status_store.invalid("echo", "no".into(), "b");
    assert_eq!(reason(), [r#"coalmine_service_reason{service="echo",reason="Invalid"} 1"#]);
    metrics.status_store.valid("echo");
    metrics.status_store.service("echo", |report| report.ready("b"));
    assert_eq!(reason(), [""; 0]);
    assert_eq!(stalls(), [once]);
}

#[test]
fn the_applied_revision_and_the_shares_are_shown() {
    let metrics = after_everything();
    assert_eq!(
        samples(&metrics, "coalmine_service_revision_info{"),
        [r#"coalmine_service_revision_info{revision="a",service="echo"} 1"#]
    );
    assert_eq!(
        samples(&metrics, "coalmine_service_applied_weight_percent{"),
        [
            r#"coalmine_service_applied_weight_percent{service="echo",version="v1"} 50"#,
            r#"coalmine_service_applied_weight_percent{service="echo",version="v2"} 50"#,
        ]
    );
}

#[test]
fn a_service_that_is_gone_leaves_no_series_and_none_come_back() {
    let metrics = after_everything();
    metrics.status_store.remove("echo");
    metrics.reconciled("echo", Duration::from_secs(1));
    metrics.drift_found("echo", "Deployment");
    assert!(!metrics.text().contains("echo"), "{}", metrics.text());
}

#[test]
fn the_age_of_an_unapplied_commit_grows_from_scrape_to_scrape() {
    let seconds = Arc::new(AtomicU64::new(100));
    let metrics = metrics_at(seconds.clone());
    let age = || samples(&metrics, "coalmine_service_oldest_unapplied_commit_age_seconds{");
    let told = |age: &str| {
        vec![format!(
            r#"coalmine_service_oldest_unapplied_commit_age_seconds{{service="echo"}} {age}"#
        )]
    };
    metrics.status_store.service("echo", |report| report.last_attempted_revision = "a".into());
    seconds.store(130, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(age(), told("30.0"));
    metrics.status_store.service("echo", |report| report.ready("a"));
    assert_eq!(age(), told("0.0"));
}

#[test]
fn the_platform_has_a_state_and_no_phase() {
    let metrics = metrics_at(Arc::new(AtomicU64::new(1)));
    metrics.status_store.service(coalmine_core::values::PLATFORM, |_| ());
    assert!(samples(&metrics, "coalmine_service_phase{").is_empty());
    assert_eq!(samples(&metrics, "coalmine_service_state{").len(), 4);
}

#[tokio::test]
async fn the_tasks_that_have_not_ended_are_counted_at_each_scrape() {
    let metrics = metrics_at(Arc::new(AtomicU64::new(1)));
    let tasks = || samples(&metrics, "coalmine_tasks ");
    let before = tasks();
    let running = tokio::spawn(std::future::pending::<()>());
    assert_ne!(tasks(), before, "one more");
    running.abort();
    assert!(running.await.is_err_and(|error| error.is_cancelled()));
    assert_eq!(tasks(), before);
}
