//! The controllers of Kubernetes and the kubelets: pods come, become ready, die and go, and Endpoints
//! follow them.

use std::collections::BTreeMap;

use coalmine_core::object::ObjectId;
use serde_json::{Value, json};

use super::id;
use super::store::Change;
use crate::world::{Event, World};

/// How long a pod that goes still answers where others of its version stay: longer than the Endpoints
/// controller and Gloo take to follow, however slow they are.
const LINGERS: i64 = 40_000;
/// How long the last pods of a version still answer: the default of `drain`.
const DRAINS: i64 = 7_000;

/// What becomes of the pods of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fate {
    /// They are ready after some seconds.
    #[default]
    Ready,
    /// They are ready after a long while.
    Late,
    /// They end as soon as they have begun.
    Crashes,
    /// They run and are never ready.
    Never,
}

/// One pod.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) namespace: String,
    /// The label `app`.
    pub(crate) app: String,
    /// The label `version`.
    pub(crate) version: String,
    /// The Deployment it belongs to, and its uid; others' pods have none.
    owner: Option<(ObjectId, String)>,
    ip: String,
    /// Whether it answers requests.
    pub(crate) answers: bool,
    /// Whether the kubelet says that it is ready.
    pub(crate) ready: bool,
    pub(crate) terminating: bool,
    /// Whether others of its version stay.
    lingers: bool,
    /// When it stopped answering by itself; not when it was taken away.
    pub(crate) died: Option<i64>,
    started: bool,
    restarts: u32,
}

impl Pod {
    /// Whether a Deployment made it.
    pub(crate) fn is_owned(&self) -> bool {
        self.owner.is_some()
    }
}

/// All pods by name, and what becomes of them.
#[derive(Default)]
pub(crate) struct Pods {
    pub(crate) all: BTreeMap<String, Pod>,
    pub(crate) fates: BTreeMap<(String, String), Fate>,
    count: u32,
    /// Until when the Endpoints controller lags far behind.
    pub(crate) endpoints_slow_until: i64,
}

impl World {
    /// Tells the controllers of a change.
    pub(crate) fn tell_controllers(&mut self, id: &ObjectId, change: &Change) {
        match id.kind.as_str() {
            "Deployment" => {
                let lag = self.random.i64(20..400);
                self.plan(lag, Event::Deployment(id.clone()));
            }
            "Service" => self.plan_endpoints(id.namespace.as_deref().unwrap_or_default(), &id.name),
            _ => {}
        }
        if let Change::Now(object) = change
            && object["metadata"]["deletionTimestamp"].is_string()
            && id.kind != "Pod"
        {
            let lag = self.random.i64(100..4_000);
            self.plan(lag, Event::LetGo(id.clone()));
        }
    }

    /// The Deployment controller.
    pub(crate) fn deployment(&mut self, id: &ObjectId) {
        let live = self.store.get(id).filter(|o| o["metadata"]["deletionTimestamp"].is_null());
        let uid = live.as_ref().and_then(|o| o["metadata"]["uid"].as_str()).unwrap_or_default();
        let owned = self.pods.all.iter().filter(|(_, pod)| !pod.terminating);
        let owned: Vec<(String, String)> = owned
            .filter_map(|(name, pod)| {
                let (owner, uid) = pod.owner.as_ref()?;
                (owner == id).then(|| (name.clone(), uid.clone()))
            })
            .collect();
        let (mine, orphans): (Vec<_>, Vec<_>) = owned.into_iter().partition(|(_, of)| of == uid);
        for (name, _) in orphans {
            self.terminate(&name, false);
        }
        let Some(live) = live else { return };
        let wanted = live["spec"]["replicas"].as_u64().unwrap_or(1) as usize;
        for _ in mine.len()..wanted {
            self.start_pod(id, &live);
        }
        // Those that are not ready go first.
        let mut mine: Vec<String> = mine.into_iter().map(|(name, _)| name).collect();
        mine.sort_by_key(|name| self.pods.all[name].ready);
        let too_many = mine.len().saturating_sub(wanted);
        for name in &mine[..too_many] {
            self.terminate(name, wanted > 0);
        }
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default();
        let is_mine =
            |pod: &&Pod| pod.owner.as_ref().is_some_and(|(_, of)| of == uid) && !pod.terminating;
        let mine = self.pods.all.values().filter(is_mine);
        let (all, ready) = (mine.clone().count(), mine.filter(|pod| pod.ready).count());
        let status = json!({"observedGeneration": live["metadata"]["generation"], "replicas": all,
            "updatedReplicas": all, "availableReplicas": ready});
        self.store.update(id, "kube-controller-manager", self.now / 1000, |o| o["status"] = status);
    }

