//! Which gateway is asked for.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Context as _, Result};

/// The gateways that a bed can have before its services; `docs/beds.md` says what is real in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GatewayKind {
    /// Gloo: the embedded gateway, or what `COALMINE_GLOO` names.
    #[default]
    Gloo,
    /// A real kgateway, by the Gateway API.
    Kgateway,
    /// A real Envoy Gateway, by the Gateway API.
    EnvoyGateway,
}

const KINDS: [(&str, GatewayKind); 3] = [
    ("gloo", GatewayKind::Gloo),
    ("kgateway", GatewayKind::Kgateway),
    ("envoy-gateway", GatewayKind::EnvoyGateway),
];

impl GatewayKind {
    /// What `COALMINE_GATEWAY` says: `gloo` (the default), `kgateway` or `envoy-gateway`.
    ///
    /// # Errors
    /// Any other value.
    pub fn from_environment() -> Result<Self> {
        let value = env::var("COALMINE_GATEWAY").unwrap_or_default();
        if value.is_empty() {
            return Ok(Self::default());
        }
        Self::parse(&value).with_context(|| format!("COALMINE_GATEWAY={value}"))
    }

    /// The gateway of this name.
    ///
    /// # Errors
    /// There is none; the message names those that there are.
    pub fn parse(name: &str) -> Result<Self> {
        let found = KINDS.iter().find(|(known, _)| *known == name);
        let (_, kind) = found.context(
            "there is no such gateway; there are gloo (the default), kgateway and envoy-gateway",
        )?;
        Ok(*kind)
    }

    /// Its name in `COALMINE_GATEWAY`. It is also that of its profile in coalmine.yaml.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether it is told what to do by objects of the Gateway API.
    pub fn is_of_gateway_api(self) -> bool {
        self != Self::Gloo
    }

    /// Where Envoy listens for it inside the namespace. Envoy Gateway adds 10000 to a port that is
    /// below 1024, as that of the bed's Gateway is.
    pub(crate) fn proxy(self) -> SocketAddr {
        let port = match self {
            Self::Gloo => 8080,
            Self::Kgateway => LISTENER,
            Self::EnvoyGateway => 10000 + LISTENER,
        };
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }
}

/// The port of the Gateway that a bed has by the Gateway API. Envoy takes it of every address, so that it
/// must be one that no pod has.
pub(crate) const LISTENER: u16 = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gateway_is_found_by_its_name() {
        for (name, kind) in KINDS {
            assert_eq!(GatewayKind::parse(name).unwrap(), kind);
            assert_eq!(kind.name(), name);
        }
        assert_eq!(GatewayKind::default().name(), "gloo");
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_that_there_are() {
        for wrong in ["", "kgatway", "Gloo", "envoy gateway", "envoygateway"] {
            let error = GatewayKind::parse(wrong).unwrap_err().to_string();
            assert!(KINDS.iter().all(|(name, _)| error.contains(name)), "{error}");
        }
    }
}
