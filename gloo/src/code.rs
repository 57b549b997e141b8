//! What is wrong with objects, independent of the words for it.

/// Declares `Code`, what a model finds wrong: each variant with what it means and the recorded case that it comes from,
/// where there is one. The first line names the corpus of those cases.
#[macro_export]
macro_rules! codes {
    ($(#[$about:meta])* $corpus:literal: $($(#[doc = $doc:literal])+ $name:ident $(= $case:literal)?,)+) => {
        /// What is wrong, independent of the words for it. Names are stable: a name that was released
        /// keeps its meaning.
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(
                $(#[doc = $doc])+
                $(#[doc = concat!("\n\nSeen in the case ", $case, " of ", $corpus, ".")])?
                $name,
            )+
        }

        impl Code {
            /// Every code, in the order in which they are documented.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name, as it is spelled here.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// What it means, in a sentence or two.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii_start(),)+
                }
            }

            #[doc = concat!("The folder in `", $corpus, "/cases` that shows it, where it was recorded.")]
            pub const fn case(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => $crate::codes!(@case $($case)?),)+
                }
            }
        }

        impl ::std::fmt::Display for Code {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl ::serde::Serialize for Code {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
    (@case) => { None };
    (@case $case:literal) => { Some($case) };
}

codes! {
    ///
    /// [`Code::Undecodable`] is not among the findings of a translation:
    /// [`Snapshot::undecodable`](crate::Snapshot::undecodable) lists those objects.
    "gloo/conformance":

    /// Gloo cannot decode the object and takes no change of any object of its kind.
    Undecodable = "13-undecodable",

    /// A Gateway does not say what it serves.
    InvalidGateway = "17-no-type",
    /// A Gateway names a VirtualService that is not there.
    MissingVirtualService = "17-explicit-list",
    /// Two Gateways of one proxy have the same port.
    PortTaken = "17-one-port-one-proxy",
    /// A Gateway delegates to MatchableHttpGateways, and there are none. It has no listener.
    EmptyHybridGateway,
    /// A host of a tcpGateway has no destination. Gloo dies of it.
    InvalidTcpHost = "17-tcp-host-crash",
    /// Two certificates are for the same server name, or two of several matched gateways take the same
    /// connections.
    SameServerNames = "18-sni-overlap",
    /// There is no certificate that could be used, or Envoy does not know what it is to do with it.
    InvalidTls = "18-secret-bad",
    /// A VirtualService has no virtual host.
    NoVirtualHost = "12-vs-shapes",
    /// Two VirtualServices have the same domain, or one has it twice.
    DuplicateDomain = "12-domains-duplicate",
    /// A domain is empty or cannot be one.
    InvalidDomain = "12-domains-shapes",

    /// A route does not say what it does.
    NoAction = "12-last-good",
    /// A route delegates without saying to which RouteTables.
    NoDelegationTarget = "02-delegate-ref",
    /// A route delegates to a RouteTable that is not there.
    MissingRouteTable = "15-delete-routetable",
    /// A route delegates to the RouteTables with certain labels, and there are none.
    NoRouteTableSelected = "11-nothing-selected",
    /// A condition on labels breaks Kubernetes' rules.
    InvalidSelector = "02-selectors",
    /// A route delegates with a matcher that cannot be delegated: not a prefix, or several matchers.
    InvalidParentMatcher = "11-parent-matcher",
    /// A route of a RouteTable does not fit under the route that delegates to it: path, letter case,
    /// headers, query parameters or methods.
    ChildMatcherMismatch = "11-child-matchers",
    /// RouteTables delegate to each other in a circle.
    DelegationCycle = "11-cycle",

    /// A matcher has no path, or a condition without a name that can be one.
    InvalidMatcher = "09-matcher-no-path-first",
    /// A regular expression cannot be compiled.
    InvalidExpression = "09-matcher-invalid",
    /// A path has characters or parts that Gloo does not allow.
    InvalidPath = "09-matcher-invalid",

    /// A route forwards to nowhere: it names no destination, or one without an Upstream.
    NoDestination = "08-multi-shapes",
    /// A route or an UpstreamGroup names an Upstream that is not there.
    MissingUpstream = "02-two-teams-part2",
    /// A route names an UpstreamGroup that is not there.
    MissingUpstreamGroup = "16-upstream-group",
    /// A route names a subset of an Upstream that has none.
    MissingSubsetSpec = "06-no-subset-spec",
    /// A route names a subset by other labels than any selector of the Upstream.
    UnknownSubset = "06-subset-keys",
    /// The weights of all destinations together are 0.
    NoTotalWeight = "08-weights",
    /// The weights of all destinations together exceed 2^32-1.
    TotalWeightTooLarge = "08-weights",
    /// A mistake in one destination of several cut the list of destinations short.
    TruncatedDestinations = "07-truncation-missing",
    /// A route calls a function that its Upstream does not have.
    InvalidFunction = "04-rest-function",
    /// A route needs a filter that a plain Envoy does not have.
    MissingFilter = "04-rest-function",

    /// An option stands on a route whose action it does not apply to.
    OptionNotApplicable = "13-shadowing",
    /// A header to change has a name or a value that cannot be one, or may not be changed.
    InvalidHeader = "13-headers",
    /// A Secret is not there.
    MissingSecret = "18-secret-missing",
    /// Options of a route or virtual host refer to an object that is not there.
    MissingOption = "21-virtual-host-option",
    /// Only Gloo Enterprise has it, and this Gloo is the open-source one.
    EnterpriseOption = "19-enterprise-routes",
    /// A virtual cluster has no name or no pattern.
    InvalidStatistics = "19-virtual-host-options",
    /// The pauses between retries contradict each other.
    InvalidRetries = "13-timeout-retries",
    /// A duration is negative.
    InvalidDuration,
    /// Rewrites of path or host contradict each other, or are no text for a path or host.
    InvalidRewrite = "13-rewrites",
    /// A redirect leads to a host or path that cannot be one.
    InvalidRedirect,
    /// A protocol upgrade is not named, or named twice.
    InvalidUpgrade,
    /// Cross-origin rules allow no origin.
    InvalidCors = "13-faults-cors",
    /// A made-up answer has no status, or a made-up delay no length.
    InvalidFaults = "13-faults-cors",
    /// A mirror has no Upstream, or a share outside 0 to 100 percent.
    InvalidShadowing = "13-shadowing",
    /// A hash policy says nothing to hash.
    InvalidHash,
    /// A direct answer has a status or a body that Envoy does not take.
    InvalidDirectResponse = "13-redirect-direct",

    /// An Upstream names a Service that is not there.
    MissingService = "05-missing-service",
    /// A fixed address of an Upstream has no host, or no port that can be one.
    InvalidHost = "20-static-options",
    /// An Upstream has no addresses.
    NoAddresses = "16-static-upstream",
    /// The outlier detection of an Upstream has no interval.
    InvalidOutlierDetection = "13-more-options",
    /// A health check of an Upstream lacks what Gloo or Envoy demands.
    InvalidHealthCheck = "20-health-checks",
    /// A version of the PROXY protocol that there is not.
    InvalidProxyProtocol = "20-proxy-protocol-tunnel",
    /// Names are to be resolved again and again, and the Upstream has none.
    InvalidDnsRefresh = "20-proxy-protocol-tunnel",
    /// Numbers of a load balancer that Envoy does not take.
    InvalidLoadBalancing = "20-envoy-refuses-new-cluster",
    /// Fewer bytes under way than HTTP/2 allows.
    InvalidWindow,
    /// Ratios of connections ahead of their use outside 1 to 3.
    InvalidPreconnect,
}
