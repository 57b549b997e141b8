//! One service's values.

use gloo::ObjectRef;
use serde_json::{Map, Value, json};

use super::World;
use super::route::Read;
use crate::migration::backends::selector;
use crate::migration::unsaid::Unsaid;

/// What puts a service's routes into the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attached {
    /// The label by which a parent selects them.
    ApiGroup(String),
    /// Their hosts.
    Domains(Vec<String>),
}

/// The routes of one object to one Service.
pub(super) struct Draft {
    pub(super) service: ObjectRef,
    /// The object that has the routes.
    pub(super) holder: ObjectRef,
    pub(super) attached: Attached,
    pub(super) routes: Vec<Read>,
}

/// Who gets the requests.
struct Split {
    primary: String,
    canary: Option<(String, u32)>,
}

impl Draft {
    /// The values.
    ///
    /// # Errors
    /// Says what they cannot say.
    pub(super) fn values(&self, world: &World<'_>) -> Result<Value, Unsaid> {
        let (name, namespace) = (&self.service.name, &self.service.namespace);
        let source = world.sources.get(&self.service);
        let service = source.map(|source| &source.value).cloned().unwrap_or_default();
        let wanted = selector(&service);
        let is_by_name = wanted.len() == 1 && wanted.get("app") == Some(name);
        if !is_by_name {
            let found: Vec<String> = wanted.iter().map(|(k, v)| format!("{k}: {v}")).collect();
            return Err(Unsaid::new(
                format!(
                    "{} selects pods by `{}`, and values by `app: {name}`",
                    self.service,
                    found.join(", ")
                ),
                format!(
                    "label the pods `app: {name}`, let the Service select them by that alone, and run this again"
                ),
            ));
        }
        let Some(port) = self.routes.first().map(|read| read.port) else {
            return Err("no routes".into());
        };
        if self.routes.iter().any(|read| read.port != port) {
            return Err(Unsaid::new(
                "several ports",
                "let all routes lead to one port of the Service",
            ));
        }
        let ports = service["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = ports.iter().find(|it| it["port"] == port);
        let target = match found.map(|it| &it["targetPort"]) {
            None | Some(Value::Null) => port.into(),
            Some(target) => target.clone(),
        };
        let (canary, main): (Vec<&Read>, Vec<&Read>) =
            self.routes.iter().partition(|read| !read.headers.is_empty());
        let split = split(&main, &canary)?;
        let mut deployment = Map::new();
        let versions = [&split.primary].into_iter().chain(split.canary.as_ref().map(|it| &it.0));
        for version in versions {
            deployment.insert(version.clone(), json!({"external": true}));
        }
        let mut values = Map::new();
        if namespace != name {
            values.insert("namespace".into(), namespace.as_str().into());
        }
        values.insert("deployment".into(), deployment.into());
        values.insert("service".into(), json!({"port": port, "targetPort": target}));
        values.insert("adopt".into(), true.into());
        let mut routes = Map::new();
        match &self.attached {
            Attached::ApiGroup(group) => routes.insert("apiGroup".into(), group.as_str().into()),
            Attached::Domains(domains) => routes.insert("domains".into(), domains.clone().into()),
        };
        let paths: Vec<Value> = main.iter().map(|read| read.path.clone()).collect();
        routes.insert("paths".into(), paths.into());
        routes.insert("primary".into(), json!({"version": split.primary}));
        if let Some((version, weight)) = split.canary {
            let mut said = json!({"version": version});
            if let Some(read) = canary.first() {
                said["headers"] = read.headers.clone().into();
            }
            said["weight"] = weight.into();
            if let Some(percent) = shadow(&main, &version)? {
                said["shadow"] = percent.into();
            }
            routes.insert("canary".into(), said);
        } else if main.iter().any(|read| read.shadow.is_some()) {
            return Err("copies for a version that gets no requests".into());
        }
        values.insert("routes".into(), routes.into());
        Ok(values.into())
    }
}

/// The percentage of requests of which the canary gets a copy.
fn shadow(main: &[&Read], canary: &str) -> Result<Option<u32>, Unsaid> {
    let Some(first) = main.first() else { return Ok(None) };
    if main.iter().any(|read| read.shadow != first.shadow) {
        return Err("copies of requests for some of the paths".into());
    }
    match &first.shadow {
        None => Ok(None),
        Some((version, percent)) if version == canary => Ok(Some(*percent)),
        Some(_) => Err("copies for another version than the canary".into()),
    }
}

/// Who is the primary and who the canary: of two versions the one with the routes by header, or else the later one.
fn split(main: &[&Read], canary: &[&Read]) -> Result<Split, Unsaid> {
    let Some(first) = main.first() else {
        return Err("routes for requests with headers alone".into());
    };
    if main.iter().any(|read| read.destinations != first.destinations) {
        return Err("paths with other versions or weights than the rest".into());
    }
    let tested = match canary.first() {
        None => None,
        Some(read) => Some(tested(main, canary, read)?),
    };
    let sum: u32 = first.destinations.iter().map(|(_, weight)| weight).sum();
    let percent = |weight: u32| match (weight * 100).checked_rem(sum) {
        Some(0) => Ok(weight * 100 / sum),
        _ => Err(Unsaid::from(format!("the weight {weight} of {sum}, which is no whole percent"))),
    };
    match (first.destinations.as_slice(), tested) {
        ([(primary, _)], Some(canary)) if *primary != canary => {
            Ok(Split { primary: primary.clone(), canary: Some((canary, 0)) })
        }
        ([(primary, _)], _) => Ok(Split { primary: primary.clone(), canary: None }),
        ([one, other], Some(canary)) if one.0 == canary => {
            Ok(Split { primary: other.0.clone(), canary: Some((canary, percent(one.1)?)) })
        }
        ([one, other], Some(canary)) if other.0 == canary => {
            Ok(Split { primary: one.0.clone(), canary: Some((canary, percent(other.1)?)) })
        }
        ([one, other], None) => {
            Ok(Split { primary: one.0.clone(), canary: Some((other.0.clone(), percent(other.1)?)) })
        }
        _ => Err("more than a primary and a canary".into()),
    }
}

/// The version that requests with the headers reach, which is the same for every path.
fn tested(main: &[&Read], canary: &[&Read], read: &Read) -> Result<String, Unsaid> {
    let [(version, _)] = read.destinations.as_slice() else {
        return Err("routes by headers to several versions".into());
    };
    let is_same = |it: &&&Read| it.headers == read.headers && it.destinations == read.destinations;
    let texts = |reads: &[&Read]| {
        let mut texts: Vec<String> = reads.iter().map(|read| read.path.to_string()).collect();
        texts.sort();
        texts
    };
    if !canary.iter().all(|it| is_same(&it)) || texts(main) != texts(canary) {
        return Err(Unsaid::new(
            "routes by headers that are not the same for every path",
            "give each path a route for the same headers, with the same options",
        ));
    }
    Ok(version.clone())
}
