//! What two services must not both have.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::carve_out::CarveOuts;
use super::claims::{Claim, Index, Key, Rival, claims};
use super::file;
use super::held::Held;
use super::layout::folder_of;
use super::model::Service;
use super::names::ServiceName;
use super::node::{Data, Node};
use super::repository::Outcome;
use crate::problem::{Location, MOST_SHOWN, Problem, few};
use crate::tree::Tree;

/// Finds what more than one service claims. Who had it first keeps it, and only the newcomer is in error; where
/// nobody had it first it is an error of each of them. The places come from the services' files in `tree`: only those
/// of services with such an error are parsed again.
pub(super) fn refuse(services: &mut BTreeMap<ServiceName, Outcome>, tree: &Tree, held: &Held) {
    let good: Vec<Arc<Service>> =
        services.values().filter_map(|outcome| outcome.as_ref().ok()).cloned().collect();
    let files: HashSet<&str> = good.iter().map(|service| service.file.as_str()).collect();
    let kept = held.within(tree).filter(|service| !files.contains(service.file.as_str()));
    let mut claimants: Vec<Claimant<'_>> = good
        .iter()
        .map(|service| {
            let is_same = |before: &&Arc<Service>| Arc::ptr_eq(before, service);
            let claims = claims(service);
            let before = match held.of(&service.file) {
                same if same.is_some_and(|before| is_same(&before)) => Before::Everything,
                Some(before) => Before::These(keys(before)),
                None => Before::Nothing,
            };
            Claimant { service, claims, before }
        })
        .collect();
    inherit(&mut claimants, tree, held);
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

/// Gives services whose files are new what those had whose files are gone. A file that was moved, by a commit or within its
/// folder, has all of it. What else was a service's goes to the one of its folder that claims it, or else to the only one that
/// has its name.
fn inherit<'a>(claimants: &mut [Claimant<'a>], tree: &'a Tree, held: &'a Held) {
    let mut gone: BTreeMap<&str, &Service> =
        held.gone(tree).map(|(file, service)| (file, &**service)).collect();
    if gone.is_empty() {
        return;
    }
    let moved: BTreeMap<&str, &str> =
        held.moves.iter().map(|(from, to)| (to.as_str(), from.as_str())).collect();
    let near: BTreeMap<(&str, Option<&str>), &str> = gone
        .iter()
        .map(|(file, service)| ((service.name.as_str(), folder_of(file)), *file))
        .collect();
    let is_new = |claimant: &Claimant<'_>| matches!(claimant.before, Before::Nothing);
    for claimant in claimants.iter_mut().filter(|it| is_new(it)) {
        let Service { name, file, .. } = claimant.service;
        let from = moved.get(file.as_str()).or_else(|| near.get(&(name.as_str(), folder_of(file))));
        if let Some(before) = from.and_then(|from| gone.remove(from)) {
            claimant.before = Before::These(keys(before));
        }
    }
    // Whoever may write into the folder had what was in it; a name alone anybody can choose.
    let mut of_folders: BTreeMap<Option<&str>, HashSet<Key<'a>>> = BTreeMap::new();
    let mut of_names: BTreeMap<&str, HashSet<Key<'a>>> = BTreeMap::new();
    for (file, before) in gone {
        of_folders.entry(folder_of(file)).or_default().extend(keys(before));
        of_names.entry(before.name.as_str()).or_default().extend(keys(before));
    }
    let none = HashSet::new();
    let of = |service: &'a Service| {
        let folder = of_folders.get(&folder_of(&service.file)).unwrap_or(&none);
        (folder, of_names.get(service.name.as_str()).unwrap_or(&none))
    };
    let (mut in_folders, mut in_all) = (Index::default(), Index::default());
    for claimant in claimants.iter().filter(|it| is_new(it)) {
        let service = claimant.service;
        let (folder, name) = of(service);
        for claim in &claimant.claims {
            let is_near = claim.is_among(folder);
            if is_near {
                in_folders.insert(service, claim, false);
            }
            if is_near || claim.is_among(name) {
                in_all.insert(service, claim, false);
            }
        }
    }
    for claimant in claimants.iter_mut().filter(|it| is_new(it)) {
        let service = claimant.service;
        let (folder, name) = of(service);
        let is_heir = |claim: &&Claim<'a>| {
            let in_folder = claim.is_among(folder) && in_folders.rival(service, claim).is_none();
            in_folder || claim.is_among(name) && in_all.rival(service, claim).is_none()
        };
        let own: HashSet<Key<'a>> =
            claimant.claims.iter().filter(is_heir).flat_map(Claim::keys).collect();
        if !own.is_empty() {
            claimant.before = Before::These(own);
        }
    }
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
        let mut theirs: Option<(&str, Arc<Node>)> = None;
        for claim in self.claims.iter().filter(|claim| !self.had(claim, held)) {
            let rival = match claim.applied_by(held) {
                Some(owner) => {
                    let owner = format!("the service {owner}").into();
                    Some(Rival { owner, holds: true, service: None })
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
            problems.extend(rival.map(|mut rival| {
                // Nobody reads the places of more.
                if let Some(service) = rival.service
                    && problems.len() < MOST_SHOWN
                {
                    let known = theirs.take().filter(|(file, _)| *file == service.file);
                    let (_, root) = theirs.insert(
                        known.unwrap_or_else(|| (&service.file, self::root(service, tree))),
                    );
                    let at = claim.place(root, claim.described().1);
                    rival.owner = format!("{}:{}:{}", at.file, at.line, at.column).into();
                }
                claim.problem(root, rival)
            }));
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
