//! Before the bed: the project's own programs, built as this one was.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Has cargo build coalmine and the echo service beside this program, with this program's profile.
/// Cargo says what it builds and does nothing when everything is there. Starts no thread.
///
/// # Errors
/// A build that fails, with cargo's own words above.
pub fn programs() -> Result<()> {
    let own = env::current_exe().context("cannot find this program's own file")?;
    let (target, profile) = placed(&own)
        .with_context(|| format!("{} is not in a build folder of cargo", own.display()))?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(&cargo);
    // What `cargo run` says about this program is not true of what is built now, and build scripts
    // that look at it would run again each time.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    let status = build
        .current_dir(workspace())
        // Without a package, as the alias has it: other features of the dependencies would be built
        // for a single one, all over again.
        .args(["build", "--bin", "coalmine", "--bin", "http-echo", "--bin", "petstore"])
        .args(["--profile", &profile, "--target-dir"])
        .arg(&target)
        .status()
        .with_context(|| format!("cannot run {}", cargo.display()))?;
    ensure!(status.success(), "coalmine could not be built ({status}); cargo's reason is above");
    Ok(())
}

/// Cargo's target folder and the profile of a program in it.
fn placed(program: &Path) -> Option<(PathBuf, String)> {
    let folder = program.parent()?;
    let profile = match folder.file_name()?.to_str()? {
        "debug" => "dev",
        profile => profile,
    };
    Some((folder.parent()?.to_path_buf(), profile.to_owned()))
}

/// The root of this repository.
pub(super) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1).take(1).collect()
}

/// Where the demo keeps what people look at.
pub(super) fn directory() -> PathBuf {
    workspace().join("target/demo")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_s_place_tells_target_folder_and_profile() {
        let placed = |path: &str| placed(Path::new(path));
        assert_eq!(placed("/a/target/debug/demo"), Some(("/a/target".into(), "dev".to_owned())));
        assert_eq!(placed("/t/release/demo"), Some(("/t".into(), "release".to_owned())));
        assert_eq!(placed("demo"), None);
    }

    #[test]
    fn the_workspace_is_the_folder_with_the_example_repository() {
        assert!(workspace().join("rollouts/services/echo.yaml").is_file());
    }
}
