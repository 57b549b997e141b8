//! Domains of one owner that take hosts which another owner's wildcard has taken so far.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gloo::config::VirtualHost;
use gloo::{ObjectRef, Translation};

use super::ownership::Owners;
use crate::domain::{has_wildcard_at_beginning, has_wildcard_at_end, wider};
use crate::reason::Refusal;

/// The domains with a wildcard of all virtual hosts, each as it is written.
#[derive(Default)]
pub(super) struct Wildcards<'a> {
    /// By Gateway and in small letters.
    all: HashMap<(&'a ObjectRef, String), Vec<Wildcard<'a>>>,
    /// Those with the `*` at the end, by Gateway.
    at_end: HashMap<&'a ObjectRef, Vec<Wildcard<'a>>>,
}

type Wildcard<'a> = (&'a VirtualHost, &'a String);

impl<'a> Wildcards<'a> {
    pub(super) fn of(translation: &'a Translation) -> Self {
        let mut wildcards = Self::default();
        for host in translation.desired_hosts() {
            for domain in host.domains.iter().filter(|it| it.contains('*') && *it != "*") {
                let key = (&*host.gateway, domain.to_ascii_lowercase());
                wildcards.all.entry(key).or_default().push((host, domain));
                if has_wildcard_at_end(domain) {
                    wildcards.at_end.entry(&host.gateway).or_default().push((host, domain));
                }
            }
        }
        wildcards
    }

    /// # Errors
    /// A domain that comes to the virtual host and takes hosts from another owner's wildcard. `*` is for whatever nobody
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
            let other = self
                .behind(&host.gateway, domain)
                .find(|(it, _)| owners.of_object(&it.holder) != own);
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

    /// Those of the Gateway that lose hosts to the domain; the narrowest that cover it come first.
    fn behind(&self, gateway: &'a ObjectRef, domain: &str) -> impl Iterator<Item = Wildcard<'a>> {
        let of = move |wildcard| self.all.get(&(gateway, wildcard)).into_iter().flatten();
        let at_end = has_wildcard_at_beginning(domain).then(|| self.at_end.get(gateway)).flatten();
        wider(domain).into_iter().flat_map(of).chain(at_end.into_iter().flatten()).copied()
    }
}
