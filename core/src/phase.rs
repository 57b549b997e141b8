//! Where a rollout stands, and what a change of its values means. Both follow from the values
//! and are written nowhere.

use std::fmt;

use crate::values::{Canary, Service, Weight};

/// Where a service's rollout stands, in the order of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// One version, and no canary.
    Stable,
    /// More versions than get requests.
    Deployed,
    /// Requests with the canary's headers or with a token for it go to the canary, and no others.
    CanaryTest,
    /// The canary has a share of the other requests, the primary has the rest.
    Shifting,
    /// The canary has all requests.
    Shifted,
}

impl Phase {
    /// Every phase, in the order of a rollout.
    pub const ALL: [Self; 5] =
        [Self::Stable, Self::Deployed, Self::CanaryTest, Self::Shifting, Self::Shifted];

    /// The phase's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stable => "Stable",
            Self::Deployed => "Deployed",
            Self::CanaryTest => "CanaryTest",
            Self::Shifting => "Shifting",
            Self::Shifted => "Shifted",
        }
    }

    /// The phase of a service's values.
    pub fn of(service: &Service) -> Self {
        match &service.routes.canary {
            None if service.versions.len() == 1 => Self::Stable,
            None => Self::Deployed,
            Some(Canary { weight, .. }) if *weight == Weight::FULL => Self::Shifted,
            Some(Canary { weight, .. }) if *weight > Weight::ZERO => Self::Shifting,
            Some(canary) if canary.is_tested() => Self::CanaryTest,
            Some(_) => Self::Deployed,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a change of a service's values means for its rollout. Every one is legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Onward: more of the traffic for the same canary, or the canary becomes the primary.
    /// Phases may be skipped.
    Advance,
    /// The rollback of an advance.
    Rollback,
    /// Anything else: another canary in the middle of a rollout, or a primary that was never
    /// the canary.
    Jump,
}

impl Change {
    /// What lies between two states of a service; `None` when both stand at the same point.
    pub fn between(before: &Service, after: &Service) -> Option<Self> {
        let same = before.routes.primary == after.routes.primary
            && canary(before) == canary(after)
            && progress(before) == progress(after);
        match (same, advances(before, after), advances(after, before)) {
            (true, ..) => None,
            (false, true, _) => Some(Self::Advance),
            (false, false, true) => Some(Self::Rollback),
            (false, false, false) => Some(Self::Jump),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Advance => "advance",
            Self::Rollback => "rollback",
            Self::Jump => "jump",
        })
    }
}

fn canary(service: &Service) -> Option<&str> {
    service.routes.canary.as_ref().map(|canary| canary.version.as_str())
}

fn progress(service: &Service) -> (Phase, Weight) {
    let weight = service.routes.canary.as_ref().map_or(Weight::ZERO, |canary| canary.weight);
    (Phase::of(service), weight)
}

fn advances(before: &Service, after: &Service) -> bool {
    let (old, new) = (&before.routes.primary, &after.routes.primary);
    match (canary(before), canary(after)) {
        (Some(promoted), None) => new.as_str() == promoted,
        (Some(one), Some(other)) if one != other => false,
        _ => old == new && progress(before) < progress(after),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::values::tests::properties::valid_values;
    use crate::values::tests::service;

    /// A service with these versions, the first one primary, and this canary.
    fn state(versions: &[&str], canary: &str) -> Service {
        let deployment: Vec<_> =
            versions.iter().map(|version| format!("{version}: {{}}")).collect();
        let canary = if canary.is_empty() { "" } else { &format!(", canary: {{{canary}}}") };
        service(&format!(
            "deployment: {{{}}}\nroutes: {{apiGroup: a, primary: {{version: {}}}{canary}}}\n",
            deployment.join(", "),
            versions[0]
        ))
    }

    const HEADERS: &str = "headers: {stage: canary}";

    /// The six steps of a rollout, with half of the traffic in the middle.
    fn rollout() -> [Service; 6] {
        [
            state(&["v1"], ""),
            state(&["v1", "v2"], ""),
            state(&["v1", "v2"], &format!("version: v2, {HEADERS}")),
            state(&["v1", "v2"], &format!("version: v2, {HEADERS}, weight: 50")),
            state(&["v1", "v2"], &format!("version: v2, {HEADERS}, weight: 100")),
            state(&["v2"], ""),
        ]
    }

    #[test]
    fn the_phases_of_a_rollout_follow_from_its_values() {
        use Phase::{CanaryTest, Deployed, Shifted, Shifting, Stable};
        let phases = rollout().map(|service| Phase::of(&service));
        assert_eq!(phases, [Stable, Deployed, CanaryTest, Shifting, Shifted, Stable]);
    }

    #[test]
    fn a_canary_that_gets_no_requests_is_only_deployed() {
        assert_eq!(Phase::of(&state(&["v1", "v2"], "version: v2")), Phase::Deployed);
        assert_eq!(Phase::of(&state(&["v1", "v2"], "version: v2, shadow: 5")), Phase::Deployed);
    }

    #[test]
    fn every_step_of_a_rollout_is_an_advance_and_its_reverse_a_rollback() {
        for step in rollout().windows(2) {
            assert_eq!(Change::between(&step[0], &step[1]), Some(Change::Advance));
            assert_eq!(Change::between(&step[1], &step[0]), Some(Change::Rollback));
        }
    }

    #[test]
    fn phases_may_be_skipped() {
        let [stable, deployed, test, _, shifted, done] = rollout();
        assert_eq!(Change::between(&stable, &shifted), Some(Change::Advance));
        assert_eq!(Change::between(&test, &done), Some(Change::Advance));
        assert_eq!(Change::between(&deployed, &done), Some(Change::Jump));
    }

    #[test]
    fn more_weight_is_an_advance_and_less_a_rollback() {
        let at = |weight: u8| state(&["v1", "v2"], &format!("version: v2, weight: {weight}"));
        assert_eq!(Change::between(&at(10), &at(20)), Some(Change::Advance));
        assert_eq!(Change::between(&at(20), &at(10)), Some(Change::Rollback));
        assert_eq!(Change::between(&at(20), &at(20)), None);
    }

    #[test]
    fn another_canary_in_the_middle_is_a_jump() {
        let v2 = state(&["v1", "v2", "v3"], "version: v2, weight: 10");
        let v3 = state(&["v1", "v2", "v3"], "version: v3, weight: 10");
        assert_eq!(Change::between(&v2, &v3), Some(Change::Jump));
    }

    #[test]
    fn a_canary_of_the_next_rollout_does_not_hide_the_promotion_before() {
        let shifted = state(&["v1", "v2"], "version: v2, weight: 100");
        let next = state(&["v2", "v3"], "version: v3");
        assert_eq!(Change::between(&shifted, &next), Some(Change::Jump));
    }

    proptest! {
        #[test]
        fn the_reverse_of_an_advance_is_a_rollback(one in valid_values(), other in valid_values()) {
            let [one, other] =
                [one, other].map(|values| service(&serde_yaml::to_string(&values).unwrap()));
            let back = Change::between(&other, &one);
            prop_assert_eq!(Change::between(&one, &one), None);
            match Change::between(&one, &other) {
                Some(Change::Advance) => prop_assert_eq!(back, Some(Change::Rollback)),
                Some(Change::Rollback) => prop_assert_eq!(back, Some(Change::Advance)),
                same => prop_assert_eq!(back, same),
            }
        }
    }
}
