//! `kubectl apply` with the same objects, for comparison.

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
    figures::{Cold, Figures, Push, Requests, Spread, seconds},
    fleet::{self, MOVING, MOVING_FILE, has_weight},
    observer::{Id, Seen},
    options::Baseline,
    stage::Stage,
};
use crate::api_proxy::Tally;

/// Weight changes to apply: each takes as long as the last.
const CHANGES: usize = 5;

/// Applies everything to an empty cluster, and then everything again with another weight.
pub(super) async fn measure(
    stage: &mut Stage,
    baseline: Baseline,
    services: u16,
    limit: Duration,
) -> Result<Figures> {
    let content = stage.folder.join("content");
    fleet::write(&content, services)?;
    let (expected, text) = stage.rendered(&content)?;
    let platform = stage.folder.join("platform.yaml");
    fs::write(&platform, fleet::platform(services))?;
    let all = stage.folder.join("all.yaml");
    fs::write(&all, text)?;

    // Namespaces before what is in them, as kubectl has to be told.
    let (mark, begun) = (stage.proxy.mark(), Instant::now());
    apply(stage, baseline, &platform).await?;
    apply(stage, baseline, &all).await?;
    let cold: Cold = cold::measure(stage, expected, begun, mark, None, limit).await?;

    let table = Id::new("RouteTable", "fleet-0", &format!("{MOVING}-routes"));
    let (mut applied, mut costs, mut missed) = (Vec::new(), Vec::new(), 0);
    for n in 0..CHANGES {
        let weight = fleet::weight(n + 1);
        fs::write(content.join(MOVING_FILE), fleet::moving(weight))?;
        fs::write(&all, stage.rendered(&content)?.1)?;
        stage.observer.skip();
        let (mark, begun) = (stage.proxy.mark(), Instant::now());
        apply(stage, baseline, &all).await?;
        let fits = |seen: &Seen| seen.id == table && has_weight(&seen.spec, weight);
        match stage.observer.when(Duration::from_secs(10), fits).await {
            Some(at) => applied.push(seconds(begun, at)),
            None => missed += 1,
        }
        costs.push(Requests::of(&stage.proxy.since(mark)));
    }
    let applied = Spread::of(applied);
    Ok(Figures {
        tool: baseline.name().to_owned(),
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

impl Baseline {
    fn name(self) -> &'static str {
        match self {
            Self::Kubectl => "kubectl apply",
            Self::KubectlServerSide => "kubectl apply --server-side",
        }
    }
}

async fn apply(stage: &Stage, baseline: Baseline, file: &Path) -> Result<()> {
    let mut command = Command::new(stage.bed.kubectl());
    command.arg("--kubeconfig").arg(&stage.kubeconfig).arg("apply").arg("--filename").arg(file);
    if baseline == Baseline::KubectlServerSide {
        command.args(["--server-side", "--force-conflicts"]);
    }
    // Its caches of an earlier bed would not fit this one.
    command.arg("--cache-dir").arg(stage.folder.join("kubectl"));
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.context("cannot run kubectl")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl apply: {complaint}");
    Ok(())
}
