//! Gloo and the proxy. Gloo judges some time after a change, the proxy serves it some time after that,
//! and learns of endpoints by a way of their own; the times are those of gloo.md. What a set of
//! objects means is asked of the `gloo` crate.

use std::collections::BTreeMap;

use coalmine_core::labels::SERVICE;
use coalmine_core::object::ObjectId;
use gloo::{Memory, ObjectRef, Snapshot, State, Translation, translate};
use serde_json::{Value, json};

use super::GLOO_NAMESPACE;
use super::store::Change;
use crate::world::{Event, World};

/// Gloo and the proxy.
pub(crate) struct Gateway {
    gloo_memory: Memory,
    /// What Gloo has sent to the proxy, or is about to.
    sent: BTreeMap<ObjectId, Value>,
    /// What the proxy has received.
    view: Snapshot,
    proxy_memory: Memory,
    /// What the proxy serves.
    pub(crate) serving: Translation,
    /// When the last routes and endpoints on their way arrive: none overtakes another.
    arrivals: (i64, i64),
    disliked: Vec<Disliked>,
    /// All that it ever disliked, also what it changed its mind about.
    once_disliked: Vec<Disliked>,
    pub(crate) dislikes_next: BTreeMap<String, State>,
    pub(crate) slow_until: i64,
    pub(crate) down_until: i64,
    /// Whether the answers to the background load may be others now.
    pub(crate) is_to_be_asked: bool,
}

/// A spec that gets another verdict than it deserves.
#[derive(Clone)]
struct Disliked {
    id: ObjectId,
    spec: Value,
    state: State,
    since: i64,
}

impl Default for Gateway {
    fn default() -> Self {
        let view = Snapshot::new(GLOO_NAMESPACE);
        Self {
            gloo_memory: Memory::default(),
            sent: BTreeMap::new(),
            serving: translate(&view, &Memory::default()),
            view,
            proxy_memory: Memory::default(),
            arrivals: (0, 0),
            disliked: Vec::new(),
            once_disliked: Vec::new(),
            dislikes_next: BTreeMap::new(),
            slow_until: 0,
            down_until: 0,
            is_to_be_asked: false,
        }
    }
}

impl World {
    /// Tells Gloo of a change.
    pub(crate) fn tell_gloo(&mut self, id: &ObjectId, change: &Change) {
        let down = (self.gateway.down_until - self.now).max(0);
        match (id.kind.as_str(), change) {
            ("Pod", Change::Now(pod)) => drop(self.gateway.view.upsert(pod)),
            ("Endpoints", _) => {
                let lag = if down > 0 { down } else { self.random.i64(200..3_600) };
                let due = (self.now + lag).max(self.gateway.arrivals.1);
                self.gateway.arrivals.1 = due;
                let change = Event::Serve(id.clone(), now(change));
                self.plan(due - self.now, change);
            }
            (kind, _) if kind == "Service" || id.api_version.ends_with("solo.io/v1") => {
                let object = now(change);
                let is_known =
                    object.as_ref().map(what_counts) == self.gateway.sent.get(id).cloned();
                let waits = object.is_some_and(|object| state(&object) == "Pending");
                if is_known && !waits {
                    return;
                }
                let lag = match change {
                    Change::Gone(_) => self.random.i64(400..1_300),
                    Change::Now(_) if self.gateway.slow_until > self.now => {
                        self.random.i64(4_000..20_000)
                    }
                    Change::Now(_) => self.random.i64(400..1_900),
                };
                self.plan(down + lag, Event::Translate);
            }
            _ => {}
        }
    }

    /// Gloo translates what there is, writes its verdicts, and sends what is new to the proxy.
    pub(crate) fn translate(&mut self) {
        if self.gateway.down_until > self.now {
            return self.plan(self.gateway.down_until - self.now + 500, Event::Translate);
        }
        let objects = self.of_gloo();
        let mut snapshot = Snapshot::new(GLOO_NAMESPACE);
        for kind in ["Pod", "Endpoints"] {
            self.store.of_kind(kind).iter().for_each(|(_, object)| _ = snapshot.upsert(object));
        }
        objects.values().for_each(|object| _ = snapshot.upsert(object));
        let translation = translate(&snapshot, &self.gateway.gloo_memory);
        for (id, object) in &objects {
            let verdict = self.verdict(id, object, &translation);
            let known = &object["status"]["statuses"][GLOO_NAMESPACE];
            if let Some(verdict) = &verdict
                && (known["state"] != verdict["state"] || known["reason"] != verdict["reason"])
            {
                self.store.update(id, "gloo", self.now / 1000, |object| {
                    object["status"]["statuses"][GLOO_NAMESPACE] = verdict.clone();
                });
            }
            let is_sent = self.gateway.sent.get(id) == Some(&what_counts(object));
            if !is_sent && verdict.is_none_or(|verdict| verdict["state"] != "Rejected") {
                self.send(id, Some(object.clone()));
            }
        }
        for id in self.gateway.sent.keys().cloned().collect::<Vec<_>>() {
            if !objects.contains_key(&id) {
                self.send(&id, None);
            }
        }
        self.gateway.gloo_memory = translation.memory;
    }

