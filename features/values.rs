//! What a repository of rollouts asks for, as far as the suite has to know it: a reader of its own,
//! written from docs/values.md. Whether values are right is for the program under test to say; this one
//! takes them as they are meant.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A repository.
#[derive(Debug)]
pub(crate) struct Values {
    /// The services by name.
    pub(crate) services: BTreeMap<String, Service>,
    /// The namespaces that the platform makes.
    pub(crate) namespaces: Vec<String>,
    /// The biggest rise of a share in one commit, in percent.
    pub(crate) max_step: Option<u8>,
}

/// One service.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its file, from the root of the repository.
    pub(crate) file: String,
    /// Where its objects are.
    pub(crate) namespace: String,
    /// Its versions, and whether each is deployed by its values.
    pub(crate) versions: BTreeMap<String, bool>,
    /// The version that gets what the canary does not.
    pub(crate) primary: String,
    /// The version that is being tried.
    pub(crate) canary: Option<Canary>,
    /// A path that can be asked with a plain GET, if there is one.
    pub(crate) path: Option<String>,
}

/// A version that is being tried.
#[derive(Debug)]
pub(crate) struct Canary {
    pub(crate) version: String,
    /// The names of the headers whose requests it gets.
    pub(crate) headers: Vec<String>,
    /// Its percentage of the other requests.
    pub(crate) weight: u8,
}

impl Values {
    /// Reads the files of a folder.
    ///
    /// # Errors
    /// A file that is no YAML, or without what a service cannot do without.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let settings: Option<Settings> = match folder.join("coalmine.yaml") {
            file if file.exists() => parse(&fs::read_to_string(file)?).context("coalmine.yaml")?,
            _ => None,
        };
        let Settings { defaults, policy } = settings.unwrap_or_default();
        let defaults = defaults.unwrap_or_default();
        let mut services = BTreeMap::new();
        for (file, stem) in files(folder, "services")? {
            let text = fs::read_to_string(folder.join(&file))?;
            let service = Service::parse(&file, &stem, &text, defaults.clone());
            let known = services.insert(stem, service.with_context(|| file.clone())?);
            ensure!(known.is_none(), "{file}: another file describes this service, too");
        }
        let mut namespaces = Vec::new();
        for (file, _) in files(folder, "platform")? {
            let text = fs::read_to_string(folder.join(&file))?;
            let objects: Vec<Value> = serde_yaml::from_multiple(&text).context(file)?;
            let made = objects.iter().filter(|object| object["kind"] == "Namespace");
            namespaces.extend(
                made.filter_map(|object| object["metadata"]["name"].as_str()).map(str::to_owned),
            );
        }
        Ok(Self { services, namespaces, max_step: policy.and_then(|policy| policy.max_step) })
    }
}

impl Service {
    /// Reads a file with what `defaults` in coalmine.yaml says.
    ///
    /// # Errors
    /// As [`Values::read`].
    pub(crate) fn parse(
        file: &str,
        name: &str,
        text: &str,
        defaults: Map<String, Value>,
    ) -> Result<Self> {
        let own: Map<String, Value> = parse(text)?;
        // `defaults.deployment` is what each version is like, and tells none.
        let shared = defaults.into_iter().filter(|(key, _)| key != "deployment").collect();
        let values: File = serde_json::from_value(merged(shared, own).into())?;
        let Routes { paths, primary, canary } = values.routes;
        let is_deployed =
            |settings: Value| matches!(settings["external"], Value::Null | Value::Bool(false));
        // A default canary only completes one that the service names.
        let canary = canary.and_then(|canary| {
            let version = text_of(&canary.version)?;
            let headers = canary.headers.unwrap_or_default().into_iter().map(|(name, _)| name);
            let weight = canary.weight.unwrap_or(0);
            Some(Canary { version, headers: headers.collect(), weight })
        });
        let path = match paths {
            None => Some(format!("/{name}")),
            Some(paths) => paths.into_iter().find_map(PathMatch::plain),
        };
        Ok(Self {
            file: file.to_owned(),
            namespace: values.namespace.unwrap_or_else(|| name.to_owned()),
            versions: values.deployment.into_iter().map(|(v, it)| (v, is_deployed(it))).collect(),
            primary: text_of(&primary.version).context("routes.primary.version is missing")?,
            canary,
            path,
        })
    }

    /// The percentage of each routed version, of the requests without the canary's headers.
    pub(crate) fn shares(&self) -> Vec<(&str, u8)> {
        let weight = self.canary.as_ref().map_or(0, |canary| canary.weight);
        let canary = self.canary.iter().map(|canary| (canary.version.as_str(), canary.weight));
        [(self.primary.as_str(), 100_u8.saturating_sub(weight))].into_iter().chain(canary).collect()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    defaults: Option<Map<String, Value>>,
    policy: Option<Policy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Policy {
    max_step: Option<u8>,
}

#[derive(Debug, Deserialize)]
struct File {
    namespace: Option<String>,
    deployment: BTreeMap<String, Value>,
    routes: Routes,
}

#[derive(Debug, Deserialize)]
struct Routes {
    paths: Option<Vec<PathMatch>>,
    primary: Routed,
    canary: Option<Routed>,
}

#[derive(Debug, Deserialize)]
struct Routed {
    #[serde(default)]
    version: Value,
    headers: Option<Map<String, Value>>,
    weight: Option<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PathMatch {
    exact: Option<String>,
    prefix: Option<String>,
    methods: Option<Vec<String>>,
    query_parameters: Option<Map<String, Value>>,
}

impl PathMatch {
    /// The path, if a plain GET of it is meant.
    fn plain(self) -> Option<String> {
        let methods = self.methods.unwrap_or_default();
        let takes_get = methods.is_empty() || methods.iter().any(|method| method == "GET");
        let takes_any_query = self.query_parameters.is_none_or(|parameters| parameters.is_empty());
        self.exact.or(self.prefix).filter(|_| takes_get && takes_any_query)
    }
}

/// `own` with the defaults where it says nothing, key by key, mappings within mappings too.
fn merged(defaults: Map<String, Value>, own: Map<String, Value>) -> Map<String, Value> {
    let mut all = defaults;
    for (key, value) in own {
        match (all.get_mut(&key), value) {
            (Some(_), Value::Null) => {}
            (Some(Value::Object(default)), Value::Object(own)) => {
                *default = merged(std::mem::take(default), own);
            }
            (_, value) => drop(all.insert(key, value)),
        }
    }
    all
}

/// The files below a folder that are read, with their names without the ending.
fn files(root: &Path, below: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        if !root.join(&folder).exists() {
            continue;
        }
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name().into_string().ok().context("a name is not UTF-8")?;
            let path = format!("{folder}/{name}");
            if name.starts_with('.') {
                continue;
            }
            if entry.path().is_dir() {
                folders.push(path);
            } else if let Some((stem, ending)) = name.rsplit_once('.')
                && ["yaml", "yml"].contains(&ending.to_ascii_lowercase().as_str())
            {
                found.push((path, stem.to_owned()));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Text, also where it is written as a number or a boolean.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    Ok(serde_yaml::from_str(text)?)
}
