//! Where it was measured.

use std::{collections::BTreeMap, fs, process::Command};

/// What is known about this machine: `processor`, `processors`, `memory`, `kernel`, `load`.
pub(super) fn describe() -> BTreeMap<String, String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |path: &str, name: &str| {
        let text = read(path);
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
        line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    BTreeMap::from([
        ("processor".to_owned(), field("/proc/cpuinfo", "model name")),
        ("processors".to_owned(), processors.to_string()),
        ("memory".to_owned(), field("/proc/meminfo", "MemTotal")),
        ("kernel".to_owned(), read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("load".to_owned(), read("/proc/loadavg").trim().to_owned()),
    ])
}

/// The commit of the sources, with `-dirty` when they have changed since.
pub(super) fn commit() -> String {
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
