//! Running the tools that build: their output is kept for the error, and read line by line where
//! it tells how far they are.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, ErrorKind, Read as _},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, anyhow, bail};

/// Lines of output that go into an error.
const TAIL: usize = 20;

/// Runs `command`, hands every line of its standard error to `each`, and gives its standard output.
///
/// `install` is said when the program is not there at all.
pub(super) fn run(
    command: &mut Command,
    install: &str,
    mut each: impl FnMut(&str),
) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!("the program {name} is not there: {install}"),
        _ => anyhow!("cannot start {name}: {error}"),
    })?;
    let (Some(mut stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        bail!("cannot read the output of {name}");
    };
    let output = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let mut last = VecDeque::with_capacity(TAIL);
    for line in BufReader::new(stderr).lines() {
        let line = line.with_context(|| format!("cannot read the output of {name}"))?;
        each(&line);
        if last.len() == TAIL {
            last.pop_front();
        }
        last.push_back(line);
    }
    let output = output.join().map_err(|_| anyhow!("cannot read the output of {name}"))??;
    let status = child.wait()?;
    if !status.success() {
        let arguments: Vec<_> = command.get_args().take(3).map(|a| a.to_string_lossy()).collect();
        let last: Vec<String> = last.into();
        bail!("`{name} {}` failed ({status}):\n{}", arguments.join(" "), last.join("\n"));
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_says_what_to_install() {
        let error = run(&mut Command::new("no-such-tool"), "install it", |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "the program no-such-tool is not there: install it");
    }

    #[test]
    fn a_failure_shows_the_end_of_the_output() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo out; echo trouble >&2; exit 7"]);
        let mut seen = Vec::new();
        let error = run(&mut command, "", |line| seen.push(line.to_owned())).unwrap_err();
        assert!(error.to_string().ends_with("trouble"), "{error}");
        assert_eq!(seen, ["trouble"]);
    }
}
