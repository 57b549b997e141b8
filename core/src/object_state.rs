//! What is kept of a live object: as much as decisions need, and no more, so that thousands of
//! services fit in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::health::{self, Health, Trouble, Verdict};
use crate::kind::{Kind, is_gateway_api_routing};
use crate::labels::{ACCOUNT, APPLIED, DELEGATION_LABEL, INSTANCE, SERVICE, keep, last_changed};
use crate::managed_fields::{self, Digest};
use crate::marks::Marks;
use crate::object::ObjectId;
use crate::traffic::Shares;

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Ours, by the label of our instance: this service's.
    Ours(Arc<str>),
    /// Of another instance.
    Instance(Arc<str>),
    /// Without our label, yet we have applied it: somebody took the label off.
    Lapsed,
    /// Somebody else's.
    Nobody,
}

impl Claim {
    /// Whose the object is, in the eyes of `instance`.
    pub fn on(object: &Value, instance: &str) -> Self {
        let label = |name: &str| object["metadata"]["labels"][name].as_str();
        // Controllers copy our labels to what they make.
        if object.pointer("/metadata/ownerReferences/0").is_some() {
            return Self::Nobody;
        }
        match (label(INSTANCE), label(SERVICE)) {
            (Some(owner), service) if owner == instance => {
                Self::Ours(service.unwrap_or_default().into())
            }
            (Some(other), _) => Self::Instance(other.into()),
            (None, _) if managed_fields::ours(object).is_some() => Self::Lapsed,
            (None, _) => Self::Nobody,
        }
    }
}

/// What is kept of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Tells it from a later object of the same name.
    pub uid: Arc<str>,
    /// Its `resourceVersion`; of two states of an object the one with the greater is newer
    /// (KEP-5504: comparable resource versions).
    pub version: u64,
    /// Whose it is.
    pub claim: Claim,
    /// The fields that we own.
    pub owned: Digest,
    /// The numbers of pods in its `spec` that we own.
    pub counts: Vec<&'static str>,
    /// The digest in its annotation `coalmine.dev/applied`.
    pub applied: Option<Arc<str>>,
    /// The service account as which it is written and deleted; the daemon's own when absent.
    pub account: Option<Arc<str>>,
    /// For a Deployment, Upstream or GatewayExtension of ours when it or its status was last changed, and for a Service of
    /// ours when it was made, to the second.
    pub changed_at: Option<Timestamp>,
    /// What it says about whether it stays when nothing desires it any more.
    pub keep: Option<bool>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// What Gloo's routing reads of it, for the kinds that it rests on.
    pub routing: Option<Digest>,
    /// What routing by the Gateway API reads of it, for the kinds that it rests on.
    pub gateway_api: Option<Digest>,
    /// What is kept of an HTTPRoute of ours.
    pub http_route: Option<Arc<HttpRoute>>,
    /// What stands on routes of ours for the autopilot.
    pub marks: Option<Arc<Marks>>,
    /// What its kind tells.
    pub detail: Detail,
}

/// What is kept of an HTTPRoute of ours: which requests it takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpRoute {
    /// The label by which other HTTPRoutes select it.
    pub group: Option<String>,
    /// The Gateways that it attaches to, `<namespace>/<name>`.
    pub gateways: Vec<String>,
    /// Its hostnames; every host when there are none.
    pub hostnames: Vec<String>,
    /// Its rules.
    pub rules: Vec<Value>,
    /// Whether a parent that it names has written nothing in its status; when it names none, whether nobody has.
    pub is_unnoticed: bool,
    /// Whether a gateway serves it that may name Envoy's clusters by the index of a rule.
    pub has_clusters_by_rule: bool,
}

impl HttpRoute {
    /// Takes from an HTTPRoute what is kept.
    pub fn of(object: &Value) -> Self {
        let hostnames = object.pointer("/spec/hostnames").and_then(Value::as_array);
        let hostnames = hostnames.into_iter().flatten().filter_map(Value::as_str);
        let rules = object.pointer("/spec/rules").and_then(Value::as_array);
        let parents = object.pointer("/spec/parentRefs").and_then(Value::as_array);
        let gateway = |parent: &Value| {
            let is_gateway = parent["kind"].as_str().is_none_or(|kind| kind == "Gateway");
            let home = object["metadata"]["namespace"].as_str().unwrap_or_default();
            let namespace = parent["namespace"].as_str().unwrap_or(home);
            let name = parent["name"].as_str().filter(|_| is_gateway)?;
            Some(format!("{namespace}/{name}"))
        };
        Self {
            gateways: parents.into_iter().flatten().filter_map(gateway).collect(),
            group: object["metadata"]["labels"][DELEGATION_LABEL].as_str().map(str::to_owned),
            hostnames: hostnames.map(str::to_owned).collect(),
            rules: rules.cloned().unwrap_or_default(),
            is_unnoticed: health::is_unnoticed(object),
            has_clusters_by_rule: health::has_clusters_by_rule(object),
        }
    }
}

