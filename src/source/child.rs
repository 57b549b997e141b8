//! The fetch, and whatever else talks to a git server, as a process of its own: how the daemon starts it, and what
//! it does.
//!
//! The request goes in as one JSON line on stdin, the report comes back as one JSON line on stdout;
//! nothing about the repository or its credentials is an argument that others could read. Empty lines
//! before the report say that something came from the server, and lines that begin with `>` what is done next. Stdin
//! stays open for as long as the daemon waits: when the daemon dies, the child reads the end of it
//! and goes too.

use std::io::{BufRead as _, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::sync::Notify;

use super::accepted::Accepted;
use super::config::SourceConfig;
use super::error::SourceError;
use super::memory::{is_lack_of_memory, limit};
use super::patience::{Exhausted, Patience, exhausted};
use super::request::Request;
use super::revision::Revision;

/// The signal by which the kernel ends a process when memory has run out.
const SIGKILL: i32 = 9;
/// The most that is read of a child's stdout and of its stderr, in bytes.
const LONGEST_OUTPUT: u64 = 1 << 20;
/// How a line begins that says what the child does next. No report of JSON does.
const STEP: u8 = b'>';

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Report {
    Fetched(Revision),
    Failed(SourceError),
}

/// Runs one fetch in a child, which is killed when it gets on no more or this future is dropped.
pub(super) async fn fetch(
    config: &SourceConfig,
    verify: bool,
    accepted: Option<Accepted>,
) -> Result<Revision, SourceError> {
    let request = Request {
        repository: config.repository.clone(),
        branch: config.branch.clone(),
        path: config.path.clone(),
        directory: config.directory.clone(),
        memory: config.memory,
        credentials: config.credentials.clone(),
        verify,
        policy: config.policy.clone(),
        accepted,
    };
    let child = Child { config, command: "fetch", home: request.home() };
    let patience = Patience { silence: config.deadline, length: config.longest_fetch() };
    let repository = config.repository.clone();
    match child.ask(&request, patience, |_| {}).await {
        Ok(Report::Fetched(revision)) => Ok(revision),
        Ok(Report::Failed(error)) => Err(error),
        Err(Trouble::Broken(detail)) => Err(SourceError::Child { repository, detail }),
        Err(Trouble::Memory(detail)) => {
            Err(SourceError::Memory { repository, limit: config.memory, detail })
        }
        Err(Trouble::Exhausted(Exhausted::Silence(deadline))) => {
            Err(SourceError::Deadline { repository, deadline })
        }
        Err(Trouble::Exhausted(Exhausted::Length(limit))) => {
            Err(SourceError::Endless { repository, limit })
        }
    }
}

/// A process of this program that does one thing with git.
pub(super) struct Child<'a> {
    pub(super) config: &'a SourceConfig,
    /// Its hidden command.
    pub(super) command: &'a str,
    /// Its home directory: no configuration of a person's git or ssh is read.
    pub(super) home: PathBuf,
}

/// Why a child reported nothing.
pub(super) enum Trouble {
    /// It could not be started, or ended otherwise than it should.
    Broken(String),
    /// It got no more memory.
    Memory(String),
    /// It was killed.
    Exhausted(Exhausted),
}

