//! One folder's commit, whatever it is, stops no other folder.

use git2::{FileMode, ObjectType, Oid};

use super::super::*;
use super::Fixture;
use crate::source::limits::{DEEPEST, LONGEST_PATH, MOST_FOLDERS, MOST_LOOKED_AT};

const TREE: i32 = 0o040_000;
const FILE: i32 = 0o100_644;

impl Fixture {
    /// A tree object as it is written, which need not be one that git would write.
    fn raw(&self, entries: &[(i32, &[u8], Oid)]) -> Oid {
        let mut raw = Vec::new();
        for (mode, name, id) in entries {
            raw.extend_from_slice(format!("{mode:o} ").as_bytes());
            raw.extend_from_slice(name);
            raw.push(0);
            raw.extend_from_slice(id.as_bytes());
        }
        self.repository.odb().unwrap().write(ObjectType::Tree, &raw).unwrap()
    }

    /// A commit in which `team-a` is this tree and `team-b` has a service; what is wrong with it, after it was seen that the
    /// service is there.
    fn beside(&self, team_a: Oid) -> Vec<(String, Flaw)> {
        let revision = self.with_team_b(&[(TREE, b"team-a", team_a)]);
        let tree = self.read(&revision, "", LIMITS).expect("no team stops the revision");
        assert_eq!(tree.files["services/team-b/echo.yaml"].content(), b"weight: 50");
        let files = tree.files.into_iter();
        files.filter_map(|(path, file)| Some((path, file.flaw()?))).collect()
    }

    /// A commit of a folder `services` with these entries, in their order, and with `team-b` after them.
    fn with_team_b(&self, entries: &[(i32, &[u8], Oid)]) -> String {
        let own = self.raw(&[(FILE, b"echo.yaml", self.blob("weight: 50"))]);
        let entries: Vec<_> =
            entries.iter().copied().chain([(TREE, &b"team-b"[..], own)]).collect();
        self.commit(&[(b"services", self.raw(&entries), FileMode::Tree)])
    }
}

#[test]
fn an_entry_that_git_does_not_make_is_a_flaw_of_its_folder() {
    let fixture = Fixture::new();
    let (blob, tree) = (fixture.blob("a: 1"), fixture.raw(&[]));
    let inner = fixture.raw(&[(FILE, b"x.yaml", blob)]);
    for (name, entries) in [
        ("services/team-a/???", vec![(FILE, &b".."[..], blob)]),
        ("services/team-a/???", vec![(TREE, b"..", inner)]),
        ("services/team-a/??", vec![(TREE, b".", inner)]),
        ("services/team-a/???team?b?echo?yaml?", vec![(FILE, b"../team-b/echo.yaml", blob)]),
        ("services/team-a/?team?b?echo?yaml?", vec![(FILE, b"/team-b/echo.yaml", blob)]),
        // The same name twice, as one thing and another.
        ("services/team-a/x.yaml", vec![(FILE, b"x.yaml", blob), (FILE, b"x.yaml", blob)]),
        // What it says to be it is not.
        ("services/team-a/x.yaml", vec![(FILE, b"x.yaml", tree)]),
        ("services/team-a", vec![(TREE, b"x", blob)]),
    ] {
        let flaws = fixture.beside(fixture.raw(&entries));
        assert_eq!(flaws, [(name.to_owned(), Flaw::Forged)]);
    }
    // Not even a list of entries.
    assert_eq!(fixture.beside(blob), [("services/team-a".to_owned(), Flaw::Forged)]);
    let broken = fixture.repository.odb().unwrap().write(ObjectType::Tree, b"100644 x").unwrap();
    assert_eq!(fixture.beside(broken), [("services/team-a".to_owned(), Flaw::Forged)]);
    // Odd modes are files, and git's own folder is nobody's.
    assert_eq!(
        fixture.beside(fixture.raw(&[(0o100_000, b"x.yaml", blob), (0o7, b"y.yaml", blob)])),
        []
    );
    assert_eq!(fixture.beside(fixture.raw(&[(TREE, b".GIT", inner), (FILE, b".git", blob)])), []);
}

