//! The report for people.

use std::fmt::Write;

use super::accepted::UNASKED;
use super::{Difference, Migration};
use crate::sanitize::sanitize;

/// For a terminal.
pub fn text(migration: &Migration) -> String {
    let mut lines = vec![summary(migration)];
    if !migration.not_carried.is_empty() {
        lines.push(String::new());
        lines.push("Not carried over:".to_owned());
        for lack in &migration.not_carried {
            let at = lack.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
            let field =
                if lack.field.is_empty() { String::new() } else { format!(" {}", lack.field) };
            lines.push(format!("  {at}{}{field}", lack.object));
            lines.push(format!("    [{}{}] {}", lack.code, mark(lack.accepted), lack.why));
            lines.push(format!("    → {}", lack.next));
        }
    }
    if !migration.differences.is_empty() {
        lines.push(String::new());
        lines.push("Answered otherwise:".to_owned());
        for it in &migration.differences {
            lines.push(format!("  {}", it.request));
            let (name, accepted) = (it.kind.as_str(), mark(it.accepted));
            lines.push(format!("    [{name}{accepted}] {}{}", it.kind.words(), aside(it)));
            lines.push(format!("    now:        {}", it.before));
            lines.push(format!("    afterwards: {}", it.after));
            lines.push(format!("    → {}", it.next));
        }
    }
    if !migration.notes.is_empty() {
        lines.push(String::new());
        lines.push("Notes:".to_owned());
        lines.extend(migration.notes.iter().map(|note| format!("  {note}")));
    }
    let lines: Vec<_> = lines.iter().map(|line| sanitize(line)).collect();
    lines.join("\n") + "\n"
}

/// For a comment of a pull request.
pub fn markdown(migration: &Migration) -> String {
    let cell = |text: &str| sanitize(text).replace('|', "\\|").replace('<', "&lt;");
    let code = |text: &str| match text.is_empty() {
        true => String::new(),
        false => format!("`{}`", sanitize(text).replace('`', "'").replace('|', "\\|")),
    };
    let mut out = format!("**{}**\n", cell(&summary(migration)));
    let mut line = |text: String| {
        // Writing to a String does not fail.
        let _written = writeln!(out, "{text}");
    };
    if !migration.not_carried.is_empty() {
        line(
            "\n| not carried over | field | why | what to do |\n| --- | --- | --- | --- |"
                .to_owned(),
        );
        for lack in &migration.not_carried {
            let at = lack.at.as_deref().unwrap_or_default();
            line(format!(
                "| {} {} | {} | {}{}: {} | {} |",
                code(&lack.object),
                cell(at),
                code(&lack.field),
                lack.code,
                mark(lack.accepted),
                cell(&lack.why),
                cell(&lack.next)
            ));
        }
    }
    if !migration.differences.is_empty() {
        line(
            "\n| answered otherwise | now | afterwards | what to do |\n| --- | --- | --- | --- |"
                .to_owned(),
        );
        for it in &migration.differences {
            line(format!(
                "| {} {}{}: {}{} | {} | {} | {} |",
                code(&it.request),
                it.kind.as_str(),
                mark(it.accepted),
                it.kind.words(),
                cell(&aside(it)),
                cell(&it.before),
                cell(&it.after),
                it.next
            ));
        }
    }
    if !migration.notes.is_empty() {
        line(String::new());
        migration.notes.iter().for_each(|note| line(format!("- {}", cell(note))));
    }
    out
}

fn summary(migration: &Migration) -> String {
    let objects = migration.objects.len();
    let requests = migration.requests;
    let mut summary = match migration.differing {
        0 => format!("{objects} objects; all {requests} requests are answered alike by ready pods"),
        1 => format!("{objects} objects; 1 of {requests} requests is answered otherwise"),
        count => {
            format!("{objects} objects; {count} of {requests} requests are answered otherwise")
        }
    };
    if migration.differing_without_pods > 0 {
        summary += &format!(", {} more while pods are missing", migration.differing_without_pods);
    }
    match migration.not_carried.len() {
        0 => {}
        1 => summary += "; 1 thing is not carried over",
        count => summary += &format!("; {count} things are not carried over"),
    }
    if migration.is_cut {
        let accepted = mark(migration.is_cut_accepted);
        summary +=
            &format!("; [{UNASKED}{accepted}] there are more classes of requests than were asked");
    }
    summary
}

/// What stands behind the name of something that is accepted.
fn mark(accepted: bool) -> &'static str {
    if accepted { ", accepted" } else { "" }
}

/// Under which circumstances, and how often.
fn aside(difference: &Difference) -> String {
    let mut words = String::new();
    if let Some(missing) = &difference.missing {
        words += &format!(", while no pod of {missing} is ready");
    }
    if let Some(name) = difference.implementation {
        words += &format!(", with {name}");
    }
    if let Some(object) = &difference.object {
        words += &format!(", by {object}");
    }
    if difference.count > 1 {
        words += &format!(", and {} more of its kind", difference.count - 1);
    }
    words
}
