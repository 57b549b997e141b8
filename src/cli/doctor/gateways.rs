//! Whether the Gateways that services attach their HTTPRoutes to are there, and are served by the implementation that the
//! services' profile means.

use std::collections::BTreeMap;

use coalmine_core::object::ObjectId;
use coalmine_core::reason::Denial;
use coalmine_core::values::{Profile, Repository};
use serde_json::Value;

use super::Findings;
use crate::cluster::{Cluster, ClusterError};
use crate::hint::advised;

const API: &str = "gateway.networking.k8s.io/v1";
/// The first release of the Gateway API whose HTTPRoute has what is written.
const OLDEST_RELEASE: (u32, u32) = (1, 4);

/// A Gateway as services name it, with the file of the first one that does.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    namespace: String,
    name: String,
    section: Option<String>,
    profile: Profile,
}

/// The Gateways that the valid services of a repository name, each with the file of one of these.
pub(super) fn wanted(repository: &Repository) -> BTreeMap<Wanted, String> {
    let mut wanted = BTreeMap::new();
    for service in repository.services.values().filter_map(|outcome| outcome.as_ref().ok()) {
        let Some(api) = service.routes.gateway.gateway_api() else { continue };
        for gateway in &api.gateways {
            let namespace = gateway.namespace.as_ref().unwrap_or(&service.namespace);
            let gateway = Wanted {
                namespace: namespace.clone(),
                name: gateway.name.clone(),
                section: gateway.section_name.clone(),
                profile: api.profile,
            };
            wanted.entry(gateway).or_insert_with(|| service.file.clone());
        }
    }
    wanted
}

/// Looks whether HTTPRoutes are served, and for each Gateway. Returns whether they are served.
pub(super) async fn look(
    cluster: &Cluster,
    wanted: &BTreeMap<Wanted, String>,
    findings: &mut Findings,
) -> bool {
    let definition = ObjectId::new(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        None,
        "httproutes.gateway.networking.k8s.io",
    );
    match read(cluster, &definition).await {
        Read::Found(definition) => findings.add("Gateway API", release(&definition)),
        Read::Unknown(why) => {
            if !super::serves_http_routes(cluster).await {
                return missing(wanted, findings);
            }
            findings.note(
                "Gateway API",
                &format!("HTTPRoutes are served; of which release is not known: {why}"),
            );
        }
        Read::Absent => return missing(wanted, findings),
    }
    for (gateway, file) in wanted {
        let what = format!("Gateway {}/{}", gateway.namespace, gateway.name);
        let id = ObjectId::new(API, "Gateway", Some(&gateway.namespace), &gateway.name);
        let found = match read(cluster, &id).await {
            Read::Found(found) => found,
            Read::Absent => {
                let list =
                    "`kubectl get gateways.gateway.networking.k8s.io -A` lists those that are";
                findings.add(
                    &what,
                    Err(advised(format_args!("{file} names it, and it is not there"), list)),
                );
                continue;
            }
            Read::Unknown(why) => {
                findings.note(&what, &format!("not known: {why}"));
                continue;
            }
        };
        let class = found["spec"]["gatewayClassName"].as_str().unwrap_or_default();
        let class = read(cluster, &ObjectId::new(API, "GatewayClass", None, class)).await;
        match judge(gateway, file, &found, class) {
            Ok((words, note)) => {
                findings.add(&what, Ok(words));
                if let Some(note) = note {
                    findings.note(&what, &note);
                }
            }
            Err(error) => findings.add(&what, Err(error)),
        }
    }
    true
}

/// Nothing of the Gateway API is served, which is wrong where a service needs it.
fn missing(wanted: &BTreeMap<Wanted, String>, findings: &mut Findings) -> bool {
    if let Some(file) = wanted.values().next() {
        findings.add(
            "Gateway API",
            Err(advised(
                format_args!("the cluster does not serve HTTPRoutes, which {file} becomes"),
                "install its CustomResourceDefinitions (standard channel, 1.4 or later)",
            )),
        );
    }
    false
}

/// What was found of an object.
enum Read {
    Found(Value),
    Absent,
    /// Not known, and why.
    Unknown(String),
}

