//! Which gateway is asked for.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Context as _, Result, ensure};

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
    /// The gateway of this name.
    ///
    /// # Errors
    /// There is none; the message names those that there are.
    pub fn parse(name: &str) -> Result<Self> {
        let found = KINDS.iter().find(|(known, _)| *known == name);
        let (_, kind) = found.context(
            "there is no such gateway; there are gloo (the default), kgateway and envoy-gateway, and \
             gloo+kgateway and gloo+envoy-gateway for two at once",
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

/// The gateways that a bed has: one, or two that serve the same pods, each with an Envoy of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gateways {
    /// The one that scenarios ask when they do not name one.
    pub first: GatewayKind,
    /// One of the Gateway API beside Gloo.
    pub second: Option<GatewayKind>,
}

impl From<GatewayKind> for Gateways {
    fn from(first: GatewayKind) -> Self {
        Self { first, second: None }
    }
}

impl Gateways {
    /// What `COALMINE_GATEWAY` says: `gloo` (the default), `kgateway`, `envoy-gateway`, or Gloo and another of them
    /// with a `+` between.
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

    /// The gateways of this name.
    ///
    /// # Errors
    /// There are none; the message names those that there are. Two of the Gateway API cannot be had, because both
    /// would serve the bed's one Gateway.
    pub fn parse(name: &str) -> Result<Self> {
        let Some((first, second)) = name.split_once('+') else {
            return GatewayKind::parse(name).map(Self::from);
        };
        let (first, second) = (GatewayKind::parse(first)?, GatewayKind::parse(second)?);
        ensure!(
            first == GatewayKind::Gloo && second.is_of_gateway_api(),
            "two gateways are gloo+kgateway or gloo+envoy-gateway"
        );
        Ok(Self { first, second: Some(second) })
    }

    /// Their name in `COALMINE_GATEWAY`.
    pub fn name(self) -> String {
        let second = self.second.map(|second| format!("+{}", second.name())).unwrap_or_default();
        format!("{}{second}", self.first.name())
    }

    /// Both of them, or the one.
    pub(crate) fn all(self) -> impl Iterator<Item = GatewayKind> {
        [Some(self.first), self.second].into_iter().flatten()
    }
}

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

    #[test]
    fn two_gateways_are_gloo_and_another() {
        for name in ["gloo", "kgateway", "gloo+kgateway", "gloo+envoy-gateway"] {
            assert_eq!(Gateways::parse(name).unwrap().name(), name);
        }
        let both = Gateways::parse("gloo+kgateway").unwrap();
        assert_eq!(
            both,
            Gateways { first: GatewayKind::Gloo, second: Some(GatewayKind::Kgateway) }
        );
        for wrong in ["gloo+", "gloo+gloo", "kgateway+gloo", "kgateway+envoy-gateway"] {
            let error = Gateways::parse(wrong).unwrap_err().to_string();
            assert!(error.contains("gloo+kgateway"), "{error}");
        }
    }
}
