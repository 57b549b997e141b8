//! The next safe command for a service, by where it stands: which version is in trouble, and who gets the
//! requests by the routes that are there.

use crate::client::ServiceStatus;
use coalmine_core::values::PLATFORM;

/// Reasons of which the repository is not the cause: what they name has to be repaired, and then the daemon
/// goes on by itself.
const OUTSIDE: &[&str] = &[
    "GlooBlocked",
    "NamespaceMissing",
    "NamespaceTerminating",
    "PassPanicked",
    "PassTimedOut",
    "PreflightFailed",
    "WaitingForDeletion",
    "WaitingForGloo",
    "WaitingForNamespace",
    "WaitingForPlatform",
    "WaitingForProxies",
    "WaitingForRoutes",
    "WebhookFailed",
];
/// Reasons that `coalmine doctor` finds the cause of.
const DOCTOR: &[&str] = &[
    "AheadOfGit",
    "ApiServerUnreachable",
    "CredentialsRefused",
    "KindNotServed",
    "PermissionDenied",
    "WaitingForCache",
];
/// Reasons that are about pods of a version.
const PODS: &[&str] = &[
    "ContainerConfigInvalid",
    "ImagePullFailed",
    "PodsCrashing",
    "PodsFailed",
    "PodsRefused",
    "PodsUnschedulable",
    "ProgressDeadlineExceeded",
    "QuotaExceeded",
    "WaitingForEndpoints",
    "WaitingForPods",
];

/// The command that brings a service forward, or brings it out of trouble; `None` when nothing is to be done.
///
/// What cannot be the name of a service is part of no command: somebody will paste it into a shell.
pub(super) fn next(service: &ServiceStatus) -> Option<String> {
    let name = &service.service;
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./".contains(character);
    if !name.chars().all(is_plain) || name.starts_with('-') {
        return None;
    }
    let verb = match (service.state.as_str(), service.phase.as_str()) {
        ("Invalid", _) => "undo",
        ("Stalled", _) => return Some(out_of_trouble(service)),
        ("Progressing", _) => "wait",
        (_, "Stable") => return None,
        (_, "Shifted") => "finish",
        _ if name == PLATFORM => return None,
        _ => "promote",
    };
    Some(format!("coalmine {verb} {name}"))
}

fn out_of_trouble(service: &ServiceStatus) -> String {
    let name = &service.service;
    let code = service.reason_code.as_deref().unwrap_or_default();
    if DOCTOR.contains(&code) {
        return "coalmine doctor".to_owned();
    }
    if OUTSIDE.contains(&code) {
        return format!("coalmine wait {name}");
    }
    let undo = format!("coalmine undo {name}");
    if !PODS.contains(&code) {
        // The newest values are refused, and the routes are as they were.
        return undo;
    }
    match (Trouble::of(service), service.phase.as_str()) {
        // The canary has the requests already, or may have them: the primary is not needed any more.
        (Trouble::Primary, "Shifted") => format!("coalmine finish {name}"),
        (Trouble::Primary, "Shifting") => format!("coalmine promote {name} --weight 100"),
        (Trouble::Canary, "Shifting" | "Shifted") => format!("coalmine abort {name}"),
        _ => undo,
    }
}

/// Who of the two that have the requests is in trouble.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// The primary has no ready pod, and the canary answers.
    Primary,
    /// The canary, and the primary answers as far as is known.
    Canary,
    /// Neither can take the requests of the other.
    Both,
}

