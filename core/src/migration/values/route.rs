//! What one route says, in the words of values.

use gloo::config::{Action, Cluster, Match, PathMatch, Route, Target, ValueMatch, VirtualHost};
use gloo::{ObjectRef, Translation};
use serde_json::{Map, Value, json};

use super::World;
use super::options::options;
use crate::migration::backends::{Choice, Labels, choice, selector};
use crate::migration::conditions::methods;
use crate::migration::unsaid::{Unsaid, check};

/// What one route says.
pub(super) struct Read {
    /// The Service that all of its destinations are.
    pub(super) service: ObjectRef,
    /// The port of that.
    pub(super) port: u32,
    /// Path, methods, query parameters and options, as an item of `routes.paths`.
    pub(super) path: Value,
    /// The conditions on headers, as `routes.canary.headers`.
    pub(super) headers: Map<String, Value>,
    /// The versions, with their weights.
    pub(super) destinations: Vec<(String, u32)>,
    /// The version that gets copies, and of how many percent.
    pub(super) shadow: Option<(String, u32)>,
}

/// Reads a route.
///
/// # Errors
/// Says what values cannot say.
pub(super) fn read(
    world: &World<'_>,
    translation: &Translation,
    route: &Route,
    host: &VirtualHost,
) -> Result<Read, Unsaid> {
    check(route, host)?;
    let Action::Forward(forward) = &route.action else {
        return Err(Unsaid::new(
            "an answer that the gateway gives by itself",
            "write its HTTPRoute with --to gateway-api, and put it into platform/",
        ));
    };
    let versions = Versions { world, translation };
    let destinations = match &forward.target {
        Target::Cluster { name, subset } => vec![(versions.of(name, subset)?, 1)],
        Target::Weighted { clusters, .. } => {
            let mut all = Vec::new();
            for cluster in clusters {
                if cluster.headers != gloo::config::HeaderEdits::default() {
                    return Err("changes of headers for one of several destinations".into());
                }
                all.push((versions.of(&cluster.name, &cluster.subset)?, cluster.weight));
            }
            all
        }
        _ => return Err("a destination that is no Upstream".into()),
    };
    let Some(((service, port, _), _)) = destinations.first().cloned() else {
        return Err("no destinations".into());
    };
    if destinations.iter().any(|((other, number, _), _)| (other, *number) != (&service, port)) {
        return Err(Unsaid::new(
            "destinations of several Services: the versions of a service have one",
            "label the pods `app` and `version`, and let one Service select them all by `app`",
        ));
    }
    let mut shadow = None;
    for copy in forward.mirrors.iter().filter(|copy| copy.per_million > 0) {
        let (other, _, version) = versions.of(&copy.cluster, &Labels::new())?;
        if other != service || shadow.is_some() || copy.per_million % 10_000 != 0 {
            let next = "let the canary have the copies, in whole percent";
            return Err(Unsaid::new("copies for others than a version", next));
        }
        shadow = Some((version, copy.per_million / 10_000));
    }
    let (path, headers) = matching(&route.matcher)?;
    let mut path = path;
    let options = options(route, host, forward)?;
    if !options.is_empty() {
        path["options"] = options.into();
    }
    let destinations =
        destinations.into_iter().map(|((_, _, version), weight)| (version, weight)).collect();
    Ok(Read { service, port, path, headers, destinations, shadow })
}

/// Which version a destination means.
struct Versions<'a> {
    world: &'a World<'a>,
    translation: &'a Translation,
}

impl Versions<'_> {
    /// The Service, its port, and the version.
    fn of(&self, name: &str, subset: &Labels) -> Result<(ObjectRef, u32, String), Unsaid> {
        let cluster: Option<&Cluster> = self.translation.clusters.iter().find(|it| it.name == name);
        let (Some(upstream), Some(cluster)) = (self.world.upstreams.get(name), cluster) else {
            return Err(
                format!("the destination {name:?}, which is of no Kubernetes Service").into()
            );
        };
        let Some(service) = self.world.sources.get(&upstream.service) else {
            let next = format!("add {} to what is read", upstream.service);
            return Err(Unsaid::new(
                format!("{} is not among the objects", upstream.service),
                next,
            ));
        };
        let of_service = selector(&service.value);
        let mut wanted = of_service.clone();
        wanted.extend(upstream.selector.clone());
        match choice(cluster, subset) {
            Choice::All => {}
            Choice::Labelled(labels) => wanted.extend(labels),
            Choice::Nobody => return Err("a subset that the Upstream does not have".into()),
        }
        let own: Vec<(&String, &String)> =
            wanted.iter().filter(|(key, value)| of_service.get(*key) != Some(value)).collect();
        let place = || (upstream.service.clone(), upstream.port);
        match own[..] {
            [(key, value)] if key == "version" => Ok((place().0, place().1, value.clone())),
            [] => {
                let known = self.world.pods.values_of(&service.value, "version");
                let mut known = known.into_iter();
                match (known.next(), known.next()) {
                    (Some(Some(version)), None) => Ok((place().0, place().1, version)),
                    _ => Err(Unsaid::new(
                        format!("all pods of {}, of any version", upstream.service),
                        "name one version's subset in the route: `subset: {values: {version: v1}}`",
                    )),
                }
            }
            _ => Err(Unsaid::new(
                "a subset by other labels than `version`",
                "label the pods `version`, and name the subset by it",
            )),
        }
    }
}

/// An item of `routes.paths` without options, and the conditions on headers.
fn matching(matcher: &Match) -> Result<(Value, Map<String, Value>), Unsaid> {
    if matcher.case_sensitive == Some(false) {
        return Err("a path without regard to letter case".into());
    }
    let mut path = match &matcher.path {
        Some(PathMatch::Prefix(text)) => json!({"prefix": text}),
        Some(PathMatch::Exact(text)) => json!({"exact": text}),
        Some(PathMatch::Regex(text)) => json!({"regex": text}),
        Some(PathMatch::Connect) => return Err("a matcher for CONNECT".into()),
        None => return Err("a matcher without a path".into()),
    };
    let (mut named, mut headers) = (Vec::new(), Map::new());
    for header in &matcher.headers {
        if header.name == ":method" {
            named = methods(header, named)?;
            continue;
        }
        let mut condition = condition(&header.value);
        if header.invert {
            condition["invert"] = true.into();
        }
        if headers.insert(header.name.clone(), condition).is_some() {
            return Err(format!("two conditions on the header {}", header.name).into());
        }
    }
    if !named.is_empty() {
        path["methods"] = named.into();
    }
    let mut query = Map::new();
    for parameter in &matcher.query {
        if query.insert(parameter.name.clone(), condition(&parameter.value)).is_some() {
            return Err(format!("two conditions on the parameter {}", parameter.name).into());
        }
    }
    if !query.is_empty() {
        path["queryParameters"] = query.into();
    }
    Ok((path, headers))
}

fn condition(wanted: &ValueMatch) -> Value {
    match wanted {
        ValueMatch::Exact(text) => json!({"value": text}),
        ValueMatch::Regex(expression) => json!({"regex": expression}),
        ValueMatch::Present => json!({"present": true}),
    }
}
