/// Which implementation reads the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// kgateway 2.4.0, with this validation.
    Kgateway(Validation),
    /// Envoy Gateway 1.9.1 with its defaults.
    EnvoyGateway,
    /// Any of them: translated as kgateway does, and what the implementations decide differently is found.
    Portable,
}

/// How kgateway checks routes before it sends them to Envoy (`KGW_VALIDATION_MODE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Validation {
    /// As far as it can tell by itself. What it cannot tell freezes the routes of a port.
    #[default]
    Standard,
    /// It asks an Envoy. What that refuses is taken out.
    Strict,
}

/// Which fields the CustomResourceDefinitions of the Gateway API have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The stable ones.
    #[default]
    Standard,
    /// Also `retry` and `sessionPersistence`.
    Experimental,
}

/// What is around the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Environment {
    /// Which implementation reads the objects.
    pub profile: Profile,
    /// Which fields there are.
    pub channel: Channel,
    /// Nothing is there but what is in the snapshot: an object that is missing is missing. Otherwise that holds for
    /// the kinds of [`Snapshot::ROUTING`](crate::Snapshot::ROUTING) alone.
    pub complete: bool,
}

impl Default for Environment {
    fn default() -> Self {
        let profile = Profile::Kgateway(Validation::Standard);
        Self { profile, channel: Channel::Standard, complete: false }
    }
}

impl Profile {
    /// The GatewayClass controller of the implementation.
    pub const fn controller(self) -> &'static str {
        match self {
            Self::Kgateway(_) | Self::Portable => "kgateway.dev/kgateway",
            Self::EnvoyGateway => "gateway.envoyproxy.io/gatewayclass-controller",
        }
    }

    /// Whether it is Envoy Gateway.
    pub(crate) const fn is_envoy_gateway(self) -> bool {
        matches!(self, Self::EnvoyGateway)
    }

    /// Whether an Envoy is asked before routes are sent.
    pub(crate) const fn is_strict(self) -> bool {
        matches!(self, Self::Kgateway(Validation::Strict))
    }

    /// The most steps of an expression that its Envoys take: Envoy Gateway lifts the limit in its bootstrap, kgateway
    /// does not (case 07-long-regex).
    pub(crate) const fn program_size(self) -> Option<usize> {
        match self {
            Self::EnvoyGateway => None,
            Self::Kgateway(_) | Self::Portable => Some(100),
        }
    }
}
