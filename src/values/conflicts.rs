//! What two services must not both have.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Outcome;
use super::binding::Binding;
use super::deployment::Workload;
use super::matching::PathMatch;
use super::names::{ServiceName, Weight};
use super::node::{Data, Node};
use super::routes::Split;
use super::service::Service;
use crate::problem::{Location, Problem};

/// Finds what more than one service claims, and makes it an error of each of them. `roots` are
/// the services' files, to say where.
pub(super) fn refuse(
    services: &mut BTreeMap<ServiceName, Outcome>,
    roots: &BTreeMap<ServiceName, Rc<Node>>,
) {
    let good: Vec<_> = services.values().filter_map(|outcome| outcome.as_ref().ok()).collect();
    let mut claimed: BTreeMap<String, Vec<(&Service, Claim)>> = BTreeMap::new();
    for service in good {
        for claim in objects(service).into_iter().chain(domains(service)).chain(paths(service)) {
            claimed.entry(claim.what.clone()).or_default().push((service, claim));
        }
    }
    let mut found: BTreeMap<ServiceName, Vec<Problem>> = BTreeMap::new();
    for rivals in claimed.values() {
        for (service, claim) in rivals {
            let rival = rivals
                .iter()
                .find(|(other, rival)| other.name != service.name && claim.meets(rival));
            if let (Some((other, _)), Some(root)) = (rival, roots.get(&service.name)) {
                let problem = claim.problem(root, &other.file);
                found.entry(service.name.clone()).or_default().push(problem);
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
    /// What it matches, if it is a path.
    path: Option<PathMatch>,
}

impl Claim {
    fn meets(&self, other: &Self) -> bool {
        match (&self.path, &other.path) {
            (Some(path), Some(other)) => path.collides(other),
            _ => true,
        }
    }

    fn problem(&self, root: &Rc<Node>, other: &str) -> Problem {
        Problem::new(&self.place(root), self.key, format!("{other} claims {} too", self.what))
            .help(self.help)
    }

    /// The nearest place in the file: the path itself, or the last of the keys that is there.
    fn place(&self, root: &Rc<Node>) -> Location {
        let (mut at, mut node) = (&root.at, Some(root));
        for key in self.key.split('.') {
            let Some((place, below)) = node.and_then(|node| node.entry(key)) else { break };
            (at, node) = (&place.at, Some(below));
        }
        let items = match node.map(|node| &node.data) {
            Some(Data::Sequence(items)) => items.as_slice(),
            _ => &[],
        };
        let claimed = self.path.as_ref().map(|path| &path.path);
        let item = items.iter().filter_map(|item| item.get(claimed?.kind())).find(|item| {
            matches!((&item.data, claimed),
                (Data::Scalar { text, .. }, Some(path)) if text == path.text())
        });
        item.map_or(at, |item| &item.at).clone()
    }
}

/// The objects whose names two services of one namespace can come to share: `echo` at version
/// `v2` and a service called `echo-v2`.
fn objects(service: &Service) -> Vec<Claim> {
    let namespace = &service.namespace;
    let claim = |kind: &str, name: &str| Claim {
        what: format!("the {kind} {namespace}/{name}"),
        key: "deployment",
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
        what: format!("the {} path {:?} in apiGroup {group}", path.path.kind(), path.path.text()),
        key: "routes.paths",
        help: "give one of the two another path, other methods or another apiGroup",
        path: Some(path.clone()),
    };
    service.routes.paths.iter().map(claim).collect()
}
