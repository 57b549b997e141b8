//! What a process costs, by the kernel's books.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use nix::unistd::{SysconfVar, sysconf};

/// A process of this namespace, as `/proc` knows it.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    folder: PathBuf,
}

/// What a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Resident pages that are no file's, in KiB.
    pub(super) anonymous: u64,
    /// Open file descriptors, sockets included.
    pub(super) descriptors: usize,
    /// Sockets among them.
    pub(super) sockets: usize,
    pub(super) threads: u64,
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
        let status = self.status()?;
        Ok(Memory { resident: field(&status, "VmRSS")?, peak: field(&status, "VmHWM")? })
    }

    pub(super) fn held(&self) -> Result<Held> {
        let status = self.status()?;
        let entries = fs::read_dir(self.folder.join("fd")).context("the process is gone")?;
        // What is closed meanwhile has no target any more.
        let targets = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        let targets: Vec<PathBuf> = targets.collect();
        let is_socket = |target: &&PathBuf| target.to_string_lossy().starts_with("socket:");
        Ok(Held {
            anonymous: field(&status, "RssAnon")?,
            descriptors: targets.len(),
            sockets: targets.iter().filter(is_socket).count(),
            threads: field(&status, "Threads")?,
        })
    }

    fn status(&self) -> Result<String> {
        fs::read_to_string(self.folder.join("status")).context("the process is gone")
    }
}

/// A number in a process's status; of memory in KiB.
fn field(status: &str, name: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    number.with_context(|| format!("no {name} in the process's status"))
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
    fn what_this_process_opens_it_holds() {
        let usage = Usage::of(std::process::id()).unwrap();
        let before = usage.held().unwrap();
        let open: Vec<_> =
            (0..50).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let held = usage.held().unwrap();
        // Other tests open and close something meanwhile.
        assert!(held.sockets >= before.sockets + 30, "{before:?} {held:?}");
        assert!(held.descriptors >= held.sockets && held.threads > 0 && held.anonymous > 100);
        drop(open);
    }

    #[test]
    fn a_process_s_name_does_not_move_the_fields() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 10 20 3 4 20 0 1 0 5";
        assert_eq!(ticks(stat), Some(37));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
