//! A reader's shell.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command as Program;
use tokio::time::timeout;

use crate::output::is_as_shown;
use crate::page::Command;

/// Far longer than anything that a page does.
const DEADLINE: Duration = Duration::from_secs(180);

/// Takes the file of notes and what is typed. Goes on where the command before ended: in its folder, with its
/// variables and its exit code.
const SCRIPT: &str = r#"
set -o pipefail
. "$1"
(exit "$code")
eval "$2"
code=$?
{ export -p; printf 'cd %q\ncode=%q\n' "$PWD" "$code"; } > "$1"
exit "$code"
"#;

/// A shell with nobody's settings but its own.
pub(crate) struct Session {
    state: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Session {
    /// One that begins in this folder and writes down where it is in that one.
    pub(crate) fn new(
        begin: &Path,
        notes: &Path,
        environment: Vec<(&'static str, String)>,
    ) -> Result<Self> {
        let state = notes.join("session");
        std::fs::write(&state, format!("cd '{}'\ncode=0\n", begin.display()))?;
        Ok(Self { state, environment })
    }

    /// Types a command.
    ///
    /// # Errors
    /// It fails, and the page does not ask for its exit code; or it prints something else than the page says.
    pub(crate) async fn run(&mut self, command: &Command) -> Result<()> {
        let mut shell = Program::new("bash");
        shell.args(["--noprofile", "--norc", "-c", SCRIPT, "bash"]).arg(&self.state);
        shell.arg(format!("{{ {}\n}} 2>&1", command.text)).env_clear();
        shell.envs(self.environment.iter().map(|(name, value)| (name, value)));
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let ended = timeout(DEADLINE, shell.output()).await;
        let ended = ended.with_context(|| format!("it has not ended after {DEADLINE:?}"))??;
        let text = [ended.stdout, ended.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let code = ended.status.code().context("it was killed")?;
        ensure!(code == 0 || command.code_is_shown, "it exits with {code}:\n{text}");
        let found: Vec<String> = text.lines().map(str::to_owned).collect();
        if !command.output.is_empty() && !is_as_shown(&command.output, &found) {
            bail!("the page shows\n\n{}\n\nand it prints\n\n{text}", command.output.join("\n"));
        }
        Ok(())
    }
}
