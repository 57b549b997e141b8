//! The commands of a page.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// Commands begin a line with this.
const PROMPT: &str = "$ ";

/// A page's commands, in their order.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) commands: Vec<Command>,
}

/// A command, and what the page says about its output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// Where it stands, from 1.
    pub(crate) line: usize,
    /// What is typed, of several lines where it is continued or holds a document.
    pub(crate) text: String,
    /// What it prints; nothing, where the page does not say.
    pub(crate) output: Vec<String>,
    /// Whether `echo $?` comes next: then it may fail.
    pub(crate) code_is_shown: bool,
}

impl Page {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    /// Those of the blocks that are marked `console`, and of comments that begin with that word: what the reader
    /// has done already.
    fn parse(text: &str) -> Result<Self> {
        let mut commands: Vec<Command> = Vec::new();
        let mut lines = text.lines().enumerate();
        while let Some((_, line)) = lines.next() {
            let end = match line {
                "```console" => "```",
                "<!-- console" => "-->",
                _ => continue,
            };
            let first = commands.len();
            loop {
                let (at, line) = lines.next().context("a block has no end")?;
                if line == end {
                    break;
                }
                let line_number = at + 1;
                if let Some(typed) = line.strip_prefix(PROMPT) {
                    let mut text = typed.to_owned();
                    while let Some(missing) = unfinished(&text) {
                        let (_, more) = lines.next().context("a command has no end")?;
                        ensure!(more != end, "line {line_number}: {missing} is missing");
                        text = format!("{text}\n{more}");
                    }
                    let output = Vec::new();
                    commands.push(Command {
                        line: line_number,
                        text,
                        output,
                        code_is_shown: false,
                    });
                } else if commands.len() > first {
                    commands.last_mut().context("no command")?.output.push(line.to_owned());
                } else {
                    bail!("line {line_number}: an output before the first command");
                }
            }
        }
        for at in 1..commands.len() {
            commands[at - 1].code_is_shown = commands[at].text == "echo $?";
        }
        Ok(Self { commands })
    }
}

/// What has to come before the command is whole.
fn unfinished(text: &str) -> Option<&str> {
    if text.ends_with('\\') {
        return Some("the next line");
    }
    let (_, document) = text.lines().next()?.split_once("<<'")?;
    let (word, _) = document.split_once('\'')?;
    let is_there = text.lines().skip(1).any(|line| line == word);
    (!is_there).then_some(word)
}

pub(crate) fn a_page_is_read_as_a_shell_would() -> Result<()> {
    let page = "\
# A page
```sh
$ not run
```
<!-- console
$ before
-->
```console
$ cat > file <<'END'
a line
END
$ long \\
    longer   # why
one

two
$ fails
$ echo $?
4
```
";
    let commands = Page::parse(page)?.commands;
    let seen: Vec<_> = commands.iter().map(|it| (it.line, it.text.as_str())).collect();
    let expected = [
        (6, "before"),
        (9, "cat > file <<'END'\na line\nEND"),
        (12, "long \\\n    longer   # why"),
        (17, "fails"),
        (18, "echo $?"),
    ];
    ensure!(seen == expected, "{seen:?}");
    ensure!(commands[2].output == ["one", "", "two"], "{:?}", commands[2].output);
    let may_fail: Vec<bool> = commands.iter().map(|it| it.code_is_shown).collect();
    ensure!(may_fail == [false, false, false, true, false], "{may_fail:?}");
    ensure!(Page::parse("```console\nout\n```").is_err(), "an output of nothing");
    ensure!(Page::parse("```console\n$ cat <<'END'\n```").is_err(), "a document without an end");
    Ok(())
}
