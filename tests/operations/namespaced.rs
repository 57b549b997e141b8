//! A daemon with Roles in single namespaces and no ClusterRole, as `deploy/overlays/namespaced` has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::Bed;
use harness::api_proxy::{ApiProxy, Choice, Fault, Request};
use harness::namespace::STATUS;
use harness::process::{Process, Program};
use harness::repository::Repository;
use harness::status::{Service, StatusClient};
use harness::wait::{Seen, until};
use serde_json::Value;

use crate::{SHUTDOWN, kubectl, kustomize};

/// Far longer than anything takes here, the longest pause between two attempts at a watch (30 s) included.
const DEADLINE: Duration = Duration::from_secs(240);
const COALMINE: &str = env!("CARGO_BIN_EXE_coalmine");
const WATCHED: &str = "echo,payments";
/// Where the daemon may read something: what it watches, Gloo's namespace, and its own.
const READ: [&str; 4] = ["echo", "payments", "gloo-system", "coalmine"];

/// What is there before: a namespace with a Role, one without, and one that is none of the daemon's business, with an
/// object that has its label and no file.
const PREPARED: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: echo}
---
apiVersion: v1
kind: Namespace
metadata: {name: payments}
---
apiVersion: v1
kind: Namespace
metadata: {name: hidden}
---
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata:
  name: mike-routes
  namespace: hidden
  labels: {coalmine.dev/instance: default, coalmine.dev/service: mike}
spec: {routes: [{matchers: [{prefix: /mike}], directResponseAction: {status: 200}}]}
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

fn values(namespace: &str, weight: u8) -> String {
    format!(
        "namespace: {namespace}
deployment: {{v1: {{}}, v2: {{}}}}
routes:
  apiGroup: example
  primary: {{version: v1}}
  canary: {{version: v2, weight: {weight}}}
"
    )
}

/// The files, by their paths.
fn write(content: &Path, files: &[(&str, &str)]) -> Result<()> {
    for (path, text) in files {
        let path = content.join(path);
        fs::create_dir_all(path.parent().context("a file without a folder")?)?;
        fs::write(&path, text)?;
    }
    Ok(())
}

/// Every object of the overlay, and of what can be put beside it.
pub(crate) async fn no_object_of_the_overlay_belongs_to_the_cluster(bed: &Bed) -> Result<()> {
    let all = objects(bed, "overlays/namespaced")?;
    for object in &all {
        ensure!(
            object["metadata"]["namespace"].is_string(),
            "it belongs to no namespace: {object}"
        );
        ensure!(object["roleRef"]["kind"] != "ClusterRole", "it needs a ClusterRole: {object}");
    }
    let has = |kind: &str, namespace: &str| {
        all.iter().any(|it| it["kind"] == kind && it["metadata"]["namespace"] == namespace)
    };
    for namespace in ["coalmine", "echo", "gloo-system"] {
        ensure!(
            has("Role", namespace) && has("RoleBinding", namespace),
            "no rights in {namespace}"
        );
    }
    ensure!(has("Deployment", "coalmine"), "no daemon");
    // The API server takes all of it.
    for namespace in ["coalmine", "echo"] {
        let object = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n");
        kubectl(bed, &["apply", "--server-side", "--filename=-"], &object)?;
    }
    let dry = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-"];
    kubectl(bed, &dry, &kustomize(bed, "overlays/namespaced")?)?;
    Ok(())
}

/// The account with the overlay's rights and no others, and a kubeconfig for it.
struct Stage {
    folder: tempfile::TempDir,
    account: PathBuf,
}

