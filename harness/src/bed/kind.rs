//! Which bed is asked for.

use std::env;

use anyhow::{Result, bail};

/// The kinds of bed there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Real control plane and Envoy as processes in a namespace of their own.
    Local,
    /// A cluster somebody else runs.
    Existing,
}

impl Kind {
    /// What `COALMINE_BED` says: `local` (the default) or `existing`.
    ///
    /// # Errors
    /// Any other value.
    pub fn from_environment() -> Result<Self> {
        Self::parse(env::var("COALMINE_BED").unwrap_or_default().as_str())
    }

    fn parse(value: &str) -> Result<Self> {
        match value {
            "" | "local" => Ok(Self::Local),
            "existing" => Ok(Self::Existing),
            "k3s" => bail!(
                "COALMINE_BED=k3s: this bed does not exist yet; use local (the default) or existing"
            ),
            other => bail!("COALMINE_BED={other}: expected local (the default) or existing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_bed_is_the_default_and_what_is_not_there_is_refused() {
        assert_eq!(Kind::parse("").unwrap(), Kind::Local);
        assert_eq!(Kind::parse("existing").unwrap(), Kind::Existing);
        assert!(Kind::parse("k3s").unwrap_err().to_string().contains("does not exist yet"));
        assert!(Kind::parse("lcoal").unwrap_err().to_string().contains("expected local"));
    }
}
