//! A part of a bed that can be started again while the bed runs.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use tokio::sync::watch;

use crate::process::{Process, Program};

/// A program, and the process that it is at the moment.
#[derive(Debug)]
pub(super) struct Part {
    program: Program,
    /// `None` between two of them.
    process: watch::Sender<Option<Arc<Process>>>,
}

impl Part {
    /// Starts the program.
    ///
    /// # Errors
    /// The executable or the log file cannot be opened.
    pub(super) fn start(program: Program) -> Result<Self> {
        let process = Arc::new(Process::start(&program)?);
        Ok(Self { program, process: watch::Sender::new(Some(process)) })
    }

    /// The process, unless it is just being replaced.
    ///
    /// # Errors
    /// There is none at the moment.
    pub(super) fn process(&self) -> Result<Arc<Process>> {
        let process = self.process.borrow().clone();
        process.with_context(|| format!("{} is not running", self.program.name))
    }

    /// Ends the process as a crash does, and starts the program again.
    ///
    /// # Errors
    /// As [`Part::start`]; then it does not run.
    pub(super) async fn restart(&self) -> Result<()> {
        if let Some(process) = self.process.send_replace(None) {
            process.kill();
            process.ended().await;
        }
        let process = Arc::new(Process::start(&self.program)?);
        self.process.send_replace(Some(process));
        Ok(())
    }

    /// Its unexpected end; for a `select!` beside something that needs it alive.
    pub(super) async fn failure(&self) -> anyhow::Error {
        let mut process = self.process.subscribe();
        loop {
            let present = process.borrow_and_update().clone();
            let failure = async {
                match &present {
                    Some(present) => present.failure().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                // Whoever replaces it says so before it ends.
                changed = process.changed() => {
                    if let Err(error) = changed {
                        return error.into();
                    }
                }
                failure = failure => return failure,
            }
        }
    }

    /// Asks the process to end, and kills it when it has not within `grace`.
    pub(super) async fn stop(&self, grace: Duration) {
        if let Some(process) = self.process.send_replace(None) {
            process.stop(grace).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn part(script: &str, logs: &Path) -> Part {
        Part::start(Program::new("shell", "/bin/sh", logs).arg("-c").arg(script)).unwrap()
    }

    #[tokio::test]
    async fn a_restart_is_no_failure_and_gives_another_process() {
        let logs = tempfile::tempdir().unwrap();
        let part = part("read x < /dev/zero", logs.path());
        let first = part.process().unwrap().id().unwrap();
        tokio::select! {
            biased;
            error = part.failure() => panic!("{error:#}"),
            restarted = part.restart() => restarted.unwrap(),
        }
        assert_ne!(part.process().unwrap().id().unwrap(), first);
        part.stop(Duration::from_secs(10)).await;
        assert!(part.process().is_err());
    }

    #[tokio::test]
    async fn an_end_that_nobody_asked_for_is_a_failure_also_after_a_restart() {
        let logs = tempfile::tempdir().unwrap();
        let part = part("read x < /dev/zero", logs.path());
        part.restart().await.unwrap();
        part.process().unwrap().kill();
        let failure = tokio::time::timeout(Duration::from_secs(60), part.failure()).await;
        assert!(failure.unwrap().to_string().starts_with("shell ended"));
    }
}
