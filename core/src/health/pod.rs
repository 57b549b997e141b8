use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::condition::condition;

/// Since when a ready pod is ready, to the second; `None` for one that is not.
pub fn ready_since(pod: &Value) -> Option<Timestamp> {
    let conditions = pod.pointer("/status/conditions")?.as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    let since = ready.get("lastTransitionTime")?.as_str()?.parse().ok()?;
    pod_is_ready(pod).then_some(since)
}

/// True when the pod's condition Ready is True and it is not being deleted.
pub fn pod_is_ready(pod: &Value) -> bool {
    pod.pointer("/metadata/deletionTimestamp").is_none()
        && condition(pod, "Ready", |condition| condition["status"] == "True").is_some()
}

/// Why a pod is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The pod, the reason and what was observed, in the kubelet's or scheduler's words.
    pub words: Arc<str>,
    /// What kind of trouble it is.
    pub cause: Cause,
    /// Whether it has failed so often that waiting alone is unlikely to help.
    pub lasting: bool,
}

/// What keeps a pod from being ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Not started yet, as far as the kubelet says.
    Starting,
    /// No node takes it.
    Unschedulable,
    /// A container ends again and again.
    Crashing,
    /// An image cannot be pulled.
    Image,
    /// A container cannot be made from its configuration.
    Configuration,
}

impl Cause {
    /// What the kubelet's reason for a waiting container means.
    fn of(reason: &str) -> Self {
        match reason {
            "CrashLoopBackOff" => Self::Crashing,
            "ImagePullBackOff" | "ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName" => {
                Self::Image
            }
            "CreateContainerConfigError" | "CreateContainerError" => Self::Configuration,
            _ => Self::Starting,
        }
    }
}

/// Why a pod is not ready; `None` when it gives no reason.
pub fn pod_trouble(pod: &Value) -> Option<Trouble> {
    let name = pod.pointer("/metadata/name")?.as_str()?;
    let trouble = |words: String, cause| {
        Some(Trouble { words: words.into(), cause, lasting: keeps_failing(pod) })
    };
    let unscheduled = condition(pod, "PodScheduled", |condition| condition["status"] == "False");
    if let Some(message) = unscheduled {
        let words = format!("Pod {name} is not scheduled: {message}");
        return trouble(words, Cause::Unschedulable);
    }
    let statuses = pod.pointer("/status/containerStatuses")?.as_array()?;
    statuses.iter().find_map(|status| {
        let waiting = status.pointer("/state/waiting")?;
        let reason = waiting.get("reason")?.as_str()?;
        let message = waiting.get("message").and_then(Value::as_str).unwrap_or_default();
        let restarts = status.get("restartCount").and_then(Value::as_u64).unwrap_or(0);
        let exit = status
            .pointer("/lastState/terminated/exitCode")
            .map(|code| format!(", last exit code {code}"))
            .unwrap_or_default();
        let message = if message.is_empty() { String::new() } else { format!(": {message}") };
        let words = format!("Pod {name} is in {reason} ({restarts} restarts{exit}){message}");
        trouble(words, Cause::of(reason))
    })
}

/// True when a container of the pod has ended again and again, or cannot even be started: somebody
/// has to do something about it.
fn keeps_failing(pod: &Value) -> bool {
    const RESTARTS: u64 = 3;
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    statuses.into_iter().flatten().any(|status| {
        let restarts = status.get("restartCount").and_then(Value::as_u64).unwrap_or(0);
        match status.pointer("/state/waiting/reason").and_then(Value::as_str) {
            Some("CrashLoopBackOff") => restarts >= RESTARTS,
            Some(reason) => matches!(
                reason,
                "ImagePullBackOff"
                    | "ErrImageNeverPull"
                    | "InvalidImageName"
                    | "CreateContainerConfigError"
            ),
            None => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_is_ready_since_its_condition_says_so() {
        let pod = |status: &str| {
            json!({"status": {"conditions": [{"type": "Ready", "status": status,
                "lastTransitionTime": "2026-01-02T03:04:05Z"}]}})
        };
        assert_eq!(ready_since(&pod("True")), "2026-01-02T03:04:05Z".parse().ok());
        assert_eq!(ready_since(&pod("False")), None);
        assert_eq!(ready_since(&json!({})), None);
    }

    #[test]
    fn a_crash_looping_pod_says_so_with_its_exit_code() {
        let pod = json!({"metadata": {"name": "echo-v2-x"}, "status": {"containerStatuses": [{
            "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1}}}]}});
        let trouble = pod_trouble(&pod).expect("it crashes");
        assert_eq!(
            &*trouble.words,
            "Pod echo-v2-x is in CrashLoopBackOff (4 restarts, last exit code 1)"
        );
        assert_eq!((trouble.cause, trouble.lasting), (Cause::Crashing, true));
        assert!(!pod_is_ready(&pod));
    }

    #[test]
    fn the_trouble_of_a_pod_is_told_apart_by_the_kubelets_reason() {
        let trouble = |reason: &str, restarts: u64| {
            let pod = json!({"metadata": {"name": "echo"}, "status": {"containerStatuses": [
                {"restartCount": restarts, "state": {"waiting": {"reason": reason}}}]}});
            pod_trouble(&pod).map(|trouble| (trouble.cause, trouble.lasting))
        };
        assert_eq!(trouble("ContainerCreating", 0), Some((Cause::Starting, false)));
        assert_eq!(trouble("CrashLoopBackOff", 2), Some((Cause::Crashing, false)));
        assert_eq!(trouble("CrashLoopBackOff", 3), Some((Cause::Crashing, true)));
        assert_eq!(trouble("ErrImagePull", 0), Some((Cause::Image, false)));
        assert_eq!(trouble("ImagePullBackOff", 0), Some((Cause::Image, true)));
        assert_eq!(trouble("CreateContainerConfigError", 0), Some((Cause::Configuration, true)));
        let pending = json!({"metadata": {"name": "echo"}, "status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "no node"}]}});
        let pending = pod_trouble(&pending).expect("no node");
        assert_eq!((pending.cause, pending.lasting), (Cause::Unschedulable, false));
        assert_eq!(&*pending.words, "Pod echo is not scheduled: no node");
    }

    #[test]
    fn a_pod_that_runs_or_is_scheduled_is_in_no_trouble() {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status});
        let mut pod = json!({"metadata": {"name": "echo"}, "status": {
            "conditions": [condition("PodScheduled", "True"), condition("Ready", "False")],
            "containerStatuses": [{"restartCount": 9, "state": {"running": {}}}]}});
        assert_eq!(pod_trouble(&pod), None);
        pod["status"]["containerStatuses"][0]["state"] =
            json!({"waiting": {"reason": "ErrImagePull", "message": "no such image"}});
        let trouble = pod_trouble(&pod).expect("an image");
        assert_eq!(&*trouble.words, "Pod echo is in ErrImagePull (9 restarts): no such image");
        assert!(!trouble.lasting, "the kubelet has just begun to try");
    }

    #[test]
    fn a_pod_that_is_being_deleted_is_not_ready() {
        let mut pod = json!({"metadata": {}, "status": {"conditions": [{"type": "Ready",
            "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"}]}});
        assert!(pod_is_ready(&pod));
        pod["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:06Z".into();
        assert!(!pod_is_ready(&pod));
        assert_eq!(ready_since(&pod), None);
    }
}
