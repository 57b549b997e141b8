//! What a reader has before the first command of a page.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use harness::Bed;
use harness::process::{Process, Program};
use harness::repository::{BRANCH, Repository};
use harness::status::StatusClient;
use harness::wait::{Seen, until};
use tempfile::TempDir;

use crate::root;
use crate::session::Session;

const DEADLINE: Duration = Duration::from_secs(120);
const SHUTDOWN: Duration = Duration::from_secs(15);
/// Lines of the daemon's log that are shown with a failure.
const TAIL: usize = 12;

/// Where a reader stands. A daemon follows the example repository, and the cluster is as that says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// In a clone of this project, and `cargo demo` runs.
    Demo,
    /// In a checkout of the repository.
    Followed,
}

/// It, set up.
pub(crate) struct Scene {
    stand: Stand,
    folder: TempDir,
    repository: Repository,
    daemon: Process,
    log: PathBuf,
}

impl Scene {
    pub(crate) async fn set(bed: &Bed, stand: Stand) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let demo = folder.path().join("target/demo");
        fs::create_dir_all(&demo)?;
        let repository = Repository::create(&demo, &root().join("rollouts")).await?;
        let server = format!("http://{}", bed.status_address());
        let environment = harness::demo::environment(
            bed.kubeconfig(),
            bed.kubectl(),
            bed.proxy_url(),
            &server,
            repository.bare(),
        );
        fs::write(demo.join("env"), environment)?;
        let program = Program::new("coalmine", env!("CARGO_BIN_EXE_coalmine"), folder.path())
            .arg("run")
            .flag("repo", format!("file://{}", repository.bare().display()))
            .flag("branch", BRANCH)
            .flag("interval", "500ms")
            .flag("state-dir", folder.path().join("state"))
            .flag("listen", bed.status_address().to_string())
            .env("KUBECONFIG", bed.kubeconfig().display().to_string());
        let daemon = Process::start(&program)?;
        let client = StatusClient::new(&server)?;
        let first = repository.head().await?;
        let ready = until("the example to be applied", DEADLINE, || async {
            Seen::from_result(client.get().await.and_then(|status| {
                let services = &status.services;
                let waiting = services.iter().find(|service| !service.has_applied(&first));
                anyhow::ensure!(!services.is_empty(), "no service is known yet");
                waiting.map_or(Ok(()), |service| anyhow::bail!("{}", service.summary()))
            }))
        });
        let ready = daemon.alive(ready).await;
        let scene = Self { stand, folder, repository, daemon, log: program.log };
        match ready {
            Ok(()) => Ok(scene),
            Err(error) => scene.strike(Err(error)).await.and_then(|()| anyhow::bail!("no scene")),
        }
    }

    /// The reader's shell: commands are found, nobody's settings are.
    pub(crate) fn session(&self, bed: &Bed) -> Result<Session> {
        let folder = self.folder.path();
        let home = folder.join("home");
        let commands = folder.join("commands");
        fs::create_dir_all(&home)?;
        fs::create_dir_all(&commands)?;
        let settings =
            "[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n";
        fs::write(home.join(".gitconfig"), settings)?;
        link(Path::new(env!("CARGO_BIN_EXE_coalmine")), &commands.join("coalmine"))?;
        link(bed.kubectl(), &commands.join("kubectl"))?;
        let path = std::env::var("PATH").context("there is no PATH")?;
        let environment = vec![
            ("PATH", format!("{}:{path}", commands.display())),
            ("HOME", home.display().to_string()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("KUBECONFIG", bed.kubeconfig().display().to_string()),
            ("PROXY_URL", bed.proxy_url().to_owned()),
            ("COALMINE_SERVER", format!("http://{}", bed.status_address())),
        ];
        let begin = match self.stand {
            Stand::Demo => folder,
            Stand::Followed => self.repository.clone_directory(),
        };
        Session::new(begin, folder, environment)
    }

    /// Ends the daemon; a failure is told with the end of its log.
    pub(crate) async fn strike(self, outcome: Result<()>) -> Result<()> {
        self.daemon.stop(SHUTDOWN).await;
        outcome.with_context(|| {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL)..];
            format!("the daemon's log ends with\n{}\n\nand the page fails at", tail.join("\n"))
        })
    }
}

fn link(program: &Path, name: &Path) -> Result<()> {
    std::os::unix::fs::symlink(program, name)
        .with_context(|| format!("cannot link to {}", program.display()))
}
