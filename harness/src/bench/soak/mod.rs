//! A daemon that reconciles for a long time, and whether what it holds stays as it is.
//!
//! What makes it reconcile is touched from outside. Each service has a pod that nobody runs, with the daemon's labels:
//! it becomes ready or not, which has the service looked at once and nothing written. Among a hundred touches there is
//! an edit of a RouteTable, which is repaired. Reconciles are counted by the daemon's own metric, and so are its tasks;
//! everything else is from `/proc`.

mod flat;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde::Serialize;
use serde_json::json;

use super::observer::Id;
use super::usage::Usage;
use crate::status::StatusClient;
pub use flat::Level;
use flat::Margin;

/// Of memory, in MiB.
const MEMORY: Margin = Margin { absolute: 3.0, relative: 0.05 };
/// Of everything that is counted.
const COUNT: Margin = Margin { absolute: 5.0, relative: 0.05 };
/// One touch among so many is an edit.
const EDITED: u64 = 100;
/// Touches at the same time.
const AT_ONCE: usize = 16;
/// The fewest touches a second.
const SLOWEST: f64 = 100.0;
/// The part of the time in which all is to be done, so that a machine that is busy for a while does it still.
const HASTE: f64 = 0.8;
/// Who touches.
const SOMEBODY: &str = "kubectl-edit";

/// How long it goes on.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// So many reconciles.
    pub reconciles: u64,
    /// The longest time for them.
    pub at_most: Duration,
}

/// The daemon that is measured, and what it looks after.
#[derive(Clone)]
pub struct Subject {
    usage: Usage,
    status: StatusClient,
    client: Client,
    services: Vec<Touched>,
}

/// One service of the daemon's.
#[derive(Clone, Debug)]
struct Touched {
    namespace: String,
    name: String,
}

/// What a run has shown.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Soaked {
    /// By the daemon's metric.
    pub reconciles: u64,
    /// How many there were to be.
    pub wanted: u64,
    /// How long they took.
    pub seconds: f64,
    /// Pods that became ready or not.
    pub touches: u64,
    /// RouteTables that were edited.
    pub edits: u64,
    /// How often was measured.
    pub measurements: usize,
    /// Where everything that is held stood. `memory` is in MiB: pages of the process that are no file's.
    pub levels: BTreeMap<&'static str, Level>,
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
struct Held {
    reconciles: u64,
    memory: f64,
    descriptors: f64,
    sockets: f64,
    threads: f64,
    tasks: f64,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("usage", &self.usage).finish_non_exhaustive()
    }
}

impl Soaked {
    /// Whether nothing has grown, and there were as many reconciles as there were to be.
    ///
    /// # Errors
    /// Names what has grown, or says how many there were.
    pub fn check(&self) -> Result<()> {
        let grown = self.levels.iter().filter(|(_, level)| !level.is_flat());
        let grown: Vec<String> = grown
            .map(|(what, Level { first, last, bound })| {
                format!("{what}: {first:.1} at first, {last:.1} in the end, more than {bound:.1}")
            })
            .collect();
        let Self { reconciles, wanted, seconds, .. } = self;
        ensure!(grown.is_empty(), "after {reconciles} reconciles {}", grown.join("; "));
        ensure!(
            reconciles >= wanted,
            "{reconciles} of {wanted} reconciles in {seconds:.0} s: the machine is too slow or too busy; ask for fewer, \
             or give them longer"
        );
        Ok(())
    }
}

impl Subject {
    /// The daemon in this process, whose status is here, with services by namespace and name. `client` may write what
    /// is touched.
    ///
    /// # Errors
    /// The process is gone, or a pod cannot be made.
    pub async fn new(
        process: u32,
        status: StatusClient,
        client: Client,
        services: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        let services = services.into_iter().map(|(namespace, name)| Touched { namespace, name });
        let subject =
            Self { usage: Usage::of(process)?, status, client, services: services.collect() };
        ensure!(!subject.services.is_empty(), "there is no service to touch");
        for service in &subject.services {
            service.furnish(&subject.client).await?;
        }
        Ok(subject)
    }

    /// Touches services until the daemon has reconciled so often, or the time is over; `beside` is called every second
    /// meanwhile.
    ///
    /// # Errors
    /// The daemon ends, what is touched cannot be, or the time is too short to say anything.
    pub async fn soak(
        &self,
        settings: Settings,
        mut beside: impl AsyncFnMut() -> Result<()>,
    ) -> Result<Soaked> {
        let Settings { reconciles, at_most } = settings;
        let rate = (reconciles as f64 / at_most.as_secs_f64() / HASTE).max(SLOWEST);
        let begun = Instant::now();
        let before = self.held().await?.reconciles;
        let mut held = Vec::new();
        let mut touched = 0;
        while begun.elapsed() < at_most {
            let due = (begun.elapsed().as_secs_f64() * rate) as u64;
            // What was missed in a busy moment is not made up for all at once.
            let next = touched.max(due.saturating_sub(rate as u64))..due;
            let touches = stream::iter(next).map(|number| self.touch(number));
            let mut touches = touches.buffer_unordered(AT_ONCE);
            while let Some(done) = touches.next().await {
                done?;
                touched += 1;
            }
            touched = touched.max(due);
            beside().await?;
            let now = self.held().await?;
            held.push(now);
            if now.reconciles - before >= reconciles {
                break;
            }
            let second = Duration::from_secs(held.len() as u64);
            tokio::time::sleep(second.saturating_sub(begun.elapsed())).await;
        }
        let done = held.last().map_or(0, |last| last.reconciles - before);
        let edits = touched / EDITED;
        Ok(Soaked {
            reconciles: done,
            wanted: reconciles,
            seconds: begun.elapsed().as_secs_f64(),
            touches: touched - edits,
            edits,
            measurements: held.len(),
            levels: levels(&held)?,
        })
    }

