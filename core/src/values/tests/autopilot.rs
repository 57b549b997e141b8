//! `autopilot` and `routes.canary.held`: read, completed by the defaults, or refused with their place.

use std::time::Duration;

use super::{listed, outcome, repository, service};
use crate::values::{
    AnalysisRule, Autopilot, Bound, Comparison, Enough, Mode, RolloutTest, Service, Shortage,
    Weight, placed,
};

/// A file with a canary and with `autopilot` on its line 6; more keys below `routes`.
fn values(autopilot: &str, canary: &str) -> String {
    format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\nroutes:\n  apiGroup: example\n  primary: {{version: v1}}\n  \
         canary: {{version: v2{canary}}}\nautopilot: {autopilot}\n"
    )
}

const TESTED: &str = ", headers: {stage: canary}";

/// The autopilot of a service whose canary is led to by a header.
#[track_caller]
fn autopilot(block: &str) -> Autopilot {
    service(&values(block, TESTED)).autopilot.expect("an autopilot")
}

fn problems(block: &str) -> Vec<String> {
    listed(&outcome(values(block, TESTED)).expect_err("a mistake"))
}

#[track_caller]
fn refuses(block: &str, expected: &str) {
    let found = problems(block);
    let expected = format!("services/echo.yaml:{expected}");
    assert!(found.len() == 1 && found[0].starts_with(&expected), "{block}:\n{expected}\n{found:?}");
}

fn echo(settings: &str, values: &str) -> Result<Service, Vec<String>> {
    let mut repository = repository(&[("coalmine.yaml", settings), ("services/echo.yaml", values)]);
    assert_eq!(listed(&repository.problems), [""; 0]);
    let (_, outcome) = repository.services.pop_first().expect("the service");
    outcome.map(|service| (*service).clone()).map_err(|problems| listed(&problems))
}

