//! Which file of a tree is what.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::problem::{Location, Problem};
use crate::tree::{File, Tree};

/// The file with the repository's settings.
const SETTINGS_FILE: &str = "coalmine.yaml";

/// The files of a tree by what they are for.
pub(super) struct Layout<'a> {
    /// `coalmine.yaml`.
    pub(super) settings: Option<Entry<'a>>,
    /// What stands below `platform/`, in the order of the paths.
    pub(super) platform: Vec<Entry<'a>>,
    /// What stands below `services/`, by the names that the paths stand for.
    pub(super) services: BTreeMap<&'a str, Vec<Entry<'a>>>,
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
        let mut problems = Vec::new();
        for (path, file) in &tree.files {
            let Some((folder, below)) = path.split_once('/') else {
                problems.extend(misplaced(path));
                continue;
            };
            if !["platform", "services"].contains(&folder) {
                continue;
            }
            let Some((entry, stem)) = entry(path, below, file) else { continue };
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
        Self { settings: settings(tree), platform, services, problems }
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

/// The problem of a file that would silently not be read, and everything it said be undone.
fn misplaced(path: &str) -> Option<Problem> {
    let lowered = path.to_ascii_lowercase();
    let (message, help) = match lowered.as_str() {
        "platform" | "services" if path == lowered => {
            ("is a file, a folder is expected", "move what it says into a file of that folder")
        }
        "coalmine.yaml" | "coalmine.yml" if path != SETTINGS_FILE => {
            ("would not be read", "rename it to coalmine.yaml")
        }
        _ => return None,
    };
    Some(Problem::new(&Location::start_of(&path.into()), "", message).help(help))
}
