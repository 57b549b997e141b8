//! From Upstreams and their subsets to Services.

use std::collections::BTreeMap;

use gloo::api::{FallbackPolicy, KubeUpstream, UpstreamSpec, decode};
use gloo::config::Cluster;
use gloo::{ObjectRef, ResourceRef, Translation};
use serde_json::{Map, Value, json};

use super::not_carried::{Cause, NotCarried};
use super::source::{Source, Sources, Step};

/// Labels that pods carry.
pub(super) type Labels = BTreeMap<String, String>;

/// The Services that rules lead to, those of versions made as they are needed.
pub(super) struct Backends<'a> {
    sources: &'a Sources,
    translation: &'a Translation,
    upstreams: BTreeMap<String, Upstream<'a>>,
    made: BTreeMap<(String, String), Value>,
}

/// A Service as a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    /// The Service's namespace.
    pub(super) namespace: String,
    /// The Service's name.
    pub(super) name: String,
    /// The port of the Service.
    pub(super) port: u32,
}

/// The Upstream of a cluster, where it is of a Kubernetes Service.
pub(super) struct Upstream<'a> {
    /// The object.
    pub(super) source: &'a Source,
    /// Its Service.
    pub(super) service: ObjectRef,
    /// The port of that.
    pub(super) port: u32,
    /// Labels that its pods carry beside those that the Service asks for.
    pub(super) selector: Labels,
}

/// The Upstreams of Kubernetes Services, by the name of their cluster.
pub(super) fn upstreams(sources: &Sources) -> BTreeMap<String, Upstream<'_>> {
    let read = |source: &'_ Source| -> Option<(ResourceRef, KubeUpstream)> {
        let spec: UpstreamSpec = decode(&source.value["spec"]).ok()?;
        Some((source.reference().resource(), spec.kube?))
    };
    let named = |source| {
        let (reference, kube) = read(source)?;
        let upstream = Upstream {
            source,
            service: ObjectRef::new("Service", &kube.service_namespace, &kube.service_name),
            port: kube.service_port,
            selector: kube.selector.into_iter().collect(),
        };
        Some((reference.cluster(), upstream))
    };
    sources.of_kind("gloo.solo.io", "Upstream").filter_map(named).collect()
}

