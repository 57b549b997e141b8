//! What belongs to one service alone, and who claims it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::carve_out::{Carve, lowered};
use super::held::{Held, OF_EVERY_GROUP, Thing};
use super::model::{Binding, Path, PathMatch, Service, Split, ValueMatch, Workload};
use super::names::Weight;
use super::node::{Data, Node};
use crate::kind::Kind;
use crate::problem::{Location, Problem};

/// Something that belongs to one service alone.
pub(super) enum Claim<'a> {
    /// The name of an object.
    Object { kind: Kind, namespace: &'a str, name: Cow<'a, str> },
    /// A domain, in lower case.
    Domain(Cow<'a, str>),
    /// A path of an apiGroup; and whether it is on every host of the Gateways, whatever the group, as HTTPRoutes are that
    /// no parent selects.
    Path { group: &'a str, path: &'a PathMatch, on_every_host: bool },
}

/// Who claims what. For every key the first two services are enough to name a rival of any.
#[derive(Default)]
pub(super) struct Index<'a> {
    pub(super) claimants: HashMap<Key<'a>, Claimants<'a>>,
    /// Whether some key has two.
    pub(super) disputed: bool,
}

pub(super) struct Claimants<'a> {
    pub(super) first: &'a Service,
    pub(super) second: Option<&'a Service>,
    /// Who had it before.
    pub(super) holder: Option<&'a Service>,
}

/// A claim's rival.
pub(super) struct Rival<'a> {
    /// Its file, or its name where the cluster alone knows it.
    pub(super) owner: Cow<'a, str>,
    /// Whether it had the thing before.
    pub(super) holds: bool,
    /// Who claims it too, where nobody had it before.
    pub(super) service: Option<&'a Service>,
}

/// What claims are compared by: two claims meet exactly when one is found under the other's
/// [`Claim::rivals`].
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    Object(Kind, &'a str, Cow<'a, str>),
    Domain(Cow<'a, str>),
    Path(&'a str, &'a Path, &'a BTreeMap<String, ValueMatch>, Methods<'a>),
}

/// Which claims of a path a key stands for.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Methods<'a> {
    /// All of them.
    Any,
    /// Those of every method.
    Every,
    /// Those that name this method.
    Named(&'a str),
}

impl<'a> Index<'a> {
    pub(super) fn insert(&mut self, service: &'a Service, claim: &Claim<'a>, held: bool) {
        for key in claim.keys() {
            let claimants = self.claimants.entry(key).or_insert(Claimants {
                first: service,
                second: None,
                holder: None,
            });
            if held && claimants.holder.is_none() {
                claimants.holder = Some(service);
            }
            if claimants.second.is_none() && claimants.first.name != service.name {
                claimants.second = Some(service);
                // Two claims of a path with different methods share a key, and yet do not meet.
                self.disputed = true;
            }
        }
    }

    /// Another service with a claim that meets this one; who had it before comes first.
    pub(super) fn rival(&self, service: &Service, claim: &Claim<'a>) -> Option<Rival<'a>> {
        let found = claim.rivals().into_iter().filter_map(|key| {
            let Claimants { first, second, holder } = self.claimants.get(&key)?;
            if let Some(holder) = holder.filter(|holder| holder.name != service.name) {
                let owner = holder.file.as_str().into();
                return Some(Rival { owner, holds: true, service: None });
            }
            let other = if first.name == service.name { *second } else { Some(*first) };
            other.map(|service| {
                let owner = service.file.as_str().into();
                Rival { owner, holds: false, service: Some(service) }
            })
        });
        found.max_by_key(|rival| rival.holds)
    }
}

impl<'a> Claim<'a> {
    /// What the claim is found under.
    pub(super) fn keys(&self) -> Vec<Key<'a>> {
        match self {
            Self::Path { group, path, .. } => {
                let named = path.methods.iter().map(|method| Methods::Named(method));
                let every = path.methods.is_empty().then_some(Methods::Every);
                let methods = [Methods::Any].into_iter().chain(every).chain(named);
                methods.map(|methods| path_key(group, path, methods)).collect()
            }
            _ => self.rivals(),
        }
    }

    /// Whether all of it is among what was claimed before.
    pub(super) fn is_among(&self, earlier: &HashSet<Key<'a>>) -> bool {
        self.keys().iter().all(|key| earlier.contains(key))
    }

