//! The repository: what is wanted of each service, as the files that say so.

use std::collections::BTreeMap;
use std::sync::Arc;

use coalmine_core::tree::Tree;
use coalmine_core::values::{self, Service};

/// The services that there may be; each lives in the namespace of its name.
pub(crate) const SERVICES: [&str; 3] = ["echo", "foxtrot", "golf"];
/// The versions that a service may have.
pub(crate) const VERSIONS: [&str; 3] = ["v1", "v2", "v3"];
/// How the paths begin that everybody may claim, and only one may have.
pub(crate) const COMMON: &str = "/common/";

/// What one service's file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values {
    /// By version; `None` for one that is not deployed.
    pub(crate) versions: [Option<Workload>; 3],
    /// An index of a version that is there.
    pub(crate) primary: usize,
    pub(crate) canary: Option<Canary>,
    /// An Upstream per version.
    pub(crate) split: bool,
    /// `fallback: none`.
    pub(crate) strict: bool,
    pub(crate) keep: bool,
    pub(crate) adopt: bool,
    /// Whether it also claims [`COMMON`], as others may: each in words of its own, so that nothing but
    /// the preflight sees that they mean the same requests.
    pub(crate) common: bool,
}

/// Who runs a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// We, with so many pods.
    Ours(Option<u8>),
    /// Somebody else, as pods; only v3.
    Pods,
    /// Somebody else, as an Upstream; only v3, and only where each version has an Upstream.
    Upstream,
}

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Canary {
    pub(crate) version: usize,
    pub(crate) weight: u8,
    pub(crate) by_header: bool,
}

/// What the newest commit wants.
#[derive(Default)]
pub(crate) struct Repository {
    files: BTreeMap<&'static str, Values>,
    before: BTreeMap<&'static str, Option<Values>>,
    /// The services as they were read, each with the number of the commit that changed it last.
    pub(crate) services: BTreeMap<String, (u64, Option<Arc<Service>>)>,
    pub(crate) revision: u64,
}

impl Repository {
    /// A commit that changes one service's file, or takes it away.
    pub(crate) fn commit(&mut self, service: &'static str, values: Option<Values>) {
        let before = match values {
            Some(values) => self.files.insert(service, values),
            None => self.files.remove(service),
        };
        self.before.insert(service, before);
        self.revision += 1;
        let files = self.files.iter().map(|(service, values)| {
            (format!("services/{service}.yaml"), values.file(service).as_str().into())
        });
        let tree = Tree { revision: self.revision.to_string(), files: files.collect() };
        let read = values::Repository::parse(&tree);
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        let wanted = read.services.iter().find(|(name, _)| name.as_str() == service);
        let wanted = wanted.map(|(_, read)| match read {
            Ok(read) => read.clone(),
            Err(problems) => panic!("the values of {service} are wrong: {problems:?}"),
        });
        self.services.insert(service.into(), (self.revision, wanted));
    }

    /// A commit that takes the last one about this service back.
    pub(crate) fn revert(&mut self, service: &'static str) {
        if let Some(before) = self.before.get(service).cloned() {
            self.commit(service, before);
        }
    }

    pub(crate) fn values(&self, service: &str) -> Option<&Values> {
        self.files.get(service)
    }
}

impl Values {
    /// As the team writes it.
    pub(crate) fn file(&self, service: &str) -> String {
        let mut versions = Vec::new();
        for (name, workload) in VERSIONS.iter().zip(&self.versions) {
            match workload {
                None => {}
                Some(Workload::Ours(None)) => versions.push(format!("{name}: {{}}")),
                Some(Workload::Ours(Some(n))) => {
                    versions.push(format!("{name}: {{replicas: {n}}}"))
                }
                Some(Workload::Pods) => versions.push(format!("{name}: {{external: true}}")),
                Some(Workload::Upstream) => {
                    versions.push(format!("{name}: {{external: {{upstream: {{name: legacy}}}}}}"));
                }
            }
        }
        let mut routes = vec![
            "apiGroup: example".to_owned(),
            format!("primary: {{version: {}}}", VERSIONS[self.primary]),
        ];
        if let Some(Canary { version, weight, by_header }) = self.canary {
            let headers = if by_header { ", headers: {stage: canary}" } else { "" };
            let version = VERSIONS[version];
            routes.push(format!("canary: {{version: {version}, weight: {weight}{headers}}}"));
        }
        if self.common {
            // An exact path takes the very request that a prefix is about, and each has one for a prefix
            // of each other, so whoever comes later does harm.
            let others = SERVICES.iter().filter(|other| **other != service);
            let claims = others.map(|other| {
                format!(
                    "{{prefix: {COMMON}{service}-{other}}}, {{exact: {COMMON}{other}-{service}}}"
                )
            });
            let claims = claims.collect::<Vec<_>>().join(", ");
            routes.push(format!("paths: [{{prefix: /{service}}}, {claims}]"));
        }
        if self.split {
            routes.push("split: upstream".into());
        } else if self.strict {
            routes.push("fallback: none".into());
        }
        let (versions, routes) = (versions.join(", "), routes.join(", "));
        let (keep, adopt) = (self.keep, self.adopt);
        format!("deployment: {{{versions}}}\nroutes: {{{routes}}}\nkeep: {keep}\nadopt: {adopt}\n")
    }

    /// The versions that are routed, with their share.
    pub(crate) fn shares(&self) -> Vec<(&'static str, u8)> {
        match self.canary {
            None => vec![(VERSIONS[self.primary], 100)],
            Some(Canary { version, weight, .. }) => {
                vec![(VERSIONS[self.primary], 100 - weight), (VERSIONS[version], weight)]
            }
        }
    }
}
