//! The mistakes people make in a values file, and what they are told.

use super::{outcome, says};

/// A file that is good but for its canary.
fn canary(canary: &str) -> String {
    format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\n\
         routes:\n  apiGroup: example\n  primary: {{version: v1}}\n  canary: {canary}\n"
    )
}

/// A file that is good but for the settings of its version.
fn version(settings: &str) -> String {
    format!(
        "deployment:\n  v1: {settings}\nroutes: {{apiGroup: example, primary: {{version: v1}}}}\n"
    )
}

/// A file that is good but for what is added to its routes.
fn routes(more: &str) -> String {
    format!("deployment: {{v1: {{}}}}\nroutes:\n  primary: {{version: v1}}\n  {more}\n")
}

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
    super::service(
        "deployment: {deployment: {replicas: 2}}\n\
         routes: {apiGroup: example, primary: {version: deployment}}\n",
    );
}

#[test]
fn a_weight_is_a_whole_number_up_to_a_hundred() {
    for (weight, found) in [
        (
            "150",
            "services/echo.yaml:5:33: routes.canary.weight: expected a whole number from 0 to 100, found 150; the canary's percentage, the primary gets the rest",
        ),
        (
            "\"50\"",
            "services/echo.yaml:5:33: routes.canary.weight: expected a whole number from 0 to 100, found the text \"50\"; leave the quotes away: `50`",
        ),
        (
            "33.3",
            "services/echo.yaml:5:33: routes.canary.weight: expected a whole number from 0 to 100, found 33.3; the canary's percentage, the primary gets the rest",
        ),
        (
            "-1",
            "services/echo.yaml:5:33: routes.canary.weight: expected a whole number from 0 to 100, found -1; the canary's percentage, the primary gets the rest",
        ),
        (
            "50%",
            "services/echo.yaml:5:33: routes.canary.weight: expected a whole number from 0 to 100, found the text \"50%\"; the canary's percentage, the primary gets the rest",
        ),
        (
            "[50]",
            "services/echo.yaml:5:33: routes.canary.weight: expected a whole number from 0 to 100, found a list; the canary's percentage, the primary gets the rest",
        ),
    ] {
        says(canary(&format!("{{version: v2, weight: {weight}}}")), &[found]);
    }
}

#[test]
fn a_canary_must_be_deployed() {
    says(
        canary("{version: v3, weight: 10}"),
        &[
            "services/echo.yaml:5:21: routes.canary.version: \"v3\" is not in `deployment`; listed there: v1, v2; add `v3: {}` or route to one of these",
        ],
    );
}

#[test]
fn a_primary_must_be_deployed() {
    says(
        "deployment: {v2: {}}\nroutes: {apiGroup: example, primary: {version: v1}}\n",
        &[
            "services/echo.yaml:2:48: routes.primary.version: \"v1\" is not in `deployment`; listed there: v2; add `v1: {}` or route to one of these",
        ],
    );
}

#[test]
fn a_canary_is_another_version_than_the_primary() {
    says(
        canary("{version: v1, weight: 10}"),
        &[
            "services/echo.yaml:5:21: routes.canary.version: v1 is the primary version already; name another version, or remove `canary`",
        ],
    );
}

#[test]
fn a_canary_names_its_version() {
    says(
        canary("{weight: 10}"),
        &[
            "services/echo.yaml:5:3: routes.canary.version: the key is required; say who is being tried: `canary: {version: v2}`",
        ],
    );
}

#[test]
fn a_key_stands_once() {
    says(
        canary("{version: v2, weight: 10, weight: 20}"),
        &[
            "services/echo.yaml:5:37: routes.canary.weight: the key stands twice, first on line 5; keep one of the two",
        ],
    );
    says(
        "deployment: {v1: {}}\ndeployment: {v2: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n",
        &[
            "services/echo.yaml:2:1: deployment: the key stands twice, first on line 1; keep one of the two",
        ],
    );
}

#[test]
fn an_unknown_key_comes_with_the_one_that_was_meant() {
    says(
        routes("apiGroup: example\n  cannary: {version: v2}"),
        &["services/echo.yaml:5:3: routes.cannary: unknown key; did you mean `canary`?"],
    );
    says(
        version("{imagepullpolicy: Never}"),
        &[
            "services/echo.yaml:2:8: deployment.v1.imagepullpolicy: unknown key; did you mean `imagePullPolicy`?",
        ],
    );
    says(
        version("{colour: red}"),
        &[
            "services/echo.yaml:2:8: deployment.v1.colour: unknown key; known here: annotations, args, env, external, image, imagePullPolicy, labels, patch, port, probes, replicas, resources, serviceAccountName",
        ],
    );
}

