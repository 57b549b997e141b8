//! Two candidates, with exactly the rights of `deploy/base`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use coalmine::election::{Campaign, LeaseName, Tenure, Timing, campaign, identity};
use coalmine::shard::Shard;
use harness::Bed;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::{kubectl, kustomize};

/// Far longer than any hand-over.
const DEADLINE: Duration = Duration::from_secs(60);
const ROUNDS: usize = 3;

/// How long each hand-over took is printed, not judged: that is the machine's affair.
pub(crate) async fn another_one_leads_soon_after_a_crash_and_at_once_after_a_shutdown(
    bed: &Bed,
) -> Result<()> {
    let objects = kustomize(bed, "base")?;
    let rights = objects.split("\n---\n").filter(|object| !object.contains("kind: Deployment\n"));
    let rights = rights.collect::<Vec<_>>().join("\n---\n");
    kubectl(bed, &["apply", "--server-side", "--filename=-"], &rights)?;

    let mut leader = candidate(bed).await?;
    let mut tenure = leads(&leader).await?;
    for _ in 0..ROUNDS {
        for crash in [true, false] {
            let standby = candidate(bed).await?;
            sees_a_leader(&standby).await?;
            let end = Instant::now();
            if crash {
                drop(leader);
            } else {
                leader.resign().await;
            }
            let next = leads(&standby).await?;
            let how = if crash { "a crash" } else { "a shutdown" };
            println!("another one led {} ms after {how}", end.elapsed().as_millis());
            tokio::time::timeout(DEADLINE, tenure.lost())
                .await
                .context("the one before still believes that it leads")?;
            (leader, tenure) = (standby, next);
        }
    }
    leader.resign().await;
    Ok(())
}

async fn candidate(bed: &Bed) -> Result<Campaign> {
    let lease = LeaseName::of("coalmine", "default", Shard::WHOLE);
    Ok(campaign(client(bed).await?, lease, identity(), Timing::default()))
}

async fn leads(candidate: &Campaign) -> Result<Tenure> {
    let leadership = candidate.leadership();
    tokio::time::timeout(DEADLINE, leadership.acquired()).await.context("nobody leads")
}

async fn sees_a_leader(candidate: &Campaign) -> Result<()> {
    let leadership = candidate.leadership();
    harness::wait::until("the standby to see the leader", DEADLINE, async || {
        harness::wait::Seen::when(leadership.other_leader().is_some(), "it sees none")
    })
    .await
}

/// A client that may do what the daemon's account may.
pub(crate) async fn client(bed: &Bed) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(bed.kubeconfig())?;
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.auth_info.impersonate = Some("system:serviceaccount:coalmine:coalmine".to_owned());
    config.auth_info.impersonate_groups = Some(vec!["system:authenticated".to_owned()]);
    Ok(Client::try_from(config)?)
}
