//! `coalmine.yaml`: settings, and what services share.

use std::sync::Arc;
use std::time::Duration;

use super::{listed, repository};
use crate::values::defaults::{Defaults, extent};
use crate::values::node::{Data, Extent, Key, Node};
use crate::values::{Binding, Drift, Repository, Service, Version, Weight, Workload};

const LEAST: &str = "deployment: {v1: {}}\nroutes: {primary: {version: v1}}\n";

fn with(settings: &str, values: &str) -> Repository {
    repository(&[("coalmine.yaml", settings), ("services/echo.yaml", values)])
}

fn echo(settings: &str, values: &str) -> Service {
    let mut repository = with(settings, values);
    assert_eq!(listed(&repository.problems), [""; 0]);
    repository
        .services
        .pop_first()
        .expect("a service")
        .1
        .map(Arc::unwrap_or_clone)
        .expect("no problem")
}

#[track_caller]
fn says(settings: &str, expected: &[&str]) {
    assert_eq!(listed(&with(settings, LEAST).problems), expected);
}

#[test]
fn without_a_file_the_settings_are_the_documented_ones() {
    let settings = repository(&[("services/echo.yaml", LEAST)]).settings;
    assert_eq!(settings.gloo_namespace, "gloo-system");
    assert_eq!(settings.edition, gloo::Edition::Unknown);
    assert_eq!(settings.timing.deadline, Duration::from_secs(300));
    assert_eq!(settings.timing.settle, Duration::from_secs(3));
    assert_eq!(settings.policy.max_step, None);
    assert!(!settings.policy.require_header_phase);
    assert_eq!(settings.prune_limit, None);
    assert!(settings.prune_kinds.is_empty());
}

#[test]
fn every_setting_is_read() {
    let repository = repository(&[(
        "coalmine.yaml",
        "gloo: {namespace: edge, edition: open-source}\ntiming: {deadline: 1m 30s, settle: 500ms}\n\
         policy: {maxStep: 20, requireHeaderPhase: true}\nprune: {limit: 10, kinds: [Secret, Certificate.cert-manager.io]}\n",
    )]);
    assert_eq!(repository.problems, []);
    let settings = repository.settings;
    assert_eq!(settings.gloo_namespace, "edge");
    assert_eq!(settings.edition, gloo::Edition::OpenSource);
    assert_eq!(settings.timing.deadline, Duration::from_secs(90));
    assert_eq!(settings.timing.settle, Duration::from_millis(500));
    assert_eq!(settings.policy.max_step, Weight::new(20));
    assert!(settings.policy.require_header_phase);
    assert_eq!(settings.prune_limit, Some(10));
    let kinds: Vec<String> = settings.prune_kinds.iter().map(ToString::to_string).collect();
    assert_eq!(kinds, ["Certificate.cert-manager.io", "Secret"]);
    assert_eq!(repository.platform.prune_kinds, settings.prune_kinds);
}