    /// From now on, or as soon as Gloo is up, everything is judged as it deserves; what Gloo dislikes
    /// already only if it changes its mind.
    pub(crate) fn reconcile_gloo(&mut self, changes_its_mind: bool) {
        self.gateway.dislikes_next.clear();
        if changes_its_mind {
            self.gateway.disliked.clear();
        }
        self.plan(0, Event::Translate);
    }

    /// The routes that are there and that Gloo dislikes, and since when.
    pub(crate) fn disliked(&self) -> impl Iterator<Item = (&ObjectId, i64)> {
        let disliked = self.gateway.disliked.iter();
        let is_there =
            |it: &&Disliked| self.store.get(&it.id).is_some_and(|object| object["spec"] == it.spec);
        disliked.filter(is_there).map(|it| (&it.id, it.since))
    }

    /// Whether Gloo ever gave this content of an object this verdict without a cause.
    pub(crate) fn has_disliked(&self, id: &ObjectId, spec: &Value, state: State) -> bool {
        let mut disliked = self.gateway.once_disliked.iter();
        disliked.any(|of| of.id == *id && of.spec == *spec && of.state == state)
    }

    /// The objects that Gloo goes by, and what it makes of them.
    pub(crate) fn meaning(&self) -> (Snapshot, Translation) {
        let mut snapshot = Snapshot::new(GLOO_NAMESPACE);
        self.of_gloo().values().for_each(|object| _ = snapshot.upsert(object));
        let translation = translate(&snapshot, &self.gateway.gloo_memory);
        (snapshot, translation)
    }

    /// What the proxy has of an object, or is about to have.
    pub(crate) fn sent(&self, id: &ObjectId) -> Option<Value> {
        self.gateway.sent.get(id).map(|sent| json!({ "spec": sent[1] }))
    }

    fn of_gloo(&self) -> BTreeMap<ObjectId, Value> {
        let kinds = ["VirtualService", "RouteTable", "Upstream", "Gateway", "Settings", "Service"];
        kinds.iter().flat_map(|kind| self.store.of_kind(kind)).collect()
    }

    fn verdict(&mut self, id: &ObjectId, object: &Value, all: &Translation) -> Option<Value> {
        if matches!(id.kind.as_str(), "Service" | "Settings" | "Gateway") {
            return None;
        }
        let gateway = &mut self.gateway;
        let service = object["metadata"]["labels"][SERVICE].as_str().unwrap_or_default();
        let is_it = |of: &Disliked| of.id == *id && of.spec == object["spec"];
        if matches!(id.kind.as_str(), "RouteTable" | "VirtualService")
            && gateway.sent.get(id).is_none_or(|sent| sent[1] != object["spec"])
            && state(object) == "Pending"
        {
            let known = gateway.disliked.iter().position(is_it);
            let known = known.map(|place| gateway.disliked.remove(place).state);
            if let Some(state) = gateway.dislikes_next.remove(service).or(known) {
                let spec = object["spec"].clone();
                let disliked = Disliked { id: id.clone(), spec, state, since: self.now };
                gateway.once_disliked.push(disliked.clone());
                gateway.disliked.push(disliked);
                self.expect_rollback(id);
            }
        }
        if let Some(disliked) = self.gateway.disliked.iter().find(|of| is_it(of)) {
            return Some(json!({"state": disliked.state, "reason": "simulated dislike"}));
        }
        let namespace = id.namespace.as_deref().unwrap_or_default();
        let status = all.statuses.get(&ObjectRef::new(&id.kind, namespace, &id.name))?;
        let mut verdict = json!({"state": status.state, "reportedBy": "gloo"});
        if !status.reason.is_empty() {
            verdict["reason"] = json!(status.reason);
        }
        Some(verdict)
    }

    fn send(&mut self, id: &ObjectId, object: Option<Value>) {
        match &object {
            Some(object) => drop(self.gateway.sent.insert(id.clone(), what_counts(object))),
            None => drop(self.gateway.sent.remove(id)),
        }
        let is_route = matches!(id.kind.as_str(), "RouteTable" | "VirtualService");
        let lag = if is_route { 600..1_200 } else { 0..1_700 };
        let lag = self.random.i64(lag);
        let due = (self.now + lag).max(self.gateway.arrivals.0);
        self.gateway.arrivals.0 = due;
        self.plan(due - self.now, Event::Serve(id.clone(), object));
    }

    /// The proxy takes a change up.
    pub(crate) fn serve(&mut self, id: &ObjectId, object: Option<&Value>) {
        let gateway = &mut self.gateway;
        match object {
            Some(object) => drop(gateway.view.upsert(object)),
            None => {
                let namespace = id.namespace.as_deref().unwrap_or_default();
                gateway.view.remove(&id.kind, namespace, &id.name);
            }
        }
        gateway.serving = translate(&gateway.view, &gateway.proxy_memory);
        gateway.proxy_memory = gateway.serving.memory.clone();
        gateway.is_to_be_asked = true;
    }
}

fn now(change: &Change) -> Option<Value> {
    match change {
        Change::Now(object) => Some(object.clone()),
        Change::Gone(_) => None,
    }
}

/// What the proxy's configuration rests on.
fn what_counts(object: &Value) -> Value {
    json!([object["metadata"]["labels"], object["spec"]])
}

fn state(object: &Value) -> &str {
    object["status"]["statuses"][GLOO_NAMESPACE]["state"].as_str().unwrap_or_default()
}
