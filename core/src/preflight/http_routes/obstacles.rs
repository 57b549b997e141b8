//! What is wrong in the cluster and keeps changes of HTTPRoutes from reaching Envoy.

use std::collections::BTreeSet;
use std::sync::Arc;

use gateway_api::{ObjectRef, Severity};

use super::super::change::Change;
use super::super::regressions::on_one_line;
use super::claims::holders;
use super::findings::counting;
use super::world::World;
use crate::reason::Blocker;

/// Why what the change does to HTTPRoutes would not reach Envoy: a Gateway that serves them, or that sends requests to a
/// Service which goes, takes no change of anybody. What the change puts right itself does not count.
pub(super) fn before(base: &World, last: &World, change: &Change) -> Option<Blocker> {
    let own = &change.http_routes;
    let altered: BTreeSet<&ObjectRef> = own
        .own()
        .filter(|it| own.deleted.contains(it) || !last.snapshot.agrees(&base.snapshot, it))
        .collect();
    if altered.is_empty() {
        return None;
    }
    let uses = |holder: &ObjectRef| {
        let used = [base, last].into_iter().flat_map(|world| world.snapshot.uses(holder));
        used.into_iter().any(|service| own.deleted.contains(&service))
    };
    last.models.iter().find_map(|model| {
        let frozen = counting(model).filter(|finding| finding.severity == Severity::Refused);
        frozen.into_iter().find_map(|finding| {
            let gateway = finding.gateway.as_ref()?;
            let known = base.model(model.profile).into_iter().chain([model]);
            let mut served = known.flat_map(holders).filter(|(_, it)| *it == &**gateway);
            let concerned = served.any(|(holder, _)| altered.contains(holder) || uses(holder));
            concerned.then(|| Blocker::Frozen {
                object: Arc::clone(&finding.object),
                gateway: Arc::clone(gateway),
                words: on_one_line(&finding.words),
            })
        })
    })
}
