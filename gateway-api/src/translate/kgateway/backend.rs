//! What is wrong with a backend, and the name of its cluster.

use super::super::backends::{self, Backend};
use super::super::findings::Severity;
use super::super::output::Output;
use super::super::reports::Reports;
use super::flat::Flat;
use crate::ResourceRef;
use crate::api::BackendRef;
use crate::code::Code;
use crate::snapshot::Snapshot;

/// The cluster of a port of a Service.
pub(super) fn cluster_name(service: &ResourceRef, port: u16) -> String {
    format!("kube_{}_{}_{port}", service.namespace, service.name)
}

/// Reports what is wrong with the backends of a rule.
pub(super) fn report(
    snapshot: &Snapshot,
    flat: &Flat<'_>,
    backend: &BackendRef,
    reports: &mut Reports,
    output: &mut Output,
) {
    match backends::resolve(snapshot, &flat.reference.namespace, backend) {
        Err((reason, words)) => {
            reports.below(flat.reference, &flat.below).set(
                "ResolvedRefs",
                "False",
                reason,
                words.clone(),
            );
            let code = match reason {
                "InvalidKind" => Code::InvalidBackendKind,
                "RefNotPermitted" => Code::NoGrant,
                _ => Code::MissingBackend,
            };
            output.find(&flat.holder, Severity::RuleError, code, words);
        }
        Ok(Backend::Unknown(object, why)) => {
            let words = format!("{object} {why}: what it answers is not judged");
            output.note(&flat.holder, words);
        }
        Ok(Backend::Service { .. }) => {}
    }
}
