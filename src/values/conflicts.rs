//! What two services must not both have.

use std::collections::BTreeMap;

use super::Outcome;
use super::deployment::Workload;
use super::matching::PathMatch;
use super::names::{ServiceName, Weight};
use super::routes::{Binding, Split};
use super::service::Service;
use crate::problem::{Location, Problem};

/// Finds what more than one service claims, and makes it an error of each of them.
pub(super) fn refuse(services: &mut BTreeMap<ServiceName, Outcome>) {
    let mut found: BTreeMap<ServiceName, Vec<Problem>> = BTreeMap::new();
    let good: Vec<&Service> =
        services.values().filter_map(|outcome| outcome.as_ref().ok()).collect();
    for claims in [objects, domains, paths] {
        let mut claimed: BTreeMap<String, Vec<(usize, Claim)>> = BTreeMap::new();
        for (index, service) in good.iter().enumerate() {
            for claim in claims(service) {
                claimed.entry(claim.what.clone()).or_default().push((index, claim));
            }
        }
        for rivals in claimed.values().filter(|rivals| rivals.len() > 1) {
            for (index, claim) in rivals {
                let other =
                    rivals.iter().find(|(other, rival)| other != index && claim.meets(rival));
                if let Some((other, _)) = other {
                    let problem = claim.problem(good[*index], good[*other]);
                    found.entry(good[*index].name.clone()).or_default().push(problem);
                }
            }
        }
    }
    for (name, problems) in found {
        services.insert(name, Err(problems));
    }
}

/// Something that belongs to one service alone.
struct Claim {
    what: String,
    key: &'static str,
    help: &'static str,
    /// The place of a path in the service's list, with what it matches.
    path: Option<PathMatch>,
}

impl Claim {
    fn meets(&self, other: &Self) -> bool {
        match (&self.path, &other.path) {
            (Some(path), Some(other)) => path.collides(other),
            _ => true,
        }
    }

    fn problem(&self, service: &Service, other: &Service) -> Problem {
        let at = Location::start_of(&service.file.as_str().into());
        Problem::new(&at, self.key, format!("{} claims {} too", other.file, self.what))
            .help(self.help)
    }
}

/// The objects whose names two services of one namespace can come to share: `echo` at version
/// `v2` and a service called `echo-v2`.
fn objects(service: &Service) -> Vec<Claim> {
    let namespace = &service.namespace;
    let claim = |kind: &str, name: &str| Claim {
        what: format!("the {kind} {namespace}/{name}"),
        key: "",
        help: "rename one of the services or versions, or give one another `namespace`",
        path: None,
    };
    let mut claims = vec![claim("Upstream", service.name.as_str())];
    for (version, workload) in &service.versions {
        let name = service.version_name(version);
        if matches!(workload, Workload::Deployed(_)) {
            claims.push(claim("Deployment", &name));
        }
        let shadowed = service
            .routes
            .canary
            .as_ref()
            .is_some_and(|canary| canary.version == *version && canary.shadow > Weight::ZERO);
        if service.routes.split == Split::Upstream || shadowed {
            claims.push(claim("Upstream", &name));
        }
    }
    claims
}

/// Two VirtualServices with one domain freeze the whole listener (gloo-conformance case
/// 12-domains-duplicate).
fn domains(service: &Service) -> Vec<Claim> {
    let Binding::Domains(domains) = &service.routes.binding else { return Vec::new() };
    let claim = |domain: &String| Claim {
        what: format!("the domain {:?}", domain.to_ascii_lowercase()),
        key: "routes.domains",
        help: "a domain belongs to one service; several share one by `apiGroup`",
        path: None,
    };
    domains.iter().map(claim).collect()
}

fn paths(service: &Service) -> Vec<Claim> {
    let Binding::ApiGroup(group) = &service.routes.binding else { return Vec::new() };
    let claim = |path: &PathMatch| Claim {
        what: format!("the {} {:?} in apiGroup {group}", path.path.kind(), path.path.text()),
        key: "routes.paths",
        help: "give one of the two another path, other methods or another apiGroup",
        path: Some(path.clone()),
    };
    service.routes.paths.iter().map(claim).collect()
}
