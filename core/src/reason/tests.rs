use std::collections::BTreeSet;
use std::sync::Arc;

use gloo::ObjectRef;

use super::*;
use crate::health::{Cause, Shortfall, Trouble, Verdict};
use crate::object::ObjectId;

fn id(kind: &str) -> ObjectId {
    ObjectId::new("v1", kind, Some("echo"), "echo")
}

fn not_ready(shortfall: Shortfall, trouble: Option<(Cause, bool)>) -> PodsNotReady {
    let trouble = trouble.map(|(cause, lasting)| Trouble { words: "pod".into(), cause, lasting });
    PodsNotReady {
        deployment: id("Deployment"),
        version: "v2".into(),
        selector: "app=echo,version=v2".into(),
        has_failed: matches!(shortfall, Shortfall::PastDeadline(_)),
        shortfall,
        trouble,
        share: 0,
        by_header: false,
    }
}

fn pods(shortfall: Shortfall, trouble: Option<(Cause, bool)>) -> Reason {
    Reason::PodsNotReady(Box::new(not_ready(shortfall, trouble)))
}

const SOME: Shortfall = Shortfall::Unavailable { available: 1, desired: 2 };

fn verdict(verdict: Verdict) -> Reason {
    Reason::Verdict { object: id("RouteTable"), verdict, unanswered: None }
}

fn table() -> Arc<ObjectRef> {
    Arc::new(ObjectRef::new("RouteTable", "golf", "golf"))
}

/// One reason for each way in which there can be one.
fn all() -> Vec<Reason> {
    let foreign = |object| ForeignObject::NotManaged { object, of_platform: false };
    let of = |object| Reason::Cluster(ClusterError::Refused { id: object, message: "no".into() });
    let (message, object) = (|| "no".to_owned(), id("RouteTable"));
    vec![
        pods(SOME, None),
        pods(SOME, Some((Cause::Starting, false))),
        pods(SOME, Some((Cause::Unschedulable, false))),
        pods(SOME, Some((Cause::Crashing, true))),
        pods(SOME, Some((Cause::Image, true))),
        pods(SOME, Some((Cause::Configuration, true))),
        pods(Shortfall::NotCreated("forbidden: exceeded quota: small".into()), None),
        pods(Shortfall::NotCreated("violates PodSecurity".into()), None),
        pods(Shortfall::PastDeadline("timed out".into()), None),
        Reason::NotInEndpoints {
            endpoints: id("Endpoints"),
            version: "v2".into(),
            selector: "app=echo".into(),
            missing: None,
        },
        Reason::NotInEndpoints {
            endpoints: id("Endpoints"),
            version: "v2".into(),
            selector: "app=echo".into(),
            missing: Some(2),
        },
        Reason::UpstreamMissing(id("Upstream")),
        Reason::NoVerdict {
            object: object.clone(),
            gloo_namespace: "gloo-system".into(),
            is_overdue: false,
        },
        verdict(Verdict::Warning("hm".into())),
        verdict(Verdict::Rejected("no".into())),
        Reason::Blocked(Blocker::Frozen { object: table(), words: "no".into() }),
        Reason::ProxiesLearn,
        Reason::RoutesSettle,
        Reason::Leaving(object.clone()),
        Reason::Recreated(object.clone()),
        Reason::NamespaceComes(id("Namespace")),
        Reason::NotListed("RouteTable echo/echo was not looked at yet".into()),
        Reason::RolledBack(Box::new(verdict(Verdict::Rejected("no".into())))),
        Reason::RollbackRefused {
            cause: Box::new(verdict(Verdict::Rejected("no".into()))),
            error: PreflightError::Refused(Refusal::Unserved(table())),
        },
        Reason::Policy(PolicyViolation::MaxStep {
            version: "v2".into(),
            from: 10,
            to: 50,
            most: 20,
        }),
        Reason::Policy(PolicyViolation::HeaderPhase { version: "v2".into(), to: 50 }),
        Reason::Unsafe(UnsafeChange::HandedOver(id("Deployment"))),
        Reason::Unsafe(UnsafeChange::WithoutPods("v2".into())),
        Reason::Unsafe(UnsafeChange::ServicePort { service: id("Service"), from: 80, to: 81 }),
        Reason::Preflight(PreflightError::Refused(Refusal::Unserved(table()))),
        Reason::Preflight(PreflightError::Failed),
        Reason::Foreign(ForeignObject::OfService { object: object.clone(), service: "a".into() }),
        Reason::Foreign(ForeignObject::OfInstance { object: object.clone(), instance: "a".into() }),
        Reason::Foreign(foreign(object.clone())),
        Reason::NotKept(object.clone()),
        Reason::Cluster(ClusterError::Unreachable("refused".into())),
        Reason::Cluster(ClusterError::KindNotServed { api_version: "v1".into(), kind: "A".into() }),
        Reason::Cluster(ClusterError::NamespaceMissing {
            id: object.clone(),
            namespace: "echo".into(),
        }),
        Reason::Cluster(ClusterError::Forbidden { id: object.clone(), message: message() }),
        Reason::Cluster(ClusterError::QuotaExceeded { id: object.clone(), message: message() }),
        of(object.clone()),
        Reason::PassPanicked("no".into()),
        Reason::PassTimedOut(60),
        Reason::DriftReported(vec![object.clone()]),
        Reason::DriftBackingOff(vec![object]),
    ]
}

