//! A new revision: which services want something else now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, bail};
use serde_json::Value;

use super::Daemon;
use super::worker::{Surroundings, Wanted, Worker};
use crate::inventory::{Manifest, ObjectId, SERVICE, is_kept};
use crate::problem::Problem;
use crate::reconcile::{Conduct, Job, Reconciler};
use crate::render::Owner;
use crate::report::State;
use crate::source::{Revision, Source};
use crate::values::{PLATFORM, Repository, Service, Settings};

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
        self.board.source(|report| report.revision = Some(revision.id.clone()));
        let repository = Repository::parse(&source.tree(revision)?);
        let work = Work::of(&repository, &self.reconciler, &revision.id).await?;
        self.source_is_fine();
        tracing::info!(
            revision = revision.short(),
            author = revision.author,
            subject = revision.subject,
            services = repository.services.len(),
            "new revision"
        );
        self.workers.retain(|_, worker| !worker.has_ended());
        for (name, problems) in &work.invalid {
            self.invalid(name, problems, &revision.id);
        }
        for job in work.jobs {
            let service = repository.services.iter().find_map(|(name, service)| {
                service.as_ref().ok().filter(|_| name.as_str() == job.service)
            });
            self.want(job, service, &work.conduct, &revision.id);
        }
        Ok(())
    }

    /// The last fetch went well.
    pub(super) fn source_is_fine(&self) {
        self.board.source(|source| {
            if source.error.take().is_some() {
                tracing::info!("the source is fine again");
            }
        });
    }

    fn invalid(&self, name: &str, problems: &[Problem], revision: &str) {
        for problem in problems {
            tracing::error!(service = name, "{problem}");
        }
        self.board.invalid(name, joined(problems), revision);
    }

    fn want(
        &mut self,
        job: Job,
        service: Option<&Service>,
        conduct: &Arc<Conduct>,
        revision: &str,
    ) {
        let name = job.service.clone();
        let wanted =
            Wanted { job: Arc::new(job), conduct: conduct.clone(), revision: revision.to_owned() };
        let worker = self.workers.get(&name);
        let is_new = worker.is_none_or(|worker| worker.wants_something_else_than(&wanted));
        self.board.valid(&name);
        self.board.service(&name, |report| {
            report.attempted_revision = revision.to_owned();
            if is_new {
                report.state = State::Progressing;
                report.reason.clear();
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
            board: self.board.clone(),
            schedule: self.schedule,
            stop: self.stop.clone(),
        };
        self.workers.insert(name, Worker::start(surroundings, wanted));
    }
}

/// What one revision means for the cluster.
pub(super) struct Work {
    /// The platform, every valid service, and every service to take away.
    pub(super) jobs: Vec<Job>,
    /// Services whose values have errors.
    pub(super) invalid: Vec<(String, Vec<Problem>)>,
    pub(super) conduct: Arc<Conduct>,
}

impl Work {
    /// Derives the work, and makes the namespaces that services need before they can be tried.
    pub(super) async fn of(
        repository: &Repository,
        reconciler: &Reconciler,
        revision: &str,
    ) -> anyhow::Result<Self> {
        if !repository.problems.is_empty() {
            bail!("revision {revision} is not taken up: {}", joined(&repository.problems));
        }
        let owner =
            Owner { instance: reconciler.instance.to_string(), revision: revision.to_owned() };
        let conduct = Arc::new(conduct(&repository.settings));
        let mut work = Self { jobs: Vec::new(), invalid: Vec::new(), conduct };
        if repository.platform.problems.is_empty() {
            work.jobs.push(Job::for_platform(&repository.platform, &owner));
        } else {
            work.invalid.push((PLATFORM.into(), repository.platform.problems.clone()));
        }
        for (name, service) in &repository.services {
            match service {
                Ok(service) => work.jobs.push(Job::for_service(service, &owner)),
                Err(problems) => work.invalid.push((name.to_string(), problems.clone())),
            }
        }
        let inventory = reconciler.cluster.inventory(&reconciler.instance).await?;
        work.take_away(&inventory, repository, revision)?;
        for job in &work.jobs {
            reconciler.make_namespaces(job).await.context("namespaces of platform/")?;
        }
        Ok(work)
    }

    /// Adds what has to go: the services that have objects and no file any more.
    ///
    /// # Errors
    /// When the revision would take away everything, or more than `prune.limit` objects.
    fn take_away(
        &mut self,
        inventory: &BTreeMap<ObjectId, Value>,
        repository: &Repository,
        revision: &str,
    ) -> anyhow::Result<()> {
        let known: BTreeSet<&str> = (self.jobs.iter().map(|job| job.service.as_str()))
            .chain(self.invalid.iter().map(|(name, _)| name.as_str()))
            .chain([PLATFORM])
            .collect();
        let owner = |object: &Value| {
            object["metadata"]["labels"][SERVICE].as_str().unwrap_or_default().to_owned()
        };
        // With `keep: true` the objects outlive their file.
        let ours: Vec<(&ObjectId, String)> = inventory
            .iter()
            .map(|(id, object)| (id, object, owner(object)))
            .filter(|(_, object, owner)| known.contains(owner.as_str()) || !is_kept(object))
            .map(|(id, _, owner)| (id, owner))
            .collect();
        let owners = ours.iter().map(|(_, owner)| owner);
        let gone: BTreeSet<&String> =
            owners.filter(|owner| !known.contains(owner.as_str())).collect();
        if !gone.is_empty() && repository.services.is_empty() {
            bail!(
                "revision {revision} has no services at all and {} are in the cluster; \
                 nothing is deleted, check --path and --branch",
                gone.len()
            );
        }
        let desired: BTreeSet<&ObjectId> =
            self.jobs.iter().flat_map(|job| job.desired.manifests()).map(Manifest::id).collect();
        let is_invalid = |name: &str| self.invalid.iter().any(|(invalid, _)| invalid == name);
        let surplus =
            ours.iter().filter(|(id, owner)| !desired.contains(id) && !is_invalid(owner)).count();
        if let Some(limit) = repository.settings.prune_limit
            && surplus > usize::try_from(limit)?
        {
            bail!(
                "revision {revision} would delete {surplus} objects, more than the {limit} of \
                 prune.limit in coalmine.yaml; nothing is changed, push it in smaller parts or \
                 raise the limit"
            );
        }
        self.jobs.extend(gone.into_iter().map(|name| Job::farewell(name)));
        Ok(())
    }
}

fn conduct(settings: &Settings) -> Conduct {
    Conduct {
        timing: settings.timing,
        gloo_namespace: settings.gloo_namespace.clone(),
        policy: settings.policy.clone(),
    }
}

fn joined(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
