//! Names what this crate does not translate, so that nothing is passed over in silence.

use serde_json::{Map, Value};

use super::mistake::Mistake;
use crate::api::{Destination, Route, RouteAction, Target, VirtualHost, VirtualServiceSpec};
use crate::code::Code;

/// A mistake per field of the route that has no effect.
pub(super) fn of_route(route: &Route) -> Vec<Mistake> {
    let mut fields = Vec::new();
    if let Some(options) = &route.options {
        fields.extend(names(&options.unsupported, "options"));
        if let Some(retries) = &options.retries {
            fields.extend(names(&retries.unsupported, "options.retries"));
        }
    }
    if route.options_config_refs.is_some() {
        fields.push("optionsConfigRefs".into());
    }
    fields.extend(route.route_action.as_deref().iter().flat_map(|action| of_action(action)));
    fields.iter().map(|name| field(&format!("route field {name}"))).collect()
}

/// A mistake per field of the VirtualService that has no effect.
pub(super) fn of_virtual_service(spec: &VirtualServiceSpec) -> Vec<Mistake> {
    let fields = spec.virtual_host.iter().flat_map(of_virtual_host);
    fields.map(|name| field(&format!("virtualHost field {name}"))).collect()
}

fn of_virtual_host(host: &VirtualHost) -> Vec<String> {
    let mut fields = Vec::new();
    if let Some(options) = &host.options {
        fields.extend(names(&options.unsupported, "options"));
        if let Some(retries) = &options.retries {
            fields.extend(names(&retries.unsupported, "options.retries"));
        }
    }
    if host.options_config_refs.is_some() {
        fields.push("optionsConfigRefs".into());
    }
    fields
}

fn of_action(action: &RouteAction) -> Vec<String> {
    let mut fields = Vec::new();
    if matches!(action.target(), Some(Target::DynamicForwardProxy)) {
        fields.push("routeAction.dynamicForwardProxy".into());
    }
    let single = action.single.iter().map(|destination| ("single", destination));
    let multi = action.multi.iter().flat_map(|multi| &multi.destinations);
    let multi = multi.clone().filter_map(|weighted| weighted.destination.as_ref());
    for (at, destination) in single.chain(multi.map(|destination| ("multi", destination))) {
        fields.extend(of_destination(destination).map(|name| format!("routeAction.{at}.{name}")));
    }
    let options = action.multi.iter().flat_map(|multi| &multi.destinations);
    for options in options.filter_map(|weighted| weighted.options.as_ref()) {
        fields.extend(names(&options.unsupported, "routeAction.multi.options"));
    }
    fields
}

fn of_destination(destination: &Destination) -> impl Iterator<Item = &'static str> {
    let grpc = destination.destination_spec.as_ref().is_some_and(|spec| spec.grpc.is_some());
    let fields = [
        ("kube", destination.kube.is_some()),
        ("consul", destination.consul.is_some()),
        ("destinationSpec.grpc", grpc),
    ];
    fields.into_iter().filter_map(|(name, used)| used.then_some(name))
}

/// The names of the fields with what they stand in, in alphabetical order.
fn names(fields: &Map<String, Value>, within: &str) -> Vec<String> {
    let mut names: Vec<String> = fields.keys().map(|name| format!("{within}.{name}")).collect();
    names.sort_unstable();
    names
}

/// That one field has no effect.
pub(super) fn field(what: &str) -> Mistake {
    let words = format!("{what} is not supported by this gateway and has no effect");
    Mistake::new(Code::NotModelled, words)
}
