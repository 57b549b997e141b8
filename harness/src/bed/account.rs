//! The account that `deploy/` gives the daemon, with exactly its rights.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::ServiceAccount,
};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
    config::{AuthInfo, Kubeconfig},
};
use serde_json::Value;
use tokio::process::Command;

use super::{access, objects, private_file};
use crate::wait::{self, Seen};

/// What is put on a cluster, by hand too: `kubectl apply -k deploy/base`.
const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/base");
/// What of it makes an account and its rights, in an order in which it can be applied.
const KINDS: [&str; 6] =
    ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
/// The name of all of it.
const NAME: &str = "coalmine";
/// The authorizer learns of rights from a watch.
const DEADLINE: Duration = Duration::from_secs(180);
/// How long the token is good: longer than any scenario or measurement, in seconds.
const VALIDITY: i64 = 24 * 3600;

/// Applies the account, its roles and bindings, waits until they count, and writes a kubeconfig for
/// it. `administrator` is a kubeconfig for the same cluster.
pub(super) async fn deploy(
    client: &Client,
    kubectl: &Path,
    administrator: &Path,
    kubeconfig: &Path,
) -> Result<()> {
    let rendered = rendered(kubectl).await?;
    let of_kind = |kind: &'static str| rendered.iter().filter(move |object| object["kind"] == kind);
    for object in KINDS.into_iter().flat_map(of_kind) {
        objects::apply(client, object).await?;
    }
    let account = of_kind("ServiceAccount").next().context("deploy/base has no ServiceAccount")?;
    let token = token(client, account).await?;
    write_kubeconfig(administrator, kubeconfig, token)?;
    let client = access::client(kubeconfig).await?;
    for role in of_kind("ClusterRole").chain(of_kind("Role")) {
        counts(&client, role).await?;
    }
    Ok(())
}

/// Removes what of it does not go with its namespace.
pub(super) async fn remove(client: &Client) -> Result<()> {
    for kind in ["ClusterRoleBinding", "ClusterRole"] {
        let kind = objects::kind("rbac.authorization.k8s.io", "v1", kind);
        match objects::api(client, &kind, None).delete(NAME, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            other => drop(other.with_context(|| format!("cannot delete {} {NAME}", kind.kind))?),
        }
    }
    Ok(())
}

/// All objects of `deploy/base`.
async fn rendered(kubectl: &Path) -> Result<Vec<Value>> {
    let output = Command::new(kubectl).args(["kustomize", BASE]).kill_on_drop(true).output().await;
    let output = output.with_context(|| format!("cannot run {}", kubectl.display()))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl kustomize {BASE}: {complaint}");
    let text = String::from_utf8(output.stdout).context("kubectl kustomize: not UTF-8")?;
    serde_yaml::from_multiple(&text).context("kubectl kustomize: not YAML")
}

/// A token of a ServiceAccount that is good for longer than any bed lives.
pub(super) async fn token(client: &Client, account: &Value) -> Result<String> {
    let text = |field: &str| account["metadata"][field].as_str().map(str::to_owned);
    let namespace = text("namespace").context("a ServiceAccount without a namespace")?;
    let name = text("name").context("a ServiceAccount without a name")?;
    let spec = TokenRequestSpec { expiration_seconds: Some(VALIDITY), ..Default::default() };
    let request = TokenRequest { spec, ..Default::default() };
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), &namespace);
    let answer = accounts.create_token_request(&name, &PostParams::default(), &request).await;
    let answer =
        answer.with_context(|| format!("no token for ServiceAccount {namespace}/{name}"))?;
    Ok(answer.status.context("a TokenRequest without a status")?.token)
}

/// The administrator's kubeconfig with the account in the administrator's place.
pub(super) fn write_kubeconfig(administrator: &Path, path: &Path, token: String) -> Result<()> {
    let mut config = Kubeconfig::read_from(administrator)
        .with_context(|| format!("cannot read {}", administrator.display()))?;
    for user in &mut config.auth_infos {
        user.auth_info =
            Some(AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() });
    }
    // JSON is YAML. Serialising a secret hides nothing.
    private_file::write(path, &serde_json::to_string_pretty(&config)?)
}

/// Waits until the API server grants the last rule of a role.
pub(super) async fn counts(client: &Client, role: &Value) -> Result<()> {
    let rule = role["rules"].as_array().and_then(|rules| rules.last());
    let rule = rule.context("a role without rules")?;
    let first = |field: &str| rule[field][0].as_str().map(str::to_owned);
    let asked = ResourceAttributes {
        group: first("apiGroups"),
        resource: first("resources"),
        verb: first("verbs"),
        name: first("resourceNames"),
        namespace: role["metadata"]["namespace"].as_str().map(str::to_owned),
        ..Default::default()
    };
    let what = format!("the right to {:?} {:?}", asked.verb, asked.resource);
    let spec =
        SelfSubjectAccessReviewSpec { resource_attributes: Some(asked), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..Default::default() };
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    wait::until(&what, DEADLINE, || async {
        match reviews.create(&PostParams::default(), &review).await {
            Err(error) => Seen::NotYet(error.to_string()),
            Ok(answer) => {
                let status = answer.status.unwrap_or_default();
                Seen::when(status.allowed, status.reason.unwrap_or_default())
            }
        }
    })
    .await
}
