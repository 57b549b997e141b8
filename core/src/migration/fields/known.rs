//! The fields of Gloo's objects that are known here.

/// The fields that are carried over, or about which more is said where the routes are written. `[]` is any item of a
/// list; what is below a field is carried over with it.
pub(super) const CARRIED: [(&str, &[&str]); 8] = [
    (
        "VirtualService",
        &[
            "displayName",
            "virtualHost.domains",
            "virtualHost.options.headerManipulation",
            "virtualHost.options.cors",
            "virtualHost.optionsConfigRefs",
        ],
    ),
    ("RouteTable", &["weight"]),
    (
        "Upstream",
        &[
            "kube.serviceName",
            "kube.serviceNamespace",
            "kube.servicePort",
            "kube.selector",
            "kube.subsetSpec",
            "discoveryMetadata",
            // Said where a route leads there.
            "static",
            "pipe",
            "aws",
            "azure",
            "consul",
            "awsEc2",
            "gcp",
            "ai",
        ],
    ),
    ("UpstreamGroup", &["destinations"]),
    ("RouteOption", OPTIONS),
    ("VirtualHostOption", &["options.headerManipulation", "options.cors"]),
    (
        "Gateway",
        &[
            "bindAddress",
            "bindPort",
            "proxyNames",
            "ssl",
            "httpGateway.virtualServices",
            "httpGateway.virtualServiceSelector",
            "httpGateway.virtualServiceExpressions",
            "httpGateway.virtualServiceNamespaces",
        ],
    ),
    // It is about Gloo itself.
    ("Settings", &["*"]),
];

/// The same of a route.
pub(super) const ROUTE: &[&str] = &[
    "name",
    "matchers",
    "routeAction",
    "delegateAction",
    "redirectAction",
    "directResponseAction",
    "inheritableMatchers",
    "inheritablePathMatchers",
    "optionsConfigRefs",
];

/// The options of a route.
pub(super) const OPTIONS: &[&str] = &[
    "options.timeout",
    "options.prefixRewrite",
    "options.hostRewrite",
    "options.autoHostRewrite",
    "options.regexRewrite",
    "options.headerManipulation",
    "options.shadowing",
    // Said where the route is written.
    "options.faults",
    "options.cors",
    "options.transformations",
    "options.stagedTransformations",
];

/// Fields without which the same requests are answered by the same pods, only less well or less often.
pub(super) const HARMLESS: &[&str] = &[
    "options.retries",
    "options.stats",
    "options.idleTimeout",
    "options.lbHash",
    "options.tracing",
    "options.maxStreamDuration",
    "options.upgrades",
    "options.includeRequestAttemptCount",
    "options.includeAttemptCountInResponse",
    "circuitBreakers",
    "connectionConfig",
    "healthChecks",
    "loadBalancerConfig",
    "outlierDetection",
    "dnsRefreshRate",
    "respectDnsTtl",
    "initialStreamWindowSize",
    "initialConnectionWindowSize",
    "preconnectPolicy",
];

/// What is known below fields of these names, wherever they stand; below those that are not here everything is known, as
/// labels are.
const BELOW: [(&str, &[&str]); 13] = [
    (
        "matchers",
        &[
            "prefix",
            "exact",
            "regex",
            "connectMatcher",
            "caseSensitive",
            "methods",
            "headers.name",
            "headers.value",
            "headers.regex",
            "headers.invertMatch",
            "queryParameters.name",
            "queryParameters.value",
            "queryParameters.regex",
        ],
    ),
    (
        "routeAction",
        &[
            "single",
            "multi.destinations",
            "upstreamGroup.name",
            "upstreamGroup.namespace",
            "clusterHeader",
            "dynamicForwardProxy",
        ],
    ),
    ("single", DESTINATION),
    ("destination", DESTINATION),
    ("destinations", &["weight", "destination", "options.headerManipulation"]),
    ("subset", &["values"]),
    (
        "delegateAction",
        &[
            "name",
            "namespace",
            "ref.name",
            "ref.namespace",
            "selector.labels",
            "selector.namespaces",
            "selector.expressions.key",
            "selector.expressions.operator",
            "selector.expressions.values",
        ],
    ),
    (
        "redirectAction",
        &[
            "hostRedirect",
            "pathRedirect",
            "prefixRewrite",
            "regexRewrite",
            "responseCode",
            "httpsRedirect",
            "stripQuery",
            "portRedirect",
        ],
    ),
    ("optionsConfigRefs", &["delegateOptions.name", "delegateOptions.namespace"]),
    (
        "headerManipulation",
        &[
            "requestHeadersToAdd.header.key",
            "requestHeadersToAdd.header.value",
            "requestHeadersToAdd.append",
            "requestHeadersToRemove",
            "responseHeadersToAdd.header.key",
            "responseHeadersToAdd.header.value",
            "responseHeadersToAdd.append",
            "responseHeadersToRemove",
        ],
    ),
    ("shadowing", &["upstream.name", "upstream.namespace", "percentage"]),
    (
        "cors",
        &[
            "allowOrigin",
            "allowOriginRegex",
            "allowMethods",
            "allowHeaders",
            "exposeHeaders",
            "maxAge",
            "allowCredentials",
            "disableForRoute",
        ],
    ),
    (
        "subsetSpec",
        &[
            "selectors.keys",
            "selectors.singleHostPerSubset",
            "fallbackPolicy",
            "defaultSubset.values",
        ],
    ),
];

/// The fields of a destination; what is no Upstream of a Service is said where a route leads there.
const DESTINATION: &[&str] = &[
    "upstream.name",
    "upstream.namespace",
    "subset",
    "kube",
    "consul",
    "destinationSpec.aws",
    "destinationSpec.azure",
    "destinationSpec.rest",
];

/// What is known below a field of this name; `None` is everything.
pub(super) fn below(key: &str) -> Option<&'static [&'static str]> {
    BELOW.iter().find(|(known, _)| *known == key).map(|(_, fields)| *fields)
}
