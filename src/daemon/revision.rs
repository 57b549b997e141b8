//! A new revision: which services want something else now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::Daemon;
use super::history;
use super::request::DesiredState;
use super::work::{Work, joined};
use crate::autopilot::Accepted;
use crate::cluster::{ClusterError, Namespaces, WatchedKind};
use crate::hint::advised;
use crate::report::ChangeKind;
use crate::scheduler::KnownServices;
use crate::source::{Revision, Source};
use coalmine_core::kind::Kind;
use coalmine_core::labels::INSTANCE;
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::object_state::Claim;
use coalmine_core::phase::Phase;
use coalmine_core::problem::Problem;
use coalmine_core::values::{Applied, Gateway, Service};

/// How long a revision waits for the watches before it is put off.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the API server may take to say which kinds have objects of ours.
const DISCOVERY: Duration = Duration::from_secs(120);

/// The newest valid values of each service.
type Values = BTreeMap<String, Arc<Service>>;

impl Daemon {
    /// Hands over what the revision requests of each service, and returns how long each of its waits may
    /// take. `before` is the commit that was accepted last, as far as that is known: what services had in it stays theirs.
    ///
    /// # Errors
    /// When the revision as a whole cannot be accepted: its tree cannot be read, `coalmine.yaml` is
    /// broken, the API server does not answer, or every service would go. Nothing is changed then.
    pub(super) async fn accept_revision(
        &mut self,
        source: &Source,
        revision: &Revision,
        before: Option<&str>,
    ) -> anyhow::Result<Duration> {
        if self.reader.files_parsed() == 0 {
            self.remember_applied().await?;
            if let Some(tree) =
                before.filter(|it| *it != revision.id).and_then(|it| source.earlier(it))
            {
                self.reader.read(&tree);
            }
        }
        if let Some(before) = before {
            // Nothing depends on it but who of two is the one that moved.
            self.reader.moved(source.moves(before, revision).unwrap_or_default());
        }
        let tree = source.tree(revision)?;
        let repository = self.reader.read(&tree);
        let mut work = Work::of(&repository, &self.options, &revision.id)?;
        work.note_files(&tree);
        self.cache.set_gloo_namespace(&work.rollout_settings.gloo_namespace);
        self.watch_kinds(&work).await?;
        let orphans =
            work.orphans(&repository, &self.cache.inventory(), &self.values, &self.options)?;
        self.reports.status_store.takes_up(revision);
        if self.services.names().is_empty() {
            let mut histories = history::histories(source, revision);
            histories.retain(|name, _| repository.services.contains_key(name.as_str()));
            for (name, history) in histories {
                self.reports.status_store.remembers(&name, history);
            }
        }
        tracing::info!(
            revision = revision.short(),
            author = revision.author,
            subject = revision.subject,
            services = repository.services.len(),
            "new revision"
        );
        let patience = work.rollout_settings.timing.deadline;
        let known = KnownServices::of(&repository, self.options.shard);
        let piloted = work.piloted();
        self.hand_over(work, known, orphans, &revision.id);
        self.services.rollouts().accept(Accepted {
            revision: Arc::new(revision.clone()),
            // Of services without an autopilot no file is edited.
            tree: if piloted.is_empty() { Arc::default() } else { tree.into() },
            policy: repository.settings.policy.clone(),
            services: piloted,
        });
        // Whoever reads that it was accepted has to find what it requests.
        self.is_accepted(&revision.id);
        Ok(patience)
    }

    /// Takes what services have in the cluster for theirs, before anything is read: names, paths and domains stay with
    /// who has them, whatever has come into the repository meanwhile.
    async fn remember_applied(&mut self) -> anyhow::Result<()> {
        self.sync().await?;
        let (snapshot, _) = self.cache.gloo();
        let http_routes = self.http_routes().await?;
        let inventory = self.cache.inventory();
        let objects = inventory.iter().map(|(id, service, _)| (id, &**service));
        let routes = http_routes.iter().map(|(id, (service, _))| (id, service.as_str()));
        let objects = objects.chain(routes);
        let contents = http_routes.iter().map(|(id, (_, route))| (id.clone(), route.clone()));
        self.reader.remember(Applied::of(&snapshot, &contents.collect(), objects));
        Ok(())
    }

