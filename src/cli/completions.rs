//! `coalmine completions` and `coalmine man`: what a package installs beside the program.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use super::CommandLine;

/// Print completions for a shell
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine completions bash > /etc/bash_completion.d/coalmine
  coalmine completions zsh > \"${fpath[1]}/_coalmine\"
  coalmine completions fish > ~/.config/fish/completions/coalmine.fish")]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut CommandLine::command(), "coalmine", &mut script);
        std::io::stdout().lock().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Write the manual's pages, one a command
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine man /usr/local/share/man/man1")]
pub(super) struct Man {
    /// The folder to write them to
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        std::fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(CommandLine::command(), &self.folder))
            .with_context(|| format!("cannot write to {}", self.folder.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