#[test]
fn a_service_takes_what_it_does_not_say_from_the_defaults() {
    let service = echo(
        "defaults:\n  deployment: {image: app, labels: {team: a, tier: web}, replicas: 3}\n  \
         service: {port: 8000}\n  routes: {apiGroup: example, options: {timeout: 5s}}\n",
        "deployment: {v1: {replicas: 5, labels: {tier: api}}, v2: }\n\
         routes: {primary: {version: v1}, options: {prefixRewrite: /}}\n",
    );
    assert_eq!(service.port, 8000);
    assert_eq!(service.routes.binding, Binding::ApiGroup("example".into()));
    assert_eq!(
        serde_json::Value::from(service.routes.options.clone()),
        serde_json::json!({"prefixRewrite": "/", "timeout": "5s"})
    );
    let deployed = |version: &str| match &service.versions[&Version::new(version).unwrap()] {
        Workload::Deployed(deployment) => deployment.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(deployed("v1").replicas, Some(5));
    assert_eq!(deployed("v1").image.as_deref(), Some("app"));
    assert_eq!(deployed("v1").labels["tier"], "api");
    assert_eq!(deployed("v1").labels["team"], "a");
    assert_eq!(deployed("v2").replicas, Some(3));
}

#[test]
fn what_the_upstreams_have_more_is_merged_and_says_nothing_of_endpoints() {
    let settings =
        "defaults: {upstream: {useHttp2: true, connectionConfig: {connectTimeout: 1s}}}\n";
    let own = format!("{LEAST}upstream: {{connectionConfig: {{connectTimeout: 2s}}}}\n");
    let own = own.replace("primary", "apiGroup: a, primary");
    let expected =
        serde_json::json!({"connectionConfig": {"connectTimeout": "2s"}, "useHttp2": true});
    assert_eq!(serde_json::Value::from(echo(settings, &own).upstream), expected);
    says(
        "defaults: {upstream: {kube: {}}, routes: {apiGroup: a}}\n",
        &[
            "coalmine.yaml:1:22: defaults.upstream: `kube` cannot stand here; the endpoints are the \
           service's pods; an Upstream of another kind belongs to platform/",
        ],
    );
}

#[test]
fn a_service_without_routes_keys_lives_on_the_defaults() {
    let settings = "defaults: {routes: {apiGroup: example, primary: {version: v1}}}\n";
    let service = echo(settings, "deployment: {v1: {}}\n");
    assert_eq!(service.routes.primary.as_str(), "v1");
}

#[test]
fn a_default_canary_completes_a_canary_and_makes_none() {
    let settings = "defaults: {routes: {apiGroup: a, canary: {headers: {stage: canary}}}}\n";
    assert_eq!(echo(settings, LEAST).routes.canary, None);
    let canary = "deployment: {v1: {}, v2: {}}\n\
                  routes: {primary: {version: v1}, canary: {version: v2}}\n";
    let canary = echo(settings, canary).routes.canary.expect("a canary");
    assert_eq!(canary.headers.keys().collect::<Vec<_>>(), ["stage"]);
}

#[test]
fn domains_of_its_own_take_the_place_of_a_default_api_group() {
    let service = echo(
        "defaults: {routes: {apiGroup: example}}\n",
        "deployment: {v1: {}}\nroutes: {domains: [echo.example], primary: {version: v1}}\n",
    );
    assert_eq!(service.routes.binding, Binding::Domains(vec!["echo.example".into()]));
}

#[test]
fn an_external_version_takes_no_settings_from_the_defaults() {
    let service = echo(
        "defaults: {deployment: {replicas: 3}, routes: {apiGroup: example}}\n",
        "deployment: {v1: {external: true}}\nroutes: {primary: {version: v1}}\n",
    );
    assert_eq!(service.versions[&Version::new("v1").unwrap()], Workload::External);
}

#[test]
fn a_setting_that_cannot_be_read_is_a_problem_of_the_repository() {
    says(
        "gloo: {namespace: A}\ntimings: {}\n",
        &[
            "coalmine.yaml:1:19: gloo.namespace: a namespace is lower-case letters, digits and `-` between them, found \"A\"",
            "coalmine.yaml:2:1: timings: unknown key; did you mean `timing`?",
        ],
    );
    says(
        "timing: {deadline: soon, settle: -3s}\n",
        &[
            "coalmine.yaml:1:20: timing.deadline: expected a duration, found the text \"soon\"; for example 5m, 3s or 1m 30s",
            "coalmine.yaml:1:34: timing.settle: expected a duration, found the text \"-3s\"; for example 5m, 3s or 1m 30s",
        ],
    );
    says(
        "timing: {deadline: 0s}\n",
        &["coalmine.yaml:1:20: timing.deadline: expected more than nothing, found the text \"0s\""],
    );
    says(
        "policy: {maxStep: 0, requireHeaderPhase: 1}\nprune: {limit: -1}\n",
        &[
            "coalmine.yaml:1:19: policy.maxStep: expected a whole number from 1 to 100, found 0; the biggest change of a weight, in percent",
            "coalmine.yaml:1:42: policy.requireHeaderPhase: expected true or false, found 1",
            "coalmine.yaml:2:16: prune.limit: expected a whole number, at least 0, found -1; how many objects one revision may remove",
        ],
    );
    says(
        "prune: {kinds: [Namespace, Two Words, Secret]}\n",
        &[
            "coalmine.yaml:1:17: prune.kinds[0]: a Namespace is never deleted, because all that is in it would go too; take it out of the list, and delete the namespace with kubectl",
            "coalmine.yaml:1:28: prune.kinds[1]: expected a kind such as Secret or Certificate.cert-manager.io, found \"Two Words\"",
        ],
    );
    says(
        "a: [\n",
        &[
            "coalmine.yaml:1:4: not valid YAML: unclosed bracket '['; check the indentation and the quotes here and on the line before",
        ],
    );
    says(
        "{}\n---\n{}\n",
        &["coalmine.yaml:3:1: a second document (`---`); keep all settings in one"],
    );
    says("[]\n", &["coalmine.yaml:1:1: expected a mapping, found a list"]);
}

#[test]
fn a_mistake_in_the_defaults_is_reported_once_where_it_stands() {
    let repository = with(
        "defaults:\n  deployment: {replica: 3}\n  routes: {apiGroup: a, primary: {}}\n  namespace: a\n",
        LEAST,
    );
    assert_eq!(
        listed(&repository.problems),
        [
            "coalmine.yaml:2:16: defaults.deployment.replica: unknown key; did you mean `replicas`?",
            "coalmine.yaml:4:3: defaults.namespace: unknown key; known here: autopilot, deployment, drift, routes, service, upstream"
        ]
    );
    let outcome = repository.services.into_values().next().expect("a service");
    assert_eq!(outcome, Err(Vec::new()));
}

#[test]
fn a_default_that_every_services_own_value_hides_is_checked_too() {
    says(
        "defaults: {deployment: [a], routes: {apiGroup: a, primary: v1, canary: {version: []}}}\n",
        &[
            "coalmine.yaml:1:24: defaults.deployment: expected a mapping, found a list",
            "coalmine.yaml:1:60: defaults.routes.primary: expected a mapping, found the text \"v1\"",
            "coalmine.yaml:1:82: defaults.routes.canary.version: expected text, found a list",
        ],
    );
    says(
        "defaults: {routes: echo}\n",
        &["coalmine.yaml:1:20: defaults.routes: expected a mapping, found the text \"echo\""],
    );
}

#[test]
fn what_a_default_means_for_one_service_only_is_a_problem_of_that_service() {
    let settings = "defaults: {routes: {apiGroup: a, primary: {version: v2}}}\n";
    let repository = with(settings, "deployment: {v1: {}}\n");
    assert_eq!(listed(&repository.problems), [""; 0]);
    let outcome = repository.services.into_values().next().expect("a service");
    assert_eq!(
        listed(&outcome.expect_err("v2 is not deployed")),
        [
            "coalmine.yaml:1:53: routes.primary.version: \"v2\" is not in `deployment`; listed there: v1; add `v2: {}` or route to one of these"
        ]
    );
}

#[test]
fn services_are_not_judged_while_the_defaults_are_unreadable() {
    let repository = with("defaults: [\n", LEAST);
    assert_eq!(repository.problems.len(), 1);
    assert!(repository.services.is_empty());
}

#[test]
fn what_is_done_about_drift_is_said_once_or_per_service() {
    let settings = "defaults: {drift: report}\n";
    let values = format!("{LEAST}drift: ignore\n").replace("{primary", "{apiGroup: a, primary");
    let silent = LEAST.replace("{primary", "{apiGroup: a, primary");
    assert_eq!(echo(settings, &silent).drift, Some(Drift::Report));
    assert_eq!(echo(settings, &values).drift, Some(Drift::Ignore));
    assert_eq!(echo("{}", &silent).drift, None);
    let wrong = with("defaults: {drift: always}\n", &silent);
    assert_eq!(
        listed(&wrong.problems),
        [
            "coalmine.yaml:1:19: defaults.drift: expected repair, report or ignore, found the text \"always\""
        ]
    );
}

#[test]
fn a_service_may_be_parked_without_pods() {
    let parked = "deployment: {v1: {replicas: 0}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";
    let both = repository(&[("services/echo.yaml", parked), ("services/foxtrot.yaml", parked)]);
    for (name, service) in &both.services {
        let service = service.as_ref().expect("valid");
        let Workload::Deployed(deployment) = &service.versions[&Version::new("v1").unwrap()] else {
            panic!("{name}")
        };
        assert_eq!(deployment.replicas, Some(0));
    }
}

#[test]
fn the_own_binding_of_a_service_stands_alone() {
    let own = |binding: &str| LEAST.replace("{primary", &format!("{{{binding}, primary"));
    let domains = "defaults: {routes: {domains: [a.example]}}\n";
    let group = "defaults: {routes: {apiGroup: a}}\n";
    let of = |settings: &str, values: &str| echo(settings, values).routes.binding;
    assert_eq!(of(domains, &own("apiGroup: b")), Binding::ApiGroup("b".into()));
    assert_eq!(of(group, &own("apiGroup: b")), Binding::ApiGroup("b".into()));
    let b_example = Binding::Domains(vec!["b.example".into()]);
    assert_eq!(of(group, &own("domains: [b.example]")), b_example);
    assert_eq!(of(domains, &own("domains: [b.example]")), b_example);
    assert_eq!(of(domains, LEAST), Binding::Domains(vec!["a.example".into()]));
}

#[test]
fn the_defaults_count_for_each_version_and_for_the_service() {
    let at = crate::problem::Location::start_of(&"services/echo.yaml".into());
    let scalar = |text: &str| Data::Scalar { text: text.into(), plain: true };
    let node = |data: Data| Arc::new(Node { at: at.clone(), data });
    let mapping = |entries: &[(&str, Arc<Node>)]| {
        let key = |name: &str| Key { at: at.clone(), name: name.into() };
        let entries = entries.iter().map(|(name, value)| (key(name), value.clone()));
        node(Data::Mapping(entries.collect()))
    };
    let versions = mapping(&[("v1", node(scalar(""))), ("v2", node(scalar("")))]);
    let root = mapping(&[("deployment", versions)]);
    let defaults = Defaults::new(mapping(&[("namespace", node(scalar("shop")))]));
    assert_eq!(extent(&root, None), root.extent());
    let mut expected = root.extent();
    expected += defaults.extent.times(3);
    assert_eq!(extent(&root, Some(&defaults)), expected);
}

#[test]
fn an_extent_exceeds_another_by_its_values_or_its_text() {
    let most = Extent { nodes: 2, text: 30 };
    assert!(!most.exceeds(most) && !Extent::default().exceeds(most));
    assert!(Extent { nodes: 3, text: 0 }.exceeds(most));
    assert!(Extent { nodes: 0, text: 31 }.exceeds(most));
    assert_eq!(most.times(3), Extent { nodes: 6, text: 90 });
    assert_eq!(most.times(usize::MAX), Extent { nodes: usize::MAX, text: usize::MAX });
}
