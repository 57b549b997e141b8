//! Replays what kgateway and Envoy Gateway with real Envoys did (`gateway-api/conformance`, see its README) and
//! compares: what the API server refuses, statuses, listeners, virtual hosts, clusters, answers.
//!
//! `COALMINE_CONFORMANCE_DIR` names a further folder of cases: one with `cases/`, or one of cases, or one with such a
//! folder `gateway-api`. Cases of the crate `gloo` are told apart by their form and left to its own test.

mod compare;
mod envoy;
mod normal;
mod probes;
mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use gateway_api::{Code, Profile, Validation};

/// Cases that are outside what this crate covers, and why.
const OUT_OF_SCOPE: &[(&str, &str)] = &[];

/// The implementations as the recordings name them.
const IMPLEMENTATIONS: [(&str, Profile); 2] = [
    ("kgateway", Profile::Kgateway(Validation::Standard)),
    ("envoy-gateway", Profile::EnvoyGateway),
];

fn cases(folder: &Path) -> Vec<PathBuf> {
    let inner = folder.join("cases");
    let folder = if inner.is_dir() { inner } else { folder.to_owned() };
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("read the cases in {}: {e}", folder.display()));
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder entry").path())
        .filter(|path| replay::is_case(path))
        .collect();
    found.sort();
    found
}

/// Writes a line past the test harness, which would keep it to itself.
fn say(line: &str) {
    writeln!(stdout(), "{line}").expect("write to standard output");
}

#[test]
fn implementations_and_envoy_are_agreed_with() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")];
    if let Some(further) = std::env::var_os("COALMINE_CONFORMANCE_DIR").map(PathBuf::from) {
        let inner = further.join("gateway-api");
        folders.push(further);
        folders.extend(inner.is_dir().then_some(inner));
    }
    let mut wrong = Vec::new();
    let mut agreed = 0;
    let mut seen: BTreeMap<String, BTreeSet<Code>> = BTreeMap::new();
    for (index, folder) in folders.iter().enumerate() {
        for path in cases(folder) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.expect("a case has a name");
            for (implementation, profile) in IMPLEMENTATIONS {
                let Some(replayed) = replay::replay(&path, implementation, profile) else {
                    continue;
                };
                // What cases of others show need not stand in the documentation.
                if index == 0 {
                    seen.entry(name.clone()).or_default().extend(replayed.codes);
                }
                let name = format!("{name} {implementation}");
                let reason = OUT_OF_SCOPE.iter().find(|(case, _)| *case == name);
                match (replayed.differences.is_empty(), reason) {
                    (true, None) => {
                        agreed += 1;
                        say(&format!("ok        {name}"));
                    }
                    (false, Some((_, reason))) => say(&format!("outside   {name}: {reason}")),
                    (true, Some(_)) => {
                        say(&format!("agrees    {name}: take it off the list"));
                        wrong.push(name);
                    }
                    (false, None) => {
                        say(&format!("DIFFERS   {name}"));
                        for difference in replayed.differences {
                            say(&format!("          {difference}"));
                        }
                        wrong.push(name);
                    }
                }
            }
        }
    }
    assert!(!seen.is_empty(), "no case");
    say(&format!("{agreed} agree, {} are out of scope", OUT_OF_SCOPE.len()));
    assert!(wrong.is_empty(), "{} differ or are listed wrongly: {wrong:?}", wrong.len());
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
