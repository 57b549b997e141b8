//! What can be asked of a rollout, and what each of it means for a service's values.

use std::collections::BTreeMap;

use super::intent::{Intent, Operation, equals, with_image};
use crate::reason::Advice;
use crate::values::{Canary, MAX_REASON, Mode, Policy, Routes, Service, Version, Weight, Workload};

/// What a person asks of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Run a new version beside the primary, and make it the canary.
    Start {
        /// The new version.
        version: Version,
        /// Its image; needed where the primary names one.
        image: Option<String>,
        /// Requests that carry all of these go to it.
        headers: BTreeMap<String, String>,
    },
    /// Give the canary another share of the requests.
    Promote(Goal),
    /// Take the canary's share away. Its header route stays, so that it can be looked at.
    Abort {
        /// Leave no canary at all. Its pods stay.
        full: bool,
        /// Why, for `routes.canary.held`, which is written where the service has an autopilot.
        reason: Option<String>,
    },
    /// Make the canary the primary; the version before goes.
    Finish {
        /// Even if the canary has not had all requests yet.
        force: bool,
    },
}

/// The share that a canary is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The next step of the service's autopilot, without one that of [`LADDER`], but no more than `policy.maxStep` allows at once.
    Next,
    /// This.
    Weight(Weight),
}

/// The shares that [`Goal::Next`] goes through, in percent.
pub const LADDER: [u8; 4] = [10, 25, 50, 100];

const CANARY: &[&str] = &["routes", "canary"];
const HELD: &[&str] = &["routes", "canary", "held"];

impl Verb {
    /// What the verb means for a service, or why it cannot be done as its rollout stands.
    pub(super) fn intent(&self, service: &Service, policy: &Policy) -> Result<Intent, Advice> {
        match self {
            Self::Start { version, image, headers } => {
                start(service, version, image.as_deref(), headers)
            }
            Self::Promote(goal) => promote(service, *goal, policy),
            Self::Abort { full: false, reason } => abort(service, reason.as_deref()),
            Self::Abort { full: true, .. } => give_up(service),
            Self::Finish { force } => finish(service, *force),
        }
    }
}

fn start(
    service: &Service,
    version: &Version,
    image: Option<&str>,
    headers: &BTreeMap<String, String>,
) -> Result<Intent, Advice> {
    let primary = &service.routes.primary;
    if let Some(canary) = &service.routes.canary {
        if canary.held.is_some() && canary.version == *version {
            return start_again(service, canary, image, headers);
        }
        let name = &service.name;
        return Err(Advice::new(
            format_args!("{} is being tried already", canary.version),
            format_args!("`coalmine finish {name}` or `coalmine abort {name} --full` first"),
        ));
    }
    if version == primary {
        let wrong = format_args!("{version} is what it runs");
        return Err(Advice::new(wrong, "name another version"));
    }
    service.check_new(version).map_err(|wrong| Advice::new(wrong, "name another version"))?;
    let mut wanted = service.clone();
    let mut operations = Vec::new();
    let path = ["deployment", version.as_str()];
    if !service.versions.contains_key(version) {
        let workload = &service.versions[primary];
        match workload {
            Workload::Upstream(_) => {
                return Err(Advice::new(
                    format_args!(
                        "{primary} is an Upstream of somebody else's, so nothing tells what {version} is"
                    ),
                    format_args!("write deployment.{version} first"),
                ));
            }
            Workload::Deployed(deployment) if deployment.image.is_some() && image.is_none() => {
                return Err(Advice::new(
                    format_args!("{primary} names its image"),
                    format_args!("name that of {version}: --image"),
                ));
            }
            _ => {}
        }
        operations.push(Operation::copy(&["deployment", primary.as_str()], &path));
        wanted.versions.insert(version.clone(), workload.clone());
    }
    if let Some(image) = image {
        operations.push(name_image(&mut wanted, version, image)?);
    }
    operations.extend(new_canary(version));
    for (name, value) in headers {
        operations.push(Operation::text(&["routes", "canary", "headers", name], value));
    }
    wanted.routes.canary = Some(Canary {
        version: version.clone(),
        headers: headers.iter().map(|(name, value)| (name.clone(), equals(value))).collect(),
        jwt: None,
        weight: Weight::ZERO,
        shadow: Weight::ZERO,
        held: None,
    });
    Ok(Intent { summary: format!("start {version} beside {primary}"), operations, service: wanted })
}

