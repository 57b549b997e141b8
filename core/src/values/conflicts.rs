//! What two services must not both have.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::carve_out::{Carve, CarveOuts, lowered};
use super::file;
use super::held::{Held, Thing};
use super::model::{Binding, Path, PathMatch, Service, Split, ValueMatch, Workload};
use super::names::{ServiceName, Weight};
use super::node::{Data, Node};
use super::repository::Outcome;
use crate::kind::Kind;
use crate::problem::{Location, Problem, few};
use crate::tree::Tree;

/// Finds what more than one service claims. Who had it first keeps it, and only the newcomer is in error; where
/// nobody had it first it is an error of each of them. The places come from the services' files in `tree`: only those
/// of services with such an error are parsed again.
pub(super) fn refuse(services: &mut BTreeMap<ServiceName, Outcome>, tree: &Tree, held: &Held) {
    let good: Vec<Arc<Service>> =
        services.values().filter_map(|outcome| outcome.as_ref().ok()).cloned().collect();
    let files: HashSet<&str> = good.iter().map(|service| service.file.as_str()).collect();
    let kept = held.within(tree).filter(|service| !files.contains(service.file.as_str()));
    let moved = held.moved(tree);
    let claimants: Vec<Claimant<'_>> = good
        .iter()
        .map(|service| {
            let is_same = |before: &&Arc<Service>| Arc::ptr_eq(before, service);
            let claims = claims(service);
            let before = match held.of(&service.file) {
                same if same.is_some_and(|before| is_same(&before)) => Before::Everything,
                Some(before) => Before::These(keys(before)),
                None => match moved.get(service.name.as_str()) {
                    Some(before) => Before::These(keys(before)),
                    None => Before::Nothing,
                },
            };
            Claimant { service, claims, before }
        })
        .collect();
    let mut index = Index::default();
    for claimant in &claimants {
        for claim in &claimant.claims {
            index.insert(claimant.service, claim, claimant.had(claim, held));
        }
    }
    let mut carve_outs = CarveOuts::default();
    let is_any_new = claimants.iter().any(|it| !matches!(it.before, Before::Everything));
    if is_any_new {
        claimants.iter().for_each(|claimant| carve_outs.add(claimant.service));
    }
    for service in kept {
        claims(service).iter().for_each(|claim| index.insert(service, claim, true));
        carve_outs.add(service);
    }
    let found: Vec<_> = claimants
        .iter()
        .filter_map(|claimant| {
            let problems = claimant.problems(&index, &carve_outs, tree, held);
            (!problems.is_empty()).then(|| (claimant.service.name.clone(), few(problems)))
        })
        .collect();
    for (name, problems) in found {
        services.insert(name, Err(problems));
    }
}

/// A service and what it claims.
struct Claimant<'a> {
    service: &'a Service,
    claims: Vec<Claim<'a>>,
    before: Before<'a>,
}

/// What a service claimed before, and nobody disputed.
enum Before<'a> {
    Nothing,
    These(HashSet<Key<'a>>),
    Everything,
}

/// What the claims of a service are found under.
fn keys(service: &Service) -> HashSet<Key<'_>> {
    claims(service).iter().flat_map(Claim::keys).collect()
}

impl Claimant<'_> {
    /// Whether it had all of the claim before.
    fn had(&self, claim: &Claim<'_>, held: &Held) -> bool {
        let had_it = match &self.before {
            Before::Nothing => false,
            Before::These(earlier) => claim.keys().iter().all(|key| earlier.contains(key)),
            Before::Everything => true,
        };
        had_it || claim.applied_by(held) == Some(self.service.name.as_str())
    }

    /// What of its new claims others have or claim too.
    fn problems(
        &self,
        index: &Index<'_>,
        carve_outs: &CarveOuts<'_>,
        tree: &Tree,
        held: &Held,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        // Parsed once, and only where something is wrong.
        let mut root = None;
        for claim in self.claims.iter().filter(|claim| !self.had(claim, held)) {
            let rival = match claim.applied_by(held) {
                Some(owner) => {
                    Some(Rival { owner: format!("the service {owner}").into(), holds: true })
                }
                None => index.disputed.then(|| index.rival(self.service, claim)).flatten(),
            };
            let owner = match &rival {
                Some(_) => None,
                None => carve_outs.owner(self.service, claim.carves()),
            };
            if rival.is_none() && owner.is_none() {
                continue;
            }
            let root = root.get_or_insert_with(|| self::root(self.service, tree));
            problems.extend(rival.map(|rival| claim.problem(root, rival)));
            problems.extend(owner.map(|owner| claim.carved(root, owner)));
        }
        problems
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
    claimants: HashMap<Key<'a>, Claimants<'a>>,
    /// Whether some key has two.
    disputed: bool,
}

struct Claimants<'a> {
    first: &'a Service,
    second: Option<&'a Service>,
    /// Who had it before.
    holder: Option<&'a Service>,
}

/// A claim's rival.
struct Rival<'a> {
    /// Its file, or its name where the cluster alone knows it.
    owner: Cow<'a, str>,
    /// Whether it had the thing before.
    holds: bool,
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
    fn insert(&mut self, service: &'a Service, claim: &Claim<'a>, held: bool) {
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
    fn rival(&self, service: &Service, claim: &Claim<'a>) -> Option<Rival<'a>> {
        let found = claim.rivals().into_iter().filter_map(|key| {
            let Claimants { first, second, holder } = self.claimants.get(&key)?;
            if let Some(holder) = holder.filter(|holder| holder.name != service.name) {
                return Some(Rival { owner: holder.file.as_str().into(), holds: true });
            }
            let other = if first.name == service.name { *second } else { Some(*first) };
            other.map(|service| Rival { owner: service.file.as_str().into(), holds: false })
        });
        found.max_by_key(|rival| rival.holds)
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

    /// Who has it in the cluster, as far as the cluster alone knows that.
    fn applied_by<'h>(&self, held: &'h Held) -> Option<&'h str> {
        if held.applied.is_empty() {
            return None;
        }
        held.applied.owner(&match self {
            Self::Object { kind, namespace, name } => {
                Thing::Object(*kind, (*namespace).to_owned(), name.to_string())
            }
            Self::Domain(domain) => Thing::Domain(domain.to_string()),
            Self::Path { group, path } => Thing::path(group, path),
        })
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

    /// What of it may lie within another service's.
    fn carves(&self) -> Carve<'_> {
        match self {
            Self::Object { .. } => Carve::Nothing,
            Self::Domain(domain) => Carve::Domain(domain),
            Self::Path { group, path } => Carve::Path { group, path },
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

    fn problem(&self, root: &Arc<Node>, rival: Rival<'_>) -> Problem {
        let (what, key, help) = self.described();
        let other = rival.owner;
        let message = match rival.holds {
            true => format!("{other} has {what} already"),
            false => format!("{other} claims {what} too"),
        };
        Problem::new(&self.place(root, key), key, message).help(help)
    }

    /// The problem that it lies within what a service of another folder has.
    fn carved(&self, root: &Arc<Node>, owner: &Service) -> Problem {
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
        // Two VirtualServices with one domain freeze the whole listener (gloo-conformance case
        // 12-domains-duplicate).
        Binding::Domains(domains) => {
            claims.extend(domains.iter().map(|domain| Claim::Domain(lowered(domain))));
        }
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
