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
    let trouble = trouble.map(|(cause, lasting)| Trouble {
        words: "Pod echo/echo-v2-x: container app is so".into(),
        cause,
        lasting,
        pod: "echo-v2-x".into(),
        container: Some("app".into()),
        in_previous_log: true,
    });
    PodsNotReady {
        deployment: id("Deployment"),
        version: "v2".into(),
        selector: "app=echo,version=v2".into(),
        has_failed: matches!(shortfall, Shortfall::PastDeadline(_)),
        shortfall,
        trouble,
        share: 0,
        by_header: false,
        is_primary: false,
        answering: None,
    }
}

fn pods(shortfall: Shortfall, trouble: Option<(Cause, bool)>) -> Reason {
    Reason::PodsNotReady(Box::new(not_ready(shortfall, trouble)))
}

const SOME: Shortfall = Shortfall::Unavailable { available: 1, desired: 2 };

fn verdict(verdict: Verdict) -> Reason {
    Reason::Verdict { object: id("RouteTable"), verdict, unanswered: None }
}

fn http_route() -> ObjectId {
    ObjectId::of(crate::kind::Kind::HttpRoute, Some("echo"), "echo-routes")
}

fn of_http_route(verdict: Verdict) -> Reason {
    Reason::Verdict { object: http_route(), verdict, unanswered: None }
}

fn table() -> Arc<ObjectRef> {
    Arc::new(ObjectRef::new("RouteTable", "golf", "golf"))
}

