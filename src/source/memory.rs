//! How much memory the fetching child may take: a repository can be made that wants more than there is, and
//! must not take the daemon with it.

use std::fs;
use std::path::Path;

/// What the child may take where nobody limits the daemon, in bytes.
const USUAL: u64 = 1 << 30;
/// The least that is of use, in bytes.
const LEAST: u64 = 64 << 20;
/// What files that are mapped may take beside, in bytes: their pages can be read again and count for nobody.
#[cfg(target_os = "linux")]
const MAPPED: u64 = 2 << 30;

/// Where the kernel says what a container may take, by version 2 and 1 of control groups.
const LIMITS: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// Half of what the container may take, the other half being the daemon's; 1 GiB where there is no limit.
pub fn default_fetch_memory() -> u64 {
    let limit = LIMITS.iter().find_map(|path| read(Path::new(path)));
    limit.map_or(USUAL, |limit| (limit / 2).clamp(LEAST, USUAL))
}

/// A limit in bytes; none when it says `max`, or as good as that.
fn read(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok().filter(|limit| *limit < 1 << 50)
}

/// Limits this process: what it allocates to so many bytes, and its address space to that and the files that
/// it maps. What does not fit is refused to it, and nobody else is ended for it.
#[cfg(target_os = "linux")]
pub(super) fn limit(bytes: u64) -> std::io::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    for (resource, limit) in
        [(Resource::RLIMIT_DATA, bytes), (Resource::RLIMIT_AS, bytes.saturating_add(MAPPED))]
    {
        let (_, hard) = getrlimit(resource)?;
        let limit = limit.min(hard);
        setrlimit(resource, limit, limit)?;
    }
    Ok(())
}

/// Other systems have no such limit.
#[cfg(not(target_os = "linux"))]
pub(super) fn limit(_bytes: u64) -> std::io::Result<()> {
    Ok(())
}

/// Whether these are the words of somebody who got no memory: of libgit2, of the operating system, or of
/// Rust's allocator.
pub(super) fn is_lack_of_memory(words: &str) -> bool {
    let words = words.to_lowercase();
    ["out of memory", "cannot allocate memory", "memory allocation of"]
        .iter()
        .any(|known| words.contains(known))
}

/// Whether these are the words of somebody who found the disk full.
pub(super) fn is_lack_of_disk(words: &str) -> bool {
    let words = words.to_lowercase();
    ["no space left on device", "disk quota exceeded", "file too large"]
        .iter()
        .any(|known| words.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_s_limit_is_read_and_none_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.max");
        for (text, limit) in
            [("268435456\n", Some(268_435_456)), ("max\n", None), ("9223372036854771712\n", None)]
        {
            fs::write(&file, text).unwrap();
            assert_eq!(read(&file), limit, "{text}");
        }
        assert_eq!(read(&folder.path().join("absent")), None);
        assert!((LEAST..=USUAL).contains(&default_fetch_memory()));
    }
}
