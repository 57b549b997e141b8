//! The objects to carry over, and where each stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use gloo::ObjectRef;
use serde_json::Value;

use crate::problem::{Location, Problem};
use crate::proposal::Expected;
use crate::tree::Tree;
use crate::values::{Data, Node, documents};

/// One object.
#[derive(Clone, Debug)]
pub struct Source {
    /// The object, with its namespace.
    pub value: Value,
    /// The same with the places of its fields, where it comes from a file.
    node: Option<Arc<Node>>,
    /// The file that it is rendered from.
    file: Option<String>,
}

/// Objects by name.
#[derive(Clone, Debug)]
pub struct Sources {
    objects: Vec<Source>,
    /// Where each stands, by group and name.
    places: BTreeMap<(String, ObjectRef), usize>,
    gloo_namespace: String,
}

impl Default for Sources {
    fn default() -> Self {
        let gloo_namespace = "gloo-system".to_owned();
        Self { objects: Vec::new(), places: BTreeMap::new(), gloo_namespace }
    }
}

impl Source {
    /// Its group, for example `gateway.solo.io`; empty for the core group.
    pub(super) fn group(&self) -> &str {
        let version = self.value["apiVersion"].as_str().unwrap_or_default();
        version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Its kind.
    pub(super) fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or_default()
    }

