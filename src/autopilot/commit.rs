//! The commits of the autopilot: from what was decided to what the branch says.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Parts;
use super::rollouts::{Accepted, Withdrawal};
use crate::pull_request::{Proposal, Standing, branch};
use crate::report::EventReason;
use crate::source::{Edit, Published, Trailers};
use coalmine_core::autopilot::{Act, Message};
use coalmine_core::edit::{Goal, Verb, edit};
use coalmine_core::marks::AheadMark;
use coalmine_core::reason::Hinted;
use coalmine_core::sanitize::sanitize;
use coalmine_core::tree::{Tree, short};
use coalmine_core::values::Service;

/// How long git has before an abort is applied without it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a promotion has, and an abort that is applied already.
const LONGEST: Duration = Duration::from_secs(30);
/// The pause between two tries to push an abort that is applied already.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a pull request that waits for a person is looked at.
const PERSON: Duration = Duration::from_secs(30);

/// How a promotion came out.
#[derive(Debug)]
pub(super) enum Committed {
    /// The branch has it.
    Landed {
        /// The blob that the service's file is then.
        file: Option<String>,
        /// Whether it was there before this try: a pull request was merged.
        commit: String,
    },
    /// Somebody has changed the service's file.
    Superseded,
    /// A pull request waits for a person.
    Proposed {
        /// Where people see it.
        web: String,
    },
    /// It is not to be, or not now.
    Failed {
        /// Why, and what to do.
        why: String,
    },
}

/// Whose rollout it is, and by which revision.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) service: Arc<Service>,
    pub(super) file: Arc<str>,
    pub(super) accepted: Arc<Accepted>,
}

impl Subject {
    pub(super) fn name(&self) -> &str {
        self.service.name.as_str()
    }
}

/// The commit that began the rollout, and whose it is.
pub(super) fn started_by(parts: &Parts, subject: &Subject) -> String {
    let canary = subject.service.routes.canary.as_ref().map(|it| it.version.as_str());
    let began = canary.and_then(|canary| parts.status_store.started(subject.name(), canary));
    let began = began.unwrap_or_else(|| subject.accepted.revision.clone());
    format!("{} {}", began.id, sanitize(&began.author))
}

/// The edit for something that was decided.
///
/// # Errors
/// Says why the file cannot be edited so, and what to write by hand.
fn edit_of(subject: &Subject, verb: &Verb, message: &Message, by: String) -> Result<Edit, String> {
    let tree = small(&subject.accepted.tree, &subject.service);
    let name = subject.name();
    // Alone the file may be read in another way than beside all others.
    let edited = edit(&tree, name, verb).or_else(|_| edit(&subject.accepted.tree, name, verb));
    let edited = edited.map_err(|error| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })?;
    Ok(Edit {
        file: edited.file,
        before: edited.before,
        after: edited.after,
        base: subject.accepted.revision.id.clone(),
        subject: edited.subject,
        body: message.body.clone(),
        trailers: Trailers {
            step: message.step.clone(),
            evidence: message.evidence.clone(),
            started_by: by,
        },
    })
}

/// The settings and the service's own file: to read a thousand others takes longer than an abort may.
fn small(tree: &Tree, service: &Service) -> Tree {
    let is_needed = |path: &String| *path == service.file || !path.starts_with("services/");
    let files = tree.files.iter().filter(|(path, _)| is_needed(path));
    let files = files.map(|(path, file)| (path.clone(), file.clone())).collect();
    Tree { revision: tree.revision.clone(), files }
}

/// The same in a thread that may be busy.
async fn edited(
    subject: &Subject,
    verb: Verb,
    message: Message,
    by: String,
) -> Result<Edit, String> {
    let subject = subject.clone();
    let edit = tokio::task::spawn_blocking(move || edit_of(&subject, &verb, &message, by));
    edit.await.unwrap_or_else(|error| Err(format!("internal error: {error}")))
}

/// Commits a promotion, or proposes it.
pub(super) async fn promote(
    parts: Arc<Parts>,
    subject: Subject,
    act: Act,
    message: Message,
    sentence: String,
) -> Committed {
    let (verb, action) = match act {
        Act::Promote(weight) => (Verb::Promote(Goal::Weight(weight)), "promote"),
        _ => (Verb::Finish { force: true }, "finish"),
    };
    let by = started_by(&parts, &subject);
    let edit = match edited(&subject, verb, message, by).await {
        Ok(edit) => edit,
        Err(why) => return Committed::Failed { why },
    };
    let published = match &parts.pull_requests {
        Some(_) => propose(&parts, &subject, &edit).await,
        None => commit(&parts, &edit, LONGEST).await.map(Ok),
    };
    match published {
        Ok(Ok(Published::Landed { commit, .. })) => {
            let name = subject.name();
            tracing::info!(service = name, commit = commit.short(), "{}", edit.subject);
            parts.status_store.committed(name, action);
            let words = format!("{} by commit {}: {sentence}", edit.subject, commit.short());
            (parts.tell)(name, EventReason::Promoted, &words);
            parts.trigger.pull();
            Committed::Landed { file: edit.new_file(), commit: commit.id }
        }
        Ok(Ok(Published::Superseded { .. })) => {
            parts.trigger.pull();
            Committed::Superseded
        }
        // A branch of ours alone is no answer to a commit on the followed one.
        Ok(Ok(Published::Proposed { .. })) => Committed::Superseded,
        Ok(Err(committed)) => committed,
        Err(why) => Committed::Failed { why },
    }
}

