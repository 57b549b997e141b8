//! etcd and Kubernetes, from their Go modules. `harness/control-plane` holds the module that pins
//! them, every dependency by its hash.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{
    cache::Cache,
    go::{Go, Module},
};
use crate::progress::Progress;

const MODULE: Module = Module {
    go_mod: include_str!("../../control-plane/go.mod"),
    go_sum: include_str!("../../control-plane/go.sum"),
};

/// The Kubernetes that `go.mod` names.
pub(super) const KUBERNETES: &str = "1.35.3";
/// The etcd that `go.mod` names.
pub(super) const ETCD: &str = "3.6.5";

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

const ETCD_PACKAGE: &str = "go.etcd.io/etcd/server/v3";

/// The folder with the programs.
pub(super) fn get(programs: &Programs, cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    let go = MODULE.open(cache, progress)?;
    let flags = flags().join(" ");
    let [go_mod, go_sum, version] = go.inputs();
    let inputs = [go_mod, go_sum, version, &flags];
    cache.get(programs.name, &inputs, progress, |folder| build(programs, &go, folder, progress))
}

/// How the programs are built. All of them are static: `CGO_ENABLED=0` is set for every run of Go.
fn flags() -> [String; 3] {
    let version = format!("-X k8s.io/component-base/version.gitVersion=v{KUBERNETES}");
    ["-mod=readonly".into(), "-trimpath".into(), format!("-ldflags=-s -w {version}")]
}

fn build(programs: &Programs, go: &Go<'_>, folder: &Path, progress: &Progress) -> Result<()> {
    let etcd: &[&str] = if programs.etcd { &[ETCD_PACKAGE] } else { &[] };
    let all: Vec<&str> = programs.kubernetes.iter().chain(etcd).copied().collect();
    let title = programs.title;
    let packages = go.fetch(title, &all, progress)?;

    let building = progress
        .step(format!("building {title} of Kubernetes {KUBERNETES} from source (once; minutes)"));
    building.length(packages as u64);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_those_of_the_module() {
        for (module, version) in
            [("k8s.io/kubernetes", KUBERNETES), ("go.etcd.io/etcd/server/v3", ETCD)]
        {
            let required = format!("{module} v{version}");
            assert!(
                MODULE.go_mod.lines().any(|line| line.trim().starts_with(&required)),
                "{required}"
            );
        }
    }
}
