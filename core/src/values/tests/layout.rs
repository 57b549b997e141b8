//! Trees that are not laid out as they should be.

use super::{listed, repository};

const VALUES: &str = "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";

#[test]
fn an_impossible_name_keeps_the_service_that_it_most_likely_means() {
    for (path, meant) in [
        ("services/Echo.yaml", "echo"),
        ("services/ECHO.yml", "echo"),
        ("services/team_echo.yaml", "team-echo"),
        ("services/-echo .yaml", "echo"),
    ] {
        let repository = repository(&[(path, VALUES)]);
        assert!(repository.keeps(meant), "{path}");
        assert!(repository.services[path].is_err(), "{path}");
        assert!(!repository.keeps("foxtrot"), "{path}");
    }
    let repository = repository(&[("services/.yaml", VALUES), ("services/1.yaml", VALUES)]);
    assert!(repository.resembled.is_empty());
}

#[test]
fn a_broken_file_keeps_its_service() {
    let repository =
        repository(&[("services/echo.yaml", "\u{0}"), ("services/foxtrot.yaml", VALUES)]);
    assert!(repository.services["echo"].is_err());
    assert!(repository.keeps("echo"));
}

#[test]
fn an_ending_in_upper_case_is_an_ending() {
    let repository = repository(&[("services/echo.YAML", VALUES)]);
    assert!(repository.services["echo"].is_ok());
}

#[test]
fn a_folder_called_like_a_services_file_is_an_error_of_that_service() {
    let repository = repository(&[
        ("services/echo.yaml/a.yaml", VALUES),
        ("services/echo.yaml/b.yaml", VALUES),
        ("services/foxtrot.yaml", VALUES),
    ]);
    assert_eq!(repository.problems, []);
    let names: Vec<_> = repository.services.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["echo", "foxtrot"]);
    assert_eq!(
        listed(repository.services["echo"].as_ref().expect_err("a folder")),
        [
            "services/echo.yaml:1:1: is a folder, a file is expected; rename the folder: a name that ends in `.yaml` is a file's"
        ]
    );
}

#[test]
fn what_would_silently_not_be_read_stops_the_revision() {
    for (path, message) in [
        (
            "coalmine.yaml/a",
            "coalmine.yaml:1:1: is a folder, a file is expected; rename the folder: a name that ends in `.yaml` is a file's",
        ),
        ("coalmine.yml", "coalmine.yml:1:1: would not be read; rename it to coalmine.yaml"),
        ("Coalmine.yaml", "Coalmine.yaml:1:1: would not be read; rename it to coalmine.yaml"),
        (
            "platform",
            "platform:1:1: is a file, a folder is expected; move what it says into a file of that folder",
        ),
    ] {
        let repository = repository(&[(path, "{}"), ("services/echo.yaml", VALUES)]);
        assert_eq!(listed(&repository.problems), [message]);
    }
    let repository = repository(&[("coalmine.yaml", "{}"), ("services", "echo")]);
    assert_eq!(
        listed(&repository.problems),
        [
            "services:1:1: is a file, a folder is expected; move what it says into a file of that folder"
        ]
    );
}

#[test]
fn a_folder_called_like_a_platform_file_is_a_problem_of_the_platform() {
    let repository = repository(&[("platform/a.yaml/b", "{}"), ("services/echo.yaml", VALUES)]);
    assert_eq!(repository.platform.problems.len(), 1);
    assert!(repository.services["echo"].is_ok());
}

#[test]
fn the_file_of_a_service_is_known_if_there_is_one() {
    let files = [
        "services/echo.yaml",
        "services/team-a/golf.yaml",
        "services/a/two.yaml",
        "services/b/two.yaml",
    ];
    let files = files.map(|path| (path.to_owned(), "deployment: {}\n".into())).into();
    let tree = crate::tree::Tree { revision: "local".into(), files };
    let file = |service: &str| crate::values::service_file(&tree, service);
    assert_eq!(file("echo"), Some("services/echo.yaml"));
    assert_eq!(file("golf"), Some("services/team-a/golf.yaml"));
    assert_eq!((file("two"), file("hotel")), (None, None), "several, and none");
}
