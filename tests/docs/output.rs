//! Whether a command prints what the page says.

use std::sync::LazyLock;

use anyhow::{Result, ensure};
use regex::Regex;

/// On a line of its own any lines, else any text.
const ANYTHING: &str = "...";

/// What is another each time, and the word that takes its place before the two are compared.
static DIFFERENT: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        // Columns are as wide as what is in them.
        (r"\s+", " "),
        (r"\b([0-9a-f]{40}|[0-9a-f]{7})\b", "COMMIT"),
        (r"\b\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        // Ages, and what `uniq -c` counts.
        (r"\b\d+[smhd]\b", "AGE"),
        (r"^ \d+ ", "COUNT "),
        // Ready pods, which `status` may know a moment later.
        (r"(\bv\d+:\d+ )+", ""),
    ]
    .into_iter()
    .filter_map(|(pattern, word)| Some((Regex::new(pattern).ok()?, word)))
    .collect()
});

/// Whether these are the lines that the page shows.
pub(crate) fn is_as_shown(shown: &[String], found: &[String]) -> bool {
    matches(&alike(shown), &alike(found))
}

fn alike(lines: &[String]) -> Vec<String> {
    let same = |line: &String| {
        let replaced = DIFFERENT.iter().fold(line.clone(), |line, (pattern, word)| {
            pattern.replace_all(&line, *word).into_owned()
        });
        replaced.trim_end().to_owned()
    };
    let mut lines: Vec<String> = lines.iter().map(same).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

fn matches(shown: &[String], found: &[String]) -> bool {
    match (shown.split_first(), found.split_first()) {
        (None, _) => found.is_empty(),
        (Some((first, rest)), _) if first.trim() == ANYTHING => {
            (0..=found.len()).any(|skipped| matches(rest, &found[skipped..]))
        }
        (Some(_), None) => false,
        (Some((line, rest)), Some((other, others))) => {
            line_matches(line, other) && matches(rest, others)
        }
    }
}

fn line_matches(shown: &str, found: &str) -> bool {
    let parts: Vec<String> = shown.split(ANYTHING).map(regex::escape).collect();
    Regex::new(&format!("^{}$", parts.join(".*"))).is_ok_and(|line| line.is_match(found))
}

pub(crate) fn an_output_is_compared_but_for_what_differs() -> Result<()> {
    let is_shown = |shown: &str, found: &str| {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        is_as_shown(&lines(shown), &lines(found))
    };
    for (shown, found, expected) in [
        ("one\ntwo", "one\ntwo\n\n", true),
        ("one", "one\ntwo", false),
        ("one\ntwo", "one", false),
        ("one\n...\nfour", "one\ntwo\nthree\nfour", true),
        ("one\n...", "two\nthree", false),
        ("at ... by Ada", "at noon by Ada", true),
        ("at ... by Ada", "at noon by Bert", false),
        ("commit 0123abc at 3s", "commit fedcba9  at 12m", true),
        ("     77 version:v1", "      8 version:v1", true),
        ("v1:25% v2:75%", "v1:50% v2:50%", false),
        ("v1:50% v2:50%  v1:1 v2:1  3s", "v1:50% v2:50%             0s", true),
    ] {
        ensure!(is_shown(shown, found) == expected, "{shown:?} and {found:?}");
    }
    Ok(())
}