#[test]
fn the_routes_are_bound_in_one_way() {
    says(
        routes("paths: [{prefix: /}]"),
        &[
            "services/echo.yaml:2:1: routes: `apiGroup` or `domains` is required; `apiGroup` joins the platform's VirtualService, `domains` makes one of the service's own: write one of the two",
        ],
    );
    says(
        routes("apiGroup: example\n  domains: [\"*\"]"),
        &[
            "services/echo.yaml:5:3: routes.domains: `domains` and `apiGroup` exclude each other; `apiGroup` joins the platform's VirtualService, `domains` makes one of the service's own: write one of the two",
        ],
    );
    says(
        routes("domains: []"),
        &[
            "services/echo.yaml:4:12: routes.domains: the list is empty; Gloo takes that for `*`: write `[\"*\"]` if it is meant",
        ],
    );
    says(
        routes("domains: [a.example, A.example, 'a b']"),
        &[
            "services/echo.yaml:4:24: routes.domains[1]: the domain is listed twice; keep one of the two",
            "services/echo.yaml:4:35: routes.domains[2]: expected a domain, found \"a b\"; for example `echo.example.com`, `*.example.com` or `*`",
        ],
    );
    says(
        routes("apiGroup: 'a b'"),
        &[
            "services/echo.yaml:4:13: routes.apiGroup: a label's value is up to 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends, found \"a b\"",
        ],
    );
}

#[test]
fn what_is_required_is_said() {
    says(
        "{}\n",
        &[
            "services/echo.yaml:1:1: deployment: the key is required; name the versions to run, for example `deployment: {v1: {}}`",
            "services/echo.yaml:1:1: routes: the key is required; for example `routes: {apiGroup: example, primary: {version: v1}}`",
        ],
    );
    says(
        "deployment: {}\nroutes: {apiGroup: example}\n",
        &[
            "services/echo.yaml:1:13: deployment: no version is listed; name the versions to run, for example `deployment: {v1: {}}`",
            "services/echo.yaml:2:1: routes.primary: the key is required; say who gets the requests: `primary: {version: v1}`",
        ],
    );
}

#[test]
fn every_mistake_is_reported_at_once_in_the_order_of_the_file() {
    says(
        "namespace: Echo\ndeployment:\n  v1: {replicas: many, port: 70000}\n  V2: {}\n\
         service: {port: 0}\nroutes: {apiGroup: [], primary: v1, canary: {version: 7, weight: x}}\n\
         adopt: perhaps\n",
        &[
            "services/echo.yaml:1:12: namespace: a namespace is lower-case letters, digits and `-` between them, found \"Echo\"",
            "services/echo.yaml:3:18: deployment.v1.replicas: expected a whole number, at least 0, found the text \"many\"; the number of pods",
            "services/echo.yaml:3:30: deployment.v1.port: expected a whole number from 1 to 65535, found 70000; a TCP port",
            "services/echo.yaml:4:3: deployment.V2: a version is lower-case letters, digits and `-` between them, found \"V2\"",
            "services/echo.yaml:5:17: service.port: expected a whole number from 1 to 65535, found 0; a TCP port",
            "services/echo.yaml:6:20: routes.apiGroup: expected text, found a list",
            "services/echo.yaml:6:33: routes.primary: expected a mapping, found the text \"v1\"; say who gets the requests: `primary: {version: v1}`",
            "services/echo.yaml:6:66: routes.canary.weight: expected a whole number from 0 to 100, found the text \"x\"; the canary's percentage, the primary gets the rest",
            "services/echo.yaml:7:8: adopt: expected true or false, found the text \"perhaps\"",
        ],
    );
}

#[test]
fn names_fit_into_what_kubernetes_takes() {
    says(
        format!(
            "deployment: {{{}: {{}}, v1.2: {{}}}}\nroutes: {{apiGroup: a, primary: {{version: v1}}}}\n",
            "v".repeat(60)
        ),
        &[
            "services/echo.yaml:1:14: deployment.vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv: `echo-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv` has 65 characters, the most is 63",
            "services/echo.yaml:1:80: deployment.v1.2: a version is lower-case letters, digits and `-` between them, found \"v1.2\"",
        ],
    );
}

