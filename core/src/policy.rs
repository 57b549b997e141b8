//! What one commit may do to a service: the `policy` of `coalmine.yaml`, held against the routes that
//! are applied.

use crate::reason::PolicyViolation;
use crate::traffic::Shares;
use crate::values::Policy;

/// Why the policy forbids going from the `live` routes to the `desired` ones in one commit.
///
/// A service without routes yet may begin as it likes. Taking traffic from a canary is a rollback and
/// always allowed.
pub fn objection(
    live: Option<&Shares>,
    desired: &Shares,
    policy: &Policy,
) -> Option<PolicyViolation> {
    let (before, after) = (live?, desired);
    for (version, share) in after.iter() {
        let old = before.share(version);
        let is_rollback = before.primary() == Some(version);
        if share <= old || is_rollback {
            continue;
        }
        if let Some(step) = policy.max_step.map(|step| u64::from(step.percent()))
            && share - old > step
        {
            let version = version.to_owned();
            return Some(PolicyViolation::MaxStep { version, from: old, to: share, most: step });
        }
        if policy.require_header_phase && old == 0 && !before.is_header_target(version) {
            return Some(PolicyViolation::HeaderPhase { version: version.to_owned(), to: share });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Hinted;
    use crate::values::Weight;

    fn table(canary_weight: u64, with_header: bool) -> Shares {
        let shares: Shares =
            [("v1", 100 - canary_weight), ("v2", canary_weight)].into_iter().collect();
        let shares = shares.with_primary("v1");
        if with_header { shares.with_header_target("v2") } else { shares }
    }

    fn at_most(percent: u32) -> Policy {
        Policy { max_step: Weight::new(percent), ..Policy::default() }
    }

    #[test]
    fn a_step_beyond_the_limit_is_refused_and_the_next_allowed_one_named() {
        let (live, desired) = (table(10, true), table(50, true));
        let reason = objection(Some(&live), &desired, &at_most(20)).expect("refused").line();
        assert!(reason.contains("from 10 to 50") && reason.contains("weight of 30"), "{reason}");
        assert_eq!(objection(Some(&live), &desired, &at_most(40)), None);
        assert_eq!(objection(Some(&live), &desired, &Policy::default()), None);
    }

    #[test]
    fn going_back_and_beginning_are_always_allowed() {
        let nothing = at_most(1);
        assert_eq!(objection(Some(&table(40, true)), &table(0, true), &nothing), None);
        assert_eq!(objection(None, &table(50, true), &nothing), None);
    }

    #[test]
    fn a_canary_with_the_bigger_share_is_still_a_canary() {
        let refused = objection(Some(&table(60, true)), &table(100, true), &at_most(10));
        assert!(refused.expect("refused").line().contains("weight of 70"));
    }

    #[test]
    fn weight_without_a_header_phase_is_refused_when_the_policy_requires_one() {
        let policy = Policy { require_header_phase: true, ..Policy::default() };
        let refused = objection(Some(&table(0, false)), &table(10, true), &policy);
        assert!(refused.expect("refused").to_string().contains("requireHeaderPhase"));
        assert_eq!(objection(Some(&table(0, true)), &table(10, true), &policy), None);
        assert_eq!(objection(Some(&table(10, false)), &table(20, false), &policy), None);
    }
}
