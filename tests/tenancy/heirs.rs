//! Who has what when nobody had it, when files move, and after a restart that remembers nothing.

use std::collections::BTreeMap;

use coalmine_core::values::{Reader, Repository};

use super::{PLAIN, errors, tree, with_path};

/// What is said of a revision by a reader that knew these before, and heard of these moves.
fn after(
    before: &[(&str, &str)],
    moves: &[(&str, &str)],
    after: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let mut reader = Reader::default();
    assert!(errors(&reader.read(&tree(before))).is_empty());
    reader.moved(moves.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect());
    errors(&reader.read(&tree(after)))
}

fn names(errors: &BTreeMap<String, String>) -> Vec<&str> {
    errors.keys().map(String::as_str).collect()
}

fn with_domain(domain: &str) -> String {
    format!(
        "deployment: {{v1: {{}}}}\nroutes: {{domains: ['{domain}'], primary: {{version: v1}}}}\n"
    )
}

#[test]
fn what_nobody_had_and_two_claim_at_once_is_neither_s_until_one_gives_it_up() {
    let path = with_path("{prefix: /shop}");
    let domain = with_domain("shop.example");
    for claim in [&*path, &*domain] {
        // No name of a file wins.
        let (first, second) = (("services/a/aaa.yaml", claim), ("services/b/zzz.yaml", claim));
        let other = ("services/c/other.yaml", PLAIN);
        let mut reader = Reader::default();
        errors(&reader.read(&tree(&[other])));
        for _ in 0..2 {
            let found = errors(&reader.read(&tree(&[first, second, other])));
            assert_eq!(names(&found), ["aaa", "zzz"], "and nobody else");
            for (name, rival) in
                [("aaa", "services/b/zzz.yaml:2:"), ("zzz", "services/a/aaa.yaml:2:")]
            {
                let said = &found[name];
                assert!(said.contains(rival) && said.contains(" claims the "), "{said}");
                assert!(
                    said.contains("it is neither's until one of the two gives it up"),
                    "{said}"
                );
            }
        }
        // Whoever stays has it, whichever it is, and keeps it when the other comes back.
        for (stays, goes) in [(first, second), (second, first)] {
            let mut reader = Reader::default();
            errors(&reader.read(&tree(&[first, second, other])));
            assert!(errors(&reader.read(&tree(&[stays, other]))).is_empty());
            let found = errors(&reader.read(&tree(&[first, second, other])));
            assert_eq!(found.len(), 1);
            let (path, _) = goes;
            assert!(path.contains(&**found.keys().next().expect("one")), "{found:?}");
        }
    }
    // One name.
    let (first, second) = (("services/a/shop.yaml", PLAIN), ("services/b/shop.yaml", PLAIN));
    let mut reader = Reader::default();
    for _ in 0..2 {
        let found = errors(&reader.read(&tree(&[first, second])));
        assert_eq!(names(&found), ["shop"]);
        for part in ["services/a/shop.yaml:1:1", "services/b/shop.yaml:1:1", "nobody had it before"]
        {
            assert!(found["shop"].contains(part), "{found:?}");
        }
    }
    assert!(errors(&reader.read(&tree(&[second]))).is_empty());
    assert_eq!(names(&errors(&reader.read(&tree(&[first, second])))), ["services/a/shop.yaml"]);
}

#[test]
fn a_name_goes_with_its_file_whatever_comes_beside_it() {
    let owner = ("services/team-a/shop.yaml", PLAIN);
    let changed = PLAIN.replace("{v1: {}}", "{v1: {replicas: 3}}");
    // Within its folder nobody else has, also when it changes.
    for thief in ["services/aaa/shop.yaml", "services/zzz/shop.yaml"] {
        let moved = ("services/team-a/web/shop.yaml", &*changed);
        assert_eq!(names(&after(&[owner], &[], &[moved, (thief, PLAIN)])), [thief]);
    }
    // Into another folder, by the commit that moved it. A copy of what it was is none.
    let moved = ("services/team-b/shop.yaml", &*changed);
    let moves = [("services/team-a/shop.yaml", "services/team-b/shop.yaml")];
    assert_eq!(
        names(&after(&[owner], &moves, &[moved, ("services/aaa/shop.yaml", PLAIN)])),
        ["services/aaa/shop.yaml"]
    );
    // Where no commit says it, both are in error, and the service keeps what it has.
    assert_eq!(names(&after(&[owner], &[], &[moved, ("services/aaa/shop.yaml", PLAIN)])), ["shop"]);
    // Moved alone it is the same service in any case.
    assert!(after(&[owner], &[], &[moved]).is_empty());
}

#[test]
fn a_folder_that_is_renamed_keeps_all_that_its_services_had() {
    let (pay, domain) = (with_path("{prefix: /pay}"), with_domain("pay.example"));
    let before = [("services/old/pay.yaml", &*pay), ("services/old/site.yaml", &*domain)];
    let moved = [("services/new/pay.yaml", &*pay), ("services/new/site.yaml", &*domain)];
    let thieves = [("services/aaa/one.yaml", &*pay), ("services/aaa/two.yaml", &*domain)];
    let all: Vec<_> = moved.iter().chain(&thieves).copied().collect();
    let moves: Vec<_> =
        before.iter().zip(&moved).map(|((from, _), (to, _))| (*from, *to)).collect();
    for moves in [&moves[..], &[]] {
        assert_eq!(names(&after(&before, moves, &all)), ["one", "two"]);
    }
}

#[test]
fn a_service_that_gets_another_name_in_its_folder_keeps_its_path_and_domain() {
    for claim in [with_path("{prefix: /pay}"), with_domain("pay.example")] {
        let before = [("services/team-a/payments.yaml", &*claim)];
        let renamed = ("services/team-a/pay.yaml", &*claim);
        for thief in ["services/aaa/thief.yaml", "services/zzz/thief.yaml"] {
            assert_eq!(names(&after(&before, &[], &[renamed, (thief, &claim)])), ["thief"]);
        }
        // Of two in its folder neither has it, and nobody else either.
        let two =
            [renamed, ("services/team-a/pay2.yaml", &*claim), ("services/zzz/thief.yaml", &*claim)];
        assert_eq!(names(&after(&before, &[], &two)), ["pay", "pay2", "thief"]);
        // A file of the old name in another folder takes nothing from it.
        let thief = ("services/zzz/payments.yaml", &*claim);
        assert_eq!(names(&after(&before, &[], &[renamed, thief])), ["payments"]);
    }
}

#[test]
fn a_restart_that_knows_the_accepted_revision_knows_who_was_first() {
    let path = with_path("{prefix: /pay}");
    let accepted = tree(&[("services/team-b/pay.yaml", &*path)]);
    let newest = tree(&[
        ("services/aaa/pay.yaml", PLAIN),
        ("services/aaa/thief.yaml", &*path),
        ("services/team-b/pay.yaml", &*path),
    ]);
    let found = errors(&Repository::parse_after([&accepted], &newest));
    assert_eq!(names(&found), ["services/aaa/pay.yaml", "thief"]);
    // Without it and without a cluster nobody can tell.
    assert_eq!(names(&errors(&Repository::parse(&newest))), ["pay"]);
}
