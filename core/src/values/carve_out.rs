//! Paths and domains within those of a service of another folder.
//!
//! Gloo gives a request to the narrower of two routes, so who claims `/echo/login` takes requests from who has
//! `/echo`. Within a folder that is its owners' own affair. Across folders it needs the word of the platform team, which
//! are the `paths` or `domains` of the folder, or that of the owner, which is `routes.allowCarveOut`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::layout::folder_of;
use super::model::{Binding, Path, PathMatch, Service};
use crate::domain::{has_wildcard_at_beginning, has_wildcard_at_end, wider};

/// A path or a domain that may lie within another service's.
pub(super) enum Carve<'a> {
    /// Neither.
    Nothing,
    /// A domain, in lower case.
    Domain(&'a str),
    /// A path of an apiGroup.
    Path { group: &'a str, path: &'a PathMatch },
}

/// The paths and domains of services, for a search of those that a further one would take requests from.
#[derive(Default)]
pub(super) struct CarveOuts<'a> {
    /// By apiGroup and by the text that all matching paths begin with.
    paths: HashMap<&'a str, BTreeMap<String, Vec<Owned<'a>>>>,
    /// By the domain, in lower case.
    domains: HashMap<Cow<'a, str>, Vec<&'a Service>>,
    /// Those with a domain that ends with a wildcard.
    wildcards_at_end: Vec<&'a Service>,
}

/// A path and whose it is.
struct Owned<'a> {
    service: &'a Service,
    path: &'a PathMatch,
}

impl<'a> CarveOuts<'a> {
    pub(super) fn add(&mut self, service: &'a Service) {
        match &service.routes.binding {
            Binding::ApiGroup(group) => {
                let paths = self.paths.entry(group).or_default();
                for path in &service.routes.paths {
                    paths.entry(path.beginning()).or_default().push(Owned { service, path });
                }
            }
            Binding::Domains(domains) => {
                if domains.iter().any(|domain| has_wildcard_at_end(domain)) {
                    self.wildcards_at_end.push(service);
                }
                for domain in domains {
                    self.domains.entry(lowered(domain)).or_default().push(service);
                }
            }
        }
    }

    /// A service of another folder that would lose requests to what is carved out by `service`, and did not allow it.
    pub(super) fn owner(&self, service: &Service, carve: Carve<'_>) -> Option<&'a Service> {
        if service.grants.carve_outs {
            return None;
        }
        match carve {
            Carve::Nothing => None,
            Carve::Domain(domain) => self.owner_of_domain(service, domain),
            Carve::Path { group, path } => self.owner_of_path(service, group, path),
        }
    }

    fn owner_of_path(
        &self,
        service: &Service,
        group: &str,
        path: &PathMatch,
    ) -> Option<&'a Service> {
        let paths = self.paths.get(group)?;
        let beginning = path.beginning();
        let loses = |owned: &&Owned<'a>| {
            is_elsewhere(owned.service, service)
                && path.shares_methods(owned.path)
                && path.may_come_before(owned.path)
        };
        let has_all_below = |owned: &&Owned<'a>| !matches!(owned.path.path, Path::Exact(_));
        let above = Above { paths, text: Some(&beginning) }.flatten();
        if let Some(owned) = above.filter(has_all_below).find(loses) {
            return Some(owned.service);
        }
        let mut same = paths.get(&beginning).into_iter().flatten();
        if let Some(owned) = same.find(loses) {
            return Some(owned.service);
        }
        // A longer text loses to a prefix only by fewer methods, and to an exact path never.
        let reaches_below = match path.path {
            Path::Exact(_) => false,
            Path::Prefix(_) => !path.methods.is_empty(),
            Path::Regex(_) => true,
        };
        if !reaches_below {
            return None;
        }
        let below = (Bound::Excluded(beginning.as_str()), Bound::Unbounded);
        let below = paths.range::<str, _>(below);
        let below = below.take_while(|(text, _)| text.starts_with(&beginning));
        below.flat_map(|(_, owned)| owned).find(loses).map(|owned| owned.service)
    }

    /// The owner of a domain that the newcomer's comes before. `*` is the rest that nobody else has.
    fn owner_of_domain(&self, service: &Service, domain: &str) -> Option<&'a Service> {
        let elsewhere = |owners: &[&'a Service]| {
            owners.iter().copied().find(|owner| is_elsewhere(owner, service))
        };
        let wider = wider(domain);
        let wider = wider.iter().find_map(|wider| elsewhere(self.domains.get(wider.as_str())?));
        let is_asked_first = has_wildcard_at_beginning(domain);
        wider.or_else(|| is_asked_first.then(|| elsewhere(&self.wildcards_at_end)).flatten())
    }
}

/// A domain as hosts are compared: without regard to case.
pub(super) fn lowered(domain: &str) -> Cow<'_, str> {
    match domain.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => domain.to_ascii_lowercase().into(),
        false => domain.into(),
    }
}

/// The paths whose beginning is a part of a text's beginning, the longest first.
struct Above<'a, 'b> {
    paths: &'b BTreeMap<String, Vec<Owned<'a>>>,
    text: Option<&'b str>,
}

impl<'a, 'b> Iterator for Above<'a, 'b> {
    type Item = &'b Vec<Owned<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let text = self.text?;
            let below = (Bound::Unbounded, Bound::Excluded(text));
            let (nearest, owned) = self.paths.range::<str, _>(below).next_back()?;
            if text.starts_with(nearest.as_str()) {
                self.text = Some(&text[..nearest.len()]);
                return Some(owned);
            }
            // Whatever is a part of the text and before this one is a part of what the two have in common.
            let common = text.bytes().zip(nearest.bytes()).take_while(|(a, b)| a == b).count();
            let common = (0..=common).rev().find(|end| text.is_char_boundary(*end))?;
            let shorter = &text[..common];
            self.text = Some(shorter);
            if let Some(owned) = self.paths.get(shorter) {
                return Some(owned);
            }
        }
    }
}

/// Whether the owner is in another folder than the newcomer and did not allow to take requests.
fn is_elsewhere(owner: &Service, newcomer: &Service) -> bool {
    owner.name != newcomer.name
        && !owner.routes.allow_carve_out
        && folder_of(&owner.file) != folder_of(&newcomer.file)
}
