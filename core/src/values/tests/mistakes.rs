//! The mistakes people make in a values file, and what they are told.

use super::{canary, routes, says, version};

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
            "services/echo.yaml:2:8: deployment.v1.colour: unknown key; known here: annotations, args, drain, env, external, image, imagePullPolicy, labels, patch, podSecurityContext, port, probes, replicas, resources, securityContext, serviceAccountName",
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
        "namespace: Echo\ndeployment:\n  v1: {replicas: many, port: 70000}\n  V+2: {}\n\
         service: {port: 0}\nroutes: {apiGroup: [], primary: v1, canary: {version: 7, weight: x}}\n\
         adopt: perhaps\n",
        &[
            "services/echo.yaml:1:12: namespace: a namespace is lower-case letters, digits and `-` between them, found \"Echo\"",
            "services/echo.yaml:3:18: deployment.v1.replicas: expected a whole number, at least 0, found the text \"many\"; the number of pods",
            "services/echo.yaml:3:30: deployment.v1.port: expected a whole number from 1 to 65535, found 70000; a TCP port",
            "services/echo.yaml:4:3: deployment.V+2: a version is the value of a label: up to 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends, found \"V+2\"; for example `V_2`",
            "services/echo.yaml:5:17: service.port: expected a whole number from 1 to 65535, found 0; a TCP port",
            "services/echo.yaml:6:20: routes.apiGroup: expected text, found a list",
            "services/echo.yaml:6:33: routes.primary: expected a mapping, found the text \"v1\"; say who gets the requests: `primary: {version: v1}`",
            "services/echo.yaml:6:66: routes.canary.weight: expected a whole number from 0 to 100, found the text \"x\"; the canary's percentage, the primary gets the rest",
            "services/echo.yaml:7:8: adopt: expected true or false, found the text \"perhaps\"",
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
    says(
        version("{env: [{name: A, value: 1}, {name: B, value: 1}, {name: A, value: 2}]}"),
        &[
            "services/echo.yaml:2:56: deployment.v1.env[2]: the variable is listed twice, which cannot be applied; keep one of the two",
        ],
    );
}