    fn start_pod(&mut self, deployment: &ObjectId, live: &Value) {
        let labels = &live["spec"]["template"]["metadata"]["labels"];
        let owner =
            (deployment.clone(), live["metadata"]["uid"].as_str().unwrap_or_default().into());
        let name =
            self.add_pod(deployment.namespace.as_deref().unwrap_or_default(), labels, Some(owner));
        let lag = self.random.i64(200..3_000);
        self.plan(lag, Event::PodStarts(name));
    }

    /// A pod that somebody else runs; it is ready at once.
    pub(crate) fn add_pod_of_another_owner(&mut self, namespace: &str, labels: &Value) {
        let name = self.add_pod(namespace, labels, None);
        self.set_ready(&name, true);
    }

    fn add_pod(
        &mut self,
        namespace: &str,
        labels: &Value,
        owner: Option<(ObjectId, String)>,
    ) -> String {
        self.pods.count += 1;
        let number = self.pods.count;
        let text = |label: &str| labels[label].as_str().unwrap_or_default().to_owned();
        let (app, version) = (text("app"), text("version"));
        let name = format!("{app}-{version}-{number}");
        let ip = format!("10.0.{}.{}", number / 250, number % 250 + 1);
        let references = match &owner {
            Some((deployment, uid)) => {
                json!([{"kind": "Deployment", "name": deployment.name, "uid": uid}])
            }
            None => Value::Null,
        };
        self.store.update(&id("Pod", namespace, &name), "kubelet", self.now / 1000, |object| {
            object["metadata"]["labels"] = labels.clone();
            if !references.is_null() {
                object["metadata"]["ownerReferences"] = references;
            }
            object["status"] = json!({"podIP": ip});
        });
        let pod = Pod {
            namespace: namespace.into(),
            app,
            version,
            owner,
            ip,
            answers: false,
            ready: false,
            terminating: false,
            lingers: false,
            died: None,
            started: false,
            restarts: 0,
        };
        self.pods.all.insert(name.clone(), pod);
        name
    }

