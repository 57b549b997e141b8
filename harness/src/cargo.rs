//! What cargo builds for a program of the harness, beside it.

use std::{
    env,
    ffi::OsStr,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::progress::Progress;

/// Of the daemon that is measured.
pub(crate) const RELEASE: &str = "release";

/// Where this program was built, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Built {
    name: String,
    /// Cargo's target folder.
    target: PathBuf,
    profile: String,
}

impl Built {
    /// What the place of this program tells.
    ///
    /// # Errors
    /// It is not in a build folder of cargo.
    pub(crate) fn this_program() -> Result<Self> {
        let own = env::current_exe().context("cannot find this program's own file")?;
        Self::at(&own)
            .with_context(|| format!("{} is not in a build folder of cargo", own.display()))
    }

    fn at(program: &Path) -> Option<Self> {
        let folder = program.parent()?;
        let profile = match folder.file_name()?.to_str()? {
            "debug" => "dev",
            profile => profile,
        };
        Some(Self {
            name: program.file_name()?.to_str()?.to_owned(),
            target: folder.parent()?.to_path_buf(),
            profile: profile.to_owned(),
        })
    }

    /// The profile that this program was built with.
    pub(crate) fn profile(&self) -> &str {
        &self.profile
    }

    /// Where cargo puts a program that it builds with a profile.
    pub(crate) fn program(&self, name: &str, profile: &str) -> PathBuf {
        let folder = if profile == "dev" { "debug" } else { profile };
        self.target.join(folder).join(name)
    }

    /// Has cargo build programs with a profile. It does nothing when they are there.
    ///
    /// # Errors
    /// A build that fails, with cargo's own words above.
    pub(crate) fn build(
        &self,
        programs: &[&str],
        profile: &str,
        progress: &Progress,
    ) -> Result<()> {
        let step = progress.step(format!("building {} ({profile})", programs.join(", ")));
        let mut build = self.command(programs, profile, &["build"]);
        // There is the configuration that cargo reads.
        build.current_dir(workspace());
        let built = build.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if built.with_context(|| format!("cannot run {}", cargo().display()))?.success() {
            step.done();
            return Ok(());
        }
        drop(step);
        // Once more, for what it has to say about it.
        let status = build.stdout(Stdio::inherit()).stderr(Stdio::inherit()).status()?;
        let programs = programs.join(", ");
        ensure!(
            status.success(),
            "{programs} could not be built ({status}); cargo's reason is above"
        );
        Ok(())
    }

    /// Builds this program once more, with a feature of the harness, and runs it in this one's place.
    /// Returns only an error.
    pub(crate) fn run_with(&self, feature: &str) -> anyhow::Error {
        let feature = format!("harness/{feature}");
        let arguments = ["run", "--features", &feature];
        let mut command = self.command(&[&self.name], &self.profile, &arguments);
        let error = command.arg("--").args(env::args_os().skip(1)).exec();
        anyhow!(error).context(format!("cannot run {}", cargo().display()))
    }

    fn command(&self, programs: &[&str], profile: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo());
        // What `cargo run` says about this program is not true of what is built now, and build scripts
        // that look at it would run again each time.
        for (name, _) in env::vars_os().filter(|(name, _)| is_about_a_package(name)) {
            command.env_remove(&name);
        }
        command.args(arguments);
        // Without a package, as the aliases have it: other features of the dependencies would be built
        // for a single one, all over again.
        command.args(programs.iter().flat_map(|name| ["--bin", name]));
        command.args(["--profile", profile, "--target-dir"]).arg(&self.target);
        command.arg("--manifest-path").arg(workspace().join("Cargo.toml"));
        command
    }
}

fn is_about_a_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// The root of this repository.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1).take(1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_s_place_tells_target_folder_and_profile() {
        for (path, target, profile) in
            [("/a/target/debug/demo", "/a/target", "dev"), ("/t/release/demo", "/t", "release")]
        {
            let built = Built::at(Path::new(path)).expect(path);
            assert_eq!((built.target.as_path(), built.profile()), (Path::new(target), profile));
            assert_eq!(built.program("demo", profile), Path::new(path));
        }
        assert_eq!(Built::at(Path::new("demo")), None);
    }

    #[test]
    fn the_workspace_is_the_folder_with_the_example_repository() {
        assert!(workspace().join("rollouts/services/echo.yaml").is_file());
    }
}
