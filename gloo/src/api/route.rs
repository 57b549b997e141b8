use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::written::is_default;
use super::{
    Matcher, Open, OptionsConfigRefs, RegexRewrite, ResourceRef, RouteOptions,
    WeightedDestinationOptions,
};

/// One route of a VirtualService or RouteTable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Route {
    /// Shows in Envoy's route names; no meaning for traffic.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The route takes a request that any of these matches; none means every request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matchers: Vec<Matcher>,
    /// Child routes inherit headers, methods and query parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inheritable_matchers: Option<bool>,
    /// Child routes inherit the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inheritable_path_matchers: Option<bool>,
    /// Send the request to an Upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_action: Option<Box<RouteAction>>,
    /// Answer with a redirect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_action: Option<Box<RedirectAction>>,
    /// Answer directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct_response_action: Option<DirectResponseAction>,
    /// Let RouteTables decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegate_action: Option<DelegateAction>,
    /// Timeouts, rewrites, headers and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Open>")]
    pub options: Option<Box<RouteOptions>>,
    /// Options kept in objects of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options_config_refs: Option<OptionsConfigRefs>,
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action<'a> {
    /// Send the request to an Upstream.
    Route(&'a RouteAction),
    /// Answer with a redirect.
    Redirect(&'a RedirectAction),
    /// Answer directly.
    DirectResponse(&'a DirectResponseAction),
    /// Let RouteTables decide.
    Delegate(&'a DelegateAction),
}

impl Route {
    /// What the route does. Of several the last one in the order of [`Action`] counts.
    pub(crate) fn action(&self) -> Option<Action<'_>> {
        let delegate = self.delegate_action.as_ref().map(Action::Delegate);
        let direct = self.direct_response_action.as_ref().map(Action::DirectResponse);
        let redirect = self.redirect_action.as_deref().map(Action::Redirect);
        let route = self.route_action.as_deref().map(Action::Route);
        delegate.or(direct).or(redirect).or(route)
    }
}

/// Where requests go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RouteAction {
    /// One destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single: Option<Destination>,
    /// Several, by weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi: Option<MultiDestination>,
    /// The destinations of an UpstreamGroup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_group: Option<ResourceRef>,
    /// The cluster that this header names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_header: Option<String>,
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_forward_proxy: Option<Box<Open>>,
}

/// The destination of a [`RouteAction`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target<'a> {
    /// One destination.
    Single(&'a Destination),
    /// Several, by weight.
    Multi(&'a MultiDestination),
    /// The destinations of an UpstreamGroup.
    Group(&'a ResourceRef),
    /// The cluster that this header names.
    ClusterHeader(&'a str),
    /// Resolved from the request's host.
    DynamicForwardProxy,
}

impl RouteAction {
    /// Every request to one destination.
    pub fn single(destination: Destination) -> Self {
        Self { single: Some(destination), ..Self::default() }
    }

    /// Requests to several destinations, by weight.
    pub fn multi(destinations: Vec<WeightedDestination>) -> Self {
        Self { multi: Some(MultiDestination { destinations }), ..Self::default() }
    }

    /// The destination. Of several the last one in the order of [`Target`] counts.
    pub fn target(&self) -> Option<Target<'_>> {
        if self.dynamic_forward_proxy.is_some() {
            return Some(Target::DynamicForwardProxy);
        }
        let header = self.cluster_header.as_deref().map(Target::ClusterHeader);
        let group = self.upstream_group.as_ref().map(Target::Group);
        let multi = self.multi.as_ref().map(Target::Multi);
        header.or(group).or(multi).or_else(|| self.single.as_ref().map(Target::Single))
    }
}

/// One Upstream, or a subset of its endpoints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Destination {
    /// The Upstream; without a namespace it is the one of the object that holds the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<ResourceRef>,
    /// A Service without an Upstream; outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube: Option<Box<Open>>,
    /// A Consul service; outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consul: Option<Box<Open>>,
    /// Only endpoints whose pods carry these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset: Option<Subset>,
    /// A function of the Upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_spec: Option<Box<DestinationSpec>>,
}

impl Destination {
    /// Every endpoint of an Upstream.
    pub fn upstream(upstream: ResourceRef) -> Self {
        Self { upstream: Some(upstream), ..Self::default() }
    }

    /// The endpoints of an Upstream whose pods carry these labels.
    pub fn subset(upstream: ResourceRef, values: BTreeMap<String, String>) -> Self {
        Self { subset: Some(Subset { values }), ..Self::upstream(upstream) }
    }
}

/// A function of an Upstream. All of them need an Envoy with Solo's extensions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct DestinationSpec {
    /// An AWS Lambda function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws: Option<Box<Open>>,
    /// An Azure function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure: Option<Box<Open>>,
    /// A function of a REST service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<Box<Open>>,
    /// A method of a gRPC service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<Box<Open>>,
}

/// Pod labels that select endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Subset {
    /// Label and value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
}

/// Several destinations, by weight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MultiDestination {
    /// The destinations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<WeightedDestination>,
}

/// A destination and its share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WeightedDestination {
    /// The destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    /// Share of the sum of all weights; absent means 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Options of this destination only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Open>")]
    pub options: Option<Box<WeightedDestinationOptions>>,
}

/// A redirect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RedirectAction {
    /// The new host; empty keeps it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host_redirect: String,
    /// The new path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_redirect: Option<String>,
    /// What replaces the matched prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_rewrite: Option<String>,
    /// A rewrite of the path by an expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex_rewrite: Option<RegexRewrite>,
    /// The status; 301 if absent.
    #[schemars(with = "String")]
    #[serde(skip_serializing_if = "is_default")]
    pub response_code: RedirectCode,
    /// Change the scheme to https.
    #[serde(skip_serializing_if = "is_default")]
    pub https_redirect: bool,
    /// Drop the query.
    #[serde(skip_serializing_if = "is_default")]
    pub strip_query: bool,
    /// The new port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_redirect: Option<u32>,
}

/// The status of a redirect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RedirectCode {
    /// 301
    #[default]
    MovedPermanently,
    /// 302
    Found,
    /// 303
    SeeOther,
    /// 307
    TemporaryRedirect,
    /// 308
    PermanentRedirect,
}

/// An answer that needs no backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DirectResponseAction {
    /// HTTP status. Envoy takes 200 to 599 and refuses the whole route configuration for another.
    #[serde(skip_serializing_if = "is_default")]
    pub status: u32,
    /// The body.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
}

/// Which RouteTables a route is delegated to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DelegateAction {
    /// Deprecated form of `ref.name`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Deprecated form of `ref.namespace`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// One table.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<ResourceRef>,
    /// All tables with these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<RouteTableSelector>,
}

/// Selects RouteTables. Labels and expressions exclude each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RouteTableSelector {
    /// Namespaces to look in, `*` for all; none means the one of the delegating object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Labels a table must carry.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Conditions that must all hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<Expression>,
}

/// A condition on a label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Expression {
    /// The label.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// How it is compared.
    #[schemars(with = "String")]
    #[serde(skip_serializing_if = "is_default")]
    pub operator: Operator,
    /// What it is compared with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it; they are those of Gloo's API")]
pub enum Operator {
    #[default]
    Equals,
    DoubleEquals,
    NotEquals,
    In,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}
