//! Names what this crate does not model. That is neither good nor bad: what stands beside it is
//! translated, and nobody is told that it is wrong.

use serde_json::{Map, Value};

use crate::api::{
    Destination, GatewaySpec, HttpGateway, Route, RouteAction, Target, VirtualHost,
    VirtualServiceSpec,
};

/// Options that do nothing to who answers and with what, so that there is nothing to say of them:
/// numbers of requests for people.
const WITHOUT_EFFECT: &[&str] = &["stats", "tracing"];

/// The note on something that is not modelled.
pub(super) fn note(what: &str) -> String {
    format!("{what} is not modelled: what comes of it is not judged")
}

/// A note per field of the route of which it is not known what comes. Options of Gloo Enterprise are
/// looked at where they are applied.
pub(super) fn of_route(route: &Route) -> Vec<String> {
    let actions = route.route_action.as_deref().into_iter();
    let fields = actions.flat_map(of_action);
    fields.map(|name| note(&format!("route field {name}"))).collect()
}

/// A note per option of which it is not known what comes; `judged` says which are known after all.
pub(super) fn of_options(
    options: &Map<String, Value>,
    within: &str,
    judged: impl Fn(&str) -> bool,
) -> Vec<String> {
    let names = names(options, within, |name| !judged(name) && !WITHOUT_EFFECT.contains(&name));
    names.iter().map(|name| note(name)).collect()
}

/// A note per setting of the listener of which it is not known what comes.
pub(super) fn of_gateway(gateway: &GatewaySpec) -> Vec<String> {
    let mut fields = Vec::new();
    if let Some(options) = &gateway.options {
        fields.extend(names(&options.0, "options", |_| true));
    }
    if let Some(options) = &gateway.route_options {
        fields.extend(names(&options.rest, "routeOptions", |_| true));
    }
    let hybrid = gateway.hybrid_gateway.iter().flat_map(|hybrid| &hybrid.matched_gateways);
    let matched = hybrid.filter_map(|matched| matched.http_gateway.as_ref());
    for http in gateway.http_gateway.iter().chain(matched) {
        fields.extend(of_http_gateway(http));
    }
    fields.iter().map(|name| note(name)).collect()
}

fn of_http_gateway(http: &HttpGateway) -> Vec<String> {
    let modelled = ["healthCheck", "dynamicForwardProxy"];
    let options = http.options.as_ref();
    let used = |name: &str| !modelled.contains(&name);
    options.map(|it| names(&it.0, "httpGateway.options", used)).unwrap_or_default()
}

/// A note per field of the VirtualService of which it is not known what comes.
pub(super) fn of_virtual_service(spec: &VirtualServiceSpec) -> Vec<String> {
    let retries = |host: &VirtualHost| {
        let retries = host.options.as_ref().and_then(|options| options.retries.as_ref());
        retries.map(|it| names(&it.unsupported, "virtualHost.options.retries", |_| true))
    };
    let retries = spec.virtual_host.iter().filter_map(retries).flatten();
    retries.map(|name| note(&name)).collect()
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
        fields.extend(names(&options.unsupported, "routeAction.multi.options", |_| true));
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
fn names(fields: &Map<String, Value>, within: &str, used: impl Fn(&str) -> bool) -> Vec<String> {
    let names = fields.keys().filter(|name| used(name));
    let mut names: Vec<String> = names.map(|name| format!("{within}.{name}")).collect();
    names.sort_unstable();
    names
}
