//! What a change of the repository would do, known from the trees before and after it alone.
//!
//! Pure: no cluster is asked. What the cluster has beside is not known here, and the daemon looks again.

mod autoscalers;
mod expected;
mod gateways;
mod http_routes;
mod markdown;
mod moves;
mod released;
mod routes;
mod steps;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gloo::{Memory, Note, ObjectRef, ResourceRef, Snapshot, Translation, translate};
use serde::{Serialize, Serializer};
use serde_json::Value;

pub use autoscalers::contested;
pub use expected::{Expected, Secrets, reference};
pub use markdown::markdown;
pub use released::{homes, notes, released};
pub use routes::{Requests, Row, host_of, in_words};
pub use text::text;

use crate::diff::{self, Line};
use crate::kind::Kind;
use crate::labels;
use crate::object::{Manifest, ObjectId};
use crate::object_state::HttpRoute;
use crate::phase::Change as Transition;
use crate::plan::{Job, takes_over, takes_over_from};
use crate::policy;
use crate::preflight::{Baseline, Broken, Change};
use crate::problem::Problem;
use crate::reason::{Advice, Hinted, Refusal};
use crate::render::DEFAULT_IMAGE;
use crate::traffic::UpstreamNames;
use crate::tree::Tree;
use crate::values::{PLATFORM, Remark, Repository, Service, Version, Workload};

/// What a change of the repository would do.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// The commit before.
    pub base: String,
    /// The commit after.
    pub head: String,
    /// The gravest verdict.
    pub verdict: Verdict,
    /// What is wrong with the repository as a whole: then nothing of it is accepted.
    #[serde(serialize_with = "as_lines")]
    pub problems: Vec<Advice>,
    /// What would change, by service; `platform` is the platform's objects.
    pub services: Vec<ServiceProposal>,
    /// What the cluster says about it; empty where none was asked.
    pub notes: Vec<String>,
}

/// What becomes of one service.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceProposal {
    /// Its name.
    pub service: String,
    /// What the change is.
    pub verdict: Verdict,
    /// Where the rollout stood, such as `Shifting 10 %`.
    pub before: Option<String>,
    /// Where it will stand.
    pub after: Option<String>,
    /// Why it would not be carried out.
    #[serde(serialize_with = "as_lines")]
    pub errors: Vec<Advice>,
    /// What is legal and probably not meant.
    pub warnings: Vec<String>,
    /// What could not be judged: neither good nor bad.
    pub notes: Vec<String>,
    /// The Gateways that serve its routes afterwards, `<namespace>/<name>`.
    pub gateways: Vec<String>,
    /// Who gets which requests before.
    pub routes_before: Vec<Row>,
    /// Who gets which requests after.
    pub routes_after: Vec<Row>,
    /// What is done, in this order.
    pub steps: Vec<String>,
    /// What changes in objects.
    pub objects: Vec<ObjectDiff>,
}

fn as_lines<S: Serializer>(advices: &[Advice], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(advices.iter().map(Hinted::line))
}

/// What changes in one object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDiff {
    /// `Kind namespace/name`.
    pub object: String,
    /// A unified diff of its YAML.
    pub diff: String,
}

/// What a change is, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing changes in the cluster.
    Unchanged,
    /// The rollout stays where it is; something else changes.
    Change,
    /// A service comes.
    New,
    /// Onward in the rollout.
    Advance,
    /// The rollback.
    Rollback,
    /// Neither: another canary in the middle of a rollout, or a primary that was never the canary.
    Jump,
    /// A service goes.
    Removed,
    /// It would not be carried out.
    Error,
}

impl Verdict {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Change => "change",
            Self::New => "new",
            Self::Advance => "advance",
            Self::Rollback => "rollback",
            Self::Jump => "jump",
            Self::Removed => "removed",
            Self::Error => "error",
        }
    }
}

impl From<Transition> for Verdict {
    fn from(transition: Transition) -> Self {
        match transition {
            Transition::Advance => Self::Advance,
            Transition::Rollback => Self::Rollback,
            Transition::Jump => Self::Jump,
        }
    }
}

impl Proposal {
    /// Compares two trees. It never fails: what is wrong is in the result.
    pub fn of(base: &Tree, head: &Tree) -> Self {
        Self::between(&Expected::of(base), &Expected::after([base], head), base, head)
    }

