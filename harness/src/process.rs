//! Child processes that are looked after: each writes a log file, is stopped in good order, and
//! its unexpected end is an error that shows the end of the log.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use nix::{sys::signal::Signal, unistd::Pid};
use tokio::{
    process::{Child, Command},
    sync::{mpsc, watch},
};

/// Lines of a log that go into an error.
const TAIL: usize = 20;

/// What to start.
#[derive(Clone, Debug)]
pub struct Program {
    /// What people call it; also the stem of its log file.
    pub name: String,
    /// The executable.
    pub executable: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables added to the inherited environment.
    pub env: Vec<(String, String)>,
    /// Takes standard output and standard error; appended to.
    pub log: PathBuf,
}

impl Program {
    /// `executable` with its log at `logs/NAME.log`.
    pub fn new(name: &str, executable: impl Into<PathBuf>, logs: &Path) -> Self {
        Self {
            name: name.to_owned(),
            executable: executable.into(),
            args: Vec::new(),
            env: Vec::new(),
            log: logs.join(format!("{name}.log")),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds `--name=value`.
    #[must_use]
    pub fn flag(self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        let mut arg = OsString::from(format!("--{name}="));
        arg.push(value);
        self.arg(arg)
    }

    /// Adds a variable to the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }
}

/// A running program. Dropping it kills the process.
#[derive(Debug)]
pub struct Process {
    name: String,
    id: Option<u32>,
    log: PathBuf,
    signals: mpsc::UnboundedSender<Signal>,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts `program` in a process group of its own, so that a Ctrl-C at the terminal does not
    /// reach it before we stop it in order.
    ///
    /// # Errors
    /// The executable or the log file cannot be opened.
    pub fn start(program: &Program) -> Result<Self> {
        let Program { name, executable, args, env, log } = program;
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("cannot open {}", log.display()))?;
        let child = Command::new(executable)
            .args(args)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", executable.display()))?;
        let id = child.id();
        let (signals, orders) = mpsc::unbounded_channel();
        let (report, ended) = watch::channel(None);
        tokio::spawn(look_after(child, orders, report));
        Ok(Self { name: name.clone(), id, log: log.clone(), signals, ended })
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number in this process namespace; `None` once it has ended, when the number may be
    /// another's.
    pub fn id(&self) -> Option<u32> {
        self.id.filter(|_| self.ended.borrow().is_none())
    }

    /// Sends a signal; one to a process that has ended already is ignored.
    pub fn signal(&self, signal: Signal) {
        // Nobody receives any more once the process has ended.
        let _ = self.signals.send(signal);
    }

    /// Ends the process at once, as a crash does.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Waits for the process to end.
    pub async fn ended(&self) -> Option<ExitStatus> {
        let mut ended = self.ended.clone();
        let status = ended.wait_for(Option::is_some).await.ok()?;
        *status
    }

    /// An error with the end of the log as soon as the process ends; for a `select!` beside
    /// something that needs it alive.
    pub async fn failure(&self) -> anyhow::Error {
        let status = self.ended().await;
        let how =
            status.map_or_else(|| "was lost".to_owned(), |status| format!("ended ({status})"));
        let tail = tail(&self.log);
        anyhow!("{} {how}; the end of {}:\n{tail}", self.name, self.log.display())
    }

    /// What `work` gives, or an error when the process ends before.
    ///
    /// # Errors
    /// Those of `work`, and the process's end.
    pub async fn alive<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            done = work => done,
            failure = self.failure() => Err(failure),
        }
    }

    /// Asks the process to end, and kills it when it has not within `grace`.
    pub async fn stop(&self, grace: Duration) {
        self.signal(Signal::SIGTERM);
        if tokio::time::timeout(grace, self.ended()).await.is_err() {
            self.kill();
            self.ended().await;
        }
    }
}

/// Owns the child, so that a signal can never reach another process that got its id.
async fn look_after(
    mut child: Child,
    mut orders: mpsc::UnboundedReceiver<Signal>,
    report: watch::Sender<Option<ExitStatus>>,
) {
    loop {
        tokio::select! {
            status = child.wait() => {
                // Waiting for our own child fails only when somebody else reaped it.
                report.send_replace(status.ok());
                return;
            }
            order = orders.recv() => match (order, child.id()) {
                (Some(signal), Some(id)) => {
                    let pid = Pid::from_raw(id.cast_signed());
                    if let Err(error) = nix::sys::signal::kill(pid, signal) {
                        tracing::warn!(%pid, %signal, %error, "cannot send a signal");
                    }
                }
                (Some(_), None) => {}
                // The handle was dropped: so is the child, and with it the process killed.
                (None, _) => return,
            },
        }
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_else(|error| format!("(unreadable: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, logs: &Path) -> Process {
        Process::start(&Program::new("shell", "/bin/sh", logs).arg("-c").arg(script)).unwrap()
    }

    #[tokio::test]
    async fn an_unexpected_end_shows_the_end_of_the_log() {
        let logs = tempfile::tempdir().unwrap();
        let process = shell("for i in $(seq 30); do echo line $i; done; exit 3", logs.path());
        let never = std::future::pending::<Result<()>>();
        let error = process.alive(never).await.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("line 30"), "{error}");
        assert!(!error.contains("line 10\n"), "{error}");
    }

    #[tokio::test]
    async fn a_process_that_ignores_the_request_to_end_is_killed() {
        let logs = tempfile::tempdir().unwrap();
        let script = "trap '' TERM; echo armed; while :; do read x < /dev/zero; done";
        let process = shell(script, logs.path());
        let log = logs.path().join("shell.log");
        crate::wait::until("the trap", Duration::from_secs(10), || async {
            let text = fs::read_to_string(&log).unwrap_or_default();
            crate::wait::Seen::when(text.contains("armed"), text)
        })
        .await
        .unwrap();
        process.stop(Duration::from_millis(100)).await;
        let status = process.ended().await.unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    }
}
