//! Starting the engine, and talking to it.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use futures::TryStreamExt as _;
use testcontainers::{
    bollard::{Docker, query_parameters::ImportImageOptions},
    core::client::docker_client_instance,
};
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::{obstacle::CannotRun, place::Place};
use crate::{
    build::NodeImage,
    process::{Process, Program},
    wait::{self, Seen},
};

const DEADLINE: Duration = Duration::from_secs(60);
const START: &str = include_str!("engine.sh");
const RUNTIME: &str = include_str!("runtime.sh");
/// The bit of CAP_SYS_RESOURCE.
const SYS_RESOURCE: u64 = 1 << 24;

/// Starts the engine in the place that [`crate::enter`] made for it, and waits until it answers.
pub(crate) async fn start(image: &NodeImage, logs: &Path) -> Result<Process> {
    let host = env::var("DOCKER_HOST").unwrap_or_default();
    let place = Place::of(&host).context("no place was made for a Docker engine")?;
    let root = &image.engine;
    let libraries = root.join(format!("usr/lib/{}-linux-gnu", env::consts::ARCH));
    let path = env::var("PATH").unwrap_or_default();
    let [sbin, bin] = ["usr/sbin", "usr/bin"].map(|folder| root.join(folder));
    let program = Program::new("dockerd", "unshare", logs)
        .args(["--mount", "--propagation=private", "sh", "-c", START])
        .env("PATH", format!("{}:{}:{path}", sbin.display(), bin.display()))
        .env("LD_LIBRARY_PATH", libraries.display().to_string())
        .env("XTABLES_LIBDIR", libraries.join("xtables").display().to_string())
        .env("PLACE", place.folder().display().to_string())
        .env("RUNTIME", runtime(&sbin, place.folder())?.display().to_string());
    let process = Process::start(&program)?;
    let answers = wait::until("the Docker engine to answer", DEADLINE, || async {
        Seen::from_result(answering().await.map(drop))
    });
    process.alive(answers).await.context(CannotRun)?;
    Ok(process)
}

/// The runtime of containers: runc, or where root lacks a right that it insists on, what asks for less.
fn runtime(programs: &Path, place: &Path) -> Result<PathBuf> {
    let runc = programs.join("runc");
    // One that is installed was not downloaded.
    let runc = if runc.exists() { runc } else { PathBuf::from("/usr/sbin/runc") };
    if capabilities(&fs::read_to_string("/proc/self/status")?) & SYS_RESOURCE != 0 {
        return Ok(runc);
    }
    let wrapper = place.join("runtime");
    fs::write(&wrapper, RUNTIME.replace("RUNC", &runc.display().to_string()))?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    Ok(wrapper)
}

/// What the processes of a user may be granted at all (capabilities(7), bounding set).
fn capabilities(status: &str) -> u64 {
    let bound = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    bound.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(u64::MAX)
}

/// The engine that `DOCKER_HOST` or the usual socket leads to, if it answers.
pub(crate) async fn answering() -> Result<Docker> {
    let docker = docker_client_instance().await.map_err(|error| anyhow!(error))?;
    docker.ping().await?;
    Ok(docker)
}

/// Puts the images of an archive into the engine's store.
pub(crate) async fn load(archive: &Path) -> Result<()> {
    let file = File::open(archive).await;
    let file = file.with_context(|| format!("cannot read {}", archive.display()))?;
    let options = ImportImageOptions { quiet: true, ..Default::default() };
    let loading = answering().await?.import_image_stream(
        options,
        ReaderStream::with_capacity(file, 1 << 20),
        None,
    );
    let said: Vec<_> =
        loading.try_collect().await.context("the Docker engine does not take the node image")?;
    let error = said.iter().find_map(|line| line.error_detail.as_ref()?.message.clone());
    ensure!(
        error.is_none(),
        "the Docker engine does not take the node image: {}",
        error.unwrap_or_default()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounding_set_is_read_from_what_the_kernel_says_of_a_process() {
        let status = |bits: &str| format!("Name:\tx\nCapBnd:\t{bits}\nCapAmb:\t0\n");
        assert_eq!(capabilities(&status("000001fffeffffff")) & SYS_RESOURCE, 0);
        assert_ne!(capabilities(&status("000001ffffffffff")) & SYS_RESOURCE, 0);
        // A kernel that does not say refuses nothing that we know of.
        assert_ne!(capabilities("") & SYS_RESOURCE, 0);
    }
}
