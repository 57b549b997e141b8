//! etcd and Kubernetes, from their Go modules. `harness/control-plane` holds the module that pins
//! them, every dependency by its hash.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{cache::Cache, tool};
use crate::progress::Progress;

const GO_MOD: &str = include_str!("../../control-plane/go.mod");
const GO_SUM: &str = include_str!("../../control-plane/go.sum");

/// The Kubernetes that `go.mod` names.
pub(super) const KUBERNETES: &str = "1.35.3";
/// The etcd that `go.mod` names.
pub(super) const ETCD: &str = "3.6.5";

/// Kubernetes 1.35 needs this one.
const OLDEST_GO: (u32, u32) = (1, 25);
const INSTALL: &str = "install Go 1.25 or later (https://go.dev/dl/, or your distribution's \
                       package) and have `go` in PATH";
/// Programs that are built together.
pub(super) struct Programs {
    /// Names the folder in the cache.
    name: &'static str,
    /// What people are told is built.
    title: &'static str,
    /// Of which a program is named after the last element of its path: wrong for etcd.
    kubernetes: &'static [&'static str],
    etcd: bool,
}

/// etcd, the API server, the controllers, the scheduler and kubectl.
pub(super) const CONTROL_PLANE: Programs = Programs {
    name: "control-plane",
    title: "etcd and the control plane",
    kubernetes: &[
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-scheduler",
        "k8s.io/kubernetes/cmd/kubectl",
    ],
    etcd: true,
};

/// What a node of real containers runs beside those.
pub(super) const NODE: Programs = Programs {
    name: "kubernetes-node",
    title: "the kubelet and kube-proxy",
    kubernetes: &["k8s.io/kubernetes/cmd/kubelet", "k8s.io/kubernetes/cmd/kube-proxy"],
    etcd: false,
};

/// What Go's garbage collector is told in each compiler: to leave everything until there is this much. The
/// processes are short, and collecting is a quarter to a third of what the big generated packages cost
/// (`k8s.io/api/core/v1`: 11.1 s of processor time with it, 7.4 s without).
const COLLECTOR: [(&str, &str); 2] = [("GOGC", "off"), ("GOMEMLIMIT", "1GiB")];

const ETCD_PACKAGE: &str = "go.etcd.io/etcd/server/v3";

/// The folder with the programs.
pub(super) fn get(programs: &Programs, cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    let module = cache.get("module", &[GO_MOD, GO_SUM], progress, |folder| {
        fs::write(folder.join("go.mod"), GO_MOD)?;
        Ok(fs::write(folder.join("go.sum"), GO_SUM)?)
    })?;
    let go = Go { module: &module, cache };
    let version = go.run(&["env", "GOVERSION", "GOOS", "GOARCH"], |_| {})?;
    recent_enough(version.lines().next().unwrap_or_default())?;
    let flags = flags();
    let inputs = [GO_MOD, GO_SUM, version.as_str(), &flags.join(" ")];
    cache.get(programs.name, &inputs, progress, |folder| build(programs, &go, folder, progress))
}

/// How the programs are built. All of them are static: `CGO_ENABLED=0` is set for every run of Go.
fn flags() -> [String; 3] {
    let version = format!("-X k8s.io/component-base/version.gitVersion=v{KUBERNETES}");
    ["-mod=readonly".into(), "-trimpath".into(), format!("-ldflags=-s -w {version}")]
}

fn build(programs: &Programs, go: &Go<'_>, folder: &Path, progress: &Progress) -> Result<()> {
    let etcd: &[&str] = if programs.etcd { &[ETCD_PACKAGE] } else { &[] };
    let mut listed = vec!["list", "-mod=readonly", "-deps"];
    listed.extend(programs.kubernetes.iter().chain(etcd));
    let title = programs.title;
    let fetching = progress.step(format!("fetching the Go modules of {title}"));
    let packages = go.run(&listed, |line| fetching.advance(line))?;
    fetching.done();

    let building = progress
        .step(format!("building {title} of Kubernetes {KUBERNETES} from source (once; minutes)"));
    building.length(packages.lines().count() as u64);
    let flags = flags();
    let outputs = [
        (format!("-o={}/", folder.display()), programs.kubernetes),
        (format!("-o={}", folder.join("etcd").display()), etcd),
    ];
    for (output, packages) in outputs.iter().filter(|(_, packages)| !packages.is_empty()) {
        let mut built = vec!["build", "-v", output.as_str()];
        built.extend(flags.iter().map(String::as_str).chain(packages.iter().copied()));
        go.run(&built, |package| building.advance(package))?;
    }
    building.done();
    Ok(())
}

struct Go<'a> {
    module: &'a Path,
    cache: &'a Cache,
}

impl Go<'_> {
    fn run(&self, args: &[&str], each: impl FnMut(&str)) -> Result<String> {
        let mut command = Command::new("go");
        command.args(args).current_dir(self.module).env("CGO_ENABLED", "0");
        command.envs(COLLECTOR);
        // Go keeps its own caches below HOME and refuses to work without one.
        let home = env::var_os("HOME").is_some_and(|home| Path::new(&home).is_dir());
        for (variable, folder) in [("GOCACHE", "go-build"), ("GOPATH", "go")] {
            if !home && env::var_os(variable).is_none() {
                command.env(variable, self.cache.root().join(folder));
            }
        }
        tool::run(&mut command, INSTALL, each)
    }
}

fn recent_enough(version: &str) -> Result<()> {
    let mut numbers = version.trim_start_matches("go").split('.');
    let mut next = || numbers.next()?.parse::<u32>().ok();
    let found = next().zip(next());
    // A development version of Go has no number.
    if version.starts_with("devel") || found.with_context(|| odd(version))? >= OLDEST_GO {
        return Ok(());
    }
    bail!("go is {version}: {INSTALL}")
}

fn odd(version: &str) -> String {
    format!("`go env GOVERSION` answers {version:?}, which is no version: {INSTALL}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_those_of_the_module() {
        for (module, version) in
            [("k8s.io/kubernetes", KUBERNETES), ("go.etcd.io/etcd/server/v3", ETCD)]
        {
            let required = format!("{module} v{version}");
            assert!(GO_MOD.lines().any(|line| line.trim().starts_with(&required)), "{required}");
        }
    }

    #[test]
    fn an_old_go_is_refused_with_what_to_install() {
        for good in ["go1.25", "go1.25.1", "go1.26.8", "go2.0", "devel go1.27-abc"] {
            recent_enough(good).unwrap();
        }
        for bad in ["go1.24.11", "go1.9", "", "gopher"] {
            let error = recent_enough(bad).unwrap_err().to_string();
            assert!(error.contains("install Go 1.25"), "{error}");
        }
    }
}
