//! A cluster that somebody else runs: `KUBECONFIG` and `COALMINE_PROXY_URL`.

use std::{collections::BTreeMap, env, path::PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::Access;

/// Reaches the cluster and checks that Gloo's kinds are there.
pub(super) async fn find() -> Result<Access> {
    let kubeconfig = env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    let kubeconfig = PathBuf::from(kubeconfig.context(
        "COALMINE_BED=existing needs KUBECONFIG: the path of a kubeconfig with every right",
    )?);
    let proxy_url = env::var("COALMINE_PROXY_URL").ok().filter(|value| !value.is_empty());
    let proxy_url = proxy_url.context(
        "COALMINE_BED=existing needs COALMINE_PROXY_URL: the URL of Gloo's gateway proxy",
    )?;
    let proxy_url = proxy_url.trim_end_matches('/').to_owned();
    ensure!(
        proxy_url.starts_with("http://"),
        "COALMINE_PROXY_URL={proxy_url}: expected a URL that begins with http://"
    );
    let client = super::client(&kubeconfig).await?;
    let version = client.apiserver_version().await.with_context(|| {
        format!("cannot reach the cluster of KUBECONFIG={}", kubeconfig.display())
    })?;
    let groups = client.list_api_groups().await?;
    ensure!(
        groups.groups.iter().any(|group| group.name == "gateway.solo.io"),
        "the cluster of KUBECONFIG={} has no Gloo: install Gloo Edge 1.22 first",
        kubeconfig.display()
    );
    let versions = BTreeMap::from([
        ("kubernetes".to_owned(), version.git_version.trim_start_matches('v').to_owned()),
        ("gateway".to_owned(), "gloo of the existing cluster".to_owned()),
    ]);
    Ok(Access {
        client,
        outside_kubeconfig: kubeconfig.clone(),
        kubeconfig,
        kubectl: "kubectl".into(),
        outside_proxy_url: proxy_url.clone(),
        proxy_url,
        admin: None,
        versions,
    })
}
