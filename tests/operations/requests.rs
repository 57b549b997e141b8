//! What the daemon asks the API server for, counted before it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::Bed;
use harness::api_proxy::{ApiProxy, Mark, Request, tally};
use harness::namespace::STATUS;
use harness::process::{Process, Program};
use harness::repository::Repository;
use harness::status::StatusClient;
use harness::wait::{Seen, until};

use crate::SHUTDOWN;

/// Far longer than anything takes here.
const DEADLINE: Duration = Duration::from_secs(120);
const SERVICES: [&str; 2] = ["echo", "foxtrot"];
/// Issue 4: what a change of weights may cost.
const MOST: usize = 12;
const PLATFORM: &str = "apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    domains: ['*']
    routes:
      - matchers: [{prefix: /}]
        delegateAction: {selector: {labels: {apiGroup: example}, namespaces: ['*']}}
---
apiVersion: v1
kind: Namespace
metadata: {name: echo}
---
apiVersion: v1
kind: Namespace
metadata: {name: foxtrot}
";

/// A daemon whose requests are counted.
struct Counted {
    proxy: ApiProxy,
    repository: Repository,
    status: StatusClient,
}

pub(crate) async fn commits_that_change_nothing_cost_nothing_and_others_what_they_change(
    bed: &Bed,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (account, kubeconfig) = (folder.path().join("account"), folder.path().join("kubeconfig"));
    bed.deploy_account(&account).await?;
    let proxy = ApiProxy::start(&account, &kubeconfig).await?;
    let content = folder.path().join("content");
    for name in ["platform", "services"] {
        fs::create_dir_all(content.join(name))?;
    }
    fs::write(content.join("platform/platform.yaml"), PLATFORM)?;
    let repository = Repository::create(folder.path(), &content).await?;
    for service in SERVICES {
        repository.write(&format!("services/{service}.yaml"), &values(1))?;
    }
    repository.commit("Two services").await?;
    let first = repository.push().await?.revision;
    let program = Program::new("coalmine", env!("CARGO_BIN_EXE_coalmine"), folder.path())
        .arg("run")
        .flag("repo", repository.bare())
        .flag("interval", "200ms")
        .flag("listen", STATUS.to_string())
        .flag("state-dir", folder.path().join("state"))
        .env("KUBECONFIG", kubeconfig.to_string_lossy());
    let process = Process::start(&program)?;
    let status = StatusClient::new(&format!("http://{STATUS}"))?;
    let counted = Counted { proxy, repository, status };
    let outcome = process.alive(counted.check(&first)).await;
    process.stop(SHUTDOWN).await;
    let log = fs::read_to_string(&program.log).unwrap_or_default();
    outcome.with_context(|| format!("the daemon's log:\n{log}"))
}

impl Counted {
    async fn check(&self, first: &str) -> Result<()> {
        self.applied(first).await?;
        let quiet = self.proxy.mark();
        for _ in 0..3 {
            self.repository.commit("Nothing new").await?;
            let revision = self.repository.push().await?.revision;
            self.applied(&revision).await?;
        }
        let asked = self.about_objects(quiet);
        ensure!(asked.is_empty(), "nothing has changed, and it asked for {asked:?}");

        let change = self.proxy.mark();
        self.repository.write("services/echo.yaml", &values(2))?;
        self.repository.commit("Another weight").await?;
        let revision = self.repository.push().await?.revision;
        self.applied(&revision).await?;
        let asked = self.about_objects(change);
        let is_about_it = |request: &Request| {
            let resource = request.resource.as_ref();
            resource.and_then(|resource| resource.namespace.as_deref()) == Some("echo")
        };
        ensure!(asked.iter().all(is_about_it), "only echo has changed, and it asked for {asked:?}");
        let wrote = |request: &Request| request.is_write() && request.is_about("routetables");
        ensure!(asked.iter().any(wrote), "the weight came by another way than this: {asked:?}");
        let tally = tally(&self.proxy.since(change));
        ensure!(asked.len() <= MOST, "a change of weights cost {tally:?}");
        Ok(())
    }

    /// Waits until both services are healthy with this revision.
    async fn applied(&self, revision: &str) -> Result<()> {
        until(&format!("{revision} to be applied"), DEADLINE, async || {
            let status = match self.status.get().await {
                Ok(status) => status,
                Err(error) => return Seen::from_result(Err(error)),
            };
            let has = |name: &str| status.service(name).is_some_and(|it| it.has_applied(revision));
            let summaries: Vec<_> = status.services.iter().map(|it| it.summary()).collect();
            Seen::when(SERVICES.iter().all(|name| has(name)), summaries.join("; "))
        })
        .await
    }

    fn about_objects(&self, since: Mark) -> Vec<Request> {
        let exchanges = self.proxy.since(since).into_iter();
        exchanges.map(|it| it.request).filter(Request::is_about_objects).collect()
    }
}

fn values(weight: u8) -> String {
    format!(
        "deployment: {{v1: {{}}, v2: {{}}}}
routes:
  apiGroup: example
  primary: {{version: v1}}
  canary: {{version: v2, weight: {weight}}}
"
    )
}
