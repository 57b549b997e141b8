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
        let present = reports.parents(&object.resource());
        all.filter(|parent| !present.iter().any(|it| is_same(&parent.parent, it)))
            .for_each(|parent| output.below(object, parent));
    }
    let assumed = [("ResolvedRefs", "ResolvedRefs"), ("Accepted", "Accepted")];
    reports.write(snapshot, &assumed, |_, _, _| true, output);
}

/// Whether Envoy Gateway takes two parents for one, so that what is said below the later replaces the earlier: the port
/// counts only together with a section (case 07-allowed).
fn is_same(a: &str, b: &str) -> bool {
    let without_port = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
    match (a.contains('#'), b.contains('#')) {
        (false, false) => without_port(a) == without_port(b),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn the_port_of_a_parent_counts_with_a_section_alone() {
        for (a, b, same) in [
            ("Gateway i/e", "Gateway i/e", true),
            ("Gateway i/e", "Gateway i/e:80", true),
            ("Gateway i/e:81", "Gateway i/e:80", true),
            ("Gateway i/e#s:81", "Gateway i/e#s:80", false),
            ("Gateway i/e#s", "Gateway i/e", false),
            ("Gateway i/e", "Gateway i/f", false),
        ] {
            assert_eq!(is_same(a, b), same, "{a} {b}");
        }
    }
}
