//! What a process costs, by the kernel's books.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use nix::unistd::{SysconfVar, sysconf};

/// A process of this namespace, as `/proc` knows it.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    folder: PathBuf,
}

/// Memory in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// What is resident now.
    pub(super) resident: u64,
    /// The most that ever was.
    pub(super) peak: u64,
}

impl Usage {
    /// Finds the process with this id. `/proc` belongs to the namespace outside, so it stands there
    /// under another number.
    pub(super) fn of(id: u32) -> Result<Self> {
        let namespace = fs::read_link("/proc/self/ns/pid").context("cannot read /proc/self")?;
        for entry in fs::read_dir("/proc").context("cannot read /proc")? {
            let folder = entry?.path();
            // What cannot be read is somebody else's, or gone.
            if fs::read_link(folder.join("ns/pid")).ok().as_ref() != Some(&namespace) {
                continue;
            }
            let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
            let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            if ids.and_then(|ids| ids.split_whitespace().last()) == Some(&id.to_string()) {
                return Ok(Self { folder });
            }
        }
        anyhow::bail!("process {id} is not in /proc")
    }

    /// Processor time so far, its ended children's included.
    pub(super) fn processor(&self) -> Result<Duration> {
        let stat = fs::read_to_string(self.folder.join("stat")).context("the process is gone")?;
        let ticks = ticks(&stat).with_context(|| format!("cannot understand {stat}"))?;
        let per_second = sysconf(SysconfVar::CLK_TCK)?.context("no clock ticks")?;
        Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
    }

    pub(super) fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(self.folder.join("status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
            number.with_context(|| format!("no {name} in the process's status"))
        };
        Ok(Memory { resident: field("VmRSS")?, peak: field("VmHWM")? })
    }
}

/// proc(5): utime, stime, cutime and cstime are the fields 14 to 17; the second is the name in
/// parentheses, which may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_processor() {
        let usage = Usage::of(std::process::id()).unwrap();
        let memory = usage.memory().unwrap();
        assert!(memory.resident > 100 && memory.peak >= memory.resident, "{memory:?}");
        usage.processor().unwrap();
    }

    #[test]
    fn a_process_s_name_does_not_move_the_fields() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 10 20 3 4 20 0 1 0 5";
        assert_eq!(ticks(stat), Some(37));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
