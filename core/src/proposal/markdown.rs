//! A proposal as the one comment of a pull request.

use std::fmt::Write as _;

use super::text::{compared, headline};
use super::{Proposal, ServiceProposal, Verdict};
use crate::reason::Hinted;
use crate::sanitize::sanitize;
use crate::tree::short;

/// By this a job finds the comment that it wrote before, to write it anew.
const MARK: &str = "<!-- coalmine plan -->";
/// Forges refuse comments that are longer than this, in characters.
const LONGEST: usize = 60_000;

/// The proposal in Markdown, its first line a mark by which it is found again. Objects' differences that
/// would make it longer than a comment may be are left out.
pub fn markdown(proposal: &Proposal) -> String {
    let mut out = format!("{MARK}\n### coalmine plan: {}\n\n", proposal.verdict.name());
    let _ =
        writeln!(out, "From {} to {}.\n", code(short(&proposal.base)), code(short(&proposal.head)));
    for problem in &proposal.problems {
        let _ = writeln!(out, "- :x: {}", code(&problem.line()));
    }
    if proposal.services.is_empty() && proposal.problems.is_empty() {
        out += "Nothing changes in the cluster.\n";
    }
    for service in &proposal.services {
        of_service(&mut out, service);
    }
    for note in &proposal.notes {
        let _ = writeln!(out, "- :information_source: {}", code(note));
    }
    for service in &proposal.services {
        differences(&mut out, service);
    }
    out
}

fn of_service(out: &mut String, service: &ServiceProposal) {
    let sign = match service.verdict {
        Verdict::Error => ":x: ",
        Verdict::Rollback | Verdict::Jump | Verdict::Removed => ":warning: ",
        _ => "",
    };
    let (way, verdict) = (headline(service), service.verdict.name());
    let _ = writeln!(out, "#### {sign}{}: {}({verdict})\n", service.service, plain(&way));
    for error in &service.errors {
        let _ = writeln!(out, "- :x: {}", code(&error.line()));
    }
    for warning in &service.warnings {
        let _ = writeln!(out, "- :warning: {}", code(warning));
    }
    for note in &service.notes {
        let _ = writeln!(out, "- {}", code(note));
    }
    if let [_, _, ..] = service.gateways.as_slice() {
        let _ = writeln!(out, "- served by the Gateways {}", code(&service.gateways.join(", ")));
    }
    let lists = service.errors.len() + service.warnings.len() + service.notes.len();
    if lists > 0 || service.gateways.len() > 1 {
        out.push('\n');
    }
    let lines = compared(service);
    if !lines.is_empty() {
        out.push_str("| requests | before | after |\n| --- | --- | --- |\n");
        for line in lines {
            let changed = if line.before == line.after { "" } else { "**" };
            let (requests, before, after) =
                (cell(&line.requests), cell(&line.before), cell(&line.after));
            let _ = writeln!(out, "| {requests} | {before} | {changed}{after}{changed} |");
        }
        out.push('\n');
    }
    for (number, step) in service.steps.iter().enumerate() {
        let _ = writeln!(out, "{}. {}", number + 1, code(step));
    }
    if !service.steps.is_empty() {
        out.push('\n');
    }
}

fn differences(out: &mut String, service: &ServiceProposal) {
    for object in &service.objects {
        let fence = fence(&object.diff);
        let lines: Vec<_> = object.diff.lines().map(sanitize).collect();
        let block = format!(
            "<details><summary>{}</summary>\n\n{fence}diff\n{}\n{fence}\n\n</details>\n\n",
            plain(&object.object),
            lines.join("\n")
        );
        if out.chars().count() + block.chars().count() > LONGEST {
            let _ = writeln!(out, "{}: too long to be shown here.\n", plain(&object.object));
        } else {
            out.push_str(&block);
        }
    }
}

/// A fence that nothing in the text can close.
fn fence(text: &str) -> String {
    let longest =
        text.lines().map(|line| line.len() - line.trim_start_matches(['`', '+', '-', ' ']).len());
    "`".repeat(longest.max().unwrap_or(0).max(2) + 1)
}