    /// Compares what two trees mean. It never fails: what is wrong is in the result.
    pub fn between(before: &Expected, after: &Expected, base: &Tree, head: &Tree) -> Self {
        let problems: Vec<Advice> = after.repository.problems.iter().map(Problem::advice).collect();
        let mut services =
            if problems.is_empty() { compare(before, after, head) } else { Vec::new() };
        services
            .retain(|service| service.verdict > Verdict::Unchanged || !service.warnings.is_empty());
        let verdict = services.iter().map(|service| service.verdict).max();
        let verdict = if problems.is_empty() { verdict } else { Some(Verdict::Error) };
        Self {
            base: base.revision.clone(),
            head: head.revision.clone(),
            verdict: verdict.unwrap_or(Verdict::Unchanged),
            problems,
            services,
            notes: Vec::new(),
        }
    }

    /// Why a service would not be carried out, or the repository as a whole.
    pub fn objections(&self, service: &str) -> Vec<Advice> {
        let own = self.services.iter().filter(|proposal| proposal.service == service);
        self.problems.iter().chain(own.flat_map(|proposal| &proposal.errors)).cloned().collect()
    }
}

/// What Gloo's rules say about a tree.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// By service why it would not be carried out. Of two that contend the one whose name comes first has
    /// it.
    pub refused: BTreeMap<String, String>,
    /// What is wrong with the objects of `platform/`.
    pub platform: Vec<Broken>,
    /// What of a service's objects could not be judged; [`PLATFORM`] for `platform/`.
    pub notes: BTreeMap<String, Vec<String>>,
    /// The Gateways that would serve each service, `<namespace>/<name>`.
    pub gateways: BTreeMap<String, BTreeSet<String>>,
}

impl Judgement {
    /// Judges a whole tree, as if nothing of it were in the cluster yet.
    pub fn of(expected: &Expected) -> Self {
        let mut cluster = expected.surroundings();
        let names = expected.names().filter(|name| *name != PLATFORM);
        let jobs: Vec<&Job> = names.filter_map(|name| expected.job(name)).collect();
        let none = BTreeSet::new();
        let changes: Vec<_> = jobs.iter().map(|job| change(job, &none)).collect();
        let surroundings = gateways::surroundings(&[expected]);
        let verdicts = judging(cluster.clone(), surroundings.clone()).check(&changes);
        let refused = jobs.iter().zip(verdicts).filter_map(|(job, verdict)| {
            Some((job.service.clone(), job.refused(verdict.err()?).line()))
        });
        let refused = refused.collect();
        for manifest in jobs.iter().flat_map(|job| job.desired.manifests()) {
            cluster.upsert(manifest.object());
        }
        let platform = expected.job(PLATFORM).into_iter().flat_map(|job| job.desired.manifests());
        let own: BTreeSet<ObjectRef> = platform.map(|it| reference(it.id())).collect();
        let http_routes = surroundings.map(|it| gateways::cluster(expected, it));
        let baseline = judging(cluster, http_routes);
        let mut broken = baseline.broken();
        broken.retain(|it| own.contains(&it.object));
        let of = |name: &str| {
            let Some(job) = expected.job(name) else { return Vec::new() };
            unjudged(baseline.notes(), job.desired.manifests())
        };
        let notes = expected.names().map(|name| (name.to_owned(), of(name)));
        let notes = notes.collect();
        let served = baseline.served_by();
        let gateways = jobs.iter().map(|job| {
            let own: BTreeSet<ObjectRef> =
                job.desired.routes.iter().map(|manifest| reference(manifest.id())).collect();
            let serving = served.iter().filter(|(object, _)| own.contains(object));
            let names = serving.map(|(_, it)| format!("{}/{}", it.namespace, it.name));
            (job.service.clone(), names.chain(http_routes::gateways(job)).collect())
        });
        let gateways = gateways.collect();
        Self { refused, platform: broken, notes, gateways }
    }
}

/// What changes are compared with; with the objects of the Gateway API where anybody writes HTTPRoutes.
fn judging(cluster: Snapshot, http_routes: Option<gateway_api::Snapshot>) -> Baseline {
    let baseline = Baseline::new(cluster);
    match http_routes {
        Some(http_routes) => baseline.beside(http_routes, None),
        None => baseline,
    }
}

/// What of these objects could not be judged, a line each.
fn unjudged<'a>(
    notes: impl IntoIterator<Item = &'a Note>,
    manifests: impl Iterator<Item = &'a Manifest>,
) -> Vec<String> {
    let own: BTreeSet<ObjectRef> = manifests.map(|manifest| reference(manifest.id())).collect();
    let of_own = notes.into_iter().filter(|note| own.contains(&*note.object));
    let lines = of_own.map(ToString::to_string);
    lines.collect::<BTreeSet<String>>().into_iter().collect()
}

