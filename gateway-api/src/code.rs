//! What is wrong with objects, independent of the words for it.

gloo::codes! {
    "gateway-api/conformance":

    /// A listener has no certificate that could be used, or may not use it.
    InvalidCertificate = "07-https-missing-secret",
    /// A listener allows kinds of routes that its protocol does not take.
    InvalidRouteKinds = "07-allowed-routes",
    /// A listener has a protocol that is not served, or shares its port with another protocol.
    InvalidListener = "07-listener-conflicts",
    /// A route names a listener or port that its Gateway does not have.
    NoMatchingParent = "07-allowed",
    /// No listener allows routes of this namespace or kind.
    NotAllowed = "07-allowed-routes",
    /// A route and the listeners it names have no host in common.
    NoMatchingHostname = "07-listener-hosts",
    /// A domain stands twice in what Envoy is told.
    DuplicateDomain = "07-listener-hosts",
    /// Rules of several routes take the very same requests.
    SameMatch = "03-across-routes",
    /// A regular expression cannot be compiled.
    InvalidExpression = "07-bad-regex",
    /// A regular expression is too long for the Envoy.
    LongExpression = "07-long-regex",
    /// A header to change has a name or a value that cannot be one, or may not be changed.
    InvalidHeader = "07-header-host",
    /// A direct answer has a body that Envoy does not take.
    InvalidDirectResponse,
    /// A rule cannot be served as it is written.
    InvalidRule = "07-header-host",
    /// A rule has no backend, or one that does nothing.
    NoBackend = "04-no-backends",
    /// The weights of all backends together are 0.
    NoTotalWeight,
    /// A backend is of a kind that the implementation does not know.
    InvalidBackendKind = "04-backend-kinds",
    /// A backend is in another namespace, and no ReferenceGrant there allows that.
    NoGrant = "04-backends-elsewhere",
    /// A backend, or its port, is not there.
    MissingBackend = "01-port-mismatch",
    /// A backend has nobody that is ready.
    NoEndpoints = "04-no-endpoints",
    /// A filter names an object that is not there.
    MissingExtension = "05-extension-ref",
    /// A rule delegates, and no route takes over.
    NoChild = "06-no-child",
    /// Routes delegate to each other in a circle.
    DelegationCycle = "06-cycle",
    /// A rule does not fit below the route that delegates to it.
    ChildOutsideParent = "06-parent-path",
    /// A route that others delegate to has hosts of its own.
    ChildWithHostnames = "06-child-hostnames",
    /// A policy cannot be applied; what it is for answers an error.
    InvalidPolicy = "07-policy-invalid",
    /// Another policy takes the place of this one.
    OverriddenPolicy = "07-policy-conflict",
    /// A policy is for something that is not there.
    MissingTarget = "07-policy-invalid",
    /// Implementations decide otherwise what becomes of it.
    ImplementationsDiffer,
}
