//! This executable, started as one of the programs under test and looked at from outside.

use std::{
    env, fs,
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::until;

/// Every process of a bed inherits it, and so is found again.
const MARK: &str = "COALMINE_BED_TEST";

/// This executable, started as one of the programs under test.
pub(crate) struct Program {
    child: Child,
    pub(crate) folder: tempfile::TempDir,
    mark: String,
}

impl Program {
    pub(crate) fn start(part: &str) -> Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mark = format!("{MARK}={}", folder.path().display());
        let child = Command::new(env::current_exe()?)
            .arg(part)
            .arg(folder.path())
            .env(MARK, folder.path())
            .spawn()?;
        Ok(Self { child, folder, mark })
    }

    /// What the program says once it is ready.
    pub(crate) fn said(&mut self) -> Result<String> {
        let file = self.folder.path().join("said");
        let child = &mut self.child;
        until("the program to be ready", || {
            if let Some(status) = child.try_wait()? {
                bail!("the program ended with {status}");
            }
            Ok((file.exists(), "nothing said".to_owned()))
        })?;
        Ok(fs::read_to_string(file)?)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.child.id().cast_signed()), signal)?)
    }

    pub(crate) fn ended(&mut self) -> Result<ExitStatus> {
        let mut status = None;
        until("the program to end", || {
            status = self.child.try_wait()?;
            Ok((status.is_some(), "still running".to_owned()))
        })?;
        status.context("no status")
    }

    /// Every process that has inherited the mark.
    pub(crate) fn processes(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let process = entry?.path();
            // Others' processes cannot be read, and some are gone by now: neither is ours.
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|line| line == self.mark.as_bytes()) {
                found.push(process);
            }
        }
        Ok(found)
    }

    pub(crate) fn nothing_is_left(&self, within: Duration) -> Result<()> {
        let end = Instant::now() + within;
        loop {
            let left = self.processes()?;
            if left.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < end, "still there: {left:?}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Only after a failure is there anything left to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
