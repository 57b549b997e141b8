//! `replaceInvalidRoutes`: routes that lead nowhere get a fixed answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::{Action, CLUSTER_FALLBACK, Target, VirtualHost};

/// Points routes without a valid cluster, and those named in `errored`, at the fallback. Says whether
/// any was.
pub(super) fn invalid_routes(
    hosts: &mut [Arc<VirtualHost>],
    clusters: &BTreeSet<&str>,
    errored: Option<&str>,
) -> bool {
    let mut replaced = false;
    for route in hosts.iter_mut().flat_map(|host| &mut Arc::make_mut(host).routes) {
        let Action::Forward(forward) = &mut route.action else { continue };
        let errored = errored == Some(route.name.as_str());
        let mut check = |name: &mut String| {
            if errored || !clusters.contains(name.as_str()) {
                CLUSTER_FALLBACK.clone_into(name);
                replaced = true;
            }
        };
        match &mut forward.target {
            Target::Cluster { name, .. } => check(name),
            Target::Weighted { clusters, .. } => {
                clusters.iter_mut().for_each(|cluster| check(&mut cluster.name));
            }
            Target::Missing | Target::Unknown | Target::Dynamic { .. } | Target::Header(_) => {}
        }
    }
    replaced
}
