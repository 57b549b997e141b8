//! Mistakes in the list of versions and in their settings.

use super::{outcome, says, service, version};
use crate::values::Version;

#[test]
fn a_deployment_nested_once_too_often_is_recognised() {
    says(
        "deployment:\n  deployment:\n    v1: {}\n    v2: {}\n\
         routes: {apiGroup: example, primary: {version: v1}}\n",
        &[
            "services/echo.yaml:2:3: deployment.deployment: `deployment` is nested once too often; write the versions directly below the first one: `deployment: {v1: {}, v2: {}}`",
        ],
    );
}

#[test]
fn a_version_may_be_called_deployment() {
    service(
        "deployment: {deployment: {replicas: 2}}\n\
         routes: {apiGroup: example, primary: {version: deployment}}\n",
    );
}

#[test]
fn names_fit_into_what_kubernetes_takes() {
    says(
        format!(
            "deployment: {{{}: {{}}, v1+2: {{}}, -v1: {{}}}}\nroutes: {{apiGroup: a, primary: {{version: v1}}}}\n",
            "v".repeat(64)
        ),
        &[
            "services/echo.yaml:1:14: deployment.vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv: a version is the value of a label: up to 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends, found 64 characters",
            "services/echo.yaml:1:84: deployment.v1+2: a version is the value of a label: up to 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends, found \"v1+2\"; for example `v1_2`",
            "services/echo.yaml:1:94: deployment.-v1: a version is the value of a label: up to 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends, found \"-v1\"; for example `v1`",
        ],
    );
}

#[test]
fn a_version_is_the_text_that_is_written() {
    for name in
        ["1.4.2", "v1.2.3-RC1", "2024.11.05", "72225e2", "1.10", "0x1f", "1e3", "on", "v1_2", "010"]
    {
        for written in [name.to_owned(), format!("\"{name}\"")] {
            let service = service(&format!(
                "deployment: {{{name}: {{}}, other: }}\n\
                 routes: {{apiGroup: a, primary: {{version: other}}, canary: {{version: {written}, weight: 5}}}}\n"
            ));
            let versions: Vec<_> = service.versions.keys().map(Version::as_str).collect();
            assert!(versions.contains(&name), "{versions:?}");
            let canary = service.routes.canary.as_ref().map(|canary| canary.version.as_str());
            assert_eq!(canary, Some(name));
        }
    }
}

#[test]
fn a_version_called_null_is_named_in_quotes() {
    says(
        "deployment: {null: {}}\nroutes: {apiGroup: a, primary: {version: null}}\n",
        &[
            "services/echo.yaml:2:23: routes.primary.version: the key is required; `null` is nothing to YAML: write the version in quotes, `version: \"null\"`",
        ],
    );
    service("deployment: {null: {}}\nroutes: {apiGroup: a, primary: {version: \"null\"}}\n");
}

#[test]
fn two_versions_do_not_share_the_names_of_their_objects() {
    for (one, other, name) in [
        ("1.4.2", "1-4-2", "echo-1-4-2"),
        ("v1.2.3-RC1", "v1.2.3-rc1", "echo-v1-2-3-rc1"),
        ("v1_2", "v1.2", "echo-v1-2"),
    ] {
        says(
            format!(
                "deployment:\n  {one}: {{}}\n  {other}: {{external: true}}\n\
                 routes: {{apiGroup: a, primary: {{version: {one}}}}}\n"
            ),
            &[&format!(
                "services/echo.yaml:3:3: deployment.{other}: the objects of {other} would be called `{name}`, as \
                 those of {one} on line 2; rename one of the two: in names of objects letters are lower-case, and \
                 `.` and `_` are `-`"
            )],
        );
    }
}

