//! What `coalmine.yaml` says for the whole repository.

use std::collections::BTreeSet;
use std::time::Duration;

use gloo::Edition;

use super::calendar::{Freeze, Window};
use super::folders::FolderPolicy;
use crate::problem::Location;
use crate::values::kind_name::KindName;
use crate::values::names::Weight;

/// The repository's settings. What a flag of the command line says wins over them.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `gloo.namespace`: where Gloo writes its verdicts from; `gloo-system`.
    pub gloo_namespace: String,
    /// `gloo.edition`: which Gloo it is; nobody knows when absent.
    pub edition: Edition,
    /// How long things may take.
    pub timing: Timing,
    /// What one commit may do.
    pub policy: Policy,
    /// `prune.limit`: the most objects that one revision may remove; with `folders`, of one folder. No limit when absent.
    pub prune_limit: Option<u32>,
    /// Where `prune.limit` stands.
    pub prune_limit_at: Option<Location>,
    /// `prune.kinds`: the kinds of which objects are deleted that would stay otherwise; none.
    pub prune_kinds: BTreeSet<KindName>,
    /// `daemon.namespace`: where the daemon runs; `coalmine`.
    pub daemon_namespace: String,
    /// `folders`: what the services of a folder may do; everything when there is no entry.
    pub folders: Vec<FolderPolicy>,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The longest wait for readiness or a verdict before a service is stalled; 5 minutes.
    pub deadline: Duration,
    /// The time from Gloo's verdict until every proxy routes by it; 3 seconds.
    pub settle: Duration,
}

/// What one commit may do to a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// `policy.maxStep`: the biggest change of the canary's weight; any when absent.
    pub max_step: Option<Weight>,
    /// `policy.requireHeaderPhase`: whether a canary is tried with headers before it gets weight.
    pub require_header_phase: bool,
    /// `policy.freeze`: times in which the autopilot promotes nothing; none.
    pub freeze: Vec<Freeze>,
    /// `policy.windows`: the only times of the week in which the autopilot promotes; any time when empty.
    pub windows: Vec<Window>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gloo_namespace: "gloo-system".into(),
            edition: Edition::Unknown,
            timing: Timing { deadline: Duration::from_secs(300), settle: Duration::from_secs(3) },
            policy: Policy::default(),
            prune_limit: None,
            prune_limit_at: None,
            prune_kinds: BTreeSet::new(),
            daemon_namespace: "coalmine".into(),
            folders: Vec::new(),
        }
    }
}
