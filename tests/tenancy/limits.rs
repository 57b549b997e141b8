//! One folder beyond its limits stops no other one.

use coalmine_core::tree::{File, Flaw, Tree};
use coalmine_core::values::{Reader, Repository};

use super::{PLAIN, errors, tree};

/// A file whose aliases stand for about this many values.
fn bomb(values: usize) -> String {
    let items = vec!["a"; values / 10].join(",");
    let again = ["*x"; 9].join(",");
    format!(
        "deployment: {{v1: {{patch: {{spec: {{x: [&x [{items}], {again}]}}}}}}}}\n\
         routes: {{apiGroup: example, primary: {{version: v1}}}}\n"
    )
}

fn with(tree: &Tree, files: impl IntoIterator<Item = (String, String)>) -> Tree {
    let mut tree = tree.clone();
    let files = files.into_iter();
    tree.files.extend(files.map(|(path, content)| (path, content.into_bytes().into())));
    tree
}

#[test]
fn aliases_of_one_folder_stop_no_other() {
    let others = [("services/team-b/echo.yaml", PLAIN), ("services/foxtrot.yaml", PLAIN)];
    let before = tree(&others);
    let bombs = (0..15).map(|n| (format!("services/team-a/bomb-{n}.yaml"), bomb(90_000)));
    let after = with(&before, bombs);
    let mut reader = Reader::default();
    reader.read(&before);
    for _ in 0..2 {
        let found = errors(&reader.read(&after));
        assert!(found.keys().all(|name| name.starts_with("bomb-")), "{:?}", found.keys());
        assert_eq!(found.len(), 13, "two fit");
        let said = &found["bomb-9"];
        let expected = "services/team-a/bomb-9.yaml:1:1: the services of the folder team-a hold more than 250000 \
                        values";
        assert!(said.starts_with(expected), "{said}");
    }
    // The others' next change is read.
    let urgent = PLAIN.replace("{v1: {}}", "{v1: {replicas: 3}}");
    let urgent = with(&after, [("services/team-b/echo.yaml".into(), urgent)]);
    let read = reader.read(&urgent);
    assert!(read.problems.is_empty() && read.services["echo"].is_ok());
}

#[test]
fn what_a_folder_has_keeps_its_room_and_what_is_removed_makes_room() {
    let own = |n: usize| (format!("services/team-a/z-{n}.yaml"), bomb(90_000));
    let before = with(&tree(&[]), (0..2).map(own));
    let mut reader = Reader::default();
    assert!(errors(&reader.read(&before)).is_empty());
    // A name that comes before theirs.
    let more = with(&before, [("services/team-a/a.yaml".to_owned(), bomb(90_000))]);
    assert_eq!(errors(&reader.read(&more)).into_keys().collect::<Vec<_>>(), ["a"]);
    let mut less = more.clone();
    less.files.remove("services/team-a/z-1.yaml");
    assert!(errors(&reader.read(&less)).is_empty());
}

#[test]
fn services_and_paths_are_counted_by_folder() {
    let many = (0..1001).map(|n| (format!("services/team-a/many-{n:04}.yaml"), PLAIN.to_owned()));
    let files = with(&tree(&[("services/team-b/echo.yaml", PLAIN)]), many);
    let found = errors(&Repository::parse(&files));
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["many-1000"]);
    assert!(found["many-1000"].contains("more than 1000 services"), "{found:?}");

    let wide = |n: usize| {
        let paths: Vec<_> = (0..500).map(|path| format!("{{prefix: /{n}/{path}}}")).collect();
        (format!("services/team-a/wide-{n:02}.yaml"), super::with_path(&paths.join(", ")))
    };
    let files = with(&tree(&[("services/team-b/echo.yaml", PLAIN)]), (0..48).map(wide));
    let found = errors(&Repository::parse(&files));
    assert_eq!(found.len(), 38);
    assert!(found["wide-47"].contains("more than 5000 paths"), "{found:?}");
}

