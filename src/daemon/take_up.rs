//! A new revision: which services want something else now.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;

use super::Daemon;
use super::past;
use super::strays::Roll;
use super::wanted::{Content, Wanted};
use super::work::{Work, joined};
use crate::cluster::WatchedKind;
use crate::reconcile::Conduct;
use crate::report::Course;
use crate::source::{Revision, Source};
use coalmine_core::object::Manifest;
use coalmine_core::phase::Phase;
use coalmine_core::problem::Problem;

/// How long a revision waits for the watches before it is put off.
const PATIENCE: Duration = Duration::from_secs(10);

impl Daemon {
    /// Hands over what the revision wants of each service, and returns how long each of its waits may
    /// take.
    ///
    /// # Errors
    /// When the revision as a whole cannot be taken up: its tree cannot be read, `coalmine.yaml` is
    /// broken, the API server does not answer, or every service would go. Nothing is changed then.
    pub(super) async fn take_up(
        &mut self,
        source: &Source,
        revision: &Revision,
    ) -> anyhow::Result<Duration> {
        let repository = self.reader.read(&source.tree(revision)?);
        let work = Work::of(&repository, self.manner, &revision.id)?;
        self.live.set_gloo_namespace(&work.conduct.gloo_namespace);
        self.watch_kinds(&work).await?;
        let farewells = work.farewells(&repository, &self.live.inventory(), self.manner)?;
        self.services.strays().expect(Roll::of(&repository, self.manner.shard));
        self.shown.board.takes_up(revision);
        if self.services.names().is_empty() {
            let mut past = past::histories(source, revision);
            past.retain(|name, _| repository.services.contains_key(name.as_str()));
            past.into_iter().for_each(|(name, history)| self.shown.board.remembers(&name, history));
        }
        tracing::info!(
            revision = revision.short(),
            author = revision.author,
            subject = revision.subject,
            services = repository.services.len(),
            "new revision"
        );
        let patience = work.conduct.timing.deadline;
        self.hand_over(work, farewells, &revision.id);
        // Whoever reads that it was taken up has to find what it asks for.
        self.in_force(&revision.id);
        Ok(patience)
    }

    /// Takes away what has come of services that are gone by the revision that was taken up last.
    ///
    /// # Errors
    /// When the tree cannot be read, or more than `prune.limit` objects would go.
    pub(super) fn take_strays(
        &mut self,
        source: &Source,
        revision: &Revision,
    ) -> anyhow::Result<()> {
        let repository = self.reader.read(&source.tree(revision)?);
        let work = Work::of(&repository, self.manner, &revision.id)?;
        let gone = work.farewells(&repository, &self.live.inventory(), self.manner)?;
        let gone = gone.iter().map(|name| name.as_str().into());
        self.take_away(gone, &work.conduct, &revision.id.as_str().into());
        Ok(())
    }

    fn take_away(
        &mut self,
        gone: impl Iterator<Item = Arc<str>>,
        conduct: &Arc<Conduct>,
        revision: &Arc<str>,
    ) {
        for name in gone {
            let content = Content::Farewell(name);
            let (conduct, revision) = (conduct.clone(), revision.clone());
            self.want(Wanted { content, conduct, revision });
        }
    }

    /// Watches what the revision's platform consists of, and once what an earlier one's may have, and
    /// waits until all that services rest on is known.
    async fn watch_kinds(&mut self, work: &Work) -> anyhow::Result<()> {
        let mut kinds: Vec<WatchedKind> = work.platform_kinds();
        if !self.swept {
            kinds.extend(self.reconciler.cluster.labelled_kinds(&self.reconciler.instance).await?);
        }
        self.swept = true;
        for kind in kinds {
            self.live.watch(&mut self.watches, &self.reconciler.cluster, kind, self.schedule);
        }
        if tokio::time::timeout(PATIENCE, self.live.synced()).await.is_err() {
            let troubles = self.live.troubles();
            bail!("the cluster's objects are not known yet: {}", troubles.join("; "));
        }
        Ok(())
    }

    fn hand_over(&mut self, work: Work, farewells: BTreeSet<String>, revision: &str) {
        let revision: Arc<str> = revision.into();
        let named: BTreeSet<Arc<str>> = work.names().collect();
        self.values.retain(|name, _| named.contains(name.as_str()));
        // Of what nothing names any more, the first object may be about to be written.
        let forgotten = self.services.names().into_iter().filter(|name| !named.contains(name));
        let gone: BTreeSet<Arc<str>> =
            farewells.iter().map(|name| name.as_str().into()).chain(forgotten).collect();
        self.shown.board.retain(|name| named.contains(name) || gone.contains(name));
        for (name, problems) in &work.invalid {
            self.invalid(name, problems, &revision);
        }
        for wanted in work.wanted {
            self.want(wanted);
        }
        self.take_away(gone.into_iter(), &work.conduct, &revision);
    }

    fn invalid(&self, name: &str, problems: &[Problem], revision: &str) {
        for problem in problems {
            tracing::error!(service = name, "{problem}");
        }
        self.shown.board.invalid(name, joined(problems), revision);
    }

    fn want(&mut self, wanted: Wanted) {
        let course = self.note_change(&wanted.content);
        if let Content::Service(service) = &wanted.content {
            self.shown.board.asks(service, course);
        }
        self.services.want(wanted);
    }

    /// Says what the new values mean for the rollout; `None` when they are the ones before.
    fn note_change(&mut self, content: &Content) -> Option<Course> {
        let Content::Service(service) = content else { return None };
        let name = service.name.to_string();
        let before = self.values.insert(name.clone(), service.clone());
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, service)) {
            return None;
        }
        let course = Course::between(before.as_deref(), service)?;
        if matches!(course, Course::Advance | Course::Rollback | Course::Jump) {
            tracing::info!(service = name, phase = %Phase::of(service), "{}", course.name());
        }
        Some(course)
    }
}

impl Work {
    /// The kinds in `platform/`.
    fn platform_kinds(&self) -> Vec<WatchedKind> {
        let mut kinds = Vec::new();
        for wanted in &self.wanted {
            if let Content::Platform(platform) = &wanted.content {
                let ids = platform.manifests.iter().map(Manifest::id);
                kinds.extend(ids.map(|id| WatchedKind::ours(&id.api_version, &id.kind)));
            }
        }
        kinds
    }
}
