//! Whatever a team commits, the objects of others and the answers to others' requests are as before.

use std::collections::BTreeMap;

use coalmine_core::proposal::Expected;
use coalmine_core::tree::Tree;
use gloo::{Answer, Entry, Memory, Request, answer, translate};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::tree;

const OTHERS: &[(&str, &str)] = &[
    (
        "coalmine.yaml",
        "folders:\n  team-a:\n    namespaces: [team-a]\n    apiGroups: [example]\n    paths: [/team-a/]\n    \
         domains: ['*.a.example']\n    options: [timeout, prefixRewrite]\n  team-b:\n    namespaces: [echo, pay]\n    \
         apiGroups: [example]\n    paths: [/echo, /pay, /team-b]\n    domains: [b.example, '*.b.example']\n",
    ),
    (
        "platform/app.yaml",
        "apiVersion: gateway.solo.io/v1\nkind: VirtualService\nmetadata: {name: app, namespace: gloo-system}\n\
         spec:\n  virtualHost:\n    domains: ['*']\n    routes:\n      - matchers: [{prefix: /}]\n        \
         delegateAction: {selector: {labels: {apiGroup: example}, namespaces: ['*']}}\n",
    ),
    (
        "services/team-b/echo.yaml",
        "deployment: {v1: {}, v2: {}}\nroutes: {apiGroup: example, primary: {version: v1}, \
         canary: {version: v2, headers: {stage: canary}, weight: 20}}\n",
    ),
    (
        "services/team-b/pay.yaml",
        "deployment: {v1: {}}\nroutes: {domains: [b.example, '*.b.example'], primary: {version: v1}, \
         paths: [{prefix: /}]}\n",
    ),
    (
        "services/front.yaml",
        "deployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}, paths: [{prefix: /}]}\n",
    ),
];

/// A file's path in the team's folder: also with the names of others' services.
fn name() -> impl Strategy<Value = String> {
    const NAMES: &[&str] =
        &["it", "echo", "pay", "front", "echo-v1", "team-a", "web/it", "a.b", "kube-system"];
    select(NAMES).prop_map(|name| format!("services/team-a/{name}.yaml"))
}

fn path() -> impl Strategy<Value = String> {
    const PATHS: &[&str] = &[
        "{prefix: /}",
        "{prefix: /echo}",
        "{prefix: /echo/login}",
        "{exact: /echo/login}",
        "{exact: /}",
        "{regex: '/.*'}",
        "{regex: '/team-a/.*|/echo.*'}",
        "{regex: '/team-a/.*'}",
        "{regex: '(/team-a/x)?/echo'}",
        "{prefix: /team-a/}",
        "{prefix: /team-a}",
        "{prefix: /team-a/x, options: {prefixRewrite: /echo}}",
        "{prefix: /team-a/%2e%2e/echo}",
        "{prefix: /, methods: [GET, POST]}",
        "{prefix: /team-b, methods: [GET]}",
        "{exact: /team-a/x, options: {hostRewrite: b.example}}",
    ];
    select(PATHS).prop_map(str::to_owned)
}

fn file() -> impl Strategy<Value = String> {
    let namespace = prop_oneof![
        4 => Just("team-a"),
        1 => select(&["echo", "pay", "kube-system", "gloo-system", "front"][..]),
    ];
    const VERSIONS: &[&str] = &[
        "{v1: {}}",
        "{v1: {}, v2: {replicas: 0}}",
        "{v1: {labels: {team: b}, patch: {spec: {replicas: 0}}}}",
        "{v1: {external: true}}",
        "{v1: {external: {upstream: {name: echo, namespace: echo}}}}",
        "{v1: {external: {upstream: {name: pay, namespace: pay}}}, v2: {}}",
        "{v1-v2: {}, v1: {}}",
    ];
    let binding = prop_oneof![
        3 => select(&["x", "x/y", "z", ""][..])
            .prop_map(|below| format!("apiGroup: example, paths: [{{prefix: /team-a/{below}}}]")),
        4 => vec(path(), 1..4).prop_map(|paths| format!("apiGroup: example, paths: [{}]", paths.join(", "))),
        1 => Just("apiGroup: other".to_owned()),
        1 => select(&["b.example", "x.b.example", "B.example", "*", "x.a.example", "*.example"][..])
            .prop_map(|domain| format!("domains: ['{domain}'], paths: [{{prefix: /}}]")),
    ];
    const MORE: &[&str] = &[
        "",
        "adopt: true\n",
        "keep: true\n",
        "upstream: {loadBalancerConfig: {}}\n",
        "service: {port: 1}\n",
    ];
    let split = select(&["subset", "upstream"][..]);
    (namespace, prop_oneof![2 => Just(VERSIONS[0]), 1 => select(VERSIONS)], binding, split, prop_oneof![2 => Just(MORE[0]), 1 => select(MORE)]).prop_map(
        |(namespace, versions, binding, split, more)| {
            format!(
                "namespace: {namespace}\n{more}deployment: {versions}\nroutes: {{{binding}, split: {split}, \
                 primary: {{version: v1}}}}\n"
            )
        },
    )
}

