//! Trees that are not laid out as they should be.

use super::{listed, repository};
use crate::tree::{File, Flaw, Tree};
use crate::values::{Reader, Repository};

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
        ("COALMINE.YML", "COALMINE.YML:1:1: would not be read; rename it to coalmine.yaml"),
        ("coalmin.yaml", "coalmin.yaml:1:1: would not be read; rename it to coalmine.yaml"),
        ("colamine.yml", "colamine.yml:1:1: would not be read; rename it to coalmine.yaml"),
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

#[test]
fn a_folder_whose_name_is_nearly_one_that_is_read_stops_the_revision() {
    for (path, message) in [
        (
            "Services/foxtrot.yaml",
            "Services:1:1: is not read, the folder is called `services`; move its files to services/ or give it a name that is less similar",
        ),
        (
            "service/team/foxtrot.yml",
            "service:1:1: is not read, the folder is called `services`; move its files to services/ or give it a name that is less similar",
        ),
        (
            "Platform/namespaces.yaml",
            "Platform:1:1: is not read, the folder is called `platform`; `git mv Platform platform` renames it",
        ),
    ] {
        let repository = repository(&[("services/echo.yaml", VALUES), (path, VALUES)]);
        assert_eq!(listed(&repository.problems), [message]);
    }
    for folder in [
        "SERVICES",
        "Service",
        "sevices",
        "serivces",
        "services ",
        "_services",
        "sevice",
        "plattforms",
        "Platforms",
    ] {
        let path = format!("{folder}/foxtrot.yaml");
        let problems = repository(&[(&path, VALUES), ("platform/a.yaml", "{}")]).problems;
        assert_eq!(problems.len(), 1, "{folder}: {problems:?}");
    }
    let instead = repository(&[("Services/echo.yaml", VALUES)]);
    assert_eq!(
        listed(&instead.problems),
        [
            "Services:1:1: is not read, the folder is called `services`; `git mv Services services` renames it"
        ]
    );
    for path in [
        "Services/README.md",
        "Services",
        ".services/foxtrot.yaml",
        ".platform/routes.yaml",
        "devices/foxtrot.yaml",
        "services-old/foxtrot.yaml",
        "docs/Services/foxtrot.yaml",
    ] {
        let repository = repository(&[("services/echo.yaml", VALUES), (path, VALUES)]);
        assert_eq!(repository.problems, [], "{path}");
        assert!(!repository.keeps("foxtrot"), "{path}");
    }
}

/// The repository of a good service and something that cannot be read.
fn with_flaw(path: &str, flaw: Flaw) -> Repository {
    let files = [("services/golf.yaml", VALUES.into()), (path, File::flawed(flaw, b"1"))];
    let files = files.map(|(path, file): (&str, File)| (path.to_owned(), file)).into();
    Repository::parse(&Tree { revision: "local".into(), files })
}

#[test]
fn what_stands_in_place_of_a_services_file_is_an_error_of_that_service() {
    for (flaw, message) in [
        (Flaw::Symlink, "is a symbolic link, which is never followed; put the file itself there"),
        (Flaw::Submodule, "is a submodule, which is never fetched; put its files there"),
        (
            Flaw::TooLarge { size: 2, limit: 1 },
            "has 2 bytes, more than the 1 that one file may have; values are short: is this the right file?",
        ),
    ] {
        let repository = with_flaw("services/team/echo.yaml", flaw);
        assert_eq!(repository.problems, []);
        assert!(repository.services["golf"].is_ok());
        assert_eq!(
            listed(repository.services["echo"].as_ref().expect_err("nothing to read")),
            [format!("services/team/echo.yaml:1:1: {message}")]
        );
    }
}

#[test]
fn what_may_hide_the_files_of_several_services_stops_the_revision() {
    for path in ["services", "coalmine.yaml", "Coalmine.yml", "Services"] {
        let repository = with_flaw(path, Flaw::Symlink);
        let problems = listed(&repository.problems);
        assert_eq!(problems.len(), 1, "{path}: {problems:?}");
        assert!(problems[0].starts_with(&format!("{path}:1:1: ")), "{problems:?}");
    }
    assert_eq!(with_flaw("README", Flaw::Symlink).problems, []);
    assert_eq!(with_flaw("vendor", Flaw::Submodule).problems, []);
}

#[test]
fn what_cannot_be_read_of_the_platform_is_a_problem_of_the_platform() {
    for path in ["platform/a.yaml", "platform/vendor"] {
        let repository = with_flaw(path, Flaw::Submodule);
        assert_eq!(repository.problems, []);
        assert!(repository.services["golf"].is_ok());
        assert_eq!(
            listed(&repository.platform.problems),
            [format!("{path}:1:1: is a submodule, which is never fetched; put its files there")]
        );
    }
}

#[test]
fn a_file_that_takes_the_place_of_a_link_with_the_same_bytes_is_read() {
    let blob = [7; 20];
    let tree = |file: File| Tree {
        revision: "r".into(),
        files: [("services/echo.yaml".to_owned(), file)].into(),
    };
    let mut reader = Reader::default();
    let linked = reader.read(&tree(File::flawed(Flaw::Symlink, &blob)));
    assert!(linked.services["echo"].is_err());
    let read = reader.read(&tree(File::of_blob(blob, VALUES.as_bytes())));
    assert!(read.services["echo"].is_ok());
    assert!(reader.read(&tree(File::flawed(Flaw::Symlink, &blob))).services["echo"].is_err());
}
