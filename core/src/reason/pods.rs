use std::fmt;

use super::code::Code;
use super::denial::Denial;
use super::hint::Hinted;
use crate::health::{Cause, Shortfall, Trouble};
use crate::object::ObjectId;

/// A version whose rollout is not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodsNotReady {
    /// Its Deployment.
    pub deployment: ObjectId,
    /// Its label `version`.
    pub version: String,
    /// The label selector that finds its pods.
    pub selector: String,
    /// What the Deployment lacks.
    pub shortfall: Shortfall,
    /// Whether the Deployment has failed, and does not become ready by itself.
    pub has_failed: bool,
    /// What is wrong with a pod of it.
    pub trouble: Option<Trouble>,
    /// The share of the requests that it has by the routes that are applied, in percent.
    pub share: u64,
    /// Whether it has the requests with its headers by these routes.
    pub by_header: bool,
    /// Whether these routes name it as the primary.
    pub is_primary: bool,
    /// Another version that has requests by these routes, and a ready pod.
    pub answering: Option<String>,
}

impl PodsNotReady {
    pub(super) fn code(&self) -> Code {
        match (self.denial(), &self.trouble) {
            (Some(Denial::Quota { .. }), _) => Code::QuotaExceeded,
            (Some(Denial::WebhookFailed { .. }), _) => Code::WebhookFailed,
            (Some(Denial::NamespaceTerminating), _) => Code::NamespaceTerminating,
            (Some(_), _) => Code::PodsRefused,
            (None, Some(Trouble { cause, .. })) if *cause != Cause::Starting => match cause {
                Cause::Starting => Code::WaitingForPods,
                Cause::Failed => Code::PodsFailed,
                Cause::Unschedulable => Code::PodsUnschedulable,
                Cause::Crashing => Code::PodsCrashing,
                Cause::Image => Code::ImagePullFailed,
                Cause::Configuration => Code::ContainerConfigInvalid,
            },
            (None, _) if self.has_failed => Code::ProgressDeadlineExceeded,
            (None, _) => Code::WaitingForPods,
        }
    }

    /// What the API server does not admit stays so until somebody changes it.
    pub(super) fn is_lasting(&self) -> bool {
        self.has_failed
            || self.denial().is_some_and(|denial| !denial.passes())
            || self.trouble.as_ref().is_some_and(|trouble| trouble.lasting)
    }

    /// Who does not admit its pods.
    fn denial(&self) -> Option<Denial> {
        match &self.shortfall {
            Shortfall::NotCreated(words) => Some(Denial::of(words).unwrap_or(Denial::Plugin)),
            _ => None,
        }
    }

    /// Where to look, as a command.
    fn look(&self) -> String {
        let namespace = self.deployment.namespace.as_deref().unwrap_or("default");
        let selector = &self.selector;
        if matches!(self.shortfall, Shortfall::NotCreated(_)) {
            return format!("`kubectl describe replicasets -n {namespace} -l {selector}`");
        }
        if let Some(trouble) = self.trouble.as_ref().filter(|it| it.cause == Cause::Crashing)
            && let Trouble { pod, container: Some(name), in_previous_log, .. } = trouble
        {
            let previous = if *in_previous_log { " --previous" } else { "" };
            return format!("`kubectl logs -n {namespace} {pod} -c {name}{previous}`");
        }
        format!("`kubectl describe pods -n {namespace} -l {selector}`")
    }
}

impl fmt::Display for PodsNotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.deployment, self.shortfall)?;
        // What the API server or a controller says is a sentence of its own.
        let is_quoted =
            matches!(self.shortfall, Shortfall::NotCreated(_) | Shortfall::PastDeadline(_));
        match &self.trouble {
            Some(trouble) if is_quoted => write!(f, "; {}", trouble.words),
            Some(trouble) => write!(f, ": {}", trouble.words),
            None => Ok(()),
        }
    }
}

impl Hinted for PodsNotReady {
    /// What to do depends on who does not admit the pods, on the requests that the version has already, and on
    /// whether another version could have them.
    fn hint(&self) -> Option<String> {
        let Self { version, share, by_header, .. } = self;
        let look = format!("look at the pods with {}", self.look());
        let mend = match self.denial() {
            Some(denial) => denial.hint(self.deployment.namespace.as_deref()),
            None => "push values that work".to_owned(),
        };
        let has = match (share, by_header) {
            (0, false) => {
                return Some(format!("the routes stay as they were; {look}, or {mend}"));
            }
            (0, true) => "the requests with its headers".to_owned(),
            (share, _) => format!("{share} % of the requests"),
        };
        let way_out = match &self.answering {
            Some(other) if self.is_primary => {
                format!("{other} has ready pods and gets them all by `weight: 100`, or {mend}")
            }
            _ if self.is_primary => {
                format!("{mend}, or bring back the values of the commit before")
            }
            _ => format!("give them back by the commit before or with `weight: 0`, or {mend}"),
        };
        Some(format!(
            "{version} has {has}, and other versions answer them only with `fallback: any`; {way_out}; {look}"
        ))
    }
}
