//! Other tools with the same objects, for comparison.

use std::{
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::{
    cold,
    figures::{Figures, Push, Requests, Spread, seconds},
    fleet::{self, Moving, has_weight},
    observer::{Observer, Seen},
    stage::Stage,
};
use crate::api_proxy::{ApiProxy, Mark, Tally};

/// Weight changes to apply: each takes as long as the last.
const CHANGES: usize = 5;

/// Applies everything to an empty cluster, and then everything again with another weight.
pub(super) async fn measure(
    stage: &Stage,
    command: &str,
    services: u16,
    limit: Duration,
) -> Result<Figures> {
    let content = stage.content(services)?;
    let (expected, text) = stage.rendered(&content)?;
    let folder = stage.folder.join("objects");
    fs::create_dir_all(&folder)?;
    // Namespaces before what is in them, for tools that take files as they come.
    fs::write(folder.join("1-platform.yaml"), fleet::platform(services))?;
    let all = folder.join("2-services.yaml");
    fs::write(&all, text)?;
    // Tools ask for more than the daemon's account may see.
    let kubeconfig = stage.folder.join("administrator");
    let proxy = ApiProxy::start(stage.bed.kubeconfig(), &kubeconfig).await?;

    let begun = Instant::now();
    run(stage, command, &folder, &kubeconfig).await?;
    let cold = cold::measure(stage, &proxy, &expected, begun, Mark::default(), limit).await?;

    let mut observer = Observer::start(&stage.bed.client());
    observer.rest(limit).await;

    let moving = Moving::among(services);
    let table = moving.table();
    let (mut applied, mut costs, mut missed) = (Vec::new(), Vec::new(), 0);
    for n in 0..CHANGES {
        let weight = fleet::weight(n + 1);
        fs::write(content.join(moving.file()), moving.values(0, weight))?;
        fs::write(&all, stage.rendered(&content)?.1)?;
        observer.skip();
        let (mark, begun) = (proxy.mark(), Instant::now());
        run(stage, command, &folder, &kubeconfig).await?;
        let fits = |seen: &Seen| seen.id == table && has_weight(&seen.spec, weight);
        match observer.when(Duration::from_secs(10), fits).await {
            Some(at) => applied.push(seconds(begun, at)),
            None => missed += 1,
        }
        costs.push(Requests::of(&proxy.since(mark)));
    }
    let applied = Spread::of(applied);
    Ok(Figures {
        tool: command.to_owned(),
        services,
        cold: Some(cold),
        push: Some(Push {
            with_git_push: applied.clone(),
            applied,
            requests: Spread::of(costs.iter().map(|cost| cost.objects as f64)),
            typical: costs.pop().map_or_else(Tally::new, |cost| cost.by_sort),
            missed,
        }),
        ..Figures::default()
    })
}

/// Runs the command to its end.
async fn run(stage: &Stage, command: &str, folder: &Path, kubeconfig: &Path) -> Result<()> {
    let fill = |word: &str| {
        word.replace("{folder}", &folder.to_string_lossy())
            .replace("{kubeconfig}", &kubeconfig.to_string_lossy())
            .replace("{kubectl}", &stage.bed.kubectl().to_string_lossy())
    };
    let mut words = command.split_whitespace().map(fill);
    let output = Command::new(words.next().context("the command to compare with is empty")?)
        .args(words)
        // Caches of an earlier bed would not fit this one.
        .env("HOME", &stage.folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = output.with_context(|| format!("cannot run {command}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command}: {}", complaint.trim());
    Ok(())
}
