//! Several files together.

use super::{listed, repository};
use crate::values::{Repository, ServiceName, TargetPort};

const ECHO: &str = "deployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}}\n";

fn of(repository: &Repository, name: &str) -> Vec<String> {
    let outcome = repository.services.iter().find(|(known, _)| known.as_str() == name);
    match outcome.expect("the service").1 {
        Ok(_) => Vec::new(),
        Err(problems) => listed(problems),
    }
}

fn routed(routes: &str) -> String {
    format!("deployment: {{v1: {{}}}}\nroutes:\n  primary: {{version: v1}}\n  {routes}\n")
}

#[test]
fn services_are_the_yaml_files_of_any_folder() {
    let repository = repository(&[
        ("services/echo.yaml", ECHO),
        ("services/team-a/foxtrot.yml", ECHO),
        ("services/team-a/README.md", "# Team A"),
        ("services/CODEOWNERS", "* @team"),
        ("services/.lint.yaml", "rules: {}"),
        ("other/golf.yaml", "a: 1"),
        ("README.md", "# Rollouts"),
    ]);
    assert_eq!(repository.problems, []);
    let names: Vec<_> = repository.services.keys().map(ServiceName::as_str).collect();
    assert_eq!(names, ["echo", "foxtrot"]);
    let foxtrot = repository.services.values().nth(1).unwrap().as_ref().unwrap();
    assert_eq!(foxtrot.namespace, "foxtrot");
    assert_eq!(foxtrot.file, "services/team-a/foxtrot.yml");
}

#[test]
fn one_broken_service_leaves_the_others_alone() {
    let repository =
        repository(&[("services/echo.yaml", "deployment: ["), ("services/foxtrot.yaml", ECHO)]);
    assert_eq!(repository.problems, []);
    assert_eq!(of(&repository, "echo").len(), 1);
    assert_eq!(of(&repository, "foxtrot"), [""; 0]);
}

#[test]
fn a_folder_with_nothing_in_it_is_not_an_order_to_remove_everything() {
    let repository = repository(&[("values.yaml", ECHO)]);
    assert_eq!(
        listed(&repository.problems),
        [
            "coalmine.yaml:1:1: neither coalmine.yaml nor platform/ nor services/ is here; is the path right? services are files like services/echo.yaml"
        ]
    );
}

#[test]
fn two_files_of_one_name_are_an_error_of_each() {
    let repository = repository(&[
        ("services/a/echo.yaml", ECHO),
        ("services/b/echo.yml", ECHO),
        ("services/foxtrot.yaml", ECHO),
    ]);
    assert_eq!(
        of(&repository, "echo"),
        [
            "services/a/echo.yaml:1:1: the service echo is described in services/b/echo.yml too; rename or remove one of the files: a file's name is its service's, and nobody had it before, so it is neither's until then",
            "services/b/echo.yml:1:1: the service echo is described in services/a/echo.yaml too; rename or remove one of the files: a file's name is its service's, and nobody had it before, so it is neither's until then"
        ]
    );
    assert_eq!(of(&repository, "foxtrot"), [""; 0]);
}

#[test]
fn a_file_whose_name_cannot_be_a_service_is_an_error_of_its_own() {
    let repository = repository(&[("services/My_Service.yaml", ECHO)]);
    assert_eq!(
        of(&repository, "services/My_Service.yaml"),
        [
            "services/My_Service.yaml:1:1: a service's name is lower-case letters, digits and `-` between them, found \"My_Service\"; rename the file: its name is the service's"
        ]
    );
}

#[test]
fn the_inventorys_name_for_the_platform_is_not_a_services() {
    let repository = repository(&[("services/platform.yaml", ECHO)]);
    assert_eq!(
        of(&repository, "services/platform.yaml"),
        [
            "services/platform.yaml:1:1: \"platform\" is kept for the objects of platform/; rename the file: its name is the service's"
        ]
    );
}

