//! `coalmine doctor`: can this machine, or this pod, do what `coalmine run` does?

mod gateways;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};
use serde::Deserialize;

use crate::cli::autopilot::Autopilot;
use crate::cli::git::Git;
use crate::cli::watch_namespaces::WatchNamespaces;
use crate::cluster::{Cluster, ClusterError};
use crate::hint::{self, advised};
use crate::report::Requests;
use crate::source::Source;
use coalmine_core::kind::Kind;
use coalmine_core::reason::{Hinted, grant, grant_reading};
use coalmine_core::sanitize::sanitize;
use coalmine_core::values::Repository;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Yellow.on_default().bold();

/// The rights that the daemon needs: those that it is given.
const RIGHTS: &str = include_str!("../../../deploy/base/rbac.yaml");
/// Those that it needs in each namespace where it watches single ones.
const RIGHTS_IN_NAMESPACE: &str =
    include_str!("../../../deploy/overlays/namespaced/watched/rbac.yaml");

/// Look whether everything is there that the daemon needs
///
/// The repository, whether the autopilot may push to it, the API server, Gloo's kinds and settings, the Gateways of the Gateway API that services name, and the
/// rights; each with what to do when it is not. Nothing is changed. Exits with 0 when all is well.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine doctor                                          the cluster of KUBECONFIG
  coalmine doctor --repo https://git.example.com/r.git --git-token-file token
  kubectl exec -n coalmine deploy/coalmine -- coalmine doctor   with the daemon's own rights
  coalmine doctor --watch-namespaces echo,payments         of a daemon with Roles in these")]
pub(super) struct Doctor {
    /// The repository, as `run` is told it; without it git is not looked at
    #[arg(long, value_name = "URL")]
    repo: Option<String>,
    #[command(flatten)]
    git: Git,
    #[command(flatten)]
    autopilot: Autopilot,
    /// The namespace that Gloo runs in
    #[arg(long, value_name = "NAME", default_value = "gloo-system")]
    gloo_namespace: String,
    #[command(flatten)]
    namespaces: WatchNamespaces,
}

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        crate::cli::runtime()?.block_on(async {
            let mut findings = Findings::default();
            let mut wanted = BTreeMap::new();
            if let Some(repository) = &self.repo {
                let read = self.repository(repository).await.map(|(read, words)| {
                    wanted = gateways::wanted(&read);
                    words
                });
                findings.add("repository", read);
                if self.autopilot.is_configured() {
                    findings.add("push", self.push(repository).await);
                    self.look_at_forge(repository, &mut findings).await;
                }
            }
            match self.cluster(&mut findings).await {
                Ok(cluster) => {
                    let has_http_routes = gateways::look(&cluster, &wanted, &mut findings).await;
                    self.look_at_gloo(&cluster, has_http_routes, &mut findings).await;
                    self.look_at_rights(&cluster, &mut findings).await;
                }
                Err(error) => findings.add("API server", Err(error)),
            }
            Ok(if findings.bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        })
    }

    /// Fetches the branch and reads it, in a folder that goes again.
    async fn repository(&self, repository: &str) -> anyhow::Result<(Repository, String)> {
        let name = format!("coalmine-doctor-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let looked_at = async {
            let source = Source::new(self.git.source(repository, directory.clone())?)?;
            let revision = source.fetch().await?;
            let read = Repository::parse(&source.tree(&revision)?);
            let good = read.services.values().filter(|outcome| outcome.is_ok()).count();
            let all = read.services.len();
            if let Some(problem) = read.problems.first() {
                anyhow::bail!("it can be fetched, but nothing of it would be applied: {problem}");
            }
            let words =
                format!("at {}, {good} of {all} services without mistakes", revision.short());
            Ok((read, words))
        };
        let result = looked_at.await;
        // What is left of it is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&directory);
        result
    }

    /// Whether the autopilot could push to the branch, which it does not.
    async fn push(&self, repository: &str) -> anyhow::Result<String> {
        let name = format!("coalmine-doctor-push-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let looked_at = async {
            let config = self.git.source(repository, directory.clone())?;
            let publisher = self.autopilot.publisher(&config)?;
            Ok(Source::new(config)?.check_push(&publisher).await?)
        };
        let result = looked_at.await;
        // What is left of it is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&directory);
        result
    }

    /// Whether it could open pull requests, where it is to.
    async fn look_at_forge(&self, repository: &str, findings: &mut Findings) {
        match self.autopilot.pull_requests(repository) {
            Ok(None) => {}
            Ok(Some(pull_requests)) => {
                let checked = pull_requests.check().await;
                let checked = checked.map_err(|error| match error.hint() {
                    Some(hint) => advised(error, hint),
                    None => error.into(),
                });
                findings.add("pull requests", checked);
            }
            Err(error) => findings.add("pull requests", Err(error)),
        }
    }

    async fn cluster(&self, findings: &mut Findings) -> anyhow::Result<Cluster> {
        let cluster = Cluster::connect(&Requests::default()).await?;
        let cluster = cluster.within(self.namespaces.namespaces());
        let version = cluster.client().apiserver_version().await.map_err(|error| {
            advised(
                format_args!("it does not answer: {error}"),
                "check KUBECONFIG and that the cluster is up",
            )
        })?;
        findings.add("API server", Ok(format!("Kubernetes {}", version.git_version)));
        Ok(cluster)
    }

    /// Where single namespaces are watched the daemon goes on without the rights to read Gloo's, and where the Gateway
    /// API is served without Gloo itself.
    async fn look_at_gloo(
        &self,
        cluster: &Cluster,
        has_http_routes: bool,
        findings: &mut Findings,
    ) {
        let finding = self.gloo(cluster).await;
        let error = finding.as_ref().err().and_then(|error| error.downcast_ref::<ClusterError>());
        match error {
            Some(error @ ClusterError::Denied { .. }) if cluster.namespaces().names().is_some() => {
                let grant = grant_reading(&self.gloo_namespace);
                findings.note(
                    "Gloo",
                    &format!("the preflight does not know it: {error}; `{grant}` lets it read"),
                );
            }
            Some(error @ ClusterError::KindNotServed { .. }) if has_http_routes => findings.note(
                "Gloo",
                &format!(
                    "{error}; only services with `gateway: {{api: gateway-api}}` can be brought out"
                ),
            ),
            _ => findings.add("Gloo", finding),
        }
    }

    async fn look_at_rights(&self, cluster: &Cluster, findings: &mut Findings) {
        let Some(names) = cluster.namespaces().names() else {
            let grant = "`kubectl apply -k deploy/base` gives the account of the daemon all of them; where it is to \
                         have Roles in single namespaces, name those in --watch-namespaces";
            return findings.add("rights", rights(cluster, RIGHTS, None, grant).await);
        };
        for name in names {
            let grant = format!(
                "`{}` gives the account of the daemon all of them, if there is a namespace {name}",
                grant(name)
            );
            let finding = rights(cluster, RIGHTS_IN_NAMESPACE, Some(name), &grant).await;
            findings.add(&format!("rights in {name}"), finding);
        }
    }

    async fn gloo(&self, cluster: &Cluster) -> anyhow::Result<String> {
        for kind in gloo::Snapshot::ROUTING.iter().filter(|kind| kind.api_version != "v1") {
            cluster.list(kind.api_version, kind.kind, Some(&self.gloo_namespace), "").await?;
        }
        let namespace = &self.gloo_namespace;
        let settings = cluster.list_known(Kind::Settings, Some(namespace), "").await?;
        if !settings.iter().any(|(id, _)| id.name == "default") {
            return Err(advised(
                format_args!("its kinds are there, but no Settings {namespace}/default"),
                "does Gloo run in another namespace? --gloo-namespace here, gloo.namespace in coalmine.yaml",
            ));
        }
        let gateways = cluster.list_known(Kind::Gateway, Some(namespace), "").await?;
        if gateways.is_empty() {
            return Err(advised(
                format_args!("no Gateway is in {namespace}, so nobody listens"),
                "Gloo's Helm chart brings one",
            ));
        }
        Ok(format!("its kinds, Settings and {} Gateways are in {namespace}", gateways.len()))
    }
}

