//! The `git` program, for whatever rests on a person's own settings: credentials, signatures, hooks,
//! proxies. What it can reach, we can.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::hint::Advise;

/// The `git` program in one work tree.
#[derive(Clone, Debug)]
pub(super) struct Git(pub(super) PathBuf);

/// What a command printed that may fail for a good reason.
pub(super) struct Answer {
    pub(super) succeeded: bool,
    /// Both streams, without the ends of their lines.
    pub(super) words: String,
}

impl Git {
    /// Runs a command that has to succeed, and returns what it printed.
    pub(super) fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let answer = self.ask(arguments)?;
        if !answer.succeeded {
            bail!("`git {}` failed: {}", arguments.join(" "), answer.words);
        }
        Ok(answer.words)
    }

    /// Runs a command that may fail.
    pub(super) fn ask(&self, arguments: &[&str]) -> anyhow::Result<Answer> {
        let output = command(&self.0)
            .args(arguments)
            .output()
            .advise(|| ("cannot run `git`", "is it installed?"))?;
        let words = [output.stdout, output.stderr].concat();
        let words = String::from_utf8_lossy(&words).trim().to_owned();
        Ok(Answer { succeeded: output.status.success(), words })
    }

    /// Makes a commit, signed if the person's settings say so, and returns its id. No branch moves.
    pub(super) fn commit(&self, tree: &str, parent: &str, message: &str) -> anyhow::Result<String> {
        let signs = self.ask(&["config", "--type=bool", "--get", "commit.gpgsign"])?;
        let mut command = command(&self.0);
        command.args(["commit-tree", tree, "-p", parent, "-m", message]);
        if signs.words == "true" {
            command.arg("-S");
        }
        let output = command.output().advise(|| ("cannot run `git`", "is it installed?"))?;
        if !output.status.success() {
            bail!("git makes no commit: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Whoever is asked for a passphrase is asked as by git itself.
fn command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).env("LC_ALL", "C").stdin(Stdio::inherit());
    command
}
