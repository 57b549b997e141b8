//! What a service's values mean otherwise once it moves from Gloo's kinds to the Gateway API.

use crate::values::{
    Fallback, HttpOptions, Path, PathMatch, Profile, Remark, Service, Split, Workload,
};

/// What is answered otherwise after a service moved to the Gateway API, or began to be served by it too; nothing for
/// one that does not move. It is legal, and may not be meant.
pub(super) fn differences(old: &Service, new: &Service) -> Vec<Remark> {
    let Some(api) = new.routes.gateway.gateway_api() else { return Vec::new() };
    if old.routes.gateway.gateway_api().is_some() {
        return Vec::new();
    }
    let mut found: Vec<Remark> = new.routes.paths.iter().filter_map(prefix).collect();
    found.extend(new.routes.paths.iter().filter_map(|path| rewrite(new, path)));
    found.extend(fallback(old, api.profile));
    found
}

/// A prefix of the Gateway API goes by elements of the path (gateway-conformance case 02-prefix).
fn prefix(path: &PathMatch) -> Option<Remark> {
    let Path::Prefix(prefix) = &path.path else { return None };
    if prefix.ends_with('/') {
        return None;
    }
    let words = format!(
        "in an HTTPRoute the prefix {prefix} matches {prefix} and what is below {prefix}/, and not {prefix}s as with Gloo"
    );
    Some(Remark::new(["routes", "paths"], words))
}

/// Gloo puts what it rewrites to in place of the text of the prefix, the Gateway API in place of its elements.
fn rewrite(service: &Service, path: &PathMatch) -> Option<Remark> {
    let Path::Prefix(prefix) = &path.path else { return None };
    let own = HttpOptions::of(&path.options).rewrite.path;
    let to = own.or_else(|| HttpOptions::of(&service.routes.options).rewrite.path)?;
    if to != "/" || prefix.ends_with('/') {
        return None;
    }
    let words =
        format!("`prefixRewrite: /` makes /a of {prefix}/a in an HTTPRoute, where Gloo makes //a");
    Some(Remark::new(["routes", "paths"], words))
}

/// Who answers for a version without ready pods.
fn fallback(old: &Service, profile: Profile) -> Option<Remark> {
    let is_several = old.versions.len() > 1;
    let is_pods = old.versions.values().all(|it| !matches!(it, Workload::Upstream(_)));
    let before = match (old.routes.split, old.routes.fallback) {
        (Split::Subset, Fallback::Any) => {
            "Gloo gives the share of a version without ready pods to the others"
        }
        (Split::Subset, Fallback::None) | (Split::Upstream, _) => {
            "Gloo answers 503 for a version without ready pods"
        }
    };
    let is_any = (old.routes.split, old.routes.fallback) == (Split::Subset, Fallback::Any);
    let after = match profile {
        Profile::Kgateway if is_any => "kgateway answers 503 for it",
        Profile::EnvoyGateway if !is_any => "Envoy Gateway gives its share to the others",
        Profile::Portable => "it depends on the implementation what becomes of its share",
        Profile::Kgateway | Profile::EnvoyGateway => return None,
    };
    let words = format!("{before}; {after}");
    (is_several && is_pods).then(|| Remark::new(["routes", "gateway"], words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::tests::service;

    fn said(old: &str, new: &str, more: &str) -> Vec<String> {
        let [old, new] = [old, new].map(|gateway| {
            service(&format!(
                "deployment: {{v1: {{}}, v2: {{}}}}\nroutes: {{apiGroup: a, primary: {{version: v1}}{more}, \
                 gateway: {{{gateway}}}}}\n"
            ))
        });
        differences(&old, &new).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_move_changes_is_said_once() {
        let (gloo, kgateway) = ("api: gloo", "api: gateway-api, profile: kgateway");
        let said_once = said(gloo, kgateway, "");
        assert_eq!(said_once.len(), 2, "{said_once:?}");
        assert!(said_once[0].contains("not /echos as with Gloo"), "{said_once:?}");
        assert!(said_once[1].contains("kgateway answers 503"), "{said_once:?}");
        assert_eq!(said(kgateway, kgateway, ""), [""; 0], "it does not move");
        assert_eq!(said(gloo, gloo, ""), [""; 0]);
        assert_eq!(said(gloo, "api: both, profile: kgateway", "").len(), 2);
        let rewritten = said(gloo, kgateway, ", fallback: none, options: {prefixRewrite: /}");
        assert_eq!(rewritten.len(), 2, "{rewritten:?}");
        assert!(rewritten[1].contains("where Gloo makes //a"), "{rewritten:?}");
        let whole = said(gloo, kgateway, ", fallback: none, paths: [{prefix: /}, {exact: /a}]");
        assert_eq!(whole, [""; 0]);
    }
}
