//! A cluster that somebody else runs: `KUBECONFIG` and `COALMINE_PROXY_URL`.

use std::{collections::BTreeMap, env, path::PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;

use super::{
    access::{self, Access},
    free_address, leftovers, objects,
};

/// Objects that an error names before it says how many there are.
const NAMED: usize = 3;

/// Reaches the cluster and checks that the suite can do no harm there.
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
    let client = access::client(&kubeconfig).await?;
    let version = client.apiserver_version().await.with_context(|| {
        format!("cannot reach the cluster of KUBECONFIG={}", kubeconfig.display())
    })?;
    let groups = client.list_api_groups().await?;
    ensure!(
        groups.groups.iter().any(|group| group.name == "gateway.solo.io"),
        "the cluster of KUBECONFIG={} has no Gloo: install Gloo Edge 1.22 first",
        kubeconfig.display()
    );
    let given = env::var("COALMINE_TAKE_OVER").is_ok_and(|value| !value.is_empty());
    nobody_elses(&client, given).await?;
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
        api: None,
        status: free_address::find()?,
        admin: None,
        versions,
    })
}

/// Refuses a cluster where the suite's daemon would prune what another one made, or its VirtualService
/// would stand in the way of another. That the first is wanted can be said (`given`).
async fn nobody_elses(client: &Client, given: bool) -> Result<()> {
    if !given {
        let made = made_by_coalmine(client).await?;
        if let Some(refusal) = refusal(&made) {
            bail!(refusal);
        }
    }
    let services = objects::kind("gateway.solo.io", "v1", "VirtualService");
    let services = objects::api(client, &services, None).list(&ListParams::default()).await?;
    if let Some(service) = services.items.iter().find(|service| takes_every_domain(service)) {
        bail!(
            "{} has the domain \"*\", which the suite needs for itself: scenarios ask this \
             cluster's proxy by its address",
            name(service)
        );
    }
    Ok(())
}

/// Objects that a daemon made, and the account of one.
async fn made_by_coalmine(client: &Client) -> Result<Vec<String>> {
    let mut made = Vec::new();
    for (group, version, kind) in leftovers::KINDS {
        let api = objects::api(client, &objects::kind(group, version, kind), None);
        let list = match api.list(&ListParams::default().labels(leftovers::LABEL)).await {
            Err(error) if objects::is_unknown(&error) => continue,
            list => list?,
        };
        made.extend(list.items.iter().map(|object| format!("{kind} {}", name(object))));
    }
    if Api::<Namespace>::all(client.clone()).get_opt(leftovers::NAMESPACE).await?.is_some() {
        made.push(format!("Namespace {}", leftovers::NAMESPACE));
    }
    Ok(made)
}

fn refusal(made: &[String]) -> Option<String> {
    let named = made.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match made.len() {
        0 => return None,
        count if count > NAMED => format!(" and {} more", count - NAMED),
        _ => String::new(),
    };
    Some(format!(
        "the cluster of KUBECONFIG has objects of coalmine already ({named}{more}), and the suite \
         would remove them. If nobody needs them, say so with COALMINE_TAKE_OVER=yes"
    ))
}

fn takes_every_domain(service: &DynamicObject) -> bool {
    let host = &service.data["spec"]["virtualHost"]["domains"];
    // Without any it is the same.
    let domains = host.as_array().map(Vec::as_slice).unwrap_or_default();
    domains.is_empty() || domains.contains(&Value::from("*"))
}

fn name(object: &DynamicObject) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}/{}", text(&object.metadata.namespace), text(&object.metadata.name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_with_objects_of_coalmine_is_refused_with_some_of_their_names() {
        assert_eq!(refusal(&[]), None);
        let made: Vec<String> = (1..=5).map(|n| format!("Service a/{n}")).collect();
        let text = refusal(&made).unwrap();
        assert!(text.contains("(Service a/1, Service a/2, Service a/3 and 2 more)"), "{text}");
        assert!(text.contains("COALMINE_TAKE_OVER=yes"), "{text}");
    }

    #[test]
    fn a_virtual_service_without_domains_has_all_of_them() {
        let service = |host: Value| -> DynamicObject {
            let object = json!({
                "apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
                "metadata": {"name": "x"}, "spec": {"virtualHost": host},
            });
            serde_json::from_value(object).unwrap()
        };
        assert!(takes_every_domain(&service(json!({"domains": ["a", "*"]}))));
        assert!(takes_every_domain(&service(json!({}))));
        assert!(!takes_every_domain(&service(json!({"domains": ["*.example.com"]}))));
    }
}
