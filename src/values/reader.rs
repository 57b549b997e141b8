//! Reads one revision after the other, and each file only when it changed.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use super::layout::{Entry, Layout};
use super::names::ServiceName;
use super::repository::{Outcome, Repository};
use super::settings::{self, SettingsFile};
use super::{Platform, conflicts, file};
use crate::problem::Problem;
use crate::source::{Identity, Tree};

/// Reads the revisions of a repository and keeps what it has read: the next revision costs as much
/// as it changes, and shares with the last what stayed the same.
#[derive(Debug, Default)]
pub struct Reader {
    settings: SettingsRead,
    platform: PlatformRead,
    /// By path.
    services: BTreeMap<String, ServiceRead>,
    files_parsed: u64,
}

/// `coalmine.yaml` as it was read; its identity is absent when the file is.
#[derive(Debug)]
struct SettingsRead {
    content: Option<Identity>,
    /// Absent when the services' defaults could not be read.
    file: Option<SettingsFile>,
    problems: Vec<Problem>,
}

/// All of `platform/` as it was read.
#[derive(Debug, Default)]
struct PlatformRead {
    contents: Vec<(String, Option<Identity>)>,
    platform: Arc<Platform>,
}

/// A service's file as it was read over some defaults, before it is compared with other services.
#[derive(Debug)]
struct ServiceRead {
    content: Identity,
    settings: Option<Identity>,
    outcome: Outcome,
}

impl Default for SettingsRead {
    fn default() -> Self {
        Self { content: None, file: Some(SettingsFile::default()), problems: Vec::new() }
    }
}

impl Reader {
    /// What a revision asks for. It never fails: what is wrong is in the result.
    ///
    /// A service that is equal to what it was in the last revision is the very same [`Arc`], and so
    /// is the platform.
    pub fn read(&mut self, tree: &Tree) -> Repository {
        let layout = Layout::of(tree);
        self.read_settings(layout.settings);
        self.read_platform(&layout.platform);
        let mut problems = self.settings.problems.clone();
        problems.extend(layout.problems);
        let platform = self.platform.platform.clone();
        if layout.services.is_empty()
            && *platform == Platform::default()
            && layout.settings.is_none()
        {
            problems.push(Layout::nothing_here());
        }
        let settings = self.settings.file.as_ref();
        let settings = settings.map(|file| file.settings.clone()).unwrap_or_default();
        let mut repository = Repository {
            settings,
            platform,
            services: BTreeMap::new(),
            resembled: layout
                .services
                .keys()
                .filter_map(|stem| ServiceName::resembled(stem))
                .collect(),
            problems: few(problems),
        };
        // Services are not read over unknown defaults: what is missing in them may stand there.
        if self.settings.file.is_some() {
            repository.services = self.read_services(&layout.services);
            conflicts::refuse(&mut repository.services, tree);
        }
        repository
    }

    /// How many files were parsed since the reader was made: what did not change is not parsed.
    pub fn files_parsed(&self) -> u64 {
        self.files_parsed
    }

    fn read_settings(&mut self, entry: Option<Entry<'_>>) {
        let Some(entry) = entry else {
            self.settings = SettingsRead::default();
            return;
        };
        let Some(file) = entry.file else {
            let problems = vec![entry.is_a_folder()];
            self.settings = SettingsRead { content: None, file: None, problems };
            return;
        };
        if self.settings.content == Some(file.identity()) {
            return;
        }
        self.files_parsed += 1;
        let mut problems = Vec::new();
        let read = settings::read(&entry.name(), file.content(), &mut problems);
        self.settings = SettingsRead { content: Some(file.identity()), file: read, problems };
    }

    fn read_platform(&mut self, entries: &[Entry<'_>]) {
        let contents: Vec<_> = entries
            .iter()
            .map(|entry| (entry.path.to_owned(), entry.file.map(|file| file.identity())))
            .collect();
        if self.platform.contents == contents {
            return;
        }
        let (mut platform, mut seen) = (Platform::default(), BTreeMap::new());
        for entry in entries {
            match entry.file {
                Some(file) => {
                    self.files_parsed += 1;
                    platform.read(&entry.name(), file.content(), &mut seen);
                }
                None => platform.problems.push(entry.is_a_folder()),
            }
        }
        platform.problems = few(platform.problems);
        self.platform = PlatformRead { contents, platform: Arc::new(platform) };
    }

    fn read_services(
        &mut self,
        entries: &BTreeMap<&str, Vec<Entry<'_>>>,
    ) -> BTreeMap<ServiceName, Outcome> {
        let mut before = mem::take(&mut self.services);
        let mut services = BTreeMap::new();
        for (stem, entries) in entries {
            // A name that no service can have must not be taken for somebody else's.
            let name =
                ServiceName::new(stem).unwrap_or_else(|_| ServiceName::unchecked(entries[0].path));
            let outcome = match entries.as_slice() {
                [entry] => {
                    let before = before.remove(entry.path);
                    self.read_service(stem, entry, before)
                }
                entries => Err(file::shared_name(stem, entries)),
            };
            services.insert(name, outcome);
        }
        services
    }

    fn read_service(
        &mut self,
        stem: &str,
        entry: &Entry<'_>,
        before: Option<ServiceRead>,
    ) -> Outcome {
        let Some(file) = entry.file else { return Err(vec![entry.is_a_folder()]) };
        let (content, settings) = (file.identity(), self.settings.content);
        let read = match before {
            Some(read) if read.content == content && read.settings == settings => read,
            before => {
                self.files_parsed += 1;
                let defaults = self.settings.file.as_ref().and_then(|file| file.defaults.as_ref());
                let read = file::read(stem, &entry.name(), file.content(), defaults);
                // What is wrong with the defaults themselves is reported once, for the repository.
                let known = &self.settings.problems;
                let is_new = |problem: &Problem| !known.iter().any(|known| known.at == problem.at);
                let outcome = match (read, before.map(|before| before.outcome)) {
                    (Ok(service), Some(Ok(before))) if service == *before => Ok(before),
                    (Ok(service), _) => Ok(Arc::new(service)),
                    (Err(found), _) => Err(few(found.into_iter().filter(is_new).collect())),
                };
                ServiceRead { content, settings, outcome }
            }
        };
        let outcome = read.outcome.clone();
        self.services.insert(entry.path.to_owned(), read);
        outcome
    }
}

/// No more problems than somebody reads at once.
fn few(mut problems: Vec<Problem>) -> Vec<Problem> {
    const MOST: usize = 50;
    let more = problems.len().saturating_sub(MOST);
    if more > 0 {
        problems.truncate(MOST);
        let message = format!("and {more} more problems");
        let last = Problem::new(&problems[MOST - 1].at, "", message);
        problems.push(last.help("mend those before first"));
    }
    problems
}
