//! What runs: the bed, the repository, and coalmine between them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::options::Options;
use super::steps;
use crate::cargo::workspace;
use crate::namespace::{Inside, STATUS};
use crate::process::{Process, Program};
use crate::progress::Progress;
use crate::repository::{BRANCH, Repository, copy};
use crate::rollouts::adapt;
use crate::status::{Status, StatusClient};
use crate::wait::{self, Seen};
use crate::webhook::Webhook;
use crate::{Bed, BedOptions, programs};

/// How long the daemon has for its first revision, and for each further one.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// What whoever announces a push knows; nobody else reaches the daemon.
const SECRET: &str = "a demo has no secrets";
/// How long coalmine may take to end.
const GRACE: Duration = Duration::from_secs(10);

pub(super) struct Scene {
    pub(super) bed: Bed,
    pub(super) repository: Repository,
    pub(super) status: StatusClient,
    /// Who announces pushes, if somebody does.
    webhook: Option<Webhook>,
    daemon: Process,
    program: PathBuf,
    /// Where coalmine's status is, for people.
    server: String,
    directory: PathBuf,
}

impl Scene {
    /// Starts everything and waits until the repository's services are ready.
    pub(super) async fn start(
        options: &Options,
        inside: Inside,
        progress: &Progress,
    ) -> Result<Self> {
        let directory = workspace().join("target/demo");
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        remove(&directory.join("env"))?;
        let bed = Bed::start(BedOptions::new(inside), progress).await?;
        let content = tempfile::tempdir()?;
        copy(&workspace().join("rollouts"), content.path())?;
        adapt(content.path(), bed.gateway_kind())?;
        let repository = Repository::create(&directory, content.path()).await?;
        let step = progress.step("coalmine accepts the repository");
        let program = programs::find("coalmine")?;
        let daemon = start_daemon(options, &bed, &repository, &program, &directory)?;
        let status = StatusClient::new(&format!("http://{STATUS}"))?;
        let server = format!("http://{}", inside.outside_status());
        let webhook = options.webhook.then(|| Webhook::new(status.base(), SECRET)).transpose()?;
        let scene = Self { bed, repository, status, webhook, daemon, program, server, directory };
        let first = scene.repository.head().await?;
        scene.alive(scene.applied_everywhere(&first)).await?;
        scene.write_environment()?;
        step.done();
        Ok(scene)
    }

    /// Tells coalmine of a push, if it is to be told.
    pub(super) async fn announce(&self) -> Result<()> {
        match &self.webhook {
            Some(webhook) => webhook.announce(BRANCH).await,
            None => Ok(()),
        }
    }

    /// Waits for the revision to be carried out by every service.
    async fn applied_everywhere(&self, revision: &str) -> Result<()> {
        wait::until("every service ready", PATIENCE, || async {
            Seen::from_result(self.status.get().await.and_then(|status| {
                let waiting: Vec<_> = status
                    .services
                    .iter()
                    .filter(|service| !service.has_applied(revision))
                    .map(|service| service.summary())
                    .collect();
                anyhow::ensure!(!status.services.is_empty(), "{}", no_services(&status));
                anyhow::ensure!(waiting.is_empty(), "{}", waiting.join("; "));
                Ok(())
            }))
        })
        .await
    }

    /// What `work` gives, unless a part that it needs ends before.
    pub(super) async fn alive<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            done = self.daemon.alive(work) => done,
            failure = self.bed.failure() => Err(failure),
        }
    }

    /// For other tools; once it is there, everything is ready.
    fn write_environment(&self) -> Result<()> {
        let text = environment(
            self.bed.outside_kubeconfig(),
            self.bed.kubectl(),
            self.bed.outside_proxy_url(),
            &self.server,
            self.repository.bare(),
        );
        let path = self.environment();
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn environment(&self) -> PathBuf {
        self.directory.join("env")
    }

    /// What a person can do now, as commands for their own shell.
    pub(super) fn invitation(&self) -> String {
        let proxy = self.bed.outside_proxy_url();
        let clone = self.repository.clone_directory().display();
        let (service, file, (name, value)) = (steps::SERVICE, steps::FILE, steps::HEADER);
        let environment = self.environment();
        let environment = environment.display();
        let coalmine = self.program.display();
        format!(
            "
# Push a change, here half of {service}'s requests to v2:
cat > {clone}/{file} <<'END'
deployment: {{v1: {{}}, v2: {{}}}}
routes:
  apiGroup: example
  primary: {{version: v1}}
  canary: {{version: v2, weight: 50, headers: {{{name}: {value}}}}}
END
git -C {clone} commit -am 'Half of {service} to v2' && git -C {clone} push

# Or let a command write, commit, push and follow it:
{coalmine} promote {service} --weight 75 --wait -C {clone} --server {server}

# See who answers:
curl {proxy}/{service}
curl -H '{name}: {value}' {proxy}/{service}

# See the rollouts in a browser: {server}/

# See what coalmine says (its log: {log}), and look at the cluster:
{coalmine} status --server {server}
(. {environment}; KUBECONFIG=$KUBECONFIG $KUBECTL get {kinds} -A)

docs/tutorial.md leads through all of it. Ctrl-C ends everything.
",
            log = self.directory.join("coalmine.log").display(),
            server = self.server,
            kinds = match self.bed.gateway_kind().is_of_gateway_api() {
                true => "deployments,services,httproutes",
                false => "deployments,upstreams,routetables",
            },
        )
    }

    /// Ends everything in order.
    pub(super) async fn stop(self) -> Result<()> {
        let environment = self.environment();
        self.daemon.stop(GRACE).await;
        self.bed.stop().await?;
        remove(&environment)
    }
}

/// What a person's shell has to know of a demo, as a file of variables: `. target/demo/env`.
pub fn environment(
    kubeconfig: &Path,
    kubectl: &Path,
    proxy_url: &str,
    server: &str,
    repository: &Path,
) -> String {
    format!(
        "KUBECONFIG={}\nKUBECTL={}\nPROXY_URL={proxy_url}\nSTATUS_URL={server}/api/services\n\
         COALMINE_SERVER={server}\nREPOSITORY={}\n",
        kubeconfig.display(),
        kubectl.display(),
        repository.display(),
    )
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

fn no_services(status: &Status) -> String {
    let error = status.source.error.as_deref();
    error.map_or_else(|| "no service is known yet".to_owned(), str::to_owned)
}

fn start_daemon(
    options: &Options,
    bed: &Bed,
    repository: &Repository,
    program: &Path,
    directory: &Path,
) -> Result<Process> {
    let (state, secret) = (directory.join("state"), directory.join("secret"));
    fs::write(&secret, SECRET)?;
    let program = Program::new("coalmine", program, directory)
        .arg("run")
        .flag("repo", format!("file://{}", repository.bare().display()))
        .flag("branch", BRANCH)
        .flag("path", ".")
        .flag("interval", options.interval.as_str())
        .flag("state-dir", &state)
        .flag("listen", STATUS.to_string())
        .flag("webhook-secret-file", &secret)
        .env("KUBECONFIG", bed.kubeconfig().display().to_string());
    let program =
        bed.proxy_metrics().fold(program, |program, at| program.flag("proxy-metrics", at));
    // The clone of an earlier demo's repository, and its log.
    if state.exists() {
        fs::remove_dir_all(&state).with_context(|| format!("cannot remove {}", state.display()))?;
    }
    fs::write(&program.log, "")
        .with_context(|| format!("cannot empty {}", program.log.display()))?;
    Process::start(&program)
}
