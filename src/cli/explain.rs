//! `coalmine explain`: which version answers a request, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anstyle::Style;
use anyhow::bail;
use gloo::config::{RouteConfiguration, VirtualHost};
use gloo::{
    Answer, Entry, Memory, ObjectRef, Outcome, Request, ResourceRef, Serves, Snapshot, Translation,
    answer, translate,
};

use super::watch_namespaces::WatchNamespaces;
use crate::cluster::{Cluster, ClusterError, Namespaces};
use crate::hint::advised;
use crate::report::Requests;
use crate::source::read_directory;
use coalmine_core::edit::valid;
use coalmine_core::kind::Kind;
use coalmine_core::labels::SERVICE;
use coalmine_core::proposal::{Expected, host_of, in_words, reference};
use coalmine_core::sanitize::sanitize;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Say which version of a service answers a request, and why
///
/// By the rules of Gloo and Envoy, from a folder of values as if every version had a ready pod, or with
/// --cluster from the objects and pods that there are.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine explain echo /echo --header stage=canary
  coalmine explain echo /echo --cluster")]
pub(super) struct Explain {
    /// The service
    service: String,
    /// The path, with the query if there is one
    path: String,
    /// A header of the request; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = super::start::header)]
    headers: Vec<(String, String)>,
    /// The method
    #[arg(long, default_value = "GET")]
    method: String,
    /// The host that is asked for [default: the first one that fits the service's routes]
    #[arg(long)]
    host: Option<String>,
    /// The folder with coalmine.yaml, platform/ and services/
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Ask the cluster of KUBECONFIG, not the folder
    #[arg(long, conflicts_with = "folder")]
    cluster: bool,
    #[command(flatten)]
    namespaces: WatchNamespaces,
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let seen = match self.cluster {
            true => super::runtime()?
                .block_on(of_cluster(&self.service, self.namespaces.namespaces()))?,
            false => self.of_folder()?,
        };
        let translation = translate(&seen.snapshot, &Memory::default());
        let Some(host) = host_of(&translation, &seen.routes) else {
            let is_http_route = |it: &ObjectRef| it.kind == Kind::HttpRoute.as_str();
            if let Some(route) = seen.routes.iter().find(|it| is_http_route(it)) {
                return Err(advised(
                    format_args!("{route} is not Gloo's, and only Gloo's rules are known here"),
                    format_args!(
                        "`coalmine plan` shows which requests go to which version of {}",
                        self.service
                    ),
                ));
            }
            return Err(advised(
                format_args!("the gateway serves no route of {}", self.service),
                "does a VirtualService select its apiGroup?",
            ));
        };
        let request = Request {
            method: self.method.clone(),
            host: self.host.clone().unwrap_or(host),
            path: self.path.clone(),
            headers: self.headers.clone(),
        };
        let way_in = way_in(&translation, &seen.routes, &request.host);
        let answered = answer(&translation, &way_in.entry, &request);
        print_request(&request, &way_in);
        let is_ours = print_way(&translation, &answered, &way_in, &request.host)
            .is_some_and(|holder| seen.routes.contains(&holder));
        for (who, share) in recipients(&answered.outcomes, &seen.versions) {
            anstream::println!("  → {} {:.0} %", sanitize(&who), share * 100.0);
        }
        for (share, outcomes) in &answered.mirrors {
            for (who, part) in recipients(outcomes, &seen.versions) {
                let percent = share * part * 100.0;
                anstream::println!("  and a copy to {} {percent:.0} %", sanitize(&who));
            }
        }
        if !is_ours {
            anstream::eprintln!("no route of {} takes it", self.service);
        }
        Ok(if is_ours { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn of_folder(&self) -> anyhow::Result<Seen> {
        let expected = Expected::of(&read_directory(&self.folder)?);
        valid(&expected.repository, &self.service)?;
        let mut versions = Versions::new();
        for service in expected.names().filter_map(|name| expected.service(name)) {
            for version in service.versions.keys() {
                let pod = ResourceRef::new(&service.namespace, service.version_name(version));
                versions.insert(pod, format!("{} {version}", service.name));
            }
        }
        let routes = expected.job(&self.service).into_iter().flat_map(|job| &job.desired.routes);
        let routes = routes.map(|manifest| reference(manifest.id())).collect();
        Ok(Seen { snapshot: expected.cluster(), versions, routes })
    }
}

/// How the request comes in.
struct WayIn {
    entry: Entry,
    /// The Gateway, unless nobody serves the routes.
    gateway: Option<Arc<ObjectRef>>,
}

/// The listener that serves the service's routes for this host; of several the one whose virtual host has
/// them.
fn way_in(translation: &Translation, routes: &BTreeSet<ObjectRef>, host: &str) -> WayIn {
    let holds = |it: &VirtualHost| it.routes.iter().any(|route| routes.contains(&*route.holder));
    let serving = |it: &&RouteConfiguration| it.virtual_hosts.iter().any(|host| holds(host));
    let Some(found) = translation.routes.iter().find(serving) else {
        return WayIn { entry: Entry::http(0), gateway: None };
    };
    let mut listeners = translation.listeners.iter();
    let listener = listeners.find(|it| it.proxy == found.proxy && it.gateway == found.gateway);
    let serves = Serves::Routes(found.name.clone());
    let chains = listener.map(|listener| listener.chains.as_slice()).unwrap_or_default();
    let mut chains = chains.iter().filter(|chain| chain.serves == serves);
    let port = listener.map_or(0, |listener| listener.port);
    let name = host.split(':').next().unwrap_or_default();
    let entry = match chains.any(|chain| chain.tls.is_some()) {
        true => Entry::https(port, name),
        false => Entry::http(port),
    };
    let entry = Entry { proxy: found.proxy.clone(), ..entry };
    WayIn { entry, gateway: Some(Arc::clone(&found.gateway)) }
}

fn print_request(request: &Request, way_in: &WayIn) {
    let Request { method, host, path, headers } = request;
    let headers: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let with = if headers.is_empty() { "" } else { " with " };
    let scheme = if way_in.entry.tls.is_some() { "https" } else { "http" };
    let line = format!("{method} {scheme}://{host}{path}{with}{}", headers.join(", "));
    anstream::println!("{BOLD}{}{BOLD:#}", sanitize(&line));
}

/// Prints the routes that are tried, and returns the object with the one that takes the request.
fn print_way(
    translation: &Translation,
    answered: &Answer,
    way_in: &WayIn,
    host: &str,
) -> Option<ObjectRef> {
    if let (Some(gateway), true) = (&way_in.gateway, translation.gateways().len() > 1) {
        anstream::println!("  {gateway} takes it in, at port {}", way_in.entry.port);
    }
    let mut hosts = translation.served_hosts();
    let is_it = |it: &&Arc<VirtualHost>| {
        Some(&it.name) == answered.virtual_host.as_ref()
            && Some(&it.gateway) == way_in.gateway.as_ref()
    };
    let Some(found) = hosts.find(is_it) else {
        anstream::println!("  no VirtualService has the domain {}", sanitize(host));
        return None;
    };
    let domains = found.domains.join(", ");
    anstream::println!("  {} has the domain {}", found.holder, sanitize(&domains));
    for route in &found.routes {
        let takes = in_words(&route.matcher);
        if Some(&route.name) == answered.route.as_ref() {
            anstream::println!("  {BOLD}takes it:{BOLD:#} {} ({})", sanitize(&takes), route.holder);
            return Some(ObjectRef::clone(&route.holder));
        }
        anstream::println!("  {DIM}passes:   {} ({}){DIM:#}", sanitize(&takes), route.holder);
    }
    None
}

/// What there is, as far as routing goes.
struct Seen {
    snapshot: Snapshot,
    versions: Versions,
    /// The objects with the service's routes.
    routes: BTreeSet<ObjectRef>,
}

/// Which version of which service a pod is.
type Versions = BTreeMap<ResourceRef, String>;

/// Of a cluster of which single namespaces are watched, these and what may be read in Gloo's.
async fn of_cluster(service: &str, namespaces: Namespaces) -> anyhow::Result<Seen> {
    let cluster = Cluster::connect(&Requests::default()).await?.within(namespaces);
    let (mut snapshot, mut versions) = (Snapshot::default(), Versions::new());
    let mut routes = BTreeSet::new();
    let gloo = snapshot.gloo_namespace().to_owned();
    let beside = Some(gloo.as_str()).filter(|gloo| !cluster.namespaces().has(Some(gloo)));
    if cluster.namespaces().names().is_some() {
        snapshot = snapshot.of_namespaces();
    }
    for namespace in cluster.namespaces().each().chain(beside.map(Some)) {
        let is_beside = beside.is_some() && namespace == beside;
        let needed = Snapshot::ROUTING.iter().chain(Snapshot::ENDPOINTS).map(|kind| (kind, true));
        let further = Snapshot::FURTHER.iter().map(|kind| (kind, false));
        for (kind, is_needed) in needed.chain(further) {
            let objects = match cluster.list(kind.api_version, kind.kind, namespace, "").await {
                Ok(objects) => objects,
                Err(ClusterError::KindNotServed { .. }) if !is_needed => continue,
                Err(ClusterError::Denied { .. }) if !is_needed || is_beside => continue,
                Err(error) => return Err(error.into()),
            };
            for (id, object) in objects {
                snapshot.upsert(&object);
                let label = |name: &str| object["metadata"]["labels"][name].as_str();
                if id.is_route() && label(SERVICE) == Some(service) {
                    routes.insert(reference(&id));
                }
                if let (true, Some(app), Some(version)) =
                    (id.is(Kind::Pod), label("app"), label("version"))
                {
                    let place = id.namespace.as_deref().unwrap_or_default();
                    let pod = ResourceRef::new(place, &id.name);
                    versions.insert(pod, format!("{app} {version}"));
                }
            }
            match namespace {
                Some(namespace) => snapshot.read(kind.kind, namespace),
                None => snapshot.know(kind.kind),
            }
        }
    }
    if routes.is_empty() {
        bail!("the cluster has no routes of a service {service}");
    }
    Ok(Seen { snapshot, versions, routes })
}

/// Who answers and how likely, the pods of one version taken together.
fn recipients(outcomes: &[(Outcome, f64)], versions: &Versions) -> BTreeMap<String, f64> {
    let mut recipients = BTreeMap::new();
    for (outcome, share) in outcomes {
        let who = match outcome {
            Outcome::Refused => "nobody, the gateway refuses the connection".to_owned(),
            Outcome::Closed => "nobody, the gateway closes the connection".to_owned(),
            Outcome::TlsFailed => "nobody, TLS fails".to_owned(),
            Outcome::Unknown => "nobody knows, this is not modelled".to_owned(),
            Outcome::Status { status, location: None, .. } => format!("status {status}"),
            Outcome::Status { status, location: Some(to), .. } => {
                format!("status {status} to {to}")
            }
            Outcome::Endpoint { cluster, pod, address, .. } => {
                let version = pod.as_ref().and_then(|pod| versions.get(pod)).cloned();
                version.unwrap_or_else(|| format!("{address} of {cluster}"))
            }
        };
        *recipients.entry(who).or_default() += share;
    }
    recipients
}
