//! A new revision: which services want something else now.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Daemon;
use super::work::{Work, joined};
use super::worker::{Surroundings, Wanted, Worker};
use crate::phase::{Change, Phase};
use crate::problem::Problem;
use crate::reconcile::{Conduct, Job};
use crate::source::{Revision, Source};
use crate::values::{Repository, Service};

impl Daemon {
    /// Hands each service of the revision to its worker.
    ///
    /// # Errors
    /// When the revision as a whole cannot be taken up: its tree cannot be read, `coalmine.yaml` is
    /// broken, the API server does not answer, or every service would go. Nothing is changed then.
    pub(super) async fn take_up(
        &mut self,
        source: &Source,
        revision: &Revision,
    ) -> anyhow::Result<()> {
        let board = self.shown.board.clone();
        let repository = Repository::parse(&source.tree(revision)?);
        let mut work = Work::of(&repository, &self.reconciler, &revision.id).await?;
        self.in_force(&revision.id);
        tracing::info!(
            revision = revision.short(),
            author = revision.author,
            subject = revision.subject,
            services = repository.services.len(),
            "new revision"
        );
        let named: BTreeSet<String> = work.names().map(str::to_owned).collect();
        self.values.retain(|name, _| named.contains(name));
        // Who has been sent away already and has nothing left ends with its handle.
        self.workers.retain(|name, worker| named.contains(name) || !worker.is_leaving());
        // Any other worker that nothing names may be about to write its service's first object.
        let forgotten = self.workers.keys().filter(|name| !named.contains(*name));
        work.jobs.extend(forgotten.map(|name| Job::farewell(name)));
        let concerned: BTreeSet<&str> = work.names().collect();
        board.retain(|name| concerned.contains(name));
        for (name, problems) in &work.invalid {
            self.invalid(name, problems, &revision.id);
        }
        for job in work.jobs {
            let service = repository.services.get(job.service.as_str());
            let service = service.and_then(|service| service.as_deref().ok());
            self.want(job, service, &work.conduct, &revision.id);
        }
        Ok(())
    }

    /// The branch is at the commit that was taken up last.
    pub(super) fn in_force(&self, revision: &str) {
        self.shown.board.source(|source| {
            if source.taken_up(revision) {
                tracing::info!("the source is fine again");
            }
        });
    }

    fn invalid(&self, name: &str, problems: &[Problem], revision: &str) {
        for problem in problems {
            tracing::error!(service = name, "{problem}");
        }
        self.shown.board.invalid(name, joined(problems), revision);
    }

    fn want(
        &mut self,
        job: Job,
        service: Option<&Service>,
        conduct: &Arc<Conduct>,
        revision: &str,
    ) {
        if let Some(service) = service {
            self.note_change(service);
        }
        let name = job.service.clone();
        let wanted =
            Wanted { job: Arc::new(job), conduct: conduct.clone(), revision: revision.to_owned() };
        let worker = self.workers.get(&name);
        let is_new = worker.is_none_or(|worker| worker.wants_something_else_than(&wanted));
        self.shown.board.valid(&name);
        self.shown.board.service(&name, |report| {
            report.attempted_revision = revision.to_owned();
            if is_new {
                report.progressing("");
            }
            if let Some(service) = service {
                report.describe(service);
            }
        });
        if let Some(worker) = worker {
            worker.want(wanted);
            return;
        }
        let surroundings = Surroundings {
            reconciler: self.reconciler.clone(),
            shown: self.shown.clone(),
            schedule: self.schedule,
            stop: self.stop.clone(),
        };
        self.workers.insert(name, Worker::start(surroundings, wanted));
    }

    /// Says what the new values mean for the rollout.
    fn note_change(&mut self, service: &Service) {
        let name = service.name.to_string();
        let before = self.values.insert(name.clone(), service.clone());
        let change = before.and_then(|before| Change::between(&before, service));
        if let Some(change) = change {
            tracing::info!(service = name, phase = %Phase::of(service), "{change}");
        }
    }
}
