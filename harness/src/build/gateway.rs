//! The controllers of gateways by the Gateway API, from their Go modules: `harness/kgateway` and
//! `harness/envoy-gateway` hold the modules that pin them, every dependency by its hash.
//!
//! What is installed beside a controller comes out of the same modules: the definitions of the kinds of the
//! Gateway API and of its own kinds, and what its chart says of its rights.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    cache::Cache,
    go::{Go, Module},
};
use crate::progress::Progress;

/// Where the Gateway API's own kinds are, as everybody installs them: its standard channel.
const GATEWAY_API: &str = "sigs.k8s.io/gateway-api";
const STANDARD_CHANNEL: &str = "config/crd/standard";

/// A controller that can be built.
#[derive(Debug)]
pub(crate) struct Controller {
    /// Names the program, and the folder in the cache.
    name: &'static str,
    /// What people call it.
    title: &'static str,
    /// The version that `go.mod` names.
    pub(crate) version: &'static str,
    ours: Module,
    /// Its Go module, and in there its program, the definitions of its own kinds, and the part of its chart
    /// that says what it may do.
    module: &'static str,
    program: &'static str,
    definitions: &'static str,
    rights: &'static str,
    /// Package variables that the linker sets.
    variables: &'static [(&'static str, &'static str)],
}

/// kgateway.
pub(crate) const KGATEWAY: Controller = Controller {
    name: "kgateway",
    title: "kgateway",
    version: "2.4.0",
    ours: Module {
        go_mod: include_str!("../../kgateway/go.mod"),
        go_sum: include_str!("../../kgateway/go.sum"),
    },
    module: "github.com/kgateway-dev/kgateway/v2",
    program: "cmd/kgateway",
    definitions: "install/helm/kgateway-crds/templates",
    rights: "install/helm/kgateway/templates/role.yaml",
    variables: &[("github.com/kgateway-dev/kgateway/v2/pkg/version.Version", "2.4.0")],
};

/// Where Envoy Gateway says that it is ready.
pub(crate) const ENVOY_GATEWAY_HEALTH: &str = "127.0.0.1:18081";

/// Envoy Gateway. By itself it takes the ports 8080 and 8081 of all addresses, which pods want for
/// themselves, and no setting moves them: the linker does.
pub(crate) const ENVOY_GATEWAY: Controller = Controller {
    name: "envoy-gateway",
    title: "Envoy Gateway",
    version: "1.9.1",
    ours: Module {
        go_mod: include_str!("../../envoy-gateway/go.mod"),
        go_sum: include_str!("../../envoy-gateway/go.sum"),
    },
    module: "github.com/envoyproxy/gateway",
    program: "cmd/envoy-gateway",
    definitions: "charts/gateway-helm/charts/crds/crds/generated",
    rights: "charts/gateway-helm/templates/_rbac.tpl",
    variables: &[
        ("github.com/envoyproxy/gateway/internal/cmd/version.envoyGatewayVersion", "v1.9.1"),
        (
            "github.com/envoyproxy/gateway/internal/provider/kubernetes.healthProbeBindAddress",
            ENVOY_GATEWAY_HEALTH,
        ),
        ("sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress", "127.0.0.1:18080"),
    ],
};

/// A controller that was built, and what is installed with it.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    folder: PathBuf,
    name: &'static str,
}

impl Built {
    /// The program.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.join(self.name)
    }

    /// Folders with the definitions of kinds: those of the Gateway API, and the controller's own.
    pub(crate) fn definitions(&self) -> [PathBuf; 2] {
        [self.folder.join("gateway-api"), self.folder.join("definitions")]
    }

    /// The part of the controller's chart that says what it may do.
    pub(crate) fn rights(&self) -> PathBuf {
        self.folder.join("rights")
    }
}

/// Finds a controller in the cache, or builds it: 6 minutes of one processor for each.
///
/// # Errors
/// There is no Go that is recent enough, or modules cannot be had or built.
pub(super) fn get(controller: &Controller, cache: &Cache, progress: &Progress) -> Result<Built> {
    let go = controller.ours.open(cache, progress)?;
    let flags = controller.flags();
    let joined = flags.join(" ");
    let paths = [controller.definitions, controller.rights, STANDARD_CHANNEL].join(" ");
    let [go_mod, go_sum, version] = go.inputs();
    let inputs = [go_mod, go_sum, version, &joined, &paths];
    let folder = cache.get(controller.name, &inputs, progress, |folder| {
        controller.build(&go, &flags, folder, progress)
    })?;
    Ok(Built { folder, name: controller.name })
}

impl Controller {
    fn flags(&self) -> [String; 3] {
        let set = self.variables.iter().map(|(name, value)| format!(" -X {name}={value}"));
        let set: String = set.collect();
        ["-mod=readonly".into(), "-trimpath".into(), format!("-ldflags=-s -w{set}")]
    }

    fn build(
        &self,
        go: &Go<'_>,
        flags: &[String],
        folder: &Path,
        progress: &Progress,
    ) -> Result<()> {
        let Self { title, version, module, .. } = self;
        let package = format!("{module}/{}", self.program);
        let packages = go.fetch(title, &[&package], progress)?;
        let building =
            progress.step(format!("building {title} {version} from source (once; minutes)"));
        building.length(packages as u64);
        let output = format!("-o={}/", folder.display());
        let mut built = vec!["build", "-v", output.as_str()];
        built.extend(flags.iter().map(String::as_str));
        built.push(&package);
        go.run(&built, |package| building.advance(package))?;
        building.done();

        let source = go.folder_of(module)?;
        let kinds = go.folder_of(GATEWAY_API)?.join(STANDARD_CHANNEL);
        copy_definitions(&kinds, &folder.join("gateway-api"))?;
        copy_definitions(&source.join(self.definitions), &folder.join("definitions"))?;
        let rights = source.join(self.rights);
        let text =
            fs::read(&rights).with_context(|| format!("cannot read {}", rights.display()))?;
        Ok(fs::write(folder.join("rights"), text)?)
    }
}

/// Copies the YAML files of a folder.
fn copy_definitions(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    let files = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    let mut copied = 0;
    for file in files {
        let file = file?;
        if file.path().extension().is_some_and(|extension| extension == "yaml") {
            // Not as a copy of the file: those of modules are read-only.
            fs::write(to.join(file.file_name()), fs::read(file.path())?)?;
            copied += 1;
        }
    }
    ensure!(copied > 0, "{} has no definitions", from.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_those_of_the_modules() {
        for controller in [&KGATEWAY, &ENVOY_GATEWAY] {
            let required = format!("{} v{}", controller.module, controller.version);
            let mut lines = controller.ours.go_mod.lines().map(str::trim);
            assert!(lines.any(|line| line.trim_start_matches("require ").starts_with(&required)));
            let mut lines = controller.ours.go_mod.lines();
            assert!(lines.any(|line| line.trim().starts_with("sigs.k8s.io/gateway-api v1.6.1")));
        }
    }
}