/// The objects of the services and the platform that are not the team's, as they are written.
fn objects(expected: &Expected) -> BTreeMap<String, Value> {
    let others = ["platform", "echo", "pay", "front"].into_iter();
    let jobs = others.filter_map(|name| expected.job(name));
    let manifests = jobs.flat_map(|job| job.desired.manifests());
    manifests.map(|manifest| (manifest.id().to_string(), manifest.object().clone())).collect()
}

/// Who answers requests that are not the team's.
fn answers(expected: &Expected) -> Vec<(String, Answer)> {
    let translation = translate(&expected.cluster(), &Memory::default());
    let paths =
        ["/", "/echo", "/echo/login", "/echoes", "/pay", "/team-b", "/team", "/x", "/team-ab"];
    let mut answers = Vec::new();
    for host in ["example", "b.example", "x.b.example"] {
        for path in paths {
            for (method, headers) in
                [("GET", vec![]), ("POST", vec![("stage".into(), "canary".into())])]
            {
                let request = Request {
                    method: method.to_owned(),
                    host: host.to_owned(),
                    path: path.to_owned(),
                    headers,
                };
                let key = format!("{method} {host}{path}");
                let answer = answer(&translation, &Entry::http(8080), &request);
                // A route's name has its number, which others' routes before it change.
                answers.push((key, Answer { route: None, ..answer }));
            }
        }
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn nothing_that_a_team_commits_reaches_others(
        commits in vec(vec((name(), file()), 1..4), 1..3)
    ) {
        let base = tree(OTHERS);
        let before = Expected::of(&base);
        prop_assert!(before.repository.services.values().all(Result::is_ok));
        let mut history = vec![base];
        for commit in commits {
            let mut next: Tree = history[history.len() - 1].clone();
            next.files.extend(commit.iter().map(|(path, file)| (path.clone(), file.as_str().into())));
            let after = Expected::after(&history, &next);
            prop_assert_eq!(&after.repository.problems, &vec![]);
            prop_assert_eq!(objects(&before), objects(&after));
            prop_assert_eq!(answers(&before), answers(&after));
            for (name, job) in after.names().filter_map(|name| Some((name, after.job(name)?))) {
                let is_new = !["platform", "echo", "pay", "front"].contains(&name);
                for manifest in job.desired.manifests().filter(|_| is_new) {
                    let namespace = manifest.id().namespace.as_deref();
                    prop_assert_eq!(namespace, Some("team-a"), "{}", manifest.id());
                }
            }
            history.push(next);
        }
    }
}

#[test]
fn some_of_what_a_team_commits_is_right() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut right = 0;
    for _ in 0..400 {
        let tree_of = (name(), file()).new_tree(&mut runner).expect("a file");
        let (path, file) = proptest::strategy::ValueTree::current(&tree_of);
        let mut next = tree(OTHERS);
        next.files.insert(path, file.as_str().into());
        let base = tree(OTHERS);
        let after = Expected::after([&base], &next);
        right += usize::from(after.names().count() > 4);
    }
    assert!(right >= 5, "only {right} of 400 files were right: the property says little");
}
