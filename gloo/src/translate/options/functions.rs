//! Functions of Upstreams. They need an Envoy with Solo's extensions; what is checked here is what
//! shows on a plain one.

use std::borrow::Cow;

use crate::api::{Destination, DestinationSpec, Target as Wanted};
use crate::code::Code;
use crate::config::{Action, Route, Target};
use crate::translate::destinations;
use crate::translate::mistake::Mistake;
use crate::translate::proxy::{ProxyAction, ProxyRoute};
use crate::translate::view::View;

/// Gloo's check of every plugin that looks at single destinations: a list that was cut short no longer
/// fits (gloo-conformance cases 07-*).
pub(super) fn check_shape(route: &ProxyRoute, out: &Route, view: &View) -> Result<(), Mistake> {
    let Action::Forward(forward) = &out.action else { return Ok(()) };
    let Some(wanted) = wanted(route, view) else {
        let words = "unexpected destination type that is nil";
        return Err(Mistake::new(Code::NoDestination, words));
    };
    if let Target::Weighted { clusters, .. } = &forward.target
        && wanted.len() != clusters.len()
    {
        let words = format!(
            "number of input destinations ({}) did not match number of destination weighted \
             clusters ({})",
            wanted.len(),
            clusters.len()
        );
        return Err(Mistake::new(Code::TruncatedDestinations, words));
    }
    Ok(())
}

/// The destinations of a route; `None` if it names none at all.
fn wanted<'a>(route: &'a ProxyRoute, view: &View) -> Option<Vec<Cow<'a, Destination>>> {
    let ProxyAction::Route(action) = &route.action else { return Some(Vec::new()) };
    match action.target()? {
        Wanted::Single(destination) => Some(vec![Cow::Borrowed(destination)]),
        Wanted::Multi(multi) => {
            let each = multi.destinations.iter();
            Some(
                each.map(|it| it.destination.as_ref().map_or_else(Cow::default, Cow::Borrowed))
                    .collect(),
            )
        }
        Wanted::Group(reference) => {
            if !view.known.tells("UpstreamGroup", reference)
                && !view.upstream_groups.contains_key(reference)
            {
                return Some(Vec::new());
            }
            let each = destinations::group(reference, view)?.into_iter();
            Some(each.map(|it| Cow::Owned(it.destination.unwrap_or_default())).collect())
        }
        Wanted::ClusterHeader(_) | Wanted::DynamicForwardProxy => Some(Vec::new()),
    }
}

fn each(
    route: &ProxyRoute,
    out: &Route,
    view: &View,
    check: impl Fn(&Destination, &DestinationSpec) -> Result<(), Mistake>,
) -> Result<(), Mistake> {
    check_shape(route, out, view)?;
    for destination in wanted(route, view).unwrap_or_default() {
        if let Some(spec) = &destination.destination_spec {
            check(&destination, spec)?;
        }
    }
    Ok(())
}

/// Azure functions. Which function is called is not looked at.
pub(super) fn azure(route: &ProxyRoute, out: &Route, view: &View) -> Result<(), Mistake> {
    each(route, out, view, |destination, spec| {
        let upstream = view.upstreams.get(&destinations::upstream_of(destination)?);
        let has_functions = upstream.is_some_and(|upstream| upstream.spec.azure.is_some());
        match spec.azure {
            Some(_) if !has_functions => {
                Err(invalid(format!("{} is not an Azure upstream", message(destination)?)))
            }
            _ => Ok(()),
        }
    })
}

/// AWS Lambda functions. Which function is called is not looked at.
pub(super) fn aws(route: &ProxyRoute, out: &Route, view: &View) -> Result<(), Mistake> {
    each(route, out, view, |destination, spec| {
        let upstream = view.upstreams.get(&destinations::upstream_of(destination)?);
        let has_functions = upstream.is_some_and(|upstream| upstream.spec.aws.is_some());
        match spec.aws {
            Some(_) if !has_functions => {
                Err(invalid(format!("{} is not an AWS upstream", message(destination)?)))
            }
            _ => Ok(()),
        }
    })
}

/// Functions of a REST service: without `serviceSpec.rest` on the Upstream an error that does not
/// matter for traffic, with it a route that a plain Envoy refuses (gloo-conformance case
/// 04-rest-function).
pub(super) fn rest(route: &ProxyRoute, out: &mut Route, view: &View) -> Result<(), Mistake> {
    let mut transforms = false;
    check_shape(route, out, view)?;
    for destination in wanted(route, view).unwrap_or_default() {
        let function = destination.destination_spec.as_ref().and_then(|spec| spec.rest.as_ref());
        let Some(function) = function else { continue };
        let upstream = view.upstreams.get(&destinations::upstream_of(&destination)?);
        let kube = upstream.and_then(|upstream| upstream.spec.kube.as_ref());
        let service = kube.and_then(|kube| kube.service_spec.as_ref());
        let Some(service) = service.and_then(|spec| spec.0.get("rest")) else {
            let upstream = message(&destination)?;
            return Err(invalid(format!("{upstream} does not have a rest service spec")));
        };
        let name =
            function.0.get("functionName").and_then(|name| name.as_str()).unwrap_or_default();
        if service.get("transformations").and_then(|all| all.get(name)).is_none() {
            return Err(invalid(format!("unknown function {name}")));
        }
        transforms = true;
    }
    if transforms && let Action::Forward(forward) = &mut out.action {
        forward.missing_filter = Some("io.solo.transformation".into());
    }
    Ok(())
}

fn invalid(words: String) -> Mistake {
    Mistake::new(Code::InvalidFunction, words)
}

fn message(destination: &Destination) -> Result<String, Mistake> {
    let upstream = destinations::upstream_of(destination)?;
    Ok(format!("name:{:?} namespace:{:?}", upstream.name, upstream.namespace))
}
