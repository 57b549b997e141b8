//! What the Envoys make of what they are sent.
//!
//! Envoy takes a route configuration, or leaves it and goes on with the one it has. Clusters and their endpoints
//! arrive all the same (case 07-freeze-and-canary).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::envoys::{Envoy, Envoys, Refused};
use super::findings::{Finding, Severity};
use super::memory::Memory;
use super::output::Output;
use super::refusal;
use super::translation::{Desired, Translation};
use crate::snapshot::Snapshot;

/// Lets the Envoys take what they are sent, writes the statuses and remembers.
pub(super) fn settle(snapshot: &Snapshot, memory: &Memory, output: Output) -> Translation {
    let Output { gateways, listeners, routes, clusters, statuses, wanted, mut findings, mut notes } =
        output;
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
        if let Some(envoy) = envoys.get_mut(&listener.gateway) {
            envoy.listeners.push(listener);
        }
    }
    let mut desired = Vec::new();
    // The Gateways whose Envoys are sent nothing at all.
    let mut held = BTreeSet::new();
    for configuration in routes {
        desired.push(Desired {
            gateway: Arc::clone(&configuration.gateway),
            routes: configuration.name.clone(),
            virtual_hosts: configuration.virtual_hosts.clone(),
        });
        let refusals = refusal::refusals(&configuration, profile);
        let is_held =
            profile.is_envoy_gateway() && refusals.iter().any(|it| it.words == refusal::EMPTY);
        if is_held {
            held.insert(Arc::clone(&configuration.gateway));
        } else if let Some(first) = refusals.first() {
            refused.push(Refused {
                gateway: Arc::clone(&configuration.gateway),
                kind: "RouteConfiguration",
                name: configuration.name.clone(),
                words: first.words.clone(),
            });
        }
        let taken = match refusals.is_empty() {
            true => Some(configuration.clone()),
            false => memory.envoys.0.get(&configuration.gateway).and_then(|envoy| {
                envoy.routes.iter().find(|known| known.name == configuration.name).cloned()
            }),
        };
        findings.extend(refusals.into_iter().map(|refusal| Finding {
            object: refusal.object,
            severity: Severity::Refused,
            words: refusal.words,
            code: refusal.code,
            gateway: Some(Arc::clone(&configuration.gateway)),
        }));
        if let Some(envoy) = envoys.get_mut(&configuration.gateway) {
            envoy.routes.extend(taken);
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
