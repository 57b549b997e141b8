//! `coalmine explain`: which version answers a request, and why.

mod cluster;
mod gateway_api;
mod gloo;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use ::gloo::{ObjectRef, Request, ResourceRef, Snapshot};
use anstyle::Style;

use super::watch_namespaces::WatchNamespaces;
use crate::source::read_directory;
use coalmine_core::edit::valid;
use coalmine_core::kind::{Kind, RouteApi};
use coalmine_core::proposal::{Expected, reference};
use coalmine_core::sanitize::sanitize;
use coalmine_core::values::{Service, ValueMatch};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Say which version of a service answers a request, and why
///
/// By the rules of the gateway and of Envoy, from a folder of values as if every version had a ready pod, or with
/// --cluster from the objects and pods that there are. Of a service with routes in both APIs, by each of them.
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
                .block_on(cluster::read(&self.service, self.namespaces.namespaces()))?,
            false => self.of_folder()?,
        };
        let is_gloos = |it: &&ObjectRef| {
            Kind::of_reference(it).and_then(Kind::route_api) != Some(RouteApi::GatewayApi)
        };
        let (gloos, others): (BTreeSet<_>, BTreeSet<_>) =
            seen.routes.iter().cloned().partition(|it| is_gloos(&it));
        let wanted = Wanted {
            service: &self.service,
            method: &self.method,
            host: self.host.as_deref(),
            path: &self.path,
            headers: &self.headers,
        };
        let mut explained = Vec::new();
        // Without routes of either the service is looked for behind Gloo.
        if !gloos.is_empty() || others.is_empty() {
            explained.push(self.print(gloo::explain(&seen.gloo, &gloos, &wanted)?, &seen));
        }
        if !others.is_empty() {
            for found in gateway_api::explain(&seen.gateway_api, &others, &wanted)? {
                explained.push(self.print(found, &seen));
            }
            if let Some(words) = seen.token.as_deref() {
                anstream::eprintln!("{}", sanitize(words));
            }
        }
        let is_ours = explained.iter().all(|is_ours| *is_ours);
        Ok(if is_ours { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Prints who answers, and says whether it is the service.
    fn print(&self, explained: Explained, seen: &Seen) -> bool {
        for (who, share) in recipients(&explained.answers, &seen.versions) {
            anstream::println!("  → {} {:.0} %", sanitize(&who), share * 100.0);
        }
        for (share, parts) in &explained.copies {
            for (who, part) in recipients(parts, &seen.versions) {
                let percent = share * part * 100.0;
                anstream::println!("  and a copy to {} {percent:.0} %", sanitize(&who));
            }
        }
        if !explained.is_ours {
            anstream::eprintln!("no route of {} takes it", self.service);
        }
        explained.is_ours
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
        let token = expected.service(&self.service).and_then(required_token);
        let gateway_api = expected.gateway_api().unwrap_or_default();
        Ok(Seen { gloo: expected.cluster(), gateway_api, versions, routes, token })
    }
}

/// The request, as far as the command line says it.
struct Wanted<'a> {
    service: &'a str,
    method: &'a str,
    host: Option<&'a str>,
    path: &'a str,
    headers: &'a [(String, String)],
}

impl Wanted<'_> {
    /// The request, to this host where none is said.
    fn request(&self, host: String) -> Request {
        Request {
            method: self.method.to_owned(),
            host: self.host.map_or(host, str::to_owned),
            path: self.path.to_owned(),
            headers: self.headers.to_vec(),
        }
    }
}

fn print_request(request: &Request, has_tls: bool) {
    let Request { method, host, path, headers } = request;
    let headers: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let with = if headers.is_empty() { "" } else { " with " };
    let scheme = if has_tls { "https" } else { "http" };
    let line = format!("{method} {scheme}://{host}{path}{with}{}", headers.join(", "));
    anstream::println!("{BOLD}{}{BOLD:#}", sanitize(&line));
}

/// What there is, as far as routing goes.
struct Seen {
    gloo: Snapshot,
    gateway_api: ::gateway_api::Snapshot,
    versions: Versions,
    /// The objects with the service's routes.
    routes: BTreeSet<ObjectRef>,
    /// Which token leads to the canary, in words, if one does.
    token: Option<String>,
}

/// Which token a request needs that is to reach the canary, in words.
fn required_token(service: &Service) -> Option<String> {
    let canary = service.routes.canary.as_ref()?;
    let jwt = canary.jwt.as_ref()?;
    let words = |(claim, value): (&String, &ValueMatch)| match value {
        ValueMatch::Exact(text) => format!("{claim} = {text}"),
        ValueMatch::Regex(text) => format!("{claim} one of {text}"),
        ValueMatch::Present => claim.clone(),
    };
    let claims: Vec<String> = jwt.claims.iter().map(words).collect();
    let both = if canary.headers.is_empty() { "" } else { ", with the canary's headers" };
    Some(format!(
        "{} needs a valid token of {} with the claims {}{both}; no header of a request takes its place",
        canary.version,
        jwt.issuer,
        claims.join(", ")
    ))
}

/// Which version of which service a pod is.
type Versions = BTreeMap<ResourceRef, String>;

/// Who answers a request by the rules of one gateway.
struct Explained {
    /// Whether a route of the service takes it.
    is_ours: bool,
    answers: Vec<Part>,
    /// Who gets a copy, and how likely there is one.
    copies: Vec<(f64, Vec<Part>)>,
}

/// Somebody, and how likely.
type Part = (Who, f64);

/// Who answers.
enum Who {
    Refused,
    Closed,
    TlsFailed,
    Unknown,
    /// The gateway itself, with a status, and where that leads.
    Status(u32, Option<String>),
    /// A pod, as far as it is known, and its address.
    Pod(Option<ResourceRef>, String),
}

/// Who answers and how likely, the pods of one version taken together.
fn recipients(parts: &[Part], versions: &Versions) -> BTreeMap<String, f64> {
    let mut recipients = BTreeMap::new();
    for (who, share) in parts {
        let who = match who {
            Who::Refused => "nobody, the gateway refuses the connection".to_owned(),
            Who::Closed => "nobody, the gateway closes the connection".to_owned(),
            Who::TlsFailed => "nobody, TLS fails".to_owned(),
            Who::Unknown => "nobody knows, this is not modelled".to_owned(),
            Who::Status(status, None) => format!("status {status}"),
            Who::Status(status, Some(to)) => format!("status {status} to {to}"),
            Who::Pod(pod, address) => {
                let version = pod.as_ref().and_then(|pod| versions.get(pod)).cloned();
                version.unwrap_or_else(|| address.clone())
            }
        };
        *recipients.entry(who).or_default() += share;
    }
    recipients
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;

    #[test]
    fn a_canary_by_a_token_says_which_one_it_needs() {
        let of = |more: &str| {
            let service = service(&format!(
                "deployment: {{v1: {{}}, v2: {{}}}}\nroutes: {{apiGroup: a, primary: {{version: v1}}, gateway: {{api: gateway-api, \
                 profile: kgateway}}, canary: {{version: v2, {more}}}}}\n"
            ));
            required_token(&service)
        };
        let jwt = "jwt: {issuer: me, claims: {stage: canary, tier: [a, b]}, jwks: {keys: [{kty: OKP, crv: Ed25519, \
                   x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}}";
        let words = of(&format!("{jwt}, headers: {{a: b}}")).expect("a token");
        let expected = "v2 needs a valid token of me with the claims stage = canary, tier one of a|b, with the canary's \
                        headers; no header of a request takes its place";
        assert_eq!(words, expected);
        assert_eq!(of("weight: 5"), None);
    }
}