    /// Its namespace.
    pub(super) fn namespace(&self) -> &str {
        self.value["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Its kind, namespace and name.
    pub(super) fn reference(&self) -> ObjectRef {
        ObjectRef::new(self.kind(), self.namespace(), self.name())
    }

    /// Whether it is one of Gloo's.
    pub(super) fn is_gloo(&self) -> bool {
        matches!(self.group(), "gloo.solo.io" | "gateway.solo.io")
    }

    /// `file:line` of a field, or of the nearest one around it that is written; the path has keys and indices.
    pub(super) fn at(&self, path: &[Step]) -> Option<String> {
        let Some(mut node) = self.node.as_ref() else { return self.file.clone() };
        let mut at = &node.at;
        for step in path {
            let inner = match (&node.data, step) {
                (Data::Mapping(entries), Step::Key(name)) => {
                    let mut named = entries.iter().filter(|(key, _)| key.name == *name);
                    named.next().map(|(key, inner)| (&key.at, inner))
                }
                (Data::Sequence(items), Step::Index(index)) => {
                    items.get(*index).map(|inner| (&inner.at, inner))
                }
                _ => None,
            };
            let Some((place, inner)) = inner else { break };
            (at, node) = (place, inner);
        }
        Some(shown(at))
    }
}

fn shown(at: &Location) -> String {
    format!("{}:{}", at.file, at.line)
}

/// A step from a field into what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A field of a mapping.
    Key(String),
    /// An item of a list.
    Index(usize),
}

impl Sources {
    /// Reads files of YAML by their names. Objects without a namespace are in `namespace`.
    ///
    /// # Errors
    /// Every mistake of every file, and objects that stand twice.
    pub fn of_files(
        files: &BTreeMap<String, Vec<u8>>,
        namespace: &str,
    ) -> Result<Self, Vec<Problem>> {
        let (mut sources, mut problems) = (Self::default(), Vec::new());
        for (name, content) in files {
            match documents(&name.as_str().into(), content) {
                Ok((nodes, mistakes)) => {
                    problems.extend(mistakes);
                    for node in nodes.iter().filter(|node| !node.is_null()) {
                        sources.add(node, namespace, &mut problems);
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(sources) } else { Err(problems) }
    }

    /// Objects as a cluster has them.
    pub fn of_objects(objects: impl IntoIterator<Item = Value>) -> Self {
        let mut sources = Self::default();
        for value in objects {
            sources.push(Source { value, node: None, file: None });
        }
        sources
    }

    /// The objects that a repository of values becomes, its `platform/` included.
    ///
    /// # Errors
    /// Every mistake of the repository.
    pub fn of_repository(tree: &Tree) -> Result<Self, Vec<Problem>> {
        let expected = Expected::of(tree);
        let repository = &expected.repository;
        let mut problems = repository.problems.clone();
        problems.extend(repository.platform.problems.iter().cloned());
        let services = repository.services.values().filter_map(|it| it.as_ref().err());
        problems.extend(services.flatten().cloned());
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut sources = Self::default().of_gloo_in(&repository.settings.gloo_namespace);
        for name in expected.names() {
            let file = expected.service(name).map(|service| service.file.clone());
            let job = expected.job(name).into_iter();
            for manifest in job.flat_map(|job| job.desired.manifests()) {
                let value = manifest.object().clone();
                sources.push(Source { value, node: None, file: file.clone() });
            }
        }
        Ok(sources)
    }

    fn add(&mut self, node: &Arc<Node>, namespace: &str, problems: &mut Vec<Problem>) {
        let mut value = node.to_json();
        if value["kind"] == "List"
            && let Some(items) = node.get("items")
            && let Data::Sequence(items) = &items.data
        {
            items.iter().for_each(|item| self.add(item, namespace, problems));
            return;
        }
        if value["metadata"].is_null() {
            // Values, for example, or a kustomization: nothing for a cluster.
            return;
        }
        let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        let missing = [
            ("apiVersion", text(&value["apiVersion"])),
            ("kind", text(&value["kind"])),
            ("metadata.name", text(&value["metadata"]["name"])),
        ];
        if let Some((key, _)) = missing.into_iter().find(|(_, is_there)| !is_there) {
            let message = "an object has to have apiVersion, kind and metadata.name";
            let help = format!("write `{key}`: objects of 2019 have other fields, too");
            problems.push(Problem::new(&node.at, key, message).help(help));
            return;
        }
        if !value["metadata"]["namespace"].is_string() {
            value["metadata"]["namespace"] = namespace.into();
        }
        let source = Source { value, node: Some(Arc::clone(node)), file: None };
        if let Some(twin) = self.twin(&source) {
            let message = format!(
                "{} stands twice; it is at {} already",
                source.reference(),
                twin.at(&[]).unwrap_or_default()
            );
            problems.push(Problem::new(&node.at, "", message).help("keep one of the two"));
            return;
        }
        self.push(source);
    }

    /// Adds an object. Of two with one name the later one counts.
    fn push(&mut self, source: Source) {
        let place = (source.group().to_owned(), source.reference());
        self.places.insert(place, self.objects.len());
        self.objects.push(source);
    }

    /// The object that has the same name.
    fn twin(&self, source: &Source) -> Option<&Source> {
        let index = self.places.get(&(source.group().to_owned(), source.reference()))?;
        self.objects.get(*index)
    }

    /// The same objects of a Gloo that runs in this namespace.
    #[must_use]
    pub fn of_gloo_in(self, namespace: &str) -> Self {
        Self { gloo_namespace: namespace.to_owned(), ..self }
    }

    /// Where Gloo runs.
    pub(super) fn gloo_namespace(&self) -> &str {
        &self.gloo_namespace
    }

    /// Those of `more`, too, with the namespace of its Gloo.
    ///
    /// # Errors
    /// Names the objects that are in both.
    pub fn extend(&mut self, more: Self) -> Result<(), Vec<String>> {
        let twice: Vec<String> = more
            .objects
            .iter()
            .filter(|it| self.twin(it).is_some())
            .map(|it| it.reference().to_string())
            .collect();
        if !twice.is_empty() {
            return Err(twice);
        }
        self.gloo_namespace = more.gloo_namespace;
        more.objects.into_iter().for_each(|source| self.push(source));
        Ok(())
    }

    /// Whether there is a VirtualService: without one Gloo serves nothing.
    pub fn has_routes(&self) -> bool {
        self.of_kind("gateway.solo.io", "VirtualService").next().is_some()
    }

    /// All objects.
    pub(super) fn all(&self) -> impl Iterator<Item = &Source> {
        self.objects.iter()
    }

    /// The objects of a kind and group.
    pub(super) fn of_kind<'a>(
        &'a self,
        group: &'a str,
        kind: &'a str,
    ) -> impl Iterator<Item = &'a Source> {
        self.all().filter(move |source| source.kind() == kind && source.group() == group)
    }

    /// One object of Gloo or of the core group.
    pub(super) fn get(&self, reference: &ObjectRef) -> Option<&Source> {
        let groups = ["", "gloo.solo.io", "gateway.solo.io"];
        let place = |group: &str| self.places.get(&(group.to_owned(), reference.clone()));
        self.objects.get(*groups.into_iter().find_map(place)?)
    }
}
