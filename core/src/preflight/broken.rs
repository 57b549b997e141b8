//! What is wrong in the cluster already, and whom it holds up.

use std::collections::BTreeSet;
use std::fmt;

use gloo::{Finding, ObjectRef, Severity, State};

use super::regressions::on_one_line;
use super::translated_cluster::TranslatedCluster;
use crate::kind::Kind;

/// A mistake in the live cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Broken {
    /// The object it is written in.
    pub object: ObjectRef,
    /// The rule that is broken.
    pub rule: Rule,
    /// The words of the decoder, of Gloo or of Envoy.
    pub words: String,
    /// What does not go on until it is repaired.
    pub blocks: Blocks,
}

/// A rule of Gloo or Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Gloo cannot decode the object (case 13-undecodable).
    Undecodable,
    /// Envoy refuses the route configuration, or the listener (cases 08-weights, 18-sni-overlap).
    Refused,
    /// Envoy refuses a cluster, and with it all of them and their endpoints (case
    /// 20-envoy-refuses-new-cluster).
    ClustersRefused,
    /// Gloo dies of the object (case 17-tcp-host-crash).
    Crash,
    /// Gloo rejects the VirtualService or Gateway (cases 12-last-good, 12-domains-duplicate).
    Rejected,
    /// A route is not served as written (case 06-subset-keys).
    RouteError,
    /// Something leads nowhere (case 02-two-teams-part2).
    Warning,
}

/// What a mistake holds up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blocks {
    /// Nothing but itself.
    Nothing,
    /// Every change of this kind of object.
    Kind(String),
    /// Every change of routes that this Gateway serves, of everybody.
    Gateway(ObjectRef),
    /// Every change, of everybody.
    Everything,
    /// Every change of the routes of these VirtualServices.
    VirtualServices(Vec<ObjectRef>),
}

impl fmt::Display for Broken {
    /// One line: the object, what is wrong, and what it holds up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, words, blocks, .. } = self;
        write!(f, "{object}: {words}")?;
        match blocks {
            Blocks::Nothing => Ok(()),
            Blocks::Kind(kind) => write!(f, "; holds up every change of any {kind}"),
            Blocks::Gateway(gateway) => {
                write!(f, "; holds up every change of routes of {gateway}, of everybody")
            }
            Blocks::Everything => f.write_str("; holds up every change of everybody"),
            Blocks::VirtualServices(hosts) => {
                let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
                write!(f, "; holds up every change of the routes of {}", hosts.join(", "))
            }
        }
    }
}

/// Everything that is wrong, sorted.
pub(super) fn list(translated: &TranslatedCluster) -> Vec<Broken> {
    let snapshot = &translated.snapshot;
    let undecodable = snapshot.undecodable().into_iter().map(|(object, words)| Broken {
        blocks: match snapshot.surely_sees(&object.namespace) {
            true => Blocks::Kind(object.kind.clone()),
            false => Blocks::Nothing,
        },
        rule: Rule::Undecodable,
        words: words.to_owned(),
        object,
    });
    let findings = translated.translation.findings.iter().map(|it| broken(translated, it));
    let reported = rejected_by_gloo(translated).map(|(object, gateway, words)| Broken {
        object: object.clone(),
        rule: Rule::Rejected,
        words,
        blocks: Blocks::Gateway(gateway),
    });
    let mut all: Vec<Broken> = undecodable.chain(findings).chain(reported).collect();
    all.sort();
    all.dedup();
    all
}

fn broken(translated: &TranslatedCluster, finding: &Finding) -> Broken {
    let (rule, blocks) = match (finding.severity, Kind::of_reference(&finding.object)) {
        (Severity::Warning, _) => (Rule::Warning, Blocks::Nothing),
        (Severity::RouteError, _) => (Rule::RouteError, Blocks::Nothing),
        (Severity::Refused, _) => (Rule::Refused, Blocks::Gateway(gateway_of(finding))),
        (Severity::ClustersRefused, _) => (Rule::ClustersRefused, Blocks::Everything),
        (Severity::Crash, _) => (Rule::Crash, Blocks::Everything),
        (Severity::Rejected, Some(Kind::Gateway)) => {
            (Rule::Rejected, Blocks::Gateway(gateway_of(finding)))
        }
        (Severity::Rejected, Some(Kind::VirtualService)) => {
            let object = ObjectRef::clone(&finding.object);
            (Rule::Rejected, Blocks::VirtualServices(vec![object]))
        }
        (Severity::Rejected, Some(Kind::RouteTable)) => {
            let reported: BTreeSet<&ObjectRef> =
                translated.translation.reported_on(finding).collect();
            let hosts = rejected(translated).map(|(host, _)| host);
            let hosts = hosts.filter(|host| reported.contains(host)).cloned().collect();
            (Rule::Rejected, Blocks::VirtualServices(hosts))
        }
        (Severity::Rejected, _) => (Rule::Rejected, Blocks::Nothing),
    };
    let known = translated.snapshot.knows_namespaces();
    let blocks = if known { blocks } else { Blocks::Nothing };
    let object = ObjectRef::clone(&finding.object);
    Broken { object, rule, words: on_one_line(&finding.words), blocks }
}

/// The objects for which Gloo says in the status of a Gateway that it rejects it, although nothing but that status
/// shows it: they name a Secret that was not read, and so does Gloo. With the object come the Gateway and Gloo's words.
pub(super) fn rejected_by_gloo(
    translated: &TranslatedCluster,
) -> impl Iterator<Item = (&ObjectRef, ObjectRef, String)> {
    translated.snapshot.rejected_gateways().flat_map(|(gateway, words)| {
        let gateway = Kind::Gateway.reference(gateway);
        let notes = translated.translation.notes.iter();
        notes.filter_map(move |note| {
            let is_of_it = note.gateway.as_deref() == Some(&gateway);
            let unread = note.unread.as_ref().filter(|_| is_of_it)?;
            let (namespace, name) = (&unread.namespace, &unread.name);
            let named = words.contains(&format!("secret {namespace}.{name}"))
                || words.contains(&format!("name:{name:?} namespace:{namespace:?}"));
            named.then(|| (&*note.object, gateway.clone(), words.to_owned()))
        })
    })
}

/// The Gateway whose listener has the mistake.
pub(super) fn gateway_of(finding: &Finding) -> ObjectRef {
    ObjectRef::clone(finding.gateway.as_ref().unwrap_or(&finding.object))
}

/// The VirtualServices that Gloo rejects, and why.
pub(super) fn rejected(translated: &TranslatedCluster) -> impl Iterator<Item = (&ObjectRef, &str)> {
    let statuses = translated.translation.statuses.iter();
    let statuses = statuses.filter(|(object, status)| {
        let kind = Kind::of_reference(object);
        kind == Some(Kind::VirtualService) && status.state == State::Rejected
    });
    statuses.map(|(object, status)| (object, status.reason.as_str()))
}