impl Stage {
    async fn set(bed: &Bed, prepared: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let account = folder.path().join("account");
        bed.deploy_account(&account).await?;
        for kind in ["clusterrolebinding", "clusterrole"] {
            kubectl(bed, &["delete", kind, "coalmine"], "")?;
        }
        kubectl(bed, &["apply", "--server-side", "--filename=-"], prepared)?;
        let rights = objects(bed, "overlays/namespaced")?
            .into_iter()
            .filter(|object| object["kind"].as_str().is_some_and(|kind| kind.starts_with("Role")));
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List",
            "items": rights.collect::<Vec<_>>()});
        let apply = ["apply", "--server-side", "--force-conflicts", "--filename=-"];
        kubectl(bed, &apply, &list.to_string())?;
        let stage = Self { folder, account };
        stage.may_not_list(bed).await?;
        Ok(stage)
    }

    /// Waits until the API server grants nothing in the whole cluster any more.
    async fn may_not_list(&self, bed: &Bed) -> Result<()> {
        let kubeconfig = format!("--kubeconfig={}", self.account.display());
        until("the ClusterRole to be gone", DEADLINE, async || {
            let asked =
                ["auth", "can-i", "list", "routetables.gateway.solo.io", "--all-namespaces"];
            let asked =
                std::process::Command::new(bed.kubectl()).arg(&kubeconfig).args(asked).output();
            let answer = asked.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
            let answer = answer.unwrap_or_default();
            Seen::when(answer.trim() == "no", answer)
        })
        .await
    }

    /// A command with the account's rights, which fetches from the repository.
    fn program(&self, name: &str) -> Program {
        Program::new(name, COALMINE, self.folder.path())
            .env("KUBECONFIG", self.account.to_string_lossy())
    }

    /// The exit code of a command, and what it printed.
    async fn ends(&self, program: &Program) -> Result<(Option<i32>, String)> {
        let process = Process::start(program)?;
        let ended = tokio::time::timeout(DEADLINE, process.ended()).await;
        let printed = fs::read_to_string(&program.log).unwrap_or_default();
        let ended = ended.with_context(|| format!("it does not end:\n{printed}"))?;
        Ok((ended.context("no exit code")?.code(), printed))
    }
}

pub(crate) async fn roles_in_single_namespaces_are_enough_and_nothing_else_is_read(
    bed: &Bed,
) -> Result<()> {
    let stage = Stage::set(bed, PREPARED).await?;
    let outcome = rollouts(bed, &stage).await;
    withdraw_gloo(bed)?;
    outcome
}

async fn rollouts(bed: &Bed, stage: &Stage) -> Result<()> {
    let folder = stage.folder.path();
    let content = folder.join("content");
    let platform = "apiVersion: v1\nkind: Namespace\nmetadata: {name: echo}\n";
    write(
        &content,
        &[
            ("platform/namespaces.yaml", platform),
            ("services/echo.yaml", &values("echo", 1)),
            ("services/golf.yaml", &values("payments", 1)),
            ("services/hotel.yaml", &values("hidden", 1)),
        ],
    )?;
    let repository = Repository::create(folder, &content).await?;
    let kubeconfig = folder.join("kubeconfig");
    let proxy = ApiProxy::start(&stage.account, &kubeconfig).await?;
    let hidden = ["get", "routetable", "mike-routes", "--namespace=hidden", "--output=json"];
    let before = kubectl(bed, &hidden, "")?;
    let program = Program::new("coalmine", COALMINE, folder)
        .arg("run")
        .flag("repo", repository.bare())
        .flag("interval", "200ms")
        .flag("listen", STATUS.to_string())
        .flag("state-dir", folder.join("state"))
        .arg("--leader-elect")
        .flag("lease-namespace", "coalmine")
        .env("COALMINE_WATCH_NAMESPACES", WATCHED)
        .env("KUBECONFIG", kubeconfig.to_string_lossy());
    let daemon = Daemon { status: StatusClient::new(&format!("http://{STATUS}"))? };
    let process = Process::start(&program)?;
    let outcome = process.alive(daemon.brings_out(bed, &repository)).await;
    process.stop(SHUTDOWN).await;
    let log = fs::read_to_string(&program.log).unwrap_or_default();
    outcome.with_context(|| format!("the daemon's log:\n{log}"))?;

    let requests: Vec<Request> = proxy.requests().into_iter().map(|it| it.request).collect();
    let strays: Vec<&Request> = requests.iter().filter(|request| strays(request)).collect();
    ensure!(strays.is_empty(), "it asked for what is outside: {strays:?}");
    let watches = requests.iter().filter(|request| request.is_about("routetables"));
    ensure!(watches.count() > 3, "no watches were counted");
    ensure!(kubectl(bed, &hidden, "")? == before, "the object in hidden has changed");
    let is_of_gloo = |line: &str| line.contains("interrupted") && line.contains("gloo-system");
    ensure!(!log.lines().any(is_of_gloo), "Gloo's Role lacks a right:\n{log}");
    commands(stage, &repository, &content).await
}