/// Whether the API server serves HTTPRoutes. One that may not be listed is served.
async fn serves_http_routes(cluster: &Cluster) -> bool {
    let found = cluster.list_known(Kind::HttpRoute, None, "").await;
    !matches!(found, Err(ClusterError::KindNotServed { .. } | ClusterError::Unreachable(_)))
}

#[derive(Default)]
struct Findings {
    bad: bool,
}

impl Findings {
    /// Something that is worth knowing, and nothing that is missing.
    fn note(&self, what: &str, words: &str) {
        anstream::println!("{NOTE}note{NOTE:#}   {what}: {}", sanitize(words));
    }

    fn add(&mut self, what: &str, finding: anyhow::Result<String>) {
        match finding {
            Ok(words) => anstream::println!("{GOOD}ok{GOOD:#}     {what}: {}", sanitize(&words)),
            Err(error) => {
                self.bad = true;
                let words = hint::line(&error);
                anstream::println!("{BAD}error{BAD:#}  {what}: {}", sanitize(&words));
            }
        }
    }
}

#[derive(Deserialize)]
struct Role {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
}

/// Asks the API server about each right of the daemon's role, in one namespace or in the whole cluster. `grant` says how it
/// gets those that are missing.
async fn rights(
    cluster: &Cluster,
    role: &str,
    namespace: Option<&str>,
    grant: &str,
) -> anyhow::Result<String> {
    let roles: Vec<Role> = serde_yaml::from_multiple(role)?;
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.client());
    let (mut count, mut missing) = (0, Vec::new());
    for rule in roles.iter().flat_map(|role| &role.rules) {
        for (group, resource) in product(&rule.api_groups, &rule.resources) {
            let mut denied = Vec::new();
            for verb in &rule.verbs {
                let review = review(namespace, group, resource, verb);
                let answer = reviews.create(&PostParams::default(), &review).await?;
                count += 1;
                if !answer.status.is_some_and(|status| status.allowed) {
                    denied.push(verb.as_str());
                }
            }
            if !denied.is_empty() {
                let dot = if group.is_empty() { "" } else { "." };
                missing.push(format!("{} {resource}{dot}{group}", denied.join(",")));
            }
        }
    }
    if !missing.is_empty() {
        return Err(advised(format_args!("not allowed: {}", missing.join("; ")), grant));
    }
    Ok(format!("all {count} that the daemon needs"))
}