#[test]
fn a_path_is_one_that_gloo_takes() {
    for (path, message) in [
        (
            "{prefix: echo}",
            "services/echo.yaml:5:20: routes.paths[0].prefix: a path starts with `/`, found \"echo\"; Gloo refuses such a path, and with it others' routes",
        ),
        (
            "{prefix: ''}",
            "services/echo.yaml:5:20: routes.paths[0].prefix: a path starts with `/`, found \"\"; Gloo refuses such a path, and with it others' routes",
        ),
        (
            "{exact: /a//b}",
            "services/echo.yaml:5:19: routes.paths[0].exact: a path does not contain `//`, found \"/a//b\"; Gloo refuses such a path, and with it others' routes",
        ),
        (
            "{prefix: /a/../b}",
            "services/echo.yaml:5:20: routes.paths[0].prefix: a path does not contain `/../`, found \"/a/../b\"; Gloo refuses such a path, and with it others' routes",
        ),
        (
            "{prefix: /a/..}",
            "services/echo.yaml:5:20: routes.paths[0].prefix: a path does not end with `/..`, found \"/a/..\"; Gloo refuses such a path, and with it others' routes",
        ),
        (
            "{prefix: '/a b'}",
            "services/echo.yaml:5:20: routes.paths[0].prefix: a path holds no spaces, `?`, `#` or other such characters, found \"/a b\"; Gloo refuses such a path, and with it others' routes",
        ),
        (
            "{prefix: /a%zz}",
            "services/echo.yaml:5:20: routes.paths[0].prefix: a path holds no spaces, `?`, `#` or other such characters, found \"/a%zz\"; Gloo refuses such a path, and with it others' routes",
        ),
        (
            "{regex: '/a('}",
            "services/echo.yaml:5:19: routes.paths[0].regex: not a regular expression: unclosed group; Gloo takes RE2: https://github.com/google/re2/wiki/Syntax",
        ),
        (
            "{regex: '/a(?=b)'}",
            "services/echo.yaml:5:19: routes.paths[0].regex: not a regular expression: look-around, including look-ahead and look-behind, is not supported; Gloo takes RE2: https://github.com/google/re2/wiki/Syntax",
        ),
        (
            "{prefix: /a, exact: /b}",
            "services/echo.yaml:5:11: routes.paths[0]: expected exactly one of prefix, exact and regex; for example `- prefix: /echo`",
        ),
        (
            "{methods: [GET]}",
            "services/echo.yaml:5:11: routes.paths[0]: expected exactly one of prefix, exact and regex; for example `- prefix: /echo`",
        ),
        (
            "{prefix: /a, methods: [get]}",
            "services/echo.yaml:5:34: routes.paths[0].methods[0]: expected a method in upper-case letters, found the text \"get\"; write `GET`",
        ),
        (
            "{prefix: /a, queryParameters: {q: {invert: true, value: b}}}",
            "services/echo.yaml:5:45: routes.paths[0].queryParameters.q: Gloo cannot invert a query parameter",
        ),
    ] {
        says(routes(&format!("apiGroup: example\n  paths: [{path}]")), &[message]);
    }
    says(
        routes("apiGroup: example\n  paths: [{prefix: /a}, {prefix: /a, methods: [GET]}]"),
        &[
            "services/echo.yaml:5:25: routes.paths[1]: the prefix path is listed twice; keep one of the two",
        ],
    );
    says(
        routes("apiGroup: example\n  paths: []"),
        &[
            "services/echo.yaml:5:10: routes.paths: the list is empty; leave it out for `/<service>`",
        ],
    );
}

#[test]
fn an_expression_that_only_re2_takes_is_left_to_gloo() {
    for regex in ["/a{id}", r"/\Q(\E", "/a{1,2000}"] {
        let values = routes(&format!("apiGroup: a\n  paths: [{{regex: '{regex}'}}]"));
        assert!(outcome(values).is_ok(), "{regex}");
    }
}