#[test]
fn a_patch_leaves_the_identity_of_the_deployment_alone() {
    for (patch, message) in [
        (
            "{metadata: {name: other}}",
            "services/echo.yaml:2:27: deployment.v1.patch.metadata.name: a patch does not change an object's identity; names, namespace, selector and coalmine's labels come from the values",
        ),
        (
            "{metadata: null}",
            "services/echo.yaml:2:16: deployment.v1.patch.metadata: a patch does not change an object's identity; names, namespace, selector and coalmine's labels come from the values",
        ),
        (
            "{spec: {selector: {matchLabels: {a: b}}}}",
            "services/echo.yaml:2:23: deployment.v1.patch.spec.selector: a patch does not change an object's identity; names, namespace, selector and coalmine's labels come from the values",
        ),
        (
            "{spec: {template: {metadata: {labels: {version: v9}}}}}",
            "services/echo.yaml:2:54: deployment.v1.patch.spec.template.metadata.labels.version: a patch does not change an object's identity; names, namespace, selector and coalmine's labels come from the values",
        ),
        (
            "{metadata: {labels: {coalmine.dev/service: other}}}",
            "services/echo.yaml:2:36: deployment.v1.patch.metadata.labels.coalmine.dev/service: a patch does not change an object's identity; names, namespace, selector and coalmine's labels come from the values",
        ),
        (
            "{metadata: {labels: null}}",
            "services/echo.yaml:2:27: deployment.v1.patch.metadata.labels: a patch does not change an object's identity; names, namespace, selector and coalmine's labels come from the values",
        ),
        (
            "{kind: DaemonSet}",
            "services/echo.yaml:2:16: deployment.v1.patch.kind: a patch does not change an object's identity; names, namespace, selector and coalmine's labels come from the values",
        ),
        ("[]", "services/echo.yaml:2:15: deployment.v1.patch: expected a mapping, found a list"),
    ] {
        says(version(&format!("{{patch: {patch}}}")), &[message]);
    }
    let harmless = version("{patch: {spec: {minReadySeconds: 3}, metadata: {labels: {a: b}}}}");
    assert!(outcome(harmless).is_ok());
}

#[test]
fn our_own_labels_are_not_for_others() {
    says(
        version("{labels: {app: other, team: a}, annotations: {coalmine.dev/revision: x}}"),
        &[
            "services/echo.yaml:2:17: deployment.v1.labels.app: the key is coalmine's own; choose another one",
            "services/echo.yaml:2:53: deployment.v1.annotations.coalmine.dev/revision: the key is coalmine's own; choose another one",
        ],
    );
}

#[test]
fn a_drain_is_whole_seconds_up_to_an_hour() {
    for drain in ["soon", "5", "1500ms", "-1s", "61m", "[5s]"] {
        let found = outcome(version(&format!("{{drain: {drain}}}"))).unwrap_err();
        assert_eq!(found.len(), 1, "{drain}: {found:?}");
        assert!(found[0].key.ends_with("v1.drain"), "{drain}: {found:?}");
    }
    says(
        version("{drain: 1500ms}"),
        &[
            "services/echo.yaml:2:15: deployment.v1.drain: expected whole seconds, at most 1h, found the text \"1500ms\"; for example 7s; 0s lets pods end at once",
        ],
    );
    for drain in ["0s", "12s", "1m 30s", "1h"] {
        assert!(outcome(version(&format!("{{drain: {drain}}}"))).is_ok(), "{drain}");
    }
}

#[test]
fn an_external_version_has_no_settings() {
    says(
        version("{external: true, replicas: 3}"),
        &[
            "services/echo.yaml:2:34: deployment.v1.replicas: has no effect: the version is external, its Deployment is not ours; remove it, or remove `external`",
        ],
    );
    says(
        version("{external: {upstream: {name: vm}}}"),
        &[
            "services/echo.yaml:3:1: routes.split: v1 is an Upstream of its own, which has no subset of ours; write `split: upstream`",
        ],
    );
    says(
        version("{external: {}}"),
        &[
            "services/echo.yaml:2:8: deployment.v1.external.upstream: the key is required; write `external: {upstream: {name: ...}}`",
        ],
    );
    says(
        version("{external: perhaps}"),
        &[
            "services/echo.yaml:2:18: deployment.v1.external: expected true or false, found the text \"perhaps\"",
        ],
    );
}
