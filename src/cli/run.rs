//! `coalmine run`: the daemon.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use jiff::SignedDuration;
use tokio::signal::unix::{SignalKind, signal};

use crate::daemon::{self, Manner, Options};
use crate::election::LeaseName;
use crate::harmless::harmless;
use crate::render::DEFAULT_INSTANCE;
use crate::shard::Shard;
use crate::source::{CommitId, Credentials, Policy, Rewind, Signatures, SourceConfig, TrustedKeys};
use crate::telemetry::Telemetry;
use crate::values::Drift;
use crate::webhook::SecretFile;

/// Keep the cluster equal to a git repository
///
/// The cluster is the one KUBECONFIG names, else the one this runs in.
#[derive(clap::Args)]
pub(super) struct Run {
    /// The repository: https://, ssh://, git@host:path, git://, file:// or a path
    #[arg(long, value_name = "URL")]
    repo: String,
    /// The branch to follow
    #[arg(long, default_value = "main")]
    branch: String,
    /// The folder inside the repository that holds coalmine.yaml, platform/ and services/
    #[arg(long, default_value = ".")]
    path: String,
    /// Pause between two polls of the repository, spread by 10 %
    #[arg(long, default_value = "30s", value_parser = duration)]
    interval: Duration,
    /// Pause between two complete lists of the cluster's objects; in between they are watched
    #[arg(long, default_value = "10m", value_parser = duration)]
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
    /// Label value that tells this daemon's objects from those of another one in the same cluster
    #[arg(long, default_value = DEFAULT_INSTANCE, value_parser = super::label_value)]
    instance: String,
    /// Where the clone is kept [default: $XDG_STATE_HOME/coalmine or ~/.local/state/coalmine]
    #[arg(long, value_name = "DIRECTORY")]
    state_dir: Option<PathBuf>,
    /// How long a fetch may get nothing from the server; all of it may take 60 times as long
    #[arg(long, default_value = "1m", value_parser = duration)]
    fetch_deadline: Duration,
    /// User name for https, and for ssh when the address has none
    #[arg(long, value_name = "NAME")]
    git_username: Option<String>,
    /// https: file whose only line is the token
    #[arg(long, value_name = "FILE")]
    git_token_file: Option<PathBuf>,
    /// ssh: private key without a passphrase
    #[arg(long, value_name = "FILE")]
    git_ssh_key_file: Option<PathBuf>,
    /// ssh: the servers' keys; without it no ssh server is talked to
    #[arg(long, value_name = "FILE")]
    git_known_hosts_file: Option<PathBuf>,
    /// Take up only commits signed by a key of this file: ssh:ALLOWED_SIGNERS or openpgp:KEYRING. May be
    /// repeated
    #[arg(long, value_name = "KIND:FILE")]
    verify: Vec<TrustedKeys>,
    /// Ask for no signatures on this commit and its history
    #[arg(long, value_name = "COMMIT", requires = "verify")]
    verify_after: Option<CommitId>,
    /// Fetch at once when the git server announces a push at /hooks/git: file with the secret that it
    /// signs with
    #[arg(long, value_name = "FILE")]
    webhook_secret_file: Option<PathBuf>,
    /// Accept a history that was rewritten: with a commit that one and what descends from it, until the
    /// branch has moved on; without one any, for as long as this runs
    #[arg(long, value_name = "COMMIT", num_args = 0..=1, require_equals = true)]
    allow_rewind: Option<Option<CommitId>>,
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
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        let _telling = self.telemetry.start(runtime.handle())?;
        let source = self.source()?;
        runtime.block_on(async {
            let conduct =
                Manner { drift: self.drift, prune_all: self.allow_prune_all, shard: self.shard };
            let lease = self.lease();
            if self.once {
                return once(source, &self.instance, conduct).await;
            }
            let options = Options {
                source,
                webhook: self.webhook()?,
                interval: self.interval,
                schedule: self.schedule,
                listen: self.listen.0,
                instance: self.instance.clone(),
                conduct,
                lease,
            };
            daemon::run(options, asked_to_stop()?).await?;
            Ok(ExitCode::SUCCESS)
        })
    }

    fn webhook(&self) -> anyhow::Result<Option<SecretFile>> {
        let Some(path) = &self.webhook_secret_file else { return Ok(None) };
        if self.listen.0.is_none() {
            anyhow::bail!("--webhook-secret-file needs an address to --listen at");
        }
        let file = SecretFile(path.clone());
        file.read().map_err(anyhow::Error::msg)?;
        Ok(Some(file))
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
        Ok(SourceConfig {
            repository: self.repo.clone(),
            branch: self.branch.clone(),
            path: self.path.clone(),
            directory,
            deadline: self.fetch_deadline,
            credentials: Credentials {
                username: self.git_username.clone(),
                token_file: self.git_token_file.clone(),
                ssh_key_file: self.git_ssh_key_file.clone(),
                known_hosts_file: self.git_known_hosts_file.clone(),
            },
            policy: Policy {
                rewind: match &self.allow_rewind {
                    None => Rewind::Refuse,
                    Some(Some(commit)) => Rewind::To(commit.clone()),
                    Some(None) => Rewind::Follow,
                },
                signatures: Signatures {
                    keys: self.verify.clone(),
                    after: self.verify_after.clone(),
                },
            },
            program: std::env::current_exe().context("cannot find the own program")?,
        })
    }
}

/// Prints one line per service.
async fn once(source: SourceConfig, instance: &str, conduct: Manner) -> anyhow::Result<ExitCode> {
    let outcomes = daemon::once(source, instance, conduct).await?;
    let mut all_is_well = true;
    for outcome in &outcomes {
        match &outcome.trouble {
            None => anstream::println!("{}: ready", outcome.service),
            Some(trouble) => {
                all_is_well = false;
                let trouble = trouble.replace('\n', "; ");
                anstream::println!("{}: failed: {}", outcome.service, harmless(&trouble));
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
    Ok(base.context("neither XDG_STATE_HOME nor HOME is set; say --state-dir")?.join("coalmine"))
}

/// The namespace of the pod this runs in, if it does.
fn pod_namespace() -> Option<String> {
    const FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    Some(std::fs::read_to_string(FILE).ok()?.trim().to_owned())
}

/// `1s`, `5m`, `1h30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration =
        text.parse().map_err(|_| "expected a duration such as 30s, 5m or 1h30m".to_owned())?;
    match Duration::try_from(parsed) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("expected a duration longer than zero".to_owned()),
    }
}
