//! Programs from Go modules. A module of ours names them and pins every dependency by its hash.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{cache::Cache, tool};
use crate::progress::Progress;

/// What Go's garbage collector is told in each compiler: to leave everything until there is this much. The
/// processes are short, and collecting is a quarter to a third of what the big generated packages cost
/// (`k8s.io/api/core/v1`: 11.1 s of processor time with it, 7.4 s without).
const COLLECTOR: [(&str, &str); 2] = [("GOGC", "off"), ("GOMEMLIMIT", "1GiB")];

/// A module of ours: what `go.mod` and `go.sum` say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Module {
    pub(super) go_mod: &'static str,
    pub(super) go_sum: &'static str,
}

/// Go, at work in a module.
pub(super) struct Go<'a> {
    module: Module,
    folder: PathBuf,
    cache: &'a Cache,
    /// Its version, system and processor.
    pub(super) version: String,
}

impl Module {
    /// Puts the module where Go can work in it.
    ///
    /// # Errors
    /// There is no Go, or an older one than `go.mod` asks for.
    pub(super) fn open<'a>(self, cache: &'a Cache, progress: &Progress) -> Result<Go<'a>> {
        let folder = cache.get("module", &[self.go_mod, self.go_sum], progress, |folder| {
            fs::write(folder.join("go.mod"), self.go_mod)?;
            Ok(fs::write(folder.join("go.sum"), self.go_sum)?)
        })?;
        let mut go = Go { module: self, folder, cache, version: String::new() };
        go.version = go.run(&["env", "GOVERSION", "GOOS", "GOARCH"], |_| {})?;
        self.check(go.version.lines().next().unwrap_or_default())?;
        Ok(go)
    }

    /// The oldest Go that can build it, by `go.mod`.
    fn oldest(&self) -> &'static str {
        self.go_mod.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or_default()
    }

    fn install(&self) -> String {
        format!(
            "install Go {} or later (https://go.dev/dl/, or your distribution's package) and have \
             `go` in PATH",
            self.oldest()
        )
    }

    /// Refuses a Go that is too old.
    fn check(&self, version: &str) -> Result<()> {
        // A development version of Go has no number.
        if version.starts_with("devel") {
            return Ok(());
        }
        let found = numbers(version.trim_start_matches("go")).with_context(|| {
            format!(
                "`go env GOVERSION` answers {version:?}, which is no version: {}",
                self.install()
            )
        })?;
        if numbers(self.oldest()).is_some_and(|oldest| found < oldest) {
            bail!("go is {version}: {}", self.install());
        }
        Ok(())
    }
}

/// `1.26.5` as its numbers; `1.26` is `1.26.0`, and so is `1.26rc1`.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let mut parts = version.split(|letter: char| !letter.is_ascii_digit());
    let mut next = || parts.next().and_then(|part| part.parse().ok());
    let (major, minor) = (next()?, next()?);
    let is_release = version.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    Some([major, minor, next().filter(|_| is_release).unwrap_or(0)])
}

impl Go<'_> {
    /// What the module says, for the key of what is built from it.
    pub(super) fn inputs(&self) -> [&str; 3] {
        [self.module.go_mod, self.module.go_sum, &self.version]
    }

    /// Fetches all modules that packages need; how many packages there are to build.
    pub(super) fn fetch(
        &self,
        title: &str,
        packages: &[&str],
        progress: &Progress,
    ) -> Result<usize> {
        let mut listed = vec!["list", "-mod=readonly", "-deps"];
        listed.extend(packages);
        let fetching = progress.step(format!("fetching the Go modules of {title}"));
        let packages = self.run(&listed, |line| fetching.advance(line))?;
        fetching.done();
        Ok(packages.lines().count())
    }

    /// The folder of a module's files, once it is fetched.
    pub(super) fn folder_of(&self, module: &str) -> Result<PathBuf> {
        let found = self.run(&["list", "-mod=readonly", "-m", "-f={{.Dir}}", module], |_| {})?;
        let folder = found.trim();
        if folder.is_empty() {
            bail!("the Go module {module} is not there after a build that needs it");
        }
        Ok(folder.into())
    }

    /// Runs one of Go's commands in the module; each line of its standard error is handed to `each`.
    pub(super) fn run(&self, args: &[&str], each: impl FnMut(&str)) -> Result<String> {
        let mut command = Command::new("go");
        command.args(args).current_dir(&self.folder).env("CGO_ENABLED", "0");
        command.envs(COLLECTOR);
        // Go keeps its own caches below HOME and refuses to work without one.
        let home = env::var_os("HOME").is_some_and(|home| Path::new(&home).is_dir());
        for (variable, folder) in [("GOCACHE", "go-build"), ("GOPATH", "go")] {
            if !home && env::var_os(variable).is_none() {
                command.env(variable, self.cache.root().join(folder));
            }
        }
        tool::run(&mut command, &self.module.install(), each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_go_is_refused_with_what_to_install() {
        let module = |go_mod| Module { go_mod, go_sum: "" };
        let minor = module("module x\n\ngo 1.25.0\n");
        for good in ["go1.25", "go1.25.1", "go1.26.8", "go2.0", "devel go1.27-abc"] {
            minor.check(good).unwrap();
        }
        for bad in ["go1.24.11", "go1.9", "", "gopher"] {
            let error = minor.check(bad).unwrap_err().to_string();
            assert!(error.contains("install Go 1.25.0"), "{error}");
        }
        let patch = module("module x\n\ngo 1.26.7\n");
        for good in ["go1.26.7", "go1.26.10", "go1.27"] {
            patch.check(good).unwrap();
        }
        for bad in ["go1.26.6", "go1.26", "go1.26rc9", "go1.25.12"] {
            let error = patch.check(bad).unwrap_err().to_string();
            assert!(error.contains("install Go 1.26.7"), "{bad}: {error}");
        }
    }
}
