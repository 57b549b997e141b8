//! A proposal for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{Proposal, Requests, Row, ServiceProposal, Verdict};
use crate::reason::Hinted;
use crate::sanitize::sanitize;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const HEADING: Style = AnsiColor::Cyan.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();

/// The proposal as text, with colours that a terminal's stream takes off where they are not wanted;
/// `objects` says whether the objects' differences are shown.
pub fn text(proposal: &Proposal, objects: bool) -> String {
    let mut out = String::new();
    for problem in &proposal.problems {
        let _ = writeln!(out, "{BAD}error{BAD:#}: {}", sanitize(&problem.line()));
    }
    for service in &proposal.services {
        of_service(&mut out, service, objects);
    }
    if proposal.services.is_empty() && proposal.problems.is_empty() {
        out += "nothing changes in the cluster\n";
    }
    for note in &proposal.notes {
        let _ = writeln!(out, "{DOUBTFUL}note{DOUBTFUL:#}: {}", sanitize(note));
    }
    out
}

fn of_service(out: &mut String, service: &ServiceProposal, objects: bool) {
    let style = match service.verdict {
        Verdict::Error => BAD,
        Verdict::Rollback | Verdict::Jump | Verdict::Removed => DOUBTFUL,
        _ => GOOD,
    };
    let way = headline(service);
    let verdict = service.verdict.name();
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}: {way}({style}{verdict}{style:#})", service.service);
    for error in &service.errors {
        let _ = writeln!(out, "  {BAD}error{BAD:#}: {}", sanitize(&error.line()));
    }
    for warning in &service.warnings {
        let _ = writeln!(out, "  {DOUBTFUL}warning{DOUBTFUL:#}: {}", sanitize(warning));
    }
    for note in &service.notes {
        let _ = writeln!(out, "  {DIM}note{DIM:#}: {}", sanitize(note));
    }
    if let [_, _, ..] = service.gateways.as_slice() {
        let _ =
            writeln!(out, "  served by the Gateways {}", sanitize(&service.gateways.join(", ")));
    }
    requests(out, service);
    if !service.steps.is_empty() {
        let _ = writeln!(out, "  {DIM}steps{DIM:#}");
    }
    for (number, step) in service.steps.iter().enumerate() {
        let _ = writeln!(out, "    {}. {}", number + 1, sanitize(step));
    }
    for object in service.objects.iter().filter(|_| objects) {
        for line in object.diff.lines() {
            let style = match line.as_bytes().first() {
                _ if line.starts_with("--- ") || line.starts_with("+++ ") => HEADING,
                Some(b'@') => HEADING,
                Some(b'+') => GOOD,
                Some(b'-') => REMOVED,
                _ => Style::new(),
            };
            let _ = writeln!(out, "  {style}{}{style:#}", sanitize(line));
        }
    }
}

fn requests(out: &mut String, service: &ServiceProposal) {
    let lines = compared(service);
    if lines.is_empty() {
        return;
    }
    let width = |cells: &dyn Fn(&Comparison) -> usize| lines.iter().map(cells).max().unwrap_or(0);
    let first = width(&|line| line.requests.chars().count()).max("requests".len());
    let second = width(&|line| line.before.chars().count()).max("before".len());
    let _ = writeln!(out, "  {DIM}{:first$}  {:second$}  after{DIM:#}", "requests", "before");
    for Comparison { requests, before, after } in &lines {
        let changed = if before == after { Style::new() } else { BOLD };
        let (requests, before) = (sanitize(requests), sanitize(before));
        let _ = writeln!(
            out,
            "  {requests:first$}  {before:second$}  {changed}{}{changed:#}",
            sanitize(after)
        );
    }
}

/// Where the rollout goes: `CanaryTest → Shifting 25 % `.
pub(super) fn headline(service: &ServiceProposal) -> String {
    match (&service.before, &service.after) {
        (Some(before), Some(after)) if before == after => format!("{after} "),
        (Some(before), Some(after)) => format!("{before} → {after} "),
        (None, Some(after)) => format!("{after} "),
        (Some(before), None) => format!("{before} → gone "),
        (None, None) => String::new(),
    }
}

/// The same requests before and after.
pub(super) struct Comparison {
    pub(super) requests: String,
    pub(super) before: String,
    pub(super) after: String,
}

/// The routes side by side, in their order after the change; those that go come last.
pub(super) fn compared(service: &ServiceProposal) -> Vec<Comparison> {
    // Where there is no such route, one that asks for less takes the requests.
    let find = |rows: &[Row], requests: &Requests| {
        let row = rows.iter().find(|row| row.requests == *requests);
        let row = row.or_else(|| rows.iter().find(|row| row.requests.include(requests)));
        row.map_or_else(|| "nobody".to_owned(), recipients)
    };
    let (old, new) = (&service.routes_before, &service.routes_after);
    let gone = old.iter().filter(|row| new.iter().all(|other| other.requests != row.requests));
    let line = |row: &Row| Comparison {
        requests: row.requests.to_string(),
        before: find(old, &row.requests),
        after: find(new, &row.requests),
    };
    new.iter().chain(gone).map(line).collect()
}

fn recipients(row: &Row) -> String {
    let listed = |shares: &BTreeMap<String, u32>| {
        let shares = shares.iter().filter(|(_, share)| **share > 0);
        shares.map(|(who, share)| format!("{who} {share} %")).collect::<Vec<_>>().join(", ")
    };
    let copies = listed(&row.copies);
    let copies = if copies.is_empty() { copies } else { format!(", copies to {copies}") };
    format!("{}{copies}", listed(&row.shares))
}