impl Trouble {
    fn of(service: &ServiceStatus) -> Self {
        let ServiceStatus { primary, canary, ready_pods, observed_weights, .. } = service;
        // Nobody counts the pods of a version that somebody else deploys.
        let has_none = |version: &str| ready_pods.get(version) == Some(&0);
        let canary = canary.as_deref().filter(|canary| !canary.is_empty());
        let canary_answers = canary.is_some_and(|canary| {
            !has_none(canary) && service.reason_version.as_deref() != Some(canary)
        });
        let has_requests =
            |version: &str| observed_weights.get(version).is_some_and(|share| *share > 0);
        let all_on_canary = canary.is_some_and(has_requests) && !has_requests(primary);
        let primary_fails =
            has_none(primary) || service.reason_version.as_ref() == Some(primary) && all_on_canary;
        match (primary_fails, canary_answers) {
            (true, true) => Self::Primary,
            (false, _) if service.reason_version.as_ref() != Some(primary) => Self::Canary,
            _ => Self::Both,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service whose primary is v1 and whose canary is v2: the state, the phase, the reason and the version
    /// that this is about, then the share and the ready pods of each version.
    fn service(
        (state, phase): (&str, &str),
        (code, version): (&str, Option<&str>),
        v1: (u8, u32),
        v2: (u8, u32),
    ) -> ServiceStatus {
        ServiceStatus {
            service: "echo".into(),
            state: state.into(),
            phase: phase.into(),
            reason_code: Some(code.into()),
            reason_version: version.map(Into::into),
            primary: "v1".into(),
            canary: Some("v2".into()),
            observed_weights: [("v1".into(), v1.0), ("v2".into(), v2.0)].into(),
            ready_pods: [("v1".into(), v1.1), ("v2".into(), v2.1)].into(),
            ..ServiceStatus::default()
        }
    }

    fn stalled(
        phase: &str,
        reason: (&str, Option<&str>),
        v1: (u8, u32),
        v2: (u8, u32),
    ) -> Option<String> {
        next(&service(("Stalled", phase), reason, v1, v2))
    }

    #[test]
    fn what_is_no_name_of_a_service_is_part_of_no_command() {
        for name in ["echo; reboot", "$(reboot)", "a\nb", "--help", "`a`", "a b"] {
            let mut service = service(("Invalid", "Stable"), ("", None), (100, 1), (0, 0));
            service.service = name.into();
            assert_eq!(next(&service), None, "{name}");
        }
    }

    #[test]
    fn a_canary_in_trouble_is_aborted() {
        let v2 = ("PodsCrashing", Some("v2"));
        let abort = Some("coalmine abort echo".to_owned());
        assert_eq!(stalled("Shifting", v2, (50, 1), (50, 0)), abort);
        assert_eq!(stalled("Shifted", v2, (0, 1), (100, 0)), abort);
        let undo = Some("coalmine undo echo".to_owned());
        assert_eq!(
            stalled("CanaryTest", v2, (100, 1), (0, 0)),
            undo,
            "it has no share to give back"
        );
        assert_eq!(stalled("Shifting", v2, (50, 0), (50, 0)), undo, "nobody answers");
    }

    #[test]
    fn a_primary_in_trouble_gets_no_requests_back() {
        let v1 = ("PodsCrashing", Some("v1"));
        let is = |command: &str| Some(format!("coalmine {command}"));
        assert_eq!(stalled("Shifted", v1, (0, 0), (100, 1)), is("finish echo"));
        assert_eq!(stalled("Shifted", v1, (0, 1), (100, 1)), is("finish echo"));
        assert_eq!(stalled("Shifting", v1, (50, 0), (50, 1)), is("promote echo --weight 100"));
        assert_eq!(stalled("Shifting", v1, (50, 1), (50, 1)), is("undo echo"), "old pods answer");
        assert_eq!(stalled("Shifting", v1, (50, 0), (50, 0)), is("undo echo"));
        assert_eq!(stalled("CanaryTest", v1, (100, 0), (0, 1)), is("undo echo"));
        // A daemon that does not tell the version tells the pods.
        let unknown = ("WaitingForPods", None);
        assert_eq!(stalled("Shifted", unknown, (0, 0), (100, 1)), is("finish echo"));
        assert_eq!(stalled("Shifted", unknown, (0, 1), (100, 0)), is("abort echo"));
    }

    #[test]
    fn what_is_no_matter_of_a_version_is_undone_waited_for_or_examined() {
        let all =
            |code: &str| stalled("Shifting", (code, None), (90, 1), (10, 1)).expect("a command");
        for code in ["MaxStepExceeded", "PreflightRefused", "RolledBack", "AdmissionDenied"] {
            assert_eq!(all(code), "coalmine undo echo", "{code}");
        }
        for code in OUTSIDE {
            assert_eq!(all(code), "coalmine wait echo", "{code}");
        }
        for code in DOCTOR {
            assert_eq!(all(code), "coalmine doctor", "{code}");
        }
    }

    #[test]
    fn every_reason_that_is_listed_exists() {
        let known: Vec<&str> =
            coalmine_core::reason::Code::ALL.iter().map(|it| it.as_str()).collect();
        for code in [OUTSIDE, DOCTOR, PODS].concat() {
            assert!(known.contains(&code), "{code}");
        }
    }
}