/// Begins the rollout of a held canary again, from weight 0.
fn start_again(
    service: &Service,
    canary: &Canary,
    image: Option<&str>,
    headers: &BTreeMap<String, String>,
) -> Result<Intent, Advice> {
    let version = &canary.version;
    let mut wanted = service.clone();
    let mut operations = Vec::new();
    if let Some(image) = image {
        operations.push(name_image(&mut wanted, version, image)?);
    }
    if canary.weight > Weight::ZERO {
        operations.push(Operation::canary_weight(0));
    }
    let mut canary = Canary { weight: Weight::ZERO, held: None, ..canary.clone() };
    for (name, value) in headers {
        operations.push(Operation::text(&["routes", "canary", "headers", name], value));
        canary.headers.insert(name.clone(), equals(value));
    }
    operations.push(Operation::remove(HELD));
    wanted.routes.canary = Some(canary);
    let primary = &service.routes.primary;
    Ok(Intent {
        summary: format!("start {version} beside {primary} again"),
        operations,
        service: wanted,
    })
}

/// Gives a version of the service another image.
fn name_image(wanted: &mut Service, version: &Version, image: &str) -> Result<Operation, Advice> {
    let workload = &wanted.versions[version];
    if !matches!(workload, Workload::Deployed(_)) {
        let wrong = format_args!("{version} is not deployed by coalmine");
        return Err(Advice::new(wrong, "leave --image away"));
    }
    let workload = with_image(workload, Some(image));
    wanted.versions.insert(version.clone(), workload);
    Ok(Operation::text(&["deployment", version.as_str(), "image"], image))
}

fn new_canary(version: &Version) -> [Operation; 2] {
    [Operation::empty(CANARY), Operation::text(&["routes", "canary", "version"], version.as_str())]
}

fn promote(service: &Service, goal: Goal, policy: &Policy) -> Result<Intent, Advice> {
    let mut wanted = service.clone();
    let mut operations = Vec::new();
    let canary = match &service.routes.canary {
        Some(canary) => canary.clone(),
        None => {
            let version = only_other(service)?;
            operations.extend(new_canary(version));
            let version = version.clone();
            Canary {
                version,
                headers: BTreeMap::new(),
                jwt: None,
                weight: Weight::ZERO,
                shadow: Weight::ZERO,
                held: None,
            }
        }
    };
    let (version, now) = (canary.version.clone(), canary.weight);
    let weight = match goal {
        Goal::Next => next(service, now, policy).ok_or_else(|| {
            let wrong = format_args!("{version} has all requests already");
            let hint = format_args!("`coalmine finish {}` makes it the primary", service.name);
            Advice::new(wrong, hint)
        })?,
        Goal::Weight(weight)
            if weight == now && service.routes.canary.is_some() && canary.held.is_none() =>
        {
            return Err(format!("{version} has {now} % already").into());
        }
        Goal::Weight(weight) => weight,
    };
    operations.push(Operation::canary_weight(weight.percent()));
    if canary.held.is_some() {
        operations.push(Operation::remove(HELD));
    }
    wanted.routes.canary = Some(Canary { weight, held: None, ..canary });
    let summary = match weight == now {
        true => format!("go on with {version} at {now} % of the requests"),
        false => format!("give {version} {weight} % of the requests, from {now} %"),
    };
    Ok(Intent { summary, operations, service: wanted })
}

/// The share after this one: by the ladder of the service's autopilot, and all requests at its end.
fn next(service: &Service, now: Weight, policy: &Policy) -> Option<Weight> {
    let own = service.autopilot.as_ref().filter(|it| it.mode != Mode::Off);
    let step = match own.and_then(|autopilot| autopilot.ladder.above(now)) {
        Some(step) => step.weight.percent(),
        None if own.is_some() => Some(100).filter(|all| *all > now.percent())?,
        None => LADDER.into_iter().find(|step| *step > now.percent())?,
    };
    let most = policy.max_step.map_or(100, |most| now.percent().saturating_add(most.percent()));
    Weight::new(u32::from(step.min(most)))
}

