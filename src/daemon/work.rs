//! What one revision means for the cluster, before anything is done about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::bail;
use serde_json::Value;

use crate::cluster::ClusterError;
use crate::inventory::{Manifest, ObjectId, SERVICE};
use crate::problem::Problem;
use crate::reconcile::{Conduct, Job, Reconciler, gone};
use crate::render::Owner;
use crate::values::{PLATFORM, Repository, Settings};

/// What one revision means for the cluster.
pub(super) struct Work {
    /// The platform, every valid service, and every service to take away.
    pub(super) jobs: Vec<Job>,
    /// Services whose values have errors.
    pub(super) invalid: Vec<(String, Vec<Problem>)>,
    pub(super) conduct: Arc<Conduct>,
}

impl Work {
    /// Every service that has something to do or something to tell, and the platform.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let valid = self.jobs.iter().map(|job| job.service.as_str());
        valid.chain(self.invalid.iter().map(|(name, _)| name.as_str()))
    }

    /// Derives the work, and makes the namespaces that services need before they can be tried.
    pub(super) async fn of(
        repository: &Repository,
        reconciler: &Reconciler,
        revision: &str,
    ) -> anyhow::Result<Self> {
        let mut work = Self::wanted(repository, &reconciler.instance, revision)?;
        let inventory = reconciler.cluster.inventory(&reconciler.instance, None).await?;
        work.take_away(&inventory, repository, revision)?;
        for job in &work.jobs {
            // Any other trouble is met and reported by the platform's own work.
            if let Err(error @ ClusterError::Unreachable(_)) = reconciler.make_namespaces(job).await
            {
                return Err(error.into());
            }
        }
        Ok(work)
    }

    /// The platform and every valid service.
    ///
    /// # Errors
    /// When the repository as a whole has problems: what its services would become is not known.
    fn wanted(repository: &Repository, instance: &str, revision: &str) -> anyhow::Result<Self> {
        if !repository.problems.is_empty() {
            bail!("revision {revision} is not taken up: {}", joined(&repository.problems));
        }
        let owner = Owner { instance: instance.to_owned(), revision: revision.to_owned() };
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
        let resembled = repository.resembled.iter().map(String::as_str);
        let known: BTreeSet<&str> = self.names().chain(resembled).collect();
        let gone = gone(inventory, &known);
        if !gone.is_empty() && repository.services.is_empty() {
            bail!(
                "revision {revision} has no services at all and {} are in the cluster; \
                 nothing is deleted, check --path and --branch",
                gone.len()
            );
        }
        let desired: BTreeSet<&ObjectId> =
            self.jobs.iter().flat_map(|job| job.desired.manifests()).map(Manifest::id).collect();
        let goes =
            |owner: &str| gone.contains(owner) || self.jobs.iter().any(|job| job.service == owner);
        let surplus = inventory.iter().filter(|(id, object)| {
            let owner = object["metadata"]["labels"][SERVICE].as_str().unwrap_or_default();
            !desired.contains(id) && goes(owner)
        });
        let surplus = surplus.count();
        if let Some(limit) = repository.settings.prune_limit
            && surplus > usize::try_from(limit)?
        {
            bail!(
                "revision {revision} would delete {surplus} objects, more than the {limit} of \
                 prune.limit in coalmine.yaml; nothing is changed, push it in smaller parts or \
                 raise the limit"
            );
        }
        self.jobs.extend(gone.iter().map(|name| Job::farewell(name)));
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

/// All problems, one a line.
pub(super) fn joined(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::source::Tree;

    fn repository(files: &[(&str, &str)]) -> Repository {
        let files = files.iter().map(|(path, content)| ((*path).into(), (*content).into()));
        Repository::parse(&Tree { revision: "r".into(), files: files.collect() })
    }

    const VALUES: &str = "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";

    fn owned(kind: &str, service: &str, annotations: Value) -> (ObjectId, Value) {
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": service,
            "namespace": service, "labels": {SERVICE: service}, "annotations": annotations}});
        (Manifest::new(object.clone()).expect("complete").id().clone(), object)
    }

    fn farewells(
        files: &[(&str, &str)],
        inventory: &[(ObjectId, Value)],
    ) -> anyhow::Result<Vec<String>> {
        let repository = repository(files);
        let mut work = Work::wanted(&repository, "default", "r")?;
        work.take_away(&inventory.iter().cloned().collect(), &repository, "r")?;
        let gone = work.jobs.into_iter().filter(|job| job.farewell);
        Ok(gone.map(|job| job.service).filter(|name| name != PLATFORM).collect())
    }

    #[test]
    fn a_service_whose_file_is_gone_is_taken_away_and_the_others_stay() {
        let inventory =
            [owned("Upstream", "echo", json!({})), owned("Upstream", "foxtrot", json!({}))];
        let gone = farewells(&[("services/echo.yaml", VALUES)], &inventory).expect("taken up");
        assert_eq!(gone, ["foxtrot"]);
    }

    #[test]
    fn a_service_with_a_broken_file_keeps_what_it_has() {
        let files = [("services/echo.yaml", VALUES), ("services/foxtrot.yaml", "deployment: [")];
        let inventory = [owned("Upstream", "foxtrot", json!({}))];
        assert!(farewells(&files, &inventory).expect("taken up").is_empty());
    }

    #[test]
    fn a_service_whose_file_got_an_impossible_name_keeps_what_it_has() {
        let files = [("services/Foxtrot.yaml", VALUES), ("services/echo.yaml/a", "a folder")];
        let inventory =
            [owned("Upstream", "foxtrot", json!({})), owned("Upstream", "echo", json!({}))];
        assert!(farewells(&files, &inventory).expect("taken up").is_empty());
    }

    #[test]
    fn kept_objects_outlive_their_file() {
        let kept = owned("Upstream", "foxtrot", json!({crate::inventory::KEEP: "true"}));
        let gone = farewells(&[("services/echo.yaml", VALUES)], &[kept]).expect("taken up");
        assert!(gone.is_empty());
    }

    #[test]
    fn a_revision_without_services_deletes_nothing() {
        let inventory = [owned("Upstream", "echo", json!({}))];
        let platform =
            [("platform/echo.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: echo}\n")];
        let error = farewells(&platform, &inventory).expect_err("refused").to_string();
        assert!(error.contains("check --path"), "{error}");
    }

    #[test]
    fn more_deletions_than_the_limit_are_refused() {
        let limit = ("coalmine.yaml", "prune: {limit: 1}\n");
        let files = [limit, ("services/echo.yaml", VALUES)];
        let two = [owned("Upstream", "foxtrot", json!({})), owned("Service", "foxtrot", json!({}))];
        let error = farewells(&files, &two).expect_err("refused").to_string();
        assert!(error.contains("would delete 2 objects"), "{error}");
        assert_eq!(farewells(&files, &two[..1]).expect("taken up"), ["foxtrot"]);
    }

    #[test]
    fn a_broken_coalmine_yaml_stops_the_whole_revision() {
        let files = [("coalmine.yaml", "timing: 3\n"), ("services/echo.yaml", VALUES)];
        let error = farewells(&files, &[]).expect_err("refused").to_string();
        assert!(error.contains("coalmine.yaml:1"), "{error}");
    }
}
