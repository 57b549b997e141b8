//! What two services must not both have.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::file;
use super::model::{Binding, Path, PathMatch, Service, Split, ValueMatch, Workload};
use super::names::{ServiceName, Weight};
use super::node::{Data, Node};
use super::repository::Outcome;
use crate::kind::Kind;
use crate::problem::{Location, Problem, few};
use crate::tree::Tree;

/// Finds what more than one service claims, and makes it an error of each of them. The places come
/// from the services' files in `tree`: only those of services with such an error are parsed again.
pub(super) fn refuse(services: &mut BTreeMap<ServiceName, Outcome>, tree: &Tree) {
    let good = services.values().filter_map(|outcome| outcome.as_deref().ok());
    let claims: Vec<(&Service, Vec<Claim<'_>>)> =
        good.map(|service| (service, claims(service))).collect();
    let mut index = Index::default();
    for (service, claims) in &claims {
        claims.iter().for_each(|claim| index.insert(service, claim));
    }
    if !index.disputed {
        return;
    }
    let mut found = Vec::new();
    for (service, claims) in &claims {
        let disputed = |claim| Some((claim, index.rival(service, claim)?));
        let rivals: Vec<_> = claims.iter().filter_map(disputed).collect();
        if rivals.is_empty() {
            continue;
        }
        let root = root(service, tree);
        let problem = |(claim, rival): (&Claim<'_>, &Service)| claim.problem(&root, &rival.file);
        found.push((service.name.clone(), few(rivals.into_iter().map(problem).collect())));
    }
    for (name, problems) in found {
        services.insert(name, Err(problems));
    }
}

/// The YAML of a service that was read from this tree.
fn root(service: &Service, tree: &Tree) -> Arc<Node> {
    let name: Arc<str> = service.file.as_str().into();
    let document = tree.files.get(&service.file).map(|it| file::document(&name, it.content()));
    match document {
        Some(Ok((root, _))) => root,
        _ => Arc::new(Node { at: Location::start_of(&name), data: Data::Mapping(Vec::new()) }),
    }
}

/// Something that belongs to one service alone.
enum Claim<'a> {
    /// The name of an object.
    Object { kind: Kind, namespace: &'a str, name: Cow<'a, str> },
    /// A domain, in lower case.
    Domain(Cow<'a, str>),
    /// A path of an apiGroup.
    Path { group: &'a str, path: &'a PathMatch },
}

/// Who claims what. For every key the first two services are enough to name a rival of any.
#[derive(Default)]
struct Index<'a> {
    claimants: HashMap<Key<'a>, (&'a Service, Option<&'a Service>)>,
    /// Whether some key has two.
    disputed: bool,
}

/// What claims are compared by: two claims meet exactly when one is found under the other's
/// [`Claim::rivals`].
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Object(Kind, &'a str, Cow<'a, str>),
    Domain(Cow<'a, str>),
    Path(&'a str, &'a Path, &'a BTreeMap<String, ValueMatch>, Methods<'a>),
}

/// Which claims of a path a key stands for.
#[derive(PartialEq, Eq, Hash)]
enum Methods<'a> {
    /// All of them.
    Any,
    /// Those of every method.
    Every,
    /// Those that name this method.
    Named(&'a str),
}

impl<'a> Index<'a> {
    fn insert(&mut self, service: &'a Service, claim: &Claim<'a>) {
        for key in claim.keys() {
            let (first, second) = self.claimants.entry(key).or_insert((service, None));
            if second.is_none() && first.name != service.name {
                *second = Some(service);
                // Two claims of a path with different methods share a key, and yet do not meet.
                self.disputed = true;
            }
        }
    }

    /// Another service with a claim that meets this one.
    fn rival(&self, service: &Service, claim: &Claim<'a>) -> Option<&'a Service> {
        claim.rivals().into_iter().find_map(|key| {
            let (first, second) = self.claimants.get(&key)?;
            if first.name == service.name { *second } else { Some(first) }
        })
    }
}

impl<'a> Claim<'a> {
    /// What the claim is found under.
    fn keys(&self) -> Vec<Key<'a>> {
        match self {
            Self::Path { group, path } => {
                let named = path.methods.iter().map(|method| Methods::Named(method));
                let every = path.methods.is_empty().then_some(Methods::Every);
                let methods = [Methods::Any].into_iter().chain(every).chain(named);
                methods.map(|methods| path_key(group, path, methods)).collect()
            }
            _ => self.rivals(),
        }
    }

    /// What the claims that meet this one are found under.
    fn rivals(&self) -> Vec<Key<'a>> {
        match self {
            Self::Object { kind, namespace, name } => {
                vec![Key::Object(*kind, namespace, name.clone())]
            }
            Self::Domain(domain) => vec![Key::Domain(domain.clone())],
            Self::Path { group, path } if path.methods.is_empty() => {
                vec![path_key(group, path, Methods::Any)]
            }
            Self::Path { group, path } => {
                let named = path.methods.iter().map(|method| Methods::Named(method));
                let methods = [Methods::Every].into_iter().chain(named);
                methods.map(|methods| path_key(group, path, methods)).collect()
            }
        }
    }

    /// What is claimed, the key it stands under, and what to do when another claims it too.
    fn described(&self) -> (String, &'static str, &'static str) {
        match self {
            Self::Object { kind, namespace, name } => (
                format!("the {kind} {namespace}/{name}"),
                "deployment",
                "rename one of the services or versions, or give one another `namespace`",
            ),
            Self::Domain(domain) => (
                format!("the domain {domain:?}"),
                "routes.domains",
                "a domain belongs to one service; several share one by `apiGroup`",
            ),
            Self::Path { group, path: PathMatch { path, .. } } => (
                format!("the {} path {:?} in apiGroup {group}", path.kind(), path.text()),
                "routes.paths",
                "give one of the two another path, other methods or another apiGroup",
            ),
        }
    }

    fn problem(&self, root: &Arc<Node>, other: &str) -> Problem {
        let (what, key, help) = self.described();
        Problem::new(&self.place(root, key), key, format!("{other} claims {what} too")).help(help)
    }

    /// The nearest place in the file: the path itself, or the last of the keys that is there.
    fn place(&self, root: &Arc<Node>, key: &str) -> Location {
        let (mut at, mut node) = (&root.at, Some(root));
        for key in key.split('.') {
            let Some((place, below)) = node.and_then(|node| node.entry(key)) else { break };
            (at, node) = (&place.at, Some(below));
        }
        let items = match node.map(|node| &node.data) {
            Some(Data::Sequence(items)) => items.as_slice(),
            _ => &[],
        };
        let claimed = match self {
            Self::Path { path, .. } => Some(&path.path),
            Self::Object { .. } | Self::Domain(_) => None,
        };
        let item = items.iter().filter_map(|item| item.get(claimed?.kind())).find(|item| {
            matches!((&item.data, claimed),
                (Data::Scalar { text, .. }, Some(path)) if text == path.text())
        });
        item.map_or(at, |item| &item.at).clone()
    }
}

