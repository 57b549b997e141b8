//! The RouteTable or VirtualService: which requests go to which version.

use gloo::ResourceRef;
use gloo::api::{
    self, DestinationSpec, HeaderMatcher, Matcher, QueryParameterMatcher, Route, RouteAction,
    RouteOptions, RouteTableSpec, Shadowing, VirtualHost, VirtualServiceSpec, WeightedDestination,
};
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::object::object;
use crate::traffic::{Destination, Matches, Rule, Shadow, Traffic};
use crate::values::{Binding, HeaderMatch, Path, Service, Split, UpstreamRef, ValueMatch, Version};

pub(super) fn render(service: &Service, traffic: &Traffic) -> Value {
    let routes = traffic.rules().iter().map(|rule| route(service, rule)).collect();
    let (name, namespace) = (service.name.as_str(), service.namespace.as_str());
    match &service.routes.binding {
        Binding::ApiGroup(group) => {
            let spec = RouteTableSpec { routes, weight: None };
            let name = format!("{name}-routes");
            let mut table = object(Kind::RouteTable, namespace, &name, spec);
            table["metadata"]["labels"] = json!({"apiGroup": group});
            table
        }
        Binding::Domains(domains) => {
            let domains = domains.clone();
            let host = VirtualHost { domains, routes, ..VirtualHost::default() };
            let spec =
                VirtualServiceSpec { virtual_host: Some(host), ..VirtualServiceSpec::default() };
            object(Kind::VirtualService, namespace, name, spec)
        }
    }
}

fn route(service: &Service, rule: &Rule) -> Route {
    let action = match rule.destinations.as_slice() {
        [only] => RouteAction::single(destination(service, only)),
        several => RouteAction::multi(several.iter().map(|it| weighted(service, it)).collect()),
    };
    Route {
        matchers: vec![matcher(&rule.matches)],
        route_action: Some(action.into()),
        options: options(service, rule).map(Into::into),
        ..Route::default()
    }
}

fn options(service: &Service, rule: &Rule) -> Option<RouteOptions> {
    let shadowing = rule.shadow.as_ref().map(|shadow| shadowing(service, shadow));
    let is_empty = rule.options.is_empty() && shadowing.is_none();
    (!is_empty).then(|| RouteOptions { shadowing, ..RouteOptions::from(rule.options.clone()) })
}

fn shadowing(service: &Service, shadow: &Shadow) -> Shadowing {
    Shadowing {
        upstream: Some(upstream_of(service, &shadow.version, shadow.upstream.as_ref())),
        percentage: f32::from(shadow.weight.percent()),
        ..Shadowing::default()
    }
}

fn matcher(matches: &Matches) -> Matcher {
    let path = match &matches.path {
        Path::Exact(path) => Matcher::exact(path),
        Path::Regex(expression) => Matcher::regex(expression),
        Path::Prefix(prefix) => Matcher::prefix(prefix),
    };
    let parameters = matches.query_parameters.iter();
    Matcher {
        headers: matches.headers.iter().map(|(name, it)| header_matcher(name, it)).collect(),
        methods: matches.methods.iter().cloned().collect(),
        query_parameters: parameters.map(|(name, it)| parameter_matcher(name, it)).collect(),
        ..path
    }
}

fn parameter_matcher(name: &str, parameter: &ValueMatch) -> QueryParameterMatcher {
    let (value, regex) = value(parameter);
    QueryParameterMatcher { name: name.to_owned(), value, regex }
}

fn header_matcher(name: &str, header: &HeaderMatch) -> HeaderMatcher {
    let (value, regex) = value(&header.value);
    HeaderMatcher { name: name.to_owned(), value, regex, invert_match: header.invert }
}

/// A value and whether it is an expression. No value means that the header or parameter is there
/// (gloo-conformance cases 09-matcher-headers and 09-matcher-query).
fn value(wanted: &ValueMatch) -> (String, bool) {
    match wanted {
        ValueMatch::Exact(text) => (text.clone(), false),
        ValueMatch::Regex(expression) => (expression.clone(), true),
        ValueMatch::Present => (String::new(), false),
    }
}

fn weighted(service: &Service, to: &Destination) -> WeightedDestination {
    WeightedDestination {
        destination: Some(destination(service, to)),
        weight: Some(to.weight.percent().into()),
        options: None,
    }
}

fn destination(service: &Service, to: &Destination) -> api::Destination {
    let Destination { version, upstream, function, .. } = to;
    let destination = match service.routes.split {
        Split::Upstream => {
            api::Destination::upstream(upstream_of(service, version, upstream.as_ref()))
        }
        Split::Subset => api::Destination::subset(
            ResourceRef::new(&service.namespace, service.name.as_str()),
            [("version".to_owned(), version.to_string())].into(),
        ),
    };
    let function = function.as_ref().map(|function| DestinationSpec {
        rest: Some(Box::new(function.clone().into())),
        ..DestinationSpec::default()
    });
    api::Destination { destination_spec: function.map(Into::into), ..destination }
}

/// The Upstream that holds this version alone.
fn upstream_of(service: &Service, version: &Version, own: Option<&UpstreamRef>) -> ResourceRef {
    match own {
        Some(upstream) => ResourceRef::new(&upstream.namespace, &upstream.name),
        None => ResourceRef::new(&service.namespace, service.version_name(version)),
    }
}