#[test]
fn one_path_in_one_api_group_belongs_to_one_service() {
    let repository = repository(&[
        ("services/echo.yaml", &routed("apiGroup: example\n  paths:\n    - prefix: /api")),
        (
            "services/foxtrot.yaml",
            &routed("apiGroup: example\n  paths: [{prefix: /f}, {prefix: /api, methods: [GET]}]"),
        ),
        ("services/golf.yaml", &routed("apiGroup: other\n  paths: [{prefix: /api}]")),
        ("services/hotel.yaml", &routed("apiGroup: example\n  paths: [{exact: /api}]")),
        ("services/india.yaml", &routed("apiGroup: example\n  paths: [{prefix: /india}]")),
        (
            "services/juliet.yaml",
            &routed("apiGroup: example\n  paths: [{prefix: /india, queryParameters: {beta: '1'}}]"),
        ),
    ]);
    assert_eq!(
        of(&repository, "echo"),
        [
            "services/echo.yaml:6:15: routes.paths: services/foxtrot.yaml:5:34 claims the prefix path \"/api\" in apiGroup example too; give one of the two another path, other methods or another apiGroup; nobody had it before, so it is neither's until one of the two gives it up"
        ]
    );
    assert_eq!(
        of(&repository, "foxtrot"),
        [
            "services/foxtrot.yaml:5:34: routes.paths: services/echo.yaml:6:15 claims the prefix path \"/api\" in apiGroup example too; give one of the two another path, other methods or another apiGroup; nobody had it before, so it is neither's until one of the two gives it up"
        ]
    );
    for other in ["golf", "hotel", "india", "juliet"] {
        assert_eq!(of(&repository, other), [""; 0]);
    }
}

#[test]
fn the_default_path_is_claimed_too() {
    let repository = repository(&[
        ("services/echo.yaml", ECHO),
        ("services/foxtrot.yaml", &routed("apiGroup: example\n  paths: [{prefix: /echo}]")),
    ]);
    assert_eq!(
        of(&repository, "echo"),
        [
            "services/echo.yaml:2:1: routes.paths: services/foxtrot.yaml:5:20 claims the prefix path \"/echo\" in apiGroup example too; give one of the two another path, other methods or another apiGroup; nobody had it before, so it is neither's until one of the two gives it up"
        ]
    );
    assert_eq!(of(&repository, "foxtrot").len(), 1);
}

#[test]
fn different_methods_share_a_path() {
    let repository = repository(&[
        ("services/echo.yaml", &routed("apiGroup: e\n  paths: [{prefix: /api, methods: [GET]}]")),
        (
            "services/foxtrot.yaml",
            &routed("apiGroup: e\n  paths: [{prefix: /api, methods: [PUT]}]"),
        ),
    ]);
    assert_eq!(of(&repository, "echo"), [""; 0]);
    assert_eq!(of(&repository, "foxtrot"), [""; 0]);
}

#[test]
fn one_domain_belongs_to_one_service() {
    let repository = repository(&[
        ("services/echo.yaml", &routed("domains: [a.example, b.example]")),
        ("services/foxtrot.yaml", &routed("domains: [B.example]")),
    ]);
    assert_eq!(
        of(&repository, "echo"),
        [
            "services/echo.yaml:4:3: routes.domains: services/foxtrot.yaml:4:3 claims the domain \"b.example\" too; a domain belongs to one service; several share one by `apiGroup`; nobody had it before, so it is neither's until one of the two gives it up"
        ]
    );
    assert_eq!(
        of(&repository, "foxtrot"),
        [
            "services/foxtrot.yaml:4:3: routes.domains: services/echo.yaml:4:3 claims the domain \"b.example\" too; a domain belongs to one service; several share one by `apiGroup`; nobody had it before, so it is neither's until one of the two gives it up"
        ]
    );
}

