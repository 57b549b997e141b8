//! A board with rollouts in every state, served as the daemon serves it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result};
use coalmine::page;
use coalmine::report::{self, Access, ChangeKind, Drift, Endpoint, Metrics, Reports, StatusStore};
use coalmine::secret::SecretFile;
use coalmine::source::Revision;
use coalmine_core::reason::Code;
use coalmine_core::tree::Tree;
use coalmine_core::values::{Repository, Service};
use jiff::Timestamp;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The commit that asks for half of the requests.
pub(super) const HALF: &str = "5e1d0c92b7aa4d4c8f0b6f3f1f2f8f0a9c3d7e11";
/// When the story ends.
const NOW: &str = "2026-03-14T03:07:00Z";

/// A daemon's status endpoint, which ends with it.
pub(super) struct Scene {
    pub(super) status_store: Arc<StatusStore>,
    address: SocketAddr,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// With this token or for everybody.
    pub(super) async fn serve(token: Option<&str>) -> Result<Self> {
        let status_store = Arc::new(story()?);
        let reports = Reports {
            metrics: Arc::new(Metrics::new(status_store.clone())),
            status_store: status_store.clone(),
            health: Arc::default(),
        };
        let folder = tempfile::tempdir()?;
        let mut access = Access::Open;
        if let Some(token) = token {
            let path = folder.path().join("token");
            std::fs::write(&path, token)?;
            access = Access::Token(SecretFile { what: "status token", path });
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let pages = page::routes(status_store.clone());
        let endpoint = Endpoint { reports, access, pages, ..Endpoint::default() };
        let stop = CancellationToken::new();
        tokio::spawn(report::serve(listener, endpoint, stop.clone()));
        Ok(Self { status_store, address, stop, _folder: folder })
    }

    pub(super) fn address(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Somebody who writes on a board as the daemon does.
struct Teller {
    status_store: StatusStore,
    clock: Arc<AtomicI64>,
}

/// A night at which one rollout goes well and others do not.
fn story() -> Result<StatusStore> {
    let clock = Arc::new(AtomicI64::new(0));
    let hand = clock.clone();
    let status_store = StatusStore::with_clock(move || {
        Timestamp::from_second(hand.load(Ordering::Relaxed)).unwrap_or_default()
    });
    let teller = Teller { status_store, clock };
    let end: Timestamp = NOW.parse()?;
    teller.at(end, -9 * 3600);
    teller.commit(
        "c0ffee1d20a14be9a1bb9f6c53b6ff2dc2a6a111",
        "Ada Lovelace",
        "Begin with version 1 of everything",
    );
    let calm = ["foxtrot", "kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo"];
    for name in calm.into_iter().chain(["echo", "golf", "hotel", "india", "juliet"]) {
        teller.ask(name, &stable(), ChangeKind::First)?;
        teller.ready(name, "c0ffee1d20a14be9a1bb9f6c53b6ff2dc2a6a111");
    }
    teller.at(end, -4 * 3600);
    teller.commit(
        "7b21f3a9d4e54e0c9d2c41c8a9a7f6b5e4d3c222",
        "Ada Lovelace",
        "echo: run version 2 beside version 1",
    );
    teller.ask("echo", &canary(None, 0), ChangeKind::Advance)?;
    teller.after(21);
    teller.ready("echo", "7b21f3a9d4e54e0c9d2c41c8a9a7f6b5e4d3c222");

    teller.at(end, -2 * 3600 - 240);
    teller.commit(
        "91ce0d3b6f7a4a1d8be2a5c4d3e2f1a0b9c8d333",
        "Ada Lovelace",
        "echo, juliet: let testers reach version 2",
    );
    for name in ["echo", "juliet"] {
        teller.ask(name, &canary(Some("stage: canary"), 0), ChangeKind::Advance)?;
        teller.after(4);
        teller.ready(name, "91ce0d3b6f7a4a1d8be2a5c4d3e2f1a0b9c8d333");
    }
    teller.at(end, -3600);
    teller.commit(
        "a4d8b6c25e1f4c3b9a7d8e6f5c4b3a2918070444",
        "Grace Hopper",
        "echo: a tenth for v2",
    );
    teller.ask("echo", &canary(Some("stage: canary"), 10), ChangeKind::Advance)?;
    teller.after(4);
    teller.ready("echo", "a4d8b6c25e1f4c3b9a7d8e6f5c4b3a2918070444");
    teller.drift("echo", 4);

    teller.at(end, -1500);
    teller.commit("d00d4b1e5a6b4f3c8d2e1f0a9b8c7d6e5f4a3555", "Grace Hopper", "golf: retry on 5xx");
    teller.ask(
        "golf",
        &stable().replace("primary", "options: {retries: {retryOn: 5xx}}\n  primary"),
        ChangeKind::Other,
    )?;
    teller.after(6);
    teller.status_store.service("golf", |report| {
        report.stalled(
            Code::WaitingForPods, "RouteTable golf/golf-routes: Gloo says Rejected: 1 error occurred: route with matcher prefix:\"/golf\" \
             overlaps with an earlier one; the previous routes were restored. Give the route another path, or take the \
             earlier one away",
        );
    });
    teller.drifts("india");
    teller.at(end, -120);
    teller.commit(HALF, "Grace Hopper", "echo: half for v2");
    teller.ask("echo", &canary(Some("stage: canary"), 50), ChangeKind::Advance)?;
    teller.status_store.invalid(
        "hotel",
        "services/hotel.yaml:4:20: routes.primary.version: \"v3\" is not in `deployment`\n  listed there: v1; add `v3: {}` \
         or route to one of these"
            .to_owned(),
        HALF,
    );
    teller.after(3);
    teller.status_store.service("echo", |report| {
        report.ready_pods = report
            .ready_pods
            .filter_map(|version, pods| Some(if version == "v2" { 1 } else { pods }));
        report.progressing(None, "Deployment echo/echo-v2: 1 of 3 pods are ready")
    });
    teller.at(end, 0);
    Ok(teller.status_store)
}

impl Teller {
    fn at(&self, end: Timestamp, offset: i64) {
        self.clock.store(end.as_second() + offset, Ordering::Relaxed);
    }

    fn after(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    fn commit(&self, id: &str, author: &str, subject: &str) {
        let committed = self.status_store.now();
        let (author, subject) = (author.to_owned(), subject.to_owned());
        self.status_store.takes_up(&Revision { id: id.to_owned(), author, subject, committed });
        self.status_store.source(|source| _ = source.accepted(id));
        self.after(2);
    }

    fn ask(&self, name: &str, values: &str, change: ChangeKind) -> Result<()> {
        let service = service(name, values)?;
        let commit = self.status_store.overall().source.accepted_revision.unwrap_or_default();
        self.status_store.service(name, |report| {
            report.last_attempted_revision = commit;
            report.describe(&service);
            report.progressing(None, "");
        });
        self.status_store.asks(&service, Some(change));
        Ok(())
    }

    fn ready(&self, name: &str, commit: &str) {
        self.status_store.service(name, |report| {
            report.ready_pods = report.weights.filter_map(|_, _| Some(3));
            report.observed_weights = report.weights.clone();
            report.ready(commit);
        });
    }

    fn drift(&self, name: &str, times: i64) {
        for _ in 0..times {
            let drift = Drift {
                object: format!("Deployment {name}/{name}-v1"),
                field: "spec.replicas".to_owned(),
                from: json!(3),
                to: json!(1),
                manager: Some("kubectl".to_owned()),
                at: self.status_store.now(),
            };
            self.after(40);
            self.status_store.drifted(name, drift);
        }
    }

    /// Drift that stands, since the values say to report it only.
    fn drifts(&self, name: &str) {
        self.drift(name, 1);
        self.status_store.service(name, |report| {
            report.remaining_drift = Some(format!(
                "Deployment {name}/{name}-v1 was changed: kubectl made spec.replicas 1 where 3 is desired; left as it is"
            ));
        });
    }
}

fn stable() -> String {
    "deployment: {v1: {replicas: 3}}\nroutes:\n  apiGroup: example\n  primary: {version: v1}\n"
        .to_owned()
}

fn canary(header: Option<&str>, weight: u8) -> String {
    let headers = header.map(|header| format!(", headers: {{{header}}}")).unwrap_or_default();
    format!(
        "deployment: {{v1: {{replicas: 3}}, v2: {{replicas: 3}}}}\nroutes:\n  apiGroup: example\n  \
         options: {{timeout: 5s}}\n  primary: {{version: v1}}\n  canary: {{version: v2, weight: {weight}{headers}}}\n"
    )
}

fn service(name: &str, values: &str) -> Result<Arc<Service>> {
    let file = (format!("services/{name}.yaml"), values.into());
    let tree = Tree { revision: "r".to_owned(), files: [file].into_iter().collect() };
    let services = Repository::parse(&tree).services;
    let service = services.into_values().next().context("no service")?;
    service.map_err(|problems| anyhow::anyhow!("{problems:?}"))
}
