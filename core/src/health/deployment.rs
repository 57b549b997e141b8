use std::fmt;

use serde_json::Value;

use super::condition::condition;

/// A judgement on one Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Ready,
    /// Not yet, and why.
    Waiting(Shortfall),
    /// It will not become ready by itself, and why.
    Failed(Shortfall),
}

/// What a Deployment lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// The Deployment itself.
    Missing,
    /// Its controller has not seen its new spec.
    NotObserved,
    /// Some pods do not have the new spec.
    Outdated {
        /// How many have it.
        updated: u64,
        /// How many should.
        desired: u64,
    },
    /// Some pods are not available.
    Unavailable {
        /// How many are.
        available: u64,
        /// How many should be.
        desired: u64,
    },
    /// So many pods of an older spec are still there.
    OldPods(u64),
    /// The API server does not admit its pods, in the API server's words.
    NotCreated(String),
    /// It is past its progress deadline, in the words of its condition.
    PastDeadline(String),
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it does not exist"),
            Self::NotObserved => f.write_str("its new spec has not been observed yet"),
            Self::Outdated { updated, desired } => {
                write!(f, "{updated} of {desired} pods have the new spec")
            }
            Self::Unavailable { available, desired } => {
                write!(f, "{available} of {desired} pods are ready")
            }
            Self::OldPods(count) => write!(f, "{count} old pods are still there"),
            Self::NotCreated(words) | Self::PastDeadline(words) => f.write_str(words),
        }
    }
}

/// As `kubectl rollout status` judges a Deployment, with regard to `observedGeneration`.
pub fn deployment(object: &Value) -> Health {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Health::Waiting(Shortfall::NotObserved);
    }
    let past_deadline = condition(object, "Progressing", |condition| {
        condition["reason"] == "ProgressDeadlineExceeded"
    });
    let desired = number("/spec/replicas").unwrap_or(1);
    let of = |pointer: &str| number(pointer).unwrap_or(0);
    let (updated, available, all) =
        (of("/status/updatedReplicas"), of("/status/availableReplicas"), of("/status/replicas"));
    let refused = || condition(object, "ReplicaFailure", |condition| condition["status"] == "True");
    let lacks_pods = updated < desired || available < desired;
    // It says why the deadline passed, too.
    let not_created = lacks_pods.then(refused).flatten().map(Shortfall::NotCreated);
    if let Some(message) = past_deadline {
        return Health::Failed(not_created.unwrap_or(Shortfall::PastDeadline(message)));
    }
    Health::Waiting(if let Some(not_created) = not_created {
        not_created
    } else if updated < desired {
        Shortfall::Outdated { updated, desired }
    } else if available < desired {
        Shortfall::Unavailable { available, desired }
    } else if all > desired {
        Shortfall::OldPods(all - desired)
    } else {
        return Health::Ready;
    })
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
        assert_eq!(
            deployment(&late),
            Health::Waiting(Shortfall::Unavailable { available: 1, desired: 2 })
        );
        let mut surge = rolled_out();
        surge["status"]["replicas"] = 3.into();
        assert_eq!(deployment(&surge), Health::Waiting(Shortfall::OldPods(1)));
    }

    #[test]
    fn a_deployment_past_its_progress_deadline_has_failed() {
        let mut failed = rolled_out();
        failed["status"]["conditions"] = json!([{"type": "Progressing", "status": "False",
            "reason": "ProgressDeadlineExceeded", "message": "timed out progressing"}]);
        let past = Shortfall::PastDeadline("timed out progressing".into());
        assert_eq!(deployment(&failed), Health::Failed(past));
    }

    #[test]
    fn a_deployment_whose_pods_are_not_admitted_says_why_until_they_are() {
        let mut refused = rolled_out();
        let words = "pods \"echo\" is forbidden: exceeded quota: small, requested: pods=1";
        refused["status"]["conditions"] = json!([{"type": "ReplicaFailure", "status": "True",
            "reason": "FailedCreate", "message": words}]);
        assert_eq!(deployment(&refused), Health::Ready, "it has all its pods");
        refused["status"]["availableReplicas"] = 1.into();
        let shortfall = Shortfall::NotCreated(words.into());
        assert_eq!(deployment(&refused), Health::Waiting(shortfall.clone()));
        let late = json!({"type": "Progressing", "status": "False",
            "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet \"echo\" has timed out progressing."});
        refused["status"]["conditions"].as_array_mut().expect("a list").insert(0, late);
        assert_eq!(deployment(&refused), Health::Failed(shortfall), "that is why it is late");
    }

    #[test]
    fn a_deployment_waits_until_every_pod_has_its_spec_and_says_so() {
        let with = |field: &str, count: u64| {
            let mut object = rolled_out();
            object["status"][field] = count.into();
            deployment(&object)
        };
        let outdated = Shortfall::Outdated { updated: 1, desired: 2 };
        assert_eq!(with("updatedReplicas", 1), Health::Waiting(outdated.clone()));
        assert_eq!(with("observedGeneration", 1), Health::Waiting(Shortfall::NotObserved));
        assert_eq!(with("observedGeneration", 3), Health::Ready);
        let mut single = rolled_out();
        single["spec"] = json!({});
        single["status"]["replicas"] = 1.into();
        assert_eq!(deployment(&single), Health::Ready, "one pod unless it says otherwise");
        let said = [
            (Shortfall::Missing, "it does not exist"),
            (Shortfall::NotObserved, "its new spec has not been observed yet"),
            (outdated, "1 of 2 pods have the new spec"),
            (Shortfall::Unavailable { available: 0, desired: 2 }, "0 of 2 pods are ready"),
            (Shortfall::OldPods(3), "3 old pods are still there"),
            (Shortfall::NotCreated("forbidden".into()), "forbidden"),
            (Shortfall::PastDeadline("timed out".into()), "timed out"),
        ];
        for (shortfall, words) in said {
            assert_eq!(shortfall.to_string(), words);
        }
    }
}
