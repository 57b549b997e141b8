//! The project's own programs that the harness starts.

use std::{env, path::PathBuf};

use anyhow::{Context as _, Result, bail};

/// Where `name` (`http-echo`, `coalmine`, ...) was built: beside the running executable, or one
/// folder up for a test, which cargo puts into `deps`.
///
/// # Errors
/// It is not there; the message names the command that builds it.
pub fn find(name: &str) -> Result<PathBuf> {
    let own = env::current_exe().context("cannot find this program's own file")?;
    let folders = own.ancestors().skip(1).take(2);
    for folder in folders.clone() {
        let program = folder.join(name);
        if program.is_file() {
            return Ok(program);
        }
    }
    let package = if name == "coalmine" { "coalmine" } else { "harness" };
    let looked: Vec<_> = folders.map(|folder| folder.display().to_string()).collect();
    bail!(
        "the program {name} is not built (looked in {}); run `cargo build --package {package} \
         --bin {name}`",
        looked.join(" and ")
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_program_that_is_not_built_names_the_command_that_builds_it() {
        let error = super::find("no-such-program").unwrap_err().to_string();
        assert!(error.contains("cargo build --package harness --bin no-such-program"), "{error}");
    }
}