async fn read(cluster: &Cluster, id: &ObjectId) -> Read {
    match cluster.get(id).await {
        Ok(Some(found)) => Read::Found(found),
        Ok(None) | Err(ClusterError::KindNotServed { .. }) => Read::Absent,
        Err(ClusterError::Denied { by: Denial::Permission, .. }) => {
            Read::Unknown(format!("the account may not get {}", id.for_kubectl()))
        }
        Err(error) => Read::Unknown(error.to_string()),
    }
}

/// The release and channel that the CustomResourceDefinition says it has.
///
/// # Errors
/// A release that is too old.
fn release(definition: &Value) -> anyhow::Result<String> {
    let annotation = |name: &str| {
        definition["metadata"]["annotations"][format!("gateway.networking.k8s.io/{name}")].as_str()
    };
    let Some(release) = annotation("bundle-version") else {
        return Ok(
            "HTTPRoutes are served; their definition does not say of which release".to_owned()
        );
    };
    let mut numbers = release.trim_start_matches('v').split('.').map(str::parse::<u32>);
    if let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next())
        && (major, minor) < OLDEST_RELEASE
    {
        return Err(advised(
            format_args!("its release {release} is too old"),
            "install the CustomResourceDefinitions of 1.4 or later",
        ));
    }
    let channel = annotation("channel").unwrap_or("unknown");
    Ok(format!("HTTPRoutes are served, release {release}, {channel} channel"))
}

/// What is to be said of a Gateway, and what is worth knowing beside it.
///
/// # Errors
/// A listener or class that is missing, a Gateway or class that is not accepted, and a class of another implementation than
/// the profile's.
fn judge(
    wanted: &Wanted,
    file: &str,
    gateway: &Value,
    class: Read,
) -> anyhow::Result<(String, Option<String>)> {
    let listeners = gateway["spec"]["listeners"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(section) = &wanted.section
        && !listeners.iter().any(|listener| listener["name"] == section.as_str())
    {
        let names: Vec<_> = listeners.iter().filter_map(|it| it["name"].as_str()).collect();
        return Err(advised(
            format_args!("it has no listener {section}, which {file} names"),
            format_args!("its listeners are {}; correct `sectionName`", names.join(", ")),
        ));
    }
    let name = gateway["spec"]["gatewayClassName"].as_str().unwrap_or_default();
    let class = match class {
        Read::Found(class) => class,
        Read::Absent => {
            return Err(advised(
                format_args!("its GatewayClass {name} is not there, so nobody serves it"),
                "`kubectl get gatewayclasses` lists those that are",
            ));
        }
        Read::Unknown(why) => {
            return Ok((
                "it is there".to_owned(),
                Some(format!("who serves it is not known: {why}")),
            ));
        }
    };
    let controller = class["spec"]["controllerName"].as_str().unwrap_or_default();
    let (is_known, profile) = (profile_of(controller), wanted.profile);
    if let Some(known) = is_known.filter(|known| profile != Profile::Portable && *known != profile)
    {
        return Err(advised(
            format_args!(
                "{controller} serves it, and {file} is written for the profile {}",
                profile.as_str()
            ),
            format_args!("write `profile: {}`, or name another Gateway", known.as_str()),
        ));
    }
    for (what, object) in [(format!("its GatewayClass {name}"), &class), ("it".to_owned(), gateway)]
    {
        if let Some(condition) = condition(object, "Accepted")
            && condition["status"] == "False"
        {
            return Err(advised(
                format_args!("{what} is not accepted: {}", words(condition)),
                format_args!(
                    "`kubectl describe gateway.gateway.networking.k8s.io {} -n {}` says more",
                    wanted.name, wanted.namespace
                ),
            ));
        }
    }
    let mut notes = Vec::new();
    if is_known.is_none() && profile != Profile::Portable {
        notes.push(format!(
            "whether {controller} goes by the rules of {} is not known",
            profile.as_str()
        ));
    }
    match condition(gateway, "Programmed") {
        Some(condition) if condition["status"] == "True" => {}
        Some(condition) => notes.push(format!("it is not programmed: {}", words(condition))),
        None => notes.push("it has no condition Programmed yet".to_owned()),
    }
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok((format!("{controller} serves it by the GatewayClass {name}"), note))
}

/// The implementation whose controller has this name, unless it was given another.
fn profile_of(controller: &str) -> Option<Profile> {
    match controller {
        "kgateway.dev/kgateway" => Some(Profile::Kgateway),
        "gateway.envoyproxy.io/gatewayclass-controller" => Some(Profile::EnvoyGateway),
        _ => None,
    }
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)
}

