//! One team's pushes beside other teams' troubles.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::Bed;
use harness::namespace::STATUS;
use harness::process::{Process, Program};
use harness::repository::{BRANCH, Repository};
use harness::sample::{Client, Target};
use harness::status::StatusClient;
use harness::wait::{Seen, until};
use harness::webhook::Webhook;

use crate::{SHUTDOWN, kubectl};

/// Far longer than anything takes here.
const DEADLINE: Duration = Duration::from_secs(120);
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rollouts");
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const PUSHES: usize = 9;
/// Between two questions to the proxy.
const LOOK: Duration = Duration::from_millis(5);

/// Nothing may be written in this namespace.
const FORBIDDEN: &str = r#"apiVersion: v1
kind: Namespace
metadata: {name: juliett}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: juliett}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: juliett}}
    resourceRules:
      - {apiGroups: [apps], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [deployments]}
  validations: [{expression: "false", message: not for coalmine, reason: Forbidden}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: juliett}
spec: {policyName: juliett, validationActions: [Deny]}
"#;

/// What others push, and what is said of it. `ROUND` makes each push of it another one.
const TROUBLES: [(&str, &str, &str); 4] = [
    ("golf", "deployment: {v1: {replicas: ROUND x}}\n", "services/golf.yaml"),
    (
        "hotel",
        "namespace: echo
deployment: {v1: {labels: {round: \"ROUND\"}, resources: {requests: {cpu: 1000}}}}
routes: {apiGroup: example, primary: {version: v1}}
",
        "is not scheduled",
    ),
    (
        "india",
        "namespace: echo
deployment: {v1: {replicas: 0}}
routes: {apiGroup: example, primary: {version: v1}, options: {timeout: never ROUND}}
",
        "no route was changed",
    ),
    (
        "juliett",
        "deployment: {v1: {labels: {round: \"ROUND\"}}}
routes: {apiGroup: example, primary: {version: v1}}
",
        "not for coalmine",
    ),
];

struct Stage {
    repository: Repository,
    status: StatusClient,
    webhook: Webhook,
    foxtrot: Client,
    pushes: usize,
}

/// How long it took is printed, not judged: that is the machine's affair.
pub(crate) async fn the_pushes_of_one_team_do_not_wait_for_the_troubles_of_others(
    bed: &Bed,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let account = folder.path().join("account");
    bed.deploy_account(&account).await?;
    kubectl(bed, &["apply", "--server-side", "--filename=-"], FORBIDDEN)?;
    let secret = folder.path().join("secret");
    fs::write(&secret, SECRET)?;
    let repository = Repository::create(folder.path(), EXAMPLE.as_ref()).await?;
    let program = Program::new("coalmine", env!("CARGO_BIN_EXE_coalmine"), folder.path())
        .arg("run")
        .flag("repo", repository.bare())
        .flag("interval", "1h")
        .flag("webhook-secret-file", &secret)
        .flag("listen", STATUS.to_string())
        .flag("state-dir", folder.path().join("state"))
        .env("KUBECONFIG", account.to_string_lossy());
    let process = Process::start(&program)?;
    let base = format!("http://{STATUS}");
    let mut stage = Stage {
        repository,
        status: StatusClient::new(&base)?,
        webhook: Webhook::new(&base, SECRET)?,
        foxtrot: Client::new(&Target::new(bed.proxy_url(), "/foxtrot"))?,
        pushes: 0,
    };
    let outcome = process.alive(stage.compare()).await;
    process.stop(SHUTDOWN).await;
    let names = ["validatingadmissionpolicybinding/juliett", "validatingadmissionpolicy/juliett"];
    kubectl(bed, &[&["delete"], &names[..]].concat(), "")?;
    let log = fs::read_to_string(&program.log).unwrap_or_default();
    outcome.with_context(|| format!("the daemon's log:\n{log}"))
}

impl Stage {
    async fn compare(&mut self) -> Result<()> {
        // The first pushes wait for pods.
        for _ in 0..2 {
            self.push(false).await?;
        }
        let alone = self.median(false).await?;
        self.push(true).await?;
        for (service, _, words) in TROUBLES {
            self.complains(service, words).await?;
        }
        let beside = self.median(false).await?;
        let together = self.median(true).await?;
        for (service, _, words) in TROUBLES {
            self.complains(service, words).await?;
        }
        println!("from a push to the first changed answer, medians of {PUSHES}:");
        let cases = [
            ("alone", alone),
            ("beside others' troubles", beside),
            ("in one commit with new troubles of others", together),
        ];
        for (case, median) in cases {
            let times = median.as_secs_f64() / alone.as_secs_f64();
            println!("{case}: {} ms, {times:.2} times as long", median.as_millis());
        }
        Ok(())
    }

    async fn median(&mut self, troubled: bool) -> Result<Duration> {
        let mut times = Vec::new();
        for _ in 0..PUSHES {
            times.push(self.push(troubled).await?);
        }
        times.sort();
        Ok(times[PUSHES / 2])
    }

    /// Gives all requests to the other version, and returns when the first of them was answered.
    async fn push(&mut self, troubled: bool) -> Result<Duration> {
        self.pushes += 1;
        let (primary, canary) =
            if self.pushes.is_multiple_of(2) { ("v1", "v2") } else { ("v2", "v1") };
        let values = format!(
            "deployment: {{v1: {{}}, v2: {{}}}}
routes:
  apiGroup: example
  primary: {{version: {primary}}}
  canary: {{version: {canary}, headers: {{stage: canary}}}}
"
        );
        self.repository.write("services/foxtrot.yaml", &values)?;
        if troubled {
            for (service, values, _) in TROUBLES {
                let values = values.replace("ROUND", &self.pushes.to_string());
                self.repository.write(&format!("services/{service}.yaml"), &values)?;
            }
        }
        self.repository.commit(&format!("Push {}", self.pushes)).await?;
        self.repository.push().await?;
        let begun = Instant::now();
        self.announce().await?;
        let wanted = format!("foxtrot-{primary}");
        while self.foxtrot.ask().await.ok().as_ref() != Some(&wanted) {
            ensure!(begun.elapsed() < DEADLINE, "no request is answered by {wanted}");
            tokio::time::sleep(LOOK).await;
        }
        let length = begun.elapsed();
        // A pass that is still under way would be part of the next measurement.
        until("foxtrot to be applied", DEADLINE, async || match self.status.get().await {
            Err(error) => Seen::from_result(Err(error)),
            Ok(status) => {
                let ready = status.service("foxtrot").is_some_and(|it| it.state == "Ready");
                Seen::when(ready, "it is not ready")
            }
        })
        .await?;
        Ok(length)
    }

    /// The daemon may have only just been started.
    async fn announce(&self) -> Result<()> {
        until("the daemon to hear of the push", DEADLINE, async || {
            Seen::from_result(self.webhook.announce(BRANCH).await)
        })
        .await
    }

    async fn complains(&self, service: &str, words: &str) -> Result<()> {
        until(&format!("{service}: {words}"), DEADLINE, async || match self.status.get().await {
            Err(error) => Seen::from_result(Err(error)),
            Ok(status) => match status.service(service) {
                None => Seen::NotYet("the daemon does not know it".into()),
                Some(report) => Seen::when(report.says(words), report.summary()),
            },
        })
        .await
    }
}
