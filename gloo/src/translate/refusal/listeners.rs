//! What Envoy refuses in listeners.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::findings::{Finding, Severity};
use super::super::listeners::Made;
use super::super::mistake::Mistake;
use crate::api::{ObjectRef, SslConfig};
use crate::code::Code;
use crate::config::{Chain, RouteConfiguration};
use crate::environment::Environment;

/// Ciphers up to TLS 1.2 that Envoy 1.40 knows.
const CIPHERS: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-PSK-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-PSK-AES128-CBC-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-PSK-AES256-CBC-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "PSK-AES128-CBC-SHA",
    "PSK-AES256-CBC-SHA",
    "DES-CBC3-SHA",
];

/// Curves that Envoy 1.40 knows.
const CURVES: &[&str] =
    &["X25519", "P-224", "P-256", "P-384", "P-521", "X25519MLKEM768", "X25519Kyber768Draft00"];

/// Why Envoy refuses the listener, if it does; also a filter that a plain Envoy does not have, as for
/// the `functions` of some Upstream (gloo-conformance cases 18-sni-overlap, 19-transformations, 20-aws).
pub(in super::super) fn of_listener(
    made: &Made,
    routes: &[RouteConfiguration],
    functions: bool,
    environment: Environment,
) -> Vec<Finding> {
    let listener = &made.listener;
    let mut found = Vec::new();
    let mut add = |holders: &[Arc<ObjectRef>], mistake: Mistake| {
        let gateway = [Arc::clone(&listener.gateway)];
        let holders = if holders.is_empty() { &gateway } else { holders };
        for holder in holders {
            let finding = Finding::new(holder, Severity::Refused, mistake.clone());
            found.push(Finding { gateway: Some(Arc::clone(&listener.gateway)), ..finding });
        }
    };
    for (index, chain) in listener.chains.iter().enumerate() {
        for (other, behind) in listener.chains.iter().enumerate().skip(index + 1) {
            if overlap(chain, behind) {
                let words = format!(
                    "error adding listener '{}:{}': multiple filter chains with overlapping matching \
                     rules are defined",
                    listener.address, listener.port
                );
                let holders: BTreeSet<Arc<ObjectRef>> =
                    made.holders[index].iter().chain(&made.holders[other]).cloned().collect();
                let holders: Vec<_> = holders.into_iter().collect();
                add(&holders, Mistake::new(Code::SameServerNames, words));
            }
        }
        let holders = &made.holders[index];
        let partial = |name: &&String| name.contains('*') && !is_wildcard(name);
        if let Some(name) = chain.server_names.iter().find(partial) {
            let words = format!("partial wildcards are not supported in \"server_names\": {name}");
            add(holders, Mistake::new(Code::InvalidTls, words));
        }
        if let Some(words) = chain.tls.as_ref().and_then(|tls| of_parameters(&tls.config)) {
            add(holders, Mistake::new(Code::InvalidTls, words));
        }
    }
    if environment.plain_envoy {
        let own = routes.iter().filter(|it| {
            it.proxy == listener.proxy && it.name.starts_with(&format!("{}-routes", listener.name))
        });
        let transforms =
            own.flat_map(|it| &it.virtual_hosts).any(|host| host.transforms_anything());
        let filters = [("io.solo.transformation", transforms), ("io.solo.aws_lambda", functions)];
        for (filter, _) in filters.iter().filter(|(_, used)| *used) {
            let words = format!("Didn't find a registered implementation for '{filter}'");
            add(&[], Mistake::new(Code::MissingFilter, words));
        }
    }
    found
}

/// A whole label in place of a star.
fn is_wildcard(name: &str) -> bool {
    name.strip_prefix("*.").is_some_and(|rest| !rest.contains('*'))
}

/// Whether some connection fits both equally well.
fn overlap(one: &Chain, other: &Chain) -> bool {
    let names = match (one.server_names.is_empty(), other.server_names.is_empty()) {
        (true, true) => true,
        (false, false) => one.server_names.iter().any(|name| other.server_names.contains(name)),
        _ => false,
    };
    let sources = match (one.sources.is_empty(), other.sources.is_empty()) {
        (true, true) => true,
        (false, false) => one.sources.iter().any(|range| other.sources.contains(range)),
        _ => false,
    };
    names && sources
}

/// Why Envoy refuses versions and ciphers, if it does.
pub(super) fn of_parameters(config: &SslConfig) -> Option<String> {
    let parameters = config.parameters.as_ref()?;
    let each = |list: &'_ [String]| -> Vec<String> {
        let entries = list.iter().flat_map(|entry| {
            entry.trim_start_matches(['[', '-', '+', '!']).trim_end_matches(']').split('|')
        });
        entries.map(str::to_owned).collect()
    };
    let cipher = each(&parameters.cipher_suites);
    if let Some(cipher) = cipher.iter().find(|cipher| !CIPHERS.contains(&cipher.as_str())) {
        return Some(format!("Failed to initialize cipher suites: {cipher} was rejected"));
    }
    let curves = each(&parameters.ecdh_curves);
    let curve = curves.iter().find(|curve| !CURVES.contains(&curve.as_str()))?;
    Some(format!("Failed to initialize ECDH curves: {curve}"))
}