#[test]
fn every_code_but_that_of_wrong_values_is_the_code_of_a_reason() {
    let given: BTreeSet<Code> = all().iter().map(Reason::code).collect();
    let missing: Vec<&Code> = Code::ALL.iter().filter(|code| !given.contains(code)).collect();
    assert_eq!(missing, [&Code::Invalid]);
}

#[test]
fn a_message_has_no_hint_in_it_and_the_line_has_both() {
    for reason in all() {
        match reason.hint() {
            Some(hint) => {
                assert!(!reason.to_string().contains(&hint), "{reason}");
                assert_eq!(reason.line(), format!("{reason}; {hint}"));
            }
            None => assert_eq!(reason.line(), reason.to_string()),
        }
    }
}

#[test]
fn a_wait_beyond_the_deadline_keeps_its_code_and_says_how_long() {
    let reason = Reason::Overdue { reason: Box::new(pods(SOME, None)), seconds: 60 };
    assert_eq!(reason.code(), Code::WaitingForPods);
    assert_eq!(reason.subject(), Subject::Object(id("Deployment")));
    assert_eq!(
        reason.line(),
        "Deployment echo/echo: 1 of 2 pods are ready (waited 60 s); the routes stay as they were; look at the \
         pods with `kubectl describe pods -l app=echo,version=v2`, or push values that work"
    );
}

#[test]
fn only_what_does_not_pass_by_itself_is_lasting() {
    let lasting = |reason: &&Reason| reason.is_lasting();
    let codes: Vec<Code> = all().iter().filter(lasting).map(Reason::code).collect();
    let expected = [
        Code::PodsCrashing,
        Code::ImagePullFailed,
        Code::ContainerConfigInvalid,
        Code::ProgressDeadlineExceeded,
        Code::GlooBlocked,
        Code::RolledBack,
    ];
    assert_eq!(codes, expected);
}

#[test]
fn a_version_that_has_requests_says_how_many_it_should_give_back() {
    let with = |share, by_header| PodsNotReady { share, by_header, ..not_ready(SOME, None) };
    let hint = |share, by_header| with(share, by_header).hint().expect("a hint");
    assert!(hint(0, false).starts_with("the routes stay as they were"));
    assert!(hint(0, true).starts_with("v2 has the requests with its headers"));
    assert!(hint(30, true).starts_with("v2 has 30 % of the requests"));
}

#[test]
fn pods_that_only_start_do_not_hide_why_there_are_no_more_of_them() {
    let starting = Some((Cause::Starting, false));
    let code = |shortfall| pods(shortfall, starting).code();
    assert_eq!(code(SOME), Code::WaitingForPods);
    let quota = "pods is forbidden: exceeded quota: small".to_owned();
    assert_eq!(code(Shortfall::NotCreated(quota)), Code::QuotaExceeded);
    assert_eq!(code(Shortfall::NotCreated("violates PodSecurity".into())), Code::PodsRefused);
    let late = Shortfall::PastDeadline("timed out".into());
    assert_eq!(code(late), Code::ProgressDeadlineExceeded);
}

#[test]
fn only_a_missing_answer_and_a_missing_namespace_pass_by_themselves() {
    let (id, message) = (id("RouteTable"), || "no".to_owned());
    let errors = [
        ClusterError::Unreachable(message()),
        ClusterError::NamespaceMissing { id: id.clone(), namespace: "echo".into() },
        ClusterError::KindNotServed { api_version: "v1".into(), kind: "A".into() },
        ClusterError::Forbidden { id: id.clone(), message: message() },
        ClusterError::QuotaExceeded { id: id.clone(), message: message() },
        ClusterError::Refused { id, message: message() },
    ];
    let passes: Vec<bool> = errors.iter().map(ClusterError::passes).collect();
    assert_eq!(passes, [true, true, false, false, false, false]);
    let hints: BTreeSet<String> = errors.iter().filter_map(ClusterError::hint).collect();
    assert_eq!(hints.len(), 5, "each but the last has its own: {hints:?}");
    assert_eq!(errors[5].hint(), None);
}

#[test]
fn a_refused_change_has_the_hint_of_its_refusal() {
    let refusal = Refusal::Unserved(table());
    assert!(refusal.hint().is_some());
    assert_eq!(PreflightError::Refused(refusal.clone()).hint(), refusal.hint());
    let failed = PreflightError::Failed.hint().expect("where to look");
    assert_ne!(Some(failed), refusal.hint());
}

#[test]
fn drift_names_every_object() {
    for reason in [Reason::DriftReported, Reason::DriftBackingOff] {
        let message = reason(vec![id("Service"), id("Deployment")]).to_string();
        assert!(message.contains("Service echo/echo, Deployment echo/echo"), "{message}");
    }
}
