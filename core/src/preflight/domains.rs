//! Domains of one owner that another owner's wildcard has covered so far.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gloo::config::VirtualHost;
use gloo::{ObjectRef, Translation};

use super::ownership::Owners;
use crate::domain::wider;
use crate::reason::Refusal;

/// The domains with a wildcard of all virtual hosts, by Gateway and in small letters, each as it is written.
pub(super) struct Wildcards<'a>(
    HashMap<(&'a ObjectRef, String), Vec<(&'a VirtualHost, &'a String)>>,
);

impl<'a> Wildcards<'a> {
    pub(super) fn of(translation: &'a Translation) -> Self {
        let mut wildcards: HashMap<_, Vec<_>> = HashMap::new();
        for host in translation.desired_hosts() {
            for domain in host.domains.iter().filter(|it| it.contains('*') && *it != "*") {
                let key = (&*host.gateway, domain.to_ascii_lowercase());
                wildcards.entry(key).or_default().push((&**host, domain));
            }
        }
        Self(wildcards)
    }

    /// # Errors
    /// A domain that comes to the virtual host and that another owner's wildcard covers. `*` is for whatever nobody
    /// claims.
    pub(super) fn check(
        &self,
        before: Option<&VirtualHost>,
        host: &VirtualHost,
        owners: &Owners,
    ) -> Result<(), Refusal> {
        let known: HashSet<&String> = before.into_iter().flat_map(|it| &it.domains).collect();
        let mut new = host.domains.iter().filter(|it| !known.contains(it) && *it != "*");
        let own = owners.of_object(&host.holder);
        new.try_for_each(|domain| {
            let covering = self.above(&host.gateway, domain);
            let other = covering.into_iter().find(|(it, _)| owners.of_object(&it.holder) != own);
            match other {
                Some((other, wildcard)) => Err(Refusal::Domain {
                    object: Arc::clone(&host.holder),
                    domain: domain.clone(),
                    wildcard: wildcard.clone(),
                    owner: Arc::clone(&other.holder),
                }),
                None => Ok(()),
            }
        })
    }

    /// Those of the Gateway that are about the domain and about more; the narrowest come first.
    fn above(&self, gateway: &ObjectRef, domain: &str) -> Vec<(&'a VirtualHost, &'a String)> {
        let of = |wildcard| self.0.get(&(gateway, wildcard)).into_iter().flatten().copied();
        wider(domain).into_iter().flat_map(of).collect()
    }
}
