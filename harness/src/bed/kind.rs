//! Which bed is asked for.

use std::env;

use anyhow::{Context as _, Result, ensure};

use crate::gateway_kind::{GatewayKind, Gateways};

/// The kinds of bed there are; `docs/beds.md` says what is real in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Real control plane and Envoy as processes in a namespace of their own.
    Local,
    /// k3s and Gloo in a container, by the testcontainers module, on a Docker engine with a way to
    /// registries.
    K3s,
    /// Kubernetes behind the testcontainers k3s module, without a registry: a node image made here,
    /// on a Docker engine of its own.
    K3sOffline,
    /// A cluster somebody else runs.
    Existing,
}

const KINDS: [(&str, Kind); 4] = [
    ("local", Kind::Local),
    ("k3s", Kind::K3s),
    ("k3s-offline", Kind::K3sOffline),
    ("existing", Kind::Existing),
];

/// The feature of this crate that has the beds on a Docker engine.
pub(super) const CONTAINERS: &str = "containers";

impl Kind {
    /// What `COALMINE_BED` says: `local` (the default), `k3s`, `k3s-offline` or `existing`.
    ///
    /// # Errors
    /// Any other value.
    pub fn from_environment() -> Result<Self> {
        Self::parse(env::var("COALMINE_BED").unwrap_or_default().as_str())
    }

    fn parse(value: &str) -> Result<Self> {
        let found = KINDS.iter().find(|(name, _)| *name == value || value.is_empty());
        let (_, kind) = found.with_context(|| {
            format!(
                "COALMINE_BED={value}: there is no such bed; there are local (the default), k3s, \
                 k3s-offline and existing"
            )
        })?;
        Ok(*kind)
    }

    /// Why tests that are made for the local bed cannot be run on what the environment asks for; `None` when they can,
    /// or when it makes no sense, which [`super::enter`] says.
    pub fn other_than_local() -> Option<String> {
        match Self::from_environment() {
            Ok(Self::Local) | Err(_) => None,
            Ok(other) => Some(format!("on the bed {}", other.name())),
        }
    }

    /// Why tests that are made for the local bed with Gloo cannot be run on what the environment asks for;
    /// `None` when they can, or when it makes no sense, which [`super::enter`] says.
    pub fn other_than_local_gloo() -> Option<String> {
        let gateways = Gateways::from_environment().ok();
        let other = gateways.filter(|gateways| gateways.first != GatewayKind::Gloo);
        Self::other_than_local()
            .or_else(|| other.map(|gateways| format!("with the gateway {}", gateways.name())))
    }

    /// Its name in `COALMINE_BED`.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// The gateways that `COALMINE_GATEWAY` asks for on this bed.
    pub(super) fn gateways(self) -> Result<Gateways> {
        self.with_gateways(Gateways::from_environment()?)
    }

    /// The same gateways, if this bed can have them.
    ///
    /// # Errors
    /// It cannot; the message says where they are.
    pub(super) fn with_gateways(self, gateways: Gateways) -> Result<Gateways> {
        if let Some(other) = gateways.all().find(|gateway| gateway.is_of_gateway_api()) {
            ensure!(
                self == Self::Local,
                "the bed {} has Gloo alone; a real {} runs on the local one: set COALMINE_BED=local",
                self.name(),
                other.name()
            );
        }
        Ok(gateways)
    }

    /// The feature of this crate that it needs and this program was built without.
    pub(super) fn missing_feature(self) -> Option<&'static str> {
        let needs_containers = matches!(self, Self::K3s | Self::K3sOffline);
        (needs_containers && !cfg!(feature = "containers")).then_some(CONTAINERS)
    }

    /// Whether all of it runs on this machine, in namespaces of its own.
    pub(crate) fn is_enclosed(self) -> bool {
        matches!(self, Self::Local | Self::K3sOffline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bed_is_found_by_its_name_and_the_local_one_without() {
        for (name, kind) in KINDS {
            assert_eq!(Kind::parse(name).unwrap(), kind);
            assert_eq!(kind.name(), name);
        }
        assert_eq!(Kind::parse("").unwrap(), Kind::Local);
    }

    #[test]
    fn a_gateway_that_a_bed_has_not_is_refused_with_the_bed_that_has_it() {
        let [gloo, kgateway, both] =
            ["gloo", "kgateway", "gloo+kgateway"].map(|name| Gateways::parse(name).unwrap());
        for (_, kind) in KINDS {
            assert_eq!(kind.with_gateways(gloo).unwrap(), gloo);
        }
        for other in [kgateway, both] {
            assert_eq!(Kind::Local.with_gateways(other).unwrap(), other);
            let error = Kind::K3s.with_gateways(other).unwrap_err().to_string();
            assert!(error.contains("kgateway") && error.contains("COALMINE_BED=local"), "{error}");
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_that_there_are() {
        for wrong in ["lcoal", "K3s", "k3s ", "docker"] {
            let error = Kind::parse(wrong).unwrap_err().to_string();
            assert!(error.starts_with(&format!("COALMINE_BED={wrong}: ")), "{error}");
            assert!(KINDS.iter().all(|(name, _)| error.contains(name)), "{error}");
        }
    }
}
