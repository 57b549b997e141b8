//! Each verb on files as people write them.

use proptest::prelude::*;

use super::*;
use crate::phase::{Change, Phase};
use crate::reason::Hinted;
use crate::values::Version;
use crate::values::Weight;
use crate::values::tests::properties::valid_values;

const STABLE: &str = "\
# echo belongs to team A
deployment:
  v1: {}      # the old one

routes:
  apiGroup: example
  primary:
    version: v1 # for everybody
";

const SHIFTING: &str = "\
deployment: {v1: {}, v2: {}}       # both run
routes:
  apiGroup: example                # the platform's VirtualService selects these routes
  primary: {version: v1}
  canary:
    version: v2
    headers: {stage: canary}       # phase 1: requests with this header reach v2
    weight: 50                     # phase 2: and half of all others do
";

fn tree(values: &str, settings: &str) -> Tree {
    let files = [("services/echo.yaml", values), ("coalmine.yaml", settings)];
    Tree {
        revision: "local".into(),
        files: files.map(|(path, content)| (path.to_owned(), content.into())).into(),
    }
}

fn edited(values: &str, verb: &Verb) -> String {
    edit(&tree(values, ""), "echo", verb).expect("an edit").after
}

fn refused(values: &str, verb: &Verb) -> String {
    edit(&tree(values, ""), "echo", verb).expect_err("no edit").line()
}

fn version(name: &str) -> Version {
    Version::new(name).expect("a version")
}

fn start(name: &str, image: Option<&str>, headers: &[(&str, &str)]) -> Verb {
    Verb::Start {
        version: version(name),
        image: image.map(str::to_owned),
        headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    }
}

fn to(percent: u32) -> Verb {
    Verb::Promote(Goal::Weight(Weight::new(percent).expect("a weight")))
}