#[test]
fn two_services_of_one_namespace_do_not_come_to_one_object() {
    let echo = "namespace: shop\ndeployment: {v2-v1: {}}\n\
                routes: {apiGroup: a, primary: {version: v2-v1}}\n";
    let echo_v2 = "namespace: shop\ndeployment: {v1: {}}\n\
                   routes: {apiGroup: a, primary: {version: v1}}\n";
    let files = [("services/echo.yaml", echo), ("services/echo-v2.yaml", echo_v2)];
    let shared = repository(&files);
    assert_eq!(
        of(&shared, "echo"),
        [
            "services/echo.yaml:2:1: deployment: services/echo-v2.yaml:2:1 claims the Deployment shop/echo-v2-v1 too; rename one of the services or versions, or give one another `namespace`; nobody had it before, so it is neither's until one of the two gives it up"
        ]
    );
    assert_eq!(
        of(&shared, "echo-v2"),
        [
            "services/echo-v2.yaml:2:1: deployment: services/echo.yaml:2:1 claims the Deployment shop/echo-v2-v1 too; rename one of the services or versions, or give one another `namespace`; nobody had it before, so it is neither's until one of the two gives it up"
        ]
    );
    let apart = echo_v2.replace("namespace: shop\n", "");
    let apart = repository(&[files[0], ("services/echo-v2.yaml", &apart)]);
    assert_eq!(of(&apart, "echo"), [""; 0]);
}

#[test]
fn platform_files_are_plain_objects() {
    let repository = repository(&[
        (
            "platform/a.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: echo}\n---\n# nothing\n---\n\
             apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n\
             data: {mode: 0644, on: yes}\n",
        ),
        ("services/echo.yaml", ECHO),
    ]);
    assert_eq!(repository.platform.problems, []);
    let ids: Vec<_> = repository.platform.manifests.iter().map(|it| it.id().to_string()).collect();
    assert_eq!(ids, ["Namespace echo", "ConfigMap b/a"]);
    // What YAML's readers disagree about stays the text that it is.
    let data = &repository.platform.manifests[1].object()["data"];
    assert_eq!(*data, serde_json::json!({"mode": "0644", "on": "yes"}));
}

#[test]
fn what_is_wrong_in_the_platform_files_does_not_concern_the_services() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: echo}\n";
    let twice = format!("{namespace}---\nkind: Namespace\nmetadata: {{name: a}}\n");
    let repository = repository(&[
        ("platform/a.yaml", &twice),
        ("platform/b.yaml", namespace),
        ("platform/c.yaml", "a: [\n"),
        ("services/echo.yaml", ECHO),
    ]);
    assert_eq!(
        listed(&repository.platform.problems),
        [
            "platform/a.yaml:5:1: apiVersion, kind and metadata.name are required; one object per document, `---` between them",
            "platform/b.yaml:1:1: Namespace echo stands in platform/a.yaml:1 too; keep one of the two",
            "platform/c.yaml:1:4: not valid YAML: unclosed bracket '['; check the indentation and the quotes here and on the line before"
        ]
    );
    assert_eq!(repository.platform.manifests.len(), 1);
    assert_eq!(repository.problems, []);
    assert_eq!(of(&repository, "echo"), [""; 0]);
}

#[test]
fn pods_of_ours_are_found_by_the_name_of_their_port_and_others_by_its_number() {
    let target = |deployment: &str| {
        let values = format!(
            "deployment: {deployment}\nroutes: {{apiGroup: a, primary: {{version: v1}}}}\n"
        );
        super::service(&values).target_port
    };
    assert_eq!(target("{v1: {port: 1}, v2: {port: 2}}"), TargetPort::Name("http".into()));
    assert_eq!(target("{v1: {}}"), TargetPort::Name("http".into()));
    assert_eq!(target("{v1: {external: true}, v2: {port: 9}}"), TargetPort::Number(9));
    assert_eq!(target("{v1: {external: true}}"), TargetPort::Number(8080));
}

#[test]
fn what_gets_no_requests_or_has_no_pods_is_warned_about() {
    let service = super::service(
        "deployment: {v1: {replicas: 0}, v2: {}}\n\
         routes: {apiGroup: a, primary: {version: v1}, canary: {version: v2}}\n",
    );
    let warnings: Vec<String> = service.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "routes.canary: v2 gets no requests: it has no headers, jwt, weight or shadow",
            "deployment.v1.replicas: 0, but a route names v1: the routes wait for a ready pod"
        ]
    );
}

