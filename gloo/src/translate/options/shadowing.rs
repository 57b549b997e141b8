use crate::code::Code;
use crate::config::{Action, Mirror, Route};
use crate::translate::mistake::Mistake;
use crate::translate::proxy::ProxyRoute;

/// Mirrors requests to one Upstream. Whether that exists is not looked at
/// (gloo-conformance case 13-shadowing).
pub(super) fn apply(route: &ProxyRoute, out: &mut Route) -> Result<(), Mistake> {
    let options = route.options.as_ref();
    let Some(shadowing) = options.and_then(|options| options.shadowing.as_ref()) else {
        return Ok(());
    };
    let Action::Forward(forward) = &mut out.action else {
        let words = "cannot use shadowing plugin on non-Route_Route route actions";
        return Err(Mistake::new(Code::OptionNotApplicable, words));
    };
    let Some(upstream) = &shadowing.upstream else {
        let words = "invalid plugin spec: must specify an upstream ref";
        return Err(Mistake::new(Code::InvalidShadowing, words));
    };
    if !(0.0..=100.0).contains(&shadowing.percentage) {
        let given = shadowing.percentage;
        let words = format!("shadow percentage must be between 0 and 100, received {given}");
        return Err(Mistake::new(Code::InvalidShadowing, words));
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