#[test]
fn start_adds_a_version_and_a_canary_and_keeps_every_comment() {
    let after = edited(STABLE, &start("v2", None, &[("stage", "canary")]));
    insta::assert_snapshot!(after, @r"
    # echo belongs to team A
    deployment:
      v1: {}      # the old one
      v2: {}

    routes:
      apiGroup: example
      primary:
        version: v1 # for everybody
      canary: {version: v2, headers: {stage: canary}}
    ");
}

#[test]
fn a_new_version_runs_as_the_primary_does_with_its_own_image() {
    let values = "deployment:\n  v1:\n    image: example.com/echo:1\n    replicas: 3\n    env:\n      \
                  A: b\nroutes: {apiGroup: a, primary: {version: v1}}\n";
    insta::assert_snapshot!(edited(values, &start("v2", Some("example.com/echo:2"), &[])), @r"
    deployment:
      v1:
        image: example.com/echo:1
        replicas: 3
        env:
          A: b
      v2:
        image: example.com/echo:2
        replicas: 3
        env:
          A: b
    routes: {apiGroup: a, primary: {version: v1}, canary: {version: v2}}
    ");
    let reason = refused(values, &start("v2", None, &[]));
    assert_eq!(reason, "echo: v1 names its image; name that of v2: --image");
}

#[test]
fn a_start_takes_the_headers_of_the_defaults_and_not_their_weight() {
    let settings = "defaults: {routes: {canary: {headers: {stage: canary}, weight: 30}}}\n";
    let edited = edit(&tree(STABLE, settings), "echo", &start("v2", None, &[])).expect("an edit");
    assert!(edited.after.ends_with("canary: {version: v2, weight: 0}\n"), "{}", edited.after);
    assert_eq!(edited.subject, "echo: start v2 beside v1");
}

#[test]
fn promote_changes_one_number() {
    let after = edited(SHIFTING, &to(75));
    assert_eq!(after, SHIFTING.replace("weight: 50 ", "weight: 75 "));
}

#[test]
fn the_next_step_is_that_of_the_ladder_within_the_policy() {
    let next = |weight: u8, settings: &str| {
        let values = SHIFTING.replace("weight: 50", &format!("weight: {weight}"));
        let tree = tree(&values, settings);
        edit(&tree, "echo", &Verb::Promote(Goal::Next)).expect("an edit").subject
    };
    for (weight, after) in [(0, 10), (10, 25), (24, 25), (25, 50), (50, 100), (99, 100)] {
        let subject = format!("echo: give v2 {after} % of the requests, from {weight} %");
        assert_eq!(next(weight, ""), subject);
    }
    let subject = next(50, "policy: {maxStep: 20}\n");
    assert_eq!(subject, "echo: give v2 70 % of the requests, from 50 %");
}

#[test]
fn a_version_that_only_runs_can_be_promoted() {
    let values = "deployment: {v1: {}, v2: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";
    let after = edited(values, &to(10));
    assert!(
        after.ends_with("primary: {version: v1}, canary: {version: v2, weight: 10}}\n"),
        "{after}"
    );
}

#[test]
fn abort_keeps_the_header_route_and_a_full_one_does_not() {
    let after = edited(SHIFTING, &Verb::Abort { full: false, reason: None });
    assert_eq!(after, SHIFTING.replace("weight: 50 ", "weight: 0 "));
    let after = edited(SHIFTING, &Verb::Abort { full: true, reason: None });
    assert_eq!(after, SHIFTING.split_inclusive("v1}\n").next().expect("a part"));
}

#[test]
fn finish_leaves_the_new_version_alone() {
    let values = SHIFTING.replace("weight: 50", "weight: 100");
    insta::assert_snapshot!(edited(&values, &Verb::Finish { force: false }), @r"
    deployment: {v2: {}}       # both run
    routes:
      apiGroup: example                # the platform's VirtualService selects these routes
      primary: {version: v2}
    ");
}

#[test]
fn what_cannot_be_done_says_what_can() {
    let full = SHIFTING.replace("weight: 50", "weight: 100");
    let test = SHIFTING.replace("weight: 50", "weight: 0");
    for (values, verb, reason) in [
        (
            STABLE,
            to(5),
            "nothing is being tried; `coalmine start echo --version VERSION` brings a new version",
        ),
        (
            STABLE,
            Verb::Abort { full: false, reason: None },
            "nothing is being tried, there is no canary",
        ),
        (STABLE, start("v1", None, &[]), "v1 is what it runs; name another version"),
        (
            SHIFTING,
            start("v3", None, &[]),
            "v2 is being tried already; `coalmine finish echo` or `coalmine abort echo --full` first",
        ),
        (SHIFTING, to(50), "v2 has 50 % already"),
        (
            SHIFTING,
            Verb::Finish { force: false },
            "v2 has 50 % of the requests; `coalmine promote echo --weight 100` first, or say --force",
        ),
        (
            &full,
            Verb::Promote(Goal::Next),
            "v2 has all requests already; `coalmine finish echo` makes it the primary",
        ),
        (
            &test,
            Verb::Abort { full: false, reason: None },
            "v2 has no share of the requests; `coalmine abort echo --full` takes its header route too",
        ),
    ] {
        assert_eq!(refused(values, &verb), format!("echo: {reason}"));
    }
    let unknown = edit(&tree(STABLE, ""), "golf", &to(5)).expect_err("no edit").line();
    assert_eq!(unknown, "no service is called \"golf\"; there are: echo");
}

#[test]
fn a_file_with_mistakes_is_not_edited() {
    let reason = refused(&SHIFTING.replace("50", "500"), &to(5));
    assert!(reason.contains("services/echo.yaml:8:13: routes.canary.weight: expected"), "{reason}");
}

#[test]
fn what_an_edit_would_change_elsewhere_too_is_left_to_a_person() {
    let shared = "deployment: {v1: {}, v2: {}, v3: {}}\nroutes:\n  apiGroup: a\n  \
                  primary: &it {version: v1}\n  canary: {version: v2, weight: 100}\n";
    let other = shared.replace("&it {version: v1}", "{version: &it v1}");
    let other = other.replace("apiGroup: a", "apiGroup: *it").replace(
        "apiGroup: *it\n  primary: {version: &it v1}",
        "primary: {version: &it v1}\n  apiGroup: *it",
    );
    for values in [shared, &other] {
        match edit(&tree(values, ""), "echo", &Verb::Finish { force: false }) {
            Ok(edited) => {
                let repository = Repository::parse(&tree(&edited.after, ""));
                let service = valid(&repository, "echo").expect("valid");
                assert_eq!(service.routes.primary.as_str(), "v2");
                assert_ne!(format!("{:?}", service.routes.binding), r#"ApiGroup("v2")"#);
            }
            Err(error) => assert!(error.line().contains("write by hand"), "{error}"),
        }
    }
}

#[test]
fn nothing_is_edited_while_the_settings_have_a_mistake() {
    let tree = tree(SHIFTING, "policy: {maxStep: 500}\n");
    let reason = edit(&tree, "echo", &to(75)).expect_err("no edit").line();
    assert!(reason.contains("coalmine.yaml:1:19: policy.maxStep: "), "{reason}");
}

#[test]
fn a_version_beside_an_upstream_of_somebody_elses_is_written_by_hand_first() {
    let values = "deployment:\n  v1: {external: {upstream: {name: vm}}}\n\
                  routes: {apiGroup: a, split: upstream, primary: {version: v1}}\n";
    let reason = refused(values, &start("v2", None, &[]));
    assert_eq!(
        reason,
        "echo: v1 is an Upstream of somebody else's, so nothing tells what v2 is; write deployment.v2 first"
    );
    let both = values.replace("routes:", "  v2: {external: {upstream: {name: vm2}}}\nroutes:");
    let after = edited(&both, &start("v2", None, &[]));
    assert!(after.contains("canary: {version: v2}"), "{after}");
    let reason = refused(&both, &start("v2", Some("example.com/echo:2"), &[]));
    assert_eq!(reason, "echo: v2 is not deployed by coalmine; leave --image away");
}

#[test]
fn versions_as_they_are_in_the_wild_are_written_so_that_every_reader_takes_them_for_text() {
    let values = "deployment:\n  1.10: {}\nroutes:\n  apiGroup: a\n  primary: {version: 1.10}\n";
    for (name, written) in [
        ("1.4.2", "1.4.2"),
        ("v1.2.3-RC1", "v1.2.3-RC1"),
        ("72225e2", "\"72225e2\""),
        ("1.20", "\"1.20\""),
        ("0x1f", "\"0x1f\""),
        ("1e3", "\"1e3\""),
        ("on", "\"on\""),
        ("null", "\"null\""),
        ("1_2", "\"1_2\""),
    ] {
        let after = edited(values, &start(name, None, &[("x-build", "72225e2")]));
        let expected = format!(
            "deployment:\n  1.10: {{}}\n  {written}: {{}}\nroutes:\n  apiGroup: a\n  \
             primary: {{version: 1.10}}\n  \
             canary: {{version: {written}, headers: {{x-build: \"72225e2\"}}}}\n"
        );
        assert_eq!(after, expected);
        let after = edited(&after, &to(100));
        let after = edited(&after, &Verb::Finish { force: false });
        let expected = format!(
            "deployment:\n  {written}: {{}}\nroutes:\n  apiGroup: a\n  primary: {{version: {written}}}\n"
        );
        assert_eq!(after, expected);
    }
}

#[test]
fn a_version_whose_objects_would_have_the_names_of_anothers_is_not_started() {
    let values = STABLE.replace("v1", "v1.0");
    let reason = "echo: the objects of V1_0 would be called `echo-v1-0`, as those of v1.0; name another version";
    assert_eq!(refused(&values, &start("V1_0", None, &[])), reason);
}

#[test]
fn an_edit_that_would_be_a_mistake_names_it() {
    let settings = "defaults: {routes: {canary: {headers: {x-canary: a}}}}\n";
    let verb = start("1.20", None, &[("X-Canary", "b")]);
    let reason = edit(&tree(STABLE, settings), "echo", &verb).expect_err("no edit").line();
    assert!(reason.contains("this is the header `x-canary` of coalmine.yaml:1"), "{reason}");
    assert!(
        reason.ends_with(
            "write by hand: deployment.\"1.20\" as deployment.v1, routes.canary: {}, \
             routes.canary.version: \"1.20\", routes.canary.headers.X-Canary: b"
        ),
        "{reason}"
    );
}

proptest! {
    /// Whatever the values are, an edit means what was asked: its phase follows.
    #[test]
    fn a_verb_moves_a_rollout_as_it_says(values in valid_values(), percent in 0u32..=100) {
        let values = serde_yaml::to_string(&values).expect("YAML");
        let weight = Weight::new(percent).expect("a weight");
        let read = |content: &str| {
            valid(&Repository::parse(&tree(content, "")), "echo").expect("valid")
        };
        let before = read(&values);
        for verb in [Verb::Promote(Goal::Weight(weight)), Verb::Promote(Goal::Next)] {
            if let Ok(edited) = edit(&tree(&values, ""), "echo", &verb) {
                let after = read(&edited.after);
                prop_assert!(Change::between(&before, &after).is_some() || percent == 0);
            }
        }
        if let Ok(edited) = edit(&tree(&values, ""), "echo", &Verb::Abort { full: false, reason: None }) {
            prop_assert!(Phase::of(&read(&edited.after)) < Phase::Shifting);
        }
        if let Ok(edited) = edit(&tree(&values, ""), "echo", &Verb::Abort { full: true, reason: None }) {
            prop_assert!(read(&edited.after).routes.canary.is_none());
        }
        if let Ok(edited) = edit(&tree(&values, ""), "echo", &Verb::Finish { force: true }) {
            let after = read(&edited.after);
            prop_assert_eq!(Some(&after.routes.primary), before.routes.canary.as_ref().map(|it| &it.version));
            prop_assert!(after.routes.canary.is_none());
        }
    }
}

/// The file with an autopilot.
fn with_autopilot(values: &str, autopilot: &str) -> String {
    format!("{values}autopilot: {autopilot}\n")
}

fn abort(reason: Option<&str>) -> Verb {
    Verb::Abort { full: false, reason: reason.map(str::to_owned) }
}

#[test]
fn an_abort_holds_the_canary_where_there_is_an_autopilot() {
    let values = with_autopilot(SHIFTING, "{steps: [25, 50]}");
    insta::assert_snapshot!(edited(&values, &abort(Some("v2 answers 500"))), @r#"
    deployment: {v1: {}, v2: {}}       # both run
    routes:
      apiGroup: example                # the platform's VirtualService selects these routes
      primary: {version: v1}
      canary:
        version: v2
        headers: {stage: canary}       # phase 1: requests with this header reach v2
        weight: 0                     # phase 2: and half of all others do
        held: v2 answers 500
    autopilot: {steps: [25, 50]}
    "#);
    let unsaid = edited(&values, &abort(None));
    assert!(unsaid.contains("held: aborted at weight 50"), "{unsaid}");
    for (reason, held) in [
        ("\n  two\nlines", "two"),
        (" \n", "aborted at weight 50"),
        ("yes: no # {", "'yes: no # {'"),
    ] {
        let after = edited(&values, &abort(Some(reason)));
        assert!(after.contains(&format!("held: {held}\n")), "{reason:?}: {after}");
    }
    let long = edited(&values, &abort(Some(&"a".repeat(600))));
    assert!(long.contains(&format!("held: {}\n", "a".repeat(500))), "{long}");
    // Nothing goes on by itself there.
    for values in [SHIFTING.to_owned(), with_autopilot(SHIFTING, "{mode: off}")] {
        assert!(!edited(&values, &abort(Some("why"))).contains("held"));
    }
}

#[test]
fn an_abort_before_the_first_weight_holds_the_canary_once() {
    let values = with_autopilot(&SHIFTING.replace("weight: 50 ", "weight: 0 "), "{}");
    let after = edit(&tree(&values, ""), "echo", &abort(None)).expect("an edit");
    assert_eq!(after.subject, "echo: abort, hold v2 without a share");
    assert!(after.after.contains("held: aborted at weight 0"), "{}", after.after);
    assert!(refused(&after.after, &abort(None)).contains("v2 has no share of the requests"));
}

#[test]
fn promote_and_start_let_a_held_canary_go_on() {
    let shifting = with_autopilot(SHIFTING, "{steps: [50, 75], gates: {before: [75]}}");
    let held = edited(&shifting, &abort(Some("why")));
    let after = edited(&held, &Verb::Promote(Goal::Next));
    assert_eq!(after, shifting, "no reason any more, and the first step of its ladder");
    let paused = shifting.replace("weight: 50 ", "held: a look at it\n    weight: 50 ");
    let at_once = edit(&tree(&paused, ""), "echo", &to(50)).expect("an edit");
    assert_eq!(at_once.subject, "echo: go on with v2 at 50 % of the requests");
    assert!(!at_once.after.contains("held"), "{}", at_once.after);
    let passed = edited(&paused, &Verb::Promote(Goal::Next));
    assert!(passed.contains("weight: 75 ") && !passed.contains("held"), "{passed}");

    let again = edit(&tree(&paused, ""), "echo", &start("v2", Some("echo:2.1"), &[("user", "me")]));
    let again = again.expect("an edit");
    assert_eq!(again.subject, "echo: start v2 beside v1 again");
    assert!(
        again.after.contains("weight: 0 ") && again.after.contains("user: me"),
        "{}",
        again.after
    );
    assert!(
        again.after.contains("image: echo:2.1") && !again.after.contains("held"),
        "{}",
        again.after
    );
    assert!(refused(&paused, &start("v3", None, &[])).contains("v2 is being tried already"));
    assert!(refused(&shifting, &start("v2", None, &[])).contains("v2 is being tried already"));
}

#[test]
fn the_next_step_is_that_of_the_autopilot_and_at_its_end_all_requests() {
    let at = |weight: u8, autopilot: &str| {
        let values = SHIFTING.replace("weight: 50 ", &format!("weight: {weight} "));
        let after = edited(&with_autopilot(&values, autopilot), &Verb::Promote(Goal::Next));
        let line =
            after.lines().find(|line| line.contains("weight: ")).expect("a weight").to_owned();
        line.split_whitespace().nth(1).expect("a number").to_owned()
    };
    let own = "{steps: [1, 30, 60]}";
    assert_eq!([0, 1, 30, 45, 60].map(|weight| at(weight, own)), ["1", "30", "60", "60", "100"]);
    assert_eq!(at(50, "{}"), "90");
    assert_eq!(at(25, "{mode: off, steps: [30]}"), "50", "one that is off has no say");
}