/// What only objects of some kinds tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// A Deployment: how many pods it asks for, and how its rollout stands.
    Deployment {
        /// `spec.replicas`.
        replicas: u64,
        /// As `kubectl rollout status` would say.
        health: Health,
    },
    /// A Service: its first port.
    Service {
        /// `spec.ports[0].port`.
        port: Option<u64>,
    },
    /// A RouteTable, VirtualService or HTTPRoute.
    Routes {
        /// The gateway's verdict, `None` while there is none.
        verdict: Option<Verdict>,
        /// Who gets the requests; only of our own.
        shares: Shares,
    },
    /// An Upstream.
    Upstream {
        /// Gloo's verdict, `None` while there is none.
        verdict: Option<Verdict>,
        /// Whether any pod answers in place of a version that has none.
        falls_back: bool,
    },
    /// A policy for routes.
    Policy {
        /// The gateway's verdict, `None` while there is none.
        verdict: Option<Verdict>,
    },
    /// A CustomResourceDefinition.
    Definition {
        /// Whether the API server serves it.
        established: bool,
        /// Why the API server does not accept its names, if it does not.
        refused: Option<Arc<str>>,
    },
    /// Anything else.
    Other,
}

impl Facts {
    /// Takes from an object what is kept. Verdicts are those of the Gloo in `gloo_namespace`.
    pub fn of(object: &Value, instance: &str, gloo_namespace: &str) -> Self {
        let metadata = &object["metadata"];
        let text = |field: &str| metadata[field].as_str();
        let claim = Claim::on(object, instance);
        let kind = kind_of(object);
        let verdict = || health::verdict(object, gloo_namespace);
        let detail = match kind {
            Some(Kind::Deployment) => Detail::Deployment {
                replicas: object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1),
                health: health::deployment(object),
            },
            Some(Kind::Service) => Detail::Service {
                port: object.pointer("/spec/ports/0/port").and_then(Value::as_u64),
            },
            Some(kind) if kind.is_route() => Detail::Routes {
                verdict: verdict(),
                shares: match &claim {
                    Claim::Ours(service) => Shares::read(service, object),
                    _ => Shares::default(),
                },
            },
            Some(Kind::Upstream) => {
                Detail::Upstream { verdict: verdict(), falls_back: falls_back(object) }
            }
            Some(kind) if kind.is_policy() => Detail::Policy { verdict: verdict() },
            Some(Kind::CustomResourceDefinition) => definition(object),
            _ => Detail::Other,
        };
        let is_ours = matches!(claim, Claim::Ours(_) | Claim::Lapsed);
        Self {
            uid: text("uid").unwrap_or_default().into(),
            version: version(object),
            owned: if is_ours { Digest::of_live(object) } else { Digest::of(&Value::Null) },
            counts: if is_ours { managed_fields::owned_counts(object) } else { Vec::new() },
            applied: metadata["annotations"][APPLIED].as_str().map(Into::into),
            account: metadata["annotations"][ACCOUNT].as_str().map(Into::into),
            changed_at: kind.filter(|_| is_ours).and_then(|kind| moment(kind, object)),
            keep: keep(object),
            terminating: text("deletionTimestamp").is_some(),
            routing: kind.is_some_and(Kind::is_routing).then(|| {
                let beside = gloo::Snapshot::beside_spec(object);
                Digest::of(&json!([metadata["labels"], beside, object["spec"]]))
            }),
            gateway_api: is_gateway_api_routing(
                object["apiVersion"].as_str().unwrap_or_default(),
                object["kind"].as_str().unwrap_or_default(),
            )
            .then(|| match kind {
                Some(Kind::Service) => Digest::of(&object["spec"]),
                Some(Kind::Namespace) => Digest::of(&metadata["labels"]),
                // Age decides between equals.
                _ => Digest::of(&json!([
                    metadata["labels"],
                    metadata["annotations"],
                    metadata["creationTimestamp"],
                    object["spec"]
                ])),
            }),
            http_route: (is_ours && kind == Some(Kind::HttpRoute))
                .then(|| HttpRoute::of(object).into()),
            marks: (is_ours && kind.is_some_and(Kind::is_route))
                .then(|| Marks::of(object))
                .flatten()
                .map(Into::into),
            claim,
            detail,
        }
    }

    /// The gateway's verdict, for the kinds that get one.
    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.detail {
            Detail::Routes { verdict, .. }
            | Detail::Upstream { verdict, .. }
            | Detail::Policy { verdict } => verdict.as_ref(),
            _ => None,
        }
    }

    /// Who gets the requests of routes of ours.
    pub fn shares(&self) -> Option<&Shares> {
        match &self.detail {
            Detail::Routes { shares, .. } => Some(shares),
            _ => None,
        }
    }

    /// True when nothing differs that a decision could rest on.
    pub fn says_the_same(&self, other: &Self) -> bool {
        Self { version: 0, ..self.clone() } == Self { version: 0, ..other.clone() }
    }
}

