//! What one revision means for the cluster, before anything is done about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::bail;

use super::DaemonOptions;
use super::request::{DesiredState, ServiceRequest};
use crate::autopilot::file_of;
use crate::hint::advised;
use crate::reconcile::RolloutSettings;
use crate::scheduler::KnownServices;
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::plan::{Job, gone};
use coalmine_core::problem::{Location, Problem};
use coalmine_core::render::Owner;
use coalmine_core::tree::Tree;
use coalmine_core::values::{PLATFORM, Profile, Repository, Service, Settings, folder_of};

/// What one revision means for the cluster.
pub(super) struct Work {
    /// The platform and every valid service.
    pub(super) requests: Vec<ServiceRequest>,
    /// Services whose values have errors.
    pub(super) invalid: Vec<(String, Vec<Problem>)>,
    pub(super) rollout_settings: Arc<RolloutSettings>,
}

impl Work {
    /// The platform and every valid service.
    ///
    /// # Errors
    /// When the repository as a whole has problems: what its services would become is not known.
    pub(super) fn of(
        repository: &Repository,
        options: &DaemonOptions,
        revision: &str,
    ) -> anyhow::Result<Self> {
        if !repository.problems.is_empty() {
            bail!("revision {revision} is not accepted: {}", joined(&repository.problems));
        }
        let rollout_settings = Arc::new(rollout_settings(repository, options));
        let revision: Arc<str> = revision.into();
        let (mut requests, mut invalid) = (Vec::new(), Vec::new());
        let mut request = |state| {
            let (rollout_settings, revision) = (rollout_settings.clone(), revision.clone());
            requests.push(ServiceRequest { state, rollout_settings, revision, file: None });
        };
        let shard = options.shard;
        if !shard.owns_platform() {
            // The daemon of the first shard looks after it.
        } else if repository.platform.problems.is_empty() {
            request(DesiredState::Platform(repository.platform.clone()));
        } else {
            invalid.push((PLATFORM.into(), repository.platform.problems.clone()));
        }
        for (name, service) in &repository.services {
            if !shard.owns(name.as_str()) {
                continue;
            }
            match service {
                Ok(service) => request(DesiredState::Service(service.clone())),
                Err(problems) => invalid.push((name.to_string(), problems.clone())),
            }
        }
        Ok(Self { requests, invalid, rollout_settings })
    }

    /// Notes of each service that has an autopilot which file of the revision says so.
    pub(super) fn note_files(&mut self, tree: &Tree) {
        for request in &mut self.requests {
            if let DesiredState::Service(service) = &request.state {
                request.file = file_of(tree, service);
            }
        }
    }

    /// The services that have an autopilot which is not off.
    pub(super) fn piloted(&self) -> BTreeMap<String, Arc<Service>> {
        let piloted = self.requests.iter().filter(|request| request.file.is_some());
        let services = piloted.filter_map(|request| match &request.state {
            DesiredState::Service(service) => Some((service.name.to_string(), service.clone())),
            DesiredState::Platform(_) | DesiredState::Removal(_) => None,
        });
        services.collect()
    }

    /// Every service that has something to do or something to tell, and the platform.
    pub(super) fn names(&self) -> impl Iterator<Item = Arc<str>> {
        let valid = self.requests.iter().map(|request| request.state.name());
        valid.chain(self.invalid.iter().map(|(name, _)| name.as_str().into()))
    }

    /// What is requested of a service that is gone.
    pub(super) fn removal(&self, name: &Arc<str>, revision: &Arc<str>) -> ServiceRequest {
        let (rollout_settings, revision) = (self.rollout_settings.clone(), revision.clone());
        let state = DesiredState::Removal(name.clone());
        ServiceRequest { state, rollout_settings, revision, file: None }
    }