fn change(job: &Job, to_prune: &BTreeSet<ObjectId>) -> Arc<Change> {
    Arc::new(Change::new(&job.service, &job.desired, to_prune))
}

/// One service before and after.
struct Pair {
    before: Option<Job>,
    after: Job,
    to_prune: BTreeSet<ObjectId>,
}

fn compare(before: &Expected, after: &Expected, head: &Tree) -> Vec<ServiceProposal> {
    let names: BTreeSet<&str> = before.names().chain(after.names()).collect();
    let invalid = after.repository.services.iter().filter(|(_, outcome)| outcome.is_err());
    let mut invalid: BTreeSet<&str> = invalid.map(|(name, _)| name.as_str()).collect();
    invalid.extend((!after.repository.platform.problems.is_empty()).then_some(PLATFORM));
    let mut pairs = Vec::new();
    let desired = |name: &&str| {
        let manifests = after.job(name).into_iter().flat_map(|job| job.desired.manifests());
        let name = (*name).to_owned();
        manifests.map(move |manifest| (manifest.id().clone(), name.clone())).collect::<Vec<_>>()
    };
    let owners: BTreeMap<ObjectId, String> = names.iter().flat_map(desired).collect();
    for name in names.iter().filter(|name| !invalid.contains(**name)) {
        let old = before.job(name).cloned();
        let mut new = after.job(name).cloned().unwrap_or_else(|| Job::removal(name));
        let own = old.iter().flat_map(|job| job.desired.manifests()).map(Manifest::id);
        let is_anothers = |id: &&ObjectId| owners.get(*id).is_some_and(|owner| owner != name);
        new.handed_over = own.filter(is_anothers).cloned().collect();
        let to_prune = to_prune(old.as_ref(), &new);
        pairs.push(Pair { before: old, after: new, to_prune });
    }
    pairs.retain(changes);
    let refused = judge(before, after, &pairs);
    let clusters = [before.cluster(), after.cluster()];
    let successors = successors(after, &pairs, &clusters[0]);
    let translations = clusters.map(|it| translate(&it, &Memory::default()));
    let http_routes = gateways::surroundings(&[before, after]);
    let http_routes = http_routes.map(|it| gateways::cluster(after, it));
    let judged = judging(Snapshot::default(), http_routes);
    let mut proposals: Vec<ServiceProposal> = pairs
        .iter()
        .map(|pair| {
            let refusal = refused.get(pair.after.service.as_str());
            let mut proposal = proposal(pair, before, after, &translations, refusal);
            proposal.notes.extend(unjudged(judged.notes(), pair.after.desired.manifests()));
            let [old, new] = [before, after].map(|tree| tree.service(&pair.after.service));
            proposal.warnings = new.map_or(Vec::new(), |new| warnings(old, new, head));
            if let Some(successor) = successors.get(pair.after.service.as_str()) {
                let wait = match departing(pair).any(|id| id.is(Kind::VirtualService)) {
                    true => format!(
                        "wait until the service {successor} is ready but for its routes, which take over its domain"
                    ),
                    false => format!(
                        "wait until the service {successor} is ready, which takes over its requests"
                    ),
                };
                proposal.steps.insert(0, wait);
            }
            let name = pair.after.service.as_str();
            let gives_way = pairs.iter().filter(|pair| {
                successors.get(pair.after.service.as_str()).is_some_and(|it| *it == name)
            });
            let hosts = gives_way.flat_map(departing).filter(|id| id.is(Kind::VirtualService));
            let waits: Vec<String> =
                hosts.map(|id| format!("wait until {id} is gone, which has its domain")).collect();
            let first = proposal.steps.iter().position(|it| it.starts_with("write VirtualService"));
            if let Some(first) = first {
                proposal.steps.splice(first..first, waits);
            }
            proposal.warnings.extend(interruptions(&pair.after, &pairs));
            proposal
        })
        .collect();
    let known = &before.repository;
    proposals.extend(invalid.iter().map(|name| faulty(name, known, after)));
    let released = released(before, after);
    if let Some(platform) = proposals.iter_mut().find(|it| it.service == PLATFORM) {
        platform.warnings.extend(released);
    }
    warn_of_autoscalers(&mut proposals, after);
    proposals.sort_by(|one, other| one.service.cmp(&other.service));
    proposals
}

