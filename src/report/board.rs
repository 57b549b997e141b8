//! What is known about the source and about every service, as the status endpoint shows it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::Serialize;
use serde_json::{Value, json};

use crate::phase::Phase;
use crate::values::{Binding, HeaderMatch, PLATFORM, Service, ValueMatch, Version};

/// How a service is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum State {
    /// Being brought to its desired state.
    #[default]
    Progressing,
    /// As desired and healthy.
    Ready,
    /// Not as desired, and not on its way there; `reason` says why and what to do. It is tried again.
    Stalled,
    /// Its values file has errors; what the cluster has stays in force.
    Invalid,
}

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    /// The service's name.
    pub service: String,
    /// The namespace of its objects.
    pub namespace: String,
    /// The phase of the values last taken up, for example `CanaryTest`.
    pub phase: String,
    /// How it is doing.
    pub state: State,
    /// What it waits for, or why it is stalled or invalid; empty when it is ready.
    pub reason: String,
    /// The newest commit whose values are fully in force.
    pub revision: Option<String>,
    /// The newest commit that was tried.
    pub attempted_revision: String,
    /// Share of the unmarked requests per version, in percent.
    pub weights: BTreeMap<String, u8>,
    /// Header name to value of the requests that go to the canary.
    pub headers: BTreeMap<String, Value>,
    /// The paths it answers.
    pub paths: Vec<String>,
    /// The domains it owns; empty when a platform VirtualService selects its routes.
    pub domains: Vec<String>,
}

/// The git source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourceReport {
    /// The newest commit that was fetched.
    pub revision: Option<String>,
    /// Why the last fetch failed, or why its commit as a whole was not taken up.
    pub error: Option<String>,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The newest commit that was fetched.
    pub revision: Option<String>,
    /// The git source.
    pub source: SourceReport,
    /// The objects in `platform/`.
    pub platform: Option<ServiceReport>,
    /// Every service, by name.
    pub services: Vec<ServiceReport>,
}

impl ServiceReport {
    /// Takes over what the values say.
    pub fn describe(&mut self, service: &Service) {
        let routes = &service.routes;
        self.namespace = service.namespace.clone();
        self.phase = Phase::of(service).to_string();
        let share = |version: &Version| (version.to_string(), routes.share(version).percent());
        self.weights = service.versions.keys().map(share).collect();
        let headers = routes.canary.iter().flat_map(|canary| &canary.headers);
        self.headers =
            headers.map(|(name, wanted)| (name.clone(), header_in_words(wanted))).collect();
        self.paths = routes.paths.iter().map(|path| path.path.text().to_owned()).collect();
        self.domains = match &routes.binding {
            Binding::Domains(domains) => domains.clone(),
            Binding::ApiGroup(_) => Vec::new(),
        };
    }
}

/// The shared board: reconcilers write to it, the status endpoint reads it.
#[derive(Default)]
pub struct Board {
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    source: SourceReport,
    services: BTreeMap<String, Entry>,
}

#[derive(Default)]
struct Entry {
    report: ServiceReport,
    /// Why the newest values cannot be used. Older ones may still be at work meanwhile.
    invalid: Option<Invalid>,
}

struct Invalid {
    reason: String,
    revision: String,
}

impl Entry {
    fn shown(&self) -> ServiceReport {
        let mut report = self.report.clone();
        if let Some(invalid) = &self.invalid {
            report.state = State::Invalid;
            report.reason = invalid.reason.clone();
            report.attempted_revision = invalid.revision.clone();
        }
        report
    }
}

impl Board {
    /// Records what the source did.
    pub fn source(&self, change: impl FnOnce(&mut SourceReport)) {
        change(&mut self.content().source);
    }

    /// Records something about one service, which is entered if it is new.
    pub fn service(&self, name: &str, change: impl FnOnce(&mut ServiceReport)) {
        change(&mut self.content().entry(name).report);
    }

    /// Records that the service's newest values cannot be used, and why.
    pub fn invalid(&self, name: &str, reason: String, revision: &str) {
        let invalid = Some(Invalid { reason, revision: revision.to_owned() });
        self.content().entry(name).invalid = invalid;
    }

    /// Records that the service's newest values can be used.
    pub fn valid(&self, name: &str) {
        self.content().entry(name).invalid = None;
    }

    /// Strikes out the services that are not to stay.
    pub fn retain(&self, stays: impl Fn(&str) -> bool) {
        self.content().services.retain(|name, _| stays(name));
    }

    /// Strikes out a service that is gone.
    pub fn remove(&self, name: &str) {
        self.content().services.remove(name);
    }

    /// Everything at this moment.
    pub fn summary(&self) -> Summary {
        let content = self.content();
        let (platform, services): (Vec<_>, Vec<_>) =
            content.services.values().map(Entry::shown).partition(|r| r.service == PLATFORM);
        Summary {
            revision: content.source.revision.clone(),
            source: content.source.clone(),
            platform: platform.into_iter().next(),
            services,
        }
    }

    fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Content {
    fn entry(&mut self, name: &str) -> &mut Entry {
        self.services.entry(name.to_owned()).or_insert_with(|| Entry {
            report: ServiceReport { service: name.to_owned(), ..ServiceReport::default() },
            invalid: None,
        })
    }
}

/// A header's condition as the values write it.
fn header_in_words(header: &HeaderMatch) -> Value {
    let mut words = match &header.value {
        ValueMatch::Exact(text) if !header.invert => return text.as_str().into(),
        ValueMatch::Exact(text) => json!({ "value": text }),
        ValueMatch::Regex(regex) => json!({ "regex": regex }),
        ValueMatch::Present => json!({"present": true}),
    };
    if header.invert {
        words["invert"] = true.into();
    }
    words
}
