use crate::config::{Action, Mirror, Route};
use crate::translate::proxy::ProxyRoute;

/// Mirrors requests to one Upstream. Whether that exists is not looked at
/// (gloo-conformance case 13-shadowing).
pub(super) fn apply(route: &ProxyRoute, out: &mut Route) -> Result<(), String> {
    let options = route.options.as_ref();
    let Some(shadowing) = options.and_then(|options| options.shadowing.as_ref()) else {
        return Ok(());
    };
    let Action::Forward(forward) = &mut out.action else {
        return Err("cannot use shadowing plugin on non-Route_Route route actions".into());
    };
    let Some(upstream) = &shadowing.upstream else {
        return Err("invalid plugin spec: must specify an upstream ref".into());
    };
    if !(0.0..=100.0).contains(&shadowing.percentage) {
        let given = shadowing.percentage;
        return Err(format!("shadow percentage must be between 0 and 100, received {given}"));
    }
    forward.mirrors = vec![Mirror {
        cluster: upstream.cluster(),
        per_million: per_million(shadowing.percentage),
        keep_host: shadowing.disable_shadow_host_suffix_append,
        host: shadowing.host_rewrite_literal.clone(),
    }];
    Ok(())
}

/// A percentage as Envoy takes it; what is finer is cut off.
pub(super) fn per_million(percentage: f32) -> u32 {
    (percentage * 10_000.0) as u32
}