/// Whether a request reads or writes anything in the whole cluster, or in a namespace that is none of the daemon's.
fn strays(request: &Request) -> bool {
    let Some(resource) = &request.resource else { return false };
    match resource.namespace.as_deref() {
        Some("gloo-system") => request.is_write(),
        Some(namespace) => !READ.contains(&namespace),
        None => true,
    }
}

struct Daemon {
    status: StatusClient,
}

impl Daemon {
    async fn brings_out(&self, bed: &Bed, repository: &Repository) -> Result<()> {
        let first = repository.head().await?;
        self.applied("echo", &first).await?;
        // What it has no right to, and what it does not watch, holds up nobody else and says what to do.
        let grant = "kubectl apply -n payments -k deploy/overlays/namespaced/watched";
        self.says("golf", &["in the namespace \"payments\"", grant]).await?;
        let outside = "outside the namespaces that the daemon watches (echo, payments)";
        let add = "add hidden to --watch-namespaces";
        self.says("hotel", &["Deployment hidden/hotel-v1", outside, add]).await?;
        self.platform_says(&["Namespace echo", outside, "rights in the whole cluster"]).await?;
        let unread = "only objects in the namespaces echo, gloo-system are read";
        self.notes("echo", &[unread, "payments cannot be read now"]).await?;

        repository.write("services/echo.yaml", &values("echo", 50))?;
        repository.commit("Half of the requests").await?;
        let second = repository.push().await?.revision;
        self.applied("echo", &second).await?;
        let event = "jsonpath={.items[?(@.reason==\"Applied\")].reportingComponent}";
        let events = ["get", "events", "--namespace=echo", &format!("--output={event}")];
        until("an Event", DEADLINE, async || match kubectl(bed, &events, "") {
            Ok(said) => Seen::when(said.contains("coalmine"), said),
            Err(error) => Seen::NotYet(error.to_string()),
        })
        .await?;
        let lease = ["get", "lease", "coalmine-default", "--namespace=coalmine"];
        kubectl(bed, &lease, "").context("no Lease")?;

        // By itself: no commit, no restart.
        let folder = format!("{}/deploy/overlays/namespaced/watched", env!("CARGO_MANIFEST_DIR"));
        kubectl(bed, &["apply", "-n", "payments", "-k", &folder], "")?;
        self.applied("golf", &second).await.context("after the Role came")?;
        let all = "only objects in the namespaces echo, payments, gloo-system are read";
        self.notes("golf", &[all]).await
    }

    async fn service(&self, name: &str) -> Result<Service> {
        let status = self.status.get().await?;
        status.service(name).cloned().with_context(|| format!("no service {name} yet"))
    }

    /// Waits until the service is as it should be.
    async fn until(&self, what: &str, name: &str, is: impl Fn(&Service) -> bool) -> Result<()> {
        until(what, DEADLINE, async || match self.service(name).await {
            Ok(service) => {
                Seen::when(is(&service), format!("{}; {:?}", service.summary(), service.notes))
            }
            Err(error) => Seen::NotYet(error.to_string()),
        })
        .await
    }

    async fn applied(&self, name: &str, revision: &str) -> Result<()> {
        self.until(&format!("{name} to be applied"), name, |it| it.has_applied(revision)).await
    }

    async fn says(&self, name: &str, words: &[&str]) -> Result<()> {
        self.until(&format!("{name} to say {words:?}"), name, |service| {
            service.state == "Stalled" && words.iter().all(|it| service.says(it))
        })
        .await
    }

    async fn notes(&self, name: &str, words: &[&str]) -> Result<()> {
        self.until(&format!("a note {words:?}"), name, |service| {
            words.iter().all(|it| service.notes.iter().any(|note| note.contains(it)))
        })
        .await
    }

    async fn platform_says(&self, words: &[&str]) -> Result<()> {
        until(&format!("platform/ to say {words:?}"), DEADLINE, async || {
            match self.status.get().await {
                Ok(status) => {
                    let reason = status.platform.map(|it| it.reason).unwrap_or_default();
                    Seen::when(words.iter().all(|it| reason.contains(it)), reason)
                }
                Err(error) => Seen::NotYet(error.to_string()),
            }
        })
        .await
    }
}