    /// The services that have objects and no file any more. `values` are those of earlier revisions.
    ///
    /// With `folders`, services of a folder of which more than `prune.limit` objects would go become invalid: they
    /// keep what they have, and no other folder waits for them.
    ///
    /// # Errors
    /// When the revision would take away everything, or without `folders` more than `prune.limit` objects.
    pub(super) fn orphans(
        &mut self,
        repository: &Repository,
        inventory: &[(ObjectId, Arc<str>, Option<bool>)],
        values: &BTreeMap<String, Arc<Service>>,
        options: &DaemonOptions,
    ) -> anyhow::Result<BTreeSet<String>> {
        let owners = inventory.iter().map(|(id, owner, keep)| (id, &**owner, *keep));
        let known = KnownServices::of(repository, options.shard);
        let mut gone = gone(owners, |name| known.has(name));
        if options.prune_all || inventory.is_empty() {
            return Ok(gone);
        }
        let revision = self.requests.first().map(|request| request.revision.to_string());
        let revision = revision.unwrap_or_default();
        if !gone.is_empty() && repository.services.is_empty() {
            return Err(advised(
                format_args!(
                    "revision {revision} has no services at all and {} are in the cluster",
                    gone.len()
                ),
                "nothing is deleted, check --path and --branch, or say --allow-prune-all",
            ));
        }
        let settings = &repository.settings;
        let (Some(limit), Some(at)) = (settings.prune_limit, &settings.prune_limit_at) else {
            return Ok(gone);
        };
        let limit = usize::try_from(limit)?;
        let by_service = self.to_prune(inventory, &gone);
        let to_prune: usize = by_service.values().sum();
        if to_prune > limit && !settings.folders.is_empty() {
            for (name, problem) in beyond(limit, at, &by_service, repository, values) {
                gone.remove(&name);
                self.requests.retain(|request| *request.state.name() != *name);
                self.invalid.push((name, vec![problem]));
            }
        } else if to_prune > limit {
            return Err(advised(
                format_args!(
                    "revision {revision} would delete {to_prune} objects, more than the {limit} of \
                     prune.limit in coalmine.yaml"
                ),
                "nothing is changed, push it in smaller parts, raise the limit, or say --allow-prune-all",
            ));
        }
        Ok(gone)
    }

    /// How many objects would go, by service.
    fn to_prune(
        &self,
        inventory: &[(ObjectId, Arc<str>, Option<bool>)],
        gone: &BTreeSet<String>,
    ) -> BTreeMap<Arc<str>, usize> {
        let owner = Owner { instance: String::new(), revision: String::new() };
        let jobs: Vec<_> = self.requests.iter().map(|request| request.state.job(&owner)).collect();
        let desired: BTreeSet<&ObjectId> =
            jobs.iter().flat_map(|job| job.desired.manifests()).map(Manifest::id).collect();
        let valid: BTreeMap<&str, &Job> =
            jobs.iter().map(|job| (job.service.as_str(), job)).collect();
        let goes = |(id, owner, keep): &&(ObjectId, Arc<str>, Option<bool>)| {
            let removal = gone.contains(&**owner).then(|| Job::removal(owner));
            let job = removal.as_ref().or_else(|| valid.get(&**owner).copied());
            !desired.contains(id) && job.is_some_and(|job| job.retains(id, *keep).is_none())
        };
        let mut by_service = BTreeMap::new();
        for (_, owner, _) in inventory.iter().filter(goes) {
            *by_service.entry(owner.clone()).or_default() += 1;
        }
        by_service
    }
}

/// The services of folders of which more than the limit would go, each with the problem.
fn beyond(
    limit: usize,
    at: &Location,
    by_service: &BTreeMap<Arc<str>, usize>,
    repository: &Repository,
    values: &BTreeMap<String, Arc<Service>>,
) -> Vec<(String, Problem)> {
    let folder = |name: &str| -> Option<&str> {
        if name == PLATFORM {
            return Some(PLATFORM);
        }
        let now = repository.services.get(name).and_then(|outcome| outcome.as_ref().ok());
        Some(folder_of(&now.or_else(|| values.get(name))?.file).unwrap_or("."))
    };
    let mut by_folder: BTreeMap<Option<&str>, Vec<(&str, usize)>> = BTreeMap::new();
    for (name, count) in by_service {
        by_folder.entry(folder(name)).or_default().push((name, *count));
    }
    let mut beyond = Vec::new();
    for (folder, services) in by_folder {
        let count: usize = services.iter().map(|(_, count)| count).sum();
        if count <= limit {
            continue;
        }
        let whose = match folder {
            Some(folder) => format!("the folder {folder}"),
            None => "services whose folder is not known any more".to_owned(),
        };
        let words = format!(
            "{count} objects of {whose} would be deleted at once, more than the {limit} that are allowed; \
             nothing of them is changed"
        );
        let help = "delete in smaller parts, raise the limit, or say --allow-prune-all";
        let problem = Problem::new(at, "prune.limit", words).help(help);
        beyond.extend(services.into_iter().map(|(name, _)| (name.to_owned(), problem.clone())));
    }
    beyond
}