/// Says of the services what the autoscalers of `platform/` do to them; of a service that does not change itself,
/// `platform/` is told.
fn warn_of_autoscalers(proposals: &mut [ServiceProposal], after: &Expected) {
    let manifests = after.job(PLATFORM).into_iter().flat_map(|job| job.desired.manifests());
    let objects = manifests.map(|manifest| (manifest.id(), manifest.object()));
    let jobs = after.names().filter_map(|name| after.job(name));
    for (service, notes) in contested(jobs, objects) {
        let at = |name: &str| proposals.iter().position(|it| it.service == name);
        if let Some(at) = at(&service).or_else(|| at(PLATFORM)) {
            proposals[at].warnings.extend(notes);
        }
    }
}

/// By service that goes the one that comes and takes over its requests.
fn successors<'a>(
    after: &'a Expected,
    pairs: &'a [Pair],
    live: &Snapshot,
) -> BTreeMap<&'a str, &'a str> {
    let coming = || pairs.iter().filter_map(|pair| after.service(&pair.after.service));
    let successor = |pair: &'a Pair| {
        let routes: Vec<ObjectRef> = departing(pair).map(reference).collect();
        let goes: BTreeSet<&ObjectId> = departing(pair).collect();
        let old = pair.before.iter().flat_map(|job| &job.desired.routes);
        let old = old.filter(|it| it.id().is(Kind::HttpRoute) && goes.contains(it.id()));
        let http_routes: Vec<HttpRoute> = old.map(|it| HttpRoute::of(it.object())).collect();
        let takes_over = |service: &&Service| {
            routes.iter().any(|it| takes_over(service, it, live))
                || http_routes.iter().any(|it| takes_over_from(service, it))
        };
        Some((pair.after.service.as_str(), coming().find(takes_over)?.name.as_str()))
    };
    pairs.iter().filter_map(successor).collect()
}

/// Domains of the service that one that goes still has. A domain cannot be in two VirtualServices, so that one goes
/// right before this one comes, once all but its routes is ready.
fn interruptions(job: &Job, pairs: &[Pair]) -> Vec<String> {
    let wanted: BTreeSet<String> = domains(&job.desired.routes).collect();
    let mut found = Vec::new();
    for pair in pairs.iter().filter(|pair| pair.after.is_removal) {
        let old = pair.before.iter().flat_map(|job| domains(&job.desired.routes));
        for domain in old.filter(|domain| wanted.contains(domain)) {
            found.push(format!(
                "routes.domains: {domain} is taken over from {} once {} is ready: for a moment between the two \
                 nobody answers its requests; to avoid that, give {} another domain first",
                pair.after.service, job.service, job.service
            ));
        }
    }
    found
}

/// The domains of VirtualServices, in lower case.
fn domains(routes: &[Manifest]) -> impl Iterator<Item = String> {
    let lists = routes.iter().filter_map(|routes| {
        routes.object().pointer("/spec/virtualHost/domains").and_then(Value::as_array)
    });
    lists.flatten().filter_map(|domain| Some(domain.as_str()?.to_ascii_lowercase()))
}

/// The routes that go with their service.
fn departing(pair: &Pair) -> impl Iterator<Item = &ObjectId> {
    pair.to_prune.iter().filter(move |id| pair.after.is_removal && id.is_route())
}

/// Whether anything of the service changes in the cluster.
fn changes(pair: &Pair) -> bool {
    let digests = |job: &Job| -> BTreeSet<String> {
        job.desired.manifests().map(|it| format!("{} {}", it.id(), it.digest())).collect()
    };
    match &pair.before {
        Some(before) => digests(before) != digests(&pair.after),
        None => pair.after.desired.manifests().next().is_some(),
    }
}

fn to_prune(before: Option<&Job>, after: &Job) -> BTreeSet<ObjectId> {
    let desired = after.desired.manifests().map(Manifest::id);
    let stays: BTreeSet<&ObjectId> = desired.chain(&after.handed_over).collect();
    let is_kept = |manifest: &&Manifest| {
        after.retains(manifest.id(), labels::keep(manifest.object())).is_some()
    };
    let old = before.into_iter().flat_map(|job| job.desired.manifests());
    let goes = old.filter(|manifest| !stays.contains(manifest.id()) && !is_kept(manifest));
    goes.map(|manifest| manifest.id().clone()).collect()
}