fn weights(autopilot: &Autopilot) -> Vec<u8> {
    autopilot.ladder.steps.iter().map(|step| step.weight.percent()).collect()
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

#[test]
fn without_the_block_there_is_none_and_with_an_empty_one_it_is_on_by_the_built_in_rules() {
    let without = values("", TESTED).replace("autopilot: \n", "");
    assert_eq!(service(&without).autopilot, None);
    assert_eq!(service(&values("", TESTED)).autopilot, None, "nothing is said");
    let built_in = autopilot("{}");
    assert_eq!((built_in.mode, built_in.ladder.headers), (Mode::On, true));
    assert_eq!(weights(&built_in), [5, 25, 50, 90]);
    assert!(built_in.ladder.steps.iter().all(|step| step.least == minutes(5)));
    let comparison = Comparison { worse: 1.5, above: Some(0.002) };
    assert_eq!(built_in.analyses, [("errors".to_owned(), AnalysisRule::Errors(comparison))].into());
    let enough = Enough { requests: 300, within: minutes(60), otherwise: Shortage::Hold };
    assert_eq!((built_in.enough, built_in.false_alarm), (enough, 0.001));
    assert_eq!((built_in.blind_after, built_in.finish_after), (Duration::from_secs(30), None));
    assert!(built_in.tests.is_empty() && built_in.ladder.gates.is_empty());
}

#[test]
fn every_key_is_read() {
    let read = autopilot(
        "
  mode: shadow
  steps: [headers, {weight: 5, for: 10m}, 25, 100]
  for: 90s
  analysis:
    errors: {worse: 2, above: 0.5%}
    orders: {bad: 'failed{v=\"{{version}}\"}', total: 'all{v=\"{{ version }}\"}', worse: 1.2, above: 3%}
    saturation: {query: load, max: 0.8, for: 1m}
    hits: {query: hits, min: 5}
  tests:
    smoke: {webhook: 'https://tester.example/run?of=echo'}
    browser: {job: {image: registry.example/browser:1, args: [echo, 2]}}
  falseAlarm: 1%
  enough: {requests: 50, within: 2h, else: abort}
  blind: {after: 1m, do: hold}
  gates: {before: [25, 100]}
  finish: {after: 0s}",
    );
    assert_eq!((read.mode, weights(&read)), (Mode::Shadow, vec![5, 25, 100]));
    let least: Vec<Duration> = read.ladder.steps.iter().map(|step| step.least).collect();
    assert_eq!(least, [minutes(10), Duration::from_secs(90), Duration::from_secs(90)]);
    let gates: Vec<u8> = read.ladder.gates.iter().map(|weight| weight.percent()).collect();
    assert_eq!(gates, [25, 100]);
    let analyses: Vec<(&str, &AnalysisRule)> =
        read.analyses.iter().map(|(name, rule)| (name.as_str(), rule)).collect();
    let expected = [
        ("errors", &AnalysisRule::Errors(Comparison { worse: 2.0, above: Some(0.005) })),
        (
            "hits",
            &AnalysisRule::Number {
                query: "hits".into(),
                bound: Bound::Min(5.0),
                lasting: Duration::ZERO,
            },
        ),
        (
            "orders",
            &AnalysisRule::Counters {
                bad: "failed{v=\"{{version}}\"}".into(),
                total: "all{v=\"{{ version }}\"}".into(),
                comparison: Comparison { worse: 1.2, above: Some(0.03) },
            },
        ),
        (
            "saturation",
            &AnalysisRule::Number {
                query: "load".into(),
                bound: Bound::Max(0.8),
                lasting: minutes(1),
            },
        ),
    ];
    assert_eq!(analyses, expected);
    let webhook = RolloutTest::Webhook("https://tester.example/run?of=echo".into());
    let job = RolloutTest::Job {
        image: "registry.example/browser:1".into(),
        args: vec!["echo".into(), "2".into()],
    };
    assert_eq!(read.tests, [("smoke".to_owned(), webhook), ("browser".to_owned(), job)].into());
    let enough = Enough { requests: 50, within: minutes(120), otherwise: Shortage::Abort };
    assert_eq!((read.enough, read.false_alarm), (enough, 0.01));
    assert_eq!((read.blind_after, read.finish_after), (minutes(1), Some(Duration::ZERO)));
}

#[test]
fn a_service_says_over_the_defaults_key_by_key() {
    let settings = "\
defaults:
  autopilot:
    for: 1m
    steps: [headers, 10, 50]
    analysis: {orders: {bad: 'a{{version}}', total: 'b{{version}}'}, load: {query: c, max: 1}}
    enough: {requests: 10}
";
    let own = "{for: 2m, analysis: {orders: {worse: 3}, load: false}, enough: {within: 30m}}";
    let read = echo(settings, &values(own, TESTED)).unwrap().autopilot.unwrap();
    assert_eq!(
        (read.mode, weights(&read), read.ladder.least),
        (Mode::On, vec![10, 50], minutes(2))
    );
    let names: Vec<&str> = read.analyses.keys().map(String::as_str).collect();
    assert_eq!(names, ["errors", "orders"]);
    assert!(matches!(&read.analyses["orders"], AnalysisRule::Counters { bad, comparison, .. }
            if bad == "a{{version}}" && comparison.worse == 3.0));
    assert_eq!((read.enough.requests, read.enough.within), (10, minutes(30)));

    // What only completes autopilots turns none on; `mode` does.
    let without = values("", TESTED);
    assert_eq!(echo(settings, &without).unwrap().autopilot.unwrap().mode, Mode::Off);
    let on = format!("{settings}    mode: on\n");
    assert_eq!(echo(&on, &without).unwrap().autopilot.unwrap().mode, Mode::On);
    assert_eq!(
        echo(&on, &values("{mode: off}", TESTED)).unwrap().autopilot.unwrap().mode,
        Mode::Off
    );
}

#[test]
fn steps_rise_and_begin_with_the_headers() {
    for (steps, expected) in [
        (
            "[5, 25, 25]",
            "6:28: autopilot.steps[2]: the weight 25 comes after 25, and the steps of a rollout rise",
        ),
        ("[50, 25]", "6:25: autopilot.steps[1]: the weight 25 comes after 50"),
        (
            "[5, headers]",
            "6:24: autopilot.steps[1]: `headers` is phase 1, and comes before every weight",
        ),
        ("[headers, headers]", "6:30: autopilot.steps[1]: `headers` is phase 1"),
        ("[0]", "6:21: autopilot.steps[0]: expected a whole number from 1 to 100, found 0"),
        ("[101]", "6:21: autopilot.steps[0]: expected a whole number from 1 to 100, found 101"),
        ("[2.5]", "6:21: autopilot.steps[0]: expected a whole number"),
        ("[half]", "6:21: autopilot.steps[0]: expected a whole number"),
        ("[{for: 5m}]", "6:21: autopilot.steps[0].weight: the key is required"),
        (
            "[{weight: 5, for: 0s}]",
            "6:38: autopilot.steps[0].for: expected a duration from 1s to 720h",
        ),
        ("[]", "6:20: autopilot.steps: a rollout has 1 to 100 steps"),
        ("5", "6:20: autopilot.steps: expected a list"),
    ] {
        refuses(&format!("{{steps: {steps}}}"), expected);
    }
}

#[test]
fn the_step_headers_needs_a_canary_that_requests_are_led_to() {
    let found = outcome(values("{steps: [headers, 5]}", "")).expect_err("no headers");
    let expected = "services/echo.yaml:6:21: autopilot.steps[0]: the step `headers` needs requests that are led to v2, \
                    and the canary has neither `headers` nor `jwt`; write `routes.canary.headers`, for example \
                    `{stage: canary}`, or take `headers` out of `steps`";
    assert_eq!(listed(&found), [expected]);
    assert_eq!(
        service(&values("{steps: [5]}", "")).autopilot.map(|it| it.ladder.headers),
        Some(false)
    );
    // Nothing is known of the next canary, and the built-in steps and those of the defaults fit every one.
    let stable = "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\nautopilot: {steps: [headers, 5]}\n";
    assert!(service(stable).autopilot.is_some());
    assert!(service(&values("{}", "")).autopilot.is_some());
    assert!(echo("defaults: {autopilot: {steps: [headers, 5]}}\n", &values("{}", "")).is_ok());
}

#[test]
fn a_ladder_without_weights_ends_with_a_person() {
    refuses(
        "{steps: [headers], finish: {after: 1h}}",
        "6:39: autopilot.finish: the steps have no weight, so that all requests would go to the canary at once",
    );
    assert_eq!(weights(&autopilot("{steps: [headers]}")), [0_u8; 0]);
}

#[test]
fn no_step_is_more_than_the_policy_allows() {
    let settings = "policy: {maxStep: 20}\n";
    let of = |block: &str| echo(settings, &values(block, TESTED));
    let expected = [
        "services/echo.yaml:6:25: autopilot.steps[1]: from 10 to 40 is more than policy.maxStep allows in one commit, \
         20; write a step of at most 30 before it",
    ];
    assert_eq!(of("{steps: [10, 40]}").expect_err("a long step"), expected);
    let found = of("{steps: [headers, 25]}").expect_err("a long first step");
    assert!(
        found.len() == 1 && found[0].contains(":6:30: autopilot.steps[1]: from 0 to 25"),
        "{found:?}"
    );
    let found = of("{steps: [20, 40, 60], finish: {after: 1h}}").expect_err("a long last step");
    assert!(
        found.len() == 1 && found[0].contains("autopilot.finish: from the last step, 60, to all"),
        "{found:?}"
    );
    assert!(found[0].contains("go on to 80 at least"), "{found:?}");
    assert!(of("{steps: [20, 40, 60]}").is_ok(), "a person finishes");
    // The built-in ladder has as many steps as it needs.
    let built_in = of("{finish: {after: 1h}}").unwrap().autopilot.unwrap();
    assert_eq!(weights(&built_in), [5, 25, 45, 50, 70, 90]);
    let with_defaults = "policy: {maxStep: 20}\ndefaults: {deployment: {replicas: 2}}\n";
    assert!(echo(with_defaults, &values("{steps: [10, 40]}", TESTED)).is_err());
    // The policy beside defaults that break it is told once, for the repository.
    let defaults = "policy: {maxStep: 20}\ndefaults: {autopilot: {steps: [10, 40]}}\n";
    let found = listed(&repository(&[("coalmine.yaml", defaults)]).problems);
    assert!(
        found.len() == 1
            && found[0].starts_with("coalmine.yaml:2:36: defaults.autopilot.steps[1]: "),
        "{found:?}"
    );
}

#[test]
fn beyond_90_percent_an_analysis_needs_a_bound_of_its_own() {
    let counters = "orders: {bad: 'a{{version}}', total: 'b{{version}}'}";
    refuses(
        &format!("{{steps: [50, 95], analysis: {{{counters}}}}}"),
        "6:25: autopilot.steps[1]: at 95 % next to nobody is left on the primary to compare with, and the analysis \
         orders has no `above`; write `autopilot.analysis.orders.above`",
    );
    autopilot(&format!("{{steps: [50, 90], analysis: {{{counters}}}}}"));
    autopilot("{steps: [50, 100]}");
    autopilot("{steps: [50, 100], analysis: {errors: false, load: {query: a, max: 1}}}");
}

#[test]
fn a_gate_stands_before_a_step_that_there_is() {
    refuses(
        "{gates: {before: [25, 30]}}",
        "6:29: autopilot.gates.before: there is no step 30, so that nobody would ever be asked before it; the steps are \
         5, 25, 50, 90",
    );
    refuses(
        "{gates: {before: [headers]}}",
        "6:30: autopilot.gates.before[0]: expected a whole number from 1 to 100",
    );
    let settings = "defaults: {autopilot: {gates: {before: [50]}}}\n";
    let found = echo(settings, &values("{steps: [10, 20]}", TESTED)).expect_err("no such step");
    assert!(
        found.len() == 1
            && found[0]
                .starts_with("services/echo.yaml:6:20: autopilot.steps: there is no step 50"),
        "{found:?}"
    );
}

#[test]
fn times_of_answers_are_measured_for_versions_with_clusters_of_their_own() {
    let slow = "{analysis: {slow: {over: 500ms}}}";
    refuses(
        slow,
        "6:30: autopilot.analysis.slow: with `split: subset` both versions are one Upstream, and Envoy has one histogram \
         of times for it; write `routes.split: upstream`, or `slow: false`",
    );
    let with =
        |more: &str| values(slow, TESTED).replace("  primary", &format!("  {more}\n  primary"));
    let read = service(&with("split: upstream")).autopilot.unwrap();
    let comparison = Comparison { worse: 1.5, above: None };
    assert_eq!(
        read.analyses["slow"],
        AnalysisRule::Slow { over: Duration::from_millis(500), comparison }
    );
    service(&with("gateway: {api: gateway-api, profile: kgateway}"));
    let found =
        outcome(with("gateway: {api: both, profile: kgateway}")).expect_err("Gloo's routes too");
    assert!(found.len() == 1 && found[0].key == "autopilot.analysis.slow", "{found:?}");
    let found = outcome(with("gateway: {api: gateway-api, profile: envoy-gateway, gateways: [{name: edge, namespace: infra}]}"))
        .expect_err("one cluster");
    assert!(
        found.len() == 1
            && found[0].key == "autopilot.analysis.slow"
            && found[0].message.starts_with("with Envoy Gateway both versions are one cluster"),
        "{found:?}"
    );
    // Defaults are right for services that say `split: upstream`.
    let settings = format!("defaults: {{autopilot: {slow}}}\n");
    let found = echo(&settings, &values("", TESTED)).expect_err("a subset");
    assert!(
        found.len() == 1
            && found[0].starts_with("services/echo.yaml:3:3: routes: with `split: subset`"),
        "{found:?}"
    );
    assert!(echo(&settings, &with("split: upstream").replace(slow, "")).is_ok());
}

#[test]
fn bounds_of_times_are_those_of_envoy() {
    for (over, expected) in
        [("300ms", "write 250ms or 500ms"), ("2h", "write 1h"), ("0s", "write 1ms")]
    {
        let found = problems(&format!("{{analysis: {{slow: {{over: {over}}}}}}}"));
        let is_told = found.len() == 1
            && found[0].contains("autopilot.analysis.slow.over: Envoy's histograms do not count");
        assert!(is_told && found[0].ends_with(expected), "{over}: {found:?}");
    }
    refuses("{analysis: {slow: {}}}", "6:24: autopilot.analysis.slow.over: the key is required");
}

#[test]
fn an_analysis_that_measures_nothing_is_refused() {
    for (analysis, expected) in [
        ("{errors: false}", "6:23: autopilot.analysis: no analysis is left"),
        (
            "{errors: {worse: 1}}",
            "6:40: autopilot.analysis.errors.worse: expected a number above 1 and up to 100, found 1",
        ),
        (
            "{errors: {worse: 1.5x}}",
            "6:40: autopilot.analysis.errors.worse: expected a number, how many times",
        ),
        (
            "{errors: {above: 0.2}}",
            "6:40: autopilot.analysis.errors.above: expected a percentage, found 0.2; write a number and the sign",
        ),
        (
            "{errors: {above: 0%}}",
            "6:40: autopilot.analysis.errors.above: expected a percentage above 0% and up to 99%",
        ),
        (
            "{errors: {above: 100%}}",
            "6:40: autopilot.analysis.errors.above: expected a percentage above 0% and up to 99%",
        ),
        ("{errors: true}", "6:32: autopilot.analysis.errors: expected a mapping, found true"),
        ("{a: {}}", "6:24: autopilot.analysis.a.query: the key is required; write two counters"),
        ("{a: {query: b}}", "6:24: autopilot.analysis.a.max: the key is required"),
        (
            "{a: {query: b, max: 1, min: 0}}",
            "6:51: autopilot.analysis.a.min: `max` and `min` exclude each other",
        ),
        (
            "{a: {query: b, max: .inf}}",
            "6:43: autopilot.analysis.a.max: expected a number, the bound",
        ),
        (
            "{a: {query: b, max: 1, worse: 2}}",
            "6:53: autopilot.analysis.a.worse: this belongs to counters",
        ),
        (
            "{a: {query: b, max: 1, for: 25h}}",
            "6:51: autopilot.analysis.a.for: expected a duration from 0s to 24h",
        ),
        ("{a: {bad: 'a{{version}}'}}", "6:24: autopilot.analysis.a.total: the key is required"),
        (
            "{a: {bad: 'a{{version}}', total: 'b{{version}}', max: 1}}",
            "6:77: autopilot.analysis.a.max: this belongs to a number",
        ),
        (
            "{a: {bad: a, total: 'b{{version}}'}}",
            "6:33: autopilot.analysis.a.bad: the query does not say `{{version}}`",
        ),
        (
            "{a: {query: 'b{{pod}}', max: 1}}",
            "6:35: autopilot.analysis.a.query: unknown placeholder `{{pod}}`; known here: {{version}}, {{service}}, {{namespace}}",
        ),
        (
            "{a: {query: 'b{{version', max: 1}}",
            "6:35: autopilot.analysis.a.query: a placeholder has no end",
        ),
        (
            "{a: {query: '', max: 1}}",
            "6:35: autopilot.analysis.a.query: expected PromQL of 1 to 4096 characters",
        ),
        (
            "{a b: {query: c, max: 1}}",
            "6:24: autopilot.analysis.a b: an analysis has a name of up to 63",
        ),
        ("{a: {sum: b}}", "6:24: autopilot.analysis.a.query: the key is required"),
    ] {
        let block = format!("{{analysis: {analysis}}}");
        let found = problems(&block);
        let expected = format!("services/echo.yaml:{expected}");
        assert!(
            !found.is_empty() && found[0].starts_with(&expected),
            "{analysis}:\n{expected}\n{found:?}"
        );
    }
}

#[test]
fn numbers_and_durations_have_bounds() {
    for (block, expected) in [
        ("{mode: true}", "6:19: autopilot.mode: expected off, shadow or on, found true"),
        ("{for: 31d}", "6:18: autopilot.for: expected a duration"),
        ("{for: 721h}", "6:18: autopilot.for: expected a duration from 1s to 720h"),
        (
            "{falseAlarm: 11%}",
            "6:25: autopilot.falseAlarm: expected a percentage above 0% and up to 10%",
        ),
        ("{falseAlarm: 0.001}", "6:25: autopilot.falseAlarm: expected a percentage, found 0.001"),
        ("{falseAlarm: -1%}", "6:25: autopilot.falseAlarm: expected a percentage, found"),
        (
            "{enough: {requests: 0}}",
            "6:32: autopilot.enough.requests: expected a whole number from 1 to 100000000",
        ),
        (
            "{enough: {within: 1ms}}",
            "6:30: autopilot.enough.within: expected a duration from 1s to 720h",
        ),
        (
            "{enough: {else: finish}}",
            "6:28: autopilot.enough.else: expected hold, abort or promote",
        ),
        (
            "{enough: {within: 4m}}",
            "6:30: autopilot.enough.within: a step lasts 5m at least, and the time for its evidence is over after 4m",
        ),
        ("{steps: [{weight: 5, for: 2h}]}", "6:20: autopilot.steps: a step lasts 2h at least"),
        ("{blind: {after: 2h}}", "6:28: autopilot.blind.after: expected a duration from 1s to 1h"),
        (
            "{blind: {do: abort}}",
            "6:25: autopilot.blind.do: expected hold, found the text \"abort\"; what is not known",
        ),
        ("{finish: {}}", "6:13: autopilot.finish.after: the key is required"),
        (
            "{finish: {after: 721h}}",
            "6:29: autopilot.finish.after: expected a duration from 0s to 720h",
        ),
        ("{finish: 1h}", "6:21: autopilot.finish: expected a mapping"),
        ("{pace: 5m}", "6:13: autopilot.pace: unknown key"),
        (
            "on",
            "6:12: autopilot: expected a mapping, found the text \"on\"; for example `autopilot: {mode: on",
        ),
    ] {
        refuses(block, expected);
    }
}

#[test]
fn a_test_is_a_webhook_or_a_job() {
    for (test, expected) in [
        ("{}", "6:21: autopilot.tests.a.webhook: the key is required"),
        (
            "{webhook: 'http://a/', job: {image: b}}",
            "6:52: autopilot.tests.a.job: `webhook` and `job` exclude each other",
        ),
        ("{job: {}}", "6:25: autopilot.tests.a.job.image: the key is required"),
        ("{job: {image: ''}}", "6:38: autopilot.tests.a.job.image: expected an image"),
        (
            "{webhook: 'ftp://a/'}",
            "6:34: autopilot.tests.a.webhook: expected the address of a webhook",
        ),
        (
            "{webhook: 'http:///a'}",
            "6:34: autopilot.tests.a.webhook: expected the address of a webhook",
        ),
        (
            "{webhook: 'http://me:secret@a/'}",
            "6:34: autopilot.tests.a.webhook: expected the address of a webhook",
        ),
        (
            "{webhook: 'http://evil.example\\.tester.example/'}",
            "6:34: autopilot.tests.a.webhook: expected the address of a webhook",
        ),
        (
            "{webhook: 'http://a/{{version}}'}",
            "6:34: autopilot.tests.a.webhook: expected the address of a webhook",
        ),
        (
            "{webhook: \"http://a/\\nb\"}",
            "6:34: autopilot.tests.a.webhook: expected the address of a webhook",
        ),
        ("true", "6:24: autopilot.tests.a: expected a mapping"),
    ] {
        refuses(&format!("{{tests: {{a: {test}}}}}"), expected);
    }
}

#[test]
fn a_canary_is_held_for_a_reason_of_one_line() {
    let held = |reason: &str| values("{}", &format!("{TESTED}, held: {reason}"));
    let reason = service(&held("v2 answers 500")).routes.canary.unwrap().held;
    assert_eq!(reason.as_deref(), Some("v2 answers 500"));
    for reason in ["''", "' '", "\"a\\nb\"", "[a]", &"a".repeat(501)] {
        let found = listed(&outcome(held(reason)).expect_err("no reason"));
        assert!(
            found.len() == 1
                && found[0].starts_with("services/echo.yaml:5:57: routes.canary.held: "),
            "{found:?}"
        );
    }
    let settings = "defaults: {routes: {canary: {held: always}}}\n";
    let found = listed(&repository(&[("coalmine.yaml", settings)]).problems);
    assert!(
        found.len() == 1
            && found[0].contains("routes.canary.held: a default would hold every canary"),
        "{found:?}"
    );
}

#[test]
fn placeholders_stand_for_what_the_service_is() {
    let query = "a{v=\"{{version}}\", s=\"{{ service }}\"} / b{n=\"{{namespace}}\"} {{other}} {{";
    let expected = "a{v=\"1.2\", s=\"echo\"} / b{n=\"shop\"} {{other}} {{";
    assert_eq!(placed(query, "1.2", "echo", "shop"), expected);
}

#[test]
fn an_autopilot_changes_nothing_that_is_rendered() {
    use crate::render::{DEFAULT_INSTANCE, Owner, render};
    use crate::traffic::Traffic;
    let owner = Owner { instance: DEFAULT_INSTANCE.into(), revision: "r".into() };
    let rendered = |values: &str| {
        let service = service(values);
        format!("{:?}", render(&service, &Traffic::of(&service), &owner))
    };
    let without = values("", TESTED);
    let with = values("{finish: {after: 1h}}", &format!("{TESTED}, held: why"));
    assert_eq!(rendered(&without), rendered(&with));
    assert_eq!(service(&with).routes.canary.unwrap().weight, Weight::ZERO);
}
