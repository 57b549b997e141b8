//! The local bed, looked at from outside: what a person's shell reaches, and that nothing is left.
//!
//! The test starts itself as the program that runs in a bed, so that it can watch the whole of it
//! end. It needs namespaces, so it has a `main` of its own.

mod https;
mod inside;
mod load;
mod program;
mod routes;

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use harness::bed::{self, GatewayKind, Kind};
use nix::sys::signal::Signal;

use program::Program;

const DEADLINE: Duration = Duration::from_secs(120);

/// A test by its name, and the gateways that it is about.
type Test = (&'static str, Gateways, fn() -> Result<()>);

/// The gateways that a test is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gateways {
    Any,
    Gloo,
    GatewayApi,
}

impl Gateways {
    /// Why a test is not run with this gateway; `None` when it is.
    fn without(self, gateway: GatewayKind) -> Option<&'static str> {
        match self {
            Self::Gloo if gateway.is_of_gateway_api() => {
                Some("it is about Gloo: unset COALMINE_GATEWAY")
            }
            Self::GatewayApi if !gateway.is_of_gateway_api() => Some(
                "it is about the Gateway API: set COALMINE_GATEWAY to kgateway or envoy-gateway",
            ),
            _ => None,
        }
    }
}

const TESTS: [Test; 6] = [
    (
        "what_is_applied_from_outside_answers_and_an_orderly_end_leaves_nothing",
        Gateways::Gloo,
        what_is_applied_from_outside_answers_and_an_orderly_end_leaves_nothing,
    ),
    (
        "no_request_fails_while_pods_go_and_a_reset_leaves_nothing",
        Gateways::Gloo,
        no_request_fails_while_pods_go_and_a_reset_leaves_nothing,
    ),
    (
        "a_gateway_with_tls_and_another_on_a_further_port_are_served",
        Gateways::Gloo,
        a_gateway_with_tls_and_another_on_a_further_port_are_served,
    ),
    (
        "a_killed_program_takes_everything_with_it",
        Gateways::Any,
        a_killed_program_takes_everything_with_it,
    ),
    (
        "routes_of_the_gateway_api_answer_as_they_say_before_and_after_a_change",
        Gateways::GatewayApi,
        routes_of_the_gateway_api_answer_as_they_say_before_and_after_a_change,
    ),
    (
        "a_rule_that_is_warmed_first_loses_no_request_on_the_way_there_and_back",
        Gateways::GatewayApi,
        a_rule_that_is_warmed_first_loses_no_request_on_the_way_there_and_back,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let part = match arguments.first().map(String::as_str) {
        Some("run-a-bed") => Some(inside::run_a_bed(Path::new(&arguments[1]))),
        Some("run-a-child") => Some(inside::run_a_child(Path::new(&arguments[1]))),
        Some("change-under-load") => Some(inside::change_under_load(Path::new(&arguments[1]))),
        Some("route") => Some(routes::route(Path::new(&arguments[1]))),
        Some("keep-all") => Some(routes::keep_all(Path::new(&arguments[1]))),
        Some("measure-orders") => Some(routes::measure(Path::new(&arguments[1]))),
        Some("serve-https") => Some(https::serve_https(Path::new(&arguments[1]))),
        _ => None,
    };
    match part {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
        None => match Kind::from_environment() {
            Ok(Kind::Local) => match bed::Gateways::from_environment() {
                Ok(gateways) => run_tests(&arguments, gateways.first),
                Err(error) => {
                    eprintln!("error: {error:#}");
                    ExitCode::FAILURE
                }
            },
            Ok(other) => {
                println!(
                    "not run on the bed {}: these tests are about the local one",
                    other.name()
                );
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run_tests(arguments: &[String], gateway: GatewayKind) -> ExitCode {
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let (chosen, rest): (Vec<Test>, Vec<Test>) =
        TESTS.into_iter().partition(|(name, ..)| filter.is_none_or(|filter| name.contains(filter)));
    println!("\nrunning {} tests", chosen.len());
    let mut not_run = 0;
    let mut failures = 0;
    for (name, gateways, test) in &chosen {
        if let Some(reason) = gateways.without(gateway) {
            println!("test {name} ... ignored, NOT RUN with {}: {reason}", gateway.name());
            not_run += 1;
            continue;
        }
        let outcome = test();
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        if let Err(error) = outcome {
            failures += 1;
            println!("{error:?}");
        }
    }
    let result = if failures == 0 { "ok" } else { "FAILED" };
    let passed = chosen.len() - failures - not_run;
    println!(
        "\ntest result: {result}. {passed} passed; {failures} failed; {not_run} ignored; 0 measured; {} \
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
    fs::write(&manifest, inside::ECHO)?;
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

fn no_request_fails_while_pods_go_and_a_reset_leaves_nothing() -> Result<()> {
    let mut program = Program::start("change-under-load")?;
    let status = program.ended()?;
    ensure!(status.success(), "the program ended with {status}");
    program.nothing_is_left(Duration::ZERO)
}

fn a_gateway_with_tls_and_another_on_a_further_port_are_served() -> Result<()> {
    let mut program = Program::start("serve-https")?;
    let status = program.ended()?;
    ensure!(status.success(), "the program ended with {status}");
    program.nothing_is_left(Duration::ZERO)
}

fn routes_of_the_gateway_api_answer_as_they_say_before_and_after_a_change() -> Result<()> {
    let mut program = Program::start("route")?;
    let status = program.ended()?;
    ensure!(status.success(), "the program ended with {status}");
    program.nothing_is_left(Duration::ZERO)
}

fn a_rule_that_is_warmed_first_loses_no_request_on_the_way_there_and_back() -> Result<()> {
    let mut program = Program::start("keep-all")?;
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

fn get(address: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /echo HTTP/1.1\r\nhost: echo.example\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks until the answer is yes; the deadline's error says what was seen last.
pub(crate) fn until(what: &str, mut check: impl FnMut() -> Result<(bool, String)>) -> Result<()> {
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
