//! Verdicts as Gloo writes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::destinations;
use super::mistake::Mistake;
use super::reports::{Report, Reports};
use super::route_findings::RouteError;
use super::view::View;
use crate::api::{ObjectRef, Status};
use crate::code::Code;
use crate::snapshot::Snapshot;

/// What is wrong with the proxy.
#[derive(Default)]
pub(super) struct ProxyReport {
    errors: Vec<String>,
    route_errors: Vec<RouteError>,
    warnings: Vec<String>,
}

impl ProxyReport {
    /// Adds what is wrong with one virtual host.
    pub(super) fn add(
        &mut self,
        errors: impl Iterator<Item = String>,
        route_errors: &[RouteError],
        warnings: impl Iterator<Item = String>,
    ) {
        self.errors.extend(errors);
        self.route_errors.extend_from_slice(route_errors);
        self.warnings.extend(warnings);
    }

    /// With `replaceInvalidRoutes` a single error of a route becomes a warning, and the route is
    /// replaced. Gloo does not recognise several errors as such (gloo-conformance cases 06-subset-keys
    /// step 6, 07-truncation-missing step 7).
    pub(super) fn excuse_single_route(&mut self) -> Option<String> {
        if !self.errors.is_empty() || self.route_errors.len() != 1 {
            return None;
        }
        let error = self.route_errors.pop()?;
        self.warnings.push(error.words());
        Some(error.route)
    }

    pub(super) fn status(&self) -> Status {
        let routes = self.route_errors.iter().map(RouteError::words);
        let errors: Vec<String> = self.errors.iter().cloned().chain(routes).collect();
        let errors = if errors.is_empty() { errors } else { vec![errors.join("; ")] };
        Report { errors, warnings: self.warnings.clone() }.status()
    }
}

/// Reports what is wrong with UpstreamGroups (gloo-conformance case 16-upstream-group).
pub(super) fn check_groups(view: &View, reports: &mut Reports) {
    for reference in view.upstream_groups.keys() {
        let object = ObjectRef::new("UpstreamGroup", &reference.namespace, &reference.name);
        reports.accept(object.clone());
        let group = destinations::group(reference, view).unwrap_or_default();
        for (index, weighted) in group.iter().enumerate() {
            let number = index + 1;
            let Some(destination) = &weighted.destination else {
                let words = format!("destination # {number}: destination is nil");
                reports.error(&object, Mistake::new(Code::NoDestination, words));
                continue;
            };
            match destinations::upstream_of(destination) {
                Err(mistake) => {
                    reports.error(&object, mistake);
                }
                Ok(upstream) if view.lacks_upstream(&upstream) => {
                    let name = upstream.key();
                    let words = format!(
                        "destination # {number}: upstream not found: list did not find upstream {name}"
                    );
                    reports.error(&object, Mistake::new(Code::MissingUpstream, words));
                }
                Ok(_) => {}
            }
        }
    }
}

/// The statuses on the objects after Gloo has written.
///
/// Objects that Gloo has no verdict on keep what they have: Upstreams while there is no proxy
/// (gloo-conformance case 15-delete-virtualservice), and new objects of a kind that is stuck get none.
pub(super) fn write(
    snapshot: &Snapshot,
    reports: &Reports,
    proxies: &BTreeMap<String, Status>,
    before: &BTreeMap<ObjectRef, Status>,
) -> BTreeMap<ObjectRef, Status> {
    let namespace = snapshot.gloo_namespace();
    let of_proxies = proxies.iter().map(|(name, verdict)| {
        let key = format!("*v1.Proxy.{name}_{namespace}");
        (key, verdict.clone())
    });
    let of_proxies: Arc<BTreeMap<String, Status>> = Arc::new(of_proxies.collect());
    let unjudged = before.iter().filter(|(object, _)| !reports.has(object));
    let unjudged = unjudged.map(|(object, status)| (object.clone(), status.clone()));
    let judged = reports.iter().map(|(object, report)| {
        let mut status = report.status();
        if matches!(object.kind.as_str(), "Gateway" | "VirtualService" | "RouteTable") {
            status.subresource_statuses = Arc::clone(&of_proxies);
        }
        (object.clone(), status)
    });
    judged.chain(unjudged).filter(|(object, _)| snapshot.contains(object)).collect()
}