fn path_key<'a>(group: &'a str, path: &'a PathMatch, methods: Methods<'a>) -> Key<'a> {
    Key::Path(group, &path.path, &path.query_parameters, methods)
}

fn claims(service: &Service) -> Vec<Claim<'_>> {
    let mut claims = objects(service);
    match &service.routes.binding {
        Binding::Domains(domains) => claims.extend(domains.iter().map(|domain| {
            // Two VirtualServices with one domain freeze the whole listener (gloo-conformance case
            // 12-domains-duplicate).
            Claim::Domain(match domain.bytes().any(|byte| byte.is_ascii_uppercase()) {
                true => domain.to_ascii_lowercase().into(),
                false => domain.into(),
            })
        })),
        Binding::ApiGroup(group) => {
            claims.extend(service.routes.paths.iter().map(|path| Claim::Path { group, path }));
        }
    }
    claims
}

/// The objects whose names two services of one namespace can come to share: `echo` at version
/// `v2` and a service called `echo-v2`.
fn objects(service: &Service) -> Vec<Claim<'_>> {
    let namespace = service.namespace.as_str();
    let claim = |kind, name| Claim::Object { kind, namespace, name };
    let mut claims = vec![claim(Kind::Upstream, service.name.as_str().into())];
    for (version, workload) in &service.versions {
        let name = || Cow::Owned(service.version_name(version));
        if matches!(workload, Workload::Deployed(_)) {
            claims.push(claim(Kind::Deployment, name()));
        }
        let shadowed = service
            .routes
            .canary
            .as_ref()
            .is_some_and(|canary| canary.version == *version && canary.shadow > Weight::ZERO);
        if service.routes.split == Split::Upstream || shadowed {
            claims.push(claim(Kind::Upstream, name()));
        }
    }
    claims
}
