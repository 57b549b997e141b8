//! k3s and Gloo from their registries.

use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{
    super::{access::Access, free_address, gloo_system},
    Cluster, Order,
};
use crate::{engine, progress::Progress};

/// A k3s whose kubelet knows `preStop: sleep`, which 1.30 was the first to.
const IMAGE: &str = "rancher/k3s:v1.32.4-k3s1";
/// The object by which k3s installs Gloo.
const GLOO: &str = include_str!("gloo.yaml");
/// The port of the gateway's pods at which Envoy's admin interface can be read, by `gloo.yaml`.
const READ_PORT: u16 = 8082;
/// With fetching images: about 700 MB.
const DEADLINE: Duration = Duration::from_secs(600);

/// Starts everything and waits until pods can be made and routed to.
pub(in crate::bed) async fn start(
    directory: &Path,
    progress: &Progress,
) -> Result<(Access, Cluster)> {
    engine_answers().await?;
    ensure!(
        runs("kubectl"),
        "COALMINE_BED=k3s needs kubectl in PATH: it applies deploy/base to the cluster"
    );
    let image = image(env::var("COALMINE_K3S_IMAGE").ok().as_deref())?;
    fs::create_dir_all(directory.join("logs"))?;

    let starting =
        progress.step(format!("starting {}:{} (the first time fetched)", image.0, image.1));
    let order = Order {
        image,
        // The gateway takes traefik's place at port 80.
        arguments: vec!["--disable=traefik", "--disable=metrics-server"],
        manifest: ("gloo.yaml", GLOO.to_owned()),
        images: None,
        deadline: DEADLINE,
    };
    let (cluster, reached) = super::start(order, None, directory).await?;
    starting.done();
    let installing = progress.step("k3s installs Gloo from its chart");
    for name in ["gloo", gloo_system::GATEWAY] {
        let installed =
            super::available(&reached.client, gloo_system::NAMESPACE, name, DEADLINE).await;
        installed
            .context("k3s has not installed Gloo; its job is kube-system/helm-install-gloo")?;
    }
    installing.done();

    let kubernetes = reached.client.apiserver_version().await?.git_version;
    let versions = BTreeMap::from([
        ("kubernetes".to_owned(), kubernetes.trim_start_matches('v').to_owned()),
        ("gateway".to_owned(), format!("gloo {}", gloo_version().unwrap_or_default())),
    ]);
    let access = Access {
        proxy_url: reached.proxy_url(),
        outside_proxy_url: reached.proxy_url(),
        kubectl: "kubectl".into(),
        outside_kubeconfig: reached.kubeconfig.clone(),
        api: reached.api(),
        status: free_address::find()?,
        admin: Some(gloo_system::envoy_admin(reached.client.clone(), READ_PORT)),
        client: reached.client,
        kubeconfig: reached.kubeconfig,
        versions,
    };
    Ok((access, cluster))
}

/// One line that says how to go on, where nothing would work without an engine.
async fn engine_answers() -> Result<()> {
    let answer = engine::answering().await.map(drop);
    let place =
        env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    answer.map_err(|error| no_engine(&place, &format!("{error:#}")))
}

fn no_engine(place: &str, error: &str) -> anyhow::Error {
    let error = error.lines().next().unwrap_or_default();
    anyhow::anyhow!(
        "COALMINE_BED=k3s: no Docker engine answers at {place} ({error}); start one or let \
         DOCKER_HOST lead to it, or go on without one: COALMINE_BED=local"
    )
}

/// Repository and tag of what `COALMINE_K3S_IMAGE` says, or of the usual image.
fn image(asked: Option<&str>) -> Result<(String, String)> {
    let image = asked.filter(|image| !image.is_empty()).unwrap_or(IMAGE);
    let parts = image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    let (repository, tag) = parts.with_context(|| {
        format!("COALMINE_K3S_IMAGE={image}: expected a repository and a tag, as in {IMAGE}")
    })?;
    Ok((repository.to_owned(), tag.to_owned()))
}

/// The version of the chart.
fn gloo_version() -> Option<&'static str> {
    GLOO.lines().find_map(|line| line.trim().strip_prefix("version: "))
}

fn runs(program: &str) -> bool {
    Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn without_an_engine_one_line_says_how_to_go_on() {
        let text = no_engine("unix:///x.sock", "not found\nand more").to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        for part in ["unix:///x.sock", "not found", "DOCKER_HOST", "COALMINE_BED=local"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn the_image_is_a_repository_and_a_tag() {
        let parsed = |text| image(text).map(|(repository, tag)| format!("{repository} {tag}"));
        assert_eq!(parsed(None).unwrap(), "rancher/k3s v1.32.4-k3s1");
        assert_eq!(parsed(Some("")).unwrap(), "rancher/k3s v1.32.4-k3s1");
        assert_eq!(parsed(Some("mirror:5000/k3s:v1")).unwrap(), "mirror:5000/k3s v1");
        for wrong in ["rancher/k3s", "mirror:5000/k3s"] {
            assert!(parsed(Some(wrong)).unwrap_err().to_string().contains("a tag"), "{wrong}");
        }
    }

    #[test]
    fn gloo_is_installed_as_the_local_bed_has_it() {
        let chart: Value = serde_yaml::from_str(GLOO).unwrap();
        assert_eq!(
            (&chart["kind"], &chart["metadata"]["namespace"]),
            (&"HelmChart".into(), &"kube-system".into())
        );
        assert_eq!(chart["spec"]["targetNamespace"], gloo_system::NAMESPACE);
        assert_eq!(gloo_version(), chart["spec"]["version"].as_str());
        let values: Value =
            serde_yaml::from_str(chart["spec"]["valuesContent"].as_str().unwrap()).unwrap();
        assert_eq!(values["settings"]["disableKubernetesDestinations"], true);
        // The name under which statistics are looked for.
        assert_eq!(values["gatewayProxies"]["gatewayProxy"]["readConfig"], true);
        assert_eq!(gloo_system::GATEWAY, "gateway-proxy");
    }
}
