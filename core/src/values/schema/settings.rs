//! The keys of `coalmine.yaml`.

use schemars::JsonSchema;

use super::autopilot::Autopilot;
use super::calendar::{Freeze, MAX_PERIODS, Window};
use super::folders::Folders;
use super::gateway::Gateway;
use super::mapping::mapping;
use super::routes::Routes;
use super::scalars::{Count, Duration, Kind, Label, Step};
use super::service::{Drift, Service, Upstream};
use super::version::Version;

mapping! {
    /// Settings of a repository of rollouts. All of them are optional.
    #[schemars(extend("type" = ["object", "null"]))]
    SettingsFile {
        /// What services share that do not say otherwise.
        defaults: Option<Defaults>,
        /// Gloo.
        gloo: Option<Gloo>,
        /// Which API routes are written in, and who serves them, where a service does not say it.
        gateway: Option<Gateway>,
        /// How long things may take.
        timing: Option<Timing>,
        /// What one commit may do.
        policy: Option<Policy>,
        /// What may be removed.
        prune: Option<Prune>,
        /// The daemon.
        daemon: Option<Daemon>,
        /// What the services of each folder may do. With one entry, folders without one may do nothing.
        folders: Option<Folders>,
    }
}

mapping! {
    /// The daemon.
    Daemon {
        /// Where it runs; coalmine by default.
        namespace: Option<Label>,
    }
}

mapping! {
    /// What services share that do not say otherwise.
    Defaults {
        /// Settings of every version that is not external.
        deployment: Option<Version>,
        /// The Kubernetes Service.
        service: Option<Service>,
        /// Who gets the requests. A default canary completes that of a service which names one.
        routes: Option<Routes>,
        /// More of the Upstreams' spec.
        upstream: Option<Upstream>,
        /// What is done when somebody else changes an object.
        drift: Option<Drift>,
        /// How the daemon takes canaries through their rollouts.
        autopilot: Option<Autopilot>,
    }
}

mapping! {
    /// Gloo.
    Gloo {
        /// Where it runs; gloo-system by default.
        namespace: Option<Label>,
        /// Which Gloo it is: whether options of Gloo Enterprise are errors. Not known by default.
        edition: Option<Edition>,
    }
}

/// Which Gloo it is.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum Edition {
    /// The open-source one: it serves a route without an option of Gloo Enterprise.
    OpenSource,
    /// Gloo Enterprise.
    Enterprise,
}

mapping! {
    /// How long things may take.
    Timing {
        /// The longest wait before a service counts as stalled; 5m by default.
        deadline: Option<Duration>,
        /// From Gloo's verdict until every proxy has the new routes; 3s by default.
        settle: Option<Duration>,
    }
}

mapping! {
    /// What one commit may do.
    Policy {
        /// The biggest rise of a version's share, in percent.
        max_step as "maxStep": Option<Step>,
        /// Whether a version is tried by headers before it gets a share.
        require_header_phase as "requireHeaderPhase": Option<bool>,
        /// Times in which the autopilot promotes nothing.
        #[schemars(length(max = MAX_PERIODS))]
        freeze: Option<Vec<Freeze>>,
        /// The only times of the week in which the autopilot promotes; any time by default.
        #[schemars(length(min = 1, max = MAX_PERIODS))]
        windows: Option<Vec<Window>>,
    }
}

mapping! {
    /// What may be removed.
    Prune {
        /// The most objects that one revision may remove.
        limit: Option<Count>,
        /// Kinds of which objects of platform/ are deleted although objects like that are kept by default.
        kinds: Option<Vec<Kind>>,
    }
}