/// Why Gloo's rules would keep changes from being made.
fn judge(before: &Expected, after: &Expected, pairs: &[Pair]) -> BTreeMap<String, Refusal> {
    let mut base = before.cluster();
    // What stands in for others' objects that only the new values name.
    let coming: Snapshot = after.surroundings();
    for upstream in coming.upstreams().map(|(it, _)| it).collect::<Vec<&ResourceRef>>() {
        let upstream = Kind::Upstream.reference(upstream);
        let is_ours =
            |pair: &Pair| pair.after.desired.manifests().any(|it| reference(it.id()) == upstream);
        if !base.contains(&upstream) && !pairs.iter().any(is_ours) {
            base.upsert(&expected::elsewhere(&upstream));
        }
    }
    let departing: Vec<&ObjectId> = pairs.iter().flat_map(departing).collect();
    // What has a domain goes right before what takes it over comes.
    for gone in departing.iter().filter(|id| id.is(Kind::VirtualService)) {
        base.remove(&gone.kind, gone.namespace.as_deref().unwrap_or_default(), &gone.name);
    }
    let change = |pair: &Pair| {
        let change = Change::new(&pair.after.service, &pair.after.desired, &pair.to_prune);
        let is_service = after.service(&pair.after.service).is_some();
        let departing = departing.iter().copied().filter(|_| is_service);
        Arc::new(change.beside(departing))
    };
    let changes: Vec<_> = pairs.iter().map(change).collect();
    let http_routes = gateways::surroundings(&[after, before]);
    let http_routes = http_routes.map(|it| gateways::cluster(before, it));
    let verdicts = judging(base, http_routes).check(&changes);
    let verdicts = pairs.iter().zip(verdicts);
    let refused =
        verdicts.filter_map(|(pair, verdict)| Some((pair.after.service.clone(), verdict.err()?)));
    // Without a VirtualService in the tree nobody can say that routes are not served.
    refused
        .filter(|(_, refusal)| after.has_way_in() || !matches!(refusal, Refusal::Unserved(_)))
        // Nor by whom, where a Gateway selects namespaces by labels that are not in the tree.
        .filter(|(_, refusal)| {
            let is_about_attachment =
                matches!(refusal, Refusal::NotServed { .. } | Refusal::Unattached { .. });
            !(is_about_attachment && gateways::select_unknown_namespaces(after))
        })
        .collect()
}

fn proposal(
    pair: &Pair,
    before: &Expected,
    after: &Expected,
    translations: &[Translation; 2],
    refusal: Option<&Refusal>,
) -> ServiceProposal {
    let name = pair.after.service.as_str();
    let (old, new) = (before.service(name), after.service(name));
    let policy = &after.repository.settings.policy;
    let shares = pair.before.as_ref().map(|job| &job.desired.shares);
    let forbidden = new.and_then(|_| policy::objection(shares, &pair.after.desired.shares, policy));
    let forbidden = forbidden.as_ref().map(Advice::of);
    let refused = refusal.map(|it| pair.after.refused(it.clone()));
    let errors: Vec<Advice> = refused.iter().map(Advice::of).chain(forbidden).collect();
    let verdict = match (old, new) {
        _ if !errors.is_empty() => Verdict::Error,
        (Some(old), Some(new)) => {
            Transition::between(old, new).map_or(Verdict::Change, Verdict::from)
        }
        (None, Some(_)) => Verdict::New,
        (Some(_), None) => Verdict::Removed,
        (None, None) => Verdict::Change,
    };
    let rows = |at: usize, job: Option<&Job>| {
        let holders = job.map(holders).unwrap_or_default();
        let names = [old, new][at].map(UpstreamNames::of).unwrap_or_default();
        let mut rows = routes::table(&translations[at], name, &names, &holders);
        // In both APIs the same requests go to the same versions: they are shown once.
        if rows.is_empty() {
            rows = job.map(|job| http_routes::table(job, &names)).unwrap_or_default();
        }
        rows
    };
    let mut gateways: BTreeSet<String> =
        routes::gateways(&translations[1], &holders(&pair.after)).into_iter().collect();
    gateways.extend(http_routes::gateways(&pair.after));
    let notes = unjudged(&translations[1].notes, pair.after.desired.manifests());
    let is_service = name != PLATFORM;
    ServiceProposal {
        service: name.to_owned(),
        verdict,
        before: before.stand(name),
        after: after.stand(name),
        errors,
        warnings: Vec::new(),
        notes,
        gateways: gateways.into_iter().collect(),
        routes_before: if is_service { rows(0, pair.before.as_ref()) } else { Vec::new() },
        routes_after: if is_service { rows(1, Some(&pair.after)) } else { Vec::new() },
        steps: steps::steps(pair.before.as_ref(), &pair.after, &after.repository.settings),
        objects: objects(pair),
    }
}

