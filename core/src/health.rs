//! Whether objects are as healthy as the next step needs them: pure judgements on live objects.

use jiff::Timestamp;
use serde_json::Value;

/// A judgement on one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Ready,
    /// Not yet, and why.
    Waiting(String),
    /// It will not become ready by itself, and why.
    Failed(String),
}

/// Gloo's word on an Upstream, RouteTable or VirtualService.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Served as written.
    Accepted,
    /// Served, with a flaw.
    Warning(String),
    /// Not served; an older version may be.
    Rejected(String),
}

impl Verdict {
    /// 0 for Accepted, 1 for Warning, 2 for Rejected: more is worse.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::Warning(_) => 1,
            Self::Rejected(_) => 2,
        }
    }
}

/// Gloo's verdict in the object's status; `None` while it is Pending or Gloo has written nothing.
///
/// Gloo's status carries no generation. The verdict is fresh only because every apply of ours writes
/// `Pending` along with the spec, which Gloo then takes over.
pub fn verdict(object: &Value, gloo_namespace: &str) -> Option<Verdict> {
    let status = object.get("status")?.get("statuses")?.get(gloo_namespace)?;
    let reason = || {
        let text = status.get("reason").and_then(Value::as_str).unwrap_or("no reason given");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    // Older Gloo wrote the number of the protobuf enum instead of its name.
    match status.get("state")? {
        Value::String(state) => match state.as_str() {
            "Accepted" => Some(Verdict::Accepted),
            "Warning" => Some(Verdict::Warning(reason())),
            "Rejected" => Some(Verdict::Rejected(reason())),
            _ => None,
        },
        Value::Number(number) => match number.as_u64()? {
            1 => Some(Verdict::Accepted),
            2 => Some(Verdict::Rejected(reason())),
            3 => Some(Verdict::Warning(reason())),
            _ => None,
        },
        _ => None,
    }
}

/// As `kubectl rollout status` judges a Deployment, with regard to `observedGeneration`.
pub fn deployment(object: &Value) -> Health {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Health::Waiting("its new spec has not been taken up yet".into());
    }
    if let Some(message) = condition(object, "Progressing", |condition| {
        condition["reason"] == "ProgressDeadlineExceeded"
    }) {
        return Health::Failed(message);
    }
    let wanted = number("/spec/replicas").unwrap_or(1);
    let of = |pointer: &str| number(pointer).unwrap_or(0);
    let (updated, available, all) =
        (of("/status/updatedReplicas"), of("/status/availableReplicas"), of("/status/replicas"));
    if updated < wanted {
        Health::Waiting(format!("{updated} of {wanted} pods have the new spec"))
    } else if available < wanted {
        Health::Waiting(format!("{available} of {wanted} pods are ready"))
    } else if all > wanted {
        Health::Waiting(format!("{} old pods are still there", all - wanted))
    } else {
        Health::Ready
    }
}

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

/// Why a pod is not ready, in the kubelet's or scheduler's words; `None` when it gives no reason.
pub fn pod_trouble(pod: &Value) -> Option<String> {
    let name = pod.pointer("/metadata/name")?.as_str()?;
    let unscheduled = condition(pod, "PodScheduled", |condition| condition["status"] == "False");
    if let Some(message) = unscheduled {
        return Some(format!("Pod {name} is not scheduled: {message}"));
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
        Some(format!("Pod {name} is in {reason} ({restarts} restarts{exit}){message}"))
    })
}

/// True when a container of the pod has ended again and again, or cannot even be started: somebody
/// has to do something about it.
pub fn keeps_failing(pod: &Value) -> bool {
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

/// The message (or reason) of the first condition of this type that `holds`.
fn condition(object: &Value, kind: &str, holds: impl Fn(&Value) -> bool) -> Option<String> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found =
        conditions.iter().find(|condition| condition["type"] == kind && holds(condition))?;
    let text = |field: &str| found.get(field).and_then(Value::as_str).filter(|s| !s.is_empty());
    Some(text("message").or(text("reason")).unwrap_or(kind).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rolled_out() -> Value {
        json!({"metadata": {"generation": 2}, "spec": {"replicas": 2},
            "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}})
    }

    #[test]
    fn a_deployment_is_ready_only_when_its_newest_spec_is() {
        assert_eq!(deployment(&rolled_out()), Health::Ready);
        let mut stale = rolled_out();
        stale["metadata"]["generation"] = 3.into();
        assert!(matches!(deployment(&stale), Health::Waiting(_)));
        let mut late = rolled_out();
        late["status"]["availableReplicas"] = 1.into();
        assert_eq!(deployment(&late), Health::Waiting("1 of 2 pods are ready".into()));
        let mut surge = rolled_out();
        surge["status"]["replicas"] = 3.into();
        assert_eq!(deployment(&surge), Health::Waiting("1 old pods are still there".into()));
    }

    #[test]
    fn a_deployment_past_its_progress_deadline_has_failed() {
        let mut failed = rolled_out();
        failed["status"]["conditions"] = json!([{"type": "Progressing", "status": "False",
            "reason": "ProgressDeadlineExceeded", "message": "timed out progressing"}]);
        assert_eq!(deployment(&failed), Health::Failed("timed out progressing".into()));
    }

    #[test]
    fn pending_and_absent_verdicts_are_no_verdict() {
        let with = |state: Value| {
            json!({"status": {"statuses": {"gloo-system": {"state": state,
            "reason": "1 error\n  occurred"}}}})
        };
        assert_eq!(verdict(&json!({}), "gloo-system"), None);
        assert_eq!(verdict(&with("Pending".into()), "gloo-system"), None);
        assert_eq!(verdict(&with("Accepted".into()), "other"), None);
        assert_eq!(verdict(&with("Accepted".into()), "gloo-system"), Some(Verdict::Accepted));
        let rejected = Some(Verdict::Rejected("1 error occurred".into()));
        assert_eq!(verdict(&with("Rejected".into()), "gloo-system"), rejected);
        assert_eq!(verdict(&with(2.into()), "gloo-system"), rejected);
    }

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
        assert_eq!(
            pod_trouble(&pod).as_deref(),
            Some("Pod echo-v2-x is in CrashLoopBackOff (4 restarts, last exit code 1)")
        );
        assert!(!pod_is_ready(&pod));
    }
}
