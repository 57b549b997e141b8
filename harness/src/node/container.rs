//! The life of one container: started, probed, started again when it ends, stopped in order.

use std::time::Duration;
use std::{net::Ipv4Addr, os::unix::process::ExitStatusExt as _, process::ExitStatus, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::{sync::watch, time};

use super::{
    options::NodeOptions,
    probe::Probe,
    spec::{self, Refusal},
};
use crate::process::{Process, Program};

/// What a kubelet leaves a container after its `preStop` hook, however little of the grace period
/// is left.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Where a container stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) now: Now,
    /// How it ended the last time.
    pub(super) last: Option<Ended>,
    pub(super) restarts: i32,
    pub(super) ready: bool,
}

/// The three states of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Now {
    Waiting { reason: &'static str, message: String },
    Running { since: Timestamp },
    Terminated(Ended),
}

/// One end of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) signal: Option<i32>,
    pub(super) reason: &'static str,
    pub(super) message: Option<String>,
    pub(super) started: Timestamp,
    pub(super) finished: Timestamp,
}

impl Default for State {
    fn default() -> Self {
        let now = Now::Waiting { reason: "ContainerCreating", message: String::new() };
        Self { now, last: None, restarts: 0, ready: false }
    }
}

/// One container of a pod and the ways in which it hears and is heard.
pub(super) struct Life {
    pub(super) options: Arc<NodeOptions>,
    pub(super) pod: Pod,
    pub(super) container: Container,
    pub(super) address: Ipv4Addr,
    /// How long the container may take to end, once it has to.
    pub(super) stop: watch::Receiver<Option<Duration>>,
    /// Takes every change of the state.
    pub(super) states: watch::Sender<Vec<State>>,
    /// The container's place in `states`.
    pub(super) index: usize,
}

struct Plan {
    program: Program,
    startup: Option<Probe>,
    readiness: Option<Probe>,
    liveness: Option<Probe>,
}

impl Life {
    /// Runs until the container is stopped or has ended for good.
    pub(super) async fn run(mut self) {
        let plan = match self.plan() {
            Ok(plan) => plan,
            Err(refusal) => return self.refused(refusal).await,
        };
        let mut back_off = None;
        loop {
            let ended = self.once(&plan).await;
            let ran = ended.finished.duration_since(ended.started).unsigned_abs();
            self.report(|state| {
                state.now = Now::Terminated(ended.clone());
                state.ready = false;
            });
            if self.stop.borrow().is_some() || !self.again(ended.code) {
                return;
            }
            // As a kubelet: the first restart comes at once, the later ones wait.
            if self.states.borrow()[self.index].restarts > 0 {
                let wait = self.options.back_off.next(back_off, ran);
                back_off = Some(wait);
                let message =
                    format!("back-off {}s restarting failed container", wait.as_secs_f32());
                self.report(|state| {
                    state.now = Now::Waiting { reason: "CrashLoopBackOff", message };
                    state.last = Some(ended.clone());
                });
                if self.stopped_within(wait).await {
                    return self.report(|state| state.now = Now::Terminated(ended));
                }
            }
            self.report(|state| {
                state.last = Some(ended);
                state.restarts += 1;
            });
        }
    }

    fn plan(&self) -> Result<Plan, Refusal> {
        let probe = |probe: &Option<k8s_openapi::api::core::v1::Probe>| {
            probe.as_ref().map(|p| Probe::new(p, &self.container, self.address)).transpose()
        };
        Ok(Plan {
            program: spec::program(&self.options, &self.pod, &self.container, self.address)?,
            startup: probe(&self.container.startup_probe)?,
            readiness: probe(&self.container.readiness_probe)?,
            liveness: probe(&self.container.liveness_probe)?,
        })
    }

    /// A container that cannot be started waits, as one whose image cannot be pulled, until
    /// somebody changes or deletes the pod.
    async fn refused(mut self, refusal: Refusal) {
        let Refusal { reason, message } = refusal;
        let again = message.clone();
        self.report(|state| state.now = Now::Waiting { reason, message });
        if reason == "ErrImagePull" && !self.stopped_within(self.options.back_off.first).await {
            let message = format!("back-off pulling image: {again}");
            self.report(|state| state.now = Now::Waiting { reason: "ImagePullBackOff", message });
        }
        // The sender's end is the pod's end.
        drop(self.stop.wait_for(Option::is_some).await);
    }

