use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::cause::Cause;
use super::condition::condition;
use super::container::Container;

/// Since when a ready pod is ready, to the second; `None` for one that is not.
pub fn ready_since(pod: &Value) -> Option<Timestamp> {
    let conditions = pod.pointer("/status/conditions")?.as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    let since = ready.get("lastTransitionTime")?.as_str()?.parse().ok()?;
    pod_is_ready(pod).then_some(since)
}

/// How often the containers of a pod have restarted, the one of them that did so most.
pub fn restarts(pod: &Value) -> u32 {
    let containers = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    let restarts = containers.into_iter().flatten().filter_map(|it| it["restartCount"].as_u64());
    restarts.max().map_or(0, |most| u32::try_from(most).unwrap_or(u32::MAX))
}

/// True when the pod's condition Ready is True and it is not being deleted.
pub fn pod_is_ready(pod: &Value) -> bool {
    pod.pointer("/metadata/deletionTimestamp").is_none()
        && condition(pod, "Ready", |condition| condition["status"] == "True").is_some()
}

/// Why a pod is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The pod, the container, the reason and what was observed, in the kubelet's or scheduler's words.
    pub words: Arc<str>,
    /// What kind of trouble it is.
    pub cause: Cause,
    /// Whether it has failed so often that waiting alone is unlikely to help.
    pub lasting: bool,
    /// The pod's name.
    pub pod: Arc<str>,
    /// The container in trouble; `None` when it is the whole pod.
    pub container: Option<Arc<str>>,
    /// Whether what the container said at its end stands in the log of its run before, and not in that of the last one.
    pub in_previous_log: bool,
}

/// Why a pod is not ready; `None` when it gives no reason, is ready, or is being deleted.
pub fn pod_trouble(pod: &Value) -> Option<Trouble> {
    let metadata = pod.get("metadata")?;
    let text = |value: &Value, field: &str| {
        let text = value.get(field).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let name = text(metadata, "name")?;
    if pod_is_ready(pod) || metadata.get("deletionTimestamp").is_some() {
        return None;
    }
    let place = text(metadata, "namespace").map_or(String::new(), |namespace| namespace + "/");
    let trouble = |words: String, cause, lasting, container: Option<&Container<'_>>| {
        Some(Trouble {
            words: format!("Pod {place}{name}{words}").into(),
            cause,
            lasting,
            pod: name.as_str().into(),
            container: container.and_then(Container::name).map(Into::into),
            in_previous_log: container.is_some_and(Container::has_begun_again),
        })
    };
    let containers = containers(pod);
    let status = pod.get("status").unwrap_or(&Value::Null);
    if status.get("phase").and_then(Value::as_str) == Some("Failed") {
        let why = [text(status, "reason"), text(status, "message")];
        let ended = containers.iter().find_map(|container| container.ended());
        let words: Vec<String> = why.into_iter().flatten().chain(ended).collect();
        let words = if words.is_empty() { "no reason is given".into() } else { words.join(": ") };
        return trouble(format!(" has failed: {words}"), Cause::Failed, false, None);
    }
    let unscheduled = condition(pod, "PodScheduled", |condition| condition["status"] == "False");
    if let Some(message) = unscheduled {
        let words = format!(" is not scheduled: {message}");
        return trouble(words, Cause::Unschedulable, false, None);
    }
    let states = containers.iter().filter_map(|it| Some((it, it.trouble()?)));
    // Of several with the same trouble the first one holds up the others.
    let gravest = states.rev().max_by_key(|(_, (cause, lasting, _))| (*lasting, *cause));
    if let Some((container, (cause, lasting, words))) = gravest {
        return trouble(format!("{}{words}", container.title()), cause, lasting, Some(container));
    }
    // Of containers that run and are not ready, and of readiness gates, only the whole pod tells.
    let unready = condition(pod, "Ready", |it| {
        it["status"] == "False" && it["message"].as_str().is_some_and(|text| !text.is_empty())
    })?;
    trouble(format!(" is not ready: {unready}"), Cause::Starting, false, None)
}

/// Its init containers in their order, then the others.
fn containers(pod: &Value) -> Vec<Container<'_>> {
    let statuses = |field: &str| {
        let list = pod.get("status").and_then(|status| status.get(field)?.as_array());
        list.map(Vec::as_slice).unwrap_or_default()
    };
    let init = statuses("initContainerStatuses").iter().map(|it| Container::new(it, true));
    let others = statuses("containerStatuses").iter().map(|it| Container::new(it, false));
    init.chain(others).collect()
}

#[cfg(test)]
mod tests;