#[test]
fn what_is_not_read_of_a_folder_is_not_gone() {
    let whole = tree(&[
        ("services/team-a/golf.yaml", PLAIN),
        ("services/team-a/hotel.yaml", "deployment: ["),
        ("services/team-b/echo.yaml", PLAIN),
        ("services/team-b/foxtrot.yaml", PLAIN),
    ]);
    let mut cut = tree(&[("services/team-b/echo.yaml", PLAIN)]);
    let flaw = Flaw::FolderTooLarge { entries: 2500, bytes: 16 << 20 };
    cut.files.insert("services/team-a".into(), File::flawed(flaw, b""));
    let mut reader = Reader::default();
    reader.read(&whole);
    // Also for as long as it lasts.
    for _ in 0..2 {
        let read = reader.read(&cut);
        let found = errors(&read);
        assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["services/team-a"]);
        assert!(
            found["services/team-a"].contains("has more than 2500 files and folders"),
            "{found:?}"
        );
        let kept = ["golf", "hotel", "echo", "foxtrot"].map(|name| read.keeps(name));
        assert_eq!(kept, [true, true, true, false], "others may remove their services");
    }
    // A reader that never saw the folder as a whole knows of nothing that it is gone.
    let mut reader = Reader::default();
    for _ in 0..2 {
        assert!(reader.read(&cut).keeps("foxtrot"));
    }
    let mut whole = whole;
    whole.files.remove("services/team-b/foxtrot.yaml");
    assert!(!reader.read(&whole).keeps("foxtrot"));
    let read = reader.read(&cut);
    assert!(read.keeps("golf") && !read.keeps("foxtrot"));
}

#[test]
fn a_link_or_a_submodule_in_a_folder_stops_no_other() {
    let before = [
        ("services/team-a/deep/golf.yaml", PLAIN),
        ("services/team-b/echo.yaml", PLAIN),
        ("services/team-b/foxtrot.yaml", PLAIN),
    ];
    for flaw in [Flaw::Symlink, Flaw::Submodule, Flaw::Name, Flaw::Special] {
        let mut after = tree(&before[1..2]);
        after.files.insert("services/team-a/deep".into(), File::flawed(flaw, b""));
        let mut reader = Reader::default();
        reader.read(&tree(&before));
        let read = reader.read(&after);
        let found = errors(&read);
        assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["services/team-a/deep"]);
        let kept = ["golf", "echo", "foxtrot"].map(|name| read.keeps(name));
        assert_eq!(kept, [true, true, false], "{flaw:?}");
    }
}

#[test]
fn a_name_that_looks_like_anothers_holds_up_no_removal() {
    let owner = ("services/team-b/echo.yaml", PLAIN);
    let others = ("services/team-b/foxtrot.yaml", PLAIN);
    for (path, is_kept) in
        [("services/team-a/Echo.yaml", false), ("services/team-b/Echo.yaml", true)]
    {
        let mut reader = Reader::default();
        reader.read(&tree(&[owner, others]));
        for _ in 0..2 {
            let read = reader.read(&tree(&[(path, PLAIN), others]));
            assert_eq!(read.keeps("echo"), is_kept, "{path}");
        }
    }
}

#[test]
fn folders_that_hold_too_much_together_leave_each_its_part() {
    let large = (0..3).map(|n| (format!("services/large/large-{n}.yaml"), bomb(70_000)));
    let before = with(&tree(&[("services/team-b/echo.yaml", PLAIN)]), large);
    let mut reader = Reader::default();
    assert!(errors(&reader.read(&before)).is_empty());
    let greedy = (0..20).flat_map(|folder| {
        (0..2).map(move |n| (format!("services/a{folder:02}/x{folder:02}-{n}.yaml"), bomb(90_000)))
    });
    let mut after = with(&before, greedy);
    let urgent = bomb(70_000).replace("v1: {", "v1: {replicas: 3, ");
    after.files.insert("services/large/large-2.yaml".into(), urgent.into_bytes().into());
    let changed = PLAIN.replace("{v1: {}}", "{v1: {replicas: 3}}");
    after.files.insert("services/team-b/echo.yaml".into(), changed.into_bytes().into());
    for _ in 0..2 {
        let read = reader.read(&after);
        let found = errors(&read);
        assert!(found.keys().all(|name| name.starts_with('x')), "{:?}", found.keys());
        assert!(found.len() > 20, "{}", found.len());
        let said = &found["x19-1"];
        assert!(said.contains("more than their part of what all folders may hold"), "{said}");
        assert!(read.services["large-2"].is_ok() && read.services["echo"].is_ok());
    }
}
