//! From `sslConfig`s to filter chains with TLS.

use std::sync::Arc;

use super::findings::Remark;
use super::mistake::Mistake;
use super::view::{Presence, View};
use crate::api::{AddressRange, ObjectRef, ResourceRef, SslConfig};
use crate::code::Code;
use crate::config::{Chain, Serves, Tls};
use crate::secret::Secret;

/// Filter chains, and what is wrong with them.
#[derive(Default)]
pub(super) struct Chains {
    pub(super) chains: Vec<Holding>,
    /// Errors of the listener.
    pub(super) errors: Vec<Mistake>,
    /// Warnings of the listener.
    pub(super) warnings: Vec<Mistake>,
    /// With the objects they are about; none means the Gateway.
    pub(super) notes: Vec<(Vec<Arc<ObjectRef>>, Remark)>,
}

/// A filter chain and the objects it is made of.
pub(super) struct Holding {
    pub(super) chain: Chain,
    pub(super) holders: Vec<Arc<ObjectRef>>,
    /// Envoy waits for a certificate that nobody sends.
    pub(super) waits: bool,
}

/// Why a certificate cannot be used.
pub(super) enum Fault {
    /// The Secret is not there; Settings may make a warning of it.
    Missing(Mistake),
    Error(Mistake),
}

/// One chain for all configurations that are equal but for their names; the others of their own.
/// Chains without a certificate are left out (gloo-conformance cases 18-no-sni, 18-secret-missing).
pub(super) fn chains(
    configs: &[(Arc<ResourceRef>, Arc<SslConfig>)],
    sources: &[AddressRange],
    routes: &str,
    view: &View,
    warns_of_missing: bool,
) -> Chains {
    let mut out = Chains::default();
    for (config, holders) in merge(configs) {
        let mut notes = Vec::new();
        let certificate = certificate(&config, view, &mut notes);
        out.notes.extend(notes.into_iter().map(|note| (holders.clone(), note)));
        match certificate {
            Ok(secret) => {
                let waits = config.sds.is_some() && view.environment.nothing_outside;
                let server_names = config.sni_domains.clone();
                let tls = Some(Tls { config: Arc::new(config), secret });
                let serves = Serves::Routes(routes.to_owned());
                let chain = Chain { server_names, sources: sources.to_vec(), tls, serves };
                out.chains.push(Holding { chain, holders, waits });
            }
            Err(Fault::Missing(mistake)) if warns_of_missing => out.warnings.push(mistake),
            Err(Fault::Missing(mistake) | Fault::Error(mistake)) => out.errors.push(mistake),
        }
    }
    out
}

/// Those that differ in their names only become one; where one of them has none, it is for any name.
fn merge(configs: &[(Arc<ResourceRef>, Arc<SslConfig>)]) -> Vec<(SslConfig, Vec<Arc<ObjectRef>>)> {
    let mut merged: Vec<(SslConfig, Vec<Arc<ObjectRef>>)> = Vec::new();
    for (name, config) in configs {
        let holder = Arc::new(ObjectRef::new("VirtualService", &name.namespace, &name.name));
        let Some((known, holders)) =
            merged.iter_mut().find(|(known, _)| known.same_but_names(config))
        else {
            merged.push((SslConfig::clone(config), vec![holder]));
            continue;
        };
        holders.push(holder);
        if known.sni_domains.is_empty() || config.sni_domains.is_empty() {
            known.sni_domains.clear();
            continue;
        }
        for domain in &config.sni_domains {
            if !known.sni_domains.contains(domain) {
                known.sni_domains.push(domain.clone());
            }
        }
    }
    merged
}

