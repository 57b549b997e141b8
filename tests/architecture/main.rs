//! The structure of the code: no circle of imports between modules, layers that import downwards only, and no foreign
//! code that somebody else can exchange.

mod graph;
mod modules;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use graph::Graph;
use modules::Modules;

/// The crates, by the folder of their sources.
const CRATES: [&str; 6] =
    ["core/src", "gateway-api/src", "gloo/src", "harness/src", "judge/src", "src"];

/// What decides comes first, then what acts on it: each may import from those before it, and from no other of
/// these.
const LAYERS: [&str; 6] = ["cluster", "cache", "reconcile", "scheduler", "daemon", "cli"];

fn folder(sources: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(sources)
}

#[test]
fn no_module_imports_from_one_that_imports_from_it() {
    let mut circles = Vec::new();
    for sources in CRATES {
        let modules = Modules::read(&folder(sources));
        assert!(modules.len() > 10, "{sources}: only {} modules were found", modules.len());
        circles.extend(Graph::of_files(&modules).circles(sources));
        circles.extend(Graph::of_top_level(&modules).circles(sources));
    }
    assert!(circles.is_empty(), "{} circles:\n{}", circles.len(), circles.join("\n"));
}

#[test]
fn layers_import_downwards_only() {
    let modules = Modules::read(&folder("src"));
    let graph = Graph::of_top_level(&modules);
    let mut seen = 0;
    for (height, layer) in LAYERS.iter().enumerate() {
        for above in &LAYERS[height + 1..] {
            let names = graph.imports(layer, above);
            assert!(names.is_empty(), "{layer} imports {names:?} from {above}, which is above it");
            seen += graph.imports(above, layer).len();
        }
    }
    assert!(seen > 10, "only {seen} imports between layers were found");
}

#[test]
fn every_module_stands_on_the_page_about_the_architecture() {
    let page = std::fs::read_to_string(folder("CONTRIBUTING.md")).expect("the page");
    let named: BTreeSet<&str> = page.split('`').filter(|word| word.contains("src/")).collect();
    let missing: Vec<&&str> = named.iter().filter(|path| !folder(path).exists()).collect();
    assert!(missing.is_empty(), "the page names what does not exist: {missing:?}");
    for sources in ["core/src", "src"] {
        let modules = Modules::read(&folder(sources));
        let modules = modules.top_level();
        assert!(modules.len() > 10, "{sources}: only {modules:?} were found");
        for module in modules {
            let places = [format!("{sources}/{module}/"), format!("{sources}/{module}.rs")];
            let stands = places.iter().any(|place| named.contains(place.as_str()));
            assert!(stands, "{} stands nowhere on the page", places[0]);
        }
    }
}

#[test]
fn a_circle_is_found_and_named() {
    let sources = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let file = sources.path().join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(file, text).expect("written");
    };
    write("lib.rs", "mod one;\nmod two;\nmod three;");
    write("one.rs", "use crate::two::Deep;\npub struct One;");
    write("two/mod.rs", "mod deep;\npub use deep::Deep;");
    write("two/deep.rs", "pub struct Deep(crate::three::Three);");
    write("three.rs", "pub struct Three;\n#[cfg(test)]\nmod tests { use crate::one::One; }");
    let circles = || Graph::of_files(&Modules::read(sources.path())).circles("it");
    // Tests may look at everything.
    assert_eq!(circles(), Vec::<String>::new());
    write("three.rs", "use super::one;\npub struct Three(one::One);");
    let expected = "it: one, three, two::deep\n  one -> two::deep: Deep\n  three -> one: One, one\n  \
                    two::deep -> three: Three";
    assert_eq!(circles(), [expected]);
}

/// A tag can be moved to other code by whoever owns it; a commit cannot.
#[test]
fn every_action_of_a_workflow_is_pinned_to_a_commit() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder(".github/workflows")).expect("the workflows") {
        let path = entry.expect("a workflow").path();
        let text = std::fs::read_to_string(&path).expect("a workflow");
        for action in text.lines().filter_map(|line| line.split_once("uses:")).map(|(_, it)| it) {
            let commit = action.split_once('@').and_then(|(_, it)| it.split_whitespace().next());
            let is_pinned = commit.is_some_and(|it| {
                it.len() == 40 && it.bytes().all(|digit| digit.is_ascii_hexdigit())
            });
            assert!(is_pinned, "{}:{action} is not pinned to a commit", path.display());
            seen += 1;
        }
    }
    assert!(seen > 3, "only {seen} actions were found");
}

/// Alerts and dashboards ask for metrics that there are: docs/metrics.md has exactly these.
#[test]
fn every_metric_of_alerts_and_dashboards_is_one_that_there_is() {
    let page = std::fs::read_to_string(folder("docs/metrics.md")).expect("docs/metrics.md");
    let documented: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    for (file, least) in [("prometheus-rule.yaml", 8), ("grafana-dashboard.json", 9)] {
        let path = folder("deploy/monitoring").join(file);
        let text = std::fs::read_to_string(&path).expect("a file");
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let words = text.split(|it| !is_name(it));
        let named: BTreeSet<&str> = words.filter(|word| word.starts_with("coalmine_")).collect();
        assert!(named.len() >= least, "{file}: only {named:?} were found");
        let unknown: Vec<_> = named.difference(&documented).collect();
        assert!(
            unknown.is_empty(),
            "{file} asks for {unknown:?}, which docs/metrics.md does not have"
        );
    }
}

/// So can the tag of an image; its digest cannot.
#[test]
fn every_base_image_is_pinned_to_a_digest() {
    let path = folder("deploy/Dockerfile");
    let text = std::fs::read_to_string(&path).expect("the Dockerfile");
    let stages: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert!(stages.len() > 1, "only {stages:?} were found");
    for stage in stages.into_iter().filter(|stage| *stage != "scratch") {
        let image =
            stage.split_whitespace().find(|word| !word.starts_with("--")).expect("an image");
        let digest = image.split_once("@sha256:").map(|(_, it)| it);
        let is_pinned = digest
            .is_some_and(|it| it.len() == 64 && it.bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert!(is_pinned, "{}: {image} is not pinned to a digest", path.display());
        let version = env!("CARGO_PKG_RUST_VERSION");
        let tag = image.rsplit('/').next().and_then(|name| name.strip_prefix("rust:"));
        assert!(
            tag.is_some_and(|tag| tag.starts_with(version)),
            "{image} has another Rust than the {version} of Cargo.toml"
        );
    }
}
