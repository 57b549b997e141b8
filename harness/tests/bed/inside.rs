//! The programs under test, each of which runs in a bed or at least in its namespaces.

use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use harness::{
    Bed, BedOptions, Openings, Progress,
    load::Load,
    sample::{self, Target},
};

/// One service with one version, and what makes it answer.
pub(crate) const ECHO: &str = include_str!("echo.yaml");

/// Runs a bed until it is told to end.
pub(crate) fn run_a_bed(folder: &Path) -> Result<()> {
    let inside = harness::enter(&Openings::default())?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let directory = Some(folder.join("bed"));
        let bed = Bed::start(BedOptions { directory, ..BedOptions::new(inside) }, &Progress::new())
            .await?;
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

/// Starts a child that would run for ever.
pub(crate) fn run_a_child(folder: &Path) -> Result<()> {
    harness::enter(&Openings::default())?;
    let mut child = Command::new("sleep").arg("infinity").spawn()?;
    say(folder, "started\n")?;
    child.wait()?;
    Ok(())
}

/// Deletes a pod and then replaces all of them under a load, takes everything away, and does it again.
pub(crate) fn change_under_load(folder: &Path) -> Result<()> {
    let inside = harness::enter(&Openings::default())?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let directory = Some(folder.join("bed"));
        let bed = Bed::start(BedOptions { directory, ..BedOptions::new(inside) }, &Progress::new())
            .await?;
        let manifest = folder.join("manifest.yaml");
        fs::write(&manifest, ECHO)?;
        for _ in 0..2 {
            kubectl(&bed, &["apply", "--filename", &manifest.to_string_lossy()])?;
            kubectl(&bed, &ROLLED_OUT)?;
            let mut target = Target::new(bed.proxy_url(), "/echo");
            target.host = Some("echo.example".to_owned());
            let expected = BTreeSet::from(["echo-v1".to_owned()]);
            sample::converge(&target, &expected, Duration::from_secs(30)).await?;
            let load = Load::start([("echo".to_owned(), target)], 200)?;
            let pods = kubectl(&bed, &["--namespace=echo", "get", "pod", "--output=name"])?;
            let pod = pods.lines().next().context("no pod")?;
            kubectl(&bed, &["--namespace=echo", "delete", pod, "--wait"])?;
            kubectl(&bed, &["--namespace=echo", "rollout", "restart", "deployment/echo-v1"])?;
            kubectl(&bed, &ROLLED_OUT)?;
            // Until the last of the old pods is gone, requests could still be lost with it.
            let left = ["--for=jsonpath={.status.terminatingReplicas}=0", "deployment/echo-v1"];
            kubectl(&bed, &[&["--namespace=echo", "wait", "--timeout=60s"], &left[..]].concat())?;
            let total = load.stop().await.remove("echo").context("no total")?;
            ensure!(total.requests > 100, "only {} requests", total.requests);
            ensure!(total.failed == 0, "{} failed: {:?}", total.failed, total.failures);
            bed.reset().await?;
            let left = kubectl(&bed, &["get", "namespace", "--output=name"])?;
            ensure!(!left.contains("echo"), "still there: {left}");
        }
        bed.stop().await
    })
}

const ROLLED_OUT: [&str; 5] =
    ["--namespace=echo", "rollout", "status", "deployment/echo-v1", "--timeout=60s"];

pub(crate) fn kubectl(bed: &Bed, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(bed.kubectl());
    command.arg("--kubeconfig").arg(bed.kubeconfig()).args(arguments);
    let output = command.output().context("cannot start kubectl")?;
    ensure!(output.status.success(), "kubectl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn say(folder: &Path, text: &str) -> Result<()> {
    fs::write(folder.join("saying"), text)?;
    Ok(fs::rename(folder.join("saying"), folder.join("said"))?)
}