#[test]
fn a_version_that_gets_copies_has_an_upstream_that_a_service_may_have_too() {
    let copied = |shadow: u8| {
        let canary = format!("{{version: v2, headers: {{stage: canary}}, shadow: {shadow}}}");
        let values = format!("namespace: shop\n{}", super::canary(&canary));
        let other = values.replace("example", "other");
        let files = [("services/echo.yaml", values.as_str()), ("services/echo-v2.yaml", &other)];
        let repository = repository(&files);
        of(&repository, "echo")
    };
    assert_eq!(copied(0), [""; 0]);
    let shared = copied(5);
    assert!(shared.iter().any(|it| it.contains("the Upstream shop/echo-v2 too")), "{shared:?}");
}

#[test]
fn an_object_of_the_platform_has_a_name_that_fits_into_an_address() {
    let problems = |api_version: &str, kind: &str, namespace: &str, name: &str| {
        let object = format!(
            "apiVersion: '{api_version}'\nkind: '{kind}'\nmetadata: {{namespace: '{namespace}', name: '{name}'}}\n"
        );
        listed(&repository(&[("platform/it.yaml", &object)]).platform.problems)
    };
    assert_eq!(problems("apps/v1", "Deployment", "shop", "system:a.b"), [""; 0]);
    for (found, key) in [
        (problems("v1", "Secret", "shop", "a/b"), "metadata.name"),
        (problems("v1", "Secret", "..", "a"), "metadata.namespace"),
        (problems("v1", "Secret/status", "shop", "a"), "kind"),
        (problems("apps/v1/b", "Secret", "shop", "a"), "apiVersion"),
        (problems("../v1", "Secret", "shop", "a"), "apiVersion"),
    ] {
        let expected = format!("{key} is letters, digits and");
        assert!(found.len() == 1 && found[0].contains(&expected), "{key}: {found:?}");
    }
}

#[test]
fn a_list_of_objects_is_read_as_its_objects() {
    let list = "apiVersion: v1\nkind: List\nmetadata: {resourceVersion: \"\"}\nitems:\n\
                - {apiVersion: v1, kind: Namespace, metadata: {name: echo}}\n\
                - {apiVersion: v1, kind: Secret, metadata: {name: a, namespace: echo}}\n\
                - apiVersion: v1\n  kind: ConfigMapList\n  items: \n  \
                - {apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: echo}}\n\
                - kind: Secret\n";
    let read = repository(&[
        ("platform/a.yaml", list),
        ("platform/b.yaml", "apiVersion: v1\nkind: List\nitems:\n"),
        (
            "platform/c.yaml",
            "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Namespace, metadata: {name: echo}}]\n",
        ),
        (
            "platform/d.yaml",
            "{apiVersion: example.org/v1, kind: AllowList, metadata: {name: it, namespace: echo}, items: [a]}\n",
        ),
        ("services/echo.yaml", ECHO),
    ]);
    let ids: Vec<_> = read.platform.manifests.iter().map(|it| it.id().to_string()).collect();
    assert_eq!(ids, ["Namespace echo", "Secret echo/a", "ConfigMap echo/b", "AllowList echo/it"]);
    assert_eq!(
        listed(&read.platform.problems),
        [
            "platform/a.yaml:11:3: apiVersion, kind and metadata.name are required; one object per document, `---` between them",
            "platform/c.yaml:3:9: Namespace echo stands in platform/a.yaml:5 too; keep one of the two",
        ]
    );
}

#[test]
fn an_object_of_the_platform_says_where_it_belongs() {
    let problems =
        |object: &str| listed(&repository(&[("platform/it.yaml", object)]).platform.problems);
    for (object, message) in [
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}",
            "ConfigMap a: metadata.namespace is required; say where it belongs, for example `namespace: default`",
        ),
        (
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: a, namespace: b}}",
            "ClusterRole b/a: it belongs to no namespace; remove metadata.namespace",
        ),
    ] {
        assert_eq!(problems(object), [format!("platform/it.yaml:1:1: {message}")]);
    }
    for object in [
        "{apiVersion: v1, kind: Namespace, metadata: {name: a}}",
        "{apiVersion: cert-manager.io/v1, kind: ClusterIssuer, metadata: {name: a}}",
        "{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a, namespace: b}}",
    ] {
        assert_eq!(problems(object), [""; 0], "{object}");
    }
}
