//! etcd, the API server, the controller manager and the scheduler of a local bed.

use std::{path::Path, time::Duration};

use anyhow::Result;
use kube::Client;
use tokio::net::TcpStream;
use tracing::{instrument::WithSubscriber as _, subscriber::NoSubscriber};

use super::{credentials::Credentials, options::Purpose};
use crate::{
    build::Artifacts,
    namespace::{API, NODE},
    process::{Process, Program},
    wait::{self, Seen},
};

const ETCD: &str = "127.0.0.1:2379";
const ETCD_PEERS: &str = "127.0.0.1:2380";
/// For its metrics. On a port of their own nobody has to tell them from what the API server asks.
const ETCD_HTTP: &str = "127.0.0.1:2381";
/// Long enough for a machine that compiles something else at the same time.
const DEADLINE: Duration = Duration::from_secs(180);

/// What Go's garbage collector is told: to wait until the heap is five times what was left, up to a limit.
/// Its default costs the API server about an eighth of its time, of which a bed has little.
const COLLECTOR: [(&str, &str); 2] = [("GOGC", "400"), ("GOMEMLIMIT", "1GiB")];

/// One of the programs, all of which are written in Go.
fn program(name: &str, artifacts: &Artifacts, logs: &Path) -> Program {
    let program = Program::new(name, artifacts.control_plane(name), logs);
    COLLECTOR.into_iter().fold(program, |program, (name, value)| program.env(name, value))
}

/// Starts etcd and waits until it takes connections.
pub(super) async fn etcd(artifacts: &Artifacts, directory: &Path, logs: &Path) -> Result<Process> {
    let urls = |address: &str| format!("http://{address}");
    let program = program("etcd", artifacts, logs)
        .flag("name", "bed")
        .flag("data-dir", directory.join("etcd"))
        .flag("listen-client-urls", urls(ETCD))
        .flag("listen-client-http-urls", urls(ETCD_HTTP))
        .flag("advertise-client-urls", urls(ETCD))
        .flag("listen-peer-urls", urls(ETCD_PEERS))
        .flag("initial-advertise-peer-urls", urls(ETCD_PEERS))
        .flag("initial-cluster", format!("bed={}", urls(ETCD_PEERS)))
        // A bed never outlives its machine: nothing has to survive a power cut.
        .arg("--unsafe-no-fsync")
        .flag("log-level", "warn");
    let process = Process::start(&program)?;
    let ready = wait::until("etcd to take connections", DEADLINE, || async {
        Seen::from_result(TcpStream::connect(ETCD).await.map(drop))
    });
    process.alive(ready).await?;
    Ok(process)
}

/// Starts the API server; [`api_server_ready`] waits for it.
pub(super) fn api_server(
    artifacts: &Artifacts,
    credentials: &Credentials,
    directory: &Path,
    fairness: bool,
    logs: &Path,
) -> Result<Process> {
    let program = program("kube-apiserver", artifacts, logs)
        .flag("etcd-servers", format!("http://{ETCD}"))
        .flag("bind-address", API.ip().to_string())
        .flag("secure-port", API.port().to_string())
        .flag("advertise-address", NODE.to_string())
        .flag("cert-dir", directory)
        .flag("tls-cert-file", credentials.file("server.crt"))
        .flag("tls-private-key-file", credentials.file("server.key"))
        .flag("token-auth-file", credentials.file("tokens.csv"))
        .flag("anonymous-auth", "false")
        .flag("authorization-mode", "RBAC")
        .flag("service-account-issuer", "https://kubernetes.default.svc")
        .flag("service-account-key-file", credentials.file("service-accounts.pub"))
        .flag("service-account-signing-key-file", credentials.file("service-accounts.key"))
        .flag("service-cluster-ip-range", "10.78.0.0/16")
        .flag("enable-priority-and-fairness", fairness.to_string());
    Process::start(&program)
}

/// Waits until the API server says it is ready.
pub(super) async fn api_server_ready(process: &Process, client: &Client) -> Result<()> {
    let ready = wait::until("the API server to be ready", DEADLINE, || async {
        let answer = async {
            let request = hyper::Request::get("/readyz").body(Vec::new())?;
            client.request_text(request).await?;
            anyhow::Ok(())
        };
        // The client logs an error for every answer but "ready".
        Seen::from_result(answer.with_subscriber(NoSubscriber::default()).await)
    });
    process.alive(ready).await
}

/// Starts the controller manager.
pub(super) fn controller_manager(
    artifacts: &Artifacts,
    credentials: &Credentials,
    kubeconfig: &Path,
    purpose: Purpose,
    logs: &Path,
) -> Result<Process> {
    let mut program = program("kube-controller-manager", artifacts, logs)
        .flag("kubeconfig", kubeconfig)
        .flag("leader-elect", "false")
        .flag("service-account-private-key-file", credentials.file("service-accounts.key"))
        .flag("bind-address", "127.0.0.1")
        .flag("cert-dir", kubeconfig.with_file_name("controller-manager"))
        .flag("node-monitor-period", "1s");
    if purpose == Purpose::Traffic {
        // The default throttle costs seconds of every start.
        program = program.flag("kube-api-qps", "500").flag("kube-api-burst", "1000");
        // So would its 15 seconds between two looks at how many pods an autoscaler wants.
        program = program.flag("horizontal-pod-autoscaler-sync-period", "1s");
    }
    Process::start(&program)
}

/// Starts the scheduler.
pub(super) fn scheduler(artifacts: &Artifacts, kubeconfig: &Path, logs: &Path) -> Result<Process> {
    let program = program("kube-scheduler", artifacts, logs)
        .flag("kubeconfig", kubeconfig)
        .flag("leader-elect", "false")
        .flag("kube-api-qps", "500")
        .flag("kube-api-burst", "1000")
        .flag("bind-address", "127.0.0.1")
        .flag("cert-dir", kubeconfig.with_file_name("scheduler"));
    Process::start(&program)
}
