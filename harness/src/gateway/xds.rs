//! Envoy's configuration as files: one kind of resource per folder, each file replaced by a rename,
//! which is what Envoy watches for.
//!
//! A route must never point to a cluster that Envoy does not have yet. So a change goes out in
//! steps, each of which Envoy has taken before the next: endpoints and new clusters, then routes,
//! then the listener, then clusters go that nothing uses any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use gloo::{Translation, envoy};
use serde_json::{Value, json};

use super::envoy::Envoy;
use crate::envoy_admin::Admin;

const CLUSTERS: &str = "cluster_manager.cds.version_text";
const LISTENERS: &str = "listener_manager.lds.version_text";
const ROUTES: &str = "http.http.rds.";

/// The proxy that this gateway translates for.
pub(super) const PROXY: &str = "gateway-proxy";

/// The files, and what Envoy has to say about each once it has taken it.
pub(super) struct Files {
    folder: PathBuf,
    envoy: Envoy,
    /// Resources by file, without their version.
    written: BTreeMap<PathBuf, Value>,
    version: u64,
    /// Versions by the name of Envoy's statistic.
    expected: BTreeMap<String, String>,
    /// The statistics of the routes that Envoy's listeners read.
    reading: BTreeSet<String>,
}

impl Files {
    pub(super) fn new(folder: &Path, admin: Admin) -> Self {
        Self {
            folder: folder.to_owned(),
            envoy: Envoy::new(admin),
            written: BTreeMap::new(),
            version: 0,
            expected: BTreeMap::new(),
            reading: BTreeSet::new(),
        }
    }

    /// Makes the folders and the files that Envoy needs from the start; the bootstrap that names
    /// them.
    pub(super) fn prepare(folder: &Path) -> Result<Value> {
        if folder.exists() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        for name in ["lds", "cds", "rds", "eds"] {
            fs::create_dir_all(folder.join(name))?;
        }
        for name in ["lds", "cds"] {
            fs::write(path(folder, name), json!({"resources": []}).to_string())?;
        }
        let source = |name| {
            json!({
                "path_config_source": {"path": path(folder, name)},
                "resource_api_version": "V3",
            })
        };
        Ok(json!({
            "node": {"id": "bed", "cluster": "bed"},
            "dynamic_resources": {"lds_config": source("lds"), "cds_config": source("cds")},
        }))
    }

    /// Writes what has changed and waits until Envoy has taken it.
    ///
    /// # Errors
    /// Envoy has not taken a step in time: call again to go on from there.
    pub(super) async fn publish(&mut self, translation: &Translation) -> Result<()> {
        let [cds, eds] = [path(&self.folder, "cds"), self.folder.join("eds")];
        let clusters = envoy::clusters(translation, &eds.to_string_lossy());
        let assignments = envoy::endpoints(translation);
        for (file, content) in &assignments {
            let cluster = file.trim_end_matches(".json");
            self.write(&eds.join(file), content, &endpoints_of(cluster))?;
        }
        let both = self.written.get(&cds).map(|before| union(&clusters, before));
        self.write(&cds, both.as_ref().unwrap_or(&clusters), CLUSTERS)?;
        self.envoy.has(&mut self.expected).await?;

        self.publish_routes(translation).await?;

        self.write(&cds, &clusters, CLUSTERS)?;
        self.forget_endpoints(&eds, &assignments)?;
        self.envoy.has(&mut self.expected).await
    }

    async fn publish_routes(&mut self, translation: &Translation) -> Result<()> {
        let (folder, lds) = (self.folder.join("rds"), path(&self.folder, "lds"));
        let own = translation.routes.iter().filter(|routes| routes.proxy == PROXY);
        let own: BTreeMap<&str, Value> =
            own.map(|it| (it.name.as_str(), envoy::routes(it))).collect();
        let statistics: BTreeSet<String> = own.keys().map(|name| routes_of(name)).collect();
        // Envoy forgets the numbers of what no listener reads any more.
        self.expected.retain(|name, _| !name.starts_with(ROUTES) || statistics.contains(name));
        let mut reads = false;
        for (name, routes) in &own {
            let statistic = routes_of(name);
            // Only a listener that is there reads routes.
            reads |= self.reading.contains(&statistic);
            self.write(&folder.join(format!("{name}.json")), routes, &statistic)?;
        }
        if reads {
            // A new listener has not begun to read its own yet.
            let late: Vec<String> =
                statistics.iter().filter(|name| !self.reading.contains(*name)).cloned().collect();
            let held_back: BTreeMap<String, String> =
                late.into_iter().filter_map(|it| self.expected.remove_entry(&it)).collect();
            self.envoy.has(&mut self.expected).await?;
            self.expected.extend(held_back);
        }
        let listeners = envoy::listeners(translation, PROXY, &folder.to_string_lossy());
        self.write(&lds, &listeners, LISTENERS)?;
        self.envoy.has(&mut self.expected).await?;
        self.reading = statistics;
        Ok(())
    }

    /// Replaces a file unless it says the same already; `statistic` then tells Envoy's progress.
    fn write(&mut self, path: &Path, content: &Value, statistic: &str) -> Result<()> {
        if self.written.get(path) == Some(content) && self.expected.contains_key(statistic) {
            return Ok(());
        }
        self.version += 1;
        let version = self.version.to_string();
        let mut versioned = content.clone();
        versioned["version_info"] = version.as_str().into();
        let aside = self.folder.join("aside");
        let written = fs::write(&aside, versioned.to_string());
        let renamed = written.and_then(|()| fs::rename(&aside, path));
        renamed.with_context(|| format!("cannot write {}", path.display()))?;
        self.written.insert(path.to_owned(), content.clone());
        self.expected.insert(statistic.to_owned(), version);
        Ok(())
    }

    /// Removes the endpoints of clusters that are no more.
    fn forget_endpoints(&mut self, eds: &Path, used: &BTreeMap<String, Value>) -> Result<()> {
        let gone = self.written.keys().filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            path.parent() == Some(eds) && !used.contains_key(name)
        });
        for path in gone.cloned().collect::<Vec<_>>() {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            let cluster = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            self.expected.remove(&endpoints_of(cluster));
            self.written.remove(&path);
        }
        Ok(())
    }
}

fn routes_of(configuration: &str) -> String {
    format!("{ROUTES}{configuration}.version_text")
}

fn endpoints_of(cluster: &str) -> String {
    format!("cluster.{cluster}.version_text")
}

/// The resources of `new`, and those of `old` that have no new version.
fn union(new: &Value, old: &Value) -> Value {
    let list = |of: &Value| of["resources"].as_array().cloned().unwrap_or_default();
    let mut resources = list(new);
    let replaced = |old: &Value| resources.iter().any(|new| new["name"] == old["name"]);
    let kept: Vec<Value> = list(old).into_iter().filter(|old| !replaced(old)).collect();
    resources.extend(kept);
    json!({ "resources": resources })
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).join(format!("{name}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_cluster_stays_while_routes_may_still_use_it() {
        let list = |names: &[(&str, u8)]| {
            let resources: Vec<Value> =
                names.iter().map(|(name, n)| json!({"name": name, "n": n})).collect();
            json!({ "resources": resources })
        };
        let both = union(&list(&[("a", 2), ("b", 2)]), &list(&[("a", 1), ("c", 1)]));
        assert_eq!(both, list(&[("a", 2), ("b", 2), ("c", 1)]));
    }
}
