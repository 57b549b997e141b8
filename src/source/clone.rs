//! The bare clone on disk and its one fetch. Runs in the child: every call here may block for ever.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use git2::Repository;
use jiff::Timestamp;

use super::ancestry::open;
use super::blobs;
use super::config::CLONE;
use super::contact::{Contact, DEPTHS};
use super::error::SourceError;
use super::location::is_local;
use super::memory::is_lack_of_disk;
use super::policy::Fetched;
use super::request::{Failure, Request};
use super::revision::Revision;
use coalmine_core::tree::Tree;

/// Where a clone grows before it takes the damaged one's place.
const GROWING: &str = "clone.new";
/// libgit2 does not repack: a clone of this many packs is made anew.
const MOST_PACKS: usize = 500;

/// A file of a clone that lacks the history before a commit, because that needs more memory than there is. It holds the
/// commit's id.
pub(super) const CUT: &str = "coalmine-cut";

/// Where git writes down at which commits the history of a clone ends.
pub(super) const SHALLOW: &str = "shallow";

/// The name under which the commit accepted last moves from a clone to the one that replaces it.
const ACCEPTED: &str = "refs/coalmine/accepted";

/// Fetches the branch and returns its newest commit if the policy allows it.
pub(super) fn fetch(request: &Request) -> Result<Revision, SourceError> {
    let directory = &request.directory;
    let disk = |error: std::io::Error| disk(directory, &error);
    fs::create_dir_all(directory).map_err(disk)?;
    let lock = File::create(directory.join("lock")).map_err(disk)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(SourceError::Busy { directory: directory.clone() });
        }
        Err(TryLockError::Error(error)) => return Err(disk(error)),
    }
    let tidied = |result: Result<Revision, SourceError>| {
        result.inspect_err(|_| {
            // What was not finished takes the room that the next try needs.
            let _ = remove(&directory.join(GROWING));
            let _ = packs(&directory.join(CLONE));
        })
    };
    let revision = tidied(up_to_date(request))?;
    let judgement = judged(request, &revision);
    let lack = match &judgement {
        Err(SourceError::Damaged { detail, .. }) => request.lack(detail),
        _ => None,
    };
    // A commit can be larger than memory, too.
    if let Some(lack @ SourceError::Memory { .. }) = lack {
        let revision = tidied(anew(request, Some(lack)))?;
        return judged(request, &revision).map(|()| revision);
    }
    judgement.map(|()| revision)
}

/// Whether the policy allows what was fetched.
fn judged(request: &Request, revision: &Revision) -> Result<(), SourceError> {
    let clone = request.directory.join(CLONE);
    let repository = open(&clone).map_err(|error| damaged(&clone, &error))?;
    let cut = fs::read_to_string(clone.join(CUT)).ok();
    let fetched = Fetched {
        repository: &repository,
        branch: &request.branch,
        tip: revision,
        accepted: request.accepted.as_ref(),
        cut: cut.as_deref(),
        memory: request.memory,
    };
    request.policy.judge(&fetched, Timestamp::now())
}

/// Brings the clone up to date, and makes it anew when it is missing or damaged. Until the new one is
/// complete the old one stays.
fn up_to_date(request: &Request) -> Result<Revision, SourceError> {
    let clone = request.directory.join(CLONE);
    let mut lack = None;
    match packs(&clone) {
        Some(count) if count < MOST_PACKS => match update(request, &clone, None) {
            Ok(revision) => return Ok(revision),
            // What was pushed meanwhile is too much; the newest commit alone need not be.
            Err(Failure::Final(error @ SourceError::Memory { .. })) => lack = Some(error),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Clone(detail)) => match request.lack(&detail) {
                Some(error @ SourceError::Memory { .. }) => lack = Some(error),
                Some(error) => return Err(error),
                None => {}
            },
        },
        _ => {}
    }
    anew(request, lack)
}

/// Makes the clone anew, of the newest commit alone when more of it lacks memory.
fn anew(request: &Request, lack: Option<SourceError>) -> Result<Revision, SourceError> {
    let directory = &request.directory;
    let disk = |error: std::io::Error| disk(directory, &error);
    let clone = directory.join(CLONE);
    let growing = directory.join(GROWING);
    let revision = make(request, &growing, lack)?;
    if let Some(accepted) = &request.accepted {
        // A damaged clone may have lost it. Then it is known by its name alone, which is enough to
        // tell a history that has it from one that has not.
        let _ = carry_over(&accepted.revision.id, &clone, &growing);
    }
    remove(&clone).map_err(disk)?;
    fs::rename(&growing, &clone).map_err(disk)?;
    Ok(revision)
}