fn rollout_settings(repository: &Repository, options: &DaemonOptions) -> RolloutSettings {
    let settings: &Settings = &repository.settings;
    RolloutSettings {
        timing: settings.timing,
        gloo_namespace: settings.gloo_namespace.clone(),
        edition: settings.edition,
        gateway_api: implementation(repository),
        policy: settings.policy.clone(),
        drift: options.drift,
    }
}

/// The implementation that all HTTPRoutes of services are for; `None` where there is none, or more than one.
fn implementation(repository: &Repository) -> Option<gateway_api::Profile> {
    let services = repository.services.values().filter_map(|service| service.as_ref().ok());
    let apis = services.filter_map(|service| service.routes.gateway.gateway_api());
    let profiles: BTreeSet<&str> = apis.map(|api| api.profile.as_str()).collect();
    let has = |profile: Profile| profiles.contains(profile.as_str());
    match (has(Profile::Kgateway), has(Profile::EnvoyGateway), has(Profile::Portable)) {
        (true, true, _) | (false, false, false) => None,
        (false, true, _) => Some(gateway_api::Profile::EnvoyGateway),
        // Whoever is portable is judged by the stricter one.
        _ => Some(gateway_api::Profile::Portable),
    }
}

/// All problems, one a line.
pub(super) fn joined(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint;
    use crate::shard::Shard;
    use coalmine_core::kind::Kind;
    use coalmine_core::values::Drift;

    fn repository(files: &[(&str, &str)]) -> Repository {
        let files = files.iter().map(|(path, content)| ((*path).into(), (*content).into()));
        Repository::parse(&Tree { revision: "r".into(), files: files.collect() })
    }

    const OPTIONS: DaemonOptions = DaemonOptions {
        drift: Drift::Repair,
        prune_all: false,
        shard: Shard::WHOLE,
        proxy_metrics: Vec::new(),
    };
    const VALUES: &str = "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";

    fn owned(kind: &str, service: &str, kept: bool) -> (ObjectId, Arc<str>, Option<bool>) {
        let api_version =
            Kind::ALL.into_iter().find(|it| it.as_str() == kind).map(Kind::api_version);
        let id = ObjectId::new(api_version.unwrap_or("v1"), kind, Some(service), service);
        (id, service.into(), kept.then_some(true))
    }

    fn orphans(
        files: &[(&str, &str)],
        inventory: &[(ObjectId, Arc<str>, Option<bool>)],
    ) -> anyhow::Result<Vec<String>> {
        orphans_in(&OPTIONS, files, inventory)
    }

    fn orphans_in(
        options: &DaemonOptions,
        files: &[(&str, &str)],
        inventory: &[(ObjectId, Arc<str>, Option<bool>)],
    ) -> anyhow::Result<Vec<String>> {
        let repository = repository(files);
        let mut work = Work::of(&repository, options, "r")?;
        Ok(work.orphans(&repository, inventory, &BTreeMap::new(), options)?.into_iter().collect())
    }

    #[test]
    fn a_service_whose_file_is_gone_is_taken_away_and_the_others_stay() {
        let inventory = [owned("Upstream", "echo", false), owned("Upstream", "foxtrot", false)];
        let gone = orphans(&[("services/echo.yaml", VALUES)], &inventory).expect("accepted");
        assert_eq!(gone, ["foxtrot"]);
    }

    #[test]
    fn a_service_with_a_broken_file_keeps_what_it_has() {
        let files = [("services/echo.yaml", VALUES), ("services/foxtrot.yaml", "deployment: [")];
        let inventory = [owned("Upstream", "foxtrot", false)];
        assert!(orphans(&files, &inventory).expect("accepted").is_empty());
    }

    #[test]
    fn kept_objects_outlive_their_file() {
        let kept = owned("Upstream", "foxtrot", true);
        let gone = orphans(&[("services/echo.yaml", VALUES)], &[kept]).expect("accepted");
        assert!(gone.is_empty());
    }

    #[test]
    fn a_revision_without_services_deletes_nothing() {
        let inventory = [owned("Upstream", "echo", false)];
        let platform =
            [("platform/echo.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: echo}\n")];
        let error = hint::line(&orphans(&platform, &inventory).expect_err("refused"));
        assert!(error.contains("check --path"), "{error}");
        let allowed = DaemonOptions { prune_all: true, ..OPTIONS };
        assert_eq!(orphans_in(&allowed, &platform, &inventory).expect("allowed"), ["echo"]);
    }

    #[test]
    fn more_deletions_than_the_limit_are_refused() {
        let limit = ("coalmine.yaml", "prune: {limit: 1}\n");
        let files = [limit, ("services/echo.yaml", VALUES)];
        let two = [owned("Upstream", "foxtrot", false), owned("Service", "foxtrot", false)];
        let error = orphans(&files, &two).expect_err("refused").to_string();
        assert!(error.contains("would delete 2 objects"), "{error}");
        assert_eq!(orphans(&files, &two[..1]).expect("accepted"), ["foxtrot"]);
    }

    #[test]
    fn a_broken_coalmine_yaml_stops_the_whole_revision() {
        let files = [("coalmine.yaml", "timing: 3\n"), ("services/echo.yaml", VALUES)];
        let error = orphans(&files, &[]).expect_err("refused").to_string();
        assert!(error.contains("coalmine.yaml:1"), "{error}");
    }

    #[test]
    fn one_folder_beyond_the_limit_holds_up_no_other() {
        let settings = "prune: {limit: 2}\nfolders: {\"*\": {namespaces: [\"*\"], apiGroups: [a], paths: [/]}}\n";
        let of_revision =
            |files: &[(&str, &str)]| repository(&[&[("coalmine.yaml", settings)], files].concat());
        let before = of_revision(&[
            ("services/web/echo.yaml", VALUES),
            ("services/web/golf.yaml", VALUES),
            ("services/pay/foxtrot.yaml", VALUES),
            ("services/pay/hotel.yaml", VALUES),
        ]);
        let values = before
            .services
            .iter()
            .map(|(name, service)| (name.to_string(), service.as_ref().expect("valid").clone()));
        let values: BTreeMap<String, Arc<Service>> = values.collect();
        let inventory = [
            owned("Upstream", "echo", false),
            owned("RouteTable", "echo", false),
            owned("Upstream", "golf", false),
            owned("Upstream", "foxtrot", false),
            owned("Upstream", "old", false),
        ];
        let after = of_revision(&[("services/pay/hotel.yaml", VALUES)]);
        let orphans = |values| {
            let mut work = Work::of(&after, &OPTIONS, "r").expect("accepted");
            let gone = work.orphans(&after, &inventory, values, &OPTIONS).expect("accepted");
            let invalid = work.invalid.iter().map(|(name, why)| (name.clone(), joined(why)));
            (gone, invalid.collect::<BTreeMap<String, String>>())
        };
        let (gone, held) = orphans(&values);
        assert_eq!(gone.into_iter().collect::<Vec<_>>(), ["foxtrot", "old"]);
        assert_eq!(held.keys().collect::<Vec<_>>(), ["echo", "golf"]);
        assert_eq!(
            held["echo"],
            "coalmine.yaml:1:16: prune.limit: 3 objects of the folder web would be deleted at once, more than the 2 \
             that are allowed; nothing of them is changed; delete in smaller parts, raise the limit, or say \
             --allow-prune-all"
        );
        // After a restart nobody knows where they were: they count together.
        let (gone, held) = orphans(&BTreeMap::new());
        assert!(gone.is_empty(), "{gone:?}");
        assert!(held["old"].contains("services whose folder is not known any more"), "{held:?}");
    }
}
