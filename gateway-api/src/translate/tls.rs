//! Whether a listener has a certificate.

use super::conditions::Conditions;
use super::grants;
use crate::ResourceRef;
use crate::api::{CertificateRef, ListenerSpec};
use crate::snapshot::{Secret, Snapshot};

/// Says whether the listener can be served as far as certificates go, and what its status says otherwise (cases
/// 07-https, 07-https-missing-secret).
pub(super) fn check(
    snapshot: &Snapshot,
    namespace: &str,
    spec: &ListenerSpec,
    conditions: &mut Conditions,
) -> bool {
    let envoy_gateway = snapshot.environment.profile.is_envoy_gateway();
    if spec.protocol != "HTTPS" {
        return true;
    }
    let references =
        spec.tls.as_ref().map(|tls| tls.certificate_refs.as_slice()).unwrap_or_default();
    let faults: Vec<(&str, String)> =
        references.iter().filter_map(|reference| fault(snapshot, namespace, reference)).collect();
    if faults.is_empty() && !references.is_empty() {
        return true;
    }
    let permitted = faults.iter().any(|(reason, _)| *reason != "RefNotPermitted");
    let reason =
        if permitted || faults.is_empty() { "InvalidCertificateRef" } else { "RefNotPermitted" };
    let words: Vec<&str> = faults.iter().map(|(_, words)| words.as_str()).collect();
    let words = words.join(" ");
    if faults.len() < references.len() {
        // Some can be used: the listener is served with these.
        let partial = if envoy_gateway { "PartiallyInvalidCertificateRef" } else { reason };
        conditions.set("ResolvedRefs", "False", partial, words.clone());
        let kept = if envoy_gateway { ["Accepted", "Programmed"] } else { ["Invalid"; 2] };
        for (kind, reason) in ["Accepted", "Programmed"].into_iter().zip(kept) {
            conditions.set(kind, "True", reason, words.clone());
        }
        return true;
    }
    if envoy_gateway {
        conditions.set("ResolvedRefs", "False", reason, words);
        let invalid = "Listener is invalid, see other Conditions for details.";
        conditions.set("Programmed", "False", "Invalid", invalid);
        if reason == "InvalidCertificateRef" {
            conditions.set("Accepted", "True", "Accepted", "");
        }
    } else {
        conditions.set("ResolvedRefs", "False", reason, words.clone());
        conditions.set("Accepted", "False", "Invalid", words.clone());
        conditions.set("Programmed", "False", "Invalid", words);
    }
    false
}

fn fault(
    snapshot: &Snapshot,
    namespace: &str,
    reference: &CertificateRef,
) -> Option<(&'static str, String)> {
    let CertificateRef { group, kind, namespace: other, name } = reference;
    let target = other.as_deref().unwrap_or(namespace);
    if !group.is_empty() || kind != "Secret" {
        return Some(("InvalidCertificateRef", format!("{kind} {target}/{name} is no Secret.")));
    }
    if !grants::permits(snapshot, ("Gateway", namespace), ("", "Secret", target, name)) {
        return Some(("RefNotPermitted", "Reference not permitted by ReferenceGrant.".into()));
    }
    match snapshot.secrets.get(&ResourceRef::new(target, name)).map(|it| **it) {
        Some(Secret::Certificate) => None,
        Some(Secret::Broken | Secret::Users | Secret::Other) => {
            Some(("InvalidCertificateRef", format!("invalid TLS secret {target}/{name}.")))
        }
        // A Secret that nobody has read is taken to be there.
        None if !snapshot.is_complete("Secret") => None,
        None => Some(("InvalidCertificateRef", format!("Secret {target}/{name} not found."))),
    }
}