    async fn touch(&self, number: u64) -> Result<()> {
        let count = self.services.len() as u64;
        let service = &self.services[(number % count) as usize];
        // Every service is edited in turn, and its pod changes from round to round.
        match number % EDITED {
            0 => self.services[(number / EDITED % count) as usize].edit(&self.client).await,
            _ => service.turn(&self.client, (number / count).is_multiple_of(2)).await,
        }
    }

    async fn held(&self) -> Result<Held> {
        let metrics = self.status.text("/metrics").await?;
        let held = self.usage.held()?;
        let sum =
            |name: &str| sum(&metrics, name).with_context(|| format!("no {name} in /metrics"));
        Ok(Held {
            reconciles: sum("coalmine_service_reconcile_duration_seconds_count")? as u64,
            memory: held.anonymous as f64 / 1024.0,
            descriptors: held.descriptors as f64,
            sockets: held.sockets as f64,
            threads: held.threads as f64,
            tasks: sum("coalmine_tasks")?,
        })
    }
}

impl Touched {
    fn pod(&self) -> String {
        format!("soak-{}", self.name)
    }

    /// Makes the pod that is touched. No scheduler has its name, so that it stays as it is.
    async fn furnish(&self, client: &Client) -> Result<()> {
        let labels = json!({"coalmine.dev/instance": "default", "coalmine.dev/service": self.name});
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": self.pod(), "labels": labels},
            "spec": {"schedulerName": "nobody", "containers": [{"name": "nothing", "image": "nothing"}]}});
        let api: Api<Pod> = Api::namespaced(client.clone(), &self.namespace);
        let made = api.create(&PostParams::default(), &serde_json::from_value(pod)?).await;
        made.with_context(|| format!("cannot make Pod {}/{}", self.namespace, self.pod())).map(drop)
    }

    /// Has the pod become ready, or not.
    async fn turn(&self, client: &Client, ready: bool) -> Result<()> {
        let status = if ready { "True" } else { "False" };
        let condition = json!({"type": "Ready", "status": status,
            "lastTransitionTime": jiff::Timestamp::now().strftime("%FT%TZ").to_string()});
        let patch = json!({"status": {"conditions": [condition]}});
        let api: Api<Pod> = Api::namespaced(client.clone(), &self.namespace);
        let turned =
            api.patch_status(&self.pod(), &PatchParams::default(), &Patch::Merge(patch)).await;
        turned
            .with_context(|| format!("cannot touch Pod {}/{}", self.namespace, self.pod()))
            .map(drop)
    }

    /// Edits the routes, as somebody does who should not.
    async fn edit(&self, client: &Client) -> Result<()> {
        let name = format!("{}-routes", self.name);
        let patch = serde_json::from_value(json!([{"op": "replace",
            "path": "/spec/routes/0/matchers/0/prefix", "value": "/elsewhere"}]))?;
        let parameters = PatchParams { field_manager: Some(SOMEBODY.into()), ..Default::default() };
        let table = Id::new("RouteTable", &self.namespace, &name);
        let edited = table.api(client)?.patch(&name, &parameters, &Patch::<()>::Json(patch)).await;
        edited
            .with_context(|| format!("cannot edit RouteTable {}/{name}", self.namespace))
            .map(drop)
    }
}

/// The sum of all samples of a metric; `None` without one.
fn sum(metrics: &str, name: &str) -> Option<f64> {
    let samples = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.strip_prefix('{') {
            Some(labelled) => labelled.rsplit_once("} ")?.1,
            None => rest.strip_prefix(' ')?,
        };
        value.parse::<f64>().ok()
    });
    let samples: Vec<f64> = samples.collect();
    (!samples.is_empty()).then(|| samples.iter().sum())
}

fn levels(held: &[Held]) -> Result<BTreeMap<&'static str, Level>> {
    type Of = fn(&Held) -> f64;
    let measures: [(&str, Of, Margin); 5] = [
        ("memory", |held| held.memory, MEMORY),
        ("file descriptors", |held| held.descriptors, COUNT),
        ("sockets", |held| held.sockets, COUNT),
        ("threads", |held| held.threads, COUNT),
        ("tasks", |held| held.tasks, COUNT),
    ];
    let level = |(what, of, margin): (&'static str, Of, Margin)| {
        let measured: Vec<f64> = held.iter().map(of).collect();
        let level = Level::of(&measured, margin);
        Ok((what, level.with_context(|| format!("{} measurements are too few", held.len()))?))
    };
    measures.into_iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_of_a_metric_are_added_and_those_of_others_are_not() {
        let text = "# TYPE a counter\na_count{service=\"x\"} 3\na_count{service=\"} y\"} 4\n\
                    a_counts{service=\"x\"} 9\nb 5\n# EOF\n";
        assert_eq!(sum(text, "a_count"), Some(7.0));
        assert_eq!(sum(text, "b"), Some(5.0));
        assert_eq!(sum(text, "c"), None);
    }

    #[test]
    fn what_has_grown_is_named() {
        let held = |n: u64, descriptors: f64| Held {
            reconciles: n,
            memory: 40.0,
            descriptors,
            sockets: 10.0,
            threads: 4.0,
            tasks: 50.0,
        };
        let soaked = |leak: f64| {
            let held: Vec<Held> = (0..100).map(|n| held(n, 30.0 + n as f64 * leak)).collect();
            Soaked { reconciles: 100, levels: levels(&held).unwrap(), ..Soaked::default() }.check()
        };
        assert!(soaked(0.0).is_ok());
        let wrong = soaked(1.0).expect_err("grown").to_string();
        assert!(wrong.contains("file descriptors: ") && !wrong.contains("tasks"), "{wrong}");
    }
}