/// Text that others chose, as code: it can be neither Markdown nor HTML, nor mention anybody.
fn code(text: &str) -> String {
    let text = sanitize(text);
    let mut runs = text.split(|sign| sign != '`').map(str::len).collect::<Vec<_>>();
    runs.sort_unstable();
    let ticks = "`".repeat(runs.last().copied().unwrap_or(0) + 1);
    let space = if text.contains('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// As code in a cell of a table, where `|` ends the cell even in code.
fn cell(text: &str) -> String {
    code(&text.replace('|', "\\|"))
}

/// Text of ours around names that were checked.
fn plain(text: &str) -> String {
    let text = sanitize(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('@', "&#64;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proposal::ObjectDiff;

    fn service(verdict: Verdict, objects: &[(&str, String)]) -> ServiceProposal {
        let object = |(object, diff): &(&str, String)| ObjectDiff {
            object: (*object).to_owned(),
            diff: diff.clone(),
        };
        ServiceProposal {
            service: "echo".into(),
            verdict,
            before: None,
            after: None,
            errors: Vec::new(),
            warnings: Vec::new(),
            notes: Vec::new(),
            gateways: Vec::new(),
            routes_before: Vec::new(),
            routes_after: Vec::new(),
            steps: Vec::new(),
            objects: objects.iter().map(object).collect(),
        }
    }

    fn proposal(problems: Vec<crate::reason::Advice>, services: Vec<ServiceProposal>) -> Proposal {
        let (base, head) = ("a".repeat(40), "b".repeat(40));
        Proposal { base, head, verdict: Verdict::Change, problems, services, notes: Vec::new() }
    }

    #[test]
    fn a_fence_is_longer_than_any_run_of_backticks_in_a_line() {
        for (text, expected) in
            [("", 3), ("+a: b", 3), ("+```", 5), (" - ````x", 8), ("a ````` b", 3)]
        {
            assert!(fence(text).len() >= expected, "{text:?}: {}", fence(text));
            assert!(fence(text).chars().all(|it| it == '`'));
        }
        assert_eq!(fence("x\n`````\ny"), "``````");
    }

    #[test]
    fn the_sign_of_a_service_says_how_grave_its_change_is() {
        let heading = |verdict: Verdict| {
            let text = markdown(&proposal(Vec::new(), vec![service(verdict, &[])]));
            text.lines().find(|line| line.starts_with("####")).expect("a heading").to_owned()
        };
        assert_eq!(heading(Verdict::Error), "#### :x: echo: (error)");
        for verdict in [Verdict::Rollback, Verdict::Jump, Verdict::Removed] {
            assert_eq!(heading(verdict), format!("#### :warning: echo: ({})", verdict.name()));
        }
        assert_eq!(heading(Verdict::Advance), "#### echo: (advance)");
    }

    #[test]
    fn nothing_changes_only_where_nothing_is_wrong_and_no_service_changes() {
        let says_so = |proposal: &Proposal| markdown(proposal).contains("Nothing changes");
        let changed = || vec![service(Verdict::Change, &[])];
        assert!(says_so(&proposal(Vec::new(), Vec::new())));
        assert!(!says_so(&proposal(Vec::new(), changed())));
        let wrong = vec!["the settings have a mistake".to_owned().into()];
        assert!(!says_so(&proposal(wrong.clone(), Vec::new())));
        assert!(
            markdown(&proposal(wrong, changed())).contains("- :x: `the settings have a mistake`")
        );
    }

    #[test]
    fn a_difference_that_makes_the_comment_too_long_is_left_out() {
        let lines = "-a: 1\n+a: 2\n".repeat(200);
        let small = |name| (name, lines.clone());
        let large = ("Secret echo/large", "+a\n".repeat(LONGEST / 3));
        let objects = [small("Service echo/first"), large, small("Service echo/last")];
        let text = markdown(&proposal(Vec::new(), vec![service(Verdict::Change, &objects)]));
        assert!(text.chars().count() <= LONGEST);
        assert!(text.contains("Secret echo/large: too long to be shown here.\n"), "{text}");
        for name in ["first", "last"] {
            let block = format!("<summary>Service echo/{name}</summary>\n\n```diff\n{lines}```\n");
            assert!(text.contains(&block), "{text}");
        }
    }
}
