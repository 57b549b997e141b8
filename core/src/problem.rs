//! What is wrong with a file, where, and what to do about it.

use std::fmt;
use std::sync::Arc;

use crate::hidden::holds_a_secret;
use crate::reason::Advice;
use crate::sanitize::{has_shape, sanitize};

/// A place in a file, and how many characters from there on it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Path of the file, relative to the tree.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters of that line to underline, at least 1.
    pub length: usize,
}

impl Location {
    /// The first character of a file: for problems of a file as a whole.
    pub fn start_of(file: &Arc<str>) -> Self {
        Self { file: file.clone(), line: 1, column: 1, length: 1 }
    }
}

/// One mistake in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub at: Location,
    /// The dotted path of the key, for example `routes.canary.weight`; empty for the whole file.
    pub key: String,
    /// What was expected and what was found: lowercase, one line.
    pub message: String,
    /// The next step.
    pub help: Option<String>,
}

impl Problem {
    /// A problem without a next step; see [`Problem::help`].
    pub fn new(at: &Location, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.clone(), key: key.into(), message: message.into(), help: None }
    }

    /// What is wrong and where, and the next step.
    pub fn advice(&self) -> Advice {
        let wrong = Self { help: None, ..self.clone() };
        match &self.help {
            Some(help) => Advice::new(wrong, sanitize(help)),
            None => wrong.to_string().into(),
        }
    }

    /// Adds the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The problem with the line of `source` it is about and a caret below it, for a terminal.
    ///
    /// `source` is the content of the problem's file; without it, or when the line is not there, or the file
    /// holds a Secret, the line is left out.
    pub fn annotated<'a>(&'a self, source: Option<&'a [u8]>) -> impl fmt::Display + 'a {
        Annotated { problem: self, line: source.and_then(|source| self.source_line(source)) }
    }

    fn source_line(&self, source: &[u8]) -> Option<String> {
        if holds_a_secret(&String::from_utf8_lossy(source)) {
            return None;
        }
        let line = source.split(|byte| *byte == b'\n').nth(self.at.line.checked_sub(1)?)?;
        Some(String::from_utf8_lossy(line).trim_end().to_owned())
    }
}

/// The most problems that are shown of one file.
pub(crate) const MOST_SHOWN: usize = 50;

/// No more problems than somebody reads at once.
pub(crate) fn few(mut problems: Vec<Problem>) -> Vec<Problem> {
    let more = problems.len().saturating_sub(MOST_SHOWN);
    if more > 0 {
        problems.truncate(MOST_SHOWN);
        let message = format!("and {more} more problems");
        let last = Problem::new(&problems[MOST_SHOWN - 1].at, "", message);
        problems.push(last.help("mend those before first"));
    }
    problems
}

impl fmt::Display for Problem {
    /// `file:line:column: key: message; help`, on one line, for logs and statuses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location { file, line, column, .. } = &self.at;
        write!(f, "{}:{line}:{column}: ", sanitize(file))?;
        if !self.key.is_empty() {
            write!(f, "{}: ", sanitize(&self.key))?;
        }
        f.write_str(&sanitize(&self.message))?;
        match &self.help {
            Some(help) => write!(f, "; {}", sanitize(help)),
            None => Ok(()),
        }
    }
}

struct Annotated<'a> {
    problem: &'a Problem,
    line: Option<String>,
}

impl fmt::Display for Annotated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use anstyle::{AnsiColor, Style};
        const ERROR: Style = AnsiColor::Red.on_default().bold();
        const BOLD: Style = Style::new().bold();
        const FRAME: Style = AnsiColor::Blue.on_default().bold();

        let Problem { at: Location { file, line, column, length }, key, message, help } =
            self.problem;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        write!(f, "{ERROR}error{ERROR:#}{BOLD}: ")?;
        if !key.is_empty() {
            write!(f, "{}: ", sanitize(key))?;
        }
        writeln!(f, "{}{BOLD:#}", sanitize(message))?;
        writeln!(f, "{margin}{FRAME}-->{FRAME:#} {}:{line}:{column}", sanitize(file))?;
        if let Some(text) = &self.line {
            let window = Window::around(text, *column, *length);
            writeln!(f, "{margin} {FRAME}|{FRAME:#}")?;
            writeln!(f, "{FRAME}{number} |{FRAME:#} {}", window.text)?;
            let (indent, carets) = (" ".repeat(window.indent), "^".repeat(window.carets));
            writeln!(f, "{margin} {FRAME}|{FRAME:#} {indent}{ERROR}{carets}{ERROR:#}")?;
        }
        if let Some(help) = help {
            writeln!(f, "{margin} {FRAME}={FRAME:#} {BOLD}help{BOLD:#}: {}", sanitize(help))?;
        }
        Ok(())
    }
}

/// The part of a long line that is shown. What has no shape is replaced one for one, so that the
/// carets stand below what they mean.
struct Window {
    text: String,
    indent: usize,
    carets: usize,
}

