//! What routes give each version, as far as routes can be compared.

use std::collections::{BTreeMap, BTreeSet};

/// What each version of a service gets by some routes: those that the values ask for, or those that are
/// live, whoever wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    by_version: BTreeMap<String, u64>,
    primary: Option<String>,
    header_targets: BTreeSet<String>,
    elsewhere: bool,
}

impl Shares {
    /// Percent of the requests without the canary's headers that go to this version; `None` when no route
    /// for them names it.
    pub fn get(&self, version: &str) -> Option<u64> {
        self.by_version.get(version).copied()
    }

    /// The same, 0 for a version that no route names.
    pub fn share(&self, version: &str) -> u64 {
        self.get(version).unwrap_or(0)
    }

    /// The versions that routes for requests without the canary's headers name, and their percent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.by_version.iter().map(|(version, share)| (version.as_str(), *share))
    }

    /// The version that has what the canary does not get: a route's only destination or its first.
    pub fn primary(&self) -> Option<&str> {
        self.primary.as_deref()
    }

    /// Whether requests with headers go to this version.
    pub fn is_header_target(&self, version: &str) -> bool {
        self.header_targets.contains(version)
    }

    /// Whether any requests go to this version.
    pub fn uses(&self, version: &str) -> bool {
        self.share(version) > 0 || self.is_header_target(version)
    }

    /// The versions that any requests go to.
    pub fn used(&self) -> impl Iterator<Item = &str> {
        let shares = self.iter().filter(|(_, share)| *share > 0).map(|(version, _)| version);
        shares.chain(self.header_targets.iter().map(String::as_str))
    }

    /// Whether some requests go to what is no version by its name: an Upstream of somebody else's, or no
    /// Upstream at all.
    pub fn leads_elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// The versions that get more requests than by the routes `before`, or requests with headers for the
    /// first time.
    pub fn gains<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a str> {
        let shares = self.iter().filter(|(version, share)| *share > before.share(version));
        let headers = self.header_targets.difference(&before.header_targets);
        shares.map(|(version, _)| version).chain(headers.map(String::as_str))
    }

    /// The same, and this version is the primary one.
    #[must_use]
    pub fn with_primary(self, version: &str) -> Self {
        Self { primary: Some(version.to_owned()), ..self }
    }

    /// The same, and requests with headers go to this version.
    #[must_use]
    pub fn with_header_target(mut self, version: &str) -> Self {
        self.header_targets.insert(version.to_owned());
        self
    }

    /// The same, and some requests go to what is no version.
    #[must_use]
    pub fn with_elsewhere(self) -> Self {
        Self { elsewhere: true, ..self }
    }

    /// What some routes and others of the same service give together: the most that a version gets by any of them.
    #[must_use]
    pub fn joined(mut self, others: Self) -> Self {
        for (version, share) in others.by_version {
            let known = self.by_version.entry(version).or_default();
            *known = share.max(*known);
        }
        self.primary = self.primary.or(others.primary);
        self.header_targets.extend(others.header_targets);
        self.elsewhere |= others.elsewhere;
        self
    }

    /// Adds a destination of a route, in the order of the routes; `None` stands for what is no version.
    pub(super) fn add(&mut self, has_headers: bool, version: Option<String>, weight: u64) {
        let Some(version) = version else {
            self.elsewhere |= weight > 0;
            return;
        };
        if has_headers {
            self.header_targets.insert(version);
        } else {
            self.primary.get_or_insert_with(|| version.clone());
            self.by_version.insert(version, weight);
        }
    }
}

impl<'a> FromIterator<(&'a str, u64)> for Shares {
    /// The shares of versions whose primary one is not known.
    fn from_iter<I: IntoIterator<Item = (&'a str, u64)>>(shares: I) -> Self {
        let shares = shares.into_iter().map(|(version, share)| (version.to_owned(), share));
        Self { by_version: shares.collect(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares<const N: usize>(shares: [(&str, u64); N]) -> Shares {
        shares.into_iter().collect()
    }

    #[test]
    fn a_version_that_gets_more_gains_and_one_that_gets_less_does_not() {
        let (before, after) = (shares([("v1", 90), ("v2", 10)]), shares([("v1", 50), ("v2", 50)]));
        assert_eq!(after.gains(&before).collect::<Vec<_>>(), ["v2"]);
        assert_eq!(before.gains(&after).collect::<Vec<_>>(), ["v1"]);
        assert_eq!(after.gains(&after).count(), 0);
        assert_eq!(after.gains(&Shares::default()).collect::<Vec<_>>(), ["v1", "v2"]);
        let parked = shares([("v1", 0)]);
        assert_eq!(parked.gains(&Shares::default()).count(), 0, "a share of 0 gives nothing");
    }

    #[test]
    fn a_header_target_gains_the_first_time_only() {
        let without = shares([("v1", 100), ("v2", 0)]);
        let with = without.clone().with_header_target("v2");
        assert_eq!(with.gains(&without).collect::<Vec<_>>(), ["v2"]);
        assert_eq!(with.gains(&with).count(), 0);
    }

    #[test]
    fn a_version_is_used_by_a_share_or_by_headers() {
        let shares = shares([("v1", 100), ("v2", 0), ("v3", 0)]).with_header_target("v2");
        assert_eq!(shares.used().collect::<Vec<_>>(), ["v1", "v2"]);
        let used = ["v1", "v2", "v3", "v4"].map(|version| shares.uses(version));
        assert_eq!(used, [true, true, false, false]);
        assert_eq!((shares.get("v3"), shares.get("v4"), shares.share("v4")), (Some(0), None, 0));
    }

    #[test]
    fn the_first_version_without_headers_is_the_primary_one() {
        let mut shares = Shares::default();
        for (has_headers, version, weight) in
            [(true, Some("v2"), 100), (false, Some("v1"), 90), (false, Some("v2"), 10)]
        {
            shares.add(has_headers, version.map(str::to_owned), weight);
        }
        assert_eq!(shares.primary(), Some("v1"));
        assert_eq!(shares.iter().collect::<Vec<_>>(), [("v1", 90), ("v2", 10)]);
        assert!(shares.is_header_target("v2") && !shares.is_header_target("v1"));
        shares.add(false, None, 0);
        assert!(!shares.leads_elsewhere(), "no request goes there");
        shares.add(true, None, 1);
        assert!(shares.leads_elsewhere());
    }
}