fn product<'a>(
    groups: &'a [String],
    resources: &'a [String],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let of_group = |group: &'a String| resources.iter().map(|it| (group.as_str(), it.as_str()));
    groups.iter().flat_map(of_group)
}

fn review(
    namespace: Option<&str>,
    group: &str,
    resource: &str,
    verb: &str,
) -> SelfSubjectAccessReview {
    let attributes = ResourceAttributes {
        namespace: namespace.map(str::to_owned),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec {
        resource_attributes: Some(attributes),
        ..SelfSubjectAccessReviewSpec::default()
    };
    SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    const DOCKERFILE: &str = include_str!("../../../deploy/Dockerfile");
    const DEPLOYMENT: &str = include_str!("../../../deploy/base/deployment.yaml");

    /// Every right of a role, each as group, resource and verb.
    fn all_of(role: &str) -> BTreeSet<(String, String, String)> {
        let roles: Vec<Role> = serde_yaml::from_multiple(role).expect("roles");
        let mut rights = BTreeSet::new();
        for rule in roles.iter().flat_map(|role| &role.rules) {
            for (group, resource) in product(&rule.api_groups, &rule.resources) {
                let verbs = rule.verbs.iter();
                rights.extend(verbs.map(|it| (group.into(), resource.into(), it.clone())));
            }
        }
        rights
    }

    #[test]
    fn a_role_in_one_namespace_has_all_rights_of_the_whole_cluster_that_a_namespace_can_have() {
        let mut whole = all_of(RIGHTS);
        whole.retain(|(_, resource, _)| {
            !["namespaces", "gatewayclasses"].contains(&resource.as_str())
        });
        assert_eq!(all_of(RIGHTS_IN_NAMESPACE), whole);
        let reads = |(_, _, verb): &(String, String, String)| {
            matches!(verb.as_str(), "get" | "list" | "watch")
        };
        let gloo = all_of(include_str!("../../../deploy/overlays/namespaced/gloo/rbac.yaml"));
        assert!(gloo.iter().all(reads) && gloo.is_subset(&whole), "{gloo:?}");
        let proxies = all_of(include_str!("../../../deploy/overlays/namespaced/proxies/rbac.yaml"));
        assert!(proxies.iter().all(reads) && proxies.is_subset(&whole), "{proxies:?}");
        for kind in crate::cluster::WatchedKind::of_gloo() {
            let group = kind.api_version.rsplit_once('/').map_or("", |(group, _)| group);
            let resource = match kind.kind.as_str() {
                "Gateway" => "gateways".to_owned(),
                "MatchableHttpGateway" => "httpgateways".to_owned(),
                "Settings" => "settings".to_owned(),
                kind => format!("{}s", kind.to_lowercase()),
            };
            let needed = (group.to_owned(), resource, "watch".to_owned());
            assert!(gloo.contains(&needed), "{needed:?}");
        }
    }

    /// The image has nothing but the program, and its container can write nowhere but to the volume.
    #[test]
    fn the_command_of_the_help_is_found_in_the_image_and_has_a_place_to_clone_to() {
        let last = |word: &str| {
            let line = DOCKERFILE.lines().rev().find_map(|line| line.strip_prefix(word));
            line.unwrap_or_else(|| panic!("{word} is missing")).to_owned()
        };
        let copied = DOCKERFILE.lines().find(|line| line.contains("/release/coalmine "));
        let program = copied.and_then(|line| line.split(' ').next_back()).expect("a place");
        assert_eq!(last("ENTRYPOINT "), format!("[\"{program}\"]"));
        let folder = Path::new(program).parent().expect("a folder");
        assert!(last("ENV PATH=").split(':').any(|path| Path::new(path) == folder), "{program}");

        let deployment: Value = serde_yaml::from_str(DEPLOYMENT).expect("YAML");
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let environment = container["env"].as_array().into_iter().flatten();
        let temporary = environment.into_iter().find(|it| it["name"] == "TMPDIR");
        let temporary = temporary.and_then(|it| it["value"].as_str()).expect("a folder");
        let mut mounts = container["volumeMounts"].as_array().into_iter().flatten();
        assert!(mounts.any(|mount| mount["mountPath"] == temporary), "{temporary}");
    }
}
