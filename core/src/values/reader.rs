//! Reads one revision after the other, and each file only when it changed.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use super::held::{Applied, Held};
use super::layout::{Entry, Layout, folder_of};
use super::model::{Service, Settings};
use super::names::ServiceName;
use super::node::Extent;
use super::places::Places;
use super::repository::{Outcome, Repository};
use super::settings::{self, SettingsFile};
use super::{Platform, conflicts, file};
use crate::problem::{Location, Problem, few};
use crate::tree::{File, Identity, Tree};

/// Reads the revisions of a repository and keeps what it has read: the next revision costs as much
/// as it changes, and shares with the last what stayed the same.
#[derive(Debug, Default)]
pub struct Reader {
    settings: SettingsRead,
    platform: PlatformRead,
    /// By path.
    services: BTreeMap<String, ServiceRead>,
    /// What services had in the last revision.
    held: Held,
    /// The names of services by the files of the last revision; `None` before the first.
    files: Option<BTreeMap<String, String>>,
    /// Whether not all of them are known, because a folder was never read as a whole.
    incomplete: bool,
    files_parsed: u64,
}

/// Judges a service by what the settings allow, and enters what they give it. The problems make it an error.
pub(super) type Judge = fn(&Settings, &mut Service, &Places) -> Vec<Problem>;

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

/// What the files of one folder below `services/` hold at most, aliases and defaults in place. Files beyond it are
/// errors, and stop no other folder. The files that are in no folder count for the repository.
const MAX_FOLDER: Extent = Extent { nodes: 250_000, text: 16 << 20 };
/// What a folder may grow by from one revision to the next while all folders together hold too much: a few lines.
const ROOM_FOR_A_CHANGE: Extent = Extent { nodes: 200, text: 8 << 10 };
/// How many services one folder has at most.
const MAX_FOLDER_SERVICES: usize = 1000;
/// How many paths the services of one folder have at most. Each is compared with those of others.
const MAX_FOLDER_PATHS: usize = 5000;

/// What is held of a folder.
#[derive(Default)]
struct Usage {
    extent: Extent,
    services: usize,
    paths: usize,
    /// What is too much, once something is.
    excess: Option<String>,
}

impl Usage {
    /// Adds a file, if there is room for it.
    fn add(&mut self, read: &ServiceRead) -> Result<(), String> {
        let Extent { nodes, text } = MAX_FOLDER;
        let mut extent = self.extent;
        extent += read.extent;
        let paths = read.outcome.as_ref().map_or(0, |service| service.routes.paths.len());
        if extent.exceeds(MAX_FOLDER) {
            return Err(format!(
                "more than {nodes} values or {text} bytes of text, aliases and defaults in place"
            ));
        }
        if self.services == MAX_FOLDER_SERVICES {
            return Err(format!("more than {MAX_FOLDER_SERVICES} services"));
        }
        if self.paths + paths > MAX_FOLDER_PATHS {
            return Err(format!("more than {MAX_FOLDER_PATHS} paths"));
        }
        (self.extent, self.services, self.paths) = (extent, self.services + 1, self.paths + paths);
        Ok(())
    }
}

/// What all folders hold together, and what each of them may hold when that is too much.
struct Shares {
    total: Extent,
    /// The same for each folder.
    share: Extent,
    /// What each folder held in the last revision: it keeps that much.
    before: BTreeMap<String, Extent>,
}

impl Shares {
    fn of(before: &BTreeMap<String, ServiceRead>) -> Self {
        let mut held: BTreeMap<String, Extent> = BTreeMap::new();
        for (path, read) in before.iter().filter(|(_, read)| read.outcome.is_ok()) {
            let Some(folder) = folder_of(path) else { continue };
            *held.entry(folder.to_owned()).or_default() += read.extent;
        }
        Self { total: Extent::default(), share: MAX_TOTAL, before: held }
    }

    /// Divides what there is among these folders.
    fn among<'a>(&mut self, folders: impl Iterator<Item = &'a str>) {
        let folders: BTreeSet<&str> = folders.collect();
        let count = folders.len().max(1);
        self.share = Extent { nodes: MAX_TOTAL.nodes / count, text: MAX_TOTAL.text / count };
    }

    /// Adds a file of a folder that holds this much so far.
    fn add(&mut self, folder: &str, held: Extent, read: &ServiceRead) -> Result<(), String> {
        let (mut total, mut own) = (self.total, held);
        total += read.extent;
        own += read.extent;
        let mut before = self.before.get(folder).copied().unwrap_or_default();
        before += ROOM_FOR_A_CHANGE;
        if total.exceeds(MAX_TOTAL) && own.exceeds(self.share) && own.exceeds(before) {
            let Extent { nodes, text } = self.share;
            return Err(format!(
                "more than their part of what all folders may hold, which is {nodes} values or {text} bytes of text, \
                 aliases and defaults in place"
            ));
        }
        self.total = total;
        Ok(())
    }
}