    /// A container has been started, and does what is its fate.
    pub(crate) fn pod_starts(&mut self, name: &str) {
        let Some(pod) = self.pods.all.get_mut(name).filter(|pod| !pod.terminating) else { return };
        let fate = self.pods.fates.get(&(pod.app.clone(), pod.version.clone()));
        let is_first = !std::mem::replace(&mut pod.started, true);
        match fate.copied().unwrap_or_default() {
            Fate::Late if is_first => self.plan(20_000, Event::PodStarts(name.into())),
            Fate::Ready | Fate::Late => self.set_ready(name, true),
            Fate::Crashes => {
                let id = id("Pod", &pod.namespace, name);
                pod.restarts += 1;
                let restarts = pod.restarts;
                self.store.update(&id, "kubelet", self.now / 1000, |object| {
                    object["status"]["containerStatuses"] = json!([{"restartCount": restarts,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 1}}}]);
                });
                self.plan(2_000 << restarts.min(6), Event::PodStarts(name.into()));
            }
            Fate::Never => self.plan(4_000, Event::PodStarts(name.into())),
        }
    }

    /// The kubelet says whether the pod is ready.
    pub(crate) fn set_ready(&mut self, name: &str, ready: bool) {
        let Some(pod) = self.pods.all.get_mut(name).filter(|pod| !pod.terminating) else { return };
        (pod.ready, pod.answers) = (ready, ready);
        if ready && pod.died.take().is_some() {
            self.rules.trouble(&pod.app, self.now);
        }
        let (namespace, app) = (pod.namespace.clone(), pod.app.clone());
        let owner = pod.owner.as_ref().map(|(id, _)| id.clone());
        let time = jiff::Timestamp::from_second(self.now / 1000).expect("within the calendar");
        let condition = json!([{"type": "Ready", "status": if ready { "True" } else { "False" },
            "lastTransitionTime": time.to_string()}]);
        self.store.update(&id("Pod", &namespace, name), "kubelet", self.now / 1000, |object| {
            object["status"]["conditions"] = condition;
            if ready {
                object["status"].as_object_mut().map(|status| status.remove("containerStatuses"));
            }
        });
        self.plan_endpoints(&namespace, &app);
        if let Some(owner) = owner {
            let lag = self.random.i64(20..400);
            self.plan(lag, Event::Deployment(owner));
        }
        self.gateway.is_to_be_asked = true;
    }

    /// A pod of this version dies by itself and is started again.
    pub(crate) fn kill(&mut self, app: &str, version: &str) {
        let mut pods = self.pods.all.iter_mut();
        let Some((name, pod)) = pods.find(|(_, pod)| {
            pod.app == app && pod.version == version && pod.answers && !pod.terminating
        }) else {
            return;
        };
        (pod.answers, pod.died) = (false, Some(self.now));
        let name = name.clone();
        self.rules.trouble(app, self.now);
        let noticed = self.random.i64(0..1_500);
        self.plan(noticed, Event::NotReady(name.clone()));
        self.plan(noticed + 1_000, Event::PodStarts(name));
    }

    /// Takes a pod away. One of several goes on answering for a while, as docs/rollouts.md asks for.
    fn terminate(&mut self, name: &str, lingers: bool) {
        let Some(pod) = self.pods.all.get_mut(name) else { return };
        (pod.terminating, pod.ready) = (true, false);
        pod.lingers = lingers;
        let (namespace, app) = (pod.namespace.clone(), pod.app.clone());
        let time = jiff::Timestamp::from_second(self.now / 1000).expect("within the calendar");
        self.store.update(&id("Pod", &namespace, name), "kubelet", self.now / 1000, |object| {
            object["metadata"]["deletionTimestamp"] = json!(time.to_string());
        });
        self.plan_endpoints(&namespace, &app);
        self.plan(if lingers { LINGERS } else { DRAINS }, Event::PodGone(name.into()));
        self.gateway.is_to_be_asked = true;
    }

    /// The last of a pod.
    pub(crate) fn pod_gone(&mut self, name: &str) {
        let unheard = self.gateway.down_until + LINGERS - self.now;
        if unheard > 0 && self.pods.all.get(name).is_some_and(|pod| pod.answers && pod.lingers) {
            return self.plan(unheard, Event::PodGone(name.into()));
        }
        if let Some(pod) = self.pods.all.remove(name) {
            self.store.remove(&id("Pod", &pod.namespace, name));
            self.gateway.is_to_be_asked = true;
        }
    }

    fn plan_endpoints(&mut self, namespace: &str, name: &str) {
        let slow = self.pods.endpoints_slow_until - self.now;
        let lag = self.random.i64(20..800).max(slow);
        self.plan(lag, Event::Endpoints(namespace.into(), name.into()));
    }

    /// The Endpoints controller.
    pub(crate) fn endpoints(&mut self, namespace: &str, name: &str) {
        let endpoints = id("Endpoints", namespace, name);
        let Some(service) = self.store.get(&id("Service", namespace, name)) else {
            self.store.remove(&endpoints);
            return;
        };
        let selected = self.pods.all.iter().filter(|(_, pod)| {
            pod.namespace == namespace && service["spec"]["selector"]["app"] == pod.app && pod.ready
        });
        let addresses: Vec<Value> = selected
            .map(|(name, pod)| {
                json!({"ip": pod.ip,
                    "targetRef": {"kind": "Pod", "namespace": namespace, "name": name}})
            })
            .collect();
        let subsets = match addresses.is_empty() {
            true => json!([]),
            false => json!([{"addresses": addresses, "ports": [{"port": 8080}]}]),
        };
        self.store.update(&endpoints, "kube-controller-manager", self.now / 1000, |object| {
            object["metadata"]["labels"] = service["metadata"]["labels"].clone();
            object["subsets"] = subsets;
        });
    }
}
