//! Replays what a real Gloo Edge with a real Envoy did (`gloo/conformance`, see its README) and
//! compares: statuses, virtual hosts, clusters, answers.
//!
//! `COALMINE_CONFORMANCE_DIR` names a further folder of cases: one with `cases/`, or one of cases.

mod compare;
mod listeners;
mod normal;
mod probes;
mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use gloo::Code;

/// Cases that are outside what this crate covers, and why.
const OUT_OF_SCOPE: &[(&str, &str)] = &[];

fn cases(folder: &Path) -> Vec<PathBuf> {
    let inner = folder.join("cases");
    let folder = if inner.is_dir() { inner } else { folder.to_owned() };
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("read the cases in {}: {e}", folder.display()));
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder entry").path())
        .filter(|path| path.join("case.yaml").is_file())
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no case in {}", folder.display());
    found
}

/// Writes a line past the test harness, which would keep it to itself.
fn say(line: &str) {
    writeln!(stdout(), "{line}").expect("write to standard output");
}

#[test]
fn gloo_and_envoy_are_agreed_with() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")];
    folders.extend(std::env::var_os("COALMINE_CONFORMANCE_DIR").map(PathBuf::from));
    let mut wrong = Vec::new();
    let mut agreed = 0;
    let mut seen: BTreeMap<String, BTreeSet<Code>> = BTreeMap::new();
    for (path, own) in folders
        .iter()
        .enumerate()
        .flat_map(|(index, folder)| cases(folder).into_iter().map(move |path| (path, index == 0)))
    {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.expect("a case has a name");
        let replay::Replayed { differences, codes } = replay::replay(&path);
        // What cases of others show need not stand in the documentation.
        if own {
            seen.insert(name.clone(), codes);
        }
        let reason = OUT_OF_SCOPE.iter().find(|(case, _)| *case == name).map(|(_, reason)| reason);
        match (differences.is_empty(), reason) {
            (true, None) => {
                agreed += 1;
                say(&format!("ok        {name}"));
            }
            (false, Some(reason)) => say(&format!("outside   {name}: {reason}")),
            (true, Some(_)) => {
                say(&format!("agrees    {name}: take it off the list of cases out of scope"));
                wrong.push(name);
            }
            (false, None) => {
                say(&format!("DIFFERS   {name}"));
                differences.iter().for_each(|difference| say(&format!("          {difference}")));
                wrong.push(name);
            }
        }
    }
    say(&format!("{agreed} cases agree, {} are out of scope", OUT_OF_SCOPE.len()));
    assert!(wrong.is_empty(), "{} cases differ or are listed wrongly: {wrong:?}", wrong.len());
    documented(&seen);
}

/// Every code names a case that shows it, and one that names none is shown by none.
fn documented(seen: &BTreeMap<String, BTreeSet<Code>>) {
    let mut wrong = Vec::new();
    for code in Code::ALL {
        let shown: Vec<&str> = seen
            .iter()
            .filter(|(_, codes)| codes.contains(code))
            .map(|(case, _)| case.as_str())
            .collect();
        match code.case() {
            Some(case) if !shown.contains(&case) => {
                wrong.push(format!("{code} is not in {case}, but in {shown:?}"));
            }
            None if !shown.is_empty() => wrong.push(format!("{code} has a case: {shown:?}")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
