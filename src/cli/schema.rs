//! `coalmine schema`: the JSON Schemas of the files.

use std::io::Write;
use std::process::ExitCode;

use coalmine_core::values::schema;

/// Print the JSON Schema of a file, for editors
///
/// They also stand in docs/schemas. `# yaml-language-server: $schema=FILE` as a file's first line names it.
#[derive(clap::Args)]
pub(super) struct Schema {
    /// Of which file
    #[arg(value_enum)]
    file: File,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum File {
    /// A service's values: services/*.yaml.
    Service,
    /// The repository's settings: coalmine.yaml.
    Settings,
}

impl Schema {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let schema = match self.file {
            File::Service => schema::service(),
            File::Settings => schema::settings(),
        };
        writeln!(std::io::stdout().lock(), "{}", serde_json::to_string_pretty(&schema)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