/// Makes a clone: of no more history than is needed, where the server can do that, and of less still when
/// that needs more memory than there is. With a lack of memory that was found already it is the newest commit alone.
fn make(
    request: &Request,
    growing: &Path,
    mut lack: Option<SourceError>,
) -> Result<Revision, SourceError> {
    let shallow = if is_local(&request.repository) { [].iter() } else { DEPTHS.iter() };
    let mut shallow = shallow.copied().map(Some);
    let depths: Vec<Option<i32>> = match (&lack, request.needs_history()) {
        (Some(_), _) => shallow.next_back().into_iter().collect(),
        // What was accepted last may be found among the newest, too.
        (None, true) => [None].into_iter().chain(shallow).collect(),
        (None, false) => shallow.chain([None]).collect(),
    };
    for depth in depths {
        // What does not fit shallow does not fit as a whole.
        if lack.is_some() && depth.is_none() {
            break;
        }
        remove(growing).map_err(|error| disk(&request.directory, &error))?;
        match make_once(request, growing, depth) {
            Ok(revision) => {
                if lack.is_some() {
                    let written = fs::write(growing.join(CUT), &revision.id);
                    written.map_err(|error| disk(&request.directory, &error))?;
                }
                return Ok(revision);
            }
            Err(Failure::Final(error @ SourceError::Memory { .. })) => lack = Some(error),
            Err(Failure::Clone(_)) if depth.is_some() && lack.is_none() => {}
            Err(Failure::Final(error)) => return Err(lack.unwrap_or(error)),
            Err(Failure::Clone(detail)) => {
                let repository = request.repository.clone();
                return Err(lack.unwrap_or(SourceError::Git { repository, detail }));
            }
        }
    }
    Err(lack.unwrap_or(SourceError::Git {
        repository: request.repository.clone(),
        detail: "no clone could be made".to_owned(),
    }))
}

fn make_once(request: &Request, growing: &Path, depth: Option<i32>) -> Result<Revision, Failure> {
    Repository::init_bare(growing).map_err(|error| {
        Failure::Final(request.lack(error.message()).unwrap_or_else(|| SourceError::Disk {
            path: growing.to_owned(),
            detail: error.message().to_owned().into(),
        }))
    })?;
    let request = Request { verify: true, ..request.clone() };
    update(&request, growing, depth).map_err(|failure| match failure {
        Failure::Clone(detail) => match request.lack(&detail) {
            Some(lack) => Failure::Final(lack),
            None => Failure::Clone(detail),
        },
        failure => failure,
    })
}

pub(super) fn disk(directory: &Path, error: &std::io::Error) -> SourceError {
    let words = error.to_string();
    match is_lack_of_disk(&words) {
        true => SourceError::full_disk(directory, &words),
        false => SourceError::Disk { path: directory.to_owned(), detail: words.into() },
    }
}

/// Gives the new clone a commit that the branch may have dropped: it is what is applied.
fn carry_over(commit: &str, old: &Path, new: &Path) -> Result<(), git2::Error> {
    let id = git2::Oid::from_str(commit)?;
    if Repository::open_bare(new)?.find_commit(id).is_ok() {
        return Ok(());
    }
    let ends = [ends(old), ends(new)].concat();
    Repository::open_bare(old)?.reference(ACCEPTED, id, true, "accepted last")?;
    let repository = Repository::open_bare(new)?;
    let mut remote = repository.remote_anonymous(&old.to_string_lossy())?;
    let fetched = remote.fetch(&[format!("+{ACCEPTED}:{ACCEPTED}")], None, None);
    // libgit2 takes the other's for its own, and its own history is without an end then.
    if !ends.is_empty() {
        fs::write(new.join(SHALLOW), ends.join("\n") + "\n")
            .map_err(|error| git2::Error::from_str(&error.to_string()))?;
    }
    fetched
}

/// The commits where the history of a clone ends, because it has no more of it.
fn ends(clone: &Path) -> Vec<String> {
    let text = fs::read_to_string(clone.join(SHALLOW)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn damaged(clone: &Path, error: &git2::Error) -> SourceError {
    SourceError::Damaged { directory: clone.to_path_buf(), detail: error.message().to_owned() }
}

/// How many packs a clone has, none when there is no clone. A fetch that was killed leaves its
/// unfinished pack behind; those are removed here.
fn packs(clone: &Path) -> Option<usize> {
    let mut count = 0;
    for entry in fs::read_dir(clone.join("objects/pack")).ok()? {
        let path = entry.ok()?.path();
        if path.file_name()?.to_string_lossy().starts_with("pack_git2_") {
            fs::remove_file(path).ok()?;
        } else if path.extension().is_some_and(|extension| extension == "pack") {
            count += 1;
        }
    }
    Some(count)
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn update(request: &Request, clone: &Path, depth: Option<i32>) -> Result<Revision, Failure> {
    let damaged = |error: git2::Error| Failure::Clone(error.message().to_owned());
    let repository = Repository::open_bare(clone).map_err(damaged)?;
    let name = format!("refs/heads/{}", request.branch);
    let advertised = Contact::new(request)?.fetch(&repository, &[&name], depth)?;
    if !advertised.contains(&name) {
        return Err(Failure::Final(without_branch(request, advertised)));
    }
    let id = repository.refname_to_id(&name).map_err(damaged)?;
    let commit = repository.find_commit(id).map_err(damaged)?;
    if request.verify {
        let read = blobs::read(clone, &id.to_string(), &request.path, &Tree::default());
        // Only whether the objects are readable matters here: a refusal is told by whoever wants the
        // tree.
        if let Err(error @ SourceError::Damaged { .. }) = read {
            return Err(error.into());
        }
    }
    Ok(Revision::of(&commit))
}

pub(super) fn without_branch(request: &Request, advertised: Vec<String>) -> SourceError {
    let existing: Vec<_> = advertised
        .iter()
        .filter_map(|name| name.strip_prefix("refs/heads/"))
        .map(str::to_owned)
        .collect();
    let (repository, branch) = (request.repository.clone(), request.branch.clone());
    if existing.is_empty() {
        return SourceError::RepositoryEmpty { repository, branch };
    }
    SourceError::BranchMissing { repository, branch, existing }
}
