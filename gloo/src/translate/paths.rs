//! Gloo's rules for the text of paths.

use super::mistake::Mistake;
use super::route_findings::RouteFindings;
use crate::code::Code;
use crate::config::{Action, PathMatch, PathRewrite, RedirectPath, Route};

const ALLOWED: &str = "^(?:([A-Za-z0-9/:@._~!$&'()*+,:=;-]*|[%][0-9a-fA-F]{2}))*$";
const PUNCTUATION: &str = "/:@._~!$&'()*+,=;-";

/// Reports paths that Gloo takes for invalid. Envoy gets them all the same and often serves them
/// (gloo-conformance case 09-matcher-invalid).
pub(super) fn check(route: &Route, findings: &mut RouteFindings) {
    if let Some(PathMatch::Exact(path) | PathMatch::Prefix(path)) = &route.matcher.path {
        check_path(path, &route.name, findings);
    }
    match &route.action {
        Action::Redirect(redirect) => {
            if let Some(RedirectPath::Path(path)) = &redirect.path {
                check_path(path, &route.name, findings);
            }
            check_path(&redirect.host, &route.name, findings);
            if let Some(RedirectPath::Prefix(prefix)) = &redirect.path {
                check_rewrite(prefix, &route.name, findings);
            }
        }
        Action::Forward(forward) => {
            for rewrite in &forward.path_rewrites {
                if let PathRewrite::Prefix(prefix) = rewrite {
                    check_rewrite(prefix, &route.name, findings);
                }
            }
        }
        Action::DirectResponse { .. } => {}
    }
}

fn check_path(path: &str, route: &str, findings: &mut RouteFindings) {
    if let Err(rule) = valid(path) {
        let words = format!("the path is invalid: {path}: {rule}");
        findings.error(Mistake::new(Code::InvalidPath, words), route);
    }
}

/// A rewrite may have a query, which is not looked at.
fn check_rewrite(rewrite: &str, route: &str, findings: &mut RouteFindings) {
    let path = rewrite.split(['?', '#']).next().unwrap_or_default();
    if let Err(rule) = valid(path) {
        let words = format!("the rewrite is invalid: {rewrite}: {rule}");
        findings.error(Mistake::new(Code::InvalidPath, words), route);
    }
}

fn valid(path: &str) -> Result<(), String> {
    if !only_allowed_characters(path) {
        return Err(format!("must only contain valid characters matching pattern {ALLOWED}"));
    }
    for part in ["//", "/./", "/../", "%2f", "%2F", "#"] {
        if path.contains(part) {
            return Err(format!("path [{path}] cannot contain [{part}]"));
        }
    }
    for end in ["/..", "/."] {
        if path.ends_with(end) {
            return Err(format!("path [{path}] cannot end with [{end}]"));
        }
    }
    Ok(())
}

fn only_allowed_characters(path: &str) -> bool {
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let allowed = match byte {
            b'%' => {
                let mut digit = || bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit());
                digit() && digit()
            }
            byte => byte.is_ascii_alphanumeric() || PUNCTUATION.as_bytes().contains(&byte),
        };
        if !allowed {
            return false;
        }
    }
    true
}
