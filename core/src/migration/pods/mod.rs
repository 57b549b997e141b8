//! The pods that requests are answered by in both models: some of each version that the objects tell apart.

mod labels;

use std::collections::BTreeSet;

use gloo::ObjectRef;
use serde_json::{Value, json};

use super::backends::{Labels, selector, upstreams};
use super::source::Sources;
use labels::{keys, subsets, templates};

/// The port of the Gateway that the model is asked at.
pub(super) const PORT: u16 = 80;
/// The port of a pod whose Service names it.
const NAMED_PORT: u16 = 8080;

/// Pods in groups: those of a group have the same labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Pods {
    groups: Vec<Group>,
}

/// Pods with the same labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    namespace: String,
    /// The Service and what tells the pods apart, for example `Service echo/echo version=v1`.
    pub(super) name: String,
    labels: Labels,
    /// They carry more than what the Service asks for.
    is_version: bool,
    count: usize,
}

/// One pod.
struct Pod<'a> {
    group: &'a Group,
    name: String,
    address: String,
}

impl Pods {
    /// Pods for every set of labels that routes, Upstreams and what runs pods tell apart.
    pub(super) fn of(sources: &Sources) -> Self {
        let mut pods = Self::default();
        let keys = keys(sources);
        let templates = templates(sources, &keys);
        let subsets = subsets(sources);
        for upstream in upstreams(sources).into_values() {
            let Some(service) = sources.get(&upstream.service) else { continue };
            let of_service = selector(&service.value);
            let mut labels = of_service.clone();
            labels.extend(upstream.selector.clone());
            let at = (&upstream.service, &of_service);
            let is_behind = |(namespace, own): &&(String, Labels)| {
                *namespace == upstream.service.namespace
                    && of_service.iter().all(|(key, value)| own.get(key) == Some(value))
            };
            let known: Vec<Labels> =
                templates.iter().filter(is_behind).map(|(_, own)| own.clone()).collect();
            if known.is_empty() {
                pods.add(at, of_service.clone());
                pods.add(at, labels.clone());
            }
            known.into_iter().for_each(|own| pods.add(at, own));
            let named = subsets.get(&upstream.source.reference()).into_iter().flatten();
            for subset in named.filter(|labels| !labels.is_empty()) {
                let mut labels = labels.clone();
                labels.extend(subset.clone());
                pods.add(at, labels);
            }
        }
        for (index, group) in pods.groups.iter_mut().enumerate() {
            group.count = index % 2 + 1;
        }
        pods
    }

    fn add(&mut self, (service, of_service): (&ObjectRef, &Labels), labels: Labels) {
        let namespace = &service.namespace;
        let known = |it: &Group| it.namespace == *namespace && it.labels == labels;
        if self.groups.iter().any(known) {
            return;
        }
        let own = labels.iter().filter(|(key, value)| of_service.get(*key) != Some(value));
        let own: Vec<String> = own.map(|(key, value)| format!("{key}={value}")).collect();
        let is_version = !own.is_empty();
        let name = [vec![service.to_string()], own].concat().join(" ");
        let namespace = namespace.clone();
        self.groups.push(Group { namespace, name, labels, is_version, count: 1 });
    }

    /// The groups that routes tell apart by labels of their own, with their numbers.
    pub(super) fn versions(&self) -> impl Iterator<Item = (usize, &Group)> {
        self.groups.iter().enumerate().filter(|(_, group)| group.is_version)
    }

    /// The values of a label that pods of a Service carry, each once; `None` for those without it.
    pub(super) fn values_of(&self, service: &Value, key: &str) -> BTreeSet<Option<String>> {
        let (wanted, namespace) = (selector(service), &service["metadata"]["namespace"]);
        let behind = self.groups.iter().filter(|group| {
            *namespace == group.namespace.as_str()
                && wanted.iter().all(|(key, value)| group.labels.get(key) == Some(value))
        });
        behind.map(|group| group.labels.get(key).cloned()).collect()
    }

    /// The number of the group of a pod, by `namespace/name` of the pod.
    pub(super) fn index_of(&self, pod: &str) -> Option<usize> {
        let (namespace, name) = pod.split_once('/')?;
        let number = name.strip_prefix("pod-")?.split('-').next()?.parse().ok()?;
        let group: &Group = self.groups.get(number)?;
        (group.namespace == namespace).then_some(number)
    }

    /// The name of the group of a pod, by `namespace/name` of the pod.
    pub(super) fn group_of(&self, pod: &str) -> Option<&str> {
        Some(&self.groups.get(self.index_of(pod)?)?.name)
    }

