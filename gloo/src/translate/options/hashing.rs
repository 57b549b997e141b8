use crate::api::HashPolicy;
use crate::code::Code;
use crate::config::{Action, HashKey, HashSource, Route};
use crate::translate::mistake::Mistake;
use crate::translate::proxy::ProxyRoute;

/// What a hashing load balancer hashes.
pub(super) fn apply(route: &ProxyRoute, out: &mut Route) -> Result<(), Mistake> {
    let options = route.options.as_ref();
    let Some(hash) = options.and_then(|options| options.lb_hash.as_ref()) else { return Ok(()) };
    let Action::Forward(forward) = &mut out.action else {
        let words = "cannot use lbhash plugin on non-Route_Route route actions";
        return Err(Mistake::new(Code::OptionNotApplicable, words));
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