fn words(condition: &Value) -> String {
    let word = |name: &str| condition[name].as_str().unwrap_or_default();
    format!("{}, {}", word("reason"), word("message"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KGATEWAY: &str = "kgateway.dev/kgateway";

    fn edge(section: Option<&str>, profile: Profile) -> Wanted {
        Wanted {
            namespace: "infra".to_owned(),
            name: "edge".to_owned(),
            section: section.map(str::to_owned),
            profile,
        }
    }

    fn gateway(programmed: &str) -> Value {
        json!({
            "spec": {"gatewayClassName": "edge", "listeners": [{"name": "http"}, {"name": "https"}]},
            "status": {"conditions": [
                {"type": "Accepted", "status": "True"},
                {"type": "Programmed", "status": programmed, "reason": "Invalid", "message": "no address"},
            ]},
        })
    }

    fn class(controller: &str, accepted: &str) -> Read {
        Read::Found(json!({
            "spec": {"controllerName": controller},
            "status": {"conditions": [{"type": "Accepted", "status": accepted, "reason": "Unsupported", "message": "not mine"}]},
        }))
    }

    fn said(wanted: &Wanted, gateway: &Value, class: Read) -> String {
        match judge(wanted, "services/echo.yaml", gateway, class) {
            Ok((words, note)) => format!("{words}|{}", note.unwrap_or_default()),
            Err(error) => crate::hint::line(&error),
        }
    }

    #[test]
    fn a_gateway_is_there_with_its_listener_and_served_by_the_profiles_implementation() {
        let wanted = edge(Some("http"), Profile::Kgateway);
        let words = said(&wanted, &gateway("True"), class(KGATEWAY, "True"));
        assert_eq!(words, "kgateway.dev/kgateway serves it by the GatewayClass edge|");
        let words = said(&wanted, &gateway("False"), class(KGATEWAY, "True"));
        assert!(words.ends_with("|it is not programmed: Invalid, no address"), "{words}");
        let words = said(&wanted, &gateway("True"), class("example.com/own", "True"));
        assert!(words.contains("rules of kgateway is not known"), "{words}");
        let portable = edge(None, Profile::Portable);
        let words = said(&portable, &gateway("True"), class("example.com/own", "True"));
        assert_eq!(words, "example.com/own serves it by the GatewayClass edge|");
    }

    #[test]
    fn what_is_wrong_with_a_gateway_is_said_with_what_to_do() {
        let good = || class(KGATEWAY, "True");
        let wrong = said(&edge(Some("admin"), Profile::Kgateway), &gateway("True"), good());
        assert!(wrong.contains("no listener admin, which services/echo.yaml names"), "{wrong}");
        assert!(wrong.contains("http, https"), "{wrong}");
        let wrong = said(&edge(None, Profile::EnvoyGateway), &gateway("True"), good());
        assert!(wrong.contains("`profile: kgateway`"), "{wrong}");
        let wrong =
            said(&edge(None, Profile::Kgateway), &gateway("True"), class(KGATEWAY, "False"));
        assert!(
            wrong.contains("GatewayClass edge is not accepted: Unsupported, not mine"),
            "{wrong}"
        );
        let wrong = said(&edge(None, Profile::Kgateway), &gateway("True"), Read::Absent);
        assert!(wrong.contains("GatewayClass edge is not there"), "{wrong}");
        let unknown = Read::Unknown("the account may not get it".to_owned());
        let words = said(&edge(None, Profile::Kgateway), &gateway("True"), unknown);
        assert!(words.contains("|who serves it is not known"), "{words}");
    }

    #[test]
    fn a_release_that_lacks_what_is_written_is_too_old() {
        let of = |release: &str| {
            release_of(&json!({"gateway.networking.k8s.io/bundle-version": release,
                "gateway.networking.k8s.io/channel": "standard"}))
        };
        assert_eq!(of("v1.6.1"), "HTTPRoutes are served, release v1.6.1, standard channel");
        assert!(of("v1.3.0").contains("too old"), "{}", of("v1.3.0"));
        assert!(of("main").contains("release main"), "{}", of("main"));
        assert!(release_of(&json!({})).contains("does not say"));
    }

    fn release_of(annotations: &Value) -> String {
        let definition = json!({"metadata": {"annotations": annotations}});
        release(&definition).unwrap_or_else(|error| crate::hint::line(&error))
    }
}
