//! Asks both models the same requests.

mod answer;
mod clients;

use std::collections::{BTreeMap, BTreeSet};

use gloo::config::{PathMatch, VirtualHost};
use gloo::{ObjectRef, Request};
use serde_json::Value;

use super::difference::{Difference, Kind, command};
use super::pods::{Group, Pods};
use super::requests::{self, Requests};
use super::source::Sources;
use super::target::Target;
use crate::values::Profile;
use answer::{Answer, Forwarded, Shares, TOLERANCE, same};

/// What the comparison found.
#[derive(Debug, Default)]
pub(super) struct Proof {
    pub(super) requests: usize,
    /// How many are answered otherwise while all pods are ready.
    pub(super) differing: usize,
    /// How many more are while pods are missing.
    pub(super) missing: usize,
    pub(super) is_cut: bool,
    pub(super) differences: Vec<Difference>,
}

/// Compares what Gloo makes of `sources` with what the new gateway makes of `written`.
pub(super) fn prove(sources: &Sources, target: &Target, pods: &Pods, written: &[Value]) -> Proof {
    let mut proof = Proof::default();
    let gateway = ObjectRef::new(
        "Gateway",
        target.gateway.namespace.as_deref().unwrap_or_default(),
        &target.gateway.name,
    );
    let hosts = hosts(sources, pods);
    let environment = target.environment();
    let mut environments = vec![(None, environment)];
    if target.profile == Profile::Portable {
        let other =
            gateway_api::Environment { profile: gateway_api::Profile::EnvoyGateway, ..environment };
        environments = vec![(Some("kgateway"), environment), (Some("envoy-gateway"), other)];
    }
    let asked: Vec<(VirtualHost, Requests)> =
        hosts.into_iter().map(|host| (host.clone(), requests::of_host(&host))).collect();
    proof.requests = asked.iter().map(|(_, requests)| requests.all.len()).sum();
    proof.is_cut = asked.iter().any(|(_, requests)| requests.is_cut);
    for (implementation, environment) in environments {
        let with = |missing| {
            let objects = (environment, written, &gateway);
            Both::new((sources, pods, missing), objects, implementation)
        };
        let all_ready = with(None);
        // Requests that are answered alike while all pods are ready, and which pods answer them. What is answered
        // otherwise anyway is not said again of missing pods.
        let mut alike = Vec::new();
        for (host, requests) in &asked {
            for request in &requests.all {
                match all_ready.compare(host, request) {
                    Compared::Differ(difference) => proof.add(*difference),
                    Compared::Alike(groups) => alike.push((host, request, groups)),
                }
            }
        }
        for (number, group) in pods.versions() {
            // Pods that do not answer a request change nothing when they are missing.
            let concerned = |(.., groups): &(_, _, BTreeSet<usize>)| groups.contains(&number);
            if !alike.iter().any(concerned) {
                continue;
            }
            let both = with(Some(group));
            alike.retain(|it| match concerned(it).then(|| both.compare(it.0, it.1)) {
                Some(Compared::Differ(difference)) => {
                    proof.add(*difference);
                    false
                }
                Some(Compared::Alike(_)) | None => true,
            });
        }
    }
    proof.differences.sort_by_key(|it| (it.kind, it.missing.clone()));
    proof
}

impl Proof {
    fn add(&mut self, difference: Difference) {
        match difference.missing {
            None => self.differing += 1,
            Some(_) => self.missing += 1,
        }
        let same = |known: &&mut Difference| {
            known.kind == difference.kind
                && known.object == difference.object
                && known.missing == difference.missing
                && known.implementation == difference.implementation
                && (difference.kind.is_about_pods() || difference.is_answered_like(known))
        };
        match self.differences.iter_mut().find(same) {
            Some(known) => known.count += 1,
            None => self.differences.push(difference),
        }
    }
}

/// The virtual hosts that are carried over, and one that takes what none of them does.
pub(super) fn hosts(sources: &Sources, pods: &Pods) -> Vec<VirtualHost> {
    let translation = gloo::translate(&pods.gloo(sources, None), &gloo::Memory::default());
    let desired = translation.desired.iter().find(|desired| !desired.tls);
    let mut hosts: Vec<VirtualHost> = desired
        .into_iter()
        .flat_map(|desired| desired.virtual_hosts.iter().map(|host| (**host).clone()))
        .collect();
    hosts
        .push(VirtualHost { domains: vec!["nobody.example".to_owned()], ..VirtualHost::default() });
    hosts
}

/// What a comparison comes to.
pub(super) enum Compared {
    /// Answered alike, by pods of these groups.
    Alike(BTreeSet<usize>),
    /// Answered otherwise.
    Differ(Box<Difference>),
}

/// The two models, with the same pods.
pub(super) struct Both<'a> {
    pods: &'a Pods,
    before: gloo::Translation,
    after: gateway_api::Translation,
    gateway: &'a ObjectRef,
    missing: Option<&'a Group>,
    implementation: Option<&'static str>,
}