    /// The pods that are ready, when those of one group are not.
    fn ready(&self, missing: Option<&Group>) -> Vec<Pod<'_>> {
        let mut pods = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            for index in 0..group.count {
                if Some(group) != missing {
                    let name = format!("pod-{number}-{index}");
                    let address = format!("10.{}.{}.{}", number / 256, number % 256, index + 1);
                    pods.push(Pod { group, name, address });
                }
            }
        }
        pods
    }

    /// What Gloo sees.
    pub(super) fn gloo(&self, sources: &Sources, missing: Option<&Group>) -> gloo::Snapshot {
        let mut snapshot = gloo::Snapshot::new(sources.gloo_namespace());
        let looked_at = |kind: &str| {
            gloo::Snapshot::ROUTING
                .iter()
                .chain(gloo::Snapshot::FURTHER)
                .any(|known| known.kind == kind)
        };
        for source in sources.all() {
            let is_service = source.group().is_empty() && source.kind() == "Service";
            if source.is_gloo() && looked_at(source.kind()) || is_service {
                snapshot.upsert(&source.value);
            }
        }
        for kind in gloo::Snapshot::FURTHER {
            snapshot.know(kind.kind);
        }
        if sources.of_kind("gateway.solo.io", "Gateway").next().is_none() {
            snapshot.upsert(&json!({
                "kind": "Gateway",
                "metadata": {"namespace": sources.gloo_namespace(), "name": "gateway-proxy"},
                "spec": {"bindPort": 8080, "httpGateway": {}},
            }));
        }
        let ready = self.ready(missing);
        for pod in &ready {
            snapshot.upsert(&json!({
                "kind": "Pod",
                "metadata": {
                    "namespace": pod.group.namespace, "name": pod.name, "labels": pod.group.labels,
                },
                "status": {"podIP": pod.address},
            }));
        }
        for source in sources.of_kind("", "Service") {
            let addresses: Vec<Value> = behind(&source.value, &ready)
                .map(|pod| json!({"ip": pod.address, "targetRef": target(pod)}))
                .collect();
            let ports: Vec<Value> = ports(&source.value);
            snapshot.upsert(&json!({
                "kind": "Endpoints",
                "metadata": source.value["metadata"],
                "subsets": [{"addresses": addresses, "ports": ports}],
            }));
        }
        snapshot
    }

    /// What the new gateway sees.
    pub(super) fn gateway_api(
        &self,
        sources: &Sources,
        environment: gateway_api::Environment,
        written: &[Value],
        gateway: &ObjectRef,
        missing: Option<&Group>,
    ) -> gateway_api::Snapshot {
        let mut snapshot = gateway_api::Snapshot::new(environment);
        let services: Vec<&Value> = sources
            .of_kind("", "Service")
            .map(|source| &source.value)
            .chain(written.iter().filter(|object| object["kind"] == "Service"))
            .collect();
        let ready = self.ready(missing);
        let mut namespaces: BTreeSet<&str> = BTreeSet::from([gateway.namespace.as_str()]);
        for object in services.iter().copied().chain(written) {
            namespaces.extend(object["metadata"]["namespace"].as_str());
            snapshot.upsert(object);
        }
        for name in namespaces {
            snapshot.upsert(&json!({"kind": "Namespace", "metadata": {"name": name}}));
        }
        for service in services {
            let endpoints: Vec<Value> = behind(service, &ready)
                .map(|pod| {
                    json!({
                        "addresses": [pod.address],
                        "conditions": {"ready": true},
                        "targetRef": target(pod),
                    })
                })
                .collect();
            let name = &service["metadata"]["name"];
            snapshot.upsert(&json!({
                "kind": "EndpointSlice",
                "metadata": {
                    "namespace": service["metadata"]["namespace"],
                    "name": name,
                    "labels": {"kubernetes.io/service-name": name},
                },
                "endpoints": endpoints,
                "ports": ports(service),
            }));
        }
        snapshot.upsert(&json!({
            "kind": "GatewayClass",
            "metadata": {"name": "migration"},
            "spec": {"controllerName": environment.profile.controller()},
        }));
        let listener = json!({
            "name": "http",
            "port": PORT,
            "protocol": "HTTP",
            "allowedRoutes": {"namespaces": {"from": "All"}},
        });
        snapshot.upsert(&json!({
            "kind": "Gateway",
            "metadata": {"namespace": gateway.namespace, "name": gateway.name, "generation": 1},
            "spec": {"gatewayClassName": "migration", "listeners": [listener]},
        }));
        snapshot
    }
}

/// The pods that a Service selects.
fn behind<'a>(service: &Value, pods: &'a [Pod<'a>]) -> impl Iterator<Item = &'a Pod<'a>> {
    let wanted = selector(service);
    let namespace = service["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    pods.iter().filter(move |pod| {
        pod.group.namespace == namespace
            && wanted.iter().all(|(key, value)| pod.group.labels.get(key) == Some(value))
    })
}

fn target(pod: &Pod<'_>) -> Value {
    json!({"kind": "Pod", "namespace": pod.group.namespace, "name": pod.name})
}

/// The ports of a Service's pods.
fn ports(service: &Value) -> Vec<Value> {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let port = |port: &Value| {
        let target = match &port["targetPort"] {
            Value::Null => port["port"].clone(),
            Value::String(_) => NAMED_PORT.into(),
            number => number.clone(),
        };
        json!({"name": port["name"].as_str().unwrap_or_default(), "port": target})
    };
    ports.map(port).collect()
}