/// From the start of the daemon: what is said of the namespace, and that its service goes on by itself.
pub(crate) async fn a_silent_namespace_holds_up_its_own_service_and_no_other(
    bed: &Bed,
) -> Result<()> {
    let stage = Stage::set(bed, PREPARED).await?;
    let watched = format!("{}/deploy/overlays/namespaced/watched", env!("CARGO_MANIFEST_DIR"));
    kubectl(bed, &["apply", "-n", "payments", "-k", &watched], "")?;
    withdraw_gloo(bed)?;
    let folder = stage.folder.path();
    let content = folder.join("content");
    let services = [("services/echo.yaml", "echo"), ("services/golf.yaml", "payments")];
    let services = services.map(|(path, namespace)| (path, values(namespace, 1)));
    write(&content, &services.each_ref().map(|(path, text)| (*path, text.as_str())))?;
    let repository = Repository::create(folder, &content).await?;
    let kubeconfig = folder.join("kubeconfig");
    let proxy = ApiProxy::start(&stage.account, &kubeconfig).await?;
    let is_there = |request: &Request| {
        let resource = request.resource.as_ref();
        resource.is_some_and(|it| it.namespace.as_deref() == Some("payments"))
    };
    let silence = proxy.inject(Choice::every(is_there), Fault::Silent);
    let program = Program::new("coalmine", COALMINE, folder)
        .arg("run")
        .flag("repo", repository.bare())
        .flag("interval", "200ms")
        .flag("listen", STATUS.to_string())
        .flag("state-dir", folder.join("state"))
        .flag("watch-namespaces", WATCHED)
        .env("KUBECONFIG", kubeconfig.to_string_lossy());
    let daemon = Daemon { status: StatusClient::new(&format!("http://{STATUS}"))? };
    let process = Process::start(&program)?;
    let goes_on = async {
        let first = repository.head().await?;
        daemon.applied("echo", &first).await?;
        daemon.says("golf", &["payments/*", "no answer from the API server"]).await?;
        repository.write("services/echo.yaml", &values("echo", 50))?;
        repository.commit("Half of the requests").await?;
        let second = repository.push().await?.revision;
        daemon.applied("echo", &second).await.context("while golf waits")?;
        ensure!(silence.times() > 0, "nobody was met with silence");
        drop(silence);
        daemon.applied("golf", &second).await.context("after the silence")
    };
    let outcome = process.alive(goes_on).await;
    process.stop(SHUTDOWN).await;
    let log = fs::read_to_string(&program.log).unwrap_or_default();
    outcome.with_context(|| format!("the daemon's log:\n{log}"))
}

/// The commands that ask the cluster, with the same rights.
async fn commands(stage: &Stage, repository: &Repository, content: &Path) -> Result<()> {
    let once = |name: &str| {
        stage
            .program(name)
            .args(["run", "--once"])
            .flag("repo", repository.bare())
            .flag("state-dir", stage.folder.path().join("state-once"))
    };
    let (code, printed) = stage.ends(&once("once").flag("watch-namespaces", WATCHED)).await?;
    ensure!(code == Some(1), "{code:?}: platform/ and hotel cannot be brought out\n{printed}");
    for line in ["echo: ready", "golf: ready", "hotel: failed: ", "platform: failed: "] {
        ensure!(printed.lines().any(|it| it.starts_with(line)), "no {line:?} in\n{printed}");
    }
    let (code, printed) = stage.ends(&once("whole")).await?;
    ensure!(code == Some(1), "{code:?}\n{printed}");
    for words in ["may not list", "at the cluster scope", "--watch-namespaces"] {
        ensure!(printed.contains(words), "no {words:?} in\n{printed}");
    }

    let doctor = |name: &str, namespaces: &str| {
        stage.program(name).arg("doctor").flag("watch-namespaces", namespaces)
    };
    let (code, printed) = stage.ends(&doctor("doctor", WATCHED)).await?;
    ensure!(code == Some(0) && printed.contains("rights in payments: all "), "{code:?}\n{printed}");
    let (code, printed) = stage.ends(&doctor("doctor-hidden", "echo,hidden")).await?;
    let grant = "kubectl apply -n hidden -k deploy/overlays/namespaced/watched";
    ensure!(code == Some(1) && printed.contains(grant), "{code:?}\n{printed}");

    let content = content.to_string_lossy().into_owned();
    let on = |name: &str, command: &str| {
        let program = stage.program(name).arg(command).arg(&content);
        program.flag("watch-namespaces", WATCHED)
    };
    let (code, printed) = stage.ends(&on("diff", "diff")).await?;
    ensure!(
        code == Some(1) && printed.contains("hotel: Deployment hidden/"),
        "{code:?}\n{printed}"
    );
    ensure!(printed.contains("RouteTable echo/echo-routes"), "echo can be compared:\n{printed}");
    let (code, printed) = stage.ends(&on("validate", "validate").arg("--cluster")).await?;
    ensure!(code == Some(0), "{code:?}\n{printed}");
    for words in ["only the namespaces echo, payments were looked at", "hotel: Deployment hidden/"]
    {
        ensure!(printed.contains(words), "no {words:?} in\n{printed}");
    }
    let plan = stage.program("plan").args(["plan", "HEAD", "--cluster"]);
    let plan = plan.flag("directory", repository.clone_directory());
    let (code, printed) = stage.ends(&plan.flag("watch-namespaces", WATCHED)).await?;
    ensure!(code == Some(0) && printed.contains("were looked at"), "{code:?}\n{printed}");
    Ok(())
}