    /// Who has it in the cluster, as far as the cluster alone knows that.
    pub(super) fn applied_by<'h>(&self, held: &'h Held) -> Option<&'h str> {
        if held.applied.is_empty() {
            return None;
        }
        let owner = held.applied.owner(&match self {
            Self::Object { kind, namespace, name } => {
                Thing::Object(*kind, (*namespace).to_owned(), name.to_string())
            }
            Self::Domain(domain) => Thing::Domain(domain.to_string()),
            Self::Path { group, path, .. } => Thing::path(group, path),
        });
        let shared = || match self {
            Self::Path { path, on_every_host: true, .. } => {
                held.applied.owner(&Thing::path(OF_EVERY_GROUP, path))
            }
            _ => None,
        };
        owner.or_else(shared)
    }

    /// What the claims that meet this one are found under.
    pub(super) fn rivals(&self) -> Vec<Key<'a>> {
        match self {
            Self::Object { kind, namespace, name } => {
                vec![Key::Object(*kind, namespace, name.clone())]
            }
            Self::Domain(domain) => vec![Key::Domain(domain.clone())],
            Self::Path { group, path, .. } if path.methods.is_empty() => {
                vec![path_key(group, path, Methods::Any)]
            }
            Self::Path { group, path, .. } => {
                let named = path.methods.iter().map(|method| Methods::Named(method));
                let methods = [Methods::Every].into_iter().chain(named);
                methods.map(|methods| path_key(group, path, methods)).collect()
            }
        }
    }

    /// What of it may lie within another service's.
    pub(super) fn carves(&self) -> Carve<'_> {
        match self {
            Self::Object { .. } => Carve::Nothing,
            Self::Domain(domain) => Carve::Domain(domain),
            Self::Path { group, path, .. } => Carve::Path { group, path },
        }
    }

    /// What is claimed, the key it stands under, and what to do when another claims it too.
    pub(super) fn described(&self) -> (String, &'static str, &'static str) {
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
            Self::Path { group, path: PathMatch { path, .. }, .. } => (
                format!("the {} path {:?} in apiGroup {group}", path.kind(), path.text()),
                "routes.paths",
                "give one of the two another path, other methods or another apiGroup",
            ),
        }
    }

    pub(super) fn problem(&self, root: &Arc<Node>, rival: Rival<'_>) -> Problem {
        let (what, key, help) = self.described();
        let other = rival.owner;
        let at = self.place(root, key);
        if rival.holds {
            return Problem::new(&at, key, format!("{other} has {what} already")).help(help);
        }
        Problem::new(&at, key, format!("{other} claims {what} too")).help(format!(
            "{help}; nobody had it before, so it is neither's until one of the two gives it up"
        ))
    }

    /// The problem that it lies within what a service of another folder has.
    pub(super) fn carved(&self, root: &Arc<Node>, owner: &Service) -> Problem {
        let (what, key, _) = self.described();
        let message =
            format!("{what} would take requests of {}, which is in another folder", owner.file);
        let word = match self {
            Self::Domain(_) => "domains",
            Self::Object { .. } | Self::Path { .. } => "paths",
        };
        Problem::new(&self.place(root, key), key, message).help(format!(
            "choose another one, or ask for `routes.allowCarveOut: true` in {} or for `{word}` of the folder in \
             coalmine.yaml",
            owner.file
        ))
    }

    /// The nearest place in the file: the path itself, or the last of the keys that is there.
    pub(super) fn place(&self, root: &Arc<Node>, key: &str) -> Location {
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

pub(super) fn path_key<'a>(group: &'a str, path: &'a PathMatch, methods: Methods<'a>) -> Key<'a> {
    Key::Path(group, &path.path, &path.query_parameters, methods)
}

pub(super) fn claims(service: &Service) -> Vec<Claim<'_>> {
    let mut claims = objects(service);
    match &service.routes.binding {
        // Two VirtualServices with one domain freeze the whole listener (gloo-conformance case
        // 12-domains-duplicate).
        Binding::Domains(domains) => {
            claims.extend(domains.iter().map(|domain| Claim::Domain(lowered(domain))));
        }
        Binding::ApiGroup(group) => {
            let api = service.routes.gateway.gateway_api();
            let on_every_host = api.is_some_and(|api| !api.profile.delegates());
            let claim = |path| Claim::Path { group, path, on_every_host };
            claims.extend(service.routes.paths.iter().map(claim));
        }
    }
    claims
}

/// The objects whose names two services of one namespace can come to share: `echo` at version
/// `v2` and a service called `echo-v2`.
pub(super) fn objects(service: &Service) -> Vec<Claim<'_>> {
    let namespace = service.namespace.as_str();
    let claim = |kind, name| Claim::Object { kind, namespace, name };
    let mut claims = vec![
        claim(Kind::Upstream, service.name.as_str().into()),
        claim(Kind::Service, service.name.as_str().into()),
    ];
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
        if service.routes.gateway.gateway_api().is_some() {
            claims.push(claim(Kind::Service, name()));
        }
        if service.routes.split == Split::Upstream || shadowed {
            claims.push(claim(Kind::Upstream, name()));
        }
    }
    claims
}