async fn commit(parts: &Parts, edit: &Edit, longest: Duration) -> Result<Published, String> {
    let publisher = parts.publisher.as_ref().map_err(Hinted::line)?;
    parts.source.commit(publisher, edit, longest).await.map_err(|error| error.line())
}

/// Brings a promotion as a pull request.
async fn propose(
    parts: &Parts,
    subject: &Subject,
    edit: &Edit,
) -> Result<Result<Published, Committed>, String> {
    let Some(pull_requests) = &parts.pull_requests else { return Ok(Err(Committed::Superseded)) };
    let publisher = parts.publisher.as_ref().map_err(Hinted::line)?;
    let branch = branch(&parts.instance, subject.name());
    let proposed = parts.source.propose(publisher, edit, &branch, LONGEST).await;
    match proposed.map_err(|error| error.line())? {
        Published::Proposed { .. } => {
            let proposal = Proposal::of(edit, &branch, &parts.branch);
            match pull_requests.bring(&proposal).await.map_err(|error| error.line())? {
                Standing::Open { web, .. } => {
                    sleep(PERSON).await;
                    Ok(Err(Committed::Proposed { web }))
                }
                Standing::Declined { web, .. } => {
                    sleep(PERSON).await;
                    let why = format!("a person has closed the pull request of this step: {web}");
                    Ok(Err(Committed::Failed { why }))
                }
            }
        }
        other => Ok(Ok(other)),
    }
}

/// Aborts a canary: in git, or in the cluster when git cannot be had at once, and in git as soon as it can. Ends when the
/// newest revision says what the cluster does.
pub(super) async fn abort(parts: Arc<Parts>, subject: Subject, mark: AheadMark, is_applied: bool) {
    let name = subject.name().to_owned();
    let verb = Verb::Abort { full: false, reason: Some(mark.reason.clone()) };
    let message = Message {
        body: mark.body.clone(),
        step: "abort".to_owned(),
        evidence: mark.evidence.clone(),
        reason: mark.reason.clone(),
    };
    let withdraw = |landed: Option<String>, trouble: String| {
        let withdrawal = Withdrawal { mark: mark.clone(), landed, trouble };
        parts.rollouts.withdraw(&name, withdrawal);
    };
    let (begun, mut applied) = (Instant::now(), is_applied);
    let editing = edited(&subject, verb, message, mark.started_by.clone());
    tokio::pin!(editing);
    let edit = match timeout(PATIENCE, &mut editing).await {
        Ok(edit) => edit,
        Err(_) => {
            withdraw(None, "the commit is being made".to_owned());
            applied = true;
            editing.await
        }
    };
    let mut edit = match edit {
        Ok(edit) => edit,
        Err(why) => {
            // Nothing can be pushed: whoever changes the file ends this.
            tracing::error!(service = name, "aborted in the cluster alone: {why}");
            withdraw(None, why);
            return std::future::pending().await;
        }
    };
    // After a restart it is the same commit only if it stands on the same one.
    edit.base.clone_from(&mark.revision);
    let mut longest = if applied { LONGEST } else { PATIENCE.saturating_sub(begun.elapsed()) };
    loop {
        let trouble = match commit(&parts, &edit, longest).await {
            Ok(Published::Landed { commit, .. }) => {
                landed(&parts, &subject, &edit.subject, &commit.id, &mark);
                return settle(&parts, &subject, &commit.id, &withdraw).await;
            }
            // Somebody has decided; until their commit is accepted ours holds in the cluster.
            Ok(Published::Superseded { tip, .. }) => {
                parts.trigger.pull();
                format!("commit {} has changed the file", tip.short())
            }
            Ok(Published::Proposed { .. }) => "it was proposed and not committed".to_owned(),
            Err(trouble) => trouble,
        };
        if !applied {
            tracing::warn!(service = name, "aborted ahead of git: {}: {trouble}", mark.reason);
            let words = format!("aborted, and git is not told yet: {}: {trouble}", mark.reason);
            (parts.tell)(&name, EventReason::Aborted, &words);
        }
        withdraw(None, trouble);
        (applied, longest) = (true, LONGEST);
        sleep(PAUSE).await;
    }
}

fn landed(parts: &Parts, subject: &Subject, words: &str, commit: &str, mark: &AheadMark) {
    let name = subject.name();
    tracing::warn!(service = name, commit = short(commit), "{words}: {}", mark.reason);
    parts.status_store.committed(name, "abort");
    let words = format!("{words} by commit {}: {}", short(commit), mark.reason);
    (parts.tell)(name, EventReason::Aborted, &words);
    parts.trigger.pull();
}

/// Waits until the newest revision has our commit. If that takes long, the cluster is told before.
async fn settle(
    parts: &Parts,
    subject: &Subject,
    commit: &str,
    withdraw: &impl Fn(Option<String>, String),
) {
    if let (Some(pull_requests), name) = (&parts.pull_requests, subject.name()) {
        let branch = branch(&parts.instance, name);
        if let Err(error) = pull_requests.withdraw(&branch, &parts.branch).await {
            tracing::warn!(service = name, "its pull request stays open: {}", error.line());
        }
    }
    let mut changes = parts.rollouts.changes();
    let is_accepted = || {
        let accepted = parts.rollouts.accepted();
        accepted.is_some_and(|it| parts.source.descends(&it.revision.id, commit))
    };
    let arrived = async {
        while !is_accepted() {
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    };
    tokio::pin!(arrived);
    if timeout(PATIENCE, &mut arrived).await.is_err() {
        withdraw(Some(commit.to_owned()), format!("commit {} is not fetched yet", short(commit)));
        arrived.await;
    }
    parts.rollouts.end(subject.name());
}
