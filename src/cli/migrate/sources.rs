//! Where Gloo's objects are read from.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Context;
use gloo::Snapshot;
use serde_json::Value;

use crate::cluster::{Cluster, ClusterError, Namespaces};
use crate::hint::advised;
use crate::report::Requests;
use crate::source::read_directory;
use coalmine_core::migration::Sources;
use coalmine_core::problem::Problem;

/// What runs pods, by the labels of its template.
const WORKLOADS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// The objects of files, folders and repositories. Mistakes in them are printed, and there are no objects then.
pub(super) fn of_paths(
    paths: &[impl AsRef<Path>],
    namespace: &str,
    gloo: &str,
) -> anyhow::Result<Option<Sources>> {
    let mut sources = Sources::default();
    for path in paths {
        let path = path.as_ref();
        let (files, read) = match is_repository(path) {
            true => {
                let tree = read_directory(path)?;
                let content = |(name, file): (&String, &coalmine_core::tree::File)| {
                    (name.clone(), file.content().to_vec())
                };
                (tree.files.iter().map(content).collect(), Sources::of_repository(&tree))
            }
            false => {
                let files = files(path)?;
                let read = Sources::of_files(&files, namespace);
                let read = read.map(|sources| sources.of_gloo_in(gloo));
                (files, read)
            }
        };
        let more = match read {
            Ok(more) => more,
            Err(problems) => {
                print_problems(&files, &problems)?;
                return Ok(None);
            }
        };
        sources.extend(more).map_err(|twice| {
            advised(
                format_args!("{} has what was read before: {}", path.display(), twice.join(", ")),
                "keep each object in one place",
            )
        })?;
    }
    Ok(Some(sources))
}

/// Whether the folder has values, and not objects alone.
pub(super) fn is_repository(path: &Path) -> bool {
    path.join("coalmine.yaml").is_file() || path.join("services").is_dir()
}

fn files(path: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    if path == Path::new("-") {
        let mut content = Vec::new();
        io::stdin().read_to_end(&mut content).context("cannot read the standard input")?;
        files.insert("-".to_owned(), content);
        return Ok(files);
    }
    read(path, &mut files)?;
    Ok(files)
}

/// Reads a file, or every file of YAML or JSON below a folder. Symbolic links and hidden names are passed over.
fn read(path: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    let cannot = || format!("cannot read {}", path.display());
    if !path.is_dir() {
        files.insert(path.display().to_string(), fs::read(path).with_context(cannot)?);
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let name = entry.file_name();
        let kind = entry.file_type().with_context(cannot)?;
        let is_text = Path::new(&name)
            .extension()
            .is_some_and(|it| ["yaml", "yml", "json"].iter().any(|known| it == *known));
        if name.to_string_lossy().starts_with('.') || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() || kind.is_file() && is_text {
            read(&entry.path(), files)?;
        }
    }
    Ok(())
}

/// The objects of the cluster, and what is worth knowing about how they were read.
pub(super) async fn of_cluster(
    namespaces: Namespaces,
    gloo: &str,
) -> anyhow::Result<(Sources, Vec<String>)> {
    let cluster = Cluster::connect(&Requests::default()).await?.within(namespaces);
    let mut notes = Vec::new();
    if let Some(names) = cluster.namespaces().names() {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        notes.push(format!("only the namespaces {} were read", names.join(", ")));
    }
    let mut objects: Vec<Value> = Vec::new();
    for namespace in cluster.namespaces().each() {
        for kind in Snapshot::ROUTING.iter().chain(Snapshot::FURTHER) {
            let is_needed = Snapshot::ROUTING.iter().any(|it| it.kind == kind.kind);
            match cluster.list(kind.api_version, kind.kind, namespace, "").await {
                Ok(found) => objects.extend(found.into_iter().map(|(_, object)| object)),
                // Nobody can have made an object of it.
                Err(ClusterError::KindNotServed { .. }) if !is_needed => {}
                // One that nobody reads might keep requests out.
                Err(error) => return Err(error.into()),
            }
        }
        for kind in WORKLOADS {
            match cluster.list("apps/v1", kind, namespace, "").await {
                Ok(found) => objects.extend(found.into_iter().map(|(_, object)| object)),
                Err(ClusterError::Denied { message, .. }) => notes
                    .push(format!("which labels pods of a {kind} carry is not known: {message}")),
                Err(error) => return Err(error.into()),
            }
        }
    }
    for object in &mut objects {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
    }
    Ok((Sources::of_objects(objects).of_gloo_in(gloo), notes))
}

fn print_problems(files: &BTreeMap<String, Vec<u8>>, problems: &[Problem]) -> anyhow::Result<()> {
    let mut err = anstream::stderr().lock();
    for problem in problems {
        let source = files.get(&*problem.at.file).map(Vec::as_slice);
        writeln!(err, "{}", problem.annotated(source))?;
    }
    Ok(())
}