/// Whether something waits by the time of its last change.
/// The moment that something waits by.
fn moment(kind: Kind, object: &Value) -> Option<Timestamp> {
    match kind {
        Kind::Deployment | Kind::Upstream | Kind::GatewayExtension => last_changed(object),
        Kind::Service => object["metadata"]["creationTimestamp"].as_str()?.parse().ok(),
        _ => None,
    }
}

/// How far the API server is with a CustomResourceDefinition
/// (<https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/>).
fn definition(object: &Value) -> Detail {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let condition =
        |kind: &str| conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    let names = condition("NamesAccepted").filter(|it| it["status"] == "False");
    Detail::Definition {
        established: condition("Established").is_some_and(|it| it["status"] == "True"),
        refused: names.map(|it| it["message"].as_str().unwrap_or_default().into()),
    }
}

/// Whether requests for a version without pods go to the pods of the others: what an Upstream does
/// unless it says otherwise (case 06-fallback-policies).
pub fn falls_back(upstream: &Value) -> bool {
    upstream["spec"]["kube"]["subsetSpec"]["fallbackPolicy"] != "NO_FALLBACK"
}

/// What is kept of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// Its name.
    pub name: Arc<str>,
    /// Its label `version`.
    pub version: Arc<str>,
    /// Since when it is ready; `None` while it is not.
    pub ready_since: Option<Timestamp>,
    /// Why it is not ready.
    pub trouble: Option<Trouble>,
    /// How often its containers have restarted, the one of them that did so most.
    pub restarts: u32,
    /// Its address, once it has one.
    pub address: Option<Arc<str>>,
}

impl PodFacts {
    /// Takes from a pod what is kept.
    pub fn of(pod: &Value) -> Self {
        let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        Self {
            name: text("/metadata/name").into(),
            version: text("/metadata/labels/version").into(),
            ready_since: health::ready_since(pod),
            trouble: health::pod_trouble(pod),
            restarts: health::restarts(pod),
            address: pod.pointer("/status/podIP").and_then(Value::as_str).map(Into::into),
        }
    }
}

/// The ready pods in a Service's v1 Endpoints, and since when they are there, to the second; `None`
/// where the object does not tell.
pub type Addresses = BTreeMap<Arc<str>, Option<Timestamp>>;

/// The names of the ready pods in a v1 Endpoints object, which is what Gloo reads.
pub fn ready_addresses(endpoints: &Value) -> BTreeSet<Arc<str>> {
    let subsets = endpoints.get("subsets").and_then(Value::as_array).into_iter().flatten();
    subsets
        .filter_map(|subset| subset.get("addresses")?.as_array())
        .flatten()
        .filter_map(|address| address.get("targetRef")?.get("name")?.as_str())
        .map(Into::into)
        .collect()
}

/// Its `resourceVersion` as a number; what has none is newer than anything.
pub fn version(object: &Value) -> u64 {
    let version = object["metadata"]["resourceVersion"].as_str();
    version.and_then(|version| version.parse().ok()).unwrap_or(u64::MAX)
}

/// Names an object as the API server shows it.
pub fn identify(object: &Value, api_version: &str, kind: &str) -> ObjectId {
    let text = |field: &str| object["metadata"][field].as_str();
    ObjectId::new(api_version, kind, text("namespace"), text("name").unwrap_or_default())
}

/// Its kind, if it is one that decisions look at.
fn kind_of(object: &Value) -> Option<Kind> {
    Kind::of(object["apiVersion"].as_str()?, object["kind"].as_str()?)
}

#[cfg(test)]
mod tests;
