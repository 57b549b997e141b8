//! What can be asked of a rollout, and what each of it means for a service's values.

use std::collections::BTreeMap;

use super::intent::{Intent, Operation, equals, with_image};
use crate::reason::Advice;
use crate::values::{Canary, Policy, Service, Version, Weight, Workload};

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
    /// The next step of [`LADDER`], but no more than `policy.maxStep` allows at once.
    Next,
    /// This.
    Weight(Weight),
}

/// The shares that [`Goal::Next`] goes through, in percent.
pub const LADDER: [u8; 4] = [10, 25, 50, 100];

const CANARY: &[&str] = &["routes", "canary"];

impl Verb {
    /// What the verb means for a service, or why it cannot be done as its rollout stands.
    pub(super) fn intent(&self, service: &Service, policy: &Policy) -> Result<Intent, Advice> {
        match self {
            Self::Start { version, image, headers } => {
                start(service, version, image.as_deref(), headers)
            }
            Self::Promote(goal) => promote(service, *goal, policy),
            Self::Abort { full: false } => abort(service),
            Self::Abort { full: true } => give_up(service),
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
        let workload = &wanted.versions[version];
        if !matches!(workload, Workload::Deployed(_)) {
            let wrong = format_args!("{version} is not deployed by coalmine");
            return Err(Advice::new(wrong, "leave --image away"));
        }
        operations.push(Operation::text(&[path[0], path[1], "image"], image));
        let workload = with_image(workload, Some(image));
        wanted.versions.insert(version.clone(), workload);
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
        Goal::Next => next(now, policy).ok_or_else(|| {
            let wrong = format_args!("{version} has all requests already");
            let hint = format_args!("`coalmine finish {}` makes it the primary", service.name);
            Advice::new(wrong, hint)
        })?,
        Goal::Weight(weight) if weight == now && service.routes.canary.is_some() => {
            return Err(format!("{version} has {now} % already").into());
        }
        Goal::Weight(weight) => weight,
    };
    operations.push(Operation::canary_weight(weight.percent()));
    wanted.routes.canary = Some(Canary { weight, ..canary });
    let summary = format!("give {version} {weight} % of the requests, from {now} %");
    Ok(Intent { summary, operations, service: wanted })
}

/// The share after this one.
fn next(now: Weight, policy: &Policy) -> Option<Weight> {
    let step = LADDER.into_iter().find(|step| *step > now.percent())?;
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

fn abort(service: &Service) -> Result<Intent, Advice> {
    let canary = canary(service)?;
    if canary.weight == Weight::ZERO {
        return Err(Advice::new(
            format_args!("{} has no share of the requests", canary.version),
            format_args!("`coalmine abort {} --full` takes its header route too", service.name),
        ));
    }
    let mut wanted = service.clone();
    wanted.routes.canary = Some(Canary { weight: Weight::ZERO, ..canary.clone() });
    Ok(Intent {
        summary: format!("abort, take {} back from {} % to 0", canary.version, canary.weight),
        operations: vec![Operation::canary_weight(0)],
        service: wanted,
    })
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
