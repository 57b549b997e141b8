//! What the judge decides, story by story.

mod stories;

use std::time::Duration;

use judge::{
    Analysis, Bound, Counts, Decision, Judge, Look, Measure, Number, Pods, Policy, Rate,
    Regression, Shortage, Wait,
};
use stories::{LEAST, NAMES, SECOND, counts, decide, errors, look, of_errors, policy};

fn sentence(policy: &Policy, looks: &[Look]) -> String {
    decide(policy, looks).by(NAMES).to_string()
}

fn is_promoted(decision: &Decision) -> bool {
    matches!(decision, Decision::Promote(_))
}

#[test]
fn a_good_canary_is_promoted_by_time_and_evidence() {
    let clean = vec![of_errors((45, 0), (5, 0)); 301];
    let said = "v2 stays as it is: the step lasts 241 s more; `errors` has 295 of the 300 requests that it needs";
    assert_eq!(sentence(&errors(), &clean[..59]), said.replace("241 s", "4 min 1 s"));
    let said = "v2 stays as it is: the step lasts 1 s more";
    assert_eq!(sentence(&errors(), &clean[..299]), said);
    let said = "v2 answered none of 1,500 requests badly, v1 0 of 13,500";
    assert_eq!(sentence(&errors(), &clean[..300]), said);
    assert!(is_promoted(&decide(&errors(), &clean[..300])));
}

#[test]
fn nothing_measured_is_never_good() {
    let silent = vec![of_errors((45, 0), (0, 0)); 4000];
    for otherwise in [Shortage::Hold, Shortage::Promote] {
        let mut policy = errors();
        policy.enough.otherwise = otherwise;
        assert!(!is_promoted(&decide(&policy, &silent)), "{otherwise:?}");
        policy.enough.requests = 0;
        assert!(!is_promoted(&decide(&policy, &silent)), "{otherwise:?}, 0 are enough");
        assert!(!is_promoted(&decide(&policy, &vec![look(&[]); 4000])), "{otherwise:?}, blind");
    }
    let clean = vec![of_errors((45, 0), (5, 0)); 400];
    let said = "v2 stays as it is: nothing is measured";
    assert_eq!(sentence(&policy(&[]), &clean), said);
}

#[test]
fn every_analysis_has_to_speak() {
    let orders = Analysis::Rate(Rate { brake: false, ..Rate::errors(1.2, None) });
    let policy = policy(&[("errors", Analysis::Rate(Rate::errors(1.5, None))), ("orders", orders)]);
    let both = look(&[("errors", counts((45, 0), (5, 0))), ("orders", counts((9, 0), (1, 0)))]);
    assert!(is_promoted(&decide(&policy, &vec![both.clone(); 300])));
    let said = "v2 stays as it is: `orders` has 299 of the 300 requests that it needs";
    let mut looks = vec![both.clone(); 299];
    looks.push(of_errors((45, 0), (5, 0)));
    assert_eq!(
        sentence(&policy, &looks),
        "v2 stays as it is: `orders` has not been measured for 1 s"
    );
    looks[299] = look(&[("errors", counts((45, 0), (5, 0))), ("orders", counts((9, 0), (0, 0)))]);
    assert_eq!(sentence(&policy, &looks), said);
}

#[test]
fn analyses_divide_the_chance_of_a_false_alarm() {
    let rate = Analysis::Rate(Rate::errors(1.5, None));
    let load = Analysis::Number(Number { bound: Bound::Max(1.0), lasting: SECOND });
    for (analyses, threshold) in [(1, 1000.0), (2, 2000.0), (4, 4000.0)] {
        let names: Vec<String> = (0..analyses).map(|index| format!("rate{index}")).collect();
        let mut all: Vec<(&str, Analysis)> =
            names.iter().map(|name| (name.as_str(), rate.clone())).collect();
        all.push(("load", load.clone()));
        let policy = policy(&all);
        let readings = Judge::new(&policy, true).readings(&policy);
        assert_eq!(readings.len(), analyses);
        assert!(readings.iter().all(|it| it.evidence.threshold == threshold), "{readings:?}");
    }
}

