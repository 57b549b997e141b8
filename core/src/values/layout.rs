//! Which file of a tree is what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::problem::{Location, Problem};
use crate::reason::Hinted;
use crate::tree::{File, Flaw, Tree};

/// The file with the repository's settings.
pub(super) const SETTINGS_FILE: &str = "coalmine.yaml";
/// The folders that are read.
const FOLDERS: [&str; 2] = ["platform", "services"];

/// The files of a tree by what they are for.
pub(super) struct Layout<'a> {
    /// `coalmine.yaml`.
    pub(super) settings: Option<Entry<'a>>,
    /// What stands below `platform/`, in the order of the paths.
    pub(super) platform: Vec<Entry<'a>>,
    /// What stands below `services/`, by the names that the paths stand for.
    pub(super) services: BTreeMap<&'a str, Vec<Entry<'a>>>,
    /// Folders below `services/` of which not everything was read.
    pub(super) cut: Vec<Entry<'a>>,
    /// What stands where it cannot be meant to.
    pub(super) problems: Vec<Problem>,
}

/// A path that is read.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) path: &'a str,
    /// The file; nothing when a folder stands where a file should.
    pub(super) file: Option<&'a File>,
}

/// The file that describes a service, right or wrong; nothing when there is none, or several.
pub fn service_file<'a>(tree: &'a Tree, service: &str) -> Option<&'a str> {
    match Layout::of(tree).services.get(service)?.as_slice() {
        [Entry { path, file: Some(_) }] => Some(path),
        _ => None,
    }
}

impl<'a> Layout<'a> {
    pub(super) fn of(tree: &'a Tree) -> Self {
        let (mut platform, mut services) = (Vec::new(), BTreeMap::<_, Vec<Entry>>::new());
        let (mut problems, mut cut) = (Vec::new(), Vec::new());
        let mut misspelt = BTreeSet::new();
        for (path, file) in &tree.files {
            let Some((folder, below)) = path.split_once('/') else {
                problems.extend(misplaced(tree, path, file));
                continue;
            };
            let entry = entry(path, below, file);
            if !FOLDERS.contains(&folder) {
                if let (Some(meant), Some(_)) = (meant_folder(folder), &entry)
                    && misspelt.insert(folder)
                {
                    problems.push(misspelt_folder(tree, folder, meant));
                }
                continue;
            }
            let Some((entry, stem)) = entry else {
                // What may be a folder, whose files nobody sees: they are not to be taken for gone.
                let (path, file) = (path.as_str(), Some(file));
                match file.and_then(File::flaw) {
                    Some(_) if folder == "platform" => platform.push(Entry { path, file }),
                    // A folder's own trouble stops no other folder, also where something else stands in its place.
                    Some(_) => cut.push(Entry { path, file }),
                    None => {}
                }
                continue;
            };
            let entries = if folder == "platform" {
                &mut platform
            } else {
                services.entry(stem).or_default()
            };
            // Every file of a folder leads to the folder.
            if entries.last().is_none_or(|last: &Entry| last.path != entry.path) {
                entries.push(entry);
            }
        }
        Self { settings: settings(tree), platform, services, cut, problems }
    }

    /// A problem of the tree as a whole.
    pub(super) fn problem(message: impl Into<String>) -> Problem {
        Problem::new(&Location::start_of(&SETTINGS_FILE.into()), "", message)
    }

    /// The problem of a tree in which nothing is for us.
    pub(super) fn nothing_here() -> Problem {
        Self::problem("neither coalmine.yaml nor platform/ nor services/ is here")
            .help("is the path right? services are files like services/echo.yaml")
    }
}

impl Entry<'_> {
    /// The file's name as problems name it.
    pub(super) fn name(&self) -> Arc<str> {
        self.path.into()
    }

    /// The problem that nothing can be read here.
    pub(super) fn is_flawed(&self, flaw: Flaw) -> Problem {
        let problem = Problem::new(&Location::start_of(&self.name()), "", flaw.to_string());
        match flaw.hint() {
            Some(hint) => problem.help(hint),
            None => problem,
        }
    }

    /// The problem that a folder stands where a file should.
    pub(super) fn is_a_folder(&self) -> Problem {
        Problem::new(&Location::start_of(&self.name()), "", "is a folder, a file is expected")
            .help("rename the folder: a name that ends in `.yaml` is a file's")
    }
}

fn settings(tree: &Tree) -> Option<Entry<'_>> {
    if let Some(file) = tree.files.get(SETTINGS_FILE) {
        return Some(Entry { path: SETTINGS_FILE, file: Some(file) });
    }
    let below = format!("{SETTINGS_FILE}/");
    let next = tree.files.range(below.clone()..).next();
    next.filter(|(path, _)| path.starts_with(&below))
        .map(|_| Entry { path: SETTINGS_FILE, file: None })
}

/// What a path below `platform/` or `services/` is read as, and its name without the ending. A
/// folder called like a file is taken for that file, so that nobody takes its service for gone.
fn entry<'a>(path: &'a str, below: &'a str, file: &'a File) -> Option<(Entry<'a>, &'a str)> {
    let mut end = path.len() - below.len();
    for name in below.split('/') {
        end += name.len();
        if let Some(stem) = stem(name) {
            let file = (end == path.len()).then_some(file);
            return Some((Entry { path: &path[..end], file }, stem));
        }
        end += 1;
    }
    None
}

