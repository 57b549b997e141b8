//! Statuses as Envoy Gateway writes them.

use super::super::memory::Memory;
use super::super::output::Output;
use super::super::reports::Reports;
use crate::snapshot::Snapshot;

/// Writes the statuses of the routes. What stands below a parent that a route has left stays (cases
/// 07-two-gateways step 3, 08-attach-detach).
pub(super) fn write_routes(
    reports: Reports,
    snapshot: &Snapshot,
    memory: &Memory,
    output: &mut Output,
) {
    for object in memory.statuses.keys().filter(|object| object.kind == "HTTPRoute") {
        let status = memory.status(snapshot, object).into_iter();
        let all = status.flat_map(|status| status.parents.iter().cloned());
        all.for_each(|parent| output.below(object, parent));
    }
    let assumed = [("ResolvedRefs", "ResolvedRefs"), ("Accepted", "Accepted")];
    reports.write(snapshot, &assumed, |_, _, _| true, output);
}