#[test]
fn a_step_needs_requests_of_its_own() {
    let policy = errors();
    let mut judge = Judge::new(&policy, true);
    (0..300).for_each(|_| judge.look(&policy, &of_errors((45, 0), (5, 0))));
    assert!(is_promoted(&judge.decide(&policy, LEAST, LEAST)));
    judge.begin(&policy, true);
    (0..9).for_each(|_| judge.look(&policy, &of_errors((25, 0), (25, 0))));
    let said = judge.decide(&policy, LEAST, LEAST).by(NAMES).to_string();
    let expected = "v2 stays as it is: `errors` has 225 of the 300 requests that it needs";
    assert_eq!(said, expected);
}

#[test]
fn too_few_requests_in_time_do_what_the_policy_says() {
    let mut policy = errors();
    let mut looks = vec![of_errors((45, 0), (0, 0)); 3600];
    looks[0] = of_errors((45, 0), (5, 0));
    assert!(matches!(decide(&policy, &looks), Decision::Hold(_)));
    policy.enough.otherwise = Shortage::Promote;
    assert!(is_promoted(&decide(&policy, &looks)));
    assert!(!is_promoted(&decide(&policy, &looks[..3599])));
    policy.enough.otherwise = Shortage::Abort;
    assert!(matches!(decide(&policy, &looks[..3599]), Decision::Hold(_)));
    assert_eq!(
        sentence(&policy, &looks),
        "v2 has answered 5 of the 300 requests that `errors` needs, and the time for them is over"
    );
    // What cannot be measured is no shortage.
    looks[3599] = look(&[]);
    assert!(matches!(decide(&policy, &looks), Decision::Hold(_)));
}

#[test]
fn a_canary_that_is_worse_is_withdrawn_and_it_is_said_why() {
    let mut looks = vec![of_errors((45, 0), (5, 0)); 40];
    looks.iter_mut().step_by(4).for_each(|it| *it = of_errors((45, 0), (5, 1)));
    let Decision::Abort(Regression::Worse(reading)) = decide(&errors(), &looks) else {
        panic!("it is worse");
    };
    assert!(reading.evidence.is_reached() && reading.evidence.progress() == 1.0);
    let Counts { total, bad } = reading.canary;
    assert!((4..=8).contains(&bad), "{reading:?}");
    let said = format!(
        "v2 answered {bad} of {total} requests badly, v1 0 of {}: chance does that in less than 1 of 1,000 rollouts",
        reading.primary.total
    );
    assert_eq!(sentence(&errors(), &looks), said);
}

#[test]
fn a_canary_that_may_be_worse_is_not_promoted() {
    // Three of 300 where the primary has none: too little for an abort, and too much for more traffic.
    let mut looks = vec![of_errors((9, 0), (1, 0)); 300];
    for at in [50, 150, 250] {
        looks[at] = of_errors((9, 0), (1, 1));
    }
    assert_eq!(
        sentence(&errors(), &looks),
        "v2 stays as it is: v2 answered 3 of 300 requests badly, v1 0 of 2,700, which may be chance"
    );
}

#[test]
fn less_than_is_permitted_in_any_case_is_no_regression() {
    // 1 of 1,000, where the primary has none at all.
    let mut looks = vec![of_errors((900, 0), (100, 0)); 3000];
    looks.iter_mut().step_by(10).for_each(|it| *it = of_errors((900, 0), (100, 1)));
    assert!(is_promoted(&decide(&errors(), &looks)));
    let relative = policy(&[("errors", Analysis::Rate(Rate::errors(1.5, None)))]);
    assert!(matches!(decide(&relative, &looks), Decision::Abort(_)));
}

#[test]
fn a_disaster_is_over_after_three_looks() {
    let bad = vec![of_errors((45, 0), (5, 5)); 3];
    assert!(matches!(decide(&errors(), &bad[..2]), Decision::Hold(_)));
    assert_eq!(
        sentence(&errors(), &bad),
        "v2 answered 15 of 15 requests badly, v1 0 of 135 in 3 looks in succession"
    );
}

#[test]
fn a_disaster_of_both_versions_is_none_of_the_canary() {
    for primary in [(45, 45), (45, 5), (1, 1), (0, 0)] {
        let mut looks = vec![of_errors((45, 0), (5, 0)); 30];
        looks.extend(vec![of_errors(primary, (5, 5)); 8]);
        let decision = decide(&errors(), &looks);
        let is_brake = matches!(decision, Decision::Abort(Regression::Disaster { .. }));
        assert!(!is_brake, "{primary:?}: {decision:?}");
    }
}