/// What is legal and probably not meant, in the values and in what leaves them, with the place in the new tree.
fn warnings(old: Option<&Service>, new: &Service, head: &Tree) -> Vec<String> {
    let mut warnings = new.warnings();
    warnings.extend(old.map(|old| moves::differences(old, new)).unwrap_or_default());
    for (version, workload) in &new.versions {
        let Workload::Deployed(deployment) = workload else { continue };
        let had_image = match old.and_then(|old| old.versions.get(version)) {
            Some(Workload::Deployed(before)) => before.image.is_some(),
            Some(Workload::External | Workload::Upstream(_)) => true,
            None => false,
        };
        if had_image && deployment.image.is_none() {
            let words = format!(
                "it leaves the values, and {DEFAULT_IMAGE} takes the place of the image; keep the key"
            );
            warnings.push(Remark::new(["deployment", version.as_str(), "image"], words));
        }
        warnings.extend(old.and_then(|old| respelt(old, new, version)));
    }
    warnings.iter().map(|remark| remark.located(&new.file, head)).collect()
}

/// What is said of a version that comes while the Deployment of one that goes has its name: a Deployment's selector
/// cannot change.
fn respelt(old: &Service, new: &Service, version: &Version) -> Option<Remark> {
    if old.namespace != new.namespace || old.versions.contains_key(version) {
        return None;
    }
    let name = new.version_name(version);
    let is_like = |(other, workload): &(&Version, &Workload)| {
        matches!(workload, Workload::Deployed(_)) && old.version_name(other) == name
    };
    let (other, _) = old.versions.iter().find(is_like)?;
    let words = format!(
        "its Deployment is called {name}, as the one of {other} is, whose selector cannot change; remove {other} in a \
         commit before, or name the version otherwise"
    );
    Some(Remark::new(["deployment", version.as_str()], words))
}

/// The objects with the routes of a job.
fn holders(job: &Job) -> BTreeSet<ObjectRef> {
    job.desired.routes.iter().map(|manifest| reference(manifest.id())).collect()
}

/// A service whose new values have mistakes: what the cluster has of it stays. Who finds it so is not the
/// one to blame.
fn faulty(name: &str, before: &Repository, after: &Expected) -> ServiceProposal {
    let problems = |repository: &'_ Repository| -> Vec<Problem> {
        match repository.services.get(name) {
            Some(Err(problems)) => problems.clone(),
            None if name == PLATFORM => repository.platform.problems.clone(),
            _ => Vec::new(),
        }
    };
    let wrong = problems(&after.repository);
    let was_so = match name {
        PLATFORM => !before.platform.problems.is_empty(),
        _ => matches!(before.services.get(name), Some(Err(_))),
    };
    let (verdict, errors, warnings) = match was_so {
        true => {
            let warnings = wrong.iter().map(ToString::to_string).collect();
            (Verdict::Unchanged, Vec::new(), warnings)
        }
        false => {
            let errors = wrong.iter().map(Problem::advice).collect();
            (Verdict::Error, errors, Vec::new())
        }
    };
    ServiceProposal {
        service: name.to_owned(),
        verdict,
        before: None,
        after: None,
        errors,
        warnings,
        notes: Vec::new(),
        gateways: Vec::new(),
        routes_before: Vec::new(),
        routes_after: Vec::new(),
        steps: Vec::new(),
        objects: Vec::new(),
    }
}

fn objects(pair: &Pair) -> Vec<ObjectDiff> {
    let of = |job: Option<&Job>| -> BTreeMap<ObjectId, Manifest> {
        let manifests = job.into_iter().flat_map(|job| job.desired.manifests());
        manifests.map(|manifest| (manifest.id().clone(), manifest.clone())).collect()
    };
    let (old, new) = (of(pair.before.as_ref()), of(Some(&pair.after)));
    let ids: BTreeSet<&ObjectId> = new.keys().chain(&pair.to_prune).collect();
    let mut diffs = Vec::new();
    for id in ids {
        let [old, new] = [&old, &new].map(|of| of.get(id).map(Manifest::object));
        let [old, new] = diff::texts(old, new);
        let lines = diff::unified(&id.to_string(), ("before", &old), ("after", &new));
        if !lines.is_empty() {
            let lines: Vec<String> = lines.iter().map(Line::to_string).collect();
            diffs.push(ObjectDiff { object: id.to_string(), diff: lines.join("\n") + "\n" });
        }
    }
    diffs
}