#[test]
fn a_folder_that_stands_twice_is_read_as_neither_and_stops_no_other() {
    let fixture = Fixture::new();
    let own = fixture.raw(&[(FILE, b"x.yaml", fixture.blob("a: 1"))]);
    let entries = [(TREE, &b"team-a"[..], own), (TREE, &b"team-a"[..], fixture.raw(&[]))];
    let revision = fixture.with_team_b(&entries);
    assert_eq!(fixture.flaws(&revision, LIMITS), [("services/team-a".to_owned(), Flaw::Forged)]);
    let other = fixture.with_team_b(&[(TREE, b"../a", own), (FILE, b"..", own)]);
    let flaws = fixture.flaws(&other, LIMITS);
    let named = |name: &str| (format!("services/{name}"), Flaw::Forged);
    assert_eq!(flaws, [named("???"), named("???a?")]);
}

#[test]
fn a_tree_that_multiplies_itself_ends_at_the_limit_of_its_folder() {
    let fixture = Fixture::new();
    let (mut bomb, mut beside) = (fixture.tree(&[]), fixture.blob(""));
    for level in 0..30 {
        let names: Vec<_> = (b'a'..=b'j').map(|letter| [letter]).collect();
        let entries: Vec<_> =
            names.iter().map(|name| (name.as_slice(), bomb, FileMode::Tree)).collect();
        bomb = fixture.tree(&entries);
        // The same of what is no folder and no service.
        let names: Vec<_> = (0..200).map(|name| format!("{name}")).collect();
        let mode = if level == 0 { FileMode::Blob } else { FileMode::Tree };
        let entries: Vec<_> = names.iter().map(|name| (name.as_bytes(), beside, mode)).collect();
        beside = fixture.tree(&entries);
    }
    let too_large = Flaw::FolderTooLarge { entries: 2500, bytes: 16 << 20 };
    assert_eq!(fixture.beside(bomb), [("services/team-a".to_owned(), too_large)]);
    let flaws = fixture.beside(beside);
    let ends = [too_large, Flaw::TooMuchBeside { limit: MOST_LOOKED_AT }];
    assert!(flaws.len() == 1 && ends.contains(&flaws[0].1), "{flaws:?}");
    for name in [&b"bomb"[..], b"Services"] {
        let revision = fixture.commit(&[(name, bomb, FileMode::Tree)]);
        assert!(fixture.read(&revision, "", LIMITS).unwrap().files.is_empty(), "{name:?}");
    }
}

#[test]
fn what_is_nested_too_deep_or_named_too_long_is_a_flaw_of_its_folder() {
    let fixture = Fixture::new();
    let mut deep = fixture.raw(&[(FILE, b"x.yaml", fixture.blob("a: 1"))]);
    for _ in 0..1_000 {
        deep = fixture.raw(&[(TREE, b"a", deep)]);
    }
    let flaw = Flaw::TooDeep { folders: DEEPEST, bytes: LONGEST_PATH };
    assert_eq!(fixture.beside(deep), [("services/team-a".to_owned(), flaw)]);
    let long = vec![b'a'; 60_000];
    for mode in [TREE, FILE] {
        let long = fixture.raw(&[(mode, &long, fixture.raw(&[]))]);
        assert_eq!(fixture.beside(long), [("services/team-a".to_owned(), flaw)]);
    }
}

#[test]
fn a_tree_object_that_is_too_large_is_not_loaded() {
    let fixture = Fixture::new();
    let blob = fixture.blob("");
    let names: Vec<_> = (0..120_000).map(|name| format!("{name:06}.txt")).collect();
    let entries: Vec<_> = names.iter().map(|name| (FILE, name.as_bytes(), blob)).collect();
    let large = fixture.raw(&entries);
    let flaws = fixture.beside(large);
    assert!(
        matches!(flaws.as_slice(), [(_, Flaw::TreeTooLarge { limit: 4_194_304, .. })]),
        "{flaws:?}"
    );
    let many = fixture.raw(&entries[..30_000]);
    let flaw = Flaw::TooMuchBeside { limit: MOST_LOOKED_AT };
    assert_eq!(fixture.beside(many), [("services/team-a".to_owned(), flaw)]);
    let revision = fixture.commit(&[(b"services", large, FileMode::Tree)]);
    let flaws = fixture.flaws(&revision, LIMITS);
    assert!(matches!(flaws.as_slice(), [(path, Flaw::TreeTooLarge { .. })] if path == "services"));
    let forged = fixture.repository.odb().unwrap().write(ObjectType::Tree, b"1 x").unwrap();
    let commit = format!("tree {forged}\nauthor A <a@b> 0 +0000\ncommitter A <a@b> 0 +0000\n\nx");
    let commit = fixture.repository.odb().unwrap().write(ObjectType::Commit, commit.as_bytes());
    let error = fixture.read(&commit.unwrap().to_string(), "", LIMITS).unwrap_err();
    assert_eq!(error, "`.` is an entry that git does not make; make the commit anew");
}