#[test]
fn without_a_primary_its_answers_of_before_are_the_bound() {
    let policy = errors();
    let after = |bad: u64| {
        let mut judge = Judge::new(&policy, true);
        (0..300).for_each(|_| judge.look(&policy, &of_errors((100, 1), (100, 1))));
        judge.begin(&policy, false);
        (0..300).for_each(|_| judge.look(&policy, &of_errors((0, 0), (100, bad))));
        judge.decide(&policy, LEAST, LEAST)
    };
    assert!(is_promoted(&after(1)), "as the primary was: {:?}", after(1));
    assert!(matches!(after(6), Decision::Abort(Regression::Worse(_))));
    let relative = self::policy(&[("errors", Analysis::Rate(Rate::errors(1.5, None)))]);
    let mut judge = Judge::new(&relative, false);
    (0..300).for_each(|_| judge.look(&relative, &of_errors((0, 0), (100, 0))));
    let said = judge.decide(&relative, LEAST, LEAST).by(NAMES).to_string();
    let expected = "v2 stays as it is: `errors` has neither a primary to compare with nor a bound";
    assert_eq!(said, expected);
}

fn load(bound: Bound) -> Policy {
    let number = Number { bound, lasting: Duration::from_secs(60) };
    policy(&[("load", Analysis::Number(number))])
}

#[test]
fn a_number_beyond_its_bound_for_its_time_is_a_regression() {
    let values = |value| look(&[("load", Measure::Value(value))]);
    for (bound, good, bad) in [(Bound::Max(0.8), 0.8, 0.9), (Bound::Min(5.0), 5.0, 4.5)] {
        let policy = load(bound);
        let mut looks = vec![values(good); 10];
        looks.extend(vec![values(bad); 60]);
        assert!(matches!(decide(&policy, &looks), Decision::Hold(_)), "59 s by now");
        let mut again = looks.clone();
        looks.push(values(bad));
        assert!(matches!(decide(&policy, &looks), Decision::Abort(Regression::Beyond { .. })));
        // Once within the bound, the time begins again.
        again.push(values(good));
        again.extend(vec![values(bad); 60]);
        let Decision::Hold(waits) = decide(&policy, &again) else { panic!("it is not that long") };
        assert!(waits.iter().any(|wait| matches!(wait, Wait::Beyond { .. })), "{waits:?}");
        assert!(is_promoted(&decide(&policy, &vec![values(good); 300])));
    }
    let policy = load(Bound::Max(0.8));
    let said = "`load` of v2 is 0.9, beyond its bound 0.8 for 60 s";
    assert_eq!(sentence(&policy, &vec![values(0.9); 61]), said);
    let nothing = vec![values(f64::NAN); 300];
    assert_eq!(
        sentence(&policy, &nothing),
        "v2 stays as it is: `load` has not been measured for 5 min"
    );
}

#[test]
fn pods_that_crash_or_are_gone_are_a_regression_even_if_nothing_is_measured() {
    let with = |desired, ready, restarts| {
        let pods = Some(Pods { desired, ready, restarts });
        Look { length: SECOND, pods, ..Look::default() }
    };
    let policy = errors();
    let said = "a pod of v2 has restarted 3 times in this step";
    assert_eq!(sentence(&policy, &[with(2, 1, 3)]), said);
    let mut looks = vec![with(2, 2, 2)];
    looks.extend(vec![with(2, 0, 2); 29]);
    assert!(matches!(decide(&policy, &looks), Decision::Hold(_)));
    looks.push(with(2, 0, 2));
    assert_eq!(sentence(&policy, &looks), "no pod of v2 has been ready for 30 s");
    // They were not there before, or are not desired.
    assert!(matches!(decide(&policy, &vec![with(2, 0, 0); 100]), Decision::Hold(_)));
    looks.truncate(1);
    looks.extend(vec![with(0, 0, 0); 100]);
    assert!(matches!(decide(&policy, &looks), Decision::Hold(_)));
}

#[test]
fn a_regression_stays_found() {
    let mut looks = vec![of_errors((45, 0), (5, 5)); 3];
    looks.extend(vec![of_errors((45, 0), (5, 0)); 3600]);
    assert!(matches!(decide(&errors(), &looks), Decision::Abort(_)));
}