#[test]
fn a_header_has_a_condition_that_means_something() {
    for (headers, message) in [
        (
            "{stage: ''}",
            "services/echo.yaml:5:42: routes.canary.headers.stage: an empty value matches every request that has it; write `{present: true}` if that is meant",
        ),
        (
            "{stage: }",
            "services/echo.yaml:5:35: routes.canary.headers.stage: expected text or a mapping, found nothing; write text, `{regex: ...}` or `{present: true}`",
        ),
        (
            "{stage: {present: false}}",
            "services/echo.yaml:5:52: routes.canary.headers.stage.present: `present` can only be true; write `{present: true, invert: true}` for absent",
        ),
        (
            "{stage: {regex: a, value: b}}",
            "services/echo.yaml:5:42: routes.canary.headers.stage: expected exactly one of value, regex and present; write text, `{regex: ...}` or `{present: true}`",
        ),
        (
            "{stage: {invert: true}}",
            "services/echo.yaml:5:42: routes.canary.headers.stage: expected exactly one of value, regex and present; write text, `{regex: ...}` or `{present: true}`",
        ),
        (
            "{stage: {regex: '('}}",
            "services/echo.yaml:5:50: routes.canary.headers.stage.regex: not a regular expression: unclosed group; Gloo takes RE2: https://github.com/google/re2/wiki/Syntax",
        ),
        (
            "{'a b': c}",
            "services/echo.yaml:5:35: routes.canary.headers.a b: \"a b\" is not a header's name",
        ),
        (
            "[stage]",
            "services/echo.yaml:5:34: routes.canary.headers: expected a mapping, found a list",
        ),
    ] {
        says(canary(&format!("{{version: v2, headers: {headers}}}")), &[message]);
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

#[test]
fn a_split_by_upstream_has_nothing_to_fall_back_to() {
    says(
        routes("apiGroup: a\n  split: upstream\n  fallback: any"),
        &[
            "services/echo.yaml:6:13: routes.fallback: `fallback: any` needs `split: subset`; an Upstream of one version has no other pods to fall back to: remove the key, or split by subset",
        ],
    );
    says(
        routes("apiGroup: a\n  split: halves\n  fallback: some"),
        &[
            "services/echo.yaml:5:10: routes.split: expected subset or upstream, found the text \"halves\"",
            "services/echo.yaml:6:13: routes.fallback: expected any or none, found the text \"some\"",
        ],
    );
}

#[test]
fn a_route_is_mirrored_once() {
    let values = canary("{version: v2, shadow: 5}") + "  options: {shadowing: {percentage: 1}}\n";
    says(
        values,
        &[
            "services/echo.yaml:5:11: routes.canary: `shadow` and the route option `shadowing` exclude each other; Gloo mirrors a route to one upstream only: keep one of the two",
        ],
    );
}

#[test]
fn wrong_types_everywhere_are_all_reported() {
    says(
        "deployment: [v1]\nservice: 80\nroutes: echo\nnamespace: {}\nkeep: 1\nadopt: []\n",
        &[
            "services/echo.yaml:1:13: deployment: expected a mapping, found a list",
            "services/echo.yaml:2:10: service: expected a mapping, found 80",
            "services/echo.yaml:3:9: routes: expected a mapping, found the text \"echo\"; for example `routes: {apiGroup: example, primary: {version: v1}}`",
            "services/echo.yaml:4:12: namespace: expected text, found a mapping",
            "services/echo.yaml:5:7: keep: expected true or false, found 1",
            "services/echo.yaml:6:8: adopt: expected true or false, found a list",
        ],
    );
    says(
        version(
            "{args: -a, env: 3, image: [], resources: 1, probes: {readiness: yes}, labels: [a], \
             imagePullPolicy: Sometimes, serviceAccountName: {}, patch: a}",
        ),
        &[
            "services/echo.yaml:2:14: deployment.v1.args: expected a list, found the text \"-a\"",
            "services/echo.yaml:2:23: deployment.v1.env: expected a mapping of names to values, or a list, found 3",
            "services/echo.yaml:2:33: deployment.v1.image: expected text, found a list",
            "services/echo.yaml:2:48: deployment.v1.resources: expected a mapping, found 1",
            "services/echo.yaml:2:71: deployment.v1.probes.readiness: expected a mapping, found the text \"yes\"",
            "services/echo.yaml:2:85: deployment.v1.labels: expected a mapping, found a list",
            "services/echo.yaml:2:107: deployment.v1.imagePullPolicy: expected Always, IfNotPresent or Never, found the text \"Sometimes\"",
            "services/echo.yaml:2:138: deployment.v1.serviceAccountName: expected text, found a mapping",
            "services/echo.yaml:2:149: deployment.v1.patch: expected a mapping, found the text \"a\"",
        ],
    );
}
