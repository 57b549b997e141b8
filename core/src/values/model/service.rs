//! One service's values.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::autopilot::Autopilot;
use super::drift::Drift;
use super::routes::Routes;
use super::workload::Workload;
use crate::problem::Location;
use crate::values::names::{ServiceName, Version, Weight, object_name};
use crate::values::remark::Remark;
use crate::values::whole_match;

/// A service as its file and the repository's defaults describe it.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The file's stem.
    pub name: ServiceName,
    /// Where its objects live; the service's name by default.
    pub namespace: String,
    /// The file it was read from, relative to the tree.
    pub file: String,
    /// Its versions, at least one.
    pub versions: BTreeMap<Version, Workload>,
    /// The port of its Kubernetes Service; 80 by default.
    pub port: u16,
    /// Where its Kubernetes Service sends to.
    pub target_port: TargetPort,
    /// Who gets its requests.
    pub routes: Routes,
    /// More of its Upstreams' spec.
    pub upstream: Map<String, Value>,
    /// Whether objects that exist without our labels are taken over.
    pub adopt: bool,
    /// Whether its objects stay when its file goes.
    pub keep: bool,
    /// What is done when somebody else changes its objects; what the daemon does when absent.
    pub drift: Option<Drift>,
    /// How a canary is taken through its rollout; by people alone when absent.
    pub autopilot: Option<Autopilot>,
    /// What its folder's policy gives it.
    pub grants: Grants,
    /// Where its routes are written.
    pub places: RoutePlaces,
}

/// Where a service's routes are written, for messages: two are equal wherever that is.
#[derive(Clone, Debug)]
pub struct RoutePlaces {
    /// The routes as a whole.
    routes: Location,
    /// The texts of paths, each with its place.
    paths: Vec<(String, Location)>,
}

impl PartialEq for RoutePlaces {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl RoutePlaces {
    pub(crate) fn new(routes: Location, paths: Vec<(String, Location)>) -> Self {
        Self { routes, paths }
    }

    /// The place of a path; that of the routes where none is known, or it is written elsewhere.
    pub fn of(&self, path: Option<&str>) -> &Location {
        let found = self.paths.iter().find(|(text, _)| Some(text.as_str()) == path);
        found.map_or(&self.routes, |(_, at)| at)
    }

    /// The longest of the paths that stands in a text, such as an expression in the words of Envoy.
    pub fn named_in(&self, words: &str) -> Option<&str> {
        let named = self.paths.iter().map(|(text, _)| text.as_str());
        // `echo/echo` is an object and no path, and of `/` every text has one.
        let begins = |before: &str| !before.ends_with(|it: char| it.is_alphanumeric() || it == '-');
        let is_named = |text: &&str| {
            text.len() > 1 && words.match_indices(*text).any(|(at, _)| begins(&words[..at]))
        };
        named.filter(is_named).max_by_key(|text| text.len())
    }
}

/// What the policy of a folder gives to its services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The service account, in the namespace of the objects, as which they are written; the daemon's own when absent.
    pub service_account: Option<String>,
    /// Whether its paths and domains are listed, so that they may lie within those of other folders.
    pub carve_outs: bool,
}

/// Where a Service sends to: a port of the pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// By number.
    Number(u16),
    /// By the name of a container port.
    Name(String),
}

/// The name of the container port that a version listens on.
pub const PORT_NAME: &str = "http";

impl Service {
    /// `<service>-<version>` in the form of [`object_name`]: the name of the version's Deployment,
    /// and of its Upstream where it has its own.
    pub fn version_name(&self, version: &Version) -> String {
        object_name(self.name.as_str(), version.as_str())
    }

    /// The namespaces of the Gateways of the Gateway API that it names.
    pub fn gateway_namespaces(&self) -> impl Iterator<Item = String> {
        let gateways = self.routes.gateway.gateway_api().into_iter().flat_map(|api| &api.gateways);
        gateways.map(|it| it.namespace.as_ref().unwrap_or(&self.namespace).clone())
    }

    /// Whether the objects of a version that comes get a name of their own that Kubernetes takes.
    ///
    /// # Errors
    /// Says what is in the way.
    pub(crate) fn check_new(&self, version: &Version) -> Result<(), String> {
        version.check_with(&self.name)?;
        let name = self.version_name(version);
        let is_like = |it: &&Version| *it != version && self.version_name(it) == name;
        match self.versions.keys().find(is_like) {
            Some(other) => Err(format!(
                "the objects of {version} would be called `{name}`, as those of {other}"
            )),
            None => Ok(()),
        }
    }

    /// The versions that a route names, whatever their share: those that must be ready before
    /// the routes are written.
    pub(crate) fn routed_versions(&self) -> Vec<&Version> {
        let canary = self.routes.canary.as_ref().map(|canary| &canary.version);
        [&self.routes.primary].into_iter().chain(canary).collect()
    }

    /// Whether a token leads to the canary.
    pub fn has_token(&self) -> bool {
        self.routes.canary.as_ref().is_some_and(|canary| canary.jwt.is_some())
    }

    /// What is legal here but probably not meant.
    pub fn warnings(&self) -> Vec<Remark> {
        let mut warnings = Vec::new();
        if let Some(canary) = &self.routes.canary
            && !canary.is_tested()
            && canary.weight == Weight::ZERO
            && canary.shadow == Weight::ZERO
        {
            let words = format!(
                "{} gets no requests: it has no headers, jwt, weight or shadow",
                canary.version
            );
            warnings.push(Remark::new(["routes", "canary"], words));
        }
        for version in self.routed_versions() {
            if let Some(Workload::Deployed(deployment)) = self.versions.get(version)
                && deployment.replicas == Some(0)
            {
                let words =
                    format!("0, but a route names {version}: the routes wait for a ready pod");
                warnings.push(Remark::new(["deployment", version.as_str(), "replicas"], words));
            }
        }
        warnings.extend(self.doubtful_conditions());
        warnings
    }

    /// Conditions that probably mean something else than their author expects.
    fn doubtful_conditions(&self) -> impl Iterator<Item = Remark> {
        let headers = self.routes.canary.iter().flat_map(|canary| &canary.headers);
        let headers = headers.filter_map(|(name, header)| {
            let doubt = whole_match::of_header(&header.value)?;
            Some(Remark::new(["routes", "canary", "headers", name], doubt))
        });
        // They stand in the order of their routes, not of the file: no index names them.
        let paths = self.routes.paths.iter().flat_map(|path| {
            let doubt = whole_match::of_path(&path.path);
            let own = doubt.map(|doubt| Remark::new(["routes", "paths"], doubt));
            let parameters = path.query_parameters.iter().filter_map(|(name, value)| {
                let doubt = whole_match::of_value(value)?;
                let words = format!("queryParameters.{}: {doubt}", name.escape_debug());
                Some(Remark::new(["routes", "paths"], words))
            });
            own.into_iter().chain(parameters)
        });
        headers.chain(paths)
    }
}