/// The name of a YAML file without its ending; `None` for other and for hidden files.
fn stem(name: &str) -> Option<&str> {
    let (stem, ending) = name.rsplit_once('.')?;
    let is_yaml = ["yaml", "yml"].iter().any(|yaml| ending.eq_ignore_ascii_case(yaml));
    (is_yaml && !name.starts_with('.')).then_some(stem)
}

/// The folder right below `services/` that a service's file is in; nothing for a file that is in no folder.
pub fn folder_of(file: &str) -> Option<&str> {
    let below = file.strip_prefix("services/")?;
    below.split_once('/').map(|(folder, _)| folder)
}

/// What a path of a revision is to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing that stands here is read, or has to be reported.
    Elsewhere,
    /// `coalmine.yaml` itself or a name that somebody could take for it, and what is below the former.
    Settings,
    /// One of the two folders, or something in them.
    Folder,
    /// A folder that most likely should be one of the two, or something in it.
    Misspelt,
}

impl Place {
    /// What a path is, relative to the folder that is followed.
    pub fn of(path: &str) -> Self {
        let top = path.split('/').next().unwrap_or_default();
        if FOLDERS.contains(&top) {
            Self::Folder
        } else if top == SETTINGS_FILE || is_like_settings(path) {
            Self::Settings
        } else if meant_folder(top).is_some() {
            Self::Misspelt
        } else {
            Self::Elsewhere
        }
    }

    /// Whether a file of this path is read where its place is: YAML that is not hidden, or anything below
    /// a folder that is called like it.
    pub fn is_read(path: &str) -> bool {
        let mut names = path.split('/');
        let top = names.next().unwrap_or_default();
        top == SETTINGS_FILE || is_like_settings(path) || names.any(|name| stem(name).is_some())
    }
}

/// A name at the top that is `coalmine.yaml` or nearly so: in other letters, with the other ending, or with one
/// mistake. Hidden files are other programs'.
fn is_like_settings(path: &str) -> bool {
    // The comparison costs the product of the lengths.
    if path.contains('/') || path.starts_with('.') || path.len() > 64 {
        return false;
    }
    let lowered = path.trim().to_lowercase();
    let is_near = |name: &&str| strsim::damerau_levenshtein(&lowered, name) <= 1;
    [SETTINGS_FILE, "coalmine.yml"].iter().any(is_near)
}

/// The one of the two folders that a folder's name most likely means: in other letters, or with one
/// mistake. Hidden folders are other programs'.
fn meant_folder(name: &str) -> Option<&'static str> {
    // The comparison costs the product of the lengths.
    if name.starts_with('.') || name.len() > 64 {
        return None;
    }
    let lowered = name.trim().to_lowercase();
    let singular = |name: &'_ str| name.trim_end_matches('s').to_owned();
    let is_near = |folder: &&str| {
        strsim::damerau_levenshtein(&lowered, folder) <= 1
            || strsim::damerau_levenshtein(&singular(&lowered), &singular(folder)) <= 1
    };
    FOLDERS.into_iter().filter(|folder| *folder != name).find(is_near)
}

/// The problem of a folder that would silently not be read, and everything that its files say be undone.
fn misspelt_folder(tree: &Tree, path: &str, meant: &str) -> Problem {
    let below = format!("{meant}/");
    let next = tree.files.range(below.clone()..).next();
    let message = format!("is not read, the folder is called `{meant}`");
    let help = match next.is_some_and(|(path, _)| path.starts_with(&below)) {
        true => format!("move its files to {below} or give it a name that is less similar"),
        false => format!("`git mv {path} {meant}` renames it"),
    };
    Problem::new(&Location::start_of(&path.into()), "", message).help(help)
}

/// The problem of something at the root that would silently not be read, and everything it said be
/// undone.
fn misplaced(tree: &Tree, path: &str, file: &File) -> Option<Problem> {
    let entry = Entry { path, file: Some(file) };
    if let Some(flaw) = file.flaw() {
        return match meant_folder(path) {
            _ if FOLDERS.contains(&path) => Some(entry.is_flawed(flaw)),
            // A plain file has no services; a link or a submodule could be the folder.
            Some(meant) if matches!(flaw, Flaw::Symlink | Flaw::Submodule) => {
                Some(misspelt_folder(tree, path, meant))
            }
            _ if is_like_settings(path) && path != SETTINGS_FILE => misnamed(path),
            _ => None,
        };
    }
    misnamed(path)
}

/// The problem of a file at the root whose name is nearly one that is read.
fn misnamed(path: &str) -> Option<Problem> {
    let lowered = path.to_ascii_lowercase();
    let (message, help) = match lowered.as_str() {
        "platform" | "services" if path == lowered => {
            ("is a file, a folder is expected", "move what it says into a file of that folder")
        }
        _ if path != SETTINGS_FILE && is_like_settings(path) => {
            ("would not be read", "rename it to coalmine.yaml")
        }
        _ => return None,
    };
    Some(Problem::new(&Location::start_of(&path.into()), "", message).help(help))
}
