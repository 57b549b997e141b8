//! What the node says about a pod: the status a kubelet would write.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
        ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::container::{Ended, Now, State};
use crate::namespace::NODE;

/// The status of `pod` whose containers stand as `states` say, in the order of its spec.
pub(super) fn pod(pod: &Pod, states: &[State], address: Ipv4Addr, started: Timestamp) -> PodStatus {
    let containers: Vec<ContainerStatus> = pod
        .spec
        .iter()
        .flat_map(|spec| &spec.containers)
        .zip(states)
        .map(|(container, state)| self::container(container, state))
        .collect();
    PodStatus {
        phase: Some(phase(pod, states).to_owned()),
        pod_ip: Some(address.to_string()),
        pod_ips: Some(vec![PodIP { ip: address.to_string() }]),
        host_ip: Some(NODE.to_string()),
        host_ips: Some(vec![HostIP { ip: NODE.to_string() }]),
        start_time: Some(second(started)),
        conditions: Some(conditions(pod, states)),
        container_statuses: Some(containers),
        qos_class: pod.status.as_ref().and_then(|status| status.qos_class.clone()),
        ..PodStatus::default()
    }
}

fn phase(pod: &Pod, states: &[State]) -> &'static str {
    let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    let never_started = |state: &State| {
        matches!(state.now, Now::Waiting { .. }) && state.last.is_none() && state.restarts == 0
    };
    let end = |state: &State| match &state.now {
        Now::Terminated(ended) => Some(ended.code),
        _ => None,
    };
    if states.iter().any(never_started) {
        return "Pending";
    }
    let ends: Option<Vec<i32>> = states.iter().map(end).collect();
    match (ends, policy) {
        (Some(codes), Some("Never" | "OnFailure")) if codes.iter().all(|code| *code == 0) => {
            "Succeeded"
        }
        (Some(_), Some("Never")) => "Failed",
        _ => "Running",
    }
}

/// Ours, and those that others wrote, such as `PodScheduled` and readiness gates.
fn conditions(pod: &Pod, states: &[State]) -> Vec<PodCondition> {
    let theirs = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let containers = states.iter().all(|state| state.ready);
    let gates = pod.spec.iter().flat_map(|spec| spec.readiness_gates.iter().flatten());
    let mut gates = gates.map(|gate| gate.condition_type.as_str());
    let open = |gate: &str| theirs.clone().any(|c| c.type_ == gate && c.status == "True");
    let ready = containers && gates.all(open);
    let unready = (!containers).then_some("ContainersNotReady");
    let gated = (!ready).then_some(unready.unwrap_or("ReadinessGatesNotReady"));
    let ours = [
        ("Initialized", true, None),
        ("ContainersReady", containers, unready),
        ("Ready", ready, gated),
    ];
    let mut conditions: Vec<PodCondition> = theirs
        .clone()
        .filter(|condition| ours.iter().all(|(kind, ..)| condition.type_ != *kind))
        .cloned()
        .collect();
    for (kind, holds, reason) in ours {
        let status = if holds { "True" } else { "False" };
        let before = theirs.clone().find(|c| c.type_ == kind && c.status == status);
        conditions.push(PodCondition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
            last_transition_time: before
                .and_then(|before| before.last_transition_time.clone())
                .or_else(|| Some(second(Timestamp::now()))),
            ..PodCondition::default()
        });
    }
    conditions
}

fn container(spec: &k8s_openapi::api::core::v1::Container, state: &State) -> ContainerStatus {
    let running = matches!(state.now, Now::Running { .. });
    let image = spec.image.clone().unwrap_or_default();
    ContainerStatus {
        name: spec.name.clone(),
        image_id: if running { format!("process://{image}") } else { String::new() },
        image,
        ready: state.ready,
        started: Some(running),
        restart_count: state.restarts,
        state: Some(now(&state.now)),
        last_state: state.last.as_ref().map(|ended| ContainerState {
            terminated: Some(terminated(ended)),
            ..ContainerState::default()
        }),
        ..ContainerStatus::default()
    }
}

fn now(now: &Now) -> ContainerState {
    match now {
        Now::Waiting { reason, message } => ContainerState {
            waiting: Some(ContainerStateWaiting {
                reason: Some((*reason).to_owned()),
                message: (!message.is_empty()).then(|| message.clone()),
            }),
            ..ContainerState::default()
        },
        Now::Running { since } => ContainerState {
            running: Some(ContainerStateRunning { started_at: Some(second(*since)) }),
            ..ContainerState::default()
        },
        Now::Terminated(ended) => {
            ContainerState { terminated: Some(terminated(ended)), ..ContainerState::default() }
        }
    }
}

fn terminated(ended: &Ended) -> ContainerStateTerminated {
    ContainerStateTerminated {
        exit_code: ended.code,
        signal: ended.signal,
        reason: Some(ended.reason.to_owned()),
        message: ended.message.clone(),
        started_at: Some(second(ended.started)),
        finished_at: Some(second(ended.finished)),
        ..ContainerStateTerminated::default()
    }
}

/// The API keeps whole seconds.
fn second(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with_policy(policy: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p"},
            "spec": {"restartPolicy": policy, "containers": [{"name": "c"}]},
            "status": {"conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            ]},
        }))
        .unwrap()
    }

    fn ended(code: i32) -> Ended {
        let now = Timestamp::UNIX_EPOCH;
        Ended { code, signal: None, reason: "Error", message: None, started: now, finished: now }
    }

    fn state(now: Now, restarts: i32) -> State {
        State { now, restarts, ..State::default() }
    }

    #[test]
    fn the_phase_follows_the_containers_and_the_restart_policy() {
        let waiting = Now::Waiting { reason: "x", message: String::new() };
        let running = Now::Running { since: Timestamp::UNIX_EPOCH };
        for (policy, state, expected) in [
            ("Always", State::default(), "Pending"),
            ("Always", state(running, 0), "Running"),
            ("Always", state(waiting, 2), "Running"),
            ("Always", state(Now::Terminated(ended(1)), 0), "Running"),
            ("Never", state(Now::Terminated(ended(1)), 0), "Failed"),
            ("Never", state(Now::Terminated(ended(0)), 0), "Succeeded"),
            ("OnFailure", state(Now::Terminated(ended(0)), 0), "Succeeded"),
        ] {
            assert_eq!(phase(&with_policy(policy), &[state]), expected, "{policy} {expected}");
        }
    }

    #[test]
    fn a_condition_keeps_its_time_until_it_changes_and_those_of_others_are_kept() {
        let conditions = conditions(&with_policy("Always"), &[State::default()]);
        let find = |kind: &str| conditions.iter().find(|c| c.type_ == kind).unwrap();
        assert_eq!(find("PodScheduled").status, "True");
        let ready = find("Ready");
        let since = ready.last_transition_time.as_ref().unwrap();
        assert_eq!(since.0.to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(ready.reason.as_deref(), Some("ContainersNotReady"));
    }
}
