//! Compares what Envoys listen on.

use std::collections::{BTreeMap, BTreeSet};

use gloo::config::VirtualHost;
use gloo::{Chain, Listener, Secret, Serves, Translation, envoy};
use serde_json::{Value, json};

use crate::compare::{Expected, virtual_hosts};
use crate::normal;

const MAIN: (&str, u32) = ("gateway-proxy", 8080);

fn main_listener(translation: &Translation) -> Option<&Listener> {
    translation.listeners.iter().find(|it| (it.proxy.as_str(), it.port) == MAIN)
}

/// The virtual hosts behind the Gateway of the recording, if it is a plain one.
pub(crate) fn main_hosts(translation: &Translation) -> Vec<&VirtualHost> {
    let Some(listener) = main_listener(translation) else { return Vec::new() };
    let name = format!("{}-routes", listener.name);
    let mut routes = translation.routes.iter();
    let routes = routes.find(|it| it.proxy == MAIN.0 && it.name == name);
    routes.into_iter().flat_map(|it| &it.virtual_hosts).map(|host| &**host).collect()
}

/// Compares presence, filter chains and route configurations.
pub(crate) fn compare(translation: &Translation, expected: &Expected<'_>, found: &mut Vec<String>) {
    let listener = if main_listener(translation).is_some() { "present" } else { "absent" };
    normal::differences("listener", &expected.0["listener"], &json!(listener), found);
    if let Some(wanted) = expected.0.get("by_listener") {
        by_listener(translation, wanted, found);
    }
    if let Some(wanted) = expected.0.get("route_configurations") {
        route_configurations(translation, wanted, found);
    }
}

/// What Gloo makes for itself.
fn is_made_up(name: &str) -> bool {
    name.starts_with("solo_io_generated") || name.starts_with("fallback_listener")
}

fn by_listener(translation: &Translation, wanted: &Value, found: &mut Vec<String>) {
    let own: BTreeMap<String, &Listener> =
        translation.listeners.iter().map(|it| (format!("{} {}", it.proxy, it.name), it)).collect();
    let wanted = wanted.as_object().into_iter().flatten();
    let wanted: BTreeMap<&String, &Value> = wanted
        .filter(|(name, _)| !name.split_once(' ').is_some_and(|(_, name)| is_made_up(name)))
        .collect();
    let names: BTreeSet<&String> = own.keys().chain(wanted.keys().copied()).collect();
    for name in names {
        let (Some(wanted), Some(own)) = (wanted.get(name), own.get(name)) else {
            let got = own.contains_key(name);
            found.push(format!("by_listener {name}: expected {}, got {got}", !got));
            continue;
        };
        if own.opaque {
            continue;
        }
        let at = format!("by_listener {name}");
        normal::differences(&format!("{at} port"), &wanted["port"], &json!(own.port), found);
        chains(&at, &wanted["chains"], own, translation, found);
    }
}

fn chains(
    at: &str,
    wanted: &Value,
    listener: &Listener,
    translation: &Translation,
    found: &mut Vec<String>,
) {
    let wanted = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
    if wanted.len() != listener.chains.len() {
        found.push(format!("{at}: expected {wanted:?}, got {:?}", listener.chains));
        return;
    }
    for (index, (wanted, own)) in wanted.iter().zip(&listener.chains).enumerate() {
        let at = format!("{at} chains[{index}]");
        let fits = json!({ "names": own.server_names, "sources": own.sources.iter().map(|range| {
            json!({ "address_prefix": range.address_prefix, "prefix_len": range.prefix_len })
        }).collect::<Vec<_>>() });
        let list = |name: &str| wanted["match"].get(name).cloned().unwrap_or(json!([]));
        let wanted_fits =
            json!({ "names": list("server_names"), "sources": list("source_prefix_ranges") });
        normal::differences(&format!("{at} match"), &wanted_fits, &fits, found);
        certificates(&at, &wanted["tls"], own, found);
        match &own.serves {
            Serves::Routes(name) => {
                let routes = translation.routes.iter();
                let routes = routes.filter(|it| it.proxy == listener.proxy && it.name == *name);
                let hosts: Option<Vec<&VirtualHost>> =
                    routes.map(|it| it.virtual_hosts.iter().map(|host| &**host).collect()).next();
                let form = hosts.as_ref().map(|hosts| {
                    let host = |host: &&VirtualHost| {
                        json!({
                            "name": host.name,
                            "domains": host.domains,
                            "routes": host.routes.len(),
                        })
                    };
                    hosts.iter().map(host).collect::<Vec<_>>()
                });
                let wanted_hosts = &wanted["virtual_hosts"];
                normal::differences(&at, wanted_hosts, &json!(form), found);
                filters(&at, &wanted["http_filters"], listener, translation, found);
            }
            Serves::Clusters(clusters) => {
                let one = wanted["tcp"]["cluster"].as_str().map(|name| vec![(name.to_owned(), 1)]);
                let several = wanted["tcp"]["weighted_clusters"]["clusters"].as_array();
                let several = several.into_iter().flatten().map(|it| {
                    let weight = it["weight"].as_u64().expect("a weight");
                    (it["name"].as_str().expect("a name").to_owned(), weight as u32)
                });
                let wanted = one.unwrap_or_else(|| several.collect());
                if wanted != *clusters {
                    found.push(format!("{at}: expected {wanted:?}, got {clusters:?}"));
                }
            }
        }
    }
}