/// One reason for each way in which there can be one.
fn all() -> Vec<Reason> {
    let foreign = |object| ForeignObject::NotManaged { object, of_platform: false };
    let of = |object| Reason::Cluster(ClusterError::Refused { id: object, message: "no".into() });
    let (message, object) = (|| "no".to_owned(), id("RouteTable"));
    let denied = |by| {
        Reason::Cluster(ClusterError::Denied { id: id("RouteTable"), by, message: "no".into() })
    };
    vec![
        pods(SOME, None),
        pods(SOME, Some((Cause::Starting, false))),
        pods(SOME, Some((Cause::Failed, false))),
        pods(SOME, Some((Cause::Unschedulable, false))),
        pods(SOME, Some((Cause::Crashing, true))),
        pods(SOME, Some((Cause::Image, true))),
        pods(SOME, Some((Cause::Configuration, true))),
        pods(Shortfall::NotCreated("forbidden: exceeded quota: small".into()), None),
        pods(Shortfall::NotCreated("violates PodSecurity".into()), None),
        pods(Shortfall::NotCreated("failed calling webhook \"gate\": EOF".into()), None),
        pods(Shortfall::PastDeadline("timed out".into()), None),
        Reason::PredecessorGoes(id("VirtualService")),
        Reason::SuccessorComes { service: "golf".into(), is_invalid: false },
        Reason::SuccessorComes { service: "golf".into(), is_invalid: true },
        Reason::NotEstablished { object: id("CustomResourceDefinition"), refused: None },
        Reason::NotEstablished {
            object: id("CustomResourceDefinition"),
            refused: Some("\"Echo\" is already in use".into()),
        },
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
        Reason::NoVerdict {
            object: http_route(),
            gloo_namespace: "gloo-system".into(),
            is_overdue: true,
        },
        of_http_route(Verdict::Warning("hm".into())),
        of_http_route(Verdict::Rejected("no".into())),
        verdict(Verdict::Warning("hm".into())),
        verdict(Verdict::Rejected("no".into())),
        Reason::Blocked(Blocker::Frozen {
            object: table(),
            gateway: Arc::new(ObjectRef::new("Gateway", "gloo-system", "gateway-proxy")),
            words: "no".into(),
        }),
        Reason::ProxiesLearn,
        Reason::RoutesSettle,
        Reason::Leaving(object.clone()),
        Reason::Recreated(object.clone()),
        Reason::NamespaceComes(id("Namespace")),
        Reason::ProxyLacks {
            proxy: "gateways/edge-1".into(),
            cluster: "kube_echo_echo-v1_80".into(),
        },
        Reason::PlatformComes(PreflightError::Failed),
        Reason::BeingListed(object.clone()),
        Reason::NotListed("RouteTable echo/echo cannot be looked at: forbidden".into()),
        Reason::RolledBack(Box::new(verdict(Verdict::Rejected("no".into())))),
        Reason::RollbackRefused {
            cause: Box::new(verdict(Verdict::Rejected("no".into()))),
            error: PreflightError::from(Refusal::Unserved(table())),
        },
        Reason::AheadOfGit {
            canary: "v2".into(),
            reason: "v2 answered 9 of 9 requests badly".into(),
            trouble: "no answer".into(),
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
        Reason::Preflight(PreflightError::from(Refusal::Unserved(table()))),
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
        Reason::Cluster(ClusterError::NotWatched {
            objects: vec![object.clone()],
            watched: vec!["payments".into()],
        }),
        denied(Denial::Permission),
        denied(Denial::Quota { is_unspecified: false }),
        denied(Denial::NamespaceTerminating),
        denied(Denial::Plugin),
        denied(Denial::WebhookFailed { webhook: "gate".into(), service: None }),
        Reason::Cluster(ClusterError::Unauthenticated { id: object.clone(), message: message() }),
        Reason::Cluster(ClusterError::Failed { id: object.clone(), message: message() }),
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
         pods with `kubectl describe pods -n echo -l app=echo,version=v2`, or push values that work"
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
        Code::QuotaExceeded,
        Code::PodsRefused,
        Code::ProgressDeadlineExceeded,
        Code::WaitingForDefinition,
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
    let denied = |by| ClusterError::Denied { id: id.clone(), by, message: "no".to_owned() };
    let errors = [
        ClusterError::Unreachable(message()),
        ClusterError::NamespaceMissing { id: id.clone(), namespace: "echo".into() },
        ClusterError::KindNotServed { api_version: "v1".into(), kind: "A".into() },
        denied(Denial::Permission),
        denied(Denial::Quota { is_unspecified: false }),
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
    assert_eq!(PreflightError::from(refusal.clone()).hint(), refusal.hint());
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

#[test]
fn a_primary_that_fails_beside_a_canary_that_answers_gives_its_requests_to_that() {
    let primary = |answering: Option<&str>| PodsNotReady {
        share: 50,
        is_primary: true,
        answering: answering.map(str::to_owned),
        ..not_ready(SOME, None)
    };
    let hint = primary(Some("v3")).hint().expect("a hint");
    assert!(hint.contains("v3 has ready pods and gets them all by `weight: 100`"), "{hint}");
    let alone = primary(None).hint().expect("a hint");
    assert!(!alone.contains("weight"), "{alone}");
    assert!(alone.contains("the values of the commit before"), "{alone}");
}

#[test]
fn pods_that_are_not_admitted_say_by_whom_and_where_to_look() {
    let words = "pods \"echo-v2-6d4b\" is forbidden: exceeded quota: small, requested: pods=1";
    let line = pods(Shortfall::NotCreated(words.into()), Some((Cause::Starting, false))).line();
    assert_eq!(
        line,
        format!(
            "Deployment echo/echo: {words}; Pod echo/echo-v2-x: container app is so; the routes stay as they \
             were; look at the pods with `kubectl describe replicasets -n echo -l app=echo,version=v2`, or raise \
             the quota of the namespace, or ask for less; `kubectl describe resourcequota -n echo` shows what is \
             used"
        )
    );
}

#[test]
fn a_crash_leads_to_the_log_of_its_container() {
    let hint = pods(SOME, Some((Cause::Crashing, false))).hint().expect("a hint");
    assert!(hint.contains("`kubectl logs -n echo echo-v2-x -c app --previous`"), "{hint}");
    // Of a container that has run once there is no log of a run before.
    let mut once = not_ready(SOME, Some((Cause::Crashing, false)));
    once.trouble.as_mut().expect("it crashes").in_previous_log = false;
    let hint = once.hint().expect("a hint");
    assert!(hint.contains("`kubectl logs -n echo echo-v2-x -c app`"), "{hint}");
}

#[test]
fn every_kubectl_command_of_a_hint_says_where() {
    for reason in all() {
        let Some(hint) = reason.hint() else { continue };
        for command in hint.split('`').skip(1).step_by(2).filter(|it| it.starts_with("kubectl")) {
            let has_place = [
                " -n ",
                "namespace ",
                "api-resources",
                "webhookconfigurations",
                "admissionpolicy ",
            ]
            .iter()
            .any(|place| command.contains(place));
            assert!(has_place, "{reason:?}: {command}");
        }
    }
}

#[test]
fn only_a_kind_of_gloos_is_installed_with_gloo() {
    let hint = |api_version: &str| {
        let (api_version, kind) = (api_version.to_owned(), "A".to_owned());
        ClusterError::KindNotServed { api_version, kind }.hint().expect("a hint")
    };
    assert!(hint("gateway.solo.io/v1").contains("Gloo"));
    assert!(!hint("cert-manager.io/v1").contains("Gloo"));
}