#[test]
fn folders_that_are_too_much_together_leave_each_its_fair_part() {
    let fixture = Fixture::new();
    let empty = fixture.blob("");
    let many = |count: usize| {
        let names: Vec<_> = (0..count).map(|name| format!("{name:04}.yaml")).collect();
        let entries: Vec<_> = names.iter().map(|name| (FILE, name.as_bytes(), empty)).collect();
        fixture.raw(&entries)
    };
    let (greedy, large) = (many(2500), many(2000));
    let names: Vec<_> = (0..8).map(|name| format!("greedy-{name}")).collect();
    let entries: Vec<_> = names.iter().map(|name| (TREE, name.as_bytes(), greedy)).collect();
    let before = fixture.with_team_b(&[(TREE, b"large", large)]);
    let before = fixture.read(&before, "", LIMITS).unwrap();
    // As many as there were, one of them other than before.
    let changed = (FILE, &b"0000.yaml"[..], fixture.blob("urgent: 1"));
    let kept: Vec<_> = (1..2000).map(|name| format!("{name:04}.yaml")).collect();
    let kept = kept.iter().map(|name| (FILE, name.as_bytes(), empty));
    let changed = fixture.raw(&[changed].into_iter().chain(kept).collect::<Vec<_>>());
    let entries: Vec<_> = entries.into_iter().chain([(TREE, &b"large"[..], changed)]).collect();
    let revision = fixture.with_team_b(&entries);
    let tree = fixture.read_after(&before, &revision, "", LIMITS).unwrap();
    let flaws: Vec<_> =
        tree.files.iter().filter_map(|(path, file)| Some((path, file.flaw()?))).collect();
    assert_eq!(flaws.len(), 8, "{flaws:?}");
    assert!(flaws.iter().all(|(path, flaw)| {
        path.starts_with("services/greedy-")
            && matches!(flaw, Flaw::ShareTooLarge { entries, .. } if (800..1200).contains(entries))
    }), "{flaws:?}");
    assert_eq!(tree.files["services/large/0000.yaml"].content(), b"urgent: 1");
    assert_eq!(
        tree.files.range("services/large/".to_owned().."services/large0".to_owned()).count(),
        2000
    );
    assert!(tree.files.contains_key("services/team-b/echo.yaml"));
    assert!(tree.files.len() < 12_100, "{}", tree.files.len());
    // Without a revision before, the large folder has a part like the others.
    let flaws = fixture.flaws(&revision, LIMITS);
    assert_eq!(flaws.len(), 9);
}

#[test]
fn of_too_many_folders_those_that_were_there_are_read() {
    let fixture = Fixture::new();
    let own = fixture.raw(&[(FILE, b"x.yaml", fixture.blob("a: 1"))]);
    let before = fixture.with_team_b(&[]);
    let before = fixture.read(&before, "", LIMITS).unwrap();
    let names: Vec<_> = (0..MOST_FOLDERS + 20).map(|name| format!("a{name:05}")).collect();
    let entries: Vec<_> = names.iter().map(|name| (TREE, name.as_bytes(), own)).collect();
    let revision = fixture.with_team_b(&entries);
    let tree = fixture.read_after(&before, &revision, "", LIMITS).unwrap();
    assert!(tree.files.contains_key("services/team-b/echo.yaml"));
    let flawed = tree.files.values().filter(|file| file.flaw().is_some()).count();
    assert_eq!(flawed, 21);
}

#[test]
fn a_great_many_links_cost_no_more_than_a_few() {
    let fixture = Fixture::new();
    let link = fixture.blob("../../README.md");
    let names: Vec<_> = (0..2400).map(|name| format!("{name:04}")).collect();
    let links: Vec<_> = names.iter().map(|name| (0o120_000, name.as_bytes(), link)).collect();
    let flaws = fixture.beside(fixture.raw(&links));
    assert!(
        flaws
            .iter()
            .all(|(path, flaw)| path.starts_with("services/team-a/") && *flaw == Flaw::Symlink)
    );
    // A target that is a large file is no target.
    let target = fixture.blob(&"a".repeat(5000));
    let flaws = fixture.beside(fixture.raw(&[(0o120_000, b"x", target)]));
    assert_eq!(flaws, [("services/team-a/x".to_owned(), Flaw::Symlink)]);
}
