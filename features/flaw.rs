//! What is made wrong on purpose, to see whether the scenarios notice. Nothing is, unless the mutations
//! say so.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use harness::api_proxy::{Altered, ApiProxy, Choice, Fault, Injected, Request};
use harness::front::{self, Front};
use serde_json::Value;

use crate::world::bed;

/// Something that could be wrong with a daemon, a gateway or a command.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "the mutations use it")]
pub(crate) enum Flaw {
    /// The daemon writes something else.
    Writes(fn() -> Written),
    /// The daemon leaves out these writes, of which the first is the `from`-th that fits, and believes
    /// that it made them.
    Omits { from: usize, fits: fn(&Request) -> bool },
    /// The daemon can neither make these writes nor try them.
    CannotWrite(fn(&Request) -> bool),
    /// The daemon takes what the cluster shows for something else.
    Sees(fn(&Request, &mut Value) -> Shown),
    /// The daemon takes a part of the values for something else.
    Reads { text: &'static str, as_if: &'static str },
    /// The daemon runs with this flag, whatever the scenario gives it.
    Runs { flag: &'static str, value: &'static str },
    /// The command line ignores an argument.
    Ignores(&'static str),
    /// The command line ends with an exit code in place of another.
    Exits { with: i32, in_place_of: i32 },
    /// The gateway answers something else.
    Gateway(front::Flaw),
}

/// A change of written objects; it may remember what was written before.
pub(crate) type Written = Box<dyn FnMut(&Request, &mut Value) + Send>;

/// Whether the daemon is shown an object.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "the mutations use it")]
pub(crate) enum Shown {
    Yes,
    No,
}

/// The flaw that there is at the moment.
struct Active {
    flaw: Flaw,
    words: &'static str,
    front: Option<Front>,
}

static ACTIVE: Mutex<Option<Active>> = Mutex::new(None);
/// How often it has made something wrong.
static STRUCK: AtomicUsize = AtomicUsize::new(0);

/// Makes something wrong from now on. A wait is given up soon when its failure has these words.
///
/// # Errors
/// There is no port for a bad gateway.
#[allow(dead_code, reason = "the mutations use it")]
pub(crate) async fn begin(flaw: Flaw, words: &'static str) -> Result<()> {
    let front = match flaw {
        Flaw::Gateway(flaw) => Some(Front::start(bed().proxy_url(), flaw).await?),
        _ => None,
    };
    STRUCK.store(0, Ordering::SeqCst);
    *active_slot() = Some(Active { flaw, words, front });
    Ok(())
}

/// Makes nothing wrong any more. Returns whether anything was.
#[allow(dead_code, reason = "the mutations use it")]
pub(crate) fn end() -> bool {
    let has_struck = has_struck();
    *active_slot() = None;
    has_struck
}

/// Whether something is made wrong.
pub(crate) fn is_active() -> bool {
    active(|_| ()).is_some()
}

/// Whether a failure with this text is the one by which the flaw is known. None is before the flaw has made
/// anything wrong.
pub(crate) fn is_known_by(failure: &str) -> bool {
    has_struck() && active(|active| failure.contains(active.words)) == Some(true)
}

/// Where requests are sent to, if not to the gateway.
pub(crate) fn front() -> Option<String> {
    active(|active| active.front.as_ref().map(|front| front.url().to_owned())).flatten()
}

/// What stands between the daemon and the API server. Dropping it makes nothing wrong any more.
#[derive(Debug)]
pub(crate) struct Tampered {
    _proxy: ApiProxy,
    _altered: Option<Altered>,
    _injected: Option<Injected>,
}

/// Comes between the daemon and the API server of a kubeconfig, where the flaw asks for it. Returns with it
/// the kubeconfig that leads through it.
///
/// # Errors
/// As [`ApiProxy::start`].
pub(crate) async fn tamper(account: &Path, folder: &Path) -> Result<Option<(Tampered, PathBuf)>> {
    let Some(flaw) = active(|active| active.flaw) else { return Ok(None) };
    if !matches!(flaw, Flaw::Writes(_) | Flaw::Omits { .. } | Flaw::CannotWrite(_) | Flaw::Sees(_))
    {
        return Ok(None);
    }
    let kubeconfig = folder.join("tampered");
    let proxy = ApiProxy::start(account, &kubeconfig).await?;
    let (mut altered, mut injected) = (None, None);
    match flaw {
        Flaw::Writes(written) => {
            let mut change = written();
            altered = Some(proxy.alter(move |request, object| {
                let before = object.clone();
                change(request, object);
                strike_if(*object != before);
            }));
        }
        Flaw::Sees(shown) => {
            altered = Some(proxy.forge(move |request, object| {
                let before = object.clone();
                let shown = shown(request, object);
                strike_if(shown == Shown::No || *object != before);
                shown == Shown::Yes
            }));
        }
        Flaw::Omits { from, fits } => {
            let seen = AtomicUsize::new(0);
            let fits = move |request: &Request| {
                let fits = request.is_write() && fits(request);
                let is_chosen = fits && seen.fetch_add(1, Ordering::SeqCst) + 1 >= from;
                strike_if(is_chosen);
                is_chosen
            };
            injected = Some(proxy.inject(Choice::every(fits), Fault::Pretended));
        }
        Flaw::CannotWrite(fits) => {
            let fits = move |request: &Request| {
                let is_tried = request.dry_run || request.is_write();
                let is_refused = is_tried && fits(request);
                strike_if(is_refused);
                is_refused
            };
            injected = Some(proxy.inject(Choice::every(fits), Fault::Refused(500)));
        }
        _ => {}
    }
    let tampered = Tampered { _proxy: proxy, _altered: altered, _injected: injected };
    Ok(Some((tampered, kubeconfig)))
}

/// The content of a pushed file as the daemon takes it.
pub(crate) fn read(content: &str) -> String {
    let Some(Flaw::Reads { text, as_if }) = active(|active| active.flaw) else {
        return content.to_owned();
    };
    strike_if(content.contains(text));
    content.replace(text, as_if)
}

/// The daemon's flags, each with its value.
pub(crate) fn flags(mut flags: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    if let Some(Flaw::Runs { flag, value }) = active(|active| active.flaw) {
        flags.retain(|(name, _)| *name != flag);
        flags.push((flag, value.to_owned()));
        strike_if(true);
    }
    flags
}

/// The arguments of a command as it takes them.
pub(crate) fn arguments(arguments: &str) -> Vec<&str> {
    let ignored = match active(|active| active.flaw) {
        Some(Flaw::Ignores(argument)) => Some(argument),
        _ => None,
    };
    let given: Vec<&str> = arguments.split(' ').collect();
    let taken = given.iter().copied().filter(|argument| Some(*argument) != ignored).collect();
    strike_if(taken != given);
    taken
}

/// How a command ends.
pub(crate) fn exit(status: ExitStatus) -> ExitStatus {
    match active(|active| active.flaw) {
        Some(Flaw::Exits { with, in_place_of }) if status.code() == Some(in_place_of) => {
            strike_if(true);
            // A wait status has the exit code in its second byte.
            ExitStatus::from_raw(with << 8)
        }
        _ => status,
    }
}

fn has_struck() -> bool {
    let spoilt = active(|active| active.front.as_ref().map_or(0, Front::times));
    STRUCK.load(Ordering::SeqCst) > 0 || spoilt.unwrap_or(0) > 0
}

fn strike_if(is_wrong: bool) {
    STRUCK.fetch_add(usize::from(is_wrong), Ordering::SeqCst);
}

fn active<T>(look: impl FnOnce(&Active) -> T) -> Option<T> {
    active_slot().as_ref().map(look)
}

fn active_slot() -> std::sync::MutexGuard<'static, Option<Active>> {
    ACTIVE.lock().expect("nothing panics with the lock")
}
