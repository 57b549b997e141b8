//! What the Envoys make of what they are sent.
//!
//! Envoy takes a route configuration, or leaves it and goes on with the one it has. Clusters and their endpoints
//! arrive all the same (case 07-freeze-and-canary).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::envoys::{Envoy, Envoys, Refused};
use super::findings::{Finding, Note, Severity};
use super::memory::Memory;
use super::output::Output;
use super::refusal;
use super::translation::{Desired, Translation};
use crate::ObjectRef;
use crate::code::Code;
use crate::config::{Listener, RouteConfiguration};
use crate::snapshot::Snapshot;

/// Lets the Envoys take what they are sent, writes the statuses and remembers.
pub(super) fn settle(snapshot: &Snapshot, memory: &Memory, output: Output) -> Translation {
    let Output {
        gateways,
        listeners,
        routes,
        clusters,
        statuses,
        wanted,
        mut findings,
        mut notes,
        ..
    } = output;
    let profile = snapshot.environment.profile;
    let mut refused = Vec::new();
    let mut envoys = BTreeMap::new();
    for gateway in &gateways {
        envoys.insert(
            Arc::clone(gateway),
            Envoy { clusters: Arc::clone(&clusters), ..Envoy::default() },
        );
    }
    for listener in listeners {
        let Some(envoy) = envoys.get_mut(&listener.gateway) else { continue };
        let Some(policy) = without_keys(&listener) else {
            envoy.listeners.push(listener);
            continue;
        };
        // Envoy keeps the listener that it has, and lets requests through that the policy was to stop (case 09-jwt-keys).
        let known = memory.envoys.0.get(&listener.gateway);
        let known = known.into_iter().flat_map(|envoy| &envoy.listeners);
        envoy.listeners.extend(known.filter(|known| known.name == listener.name).cloned());
        let words = "Jwks doesn't have any valid public key";
        findings.push(Finding {
            object: policy,
            severity: Severity::Refused,
            words: words.into(),
            code: Code::InvalidPolicy,
            gateway: Some(Arc::clone(&listener.gateway)),
        });
        refused.push(Refused {
            gateway: listener.gateway,
            kind: "Listener",
            name: listener.name,
            words: words.into(),
        });
    }
    let mut desired = Vec::new();
    // The Gateways whose Envoys are sent nothing at all.
    let mut held = BTreeSet::new();
    // By Gateway, what is new and is not refused.
    let mut good: BTreeMap<Arc<ObjectRef>, BTreeMap<String, RouteConfiguration>> = BTreeMap::new();
    let mut names: BTreeMap<Arc<ObjectRef>, Vec<String>> = BTreeMap::new();
    for configuration in routes {
        let RouteConfiguration { gateway, name, virtual_hosts } = &configuration;
        desired.push(Desired {
            gateway: Arc::clone(gateway),
            routes: name.clone(),
            virtual_hosts: virtual_hosts.clone(),
        });
        names.entry(Arc::clone(gateway)).or_default().push(name.clone());
        let refusals = refusal::refusals(&configuration, profile);
        let is_held =
            profile.is_envoy_gateway() && refusals.iter().any(|it| it.words == refusal::EMPTY);
        if is_held {
            held.insert(Arc::clone(gateway));
        } else if let Some(first) = refusals.first() {
            refused.push(Refused {
                gateway: Arc::clone(gateway),
                kind: "RouteConfiguration",
                name: name.clone(),
                words: first.words.clone(),
            });
        }
        if refusals.is_empty() {
            let good = good.entry(Arc::clone(gateway)).or_default();
            good.insert(name.clone(), configuration.clone());
        }
        findings.extend(refusals.into_iter().map(|refusal| Finding {
            object: refusal.object,
            severity: Severity::Refused,
            words: refusal.words,
            code: refusal.code,
            gateway: Some(Arc::clone(&configuration.gateway)),
        }));
    }
    for (gateway, names) in &names {
        let Some(envoy) = envoys.get_mut(gateway) else { continue };
        let known = memory.envoys.0.get(gateway);
        envoy.ask(known, &listened(envoy, names));
        let mut good = good.remove(gateway).unwrap_or_default();
        if names.len() > good.len() && names.len() > 1 {
            notes.push(beside(gateway));
        }
        if !profile.is_envoy_gateway() {
            // Envoy goes through the answer from what it asked for last to what it asked for first, and stops at what it
            // refuses (case 08-freeze-of-two-ports).
            let mut asked = envoy.asked.iter().rev();
            if let Some(bad) = asked.find(|name| !good.contains_key(*name)).cloned() {
                let first = envoy.asked.iter().position(|name| *name == bad).unwrap_or_default();
                good.retain(|name, _| envoy.asked[first..].contains(name));
            }
        }
        let known = known.map(|envoy| envoy.routes.as_slice()).unwrap_or_default();
        for name in names {
            let old = || known.iter().find(|old| old.name == *name).cloned();
            envoy.routes.extend(good.remove(name).or_else(old));
        }
    }
    let mut published = memory.published.clone();
    for (gateway, envoy) in &mut envoys {
        match held.contains(gateway) {
            true => {
                let known = [&memory.envoys, &memory.published];
                let known = known.iter().find_map(|envoys| envoys.0.get(gateway).cloned());
                *envoy = known.unwrap_or_default();
                refused.retain(|refused: &Refused| refused.gateway != *gateway);
            }
            false => drop(published.0.insert(Arc::clone(gateway), envoy.clone())),
        }
    }
    published.0.retain(|gateway, _| envoys.contains_key(gateway));
    // The Envoy of a Gateway that is gone goes on with kgateway, and loses its listeners with Envoy Gateway (case
    // 08-delete-gateway).
    if !profile.is_envoy_gateway() {
        for (gateway, envoy) in &memory.envoys.0 {
            envoys.entry(Arc::clone(gateway)).or_insert_with(|| envoy.clone());
        }
    }
    findings.sort();
    findings.dedup();
    notes.sort();
    notes.dedup();
    let statuses = Arc::new(statuses);
    let made =
        statuses.keys().filter_map(|it| Some((it.clone(), snapshot.created(it)?.to_owned())));
    let made = Arc::new(made.collect());
    Translation {
        listeners: envoys.values().flat_map(|envoy| envoy.listeners.clone()).collect(),
        routes: envoys.values().flat_map(|envoy| envoy.routes.clone()).collect(),
        clusters: envoys
            .iter()
            .map(|(gateway, envoy)| (Arc::clone(gateway), Arc::clone(&envoy.clusters)))
            .collect(),
        statuses: Arc::clone(&statuses),
        refused,
        desired,
        findings,
        notes,
        memory: Memory { envoys: Envoys(envoys), published, statuses, made, wanted },
    }
}

/// The names of route configurations in the order of the listeners that name them, others behind.
fn listened<'a>(envoy: &Envoy, names: &'a [String]) -> Vec<&'a String> {
    let chains = envoy.listeners.iter().flat_map(|listener| &listener.chains);
    let place = |name: &String| {
        chains.clone().position(|chain| chain.routes == *name).unwrap_or(usize::MAX)
    };
    let mut all: Vec<&String> = names.iter().collect();
    all.sort_by_key(|name| place(name));
    all
}

/// Says that a refusal may reach further.
fn beside(gateway: &Arc<ObjectRef>) -> Note {
    let words = "Envoy may also leave route configurations as they are that were sent together with the one that it \
                 refuses; which, depends on when it asked for them, and is not judged after it was started again";
    let gateway_of = Some(Arc::clone(gateway));
    Note { object: Arc::clone(gateway), words: words.into(), gateway: gateway_of, unread: None }
}

/// A policy that has a listener ask for tokens without a key.
fn without_keys(listener: &Listener) -> Option<Arc<ObjectRef>> {
    let mut all = listener.chains.iter().flat_map(|chain| &chain.tokens);
    let broken = all.find(|it| it.providers.iter().any(|provider| !provider.has_keys))?;
    broken.policy.clone()
}