/// The Secret with the certificate that a configuration names, where it is one and is known.
///
/// # Errors
/// There is none that can be used (gloo-conformance cases 18-secret-bad, 18-files-and-sds).
pub(super) fn certificate(
    config: &SslConfig,
    view: &View,
    notes: &mut Vec<Remark>,
) -> Result<Option<(ResourceRef, Secret)>, Fault> {
    let mut root = config.ssl_files.as_ref().is_some_and(|files| !files.root_ca.is_empty());
    let secret = match (&config.secret_ref, &config.ssl_files, &config.sds) {
        (Some(reference), ..) => {
            let secret = of_secret(reference, view)?;
            root = match &secret {
                Some(Secret::Tls { root, .. }) => !root.is_empty(),
                Some(_) => false,
                None => {
                    notes.push(Remark::not_read("Secret", reference));
                    true
                }
            };
            secret.map(|secret| (reference.clone(), secret))
        }
        (None, Some(_), _) if view.environment.nothing_outside => {
            let words = "Invalid TLS secret: tls: failed to find any PEM data in certificate input";
            return Err(Fault::Error(Mistake::new(Code::InvalidTls, words)));
        }
        (None, Some(_), _) => {
            notes.push("the files of sslConfig.sslFiles were not looked at".into());
            None
        }
        (None, None, Some(sds)) => {
            notes.push(
                "whether a server sends the certificate of sslConfig.sds is not known".into(),
            );
            root |= sds.contains_key("validationContextName");
            None
        }
        (None, None, None) => {
            let mistake = Mistake::new(Code::InvalidTls, "no certificate information found");
            return Err(Fault::Error(mistake));
        }
    };
    check_names(config, root)?;
    Ok(secret)
}

/// # Errors
/// Names are to be looked at in certificates that nobody has to have signed.
pub(super) fn check_names(config: &SslConfig, root: bool) -> Result<(), Fault> {
    if config.verify_subject_alt_name.is_empty() || root {
        return Ok(());
    }
    let words = "a root_ca must be provided if verify_subject_alt_name is not empty";
    Err(Fault::Error(Mistake::new(Code::InvalidTls, words)))
}

/// The Secret of TLS; `None`: nobody knows.
///
/// # Errors
/// It is not there, or not for TLS. A reference without a namespace is to none.
pub(super) fn of_secret(reference: &ResourceRef, view: &View) -> Result<Option<Secret>, Fault> {
    let ResourceRef { name, namespace } = reference;
    let named = match namespace.as_str() {
        "" => format!("name:{name:?}"),
        namespace => format!("name:{name:?} namespace:{namespace:?}"),
    };
    match view.secret(reference) {
        Presence::Present(Secret::Other) => {
            let words = format!("{named} is not a TLS secret");
            Err(Fault::Error(Mistake::new(Code::InvalidTls, words)))
        }
        Presence::Present(Secret::Broken(reason)) => {
            let words = format!("{named} is not a valid TLS secret: {reason}");
            Err(Fault::Error(Mistake::new(Code::InvalidTls, words)))
        }
        Presence::Present(secret) => Ok(Some(secret.clone())),
        Presence::Unknown if !namespace.is_empty() => Ok(None),
        Presence::Absent | Presence::Unknown => {
            let key = reference.key();
            let words = format!("SSL secret not found: list did not find secret {key}");
            Err(Fault::Missing(Mistake::new(Code::MissingSecret, words)))
        }
    }
}

/// Chains that take the very same connections (gloo-conformance cases 17-hybrid-matched, 18-no-sni,
/// 18-sni-overlap step 3).
pub(super) fn duplicates(chains: &[Holding]) -> Vec<Mistake> {
    let mut found = Vec::new();
    for (index, one) in chains.iter().enumerate() {
        for other in &chains[index + 1..] {
            let (one, other) = (&one.chain, &other.chain);
            let same = one.server_names == other.server_names
                && one.sources == other.sources
                && one.tls.is_some() == other.tls.is_some();
            if same {
                let words = format!(
                    "Tried to apply multiple filter chains with the same FilterChainMatch {{{}}}. This \
                     is usually caused by overlapping sniDomains or multiple empty sniDomains in \
                     virtual services",
                    printed(one)
                );
                found.push(Mistake::new(Code::SameServerNames, words));
            }
        }
    }
    found
}

/// The match of a chain as Go prints it.
fn printed(chain: &Chain) -> String {
    if chain.tls.is_none() && chain.server_names.is_empty() && chain.sources.is_empty() {
        return "<nil>".into();
    }
    let sources = chain.sources.iter().map(|range| {
        let length = range.prefix_len.map(|bits| format!(" prefix_len:{{value:{bits}}}"));
        let AddressRange { address_prefix, .. } = range;
        let length = length.unwrap_or_default();
        format!("source_prefix_ranges:{{address_prefix:{address_prefix:?}{length}}}")
    });
    let names = chain.server_names.iter().map(|name| format!("server_names:{name:?}"));
    sources.chain(names).collect::<Vec<_>>().join(" ")
}