/// Filters that are not modelled are among the recorded ones; all others are there in their order.
fn filters(
    at: &str,
    wanted: &Value,
    listener: &Listener,
    translation: &Translation,
    found: &mut Vec<String>,
) {
    let config = envoy::listeners(translation, &listener.proxy, "/");
    let resources = config["resources"].as_array().into_iter().flatten();
    let mut resources = resources.filter(|it| it["name"] == listener.name.as_str());
    let own = resources
        .next()
        .map(|it| it["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"].clone());
    let own = own.unwrap_or_default();
    let own: Vec<&str> =
        own.as_array().into_iter().flatten().filter_map(|it| it["name"].as_str()).collect();
    let wanted: Vec<&str> =
        wanted.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let opaque = translation.routes.iter().filter(|it| it.gateway == listener.gateway);
    let opaque = opaque.flat_map(|it| &it.virtual_hosts).any(|host| host.opaque);
    let noted = opaque || translation.notes.iter().any(|note| *note.object == *listener.gateway);
    let mut rest = wanted.iter();
    let among = own.iter().all(|name| rest.any(|wanted| wanted == name));
    if !(own == wanted || noted && among) {
        found.push(format!("{at} http_filters: expected {wanted:?}, got {own:?}"));
    }
}

/// The certificate that the recording names is the one of the Secret.
fn certificates(at: &str, wanted: &Value, own: &Chain, found: &mut Vec<String>) {
    if wanted.is_null() != own.tls.is_none() {
        found.push(format!("{at} tls: expected {wanted}, got {:?}", own.tls));
    }
    let names = wanted["certificates"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in names {
        let name = name.trim_start_matches("<certificate ").trim_end_matches('>');
        if !is_certificate_of(own, name) {
            found.push(format!("{at} tls: expected the certificate of {name}, got {:?}", own.tls));
        }
    }
}

/// Whether the chain shows a certificate with this name in it.
pub(crate) fn is_certificate_of(chain: &Chain, name: &str) -> bool {
    let secret = chain.tls.as_ref().and_then(|tls| tls.secret.as_ref());
    let Some((_, Secret::Tls { certificate, .. })) = secret else { return false };
    let lines = certificate.lines().filter(|line| !line.starts_with("-----"));
    let text: String = lines.collect();
    let name = name.as_bytes();
    base64(&text).windows(name.len()).any(|part| part == name)
}

fn base64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for value in text.bytes().filter_map(|byte| alphabet.iter().position(|it| *it == byte)) {
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

/// By name; of several behind one listener Gloo ends the name by a number.
fn route_configurations(translation: &Translation, wanted: &Value, found: &mut Vec<String>) {
    let base = |name: &str| {
        let end = name.find("-routes").map_or(name.len(), |at| at + "-routes".len());
        name[..end].to_owned()
    };
    let mut own: BTreeMap<String, Vec<Vec<&VirtualHost>>> = BTreeMap::new();
    for routes in translation.routes.iter().filter(|routes| routes.proxy == MAIN.0) {
        let hosts = routes.virtual_hosts.iter().map(|host| &**host).collect();
        own.entry(base(&routes.name)).or_default().push(hosts);
    }
    let mut recorded: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for (name, hosts) in wanted.as_object().into_iter().flatten() {
        recorded.entry(base(name)).or_default().push(hosts);
    }
    let names: BTreeSet<&String> = own.keys().chain(recorded.keys()).collect();
    for name in names {
        let first = |hosts: &Value| hosts[0]["name"].as_str().unwrap_or_default().to_owned();
        let mut wanted = recorded.get(name).cloned().unwrap_or_default();
        wanted.sort_by_key(|hosts| first(hosts));
        let mut got = own.get(name).cloned().unwrap_or_default();
        got.sort_by_key(|hosts| hosts.first().map(|host| host.name.clone()));
        if wanted.len() != got.len() {
            let (wanted, got) = (wanted.len(), got.len());
            found.push(format!("route_configurations {name}: expected {wanted}, got {got}"));
            continue;
        }
        for (wanted, got) in wanted.into_iter().zip(got) {
            let at = format!("route_configurations {name}");
            virtual_hosts(&at, wanted, &got, found);
        }
    }
}
