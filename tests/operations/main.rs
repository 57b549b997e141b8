//! What runs the daemon on a cluster, against a real API server: the objects of `deploy/`, the
//! election of who writes, and what it asks for.
//!
//! A program of its own kind, because the bed wants a namespace before there are threads. A word
//! after `cargo test --test operations` chooses the tests whose names contain it.

mod crashes;
mod election;
mod failover;
mod faults;
mod isolation;
mod lockdown;
mod manifests;
mod namespaced;
mod requests;
mod silence;
mod soak;
mod trouble;

use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::bed::Kind;
use harness::{Bed, BedOptions, Inside, Openings, Progress};

/// How long a daemon gets to stop in order.
const SHUTDOWN: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    if let Some(other) = Kind::other_than_local_gloo() {
        println!("not run {other}: these tests are made for Gloo on the local bed");
        return ExitCode::SUCCESS;
    }
    match harness::enter(&Openings::default()).and_then(run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(inside: Inside) -> Result<bool> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        // The API server turns requests away when it is asked for too much, as those of real clusters do.
        let options = BedOptions { fairness: true, ..BedOptions::new(inside) };
        let bed = Bed::start(options, &Progress::new()).await?;
        let mut all_passed = true;
        let mut ran = 0;
        macro_rules! test {
            ($test:path) => {
                if chosen(stringify!($test)) {
                    let outcome = $test(&bed).await;
                    println!(
                        "test {} ... {}",
                        stringify!($test),
                        if outcome.is_ok() { "ok" } else { "FAILED" }
                    );
                    if let Err(error) = outcome {
                        println!("{error:#}");
                        all_passed = false;
                    }
                    ran += 1;
                    bed.reset().await?;
                }
            };
        }
        test!(manifests::the_api_server_takes_every_object_and_every_pod_is_a_restricted_one);
        test!(manifests::the_daemon_has_a_priority_of_its_own);
        test!(election::another_one_leads_soon_after_a_crash_and_at_once_after_a_shutdown);
        test!(failover::a_push_is_applied_although_the_daemon_that_leads_is_killed);
        test!(failover::a_push_that_is_told_to_the_standby_is_applied_by_the_one_that_leads);
        test!(failover::a_replica_that_cannot_reach_the_source_goes_back_to_no_older_commit);
        test!(failover::a_rollout_is_one_message_also_of_the_daemon_that_leads_next);
        test!(crashes::a_daemon_that_is_killed_at_any_call_goes_on_where_it_was);
        test!(isolation::the_pushes_of_one_team_do_not_wait_for_the_troubles_of_others);
        test!(silence::a_silent_or_busy_api_server_is_told_and_holds_up_nobody_else);
        test!(faults::the_promises_hold_whatever_fails_between_the_daemon_and_the_api_server);
        test!(lockdown::the_objects_of_a_team_are_written_as_its_account_and_nothing_as_the_daemon);
        test!(namespaced::no_object_of_the_overlay_belongs_to_the_cluster);
        test!(namespaced::roles_in_single_namespaces_are_enough_and_nothing_else_is_read);
        test!(namespaced::a_silent_namespace_holds_up_its_own_service_and_no_other);
        test!(namespaced::a_team_is_written_as_its_account_by_roles_alone);
        test!(soak::a_daemon_that_reconciles_again_and_again_holds_no_more_than_before);
        test!(requests::commits_that_change_nothing_cost_nothing_and_others_what_they_change);
        ensure!(ran > 0, "no test was run");
        bed.stop().await?;
        Ok(all_passed)
    })
}

fn chosen(test: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    words.peek().is_none() || words.any(|word| test.contains(&word))
}

/// What kubectl says, given this input.
fn kubectl(bed: &Bed, arguments: &[&str], input: &str) -> Result<String> {
    let mut command = Command::new(bed.kubectl());
    command.arg("--kubeconfig").arg(bed.kubeconfig()).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start kubectl")?;
    std::io::Write::write_all(&mut child.stdin.take().context("no input")?, input.as_bytes())?;
    let output = child.wait_with_output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl {}: {complaint}", arguments.join(" "));
    // Warnings are complaints too, of what will be refused one day.
    ensure!(!complaint.contains("Warning"), "kubectl {}: {complaint}", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}

/// The objects of a folder below `deploy/`.
fn kustomize(bed: &Bed, folder: &str) -> Result<String> {
    let path = format!("{}/deploy/{folder}", env!("CARGO_MANIFEST_DIR"));
    kubectl(bed, &["kustomize", &path], "")
}
