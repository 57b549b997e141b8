//! Mistakes that are there with a change and not without it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gloo::{Code, Finding, ObjectRef, Severity, State};

use super::change::Change;
use super::ownership::Owners;
use super::translated_cluster::TranslatedCluster;
use crate::kind::Kind;
use crate::reason::Refusal;

/// # Errors
/// An object of ours that Gloo could not decode.
pub(super) fn undecodable(stage: &TranslatedCluster, owners: &Owners) -> Result<(), Refusal> {
    match stage.snapshot.undecodable().into_iter().find(|(object, _)| owners.has(object)) {
        Some((object, reason)) => {
            Err(Refusal::Undecodable { object: object.into(), reason: reason.to_owned() })
        }
        None => Ok(()),
    }
}

/// # Errors
/// The gravest new mistake, ours or another owner's.
pub(super) fn findings(
    base: &TranslatedCluster,
    stage: &TranslatedCluster,
    changes: &[Arc<Change>],
    owners: &Owners,
) -> Result<(), Refusal> {
    let (before, after) = (&base.translation, &stage.translation);
    let looked_at: HashSet<&ObjectRef> =
        before.desired_hosts().flat_map(|host| &host.routes).map(|it| &*it.holder).collect();
    let is_new_gateway = |finding: &Finding| {
        let gateway = finding.gateway.as_ref();
        gateway.is_some_and(|gateway| !base.snapshot.contains(gateway))
            && finding.severity < Severity::ClustersRefused
    };
    let harmful = |finding: &&Finding| {
        let is_new = !base.snapshot.contains(&finding.object);
        match owners.of_object(&finding.object) {
            Some(at) => {
                !(changes[at].tolerates_warnings && is_new && finding.severity == Severity::Warning)
            }
            // Whoever delegated to routes that go is warned, and rightly so.
            None if says_that_tables_are_gone(finding) => false,
            // Nobody was served by a Gateway that was not there.
            None if is_new_gateway(finding) => false,
            // Without any VirtualService Gloo looked at no Upstream, and at no route that none selects.
            None => match Kind::of_reference(&finding.object) {
                Some(Kind::Upstream | Kind::UpstreamGroup) => !before.proxies.is_empty(),
                Some(Kind::RouteTable) => {
                    finding.severity >= Severity::Rejected || looked_at.contains(&*finding.object)
                }
                _ => true,
            },
        }
    };
    // A route to several Upstreams that are not there is told of the first. When that one comes, it is
    // told of the next, and is no worse off; unless it is one that we take away.
    let mut takes_away = changes.iter().flat_map(|change| &change.to_prune);
    let takes_away = takes_away.any(|id| !id.is_route());
    let by_words = |finding: &Finding| {
        finding.severity < Severity::Rejected && (takes_away || owners.has(&finding.object))
    };
    let new = new_findings(&before.findings, &after.findings, by_words);
    let rank = |finding: &&Finding| (finding.severity, owners.has(&finding.object));
    let worst = new.into_iter().filter(harmful).max_by_key(rank);
    match worst {
        Some(finding) => Err(refusal(finding)),
        None => verdicts(base, stage, owners),
    }
}

/// What there is more of than before. Where Gloo or Envoy refuse something, another reason for the
/// same is no more harm than the one before; `by_words` says where it is.
fn new_findings<'a>(
    before: &[Finding],
    after: &'a [Finding],
    by_words: impl Fn(&Finding) -> bool,
) -> Vec<&'a Finding> {
    let key = |finding: &'_ Finding| {
        let words = if by_words(finding) { finding.words.as_str() } else { "" }.to_owned();
        (finding.object.clone(), finding.severity, words, finding.gateway.clone())
    };
    let mut known: HashMap<_, usize> = HashMap::new();
    for finding in before {
        *known.entry(key(finding)).or_default() += 1;
    }
    let is_new = |finding: &&Finding| match known.get_mut(&key(finding)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    after.iter().filter(is_new).collect()
}

/// # Errors
/// Another owner's object that is told of a mistake which is bearable where it stands.
fn verdicts(
    base: &TranslatedCluster,
    stage: &TranslatedCluster,
    owners: &Owners,
) -> Result<(), Refusal> {
    let (before, after) = (&base.translation.statuses, &stage.translation.statuses);
    let excused: HashSet<&ObjectRef> = {
        let findings = stage.translation.findings.iter();
        findings.filter(|it| says_that_tables_are_gone(it)).map(|it| &*it.object).collect()
    };
    for (object, status) in after.iter() {
        let worse =
            before.get(object).is_some_and(|known| status.state > known.state.max(State::Accepted));
        let excused = status.state == State::Warning && excused.contains(object);
        if worse && !excused && !owners.has(object) {
            let (object, state) = (Arc::new(object.clone()), status.state);
            return Err(Refusal::Verdict { object, state, reason: on_one_line(&status.reason) });
        }
    }
    Ok(())
}

fn refusal(finding: &Finding) -> Refusal {
    let object = Arc::clone(&finding.object);
    let reason = on_one_line(&finding.words);
    match finding.severity {
        Severity::Warning => Refusal::Verdict { object, state: State::Warning, reason },
        Severity::RouteError => Refusal::Route { object, reason },
        Severity::Rejected => Refusal::Verdict { object, state: State::Rejected, reason },
        Severity::Refused => {
            Refusal::WholeConfiguration { object, gateway: finding.gateway.clone(), reason }
        }
        Severity::ClustersRefused => Refusal::Clusters { object, reason },
        Severity::Crash => Refusal::Crash { object, reason },
    }
}

fn says_that_tables_are_gone(finding: &Finding) -> bool {
    finding.severity == Severity::Warning
        && matches!(finding.code, Code::NoRouteTableSelected | Code::MissingRouteTable)
}

pub(super) fn on_one_line(reason: &str) -> String {
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}