/// The labels by which a Service selects pods.
pub(super) fn selector(service: &Value) -> Labels {
    let labels = service["spec"]["selector"].as_object().into_iter().flatten();
    labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Which of a cluster's endpoints a destination means.
pub(super) enum Choice {
    /// All of them.
    All,
    /// Those with these labels.
    Labelled(Labels),
    /// None, whatever is there.
    Nobody,
}

/// Which endpoints Envoy picks from: those of the subset, or those of the fallback policy where there is no subset that
/// the Upstream has. What the policy does while a subset has no pods is not in here.
pub(super) fn choice(cluster: &Cluster, subset: &Labels) -> Choice {
    let Some(settings) = cluster.subsets.as_ref().filter(|it| !it.selectors.is_empty()) else {
        return Choice::All;
    };
    let is_selectable = settings.selectors.iter().any(|selector| {
        selector.keys.iter().all(|key| subset.contains_key(key))
            && subset.keys().all(|key| selector.keys.contains(key))
    });
    if is_selectable && !subset.is_empty() {
        return Choice::Labelled(subset.clone());
    }
    match (settings.fallback, &settings.default) {
        (FallbackPolicy::AnyEndpoint, _) => Choice::All,
        (FallbackPolicy::NoFallback, _) => Choice::Nobody,
        (FallbackPolicy::DefaultSubset, Some(labels)) if !labels.is_empty() => {
            Choice::Labelled(labels.clone())
        }
        (FallbackPolicy::DefaultSubset, _) => Choice::All,
    }
}

impl<'a> Backends<'a> {
    pub(super) fn new(sources: &'a Sources, translation: &'a Translation) -> Self {
        Self { sources, translation, upstreams: upstreams(sources), made: BTreeMap::new() }
    }

    /// The Services that were made.
    pub(super) fn into_services(self) -> Vec<Value> {
        self.made.into_values().collect()
    }

    /// The Service with the pods of a cluster that a destination means.
    ///
    /// # Errors
    /// Says what cannot be carried over.
    pub(super) fn backend(
        &mut self,
        cluster: &str,
        subset: &Labels,
    ) -> Result<Backend, Box<NotCarried>> {
        let (Some(upstream), Some(known)) = (
            self.upstreams.get(cluster),
            self.translation.clusters.iter().find(|it| it.name == cluster),
        ) else {
            return Err(self.no_upstream(cluster));
        };
        let lack = |field: &[&str], why: String, next: &str| {
            let steps: Vec<Step> = field.iter().map(|name| Step::Key((*name).to_owned())).collect();
            Box::new(NotCarried {
                at: upstream.source.at(&steps),
                object: upstream.source.reference().to_string(),
                field: field.join("."),
                code: Cause::Backend,
                why,
                next: next.to_owned(),
                accepted: false,
            })
        };
        let Some(service) = self.sources.get(&upstream.service) else {
            return Err(lack(
                &["spec", "kube", "serviceName"],
                format!("{} is not among the objects: its ports are not known", upstream.service),
                "add the Service to what is read",
            ));
        };
        let ports = service.value["spec"]["ports"].as_array().cloned().unwrap_or_default();
        let Some(port) = ports.iter().find(|port| port["port"] == upstream.port) else {
            let known: Vec<String> = ports.iter().map(|port| port["port"].to_string()).collect();
            return Err(lack(
                &["spec", "kube", "servicePort"],
                format!(
                    "{} has no port {}: Gloo has no endpoints for it, and answers 503",
                    upstream.service, upstream.port
                ),
                &format!("write one of the Service's ports: {}", known.join(", ")),
            ));
        };
        let of_service = selector(&service.value);
        let mut wanted = of_service.clone();
        wanted.extend(upstream.selector.clone());
        match choice(known, subset) {
            Choice::All => {}
            Choice::Labelled(labels) => wanted.extend(labels),
            Choice::Nobody => {
                return Err(lack(
                    &["spec", "kube", "subsetSpec", "fallbackPolicy"],
                    "a route names no subset that the Upstream has, which Gloo answers with 503"
                        .to_owned(),
                    "name a subset in the route",
                ));
            }
        }
        let backend = |name: &str| Backend {
            namespace: upstream.service.namespace.clone(),
            name: name.to_owned(),
            port: upstream.port,
        };
        if wanted == of_service {
            return Ok(backend(&upstream.service.name));
        }
        if of_service.is_empty() {
            return Err(lack(
                &["spec", "kube", "serviceName"],
                format!(
                    "{} has no selector: no Service of a version can select pods",
                    upstream.service
                ),
                "give the Service a selector",
            ));
        }
        let own = wanted.iter().filter(|(key, value)| of_service.get(*key) != Some(value));
        let own: Vec<&str> = own.map(|(_, value)| value.as_str()).collect();
        let name = label(&format!("{}-{}", upstream.service.name, own.join("-")));
        let namespace = upstream.service.namespace.clone();
        let number = upstream.port;
        let name = self.put(&namespace, &name, &wanted, port);
        Ok(Backend { namespace, name, port: number })
    }

    /// Makes a Service, or finds one that selects the same pods at the same port.
    fn put(&mut self, namespace: &str, name: &str, selector_: &Labels, port: &Value) -> String {
        let mut kept = Map::new();
        for key in ["name", "port", "targetPort", "protocol", "appProtocol"] {
            kept.extend(port.get(key).map(|value| (key.to_owned(), value.clone())));
        }
        let ports = vec![Value::Object(kept)];
        for attempt in 1.. {
            let name = if attempt == 1 { name.to_owned() } else { format!("{name}-{attempt}") };
            let key = (namespace.to_owned(), name.clone());
            let reference = ObjectRef::new("Service", namespace, &name);
            let taken = self.sources.get(&reference).map(|source| &source.value);
            if let Some(known) = taken.or_else(|| self.made.get(&key)) {
                let has_port = known["spec"]["ports"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|it| same_port(it, &ports[0])));
                if selector(known) == *selector_ && has_port {
                    return name;
                }
                continue;
            }
            let service = json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"namespace": namespace, "name": name},
                "spec": {"selector": selector_, "ports": ports},
            });
            self.made.insert(key, service);
            return name;
        }
        name.to_owned()
    }

    fn no_upstream(&self, cluster: &str) -> Box<NotCarried> {
        let found = self
            .sources
            .of_kind("gloo.solo.io", "Upstream")
            .find(|source| source.reference().resource().cluster() == cluster);
        let (at, object, why) = match found {
            Some(source) => (
                source.at(&[Step::Key("spec".to_owned())]),
                source.reference().to_string(),
                "it is not of a Kubernetes Service, which is all that is carried over".to_owned(),
            ),
            None => {
                let (name, namespace) = cluster.split_once('_').unwrap_or((cluster, ""));
                let object = ObjectRef::new("Upstream", namespace, name).to_string();
                (None, object, "a route leads there, and it is not among the objects".to_owned())
            }
        };
        Box::new(NotCarried {
            at,
            object,
            field: String::from("spec"),
            code: Cause::Backend,
            why,
            next: "add it to what is read, if it is elsewhere; otherwise write the route by hand"
                .to_owned(),
            accepted: false,
        })
    }
}

fn same_port(one: &Value, other: &Value) -> bool {
    let target = |port: &Value| match &port["targetPort"] {
        Value::Null => port["port"].clone(),
        target => target.clone(),
    };
    one["port"] == other["port"] && target(one) == target(other)
}

/// The text as a name of an object: what may not stand in one becomes `-`.
pub(super) fn label(text: &str) -> String {
    /// The longest name of a Service.
    const LONGEST: usize = 63;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let text: String =
        text.chars().map(|c| if fits(c) { c.to_ascii_lowercase() } else { '-' }).collect();
    let cut = text.get(..LONGEST).unwrap_or(&text);
    cut.trim_matches('-').to_owned()
}
