//! Waiting for objects: until they are as the next step needs them, or the deadline has passed.

use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Ended, Executor, words};
use crate::cluster::ClusterError;
use crate::health::{self, Health, Verdict};
use crate::inventory::{self, ObjectId};
use crate::plan::Backend;

/// How long a wait goes without an event before it looks again by itself.
const RECHECK: Duration = Duration::from_secs(2);

/// What an object is waited for.
#[derive(Clone, Copy)]
pub(super) enum Condition<'a> {
    /// The Deployment is available with its newest spec.
    RolledOut(&'a str),
    /// The Endpoints hold every ready pod of this label selector.
    HasEndpoints(&'a str),
    /// The object is there.
    Exists,
    /// Gloo's verdict is Accepted.
    Accepted,
    /// Gloo's verdict is Accepted or Warning.
    Served,
    /// Gloo has given a verdict, whichever.
    Judged,
}

impl Executor<'_> {
    /// What a verdict on routes has to be.
    pub(super) fn good_enough(&self) -> Condition<'static> {
        if self.tolerates_warnings { Condition::Served } else { Condition::Accepted }
    }

    pub(super) async fn await_backend(&self, backend: &Backend) -> Result<(), Ended> {
        match backend {
            Backend::Upstream(id) => self.wait(id, Condition::Exists).await,
            Backend::Pods { service, selector, deployment, ours } => {
                if *ours {
                    self.wait(deployment, Condition::RolledOut(selector)).await?;
                }
                let endpoints = ObjectId { kind: "Endpoints".into(), ..service.clone() };
                self.wait(&endpoints, Condition::HasEndpoints(selector)).await
            }
        }
    }

    /// Waits until the youngest ready pod and the last change of an Upstream are as old as the settle
    /// time. They carry their times themselves, so a daemon that was restarted waits no less.
    pub(super) async fn await_known(
        &self,
        backends: &[Backend],
        upstreams: &[ObjectId],
    ) -> Result<(), Ended> {
        let mut youngest = None;
        for backend in backends {
            if let Backend::Pods { service, selector, .. } = backend {
                let namespace = service.namespace.as_deref();
                let pods = self.cluster.list("v1", "Pod", namespace, selector).await?;
                youngest =
                    youngest.max(pods.iter().filter_map(|(_, p)| health::ready_since(p)).max());
            }
        }
        for id in upstreams {
            let upstream = self.cluster.get(id).await?;
            youngest = youngest.max(upstream.as_ref().and_then(inventory::last_applied));
        }
        let Some(youngest) = youngest else { return Ok(()) };
        // Kubernetes cuts off the fraction of a second.
        let age = Timestamp::now().duration_since(youngest) - SignedDuration::from_secs(1);
        let age = Duration::try_from(age).unwrap_or_default();
        let rest = self.timing.settle.saturating_sub(age);
        if !rest.is_zero() {
            (self.progress)("every proxy is given time to learn of new pods and Upstreams");
        }
        self.pause(rest).await
    }

    /// Does nothing for a while, or until a newer revision comes.
    pub(super) async fn pause(&self, length: Duration) -> Result<(), Ended> {
        tokio::select! {
            () = self.superseded.cancelled() => Err(Ended::Superseded),
            () = sleep(length) => Ok(()),
        }
    }

    /// Follows the object until the condition holds, the deadline passes or a newer revision comes.
    pub(super) async fn wait(&self, id: &ObjectId, condition: Condition<'_>) -> Result<(), Ended> {
        self.wait_for(id, condition, self.timing.deadline).await
    }

    /// The same with a deadline of its own.
    pub(super) async fn wait_for(
        &self,
        id: &ObjectId,
        condition: Condition<'_>,
        patience: Duration,
    ) -> Result<(), Ended> {
        let deadline = Instant::now() + patience;
        let mut states = self.cluster.states(id).await?;
        let mut state = None;
        loop {
            let look_again = deadline.min(Instant::now() + RECHECK);
            tokio::select! {
                biased;
                () = self.superseded.cancelled() => return Err(Ended::Superseded),
                next = timeout_at(look_again, states.next()) => {
                    if let Ok(Some(newer)) = next {
                        state = Some(newer);
                    }
                }
            }
            let judged = match &state {
                Some(object) => self.judge(condition, object.as_ref()).await?,
                None => Health::Waiting("the API server has not shown it yet".into()),
            };
            match judged {
                Health::Ready => return Ok(()),
                Health::Failed(reason) => return Err(Ended::Stalled(format!("{id}: {reason}"))),
                Health::Waiting(reason) if Instant::now() >= deadline => {
                    let waited = patience.as_secs_f32();
                    let advice = self.advice(condition);
                    return Err(Ended::Stalled(format!(
                        "{id}: {reason} (waited {waited} s); {advice}"
                    )));
                }
                Health::Waiting(reason) => (self.progress)(&format!("{id}: {reason}")),
            }
        }
    }

    /// What a person does when a wait has ended without its condition.
    fn advice(&self, condition: Condition<'_>) -> String {
        let gloo = self.gloo_namespace;
        match condition {
            Condition::RolledOut(selector) => format!(
                "the routes stay as they were; look at the pods with `kubectl describe pods -l {selector}`, or push values that work"
            ),
            Condition::HasEndpoints(selector) => format!(
                "the routes stay as they were; are there ready pods with the labels {selector}, and does the Service select them?"
            ),
            Condition::Exists => "the routes stay as they were; create it, or name another".into(),
            Condition::Accepted | Condition::Served | Condition::Judged => {
                format!("does Gloo run in namespace {gloo}, and what does its log say?")
            }
        }
    }

    async fn judge(
        &self,
        condition: Condition<'_>,
        object: Option<&Value>,
    ) -> Result<Health, Ended> {
        let absent = || Health::Waiting("it does not exist".into());
        let verdict = || health::verdict(object?, self.gloo_namespace);
        Ok(match condition {
            Condition::RolledOut(selector) => {
                let health = object.map_or_else(absent, health::deployment);
                self.with_pod_trouble(health, object, selector).await?
            }
            Condition::HasEndpoints(selector) => {
                let pods = match object {
                    Some(endpoints) => self.pods(endpoints, selector).await?,
                    None => Vec::new(),
                };
                let ready = pods.iter().filter(|pod| health::pod_is_ready(pod));
                let names = ready.filter_map(|pod| pod.pointer("/metadata/name")?.as_str());
                health::endpoints(object, &names.map(str::to_owned).collect())
            }
            Condition::Exists => object.map_or_else(absent, |_| Health::Ready),
            Condition::Judged | Condition::Served | Condition::Accepted => match verdict() {
                None => Health::Waiting("Gloo has given no verdict on it yet".into()),
                Some(Verdict::Accepted) => Health::Ready,
                Some(_) if matches!(condition, Condition::Judged) => Health::Ready,
                Some(Verdict::Warning(_)) if matches!(condition, Condition::Served) => {
                    Health::Ready
                }
                Some(verdict) => {
                    let (word, reason) = words(&verdict);
                    Health::Waiting(format!("Gloo says {word}: {reason}"))
                }
            },
        })
    }

    /// Says which pod keeps a Deployment from being ready, and why.
    async fn with_pod_trouble(
        &self,
        health: Health,
        deployment: Option<&Value>,
        selector: &str,
    ) -> Result<Health, Ended> {
        let (Some(deployment), Health::Waiting(reason) | Health::Failed(reason)) =
            (deployment, &health)
        else {
            return Ok(health);
        };
        let pods = self.pods(deployment, selector).await?;
        let Some(trouble) = pods.iter().find_map(health::pod_trouble) else { return Ok(health) };
        let reason = format!("{reason}: {trouble}");
        Ok(if matches!(health, Health::Failed(_)) {
            Health::Failed(reason)
        } else {
            Health::Waiting(reason)
        })
    }

    /// The pods of this selector in the namespace of `beside`.
    async fn pods(&self, beside: &Value, selector: &str) -> Result<Vec<Value>, ClusterError> {
        let namespace = beside.pointer("/metadata/namespace").and_then(Value::as_str);
        let pods = self.cluster.list("v1", "Pod", namespace, selector).await?;
        Ok(pods.into_iter().map(|(_, pod)| pod).collect())
    }
}