impl Window {
    const WIDTH: usize = 110;

    fn around(line: &str, column: usize, length: usize) -> Self {
        let before = column.saturating_sub(1);
        let start = if before < Self::WIDTH { 0 } else { before - Self::WIDTH / 2 };
        let text: String = line.chars().skip(start).take(Self::WIDTH).map(visible).collect();
        let indent = before - start;
        let room = text.chars().count().saturating_sub(indent);
        Self { text, indent, carets: length.min(room).max(1) }
    }
}

fn visible(character: char) -> char {
    match character {
        '\t' => ' ',
        character if has_shape(character) => character,
        _ => '\u{fffd}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: usize, column: usize, length: usize) -> Problem {
        let at = Location { file: "services/echo.yaml".into(), line, column, length };
        Problem::new(&at, "routes.canary.weight", "expected a whole number, found 150")
            .help("write 50")
    }

    #[test]
    fn a_problem_is_one_line_for_logs() {
        assert_eq!(
            problem(2, 11, 3).to_string(),
            "services/echo.yaml:2:11: routes.canary.weight: expected a whole number, found 150; \
             write 50"
        );
    }

    #[test]
    fn a_problem_shows_its_line_with_a_caret_below() {
        let shown = problem(2, 11, 3).annotated(Some(b"canary:\n  weight: 150\n")).to_string();
        insta::assert_snapshot!(anstream::adapter::strip_str(&shown).to_string(), @r"
        error: routes.canary.weight: expected a whole number, found 150
         --> services/echo.yaml:2:11
          |
        2 |   weight: 150
          |           ^^^
          = help: write 50
        ");
    }

    #[test]
    fn no_line_of_a_file_with_a_secret_is_shown() {
        let file = b"kind: Secret\nstringData: {password: hunter2}\n";
        let shown = problem(2, 24, 7).annotated(Some(file)).to_string();
        assert!(!shown.contains("hunter2") && shown.contains("services/echo.yaml:2:24"), "{shown}");
    }

    #[test]
    fn hostile_text_reaches_neither_a_terminal_nor_a_log() {
        const HOSTILE: &str = "\u{1b}[2J\u{202e}\r\n\u{200b}\u{9b}1m";
        let at = Location { file: HOSTILE.into(), line: 1, column: 1, length: 9 };
        let problem = Problem::new(&at, HOSTILE, HOSTILE).help(HOSTILE);
        let shown = problem.annotated(Some(HOSTILE.as_bytes())).to_string();
        let shown = anstream::adapter::strip_str(&shown).to_string();
        for text in [problem.to_string(), shown.replace('\n', "")] {
            assert!(text.chars().all(has_shape), "{text:?}");
        }
        assert_eq!(shown.lines().count(), 6, "{shown}");
    }

    #[test]
    fn a_place_beyond_the_file_is_shown_without_a_line() {
        let shown = problem(9, 1, 1).annotated(Some(b"a: 1\n")).to_string();
        assert!(!shown.contains('^'), "{shown}");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{}HERE{}", "x".repeat(5000), "y".repeat(5000));
        let shown = problem(1, 5001, 4).annotated(Some(line.as_bytes())).to_string();
        assert!(shown.contains("HERE"), "{shown}");
        assert!(shown.lines().all(|line| line.len() < 200), "{shown}");
    }

    #[test]
    fn a_long_line_is_shown_from_half_a_window_before_the_place() {
        let line = format!("{}HERE{}", "x".repeat(5000), "y".repeat(5000));
        let window = Window::around(&line, 5001, 4);
        let expected = format!("{}HERE{}", "x".repeat(55), "y".repeat(51));
        assert_eq!((window.text, window.indent, window.carets), (expected, 55, 4));
        // As long as the place is within the window, a line is shown from its beginning.
        assert_eq!(Window::around(&line, Window::WIDTH, 1).indent, Window::WIDTH - 1);
        assert_eq!(Window::around(&line, Window::WIDTH + 1, 1).indent, 55);
        let end = Window::around("a: b", 4, 9);
        assert_eq!((end.text.as_str(), end.indent, end.carets), ("a: b", 3, 1));
        assert_eq!(Window::around("a: b", 5, 9).carets, 1, "the end of the line has a caret too");
    }

    #[test]
    fn only_the_first_of_many_problems_are_shown_and_the_others_counted() {
        let problems = |count: usize| few((0..count).map(|at| problem(at + 1, 1, 1)).collect());
        assert_eq!(problems(MOST_SHOWN).len(), MOST_SHOWN);
        let shown = problems(MOST_SHOWN + 2);
        assert_eq!(shown.len(), MOST_SHOWN + 1);
        let last = shown.last().expect("the others").to_string();
        assert_eq!(last, "services/echo.yaml:50:1: and 2 more problems; mend those before first");
    }
}