/// The one version that gets no requests yet.
fn only_other(service: &Service) -> Result<&Version, Advice> {
    let mut others = service.versions.keys().filter(|it| **it != service.routes.primary);
    match (others.next(), others.next()) {
        (Some(version), None) => Ok(version),
        (None, _) => {
            let name = &service.name;
            let hint =
                format_args!("`coalmine start {name} --version VERSION` brings a new version");
            Err(Advice::new("nothing is being tried", hint))
        }
        _ => Err(Advice::new(
            "several versions could be meant",
            format_args!("`coalmine start {} --version VERSION` says which", service.name),
        )),
    }
}

fn canary(service: &Service) -> Result<&Canary, Advice> {
    let none = || "nothing is being tried, there is no canary".to_owned().into();
    service.routes.canary.as_ref().ok_or_else(none)
}

/// Takes the canary's share away. Where there is an autopilot the canary is held too, or it would go on with it.
fn abort(service: &Service, reason: Option<&str>) -> Result<Intent, Advice> {
    let canary = canary(service)?;
    let has_autopilot = service.autopilot.as_ref().is_some_and(|it| it.mode != Mode::Off);
    let is_held = canary.held.is_some() || !has_autopilot;
    if canary.weight == Weight::ZERO && is_held {
        return Err(Advice::new(
            format_args!("{} has no share of the requests", canary.version),
            format_args!("`coalmine abort {} --full` takes its header route too", service.name),
        ));
    }
    let mut operations = Vec::new();
    let mut wanted = Canary { weight: Weight::ZERO, ..canary.clone() };
    if canary.weight > Weight::ZERO {
        operations.push(Operation::canary_weight(0));
    }
    if !is_held {
        let unsaid = format!("aborted at weight {}", canary.weight);
        let reason = reason.and_then(one_line).unwrap_or(unsaid);
        operations.push(Operation::text(HELD, &reason));
        wanted.held = Some(reason);
    }
    let summary = match canary.weight {
        Weight::ZERO => format!("abort, hold {} without a share", canary.version),
        weight => format!("abort, take {} back from {weight} % to 0", canary.version),
    };
    let service = Service {
        routes: Routes { canary: Some(wanted), ..service.routes.clone() },
        ..service.clone()
    };
    Ok(Intent { summary, operations, service })
}

/// The first line of a reason, as long as a file may say it; nothing when there is none.
fn one_line(reason: &str) -> Option<String> {
    let line = reason.lines().map(str::trim).find(|line| !line.is_empty())?;
    let line: String = line.chars().filter(|it| !it.is_control()).take(MAX_REASON).collect();
    Some(line).filter(|line| !line.is_empty())
}

fn give_up(service: &Service) -> Result<Intent, Advice> {
    let version = &canary(service)?.version;
    let mut wanted = service.clone();
    wanted.routes.canary = None;
    Ok(Intent {
        summary: format!("abort, leave {version} without any requests"),
        operations: vec![Operation::remove(CANARY)],
        service: wanted,
    })
}

fn finish(service: &Service, force: bool) -> Result<Intent, Advice> {
    let Canary { version, weight, .. } = canary(service)?;
    if *weight < Weight::FULL && !force {
        return Err(Advice::new(
            format_args!("{version} has {weight} % of the requests"),
            format_args!("`coalmine promote {} --weight 100` first, or say --force", service.name),
        ));
    }
    let old = &service.routes.primary;
    let mut wanted = service.clone();
    wanted.routes.canary = None;
    wanted.routes.primary = version.clone();
    wanted.versions.remove(old);
    let operations = vec![
        Operation::text(&["routes", "primary", "version"], version.as_str()),
        Operation::remove(CANARY),
        Operation::remove(&["deployment", old.as_str()]),
    ];
    Ok(Intent { summary: format!("finish, {version} replaces {old}"), operations, service: wanted })
}
