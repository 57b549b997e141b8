//! The fetch as a process of its own: how the daemon starts it, and what it does.
//!
//! The request goes in as one JSON line on stdin, the report comes back as one JSON line on stdout;
//! nothing about the repository or its credentials is an argument that others could read. Empty lines
//! before the report say that something came from the server. Stdin
//! stays open for as long as the daemon waits: when the daemon dies, the child reads the end of it
//! and goes too.

use std::io::{BufRead as _, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, Stdio};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::sync::Notify;

use super::accepted::Accepted;
use super::config::SourceConfig;
use super::error::SourceError;
use super::memory::{is_lack_of_memory, limit};
use super::patience::{Exhausted, exhausted};
use super::request::Request;
use super::revision::Revision;

/// The signal by which the kernel ends a process when memory has run out.
const SIGKILL: i32 = 9;
/// The most that is read of a child's stdout and of its stderr, in bytes.
const LONGEST_OUTPUT: u64 = 1 << 20;

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
    let broken =
        |detail: String| SourceError::Child { repository: config.repository.clone(), detail };
    let mut child = Command::new(&config.program)
        .arg("fetch")
        .env("HOME", request.home())
        .env_remove("XDG_CONFIG_HOME")
        .envs(config.needs_no_authorities().then_some(("SSL_CERT_FILE", "/dev/null")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            broken(format!("{} cannot be started: {error}", config.program.display()))
        })?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let signs = Notify::new();
    let conversation = async {
        let mut stdin = stdin.ok_or(std::io::ErrorKind::BrokenPipe)?;
        let mut line = serde_json::to_vec(&request)?;
        line.push(b'\n');
        stdin.write_all(&line).await?;
        let (report, complaint) = tokio::try_join!(report(stdout, &signs), all(stderr))?;
        let status = child.wait().await?;
        Ok::<_, std::io::Error>((report, complaint, status))
    };
    let silence = config.deadline;
    let ended = tokio::select! {
        ended = conversation => Ok(ended),
        exhausted = exhausted(&signs, silence, config.longest_fetch()) => Err(exhausted),
    };
    match ended {
        Ok(Ok((report, complaint, status))) => match serde_json::from_slice(&report) {
            Ok(Report::Fetched(revision)) => Ok(revision),
            Ok(Report::Failed(error)) => Err(error),
            Err(_) => {
                let complaint = String::from_utf8_lossy(&complaint);
                let last = complaint.trim().lines().last().unwrap_or("it said nothing");
                let detail = format!("the child ended with {status}: {last}");
                // Nobody else ends it by this signal than the kernel, when the pod has no memory left.
                if status.signal() == Some(SIGKILL) || is_lack_of_memory(last) {
                    let (repository, limit) = (config.repository.clone(), config.memory);
                    return Err(SourceError::Memory { repository, limit, detail });
                }
                Err(broken(detail))
            }
        },
        Ok(Err(error)) => Err(broken(format!("talking to the child failed: {error}"))),
        Err(exhausted) => {
            child.kill().await.map_err(|error| broken(format!("it cannot be ended: {error}")))?;
            let repository = config.repository.clone();
            Err(match exhausted {
                Exhausted::Silence(deadline) => SourceError::Deadline { repository, deadline },
                Exhausted::Length(limit) => SourceError::Endless { repository, limit },
            })
        }
    }
}

/// The last line that is not empty. Each empty one is a sign of life.
async fn report(pipe: Option<impl AsyncRead + Unpin>, signs: &Notify) -> std::io::Result<Vec<u8>> {
    let pipe = pipe.ok_or(std::io::ErrorKind::BrokenPipe)?;
    let mut lines = BufReader::new(pipe.take(LONGEST_OUTPUT)).split(b'\n');
    let mut report = Vec::new();
    while let Some(line) = lines.next_segment().await? {
        if line.is_empty() { signs.notify_one() } else { report = line }
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
    let mut line = String::new();
    let request = std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(anyhow::Error::from)
        .and_then(|_| Ok(serde_json::from_str::<Request>(&line)?));
    let request = match request {
        Ok(request) => request,
        Err(error) => {
            eprintln!("`fetch` is started by the daemon, with its request on stdin: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = limit(request.memory) {
        eprintln!("the memory of this process cannot be limited: {error}");
        return ExitCode::FAILURE;
    }
    std::thread::spawn(|| {
        // Nobody is left to report to once stdin ends, whether that is read as an end or an error.
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    let report = match super::clone::fetch(&request) {
        Ok(revision) => Report::Fetched(revision),
        Err(error) => Report::Failed(error),
    };
    let written = serde_json::to_string(&report)
        .map_err(std::io::Error::from)
        .and_then(|line| writeln!(std::io::stdout(), "{line}"));
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
