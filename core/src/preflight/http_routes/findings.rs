//! Mistakes that are there with a change and not without it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gateway_api::{Code, Finding, ObjectRef, Severity, Snapshot};

use super::super::change::Change;
use super::super::ownership::Owners;
use super::super::regressions::on_one_line;
use super::world::{Model, World};
use crate::reason::Refusal;

/// # Errors
/// What the API server would not take, or nobody could read.
pub(super) fn unwritable(
    stage: &World,
    changes: &[Arc<Change>],
    owners: &Owners,
) -> Result<(), Refusal> {
    let refused = changes.iter().flat_map(|change| &change.http_routes.refused);
    let refused = refused.map(|(object, words)| (object, words.as_str()));
    let undecodable = stage.snapshot.undecodable().filter(|(object, _)| owners.has(object));
    match refused.chain(undecodable).next() {
        Some((object, reason)) => Err(Refusal::NotAdmitted {
            object: Arc::new(object.clone()),
            reason: on_one_line(reason),
        }),
        None => Ok(()),
    }
}

/// Finds what is wrong at a stage, of which `last` is the last one.
///
/// # Errors
/// The gravest new mistake, ours or another owner's.
pub(super) fn new(
    base: &World,
    stage: &World,
    last: &World,
    changes: &[Arc<Change>],
    owners: &Owners,
) -> Result<(), Refusal> {
    for model in &stage.models {
        let before = base.model(model.profile);
        let harmful = |finding: &&Finding| {
            let is_new = !base.snapshot.contains(&finding.object);
            match owners.of_object(&finding.object) {
                // Whom it selects may be where nobody has looked.
                _ if finding.code == Code::NoChild && !stage.snapshot.is_complete("HTTPRoute") => {
                    false
                }
                // A policy is written before the rule that it is for, and goes after it. In between it does nothing to
                // anybody; that no rule is served without it is [looked at](super::guards).
                Some(_) if finding.code == Code::MissingTarget && !std::ptr::eq(stage, last) => {
                    false
                }
                Some(at) => {
                    let bearable =
                        finding.severity < Severity::Rejected && may_pass(finding, &stage.snapshot);
                    !(changes[at].tolerates_warnings && is_new && bearable)
                }
                // Whoever delegated to routes that go is told so, and rightly.
                None if finding.code == Code::NoChild => false,
                // Nobody was served by a Gateway that was not there.
                None => finding.gateway.as_ref().is_none_or(|it| base.seen.contains(it)),
            }
        };
        let rank = |finding: &&Finding| (finding.severity, owners.has(&finding.object));
        let new = unknown(before, model, owners).into_iter().filter(harmful);
        if let Some(worst) = new.max_by_key(rank) {
            return Err(refusal(worst));
        }
    }
    Ok(())
}

/// Whether the mistake passes by itself when an object comes that is not there yet: what is written in one go comes one
/// after the other.
fn may_pass(finding: &Finding, snapshot: &Snapshot) -> bool {
    match finding.code {
        // A Service that is there has not the port.
        Code::MissingBackend => {
            snapshot.uses(&finding.object).iter().any(|it| !snapshot.contains(it))
        }
        Code::NoChild | Code::NoGrant | Code::MissingExtension | Code::MissingTarget => true,
        _ => finding.severity < Severity::RuleError,
    }
}

/// What there is more of than before. Of another owner's object another reason for the same is no more harm than the one
/// before.
fn unknown<'a>(before: Option<&Model>, after: &'a Model, owners: &Owners) -> Vec<&'a Finding> {
    let key = |finding: &Finding| {
        let words =
            if owners.has(&finding.object) { finding.words.as_str() } else { "" }.to_owned();
        (finding.object.clone(), finding.severity, finding.code, words, finding.gateway.clone())
    };
    let mut known: HashMap<_, usize> = HashMap::new();
    for finding in before.into_iter().flat_map(counting) {
        *known.entry(key(finding)).or_default() += 1;
    }
    let is_new = |finding: &&Finding| match known.get_mut(&key(finding)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    counting(after).filter(is_new).collect()
}

/// The mistakes that count. Whether a version has pods is waited for; who takes whose requests is told by the requests.
pub(super) fn counting(model: &Model) -> impl Iterator<Item = &Finding> {
    let findings = model.translation.findings.iter();
    findings.filter(|it| !matches!(it.code, Code::NoEndpoints | Code::SameMatch))
}

/// Objects with a mistake that is gone: their routes may come to be what is written.
pub(super) fn mended(before: &Model, after: &Model) -> HashSet<Arc<ObjectRef>> {
    let still: HashSet<&Finding> = counting(after).collect();
    let gone = counting(before).filter(|finding| !still.contains(finding));
    gone.map(|finding| Arc::clone(&finding.object)).collect()
}

fn refusal(finding: &Finding) -> Refusal {
    let object = Arc::clone(&finding.object);
    let reason = on_one_line(&finding.words);
    match finding.severity {
        _ if finding.code == Code::MissingTarget => Refusal::Target { object, reason },
        Severity::Warning | Severity::RuleError => Refusal::HttpRouteRule { object, reason },
        Severity::Rejected => Refusal::NotServed { object, reason },
        Severity::Refused => {
            Refusal::WholeConfiguration { object, gateway: finding.gateway.clone(), reason }
        }
    }
}