impl<'a> Both<'a> {
    /// The models of what is there, with the pods of one group missing, and of what is written.
    pub(super) fn new(
        (sources, pods, missing): (&Sources, &'a Pods, Option<&'a Group>),
        (environment, written, gateway): (gateway_api::Environment, &[Value], &'a ObjectRef),
        implementation: Option<&'static str>,
    ) -> Self {
        let before = gloo::translate(&pods.gloo(sources, missing), &gloo::Memory::default());
        let after = pods.gateway_api(sources, environment, written, gateway, missing);
        let after = gateway_api::translate(&after, &gateway_api::Memory::default());
        Self { pods, before, after, gateway, missing, implementation }
    }

    /// Asks both models a request for this virtual host.
    pub(super) fn compare(&self, host: &VirtualHost, request: &Request) -> Compared {
        let (before, route) = answer::before(&self.before, request);
        let after = answer::after(&self.after, self.gateway, request);
        let Some((kind, was, is)) = self.differs(host, request, &before, &after) else {
            let copies = before.copies.iter().flat_map(|(_, shares)| shares.keys());
            let pods = before.shares.keys().chain(copies);
            return Compared::Alike(pods.filter_map(|pod| self.pods.index_of(pod)).collect());
        };
        let kind = match kind {
            Kind::Unknown => kind,
            _ if request.path.contains("//") => Kind::Slashes,
            Kind::Answer if request.host.contains(':') => Kind::Port,
            Kind::Answer if is_preflight(request) && is.as_str() == PREFLIGHT => Kind::Preflight,
            kind => kind,
        };
        Compared::Differ(Box::new(Difference {
            kind,
            next: kind.next(),
            request: command(request),
            before: was,
            after: is,
            missing: self.missing.map(|group| group.name.clone()),
            object: route.map(|route| route.holder.to_string()),
            implementation: self.implementation,
            count: 1,
            accepted: false,
        }))
    }

    fn differs(
        &self,
        host: &VirtualHost,
        request: &Request,
        before: &Answer,
        after: &Answer,
    ) -> Option<(Kind, String, String)> {
        if !before.is_known || !after.is_known {
            return Some((Kind::Unknown, self.shown(&before.shares), self.shown(&after.shares)));
        }
        if !same(&before.shares, &after.shares) {
            let kind = match self.missing {
                Some(_) => Kind::MissingPods,
                None if is_redirect(&before.shares, &after.shares) => Kind::Location,
                None if is_by_letters(host, request) => Kind::PrefixByElement,
                None => Kind::Answer,
            };
            return Some((kind, self.shown(&before.shares), self.shown(&after.shares)));
        }
        for one in &before.forwarded {
            for other in &after.forwarded {
                let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
                if one.path != other.path {
                    return Some((Kind::Path, one.path.clone(), other.path.clone()));
                }
                if one.host.is_some() && one.host != other.host {
                    return Some((Kind::Host, text(&one.host), text(&other.host)));
                }
                if one.timeout != other.timeout {
                    let shown = |it: &Forwarded| format!("{} ms", it.timeout);
                    return Some((Kind::Timeout, shown(one), shown(other)));
                }
                if one.headers != other.headers {
                    return Some((Kind::Headers, text(&one.headers), text(&other.headers)));
                }
            }
        }
        let comes_from_pods = !before.forwarded.is_empty();
        if let Some((was, is)) = clients::differing(&before.edits, &after.edits, comes_from_pods) {
            return Some((Kind::ResponseHeaders, was, is));
        }
        let copies = |answer: &Answer| {
            let shown = answer
                .copies
                .iter()
                .map(|(share, shares)| format!("{} of {} %", self.shown(shares), share * 100.0));
            shown.collect::<Vec<_>>().join(", ")
        };
        let is_same =
            before.copies.len() == after.copies.len()
                && before.copies.iter().zip(&after.copies).all(|(one, other)| {
                    (one.0 - other.0).abs() < TOLERANCE && same(&one.1, &other.1)
                });
        (!is_same).then(|| (Kind::Copies, copies(before), copies(after)))
    }

    /// For example `version=v1 50 %, version=v2 50 %`.
    fn shown(&self, shares: &Shares) -> String {
        let mut named: BTreeMap<&str, f64> = BTreeMap::new();
        for (words, share) in shares {
            *named.entry(self.pods.group_of(words).unwrap_or(words)).or_default() += share;
        }
        if named.is_empty() {
            return "nobody knows".to_owned();
        }
        let percent = |share: f64| (share * 10_000.0).round() / 100.0;
        let words = named.iter().map(|(name, share)| match percent(*share) {
            100.0 => (*name).to_owned(),
            percent => format!("{name} {percent} %"),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// What a gateway answers a preflight request with.
const PREFLIGHT: &str = "200";

/// Whether a browser asks whether it may send another request.
fn is_preflight(request: &Request) -> bool {
    request.method == "OPTIONS"
        && request.headers.iter().any(|(name, _)| name == "access-control-request-method")
}

/// Whether both are redirects with the same status.
fn is_redirect(before: &Shares, after: &Shares) -> bool {
    let status = |shares: &Shares| -> Option<String> {
        let (words, _) = shares.first_key_value().filter(|_| shares.len() == 1)?;
        words.split_once(" to ").map(|(status, _)| status.to_owned())
    };
    status(before).is_some_and(|one| Some(one) == status(after))
}

/// Whether a prefix takes the path by its letters and not by its elements, or the other way round.
fn is_by_letters(host: &VirtualHost, request: &Request) -> bool {
    let path = request.path.split('?').next().unwrap_or_default();
    host.routes.iter().any(|route| {
        let Some(PathMatch::Prefix(prefix)) = &route.matcher.path else { return false };
        let plain = prefix.strip_suffix('/').unwrap_or(prefix);
        let rest = path.strip_prefix(plain);
        let by_element = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        path.starts_with(prefix.as_str()) != by_element
    })
}