impl Reader {
    /// What a revision asks for, each service judged. It never fails: what is wrong is in the result.
    ///
    /// A service that is equal to what it was in the last revision is the very same [`Arc`], and so
    /// is the platform.
    pub(crate) fn read_judged(&mut self, tree: &Tree, judge: Judge) -> Repository {
        let mut layout = Layout::of(tree);
        self.read_settings(layout.settings);
        self.read_platform(&layout.platform);
        let mut problems = self.settings.problems.clone();
        problems.append(&mut layout.problems);
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
            resembled: self.resembled(&layout),
            incomplete: false,
            problems: few(problems),
        };
        self.count_files(&layout, &mut repository);
        // Services are not read over unknown defaults: what is missing in them may stand there.
        if self.settings.file.is_some() {
            repository.services = self.read_services(&layout.services, tree, judge);
            for entry in &layout.cut {
                if let Some(flaw) = entry.file.and_then(File::flaw) {
                    let name = ServiceName::unchecked(entry.path);
                    repository.services.insert(name, Err(vec![entry.is_flawed(flaw)]));
                }
            }
            // What is gone from the repository is nobody's.
            self.held.applied.retain(|name| repository.keeps(name));
            conflicts::refuse(&mut repository.services, tree, &self.held);
        }
        if self.total().exceeds(MAX_TOTAL) {
            repository.problems.push(too_much());
        }
        if repository.problems.is_empty() {
            let good = repository.services.values().filter_map(|outcome| outcome.as_ref().ok());
            let named = |name: &str| repository.keeps(name);
            self.held.take(good, named, tree);
        }
        repository
    }

    /// Takes what services have in the cluster for theirs, as if it had been read: for a reader that has read no
    /// revision yet.
    pub fn remember(&mut self, applied: Applied) {
        self.held.applied = applied;
    }

    /// Says where the commits that the next revision brings moved files to, by the paths that they had: a service goes with
    /// its file, whatever other files of its name come beside it.
    pub fn moved(&mut self, moves: BTreeMap<String, String>) {
        self.held.moves = moves;
    }

    /// How many files were parsed since the reader was made: what did not change is not parsed.
    pub fn files_parsed(&self) -> u64 {
        self.files_parsed
    }

    /// The services that files with impossible names most likely mean. A file of one folder means none that another
    /// folder had: its removal is that folder's own affair.
    fn resembled(&self, layout: &Layout<'_>) -> BTreeSet<String> {
        let mut resembled = BTreeSet::new();
        for (stem, entries) in &layout.services {
            let Some(meant) = ServiceName::resembled(stem) else { continue };
            let before = self.files.iter().flatten().filter(|(_, stem)| **stem == meant);
            let before: BTreeSet<Option<&str>> = before.map(|(path, _)| folder_of(path)).collect();
            let is_near = |entry: &Entry<'_>| before.contains(&folder_of(entry.path));
            let is_free = |entry: &Entry<'_>| before.is_empty() && folder_of(entry.path).is_none();
            let nothing_is_known = self.files.is_none();
            if nothing_is_known || entries.iter().any(|entry| is_near(entry) || is_free(entry)) {
                resembled.insert(meant);
            }
        }
        resembled
    }

    /// Keeps what stood in folders of which not everything is read any more: it is not to be taken for gone.
    fn count_files(&mut self, layout: &Layout<'_>, repository: &mut Repository) {
        let entries = layout.services.iter();
        let entries = entries.flat_map(|(stem, entries)| entries.iter().map(move |it| (it, *stem)));
        let meant = |stem: &str| {
            let meant = ServiceName::resembled(stem);
            let meant = meant.filter(|meant| repository.resembled.contains(meant));
            meant.unwrap_or_else(|| stem.to_owned())
        };
        let mut files: BTreeMap<String, String> =
            entries.map(|(entry, stem)| (entry.path.to_owned(), meant(stem))).collect();
        let folder = |entry: &Entry<'_>| {
            let (_, name) = entry.path.split_once('/').unwrap_or_default();
            folder_of(entry.path).unwrap_or(name).to_owned()
        };
        let cut: BTreeSet<String> = layout.cut.iter().map(folder).collect();
        self.incomplete = !cut.is_empty() && (self.incomplete || self.files.is_none());
        repository.incomplete = self.incomplete;
        for (path, stem) in self.files.take().into_iter().flatten() {
            if folder_of(&path).is_some_and(|folder| cut.contains(folder)) {
                repository.resembled.insert(stem.clone());
                files.insert(path, stem);
            }
        }
        self.files = Some(files);
    }

    /// What is held of the last revision, aliases and defaults in place.
    fn total(&self) -> Extent {
        let mut total = self.platform.extent;
        let services = self.services.iter().filter(|(path, _)| folder_of(path).is_none());
        services.for_each(|(_, service)| total += service.extent);
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
        tree: &Tree,
        judge: Judge,
    ) -> BTreeMap<ServiceName, Outcome> {
        let mut before = mem::take(&mut self.services);
        let mut services = BTreeMap::new();
        let mut total = self.platform.extent;
        let mut folders: BTreeMap<&str, Usage> = BTreeMap::new();
        let mut shares = Shares::of(&before);
        let mut named = Vec::new();
        for (stem, entries) in entries {
            // A name that no service can have must not be taken for somebody else's.
            let name =
                ServiceName::new(stem).unwrap_or_else(|_| ServiceName::unchecked(entries[0].path));
            let holder = entries.iter().find(|entry| self.held.of(entry.path).is_some());
            let holder = holder.or_else(|| self.moved_file(stem, entries, tree));
            let holder = holder.or_else(|| self.applied_file(stem, entries, judge));
            match (entries.as_slice(), holder) {
                ([entry], _) => named.push((name, *stem, *entry)),
                (entries, Some(holder)) => {
                    for entry in entries.iter().filter(|entry| entry.path != holder.path) {
                        let problem = file::takes_name(stem, entry, holder.path);
                        services.insert(ServiceName::unchecked(entry.path), Err(vec![problem]));
                    }
                    named.push((name, *stem, *holder));
                }
                (entries, None) => {
                    services.insert(name, Err(few(file::shared_name(stem, entries))));
                }
            }
        }
        // What stayed as it was comes before what is new: it keeps its room in the folder.
        let is_new = |(_, _, entry): &(ServiceName, &str, Entry<'_>)| {
            let (file, read) = (entry.file, before.get(entry.path));
            !file
                .zip(read)
                .is_some_and(|(file, read)| read.content == file.identity() && read.outcome.is_ok())
        };
        named.sort_by_cached_key(is_new);
        shares.among(named.iter().filter_map(|(_, _, entry)| folder_of(entry.path)));
        for (name, stem, entry) in named {
            // The revision is not accepted then: see `too_much`.
            if total.exceeds(MAX_TOTAL) {
                services.insert(name, Err(Vec::new()));
                continue;
            }
            let Some(folder) = folder_of(entry.path) else {
                let outcome = self.read_service(stem, &entry, before.remove(entry.path), judge);
                total += self.services.get(entry.path).map_or(Extent::default(), |it| it.extent);
                services.insert(name, outcome);
                continue;
            };
            let usage = folders.entry(folder).or_default();
            let mut outcome = match &usage.excess {
                Some(excess) => Err(vec![folder_is_full(&entry, excess)]),
                None => self.read_service(stem, &entry, before.remove(entry.path), judge),
            };
            if let Some(read) = self.services.get(entry.path)
                && let Err(excess) =
                    shares.add(folder, usage.extent, read).and_then(|()| usage.add(read))
            {
                outcome = Err(vec![folder_is_full(&entry, &excess)]);
                // Whatever comes after it is not even parsed.
                usage.excess = Some(excess);
                self.services.remove(entry.path);
            }
            services.insert(name, outcome);
        }
        services
    }

    /// The one of several files of a name that the service's file was moved to.
    fn moved_file<'a, 'b>(
        &self,
        stem: &str,
        entries: &'b [Entry<'a>],
        tree: &Tree,
    ) -> Option<&'b Entry<'a>> {
        if entries.len() == 1 {
            return None;
        }
        let files: Vec<&str> = entries.iter().map(|entry| entry.path).collect();
        let file = self.held.moved_to(stem, &files, tree)?;
        entries.iter().find(|entry| entry.path == file)
    }

    /// The one of several files of a name that means the service in the cluster, by its namespace.
    fn applied_file<'a, 'b>(
        &mut self,
        stem: &str,
        entries: &'b [Entry<'a>],
        judge: Judge,
    ) -> Option<&'b Entry<'a>> {
        if entries.len() == 1 {
            return None;
        }
        let mut fitting = Vec::new();
        for entry in entries {
            // Nothing in the cluster tells anything about the name.
            self.held.applied.is_in(stem, "")?;
            if let Ok(service) = self.read_service(stem, entry, None, judge)
                && self.held.applied.is_in(stem, &service.namespace) == Some(true)
            {
                fitting.push(entry);
            }
        }
        if let [only] = fitting.as_slice() { Some(only) } else { None }
    }

    fn read_service(
        &mut self,
        stem: &str,
        entry: &Entry<'_>,
        before: Option<ServiceRead>,
        judge: Judge,
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
                let read = read.and_then(|(mut service, places)| {
                    let settings = self.settings.file.as_ref().map(|file| &file.settings);
                    let problems = settings.map(|settings| judge(settings, &mut service, &places));
                    match problems.unwrap_or_default() {
                        problems if problems.is_empty() => Ok(service),
                        problems => Err(problems),
                    }
                });
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

/// The problem of a file for which its folder has no room.
fn folder_is_full(entry: &Entry<'_>, excess: &str) -> Problem {
    let folder = folder_of(entry.path).unwrap_or_default();
    let message = format!("the services of the folder {folder} hold {excess}");
    Problem::new(&Location::start_of(&entry.name()), "", message)
        .help("files of the folder that did not change stay valid: make this one shorter, or remove others")
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
