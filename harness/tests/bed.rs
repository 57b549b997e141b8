//! The local bed, looked at from outside: what a person's shell reaches, and that nothing is left.
//!
//! The test starts itself as the program that runs in a bed, so that it can watch the whole of it
//! end. It needs namespaces, so it has a `main` of its own.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use harness::{Bed, BedOptions, Openings, Progress};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const DEADLINE: Duration = Duration::from_secs(120);
/// Every process of a bed inherits it, and so is found again.
const MARK: &str = "COALMINE_BED_TEST";

type Test = (&'static str, fn() -> Result<()>);

const TESTS: [Test; 2] = [
    (
        "what_is_applied_from_outside_answers_and_an_orderly_end_leaves_nothing",
        what_is_applied_from_outside_answers_and_an_orderly_end_leaves_nothing,
    ),
    ("a_killed_program_takes_everything_with_it", a_killed_program_takes_everything_with_it),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let part = match arguments.first().map(String::as_str) {
        Some("run-a-bed") => Some(run_a_bed(Path::new(&arguments[1]))),
        Some("run-a-child") => Some(run_a_child(Path::new(&arguments[1]))),
        _ => None,
    };
    match part {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
        None => run_tests(&arguments),
    }
}

fn run_tests(arguments: &[String]) -> ExitCode {
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let (chosen, rest): (Vec<Test>, Vec<Test>) =
        TESTS.into_iter().partition(|(name, _)| filter.is_none_or(|filter| name.contains(filter)));
    println!("\nrunning {} tests", chosen.len());
    let mut failures = 0;
    for (name, test) in &chosen {
        let outcome = test();
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        if let Err(error) = outcome {
            failures += 1;
            println!("{error:?}");
        }
    }
    let result = if failures == 0 { "ok" } else { "FAILED" };
    let passed = chosen.len() - failures;
    println!(
        "\ntest result: {result}. {passed} passed; {failures} failed; 0 ignored; 0 measured; {} \
         filtered out",
        rest.len()
    );
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn what_is_applied_from_outside_answers_and_an_orderly_end_leaves_nothing() -> Result<()> {
    let mut program = Program::start("run-a-bed")?;
    let said = program.said()?;
    let [kubectl, kubeconfig, proxy] = said.lines().collect::<Vec<_>>()[..] else {
        bail!("unexpected: {said}")
    };
    let manifest = program.folder.path().join("manifest.yaml");
    fs::write(&manifest, include_str!("bed.yaml"))?;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(kubectl);
        command.args(["--kubeconfig", kubeconfig]).args(arguments);
        let output = command.output().context("cannot start kubectl")?;
        ensure!(output.status.success(), "kubectl: {}", String::from_utf8_lossy(&output.stderr));
        anyhow::Ok(String::from_utf8(output.stdout)?)
    };
    run(&["apply", "--filename", &manifest.to_string_lossy()])?;
    run(&["--namespace=echo", "rollout", "status", "deployment/echo-v1", "--timeout=60s"])?;
    until("an answer through the proxy", || {
        let answer = get(proxy.trim_start_matches("http://")).unwrap_or_else(|e| e.to_string());
        let answered =
            answer.ends_with("version:echo-v1\n") && answer.contains("x-pod: echo/echo-v1-");
        Ok((answered, answer))
    })?;
    program.signal(Signal::SIGTERM)?;
    let status = program.ended()?;
    ensure!(status.success(), "the program ended with {status}");
    program.nothing_is_left(Duration::ZERO)
}

fn a_killed_program_takes_everything_with_it() -> Result<()> {
    let mut program = Program::start("run-a-child")?;
    program.said()?;
    let marked = program.processes()?;
    ensure!(marked.len() >= 4, "guard, init, program and its child: {marked:?}");
    program.signal(Signal::SIGKILL)?;
    program.ended()?;
    program.nothing_is_left(DEADLINE)
}

/// The program under test: runs a bed until it is told to end.
fn run_a_bed(folder: &Path) -> Result<()> {
    let inside = harness::enter(&Openings::default())?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let directory = Some(folder.join("bed"));
        let bed = Bed::start(BedOptions { inside, directory }, &Progress::new()).await?;
        let kubectl = bed.kubectl().display();
        let kubeconfig = bed.outside_kubeconfig().display();
        say(folder, &format!("{kubectl}\n{kubeconfig}\n{}\n", bed.outside_proxy_url()))?;
        let mut end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = end.recv() => bed.stop().await,
            error = bed.failure() => Err(error),
        }
    })
}

/// The program under test: starts a child that would run for ever.
fn run_a_child(folder: &Path) -> Result<()> {
    harness::enter(&Openings::default())?;
    let mut child = Command::new("sleep").arg("infinity").spawn()?;
    say(folder, "started\n")?;
    child.wait()?;
    Ok(())
}

fn say(folder: &Path, text: &str) -> Result<()> {
    fs::write(folder.join("saying"), text)?;
    Ok(fs::rename(folder.join("saying"), folder.join("said"))?)
}

/// This executable, started as one of the programs under test.
struct Program {
    child: Child,
    folder: tempfile::TempDir,
    mark: String,
}

impl Program {
    fn start(part: &str) -> Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mark = format!("{MARK}={}", folder.path().display());
        let child = Command::new(env::current_exe()?)
            .arg(part)
            .arg(folder.path())
            .env(MARK, folder.path())
            .spawn()?;
        Ok(Self { child, folder, mark })
    }

    /// What the program says once it is ready.
    fn said(&mut self) -> Result<String> {
        let file = self.folder.path().join("said");
        let child = &mut self.child;
        until("the program to be ready", || {
            if let Some(status) = child.try_wait()? {
                bail!("the program ended with {status}");
            }
            Ok((file.exists(), "nothing said".to_owned()))
        })?;
        Ok(fs::read_to_string(file)?)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.child.id().cast_signed()), signal)?)
    }

    fn ended(&mut self) -> Result<ExitStatus> {
        let mut status = None;
        until("the program to end", || {
            status = self.child.try_wait()?;
            Ok((status.is_some(), "still running".to_owned()))
        })?;
        status.context("no status")
    }

    /// Every process that has inherited the mark.
    fn processes(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let process = entry?.path();
            // Others' processes cannot be read, and some are gone by now: neither is ours.
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|line| line == self.mark.as_bytes()) {
                found.push(process);
            }
        }
        Ok(found)
    }

    fn nothing_is_left(&self, within: Duration) -> Result<()> {
        let end = Instant::now() + within;
        loop {
            let left = self.processes()?;
            if left.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < end, "still there: {left:?}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Only after a failure is there anything left to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn get(address: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /echo HTTP/1.1\r\nhost: echo.example\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks until the answer is yes; the deadline's error says what was seen last.
fn until(what: &str, mut check: impl FnMut() -> Result<(bool, String)>) -> Result<()> {
    let end = Instant::now() + DEADLINE;
    loop {
        let (done, seen) = check()?;
        if done {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{what}: not within {DEADLINE:?}; seen last: {seen}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
