//! What a route does beside its destinations, as `options` of values.

use gloo::api::Duration;
use gloo::config::{Forward, HostRewrite, PathRewrite, Route, VirtualHost};
use serde_json::{Map, Value, json};

use crate::migration::headers::changes;
use crate::migration::unsaid::Unsaid;

/// The options of a route, with those that it inherits. Retries are named as not carried over already.
///
/// # Errors
/// Says what values for the Gateway API cannot say.
pub(super) fn options(
    route: &Route,
    host: &VirtualHost,
    forward: &Forward,
) -> Result<Map<String, Value>, Unsaid> {
    let mut options = Map::new();
    if let Some(timeout) = forward.timeout {
        options.insert("timeout".into(), seconds(timeout)?.into());
    }
    match forward.path_rewrites.first() {
        None => {}
        Some(PathRewrite::Prefix(to)) => {
            options.insert("prefixRewrite".into(), to.as_str().into());
        }
        Some(PathRewrite::Regex { .. }) => {
            return Err("a rewrite of the path by an expression".into());
        }
    }
    match &forward.host_rewrite {
        // The pods of a Service have no names: nothing changes.
        None | Some(HostRewrite::Auto(_)) => {}
        Some(HostRewrite::Literal(name)) => {
            options.insert("hostRewrite".into(), name.as_str().into());
        }
        Some(_) => return Err("a host that is made of the request".into()),
    }
    let edits = header_manipulation(route, host);
    if !edits.is_empty() {
        options.insert("headerManipulation".into(), edits.into());
    }
    if let Some(policy) = route.cors.as_ref().or(host.cors.as_ref())
        && !policy.disabled
    {
        let rules = serde_json::to_value(&policy.rules).map_err(|error| error.to_string())?;
        options.insert("cors".into(), rules);
    }
    Ok(options)
}

fn header_manipulation(route: &Route, host: &VirtualHost) -> Map<String, Value> {
    let [request, response] = changes(route, host);
    let mut fields = Map::new();
    for (changes, add, remove) in [
        (request, "requestHeadersToAdd", "requestHeadersToRemove"),
        (response, "responseHeadersToAdd", "responseHeadersToRemove"),
    ] {
        let added = |edit: &gloo::config::HeaderEdit| {
            json!({
                "header": {"key": edit.name, "value": edit.value},
                "append": !edit.overwrite,
            })
        };
        if !changes.add.is_empty() {
            fields.insert(add.into(), changes.add.iter().map(added).collect());
        }
        if !changes.remove.is_empty() {
            fields.insert(remove.into(), changes.remove.into());
        }
    }
    fields
}

/// A time as Gloo writes it.
fn seconds(time: Duration) -> Result<String, Unsaid> {
    let millis = u64::try_from(time.millis()).map_err(|_| "a negative timeout")?;
    Ok(match (millis / 1000, millis % 1000) {
        (seconds, 0) => format!("{seconds}s"),
        (seconds, rest) => format!("{seconds}.{rest:03}s"),
    })
}
