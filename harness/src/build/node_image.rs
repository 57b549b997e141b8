//! The image of a Kubernetes node of real containers, and what the images of its pods are based on.
//! Both are put together from Debian packages and from the programs that other beds run as well.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{
    cache::Cache,
    control_plane::KUBERNETES,
    packages::{self, Beside},
    tool,
};
use crate::{
    container_image::{self, Files, Image, Layer},
    progress::Progress,
};

/// What a node needs beside Kubernetes.
const NODE_PACKAGES: [&str; 10] = [
    "busybox-static",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "iptables",
    "mount",
    "openssl",
    "runc",
    "tini",
    "util-linux",
];
/// What our own programs and Envoy need, and a shell.
const POD_PACKAGES: [&str; 3] = ["busybox-static", "libc6", "libgcc-s1"];

/// How the node runs: `harness/node-image`.
const FILES: [(&str, &str); 9] = [
    ("k3s", include_str!("../../node-image/k3s")),
    ("credentials.sh", include_str!("../../node-image/credentials.sh")),
    ("control-plane.sh", include_str!("../../node-image/control-plane.sh")),
    ("node.sh", include_str!("../../node-image/node.sh")),
    ("bridge.conflist", include_str!("../../node-image/bridge.conflist")),
    ("containerd.toml", include_str!("../../node-image/containerd.toml")),
    ("kubelet.yaml", include_str!("../../node-image/kubelet.yaml")),
    ("images-that-are-there.yaml", include_str!("../../node-image/images-that-are-there.yaml")),
    ("passwd", "root:x:0:0:root:/root:/bin/sh\n"),
];

/// Where Kubernetes, containerd and containers keep what must not be on a layered file system.
const VOLUMES: [&str; 5] =
    ["/var/lib/cni", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/rancher/k3s", "/var/log"];

/// Programs that go into the images, by folder.
pub(super) struct Programs<'a> {
    pub(super) control_plane: &'a Path,
    pub(super) node: &'a Path,
    pub(super) envoy: &'a Path,
}

/// The folder with the archive `node.tar` and the layer `pods.tar`.
pub(super) fn get(programs: &Programs<'_>, cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    let distribution = packages::distribution();
    // The folders of programs are named after what they were made from.
    let made_from = [programs.control_plane, programs.node, programs.envoy];
    let made_from = made_from.map(|folder| folder.to_string_lossy().into_owned());
    let [node, pods] = [NODE_PACKAGES.join(" "), POD_PACKAGES.join(" ")];
    let mut inputs = vec![distribution.as_str(), std::env::consts::ARCH, &node, &pods];
    inputs.extend(made_from.iter().map(String::as_str));
    inputs.extend(FILES.iter().flat_map(|(name, content)| [*name, *content]));
    cache.get("node-image", &inputs, progress, |folder| {
        let building = progress.step("putting the node image together");
        build(programs, folder)?;
        building.done();
        Ok(())
    })
}

fn build(programs: &Programs<'_>, folder: &Path) -> Result<()> {
    let work = folder.join("work");
    let node = work.join("node");
    node_files(&node, &work, programs)?;
    let layer = Layer::write(&work.join("node.tar"), |files| add_folder(files, &node))?;
    let image = Image {
        names: vec![format!("{REPOSITORY}:{}", tag())],
        // It reaps what containers leave behind.
        entrypoint: ["/usr/bin/tini-static", "--", "/bin/k3s"].map(str::to_owned).into(),
        command: vec!["server".to_owned()],
        volumes: VOLUMES.into(),
    };
    container_image::write_archive(&folder.join("node.tar"), &[layer], &[image])?;

    let pods = work.join("pods");
    packages::unpack(&POD_PACKAGES, Beside::Nothing, &work.join("pod-packages"), &pods)?;
    slim(&pods)?;
    link_busybox(&pods)?;
    Layer::write(&folder.join("pods.tar"), |files| {
        add_folder(files, &pods)?;
        container_image::append_program(files, "envoy", &programs.envoy.join("envoy"))
    })?;
    Ok(fs::remove_dir_all(work)?)
}

/// The node image's repository.
pub(crate) const REPOSITORY: &str = "coalmine/node";

/// The node image's tag: what it is a node of.
pub(crate) fn tag() -> String {
    format!("v{KUBERNETES}")
}

fn node_files(root: &Path, work: &Path, programs: &Programs<'_>) -> Result<()> {
    packages::unpack(&NODE_PACKAGES, Beside::Nothing, &work.join("node-packages"), root)?;
    slim(root)?;
    packages::link_iptables(root)?;
    link_busybox(root)?;
    for folder in [programs.control_plane, programs.node] {
        for program in fs::read_dir(folder)? {
            let program = program?;
            let target = root.join("usr/bin").join(program.file_name());
            fs::copy(program.path(), &target)
                .with_context(|| format!("cannot make {}", target.display()))?;
        }
    }
    let ours = root.join("usr/lib/node-image");
    fs::create_dir_all(&ours)?;
    for (name, content) in FILES {
        fs::write(ours.join(name), content)?;
    }
    // Its place and name are part of what the testcontainers module expects.
    fs::rename(ours.join("k3s"), root.join("bin/k3s"))?;
    make_executable(&root.join("bin/k3s"))?;
    fs::rename(ours.join("passwd"), root.join("etc/passwd"))?;
    for folder in ["dev", "proc", "run", "sys", "tmp", "root", "var/log", "opt/cni"] {
        fs::create_dir_all(root.join(folder))?;
    }
    Ok(())
}

/// Removes what no program here reads.
fn slim(root: &Path) -> Result<()> {
    for folder in ["usr/share", "usr/lib/x86_64-linux-gnu/gconv", "usr/lib/aarch64-linux-gnu/gconv"]
    {
        if root.join(folder).exists() {
            fs::remove_dir_all(root.join(folder))?;
        }
    }
    Ok(())
}

/// Gives every command that busybox knows and that is not there a name.
fn link_busybox(root: &Path) -> Result<()> {
    let busybox = root.join("bin/busybox");
    let commands = tool::run(Command::new(&busybox).arg("--list"), "", |_| {})?;
    for command in commands.lines() {
        let folders = ["bin", "sbin", "usr/bin", "usr/sbin"];
        let mut places = folders.iter().map(|folder| root.join(folder).join(command));
        if !places.any(|place| fs::symlink_metadata(place).is_ok()) {
            symlink("/bin/busybox", root.join("bin").join(command))?;
        }
    }
    Ok(())
}

fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

fn add_folder(files: &mut Files, folder: &Path) -> Result<()> {
    let added = files.append_dir_all("", folder);
    added.with_context(|| format!("cannot read {}", folder.display()))
}
