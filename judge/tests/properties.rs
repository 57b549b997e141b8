//! What holds for any looks.

mod stories;

use std::time::Duration;

use judge::{Analysis, Counts, Decision, Judge, Look, Measure, Policy, Rate, Regression};
use proptest::prelude::*;
use stories::{LEAST, NAMES, SECOND, counts, decide, errors, look, of_errors, policy};

fn any_counts() -> impl Strategy<Value = Measure> {
    let arm = (0..60_u64, 0..8_u64, 0..4_u8)
        .prop_map(|(total, bad, some)| (total, if some == 0 { bad.min(total) } else { 0 }));
    (arm.clone(), arm).prop_map(|(primary, canary)| counts(primary, canary))
}

fn any_looks() -> impl Strategy<Value = Vec<Look>> {
    proptest::collection::vec(any_counts().prop_map(|it| look(&[("errors", it)])), 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A look that could not be taken is no zero, no error, and no evidence.
    #[test]
    fn a_blind_look_changes_nothing_that_is_known(looks in any_looks(), blind in 1..100_usize) {
        let policy = errors();
        let mut judge = Judge::new(&policy, true);
        looks.iter().for_each(|it| judge.look(&policy, it));
        let age = LEAST * 2;
        let (before, decision) = (judge.readings(&policy), judge.decide(&policy, LEAST, age));
        for it in 0..blind {
            let seen = look(&[("errors", Measure::Blind)]);
            // Minutes that pass may add a stake, and no measure.
            let length = if it == 0 { SECOND } else { Duration::ZERO };
            judge.look(&policy, &Look { length, ..seen });
        }
        let after = judge.decide(&policy, LEAST, age);
        for (one, other) in before.iter().zip(judge.readings(&policy)) {
            prop_assert_eq!((one.primary, one.canary), (other.primary, other.canary));
            prop_assert!((one.evidence.value - other.evidence.value).abs() < 0.05);
        }
        match decision {
            Decision::Abort(_) => prop_assert_eq!(&after, &decision),
            _ => prop_assert!(matches!(after, Decision::Hold(_))),
        }
        // And the next look goes on from there.
        let mut other = Judge::new(&policy, true);
        looks.iter().for_each(|it| other.look(&policy, it));
        let next = Look { length: Duration::ZERO, ..of_errors((45, 1), (5, 1)) };
        judge.look(&policy, &next);
        other.look(&policy, &next);
        let [one, two] = [&judge, &other].map(|it| it.readings(&policy)[0].evidence.value);
        prop_assert!((one - two).abs() <= 0.05 * one.max(1.0), "{} {}", one, two);
    }

    /// One burst in one version, wherever its answers fall and whatever else is answered well.
    #[test]
    fn one_burst_of_ten_never_brakes(
        others in proptest::collection::vec((0..60_u64, 0..12_u64), 20..60),
        is_quiet in any::<bool>(),
        at in 0..15_usize,
        spread in proptest::collection::vec(0..5_usize, 10),
    ) {
        let mut all: Vec<[(u64, u64); 2]> =
            others.iter().map(|(primary, canary)| [(*primary, 0), (*canary, 0)]).collect();
        if is_quiet {
            all.iter_mut().for_each(|it| it[1].0 = 0);
        }
        for offset in spread {
            all[at + offset][1].0 += 1;
            all[at + offset][1].1 += 1;
        }
        let looks: Vec<Look> =
            all.into_iter().map(|[primary, canary]| of_errors(primary, canary)).collect();
        let is_brake =
            matches!(decide(&errors(), &looks), Decision::Abort(Regression::Disaster { .. }));
        prop_assert!(!is_brake);
    }

    /// The versions exchanged: if only the primary fails, that is never evidence against the canary.
    #[test]
    fn errors_of_the_primary_are_no_evidence(looks in any_looks()) {
        let policy = policy(&[("errors", Analysis::Rate(Rate::errors(1.5, None)))]);
        let mut judge = Judge::new(&policy, true);
        for mut look in looks {
            for measure in look.measures.values_mut() {
                if let Measure::Counts { canary, .. } = measure {
                    canary.bad = 0;
                }
            }
            judge.look(&policy, &look);
            prop_assert!(judge.readings(&policy)[0].evidence.value <= 1.0 + 1e-9);
        }
    }

    /// What is written and read again goes on as if nothing had been.
    #[test]
    fn the_state_survives_json(looks in any_looks(), at in 0..400_usize) {
        let policy = errors();
        let mut judge = Judge::new(&policy, true);
        let mut other = judge.clone();
        for (index, look) in looks.iter().enumerate() {
            if index == at {
                let text = serde_json::to_string(&other).expect("it can be written");
                prop_assert!(text.len() < 4096, "{} bytes", text.len());
                other = serde_json::from_str(&text).expect("it can be read");
            }
            judge.look(&policy, look);
            other.look(&policy, look);
        }
        let [one, two] = [&judge, &other].map(|it| it.decide(&policy, LEAST, LEAST));
        match (one, two) {
            (Decision::Abort(_), Decision::Abort(_)) | (Decision::Promote(_), Decision::Promote(_)) => {}
            (Decision::Hold(one), Decision::Hold(two)) => prop_assert_eq!(one.len(), two.len()),
            (one, two) => prop_assert!(false, "{one:?} {two:?}"),
        }
    }

    /// Nobody's numbers bring it down.
    #[test]
    fn any_numbers_are_judged(
        worse in any::<f64>(), above in any::<Option<f64>>(), false_alarm in any::<f64>(),
        steps in any::<u32>(), cell in any::<u32>(),
        measures in proptest::collection::vec(any::<[u64; 4]>(), 1..20),
        length in any::<Duration>(),
    ) {
        let rate = Rate { worse, above, cell, ..Rate::errors(1.5, None) };
        let policy = Policy { false_alarm, steps, ..policy(&[("errors", Analysis::Rate(rate))]) };
        let mut judge = Judge::new(&policy, true);
        for (index, [a, b, c, d]) in measures.into_iter().enumerate() {
            let measure = Measure::Counts {
                primary: Counts { total: a, bad: b },
                canary: Counts { total: c, bad: d },
            };
            judge.look(&policy, &Look { length, ..look(&[("errors", measure)]) });
            if index == 10 {
                judge.begin(&policy, false);
            }
            let value = judge.readings(&policy)[0].evidence.value;
            prop_assert!(value.is_finite() && value >= 0.0, "{value}");
            let _ = judge.decide(&policy, LEAST, LEAST).by(NAMES).to_string();
        }
    }
}
