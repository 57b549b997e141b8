//! What runs: the bed, the repository, and coalmine between them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::prepare;
use super::{Options, steps};
use crate::namespace::{Inside, STATUS};
use crate::process::{Process, Program};
use crate::progress::Progress;
use crate::repository::{BRANCH, Repository};
use crate::status::{Status, StatusClient};
use crate::wait::{self, Seen};
use crate::{Bed, BedOptions, programs};

/// How long the daemon has for its first revision, and for each further one.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// How long coalmine may take to end.
const GRACE: Duration = Duration::from_secs(10);

pub(super) struct Scene {
    pub(super) bed: Bed,
    pub(super) repository: Repository,
    pub(super) status: StatusClient,
    daemon: Process,
    status_url: String,
    directory: PathBuf,
}

impl Scene {
    /// Starts everything and waits until the repository's services are ready.
    pub(super) async fn start(
        options: &Options,
        inside: Inside,
        progress: &Progress,
    ) -> Result<Self> {
        let directory = prepare::directory();
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        remove(&directory.join("env"))?;
        let bed = Bed::start(BedOptions { inside, directory: None }, progress).await?;
        let repository =
            Repository::create(&directory, &prepare::workspace().join("rollouts")).await?;
        let step = progress.step("coalmine takes up the repository");
        let daemon = start_daemon(options, &bed, &repository, &directory)?;
        let status = StatusClient::new(&format!("http://{STATUS}"))?;
        let status_url = format!("http://{}/api/services", inside.outside_status());
        let scene = Self { bed, repository, status, daemon, status_url, directory };
        let first = scene.repository.head().await?;
        scene.alive(scene.applied_everywhere(&first)).await?;
        scene.write_environment()?;
        step.done();
        Ok(scene)
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
        let text = format!(
            "KUBECONFIG={}\nKUBECTL={}\nPROXY_URL={}\nSTATUS_URL={}\nREPOSITORY={}\n",
            self.bed.outside_kubeconfig().display(),
            self.bed.kubectl().display(),
            self.bed.outside_proxy_url(),
            self.status_url,
            self.repository.bare().display(),
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

# See who answers:
curl {proxy}/{service}
curl -H '{name}: {value}' {proxy}/{service}

# See the rollouts in a browser: {page}

# Look at the cluster, and at what coalmine says (its log: {log}):
(. {environment}; KUBECONFIG=$KUBECONFIG $KUBECTL get deployments,upstreams,routetables -A)
curl {status}

Ctrl-C ends everything.
",
            log = self.directory.join("coalmine.log").display(),
            status = self.status_url,
            page = self.status_url.trim_end_matches("api/services"),
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
    directory: &Path,
) -> Result<Process> {
    let state = directory.join("state");
    let program = Program::new("coalmine", programs::find("coalmine")?, directory)
        .arg("run")
        .flag("repo", format!("file://{}", repository.bare().display()))
        .flag("branch", BRANCH)
        .flag("path", ".")
        .flag("interval", options.interval.as_str())
        .flag("state-dir", &state)
        .flag("listen", STATUS.to_string())
        .env("KUBECONFIG", bed.kubeconfig().display().to_string());
    // The clone of an earlier demo's repository, and its log.
    if state.exists() {
        fs::remove_dir_all(&state).with_context(|| format!("cannot remove {}", state.display()))?;
    }
    fs::write(&program.log, "")
        .with_context(|| format!("cannot empty {}", program.log.display()))?;
    Process::start(&program)
}