const POLICIES: &str = "\
timing: {deadline: 60s}
folders:
  '*': {namespaces: ['{folder}'], apiGroups: [example], paths: [/], serviceAccountName: coalmine-deployer}
";

/// The variant of the Role that writes nothing as the daemon; and of Gloo's namespace it may read nothing.
pub(crate) async fn a_team_is_written_as_its_account_by_roles_alone(bed: &Bed) -> Result<()> {
    let stage = Stage::set(bed, PREPARED).await?;
    withdraw_gloo(bed)?;
    impersonates(bed, &stage).await
}

/// Takes the Role in Gloo's namespace away, which stays when the bed is reset.
fn withdraw_gloo(bed: &Bed) -> Result<()> {
    for kind in ["rolebinding", "role"] {
        kubectl(bed, &["delete", kind, "coalmine", "--namespace=gloo-system"], "")?;
    }
    Ok(())
}

async fn impersonates(bed: &Bed, stage: &Stage) -> Result<()> {
    let folder = stage.folder.path();
    let variant = folder.join("variant");
    let rbac = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/overlays/namespaced/watched-lockdown/rbac.yaml"
    );
    fs::create_dir_all(&variant)?;
    fs::copy(rbac, variant.join("rbac.yaml"))?;
    let kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n\
        namespace: payments\nresources: [rbac.yaml]\n";
    fs::write(variant.join("kustomization.yaml"), kustomization)?;
    kubectl(bed, &["apply", "-k", &variant.to_string_lossy()], "")?;
    let content = folder.join("content");
    let own = "deployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}}\n";
    let service = format!("namespace: payments\n{own}");
    write(&content, &[("coalmine.yaml", POLICIES), ("services/payments/kilo.yaml", &service)])?;
    let repository = Repository::create(folder, &content).await?;
    let program = stage
        .program("once")
        .args(["run", "--once"])
        .flag("repo", repository.bare())
        .flag("state-dir", folder.join("state"))
        .flag("watch-namespaces", "payments");
    let (code, printed) = stage.ends(&program).await?;
    ensure!(code == Some(0), "{code:?}\n{printed}");
    let kinds = "deployments.apps,services,upstreams.gloo.solo.io,routetables.gateway.solo.io";
    let listed = ["get", kinds, "--namespace=payments", "--output=json", "--show-managed-fields"];
    let listed: Value = serde_json::from_str(&kubectl(bed, &listed, "")?)?;
    let objects = listed["items"].as_array().context("no list")?;
    ensure!(objects.len() == 4, "{objects:?}\n{printed}");
    for object in objects {
        let written = &object["metadata"]["annotations"]["coalmine.dev/service-account"];
        ensure!(written == "coalmine-deployer", "{object}");
    }
    let doctor = stage.program("doctor").arg("doctor").flag("watch-namespaces", "payments");
    let (_, printed) = stage.ends(&doctor).await?;
    let grant = "kubectl apply -n gloo-system -k deploy/overlays/namespaced/gloo";
    let note = printed.lines().find(|line| line.starts_with("note"));
    ensure!(note.is_some_and(|note| note.contains(grant)), "no note of Gloo in\n{printed}");
    Ok(())
}

/// The objects of a folder below `deploy/`.
fn objects(bed: &Bed, folder: &str) -> Result<Vec<Value>> {
    let all = kustomize(bed, folder)?;
    let documents = all.split("\n---\n").map(serde_yaml::from_str);
    Ok(documents.collect::<Result<_, _>>()?)
}
