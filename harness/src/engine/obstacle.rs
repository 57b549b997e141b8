//! Whether this machine can run an engine of its own.

use std::process::{Command, Stdio};

use nix::unistd::geteuid;

/// This machine cannot run an engine of its own, for a reason that is not ours to repair.
#[derive(Debug, thiserror::Error)]
#[error("a Docker engine of its own cannot run on this machine")]
pub struct CannotRun;

/// What keeps this machine from running an engine of its own, as far as can be seen without
/// starting one.
pub fn obstacle() -> Option<String> {
    if !geteuid().is_root() {
        return Some("a Docker engine of its own can only be started by root".to_owned());
    }
    let missing = ["apt-get", "dpkg-deb", "unshare"].into_iter().find(|name| !is_there(name));
    missing.map(|name| {
        format!("the program {name} is not there; the engine is put together from Debian packages")
    })
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}
