use crate::api::HashPolicy;
use crate::config::{Action, HashKey, HashSource, Route};
use crate::translate::proxy::ProxyRoute;

/// What a hashing load balancer hashes.
pub(super) fn apply(route: &ProxyRoute, out: &mut Route) -> Result<(), String> {
    let options = route.options.as_ref();
    let Some(hash) = options.and_then(|options| options.lb_hash.as_ref()) else { return Ok(()) };
    let Action::Forward(forward) = &mut out.action else {
        return Err("cannot use lbhash plugin on non-Route_Route route actions".into());
    };
    forward.hash = hash.hash_policies.iter().map(key).collect();
    Ok(())
}

fn key(policy: &HashPolicy) -> HashKey {
    let ip = policy.source_ip.map(HashSource::SourceIp);
    let cookie = policy.cookie.as_ref().map(|cookie| HashSource::Cookie {
        name: cookie.name.clone(),
        ttl: cookie.ttl,
        path: cookie.path.clone(),
    });
    let header = policy.header.clone().map(HashSource::Header);
    HashKey { source: ip.or(cookie).or(header), terminal: policy.terminal }
}
