//! Mistakes in paths, conditions and the way routes reach the gateway.

use super::{canary, listed, outcome, repository, routes, says, service};
use crate::values::{HeaderMatch, ValueMatch};

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
fn a_path_does_not_lose_requests_to_a_wider_one_with_more_methods() {
    let paths = |paths: &str| routes(&format!("apiGroup: a\n  paths: [{paths}]"));
    let slow = "exact: /a/b, options: {timeout: 9s}";
    for (wide, named) in [
        ("prefix: /a", "prefix path \"/a\""),
        ("regex: '/a/.*'", "regex path \"/a/.*\""),
        ("exact: /a/b", "exact path \"/a/b\""),
    ] {
        says(
            paths(&format!("{{{slow}, queryParameters: {{q: x}}}}, {{{wide}, methods: [GET]}}")),
            &[&format!(
                "services/echo.yaml:5:11: routes.paths[0]: the {named} would take its requests: Gloo \
                 puts the path with more methods first; name as many methods here, or give both the \
                 same `options` and `rest`"
            )],
        );
    }
    for others in [
        // As many methods, other methods, other requests, the same answer.
        format!("{{{slow}, methods: [GET]}}, {{prefix: /a, methods: [GET]}}"),
        format!("{{{slow}, methods: [PUT]}}, {{prefix: /a, methods: [GET, POST]}}"),
        format!("{{{slow}}}, {{prefix: /b, methods: [GET]}}, {{regex: '/b.*', methods: [GET]}}"),
        format!("{{{slow}}}, {{prefix: /a, methods: [GET], queryParameters: {{q: x}}}}"),
        "{exact: /a/b}, {prefix: /a, methods: [GET]}".to_owned(),
        // Without conditions the wider one stands behind.
        format!("{{{slow}}}, {{prefix: /a}}"),
    ] {
        assert!(outcome(paths(&others)).is_ok(), "{others}");
    }
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
            "services/echo.yaml:5:35: routes.canary.headers.stage: expected text or a mapping, found nothing; write text, a list of texts, `{regex: ...}` or `{present: true}`",
        ),
        (
            "{stage: {present: false}}",
            "services/echo.yaml:5:52: routes.canary.headers.stage.present: `present` can only be true; write `{present: true, invert: true}` for absent",
        ),
        (
            "{stage: {regex: a, value: b}}",
            "services/echo.yaml:5:42: routes.canary.headers.stage: expected exactly one of value, regex and present; write text, a list of texts, `{regex: ...}` or `{present: true}`",
        ),
        (
            "{stage: {invert: true}}",
            "services/echo.yaml:5:42: routes.canary.headers.stage: expected exactly one of value, regex and present; write text, a list of texts, `{regex: ...}` or `{present: true}`",
        ),
        (
            "{stage: {regex: '('}}",
            "services/echo.yaml:5:50: routes.canary.headers.stage.regex: not a regular expression: unclosed group; Gloo takes RE2: https://github.com/google/re2/wiki/Syntax",
        ),
        (
            "{stage: []}",
            "services/echo.yaml:5:42: routes.canary.headers.stage: the list is empty, and no request has one of no values; write `{present: true}` if any value is meant",
        ),
        (
            "{stage: [a, '', b]}",
            "services/echo.yaml:5:46: routes.canary.headers.stage[1]: an empty value matches every request that has it; write `{present: true}` if that is meant",
        ),
        (
            "{X-Canary: a, stage: b, x-canary: c}",
            "services/echo.yaml:5:58: routes.canary.headers.x-canary: this is the header `X-Canary` of line 5: case means nothing in its name; keep one of the two; a condition on one of several values is a list",
        ),
        (
            "{'a b': c}",
            "services/echo.yaml:5:35: routes.canary.headers.a b: \"a b\" is not a header's name; it has letters, digits and `-`, as in `x-canary`",
        ),
        (
            "{':path': /a, ':foo': b}",
            "services/echo.yaml:5:48: routes.canary.headers.:foo: \":foo\" is not a header's name; with a colon before it there are :authority, :method, :path, :scheme",
        ),
        (
            "{'a:b': c}",
            "services/echo.yaml:5:35: routes.canary.headers.a:b: \"a:b\" is not a header's name; it has letters, digits and `-`, as in `x-canary`",
        ),
        (
            "{Host: a, ':authority': b}",
            "services/echo.yaml:5:44: routes.canary.headers.:authority: this is the header `Host` of line 5: to HTTP/2 and Envoy the two are one; keep one of the two; a condition on one of several values is a list",
        ),
        (
            "{stage: {regex: ''}}",
            "services/echo.yaml:5:50: routes.canary.headers.stage.regex: an empty value matches every request that has it; write `{present: true}` if that is meant",
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
fn one_of_several_values_is_a_list() {
    let values = |condition: &str| {
        let file = canary(&format!("{{version: v2, headers: {{stage: {condition}}}}}"));
        service(&file).routes.canary.expect("a canary").headers["stage"].clone()
    };
    let regex = |text: &str| ValueMatch::Regex(text.into());
    let upright = |value| HeaderMatch { value, invert: false };
    assert_eq!(values("[beta, 72225e2, a.b]"), upright(regex(r"beta|72225e2|a\.b")));
    assert_eq!(
        values("{value: [a, b], invert: true}"),
        HeaderMatch { value: regex("a|b"), invert: true }
    );
    assert_eq!(values("[a|b]"), upright(ValueMatch::Exact("a|b".into())));
    let file = routes("apiGroup: a\n  paths: [{prefix: /a, queryParameters: {q: ['1+1', (x)]}}]");
    assert_eq!(service(&file).routes.paths[0].query_parameters["q"], regex(r"1\+1|\(x\)"));
}

#[test]
fn a_header_of_the_service_is_spelled_as_in_the_defaults() {
    let settings = "defaults: {routes: {canary: {headers: {x-canary: a}}}}\n";
    let file = canary("{version: v2, headers: {X-Canary: b}}");
    let files = [("coalmine.yaml", settings), ("services/echo.yaml", &file)];
    let problems =
        repository(&files).services.pop_first().expect("a service").1.expect_err("a mistake");
    assert_eq!(
        listed(&problems),
        [
            "services/echo.yaml:5:35: routes.canary.headers.X-Canary: this is the header `x-canary` of coalmine.yaml:1: case means nothing in its name; spell it as the default does, which then is replaced"
        ]
    );
}

#[test]
fn a_condition_that_means_less_than_it_seems_is_warned_about() {
    let file =
        canary("{version: v2, headers: {stage: {regex: ^beta}, x-user: 'a|b', x-ok: [a, b]}}")
            + "  paths: [{regex: '/a.*', queryParameters: {q: {regex: b$}}}, {regex: /b}]\n";
    let warnings: Vec<String> = service(&file).warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "routes.canary.headers.stage: the expression \"^beta\" has to match the whole value, and nothing may follow; for values that begin so write \"beta.*\"",
            "routes.canary.headers.x-user: \"a|b\" is compared as it is; for one of several values write a list, `[a, b]`",
            "routes.paths: the expression \"/b\" has to match the whole path, so it is the same as `exact`; for paths that begin so write `prefix`",
            "routes.paths: queryParameters.q: the expression \"b$\" has to match the whole value, and nothing may stand before; for values that end so write \".*b\"",
        ]
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
fn an_escape_in_a_path_has_two_digits() {
    let with = |path: &str| {
        let routes = format!(
            "routes: {{apiGroup: a, primary: {{version: v1}}, paths: [{{prefix: '{path}'}}]}}\n"
        );
        outcome(format!("deployment: {{v1: {{}}}}\n{routes}"))
    };
    for right in ["/a%41", "/%4f%4F", "/a"] {
        assert!(with(right).is_ok(), "{right}: {:?}", with(right));
    }
    for wrong in ["/a%", "/a%4", "/a%4g", "/a%g4", "/%%41"] {
        let problems = listed(&with(wrong).expect_err(wrong));
        assert!(problems[0].contains("a path holds no spaces"), "{problems:?}");
    }
}
