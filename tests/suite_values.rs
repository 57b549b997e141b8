//! The acceptance suite's own reader of values. The suite has no test harness, so it is tested here.

#[path = "../features/values.rs"]
mod values;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use values::{Service, Values};

fn service(text: &str, defaults: Value) -> Service {
    let defaults = defaults.as_object().cloned().unwrap_or_default();
    Service::parse("services/echo.yaml", "echo", text, defaults).unwrap()
}

#[test]
fn a_service_has_the_defaults_of_the_documentation() {
    let echo = service("deployment: {v1: }\nroutes: {primary: {version: v1}}", json!({}));
    assert_eq!((&*echo.namespace, echo.path.as_deref()), ("echo", Some("/echo")));
    assert_eq!(echo.versions, BTreeMap::from([("v1".to_owned(), true)]));
    assert!(echo.canary.is_none());
    assert_eq!(echo.shares(), [("v1", 100)]);
}

#[test]
fn the_primary_gets_what_the_canary_does_not() {
    let text = "namespace: shop\ndeployment: {v1: {}, 2: {external: true}}\nroutes:\n  \
        primary: {version: v1}\n  canary: {version: 2, weight: 30, headers: {stage: canary}}";
    let echo = service(text, json!({}));
    assert_eq!(echo.shares(), [("v1", 70), ("2", 30)]);
    assert_eq!(echo.canary.unwrap().headers, ["stage"]);
    assert_eq!((&*echo.namespace, echo.versions["v1"], echo.versions["2"]), ("shop", true, false));
}

#[test]
fn the_path_is_one_that_a_plain_get_can_ask_for() {
    let path = |paths: &str| {
        let routes = format!("routes: {{primary: {{version: v1}}, paths: {paths}}}");
        service(&format!("deployment: {{v1: {{}}}}\n{routes}"), json!({})).path
    };
    let conditional = "{exact: /a, methods: [POST]}, {prefix: /b, queryParameters: {c: d}}";
    assert_eq!(path(&format!("[{conditional}, {{regex: /e}}, {{exact: /f}}]")).unwrap(), "/f");
    assert_eq!(path("[{prefix: /g, methods: [GET, POST]}]").unwrap(), "/g");
    assert_eq!(path(&format!("[{conditional}]")), None);
}

#[test]
fn defaults_count_where_a_service_says_nothing() {
    let defaults = json!({"deployment": {"replicas": 2}, "routes": {
        "paths": [{"prefix": "/shared"}], "canary": {"headers": {"stage": "canary"}, "weight": 5}}});
    let without = "deployment: {v1: {}}\nroutes: {primary: {version: v1}}";
    let echo = service(without, defaults.clone());
    // A default canary is none for who names no canary, and a default version is no version.
    assert!(echo.canary.is_none() && echo.versions.len() == 1);
    assert_eq!(echo.path.as_deref(), Some("/shared"));
    let with = "deployment: {v1: {}, v2: {}}\nroutes: {paths: [{exact: /own}], \
        primary: {version: v1}, canary: {version: v2, weight: 10}}";
    let echo = service(with, defaults);
    assert_eq!((echo.path.as_deref(), echo.shares()), (Some("/own"), vec![("v1", 90), ("v2", 10)]));
    assert_eq!(echo.canary.unwrap().headers, ["stage"]);
}

#[test]
fn a_repository_is_read_as_its_folders_say() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let values = "deployment: {v1: {}}\nroutes: {primary: {version: v1}}";
    write("services/team/golf.YML", values);
    write("services/.golf.yaml", "not: read");
    write("services/README.md", "not read");
    write("platform/all.yaml", "kind: Namespace\nmetadata: {name: golf}\n---\nkind: Service");
    write("coalmine.yaml", "policy: {maxStep: 20}");
    let read = Values::read(folder.path()).unwrap();
    assert_eq!(read.services["golf"].file, "services/team/golf.YML");
    assert_eq!((read.services.len(), read.max_step), (1, Some(20)));
    assert_eq!(read.namespaces, ["golf"]);
    write("services/golf.yaml", values);
    let error = format!("{:#}", Values::read(folder.path()).unwrap_err());
    assert!(error.contains("another file describes this service"), "{error}");
    write("services/golf.yaml", "deployment: {v1: {}}");
    let error = format!("{:#}", Values::read(folder.path()).unwrap_err());
    assert!(error.starts_with("services/golf.yaml: "), "{error}");
}

#[test]
fn the_example_can_be_read() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("rollouts");
    let read = Values::read(&example).unwrap();
    assert_eq!(read.services.keys().collect::<Vec<_>>(), ["echo", "foxtrot"]);
    assert_eq!(
        (read.namespaces.as_slice(), read.max_step),
        (&["echo".into(), "foxtrot".into()][..], None)
    );
}