    /// The HTTPRoutes of services in the cluster, each with its service. They are listed once, since nobody knows yet
    /// whether they are to be watched. Where they are not served or may not be read there are none.
    async fn http_routes(&self) -> anyhow::Result<BTreeMap<ObjectId, (String, Value)>> {
        let cluster = &self.reconciler.cluster;
        let selector = format!("{INSTANCE}={}", self.reconciler.instance);
        let mut all = BTreeMap::new();
        for namespace in cluster.namespaces().each() {
            let listed = cluster.list_known(Kind::HttpRoute, namespace, &selector);
            let listed = tokio::time::timeout(DISCOVERY, listed).await;
            let listed = listed.with_context(|| {
                format!("no answer from the API server for {} s", DISCOVERY.as_secs())
            })?;
            let objects = match listed {
                Ok(objects) => objects,
                Err(ClusterError::KindNotServed { .. } | ClusterError::Denied { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            for (id, object) in objects {
                let claim = Claim::on(&object, &self.reconciler.instance);
                if let Claim::Ours(service) = claim {
                    all.insert(id, (service.to_string(), object));
                }
            }
        }
        Ok(all)
    }

    /// Waits until all that services rest on is known. Where each namespace is watched for itself, those that do not
    /// answer in time are left out as long as another one does.
    async fn sync(&self) -> anyhow::Result<()> {
        if tokio::time::timeout(PATIENCE, self.cache.synced()).await.is_ok()
            || self.cache.leave_out()
        {
            return Ok(());
        }
        if let Some((kinds, words)) = self.cache.forbidden() {
            return Err(advised(
                format_args!(
                    "the daemon may not list {} in all namespaces: {words}",
                    kinds.join(", ")
                ),
                "`kubectl apply -k deploy/base` gives it the ClusterRole; a daemon with Roles in some namespaces needs \
                 their names in --watch-namespaces or COALMINE_WATCH_NAMESPACES",
            ));
        }
        let troubles = self.cache.troubles();
        bail!("the cluster's objects are not known yet: {}", troubles.join("; "));
    }

    /// Watches what the revision's platform consists of, and once what an earlier one's may have, and
    /// waits until all that services rest on is known.
    async fn watch_kinds(&mut self, work: &Work) -> anyhow::Result<()> {
        let cluster = self.reconciler.cluster.clone();
        let mut kinds: Vec<WatchedKind> = work.gateway_kinds();
        kinds.extend(work.platform_kinds(cluster.namespaces()));
        for namespace in cluster.namespaces().each() {
            let place = namespace.map(str::to_owned);
            let is_known =
                || self.cache.unknown(&namespace.into_iter().collect::<BTreeSet<_>>()).is_none();
            if self.swept.contains(&place) || !is_known() {
                continue;
            }
            let ours = cluster.labelled_kinds(&self.reconciler.instance, namespace);
            let ours = tokio::time::timeout(DISCOVERY, ours).await;
            kinds.extend(ours.with_context(|| {
                format!("no answer from the API server for {} s", DISCOVERY.as_secs())
            })??);
            self.swept.insert(place);
        }
        for kind in kinds {
            self.watch(kind.whole());
        }
        self.watch_gloo(&work.rollout_settings.gloo_namespace);
        self.gloo_namespace.send_replace(work.rollout_settings.gloo_namespace.clone());
        self.sync().await?;
        if work.uses_gloo() && self.cache.lacks_gloo() {
            bail!("the cluster has no Gloo: {}", self.cache.troubles().join("; "));
        }
        Ok(())
    }

    fn hand_over(
        &mut self,
        work: Work,
        known: KnownServices,
        orphans: BTreeSet<String>,
        revision: &str,
    ) {
        let revision: Arc<str> = revision.into();
        let named: BTreeSet<Arc<str>> = work.names().collect();
        self.values.retain(|name, _| named.contains(name.as_str()));
        // Of what nothing names any more, the first object may be about to be written.
        let requested: BTreeSet<Arc<str>> = self.services.names().into_iter().collect();
        self.reports.status_store.retain(|name| {
            named.contains(name) || requested.contains(name) || orphans.contains(name)
        });
        for (name, problems) in &work.invalid {
            self.invalid(name, problems, &revision);
        }
        let orphans = orphans.iter().map(|name| name.as_str().into());
        let removal = |name: &Arc<str>| work.removal(name, &revision);
        let status_store = self.reports.status_store.clone();
        let values = &mut self.values;
        self.services.accept(known, work.requests.clone(), orphans, removal, |request| {
            if let DesiredState::Service(service) = &request.state {
                status_store.asks(service, note_change(values, service));
            }
        });
    }

    fn invalid(&self, name: &str, problems: &[Problem], revision: &str) {
        for problem in problems {
            tracing::error!(service = name, "{problem}");
        }
        self.reports.status_store.invalid(name, joined(problems), revision);
    }
}

/// Says what the new values mean for the rollout; `None` when they are the ones before.
fn note_change(values: &mut Values, service: &Arc<Service>) -> Option<ChangeKind> {
    let name = service.name.to_string();
    let before = values.insert(name.clone(), service.clone());
    if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, service)) {
        return None;
    }
    let change = ChangeKind::between(before.as_deref(), service)?;
    if matches!(change, ChangeKind::Advance | ChangeKind::Rollback | ChangeKind::Jump) {
        tracing::info!(service = name, phase = %Phase::of(service), "{}", change.name());
    }
    Some(change)
}

impl Work {
    /// The kinds in `platform/`, as far as their objects are where the daemon watches.
    fn platform_kinds(&self, namespaces: &Namespaces) -> Vec<WatchedKind> {
        let ids = self.platform().map(Manifest::id);
        let ids = ids.filter(|id| namespaces.has(id.namespace.as_deref()));
        ids.map(|id| WatchedKind::ours(&id.api_version, &id.kind)).collect()
    }

    /// The kinds that HTTPRoutes rest on, where there are any.
    fn gateway_kinds(&self) -> Vec<WatchedKind> {
        let has_route = |gateway: &Gateway| gateway.gateway_api().is_some();
        let mut platform = self.platform();
        let is_used = self.gateways().any(has_route)
            || platform.any(|manifest| manifest.id().is(Kind::HttpRoute));
        is_used.then(WatchedKind::of_gateway_api).into_iter().flatten().collect()
    }

    /// Whether something is written in Gloo's kinds.
    fn uses_gloo(&self) -> bool {
        self.gateways().any(Gateway::is_gloo)
            || self.platform().any(|manifest| manifest.id().has_gloo_status())
    }

    /// Which API each service is written in.
    fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        self.services().map(|service| &service.routes.gateway)
    }

    fn services(&self) -> impl Iterator<Item = &Service> {
        self.requests.iter().filter_map(|request| match &request.state {
            DesiredState::Service(service) => Some(&**service),
            _ => None,
        })
    }

    fn platform(&self) -> impl Iterator<Item = &Manifest> {
        let platforms = self.requests.iter().filter_map(|request| match &request.state {
            DesiredState::Platform(platform) => Some(platform),
            _ => None,
        });
        platforms.flat_map(|platform| &platform.manifests)
    }
}
