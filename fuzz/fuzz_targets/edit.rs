//! Any repository, and what a person may ask of a rollout in it: the file is left alone, or it means what was asked and
//! no other service means anything else.
#![no_main]

use std::collections::BTreeMap;

use coalmine_core::edit::{Goal, Verb, edit};
use coalmine_core::tree::{File, Tree};
use coalmine_core::values::{Repository, Version, Weight};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (&byte, input) = input.split_first().unwrap_or((&0, &[]));
    let Some(verb) = verb(byte) else { return };
    let tree = Tree { revision: "0123456789abcdef".to_owned(), files: files(input) };
    let before = Repository::parse(&tree);
    for name in before.services.keys() {
        let Ok(edited) = edit(&tree, name.as_str(), &verb) else { continue };
        let mut after = tree.clone();
        after.files.insert(edited.file.clone(), edited.after.as_str().into());
        let after = Repository::parse(&after);
        assert!(after.services.get(name).is_some_and(|service| service.is_ok()), "{name}: {edited:?}");
        let others = before.services.iter().filter(|(other, _)| *other != name);
        for (other, service) in others {
            assert!(after.services.get(other) == Some(service), "{other} beside {edited:?}");
        }
    }
});

/// The verb that a byte stands for.
fn verb(byte: u8) -> Option<Verb> {
    let start = |version: &str, image: Option<&str>, header: Option<(&str, &str)>| {
        let headers = header.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some(Verb::Start {
            version: Version::new(version).ok()?,
            image: image.map(str::to_owned),
            headers: headers.into_iter().collect(),
        })
    };
    match byte {
        b's' => start("v2", None, None),
        b'i' => start("1.4.2-RC1", Some("registry.example/echo:1.4.2"), None),
        b'h' => start("2024", Some("echo: #2"), Some(("stage", "true"))),
        b'n' => Some(Verb::Promote(Goal::Next)),
        b'a' => Some(Verb::Abort { full: false }),
        b'u' => Some(Verb::Abort { full: true }),
        b'f' => Some(Verb::Finish { force: false }),
        b'F' => Some(Verb::Finish { force: true }),
        weight => Some(Verb::Promote(Goal::Weight(Weight::new(weight.into())?))),
    }
}

/// A file begins with a line `=== path`.
fn files(input: &[u8]) -> BTreeMap<String, File> {
    const MARK: &[u8] = b"=== ";
    let mut files = BTreeMap::new();
    let mut rest = input;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        rest = &rest[at + MARK.len()..];
        let end = rest.windows(MARK.len()).position(|window| window == MARK).unwrap_or(rest.len());
        let (part, others) = rest.split_at(end);
        let line = part.iter().position(|byte| *byte == b'\n').unwrap_or(part.len());
        let content = part.get(line + 1..).unwrap_or_default();
        files.insert(String::from_utf8_lossy(&part[..line]).into_owned(), content.to_vec().into());
        rest = others;
    }
    files
}