    /// One run, from start to end.
    async fn once(&mut self, plan: &Plan) -> Ended {
        let started = Timestamp::now();
        let process = match Process::start(&plan.program) {
            Ok(process) => process,
            Err(error) => {
                return Ended {
                    code: 128,
                    signal: None,
                    reason: "StartError",
                    message: Some(format!("{error:#}")),
                    started,
                    finished: Timestamp::now(),
                };
            }
        };
        self.report(|state| {
            state.now = Now::Running { since: started };
            state.ready = plan.startup.is_none() && plan.readiness.is_none();
        });
        let mut stop = self.stop.clone();
        let grace = tokio::select! {
            _ = process.ended() => None,
            grace = stop.wait_for(Option::is_some) => Some(grace.ok().and_then(|grace| *grace)),
            () = self.probe(plan) => Some(Some(self.grace())),
        };
        match grace {
            None => {}
            Some(Some(grace)) => self.end(&process, grace).await,
            // Nobody is left to stop us in order: the node itself is going.
            Some(None) => process.stop(Duration::ZERO).await,
        }
        ended(process.ended().await, started)
    }

    /// Keeps the readiness up to date; returns when the container has to be started again.
    async fn probe(&self, plan: &Plan) {
        if let Some(startup) = &plan.startup {
            startup.begin().await;
            tokio::select! {
                () = startup.until(true) => {}
                () = startup.until(false) => return,
            }
        }
        let ready = |ready| self.report(|state| state.ready = ready);
        let readiness = async {
            let Some(probe) = &plan.readiness else {
                ready(true);
                return std::future::pending().await;
            };
            probe.begin().await;
            loop {
                for wanted in [true, false] {
                    probe.until(wanted).await;
                    ready(wanted);
                    probe.pause().await;
                }
            }
        };
        let liveness = async {
            let Some(probe) = &plan.liveness else { return std::future::pending().await };
            probe.begin().await;
            probe.until(false).await;
        };
        tokio::select! {
            () = readiness => {}
            () = liveness => {}
        }
    }

    /// Lets a `preStop` sleep pass, asks the process to end and waits for it. The sleep is part of
    /// the grace period; as with a kubelet, at least [`LAST_WORD`] is left after it.
    async fn end(&self, process: &Process, grace: Duration) {
        let sleep = spec::drain(&self.container).min(grace);
        // Either end of the wait is fine.
        drop(time::timeout(sleep, process.ended()).await);
        let left = grace - sleep;
        process.stop(if sleep.is_zero() { left } else { left.max(LAST_WORD) }).await;
    }

    fn grace(&self) -> Duration {
        let spec = self.pod.spec.as_ref();
        spec::seconds(spec.and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(30))
    }

    fn again(&self, code: i32) -> bool {
        let spec = self.pod.spec.as_ref();
        match spec.and_then(|spec| spec.restart_policy.as_deref()) {
            Some("Never") => false,
            Some("OnFailure") => code != 0,
            _ => true,
        }
    }

    /// Whether the order to stop came before `wait` was over.
    async fn stopped_within(&mut self, wait: Duration) -> bool {
        time::timeout(wait, self.stop.wait_for(Option::is_some)).await.is_ok()
    }

    fn report(&self, change: impl FnOnce(&mut State)) {
        self.states.send_modify(|states| change(&mut states[self.index]));
    }
}

fn ended(status: Option<ExitStatus>, started: Timestamp) -> Ended {
    let signal = status.and_then(|status| status.signal());
    let code = status.and_then(|status| status.code()).or(signal.map(|signal| 128 + signal));
    let code = code.unwrap_or(255);
    let reason = if code == 0 { "Completed" } else { "Error" };
    Ended { code, signal, reason, message: None, started, finished: Timestamp::now() }
}