impl Child<'_> {
    /// Starts it, tells it the request and waits for its report. It is killed when the patience ends or this
    /// future is dropped. `on_step` gets what it says in between, without the first character.
    pub(super) async fn ask<A: DeserializeOwned>(
        &self,
        request: &impl Serialize,
        patience: Patience,
        on_step: impl FnMut(&[u8]),
    ) -> Result<A, Trouble> {
        let config = self.config;
        let mut child = Command::new(&config.program)
            .arg(self.command)
            .env("HOME", &self.home)
            .env_remove("XDG_CONFIG_HOME")
            .envs(config.needs_no_authorities().then_some(("SSL_CERT_FILE", "/dev/null")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                let program = config.program.display();
                Trouble::Broken(format!("{program} cannot be started: {error}"))
            })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (stdin, stdout, stderr) = pipes;
        let signs = Notify::new();
        let conversation = async {
            let mut stdin = stdin.ok_or(std::io::ErrorKind::BrokenPipe)?;
            let mut line = serde_json::to_vec(request)?;
            line.push(b'\n');
            stdin.write_all(&line).await?;
            let (report, complaint) =
                tokio::try_join!(report(stdout, &signs, on_step), all(stderr))?;
            let status = child.wait().await?;
            Ok::<_, std::io::Error>((report, complaint, status))
        };
        let ended = tokio::select! {
            ended = conversation => Ok(ended),
            exhausted = exhausted(&signs, patience.silence, patience.length) => Err(exhausted),
        };
        match ended {
            Ok(Ok((report, complaint, status))) => serde_json::from_slice(&report).map_err(|_| {
                let complaint = String::from_utf8_lossy(&complaint);
                let last = complaint.trim().lines().last().unwrap_or("it said nothing");
                let detail = format!("the child ended with {status}: {last}");
                // Nobody else ends it by this signal than the kernel, when the pod has no memory left.
                match status.signal() == Some(SIGKILL) || is_lack_of_memory(last) {
                    true => Trouble::Memory(detail),
                    false => Trouble::Broken(detail),
                }
            }),
            Ok(Err(error)) => Err(Trouble::Broken(format!("talking to the child failed: {error}"))),
            Err(exhausted) => {
                let killed = child.kill().await;
                killed.map_err(|error| Trouble::Broken(format!("it cannot be ended: {error}")))?;
                Err(Trouble::Exhausted(exhausted))
            }
        }
    }
}

/// The last line that is no sign of life. Those are the empty ones, and those that begin with [`STEP`].
async fn report(
    pipe: Option<impl AsyncRead + Unpin>,
    signs: &Notify,
    mut on_step: impl FnMut(&[u8]),
) -> std::io::Result<Vec<u8>> {
    let pipe = pipe.ok_or(std::io::ErrorKind::BrokenPipe)?;
    let mut lines = BufReader::new(pipe.take(LONGEST_OUTPUT)).split(b'\n');
    let mut report = Vec::new();
    while let Some(line) = lines.next_segment().await? {
        match line.as_slice() {
            [] => signs.notify_one(),
            [STEP, step @ ..] => {
                on_step(step);
                signs.notify_one();
            }
            _ => report = line,
        }
    }
    Ok(report)
}

async fn all(pipe: Option<impl AsyncReadExt + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let pipe = pipe.ok_or(std::io::ErrorKind::BrokenPipe)?;
    pipe.take(LONGEST_OUTPUT).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// The child's side, the whole of the hidden `fetch` command: reads one request from stdin, fetches,
/// and reports on stdout.
pub fn serve() -> ExitCode {
    serve_one(
        "fetch",
        |request: &Request| request.memory,
        |request| match super::clone::fetch(&request) {
            Ok(revision) => Report::Fetched(revision),
            Err(error) => Report::Failed(error),
        },
    )
}

/// The child's side of any hidden command: reads one request from stdin, carries it out within `memory`, and reports on
/// stdout. Ends when the daemon does.
pub(super) fn serve_one<Q: DeserializeOwned, A: Serialize>(
    command: &str,
    memory: impl Fn(&Q) -> u64,
    work: impl FnOnce(Q) -> A,
) -> ExitCode {
    let mut line = String::new();
    let request = std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(anyhow::Error::from)
        .and_then(|_| Ok(serde_json::from_str::<Q>(&line)?));
    let request = match request {
        Ok(request) => request,
        Err(error) => {
            eprintln!("`{command}` is started by the daemon, with its request on stdin: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = limit(memory(&request)) {
        eprintln!("the memory of this process cannot be limited: {error}");
        return ExitCode::FAILURE;
    }
    std::thread::spawn(|| {
        // Nobody is left to report to once stdin ends, whether that is read as an end or an error.
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    let report = work(request);
    let written = serde_json::to_string(&report)
        .map_err(std::io::Error::from)
        .and_then(|line| writeln!(std::io::stdout(), "{line}"));
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tells the daemon what comes next. A daemon that is gone is no reason to stop halfway.
pub(super) fn tell_step(step: &impl Serialize) {
    if let Ok(step) = serde_json::to_string(step) {
        let mut stdout = std::io::stdout();
        let _ = writeln!(stdout, "{}{step}", char::from(STEP)).and_then(|()| stdout.flush());
    }
}
