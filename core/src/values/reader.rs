//! Reads one revision after the other, and each file only when it changed.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use super::layout::{Entry, Layout};
use super::names::ServiceName;
use super::node::Extent;
use super::repository::{Outcome, Repository};
use super::settings::{self, SettingsFile};
use super::{Platform, conflicts, file};
use crate::problem::{Problem, few};
use crate::tree::{Identity, Tree};

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
    /// The lines and columns of all its problems.
    known: BTreeSet<(usize, usize)>,
}

/// All of `platform/` as it was read.
#[derive(Debug, Default)]
struct PlatformRead {
    contents: Vec<(String, Option<Identity>)>,
    extent: Extent,
    platform: Arc<Platform>,
}

/// A service's file as it was read over some defaults, before it is compared with other services.
#[derive(Debug)]
struct ServiceRead {
    content: Identity,
    settings: Option<Identity>,
    /// How much it holds with the defaults.
    extent: Extent,
    outcome: Outcome,
}

/// What a repository holds at most, aliases and defaults in place: its files can name much more than
/// they hold, and all of it is kept in memory.
const MAX_TOTAL: Extent = Extent { nodes: 1_000_000, text: 64 << 20 };

impl SettingsRead {
    fn new(content: Option<Identity>, file: Option<SettingsFile>, problems: Vec<Problem>) -> Self {
        let known = problems.iter().map(place).collect();
        Self { content, file, problems: few(problems), known }
    }
}

impl Default for SettingsRead {
    fn default() -> Self {
        Self::new(None, Some(SettingsFile::default()), Vec::new())
    }
}

impl Repository {
    /// Reads the files of one revision. It never fails: what is wrong is in the result. Who reads
    /// several revisions uses a [`Reader`].
    pub fn parse(tree: &Tree) -> Self {
        Reader::default().read(tree)
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
        let settings = self.settings.file.as_ref();
        let settings = settings.map(|file| file.settings.clone()).unwrap_or_default();
        if self.platform.platform.prune_kinds != settings.prune_kinds {
            Arc::make_mut(&mut self.platform.platform).prune_kinds = settings.prune_kinds.clone();
        }
        let platform = self.platform.platform.clone();
        // Otherwise it is known why nothing is here.
        if problems.is_empty()
            && layout.services.is_empty()
            && *platform == Platform::default()
            && layout.settings.is_none()
        {
            problems.push(Layout::nothing_here());
        }
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
        if self.total().exceeds(MAX_TOTAL) {
            repository.problems.push(too_much());
        }
        repository
    }

    /// How many files were parsed since the reader was made: what did not change is not parsed.
    pub fn files_parsed(&self) -> u64 {
        self.files_parsed
    }

    /// What is held of the last revision, aliases and defaults in place.
    fn total(&self) -> Extent {
        let mut total = self.platform.extent;
        self.services.values().for_each(|service| total += service.extent);
        total
    }

    fn read_settings(&mut self, entry: Option<Entry<'_>>) {
        let Some(entry) = entry else {
            self.settings = SettingsRead::default();
            return;
        };
        let Some(file) = entry.file else {
            self.settings = SettingsRead::new(None, None, vec![entry.is_a_folder()]);
            return;
        };
        if self.settings.content == Some(file.identity()) {
            return;
        }
        if let Some(flaw) = file.flaw() {
            self.settings = SettingsRead::new(None, None, vec![entry.is_flawed(flaw)]);
            return;
        }
        self.files_parsed += 1;
        let mut problems = Vec::new();
        let read = settings::read(&entry.name(), file.content(), &mut problems);
        self.settings = SettingsRead::new(Some(file.identity()), read, problems);
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
        let mut extent = Extent::default();
        for entry in entries {
            let Some(file) = entry.file else {
                platform.problems.push(entry.is_a_folder());
                continue;
            };
            match file.flaw() {
                Some(flaw) => platform.problems.push(entry.is_flawed(flaw)),
                None if extent.exceeds(MAX_TOTAL) => {}
                None => {
                    self.files_parsed += 1;
                    platform.read(&entry.name(), file.content(), &mut seen, &mut extent);
                }
            }
        }
        platform.problems = few(platform.problems);
        self.platform = PlatformRead { contents, extent, platform: Arc::new(platform) };
    }

    fn read_services(
        &mut self,
        entries: &BTreeMap<&str, Vec<Entry<'_>>>,
    ) -> BTreeMap<ServiceName, Outcome> {
        let mut before = mem::take(&mut self.services);
        let mut services = BTreeMap::new();
        let mut total = self.platform.extent;
        for (stem, entries) in entries {
            // A name that no service can have must not be taken for somebody else's.
            let name =
                ServiceName::new(stem).unwrap_or_else(|_| ServiceName::unchecked(entries[0].path));
            let outcome = match entries.as_slice() {
                // The revision is not accepted then: see `too_much`.
                [_] if total.exceeds(MAX_TOTAL) => Err(Vec::new()),
                [entry] => {
                    let before = before.remove(entry.path);
                    let outcome = self.read_service(stem, entry, before);
                    total +=
                        self.services.get(entry.path).map_or(Extent::default(), |it| it.extent);
                    outcome
                }
                entries => Err(few(file::shared_name(stem, entries))),
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
        if let Some(flaw) = file.flaw() {
            return Err(vec![entry.is_flawed(flaw)]);
        }
        let (content, settings) = (file.identity(), self.settings.content);
        let read = match before {
            Some(read) if read.content == content && read.settings == settings => read,
            before => {
                self.files_parsed += 1;
                let defaults = self.settings.file.as_ref().and_then(|file| file.defaults.as_ref());
                let mut extent = Extent::default();
                let read = file::read(stem, &entry.name(), file.content(), defaults, &mut extent);
                // What is wrong with the defaults themselves is reported once, for the repository.
                let known = &self.settings.known;
                let is_new = |problem: &Problem| {
                    &*problem.at.file == entry.path || !known.contains(&place(problem))
                };
                let outcome = match (read, before.map(|before| before.outcome)) {
                    (Ok(service), Some(Ok(before))) if service == *before => Ok(before),
                    (Ok(service), _) => Ok(Arc::new(service)),
                    (Err(found), _) => Err(few(found.into_iter().filter(is_new).collect())),
                };
                ServiceRead { content, settings, extent, outcome }
            }
        };
        let outcome = read.outcome.clone();
        self.services.insert(entry.path.to_owned(), read);
        outcome
    }
}

fn place(problem: &Problem) -> (usize, usize) {
    (problem.at.line, problem.at.column)
}

/// Nothing of such a revision is accepted: what was not read would count as changed.
fn too_much() -> Problem {
    let Extent { nodes, text } = MAX_TOTAL;
    let message = format!(
        "the repository holds more than {nodes} values or {text} bytes of text, aliases and defaults \
         in place"
    );
    Layout::problem(message).help("narrow --path, or give parts of it to a daemon of their own")
}
