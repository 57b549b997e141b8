//! A daemon that may write nothing as itself, as `deploy/overlays/lockdown` has it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::Bed;
use harness::process::{Process, Program};
use harness::repository::Repository;
use serde_json::Value;

use crate::{kubectl, kustomize};

/// Far longer than it takes.
const DEADLINE: Duration = Duration::from_secs(240);

/// What the platform team prepares by hand: a team with an account, and one without.
const PREPARED: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: locked}
---
apiVersion: v1
kind: Namespace
metadata: {name: open}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: coalmine-deployer, namespace: locked}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: coalmine-deployer, namespace: locked}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: coalmine-deployer}
subjects: [{kind: ServiceAccount, name: coalmine-deployer, namespace: locked}]
---
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    domains: ['*']
    routes:
      - matchers: [{prefix: /}]
        delegateAction: {selector: {labels: {apiGroup: example}, namespaces: ['*']}}
";

const POLICIES: &str = "\
timing: {deadline: 60s}
folders:
  '*': {namespaces: ['{folder}'], apiGroups: [example], paths: [/], serviceAccountName: coalmine-deployer}
  open: {namespaces: [open], apiGroups: [example], paths: [/]}
";

fn values(namespace: &str) -> String {
    format!(
        "namespace: {namespace}\ndeployment: {{v1: {{}}}}\nroutes: {{apiGroup: example, primary: {{version: v1}}}}\n"
    )
}

/// The objects of one team are written and deleted as its account; those of a team without one not at all.
pub(crate) async fn the_objects_of_a_team_are_written_as_its_account_and_nothing_as_the_daemon(
    bed: &Bed,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let account = folder.path().join("account");
    bed.deploy_account(&account).await?;
    roles(bed, "overlays/lockdown")?;
    kubectl(bed, &["apply", "--server-side", "--filename=-"], PREPARED)?;
    let outcome = compare(bed, folder.path(), &account).await;
    roles(bed, "base")?;
    outcome
}

async fn compare(bed: &Bed, folder: &std::path::Path, account: &std::path::Path) -> Result<()> {
    let content = folder.join("content");
    for (path, text) in [
        ("coalmine.yaml", POLICIES),
        ("services/locked/kilo.yaml", &values("locked")),
        ("services/open/lima.yaml", &values("open")),
    ] {
        let path = content.join(path);
        fs::create_dir_all(path.parent().context("a file without a folder")?)?;
        fs::write(&path, text)?;
    }
    let repository = Repository::create(folder, &content).await?;
    let program = Program::new("coalmine", env!("CARGO_BIN_EXE_coalmine"), folder)
        .arg("run")
        .arg("--once")
        .flag("repo", repository.bare())
        .flag("state-dir", folder.join("state"))
        .env("KUBECONFIG", account.to_string_lossy());
    let log = once(&program).await?;
    let objects = objects(bed, "locked")?;
    ensure!(objects.len() == 4, "{objects:?}\n{log}");
    for object in &objects {
        let written = &object["metadata"]["annotations"]["coalmine.dev/service-account"];
        ensure!(written == "coalmine-deployer", "{object}");
    }
    ensure!(self::objects(bed, "open")?.is_empty(), "the daemon wrote as itself\n{log}");
    let refused = "system:serviceaccount:coalmine:coalmine";
    ensure!(log.contains("open/lima") && log.contains(refused), "no word of the refusal:\n{log}");

    repository.remove("services/locked/kilo.yaml")?;
    repository.commit("kilo ends").await?;
    repository.push().await?;
    let log = once(&program).await?;
    ensure!(self::objects(bed, "locked")?.is_empty(), "kilo is still there\n{log}");
    Ok(())
}

/// Runs the daemon until it ends, and returns its log.
async fn once(program: &Program) -> Result<String> {
    let process = Process::start(program)?;
    let ended = tokio::time::timeout(DEADLINE, process.ended()).await;
    let log = fs::read_to_string(&program.log).unwrap_or_default();
    ended.with_context(|| format!("the daemon does not end:\n{log}"))?;
    Ok(log)
}

/// The objects of services in a namespace.
fn objects(bed: &Bed, namespace: &str) -> Result<Vec<Value>> {
    let kinds = "deployments.apps,services,upstreams.gloo.solo.io,routetables.gateway.solo.io";
    let arguments = ["get", kinds, "--namespace", namespace, "--output=json"];
    let listed: Value = serde_json::from_str(&kubectl(bed, &arguments, "")?)?;
    Ok(listed["items"].as_array().cloned().unwrap_or_default())
}

/// Gives the roles of a folder below `deploy/` their rules.
fn roles(bed: &Bed, folder: &str) -> Result<()> {
    let all = kustomize(bed, folder)?;
    let documents: Vec<Value> =
        all.split("\n---\n").map(serde_yaml::from_str).collect::<Result<_, _>>()?;
    let roles: Vec<_> =
        documents.into_iter().filter(|object| object["kind"] == "ClusterRole").collect();
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": roles});
    let apply = ["apply", "--server-side", "--force-conflicts", "--filename=-"];
    kubectl(bed, &apply, &list.to_string())?;
    Ok(())
}
