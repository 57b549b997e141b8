use std::fmt;

use super::code::Code;
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
}

impl PodsNotReady {
    pub(super) fn code(&self) -> Code {
        match (&self.trouble, &self.shortfall) {
            (Some(Trouble { cause, .. }), _) if *cause != Cause::Starting => match cause {
                Cause::Starting => Code::WaitingForPods,
                Cause::Unschedulable => Code::PodsUnschedulable,
                Cause::Crashing => Code::PodsCrashing,
                Cause::Image => Code::ImagePullFailed,
                Cause::Configuration => Code::ContainerConfigInvalid,
            },
            (_, shortfall) if shortfall.exceeds_quota() => Code::QuotaExceeded,
            (_, Shortfall::NotCreated(_)) => Code::PodsRefused,
            _ if self.has_failed => Code::ProgressDeadlineExceeded,
            _ => Code::WaitingForPods,
        }
    }

    pub(super) fn is_lasting(&self) -> bool {
        self.has_failed || self.trouble.as_ref().is_some_and(|trouble| trouble.lasting)
    }
}

impl fmt::Display for PodsNotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.deployment, self.shortfall)?;
        match &self.trouble {
            Some(trouble) => write!(f, ": {}", trouble.words),
            None => Ok(()),
        }
    }
}

impl Hinted for PodsNotReady {
    /// It is more urgent when the version has requests already.
    fn hint(&self) -> Option<String> {
        let Self { version, selector, share, by_header, .. } = self;
        let look = format!("look at the pods with `kubectl describe pods -l {selector}`");
        let has = match (share, by_header) {
            (0, false) => {
                return Some(format!(
                    "the routes stay as they were; {look}, or push values that work"
                ));
            }
            (0, true) => "the requests with its headers".to_owned(),
            (share, _) => format!("{share} % of the requests"),
        };
        Some(format!(
            "{version} has {has}, and other versions answer them only with `fallback: any`; give them back \
             by the commit before or with `weight: 0`, or push values that work; {look}"
        ))
    }
}
