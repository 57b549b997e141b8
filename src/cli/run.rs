//! `coalmine run`: the daemon.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::autopilot::Autopilot;
use super::git::Git;
use super::notify::Notify;
use super::watch_namespaces::WatchNamespaces;
use crate::cluster::Namespaces;
use crate::daemon::{self, DaemonOptions, Options};
use crate::election::LeaseName;
use crate::hint::Advise;
use crate::measure::ProxyMetrics;
use crate::report::{Access, Hosts, TlsFiles};
use crate::secret::SecretFile;
use crate::shard::Shard;
use crate::source::{PublishError, Publisher, SourceConfig};
use crate::telemetry::Telemetry;
use coalmine_core::render::DEFAULT_INSTANCE;
use coalmine_core::sanitize::sanitize;
use coalmine_core::values::Drift;

/// Keep the cluster equal to a git repository
///
/// The cluster is the one KUBECONFIG names, else the one this runs in.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine run --repo https://git.example.com/platform/rollouts.git --git-token-file token
  coalmine run --repo git@git.example.com:platform/rollouts.git --git-ssh-key-file key \\
    --git-known-hosts-file known_hosts
  coalmine run --repo ... --once   in a pipeline: apply, wait until healthy, end with 0 or 1")]
pub(super) struct Run {
    /// The repository: https://, ssh://, git@host:path, git://, file:// or a path
    #[arg(long, value_name = "URL")]
    repo: String,
    /// Pause between two polls of the repository, spread by 10 %
    #[arg(long, default_value = "30s", value_parser = super::duration)]
    interval: Duration,
    /// Pause between two complete lists of the cluster's objects; in between they are watched
    #[arg(long, default_value = "10m", value_parser = super::duration)]
    schedule: Duration,
    /// Apply the newest commit, wait until it is healthy, tell how each service came out, and end:
    /// with 0 when all is applied and healthy, else with 1
    #[arg(long)]
    once: bool,
    /// What is done about changes that somebody else makes to what coalmine owns
    #[arg(long, default_value_t = Drift::Repair, value_name = "repair|report|ignore")]
    drift: Drift,
    /// Let a revision delete everything, and more than prune.limit
    #[arg(long)]
    allow_prune_all: bool,
    /// Write only while holding a Lease, so that of several replicas one writes and the others stand
    /// by
    #[arg(long)]
    leader_elect: bool,
    /// The Lease's namespace [default: that of the pod]
    #[arg(long, value_name = "NAME", requires = "leader_elect")]
    lease_namespace: Option<String>,
    /// Look after one of COUNT equal parts of the services, counted from 0; platform/ belongs to the
    /// first
    #[arg(long, default_value_t, value_name = "INDEX/COUNT")]
    shard: Shard,
    /// Where the status is served; `none` to serve none
    #[arg(long, default_value = "127.0.0.1:8081", value_name = "ADDRESS")]
    listen: Listen,
    /// A further name by which the status may be asked for, such as that of a gateway in front: addresses,
    /// `localhost` and Services in the cluster always may. May be repeated
    #[arg(long, value_name = "NAME")]
    listen_host: Vec<String>,
    /// Serve the status by https: PEM file with the certificate, read anew when it changes
    #[arg(long, value_name = "FILE", requires = "listen_tls_key_file")]
    listen_tls_cert_file: Option<PathBuf>,
    /// PEM file with the certificate's key
    #[arg(long, value_name = "FILE", requires = "listen_tls_cert_file")]
    listen_tls_key_file: Option<PathBuf>,
    /// Label value that tells this daemon's objects from those of another one in the same cluster
    #[arg(long, default_value = DEFAULT_INSTANCE, value_parser = super::label_value)]
    instance: String,
    #[command(flatten)]
    namespaces: WatchNamespaces,
    /// Read what the proxies of a gateway count at this address instead of at those of their pods: gloo, kgateway or
    /// envoy-gateway, and where one of them serves its statistics for Prometheus. It is read while a service is written
    /// in both APIs, and when requests are to be led to a new Service or rule. May be repeated
    #[arg(long, value_name = "KIND=URL")]
    proxy_metrics: Vec<ProxyMetrics>,
    /// Where the clone is kept [default: $XDG_STATE_HOME/coalmine or ~/.local/state/coalmine]
    #[arg(long, value_name = "DIRECTORY")]
    state_dir: Option<PathBuf>,
    /// Fetch at once when the git server announces a push at /hooks/git: file with the secret that it
    /// signs with
    #[arg(long, value_name = "FILE")]
    webhook_secret_file: Option<PathBuf>,
    /// Show the status and its pages only to who knows the token in this file: as the password of any
    /// user, or as `Authorization: Bearer`. Metrics and probes stay open
    #[arg(long, value_name = "FILE")]
    status_token_file: Option<PathBuf>,
    #[command(flatten)]
    git: Git,
    #[command(flatten)]
    autopilot: Autopilot,
    #[command(flatten)]
    notify: Notify,
    #[command(flatten)]
    telemetry: Telemetry,
}

