//! One revision after the other: what did not change is neither read again nor replaced.

use std::sync::Arc;

use super::listed;
use crate::tree::Tree;
use crate::values::{Platform, Reader, Repository, Service};

const VALUES: &str = "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";

fn tree(files: &[(&str, &str)]) -> Tree {
    let files = files.iter().map(|(path, content)| ((*path).into(), (*content).into())).collect();
    Tree { revision: "r".into(), files }
}

fn thousand() -> Tree {
    let files = (0..1000).map(|i| (format!("services/service-{i}.yaml"), VALUES.into())).collect();
    Tree { revision: "r".into(), files }
}

#[track_caller]
fn of<'a>(repository: &'a Repository, name: &str) -> &'a Arc<Service> {
    repository.services[name].as_ref().expect("valid")
}

#[test]
fn of_a_thousand_services_only_the_one_that_changed_is_parsed() {
    let mut reader = Reader::default();
    let mut tree = thousand();
    let first = reader.read(&tree);
    assert_eq!(reader.files_parsed(), 1000);
    let changed = VALUES.replace("{}", "{replicas: 2}");
    tree.files.insert("services/service-7.yaml".into(), changed.as_str().into());
    let second = reader.read(&tree);
    assert_eq!(reader.files_parsed(), 1001);
    assert_eq!(second, Repository::parse(&tree));
    let anew: Vec<_> = second
        .services
        .keys()
        .map(|name| name.as_str())
        .filter(|name| !Arc::ptr_eq(of(&first, name), of(&second, name)))
        .collect();
    assert_eq!(anew, ["service-7"]);
}

#[test]
fn a_file_that_comes_to_the_same_is_the_same_service() {
    let mut reader = Reader::default();
    let first = reader.read(&tree(&[("services/echo.yaml", VALUES)]));
    let commented = format!("# hello\n{VALUES}");
    let second = reader.read(&tree(&[("services/echo.yaml", &commented)]));
    assert!(Arc::ptr_eq(of(&first, "echo"), of(&second, "echo")));
    let defaults = ("coalmine.yaml", "defaults: {service: {port: 80}}\n");
    let third = reader.read(&tree(&[defaults, ("services/echo.yaml", VALUES)]));
    assert!(Arc::ptr_eq(of(&first, "echo"), of(&third, "echo")));
}

#[test]
fn new_defaults_reach_the_services_that_did_not_change() {
    let mut reader = Reader::default();
    let files = |port: &str| {
        let settings = format!("defaults: {{service: {{port: {port}}}}}\n");
        tree(&[("coalmine.yaml", &settings), ("services/echo.yaml", VALUES)])
    };
    assert_eq!(of(&reader.read(&files("1")), "echo").port, 1);
    assert_eq!(of(&reader.read(&files("2")), "echo").port, 2);
    assert_eq!(of(&reader.read(&tree(&[("services/echo.yaml", VALUES)])), "echo").port, 80);
}

#[test]
fn broken_defaults_that_are_mended_change_nothing() {
    let mut reader = Reader::default();
    let files =
        |settings: &str| tree(&[("coalmine.yaml", settings), ("services/echo.yaml", VALUES)]);
    let first = reader.read(&files("{}"));
    let broken = reader.read(&files("["));
    assert!(broken.services.is_empty() && !broken.problems.is_empty());
    let parsed = reader.files_parsed();
    let third = reader.read(&files("{}"));
    assert!(Arc::ptr_eq(of(&first, "echo"), of(&third, "echo")));
    assert_eq!(reader.files_parsed(), parsed + 1, "coalmine.yaml alone");
}

#[test]
fn a_conflict_comes_and_goes_with_the_neighbour() {
    let mut reader = Reader::default();
    let apart = tree(&[("services/echo.yaml", VALUES)]);
    let first = reader.read(&apart);
    let rival = VALUES.replace("apiGroup: a", "apiGroup: a, paths: [{prefix: /echo}]");
    let both = tree(&[("services/echo.yaml", VALUES), ("services/foxtrot.yaml", &rival)]);
    let conflict = reader.read(&both);
    // Who had it first keeps it.
    assert!(Arc::ptr_eq(of(&first, "echo"), of(&conflict, "echo")));
    let problems = conflict.services["foxtrot"].as_ref().expect_err("a conflict");
    assert!(
        listed(problems)[0].starts_with("services/foxtrot.yaml:2:40: routes.paths: "),
        "{problems:?}"
    );
    // Nobody had it first.
    let problems = Repository::parse(&both).services["echo"].clone().expect_err("a conflict");
    assert!(
        listed(&problems)[0].starts_with("services/echo.yaml:2:1: routes.paths: "),
        "{problems:?}"
    );
    assert!(Arc::ptr_eq(of(&first, "echo"), of(&reader.read(&apart), "echo")));
}

#[test]
fn the_platform_is_read_when_one_of_its_files_changes() {
    let mut reader = Reader::default();
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: echo}\n";
    let mut platform =
        |files: &[(&str, &str)]| -> Arc<Platform> { reader.read(&tree(files)).platform };
    let first = platform(&[("platform/a.yaml", namespace), ("services/echo.yaml", VALUES)]);
    let second = platform(&[("platform/a.yaml", namespace)]);
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(platform(&[("platform/b.yaml", namespace)]).manifests.len(), 1);
    assert_eq!(platform(&[("services/echo.yaml", VALUES)]).manifests.len(), 0);
}
