//! Who owns a domain.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mistake::Mistake;
use super::proxy::ProxyVirtualHost;
use super::reports::Reports;
use super::view::Seen;
use crate::api::{ObjectRef, ResourceRef, VirtualServiceSpec};
use crate::code::Code;

/// A domain written in two VirtualServices, or twice in one, rejects them and the Gateway: then the
/// whole listener keeps its last version (gloo-conformance case 12-domains-duplicate).
pub(super) fn check_written(
    gateway: &ObjectRef,
    chosen: &[Arc<ResourceRef>],
    virtual_services: &Seen<VirtualServiceSpec>,
    reports: &mut Reports,
) {
    let mut owners: BTreeMap<&str, Vec<&ResourceRef>> = BTreeMap::new();
    for reference in chosen {
        let object = ObjectRef::new("VirtualService", &reference.namespace, &reference.name);
        let Some(host) = &virtual_services[reference].spec.virtual_host else {
            let name = reference.key();
            let words = format!("virtual service [{name}] does not specify a virtual host");
            reports.warning(&object, Mistake::new(Code::NoVirtualHost, words));
            continue;
        };
        if host.domains.is_empty() {
            owners.entry("").or_default().push(reference);
        }
        for domain in &host.domains {
            owners.entry(domain).or_default().push(reference);
        }
    }
    owners.retain(|_, owners| owners.len() > 1);
    for (domain, owners) in &owners {
        for (index, owner) in owners.iter().enumerate() {
            let others = owners.iter().enumerate().filter(|(other, _)| *other != index);
            let others: Vec<String> = others.map(|(_, owner)| owner.key()).collect();
            let object = ObjectRef::new("VirtualService", &owner.namespace, &owner.name);
            let words = conflict(domain, &others.join(" "));
            reports.error(&object, Mistake::new(Code::DuplicateDomain, words));
        }
    }
    if !owners.is_empty() {
        let name =
            |domain: &&str| if domain.is_empty() { "EMPTY_DOMAIN" } else { domain }.to_owned();
        let domains: Vec<String> = owners.keys().map(name).collect();
        let words = format!(
            "domain conflict: the following domains are present in more than one of the virtual \
             services associated with this gateway: [{}]",
            domains.join(" ")
        );
        reports.error(gateway, Mistake::new(Code::DuplicateDomain, words));
    }
}

fn conflict(domain: &str, others: &str) -> String {
    if domain.is_empty() {
        return format!(
            "domain conflict: other virtual services that belong to the same Gateway as this one \
             don't specify a domain (and thus default to '*'): [{others}]"
        );
    }
    format!(
        "domain conflict: the [{domain}] domain is present in other virtual services that belong to \
         the same Gateway as this one: [{others}]"
    )
}

/// Errors per virtual host: an empty domain, and a domain that several have, where no domain means `*`.
pub(super) fn check_resolved(hosts: &[Arc<ProxyVirtualHost>]) -> Vec<Vec<Mistake>> {
    let mut errors = vec![Vec::new(); hosts.len()];
    let mut owners: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, host) in hosts.iter().enumerate() {
        if host.domains.is_empty() {
            owners.entry("*").or_default().push(index);
        }
        for domain in &host.domains {
            if domain.is_empty() {
                let words = format!(
                    "VirtualHost Error: EmptyDomainError. Reason: virtual host {} has an empty domain",
                    host.name()
                );
                errors[index].push(Mistake::new(Code::InvalidDomain, words));
            }
            owners.entry(domain).or_default().push(index);
        }
    }
    for (domain, owners) in owners.into_iter().filter(|(_, owners)| owners.len() > 1) {
        let names: Vec<String> = owners.iter().map(|&index| hosts[index].name()).collect();
        let words = format!(
            "VirtualHost Error: DomainsNotUniqueError. Reason: domain {domain} is shared by the \
             following virtual hosts: [{}]",
            names.join(" ")
        );
        let mistake = Mistake::new(Code::DuplicateDomain, words);
        owners.iter().for_each(|&index| errors[index].push(mistake.clone()));
    }
    errors
}