#[derive(Clone)]
struct Listen(Option<SocketAddr>);

impl std::str::FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let address = text.parse().map_err(|_| "expected ADDRESS:PORT, such as 127.0.0.1:8081")?;
        Ok(Self(Some(address)))
    }
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = super::runtime()?;
        let _telling = self.telemetry.start(runtime.handle())?;
        let source = self.source()?;
        runtime.block_on(async {
            let daemon = DaemonOptions {
                drift: self.drift,
                prune_all: self.allow_prune_all,
                shard: self.shard,
                proxy_metrics: self.proxy_metrics.clone(),
            };
            let lease = self.lease();
            if self.once {
                let namespaces = self.namespaces.namespaces();
                return once(source, &self.instance, namespaces, daemon).await;
            }
            let options = Options {
                publisher: self.publisher(&source)?,
                pull_requests: self.autopilot.pull_requests(&self.repo)?,
                promql: self.autopilot.promql()?,
                source,
                webhook: self.webhook()?,
                receivers: self.notify.receivers(&self.repo, &self.instance)?,
                interval: self.interval,
                schedule: self.schedule,
                listen: self.listen.0,
                access: self.access()?,
                hosts: Hosts::named(self.listen_host.iter().cloned()),
                tls: self.tls()?,
                instance: self.instance.clone(),
                namespaces: self.namespaces.namespaces(),
                daemon,
                lease,
            };
            daemon::run(options, asked_to_stop()?).await?;
            Ok(ExitCode::SUCCESS)
        })
    }

    /// What makes the daemon's own commits. Where nobody said how, it is an error only for a service that wants some.
    fn publisher(&self, source: &SourceConfig) -> anyhow::Result<Result<Publisher, PublishError>> {
        let publisher = self.autopilot.publisher(source);
        if self.autopilot.is_configured() {
            return Ok(Ok(publisher?));
        }
        Ok(publisher)
    }

    fn webhook(&self) -> anyhow::Result<Option<SecretFile>> {
        let path = self.webhook_secret_file.as_deref();
        path.map(|path| self.secret("webhook secret", "--webhook-secret-file", path)).transpose()
    }

    /// Who may see the status.
    fn access(&self) -> anyhow::Result<Access> {
        let Some(path) = &self.status_token_file else { return Ok(Access::Open) };
        Ok(Access::Token(self.secret("status token", "--status-token-file", path)?))
    }

    /// The certificate of the endpoint, which can be used now.
    fn tls(&self) -> anyhow::Result<Option<TlsFiles>> {
        let files = self.listen_tls_cert_file.as_deref().zip(self.listen_tls_key_file.as_deref());
        files.map(|(certificate, key)| TlsFiles::read(certificate, key)).transpose()
    }

    /// A secret of the endpoint, which can be read now.
    fn secret(&self, what: &'static str, flag: &str, path: &Path) -> anyhow::Result<SecretFile> {
        if self.listen.0.is_none() {
            anyhow::bail!("{flag} needs an address to --listen at");
        }
        let file = SecretFile { what, path: path.to_owned() };
        file.read()?;
        Ok(file)
    }

    /// The Lease to hold while writing.
    fn lease(&self) -> Option<LeaseName> {
        let given = self.lease_namespace.clone();
        let namespace = || given.or_else(pod_namespace).unwrap_or_else(|| "default".into());
        self.leader_elect.then(|| LeaseName::of(namespace(), &self.instance, self.shard))
    }

    fn source(&self) -> anyhow::Result<SourceConfig> {
        let directory = match &self.state_dir {
            Some(directory) => directory.clone(),
            None => state_directory()?.join(&self.instance),
        };
        self.git.source(&self.repo, directory)
    }
}

/// Prints one line per service.
async fn once(
    source: SourceConfig,
    instance: &str,
    namespaces: Namespaces,
    daemon: DaemonOptions,
) -> anyhow::Result<ExitCode> {
    let outcomes = daemon::once(source, instance, namespaces, daemon).await?;
    let mut all_is_well = true;
    for outcome in &outcomes {
        match &outcome.trouble {
            None => anstream::println!("{}: ready", outcome.service),
            Some(trouble) => {
                all_is_well = false;
                let trouble = trouble.replace('\n', "; ");
                anstream::println!("{}: failed: {}", outcome.service, sanitize(&trouble));
            }
        }
    }
    Ok(if all_is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Resolves at SIGINT or SIGTERM.
fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn state_directory() -> anyhow::Result<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    let base = base.advise(|| ("neither XDG_STATE_HOME nor HOME is set", "say --state-dir"))?;
    Ok(base.join("coalmine"))
}

/// The namespace of the pod this runs in, if it does.
fn pod_namespace() -> Option<String> {
    const FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    Some(std::fs::read_to_string(FILE).ok()?.trim().to_owned())
}
