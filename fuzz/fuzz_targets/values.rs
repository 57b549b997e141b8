//! Any files at all: they are read or refused, and the second revision comes to the same whether the
//! first was read before or not.
#![no_main]

use std::collections::BTreeMap;

use coalmine_core::sanitize::has_shape;
use coalmine_core::problem::Problem;
use coalmine_core::render::{Owner, render};
use coalmine_core::traffic::Traffic;
use coalmine_core::tree::{File, Tree};
use coalmine_core::values::{Reader, Repository};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut files = files(input);
    let mut reader = Reader::default();
    check(&reader.read(&tree(&files)), &files);
    // The next revision lacks a file, and one has the content of another.
    let first = files.pop_first();
    if let (Some((_, content)), Some(mut entry)) = (first, files.last_entry()) {
        entry.insert(content);
    }
    let second = tree(&files);
    let repository = reader.read(&second);
    assert!(repository == Repository::parse(&second));
    check(&repository, &files);
});

/// A file begins with a line `=== path`.
fn files(input: &[u8]) -> BTreeMap<String, File> {
    const MARK: &[u8] = b"=== ";
    let marks = input.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    let starts: Vec<usize> = marks.map(|(at, _)| at + MARK.len()).collect();
    let ends = starts.iter().skip(1).map(|start| start - MARK.len()).chain([input.len()]);
    let parts = starts.iter().zip(ends).filter_map(|(start, end)| input.get(*start..end));
    let file = |part: &[u8]| {
        let line = part.iter().position(|byte| *byte == b'\n').unwrap_or(part.len());
        let content = part.get(line + 1..).unwrap_or_default();
        (String::from_utf8_lossy(&part[..line]).into_owned(), content.to_vec().into())
    };
    parts.map(file).collect()
}

fn tree(files: &BTreeMap<String, File>) -> Tree {
    Tree { revision: "0123456789abcdef".to_owned(), files: files.clone() }
}

fn check(repository: &Repository, files: &BTreeMap<String, File>) {
    let owner = Owner { instance: "default".to_owned(), revision: "0123456789abcdef".to_owned() };
    for service in repository.services.values() {
        match service {
            Ok(service) => drop((service.warnings(), render(service, &Traffic::of(service), &owner))),
            Err(problems) => show(problems, files),
        }
    }
    show(&repository.platform.problems, files);
    show(&repository.problems, files);
}

fn show(problems: &[Problem], files: &BTreeMap<String, File>) {
    for problem in problems {
        assert!(problem.at.line > 0 && problem.at.column > 0, "{problem}");
        let line = problem.to_string();
        assert!(line.chars().all(has_shape), "{line:?}");
        let source = files.get(&*problem.at.file).map(File::content);
        assert!(!problem.annotated(source).to_string().is_empty());
    }
}
