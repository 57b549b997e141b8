use serde_json::json;

use super::*;

/// A pod echo/echo-v2-x with this status.
fn pod(status: Value) -> Value {
    json!({"metadata": {"name": "echo-v2-x", "namespace": "echo"}, "status": status})
}

/// The cause, whether it lasts, and the words.
fn told(status: Value) -> Option<(Cause, bool, String)> {
    let trouble = pod_trouble(&pod(status))?;
    Some((trouble.cause, trouble.lasting, trouble.words.to_string()))
}

fn expected(cause: Cause, lasting: bool, words: &str) -> Option<(Cause, bool, String)> {
    Some((cause, lasting, format!("Pod echo/echo-v2-x{words}")))
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
fn a_crash_looping_pod_names_its_container_and_exit_code() {
    let status = json!({"containerStatuses": [
        {"name": "proxy", "ready": true, "state": {"running": {}}},
        {"name": "echo", "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "a\nlast words\n"}}}]});
    let trouble = pod_trouble(&pod(status)).expect("it crashes");
    assert_eq!(
        &*trouble.words,
        "Pod echo/echo-v2-x: container echo is in CrashLoopBackOff (4 restarts, last exit code 137, \
         OOMKilled): last words"
    );
    assert_eq!((trouble.cause, trouble.lasting), (Cause::Crashing, true));
    assert_eq!((&*trouble.pod, trouble.container.as_deref()), ("echo-v2-x", Some("echo")));
}

#[test]
fn a_container_that_has_crashed_is_in_trouble_between_its_attempts_too() {
    let crashed = json!({"exitCode": 2, "reason": "Error"});
    let ended = json!({"containerStatuses": [{"name": "echo", "restartCount": 3,
        "state": {"terminated": crashed}}]});
    assert_eq!(
        told(ended),
        expected(Cause::Crashing, true, ": container echo has ended (3 restarts, exit code 2)")
    );
    let again = json!({"containerStatuses": [{"name": "echo", "restartCount": 1, "ready": false,
        "state": {"running": {}}, "lastState": {"terminated": crashed}}]});
    let words = ": container echo runs again (1 restart, last exit code 2)";
    assert_eq!(told(again), expected(Cause::Crashing, false, words));
}

#[test]
fn an_init_container_in_trouble_is_named_and_not_those_that_wait_for_it() {
    let status = |init: Value| {
        json!({"initContainerStatuses": init, "containerStatuses": [
            {"name": "echo", "state": {"waiting": {"reason": "PodInitializing"}}}]})
    };
    let done =
        json!({"name": "fetch", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}});
    let migrate = |state: Value, last: Value, restarts: u64| {
        status(
            json!([done, {"name": "migrate", "restartCount": restarts, "state": state, "lastState": last}]),
        )
    };
    let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
    let failed = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
    assert_eq!(
        told(migrate(waiting("CrashLoopBackOff"), failed.clone(), 3)),
        expected(
            Cause::Crashing,
            true,
            ": init container migrate is in Init:CrashLoopBackOff (3 restarts, last exit code 1)"
        )
    );
    assert_eq!(
        told(migrate(failed, json!({}), 0)),
        expected(Cause::Crashing, false, ": init container migrate has ended (exit code 1)")
    );
    assert_eq!(
        told(migrate(waiting("ImagePullBackOff"), json!({}), 0)),
        expected(Cause::Image, true, ": init container migrate is in Init:ImagePullBackOff")
    );
    assert_eq!(
        told(migrate(json!({"running": {}}), json!({}), 0)),
        expected(Cause::Starting, false, ": init container migrate has not ended yet")
    );
    // A sidecar that has started holds up nobody.
    let sidecar =
        json!({"name": "proxy", "started": true, "ready": false, "state": {"running": {}}});
    assert_eq!(told(status(json!([done, sidecar]))), None);
}

#[test]
fn a_pod_that_has_failed_says_why() {
    let evicted = json!({"phase": "Failed", "reason": "Evicted",
        "message": "The node was low on resource: memory."});
    let words = " has failed: Evicted: The node was low on resource: memory.";
    assert_eq!(told(evicted), expected(Cause::Failed, false, words));
    let ended = json!({"phase": "Failed", "containerStatuses": [{"name": "echo", "restartCount": 0,
        "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]});
    let words = " has failed: container echo has ended (exit code 137, OOMKilled)";
    assert_eq!(told(ended), expected(Cause::Failed, false, words));
    let words = " has failed: no reason is given";
    assert_eq!(told(json!({"phase": "Failed"})), expected(Cause::Failed, false, words));
}

#[test]
fn the_trouble_of_a_pod_is_told_apart_by_the_kubelets_reason() {
    let trouble = |reason: &str, restarts: u64| {
        let status = json!({"containerStatuses": [{"restartCount": restarts,
            "state": {"waiting": {"reason": reason}}}]});
        told(status).map(|(cause, lasting, _)| (cause, lasting))
    };
    assert_eq!(trouble("ContainerCreating", 0), Some((Cause::Starting, false)));
    assert_eq!(trouble("CrashLoopBackOff", 2), Some((Cause::Crashing, false)));
    assert_eq!(trouble("CrashLoopBackOff", 3), Some((Cause::Crashing, true)));
    assert_eq!(trouble("RunContainerError", 1), Some((Cause::Crashing, false)));
    assert_eq!(trouble("ErrImagePull", 0), Some((Cause::Image, false)));
    assert_eq!(trouble("ImagePullBackOff", 0), Some((Cause::Image, true)));
    assert_eq!(trouble("CreateContainerConfigError", 0), Some((Cause::Configuration, true)));
    assert_eq!(trouble("PodInitializing", 0), None);
    let pending = json!({"conditions": [
        {"type": "PodScheduled", "status": "False", "message": "no node"}]});
    let words = " is not scheduled: no node";
    assert_eq!(told(pending), expected(Cause::Unschedulable, false, words));
}

#[test]
fn the_gravest_of_several_troubles_is_told() {
    let waiting = |name: &str, reason: &str| json!({"name": name, "state": {"waiting": {"reason": reason, "message": "no such image"}}});
    let status = json!({"containerStatuses": [waiting("a", "ContainerCreating"),
        waiting("b", "ImagePullBackOff"), waiting("c", "ImagePullBackOff")]});
    let words = ": container b is in ImagePullBackOff: no such image";
    assert_eq!(told(status), expected(Cause::Image, true, words));
}

#[test]
fn a_pod_that_is_ready_or_being_deleted_is_in_no_trouble() {
    let status =
        json!({"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]});
    let mut deleted = pod(status.clone());
    assert!(pod_trouble(&deleted).is_some());
    deleted["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z".into();
    assert_eq!(pod_trouble(&deleted), None);
    let mut ready = pod(status);
    ready["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    assert_eq!(pod_trouble(&ready), None);
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

#[test]
fn a_pod_whose_containers_run_says_what_is_not_ready() {
    let status = |reason: &str, message: &str| {
        json!({"conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": "False", "reason": reason, "message": message}],
            "initContainerStatuses": [
                {"name": "proxy", "started": true, "ready": false, "state": {"running": {}}}],
            "containerStatuses": [{"name": "echo", "ready": false, "state": {"running": {}}}]})
    };
    let probe = "containers with unready status: [proxy echo]";
    let words = format!(" is not ready: {probe}");
    let found = told(status("ContainersNotReady", probe));
    assert_eq!(found, expected(Cause::Starting, false, &words));
    let gate = "corresponding condition of pod readiness gate \"example.com/lb\" does not exist.";
    let words = format!(" is not ready: {gate}");
    let found = told(status("ReadinessGatesNotReady", gate));
    assert_eq!(found, expected(Cause::Starting, false, &words));
    // What a container says of itself is told first.
    let mut crashes = status("ContainersNotReady", probe);
    crashes["containerStatuses"][0]["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let (cause, ..) = told(crashes).expect("it crashes");
    assert_eq!(cause, Cause::Crashing);
}

#[test]
fn what_the_kubelet_says_of_a_container_that_cannot_start_is_told() {
    let told_of = |state: Value, last: Value| {
        told(json!({"containerStatuses": [
            {"name": "echo", "restartCount": 0, "state": state, "lastState": last}]}))
    };
    let waiting =
        |reason: &str, message: &str| json!({"waiting": {"reason": reason, "message": message}});
    for (reason, message, cause, lasting) in [
        ("CreateContainerConfigError", "configmap \"echo\" not found", Cause::Configuration, true),
        (
            "CreateContainerConfigError",
            "couldn't find key colour in Secret echo/echo",
            Cause::Configuration,
            true,
        ),
        ("ErrImageNeverPull", "Container image \"a\" is not present", Cause::Image, true),
        ("InvalidImageName", "Failed to apply default image \"A:b:c\"", Cause::Image, true),
        ("RunContainerError", "exec: \"nothing\": not found in $PATH", Cause::Crashing, false),
        ("CreateContainerError", "the name is in use", Cause::Configuration, false),
    ] {
        let words = format!(": container echo is in {reason}: {message}");
        let found = told_of(waiting(reason, message), json!({}));
        assert_eq!(found, expected(cause, lasting, &words));
    }
    let deadline = json!({"phase": "Failed", "reason": "DeadlineExceeded",
        "message": "Pod was active on the node longer than the specified deadline"});
    let (cause, _, words) = told(deadline).expect("it failed");
    assert_eq!(cause, Cause::Failed);
    assert!(words.contains("DeadlineExceeded: Pod was active"), "{words}");
    let ended = json!({"terminated": {"exitCode": 0, "reason": "Completed"}});
    let found = told_of(ended, json!({}));
    assert_eq!(found, expected(Cause::Crashing, false, ": container echo has ended (exit code 0)"));
}

#[test]
fn the_log_in_which_the_end_of_a_container_stands_is_known() {
    let previous = |state: Value, last: Value| {
        let status = json!({"name": "echo", "state": state, "lastState": last});
        let pod = pod(json!({"containerStatuses": [status]}));
        pod_trouble(&pod).expect("it crashes").in_previous_log
    };
    let crashed = json!({"terminated": {"exitCode": 1}});
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    assert!(!previous(crashed.clone(), json!({})), "it has run once");
    assert!(!previous(crashed.clone(), crashed.clone()), "the last run is what ended now");
    assert!(previous(waiting, crashed.clone()));
    assert!(previous(json!({"running": {}}), crashed));
    assert!(!previous(json!({"waiting": {"reason": "RunContainerError"}}), json!({})));
}
