//! What a cluster has.

use std::collections::BTreeSet;

use anyhow::bail;
use gloo::{ResourceRef, Snapshot};
use serde_json::Value;

use super::{Seen, Versions};
use crate::cluster::{Cluster, ClusterError, Namespaces};
use crate::report::Requests;
use coalmine_core::kind::{Kind, gateway_api_routing, is_gateway_api_routing};
use coalmine_core::labels::SERVICE;
use coalmine_core::object::ObjectId;
use coalmine_core::preflight::http_route_snapshot;
use coalmine_core::proposal::reference;

/// Of a cluster of which single namespaces are watched, these and what may be read in Gloo's. It has Gloo's kinds, the
/// Gateway API's, or both.
pub(super) async fn read(service: &str, namespaces: Namespaces) -> anyhow::Result<Seen> {
    let cluster = Cluster::connect(&Requests::default()).await?.within(namespaces);
    let mut reading = Reading::new(service, &cluster);
    let gloo = reading.seen.gloo.gloo_namespace().to_owned();
    let beside = Some(gloo.as_str()).filter(|gloo| !cluster.namespaces().has(Some(gloo)));
    for namespace in cluster.namespaces().each().chain(beside.map(Some)) {
        let is_beside = beside.is_some() && namespace == beside;
        reading.read_gloo(&cluster, namespace, is_beside).await?;
        if !is_beside {
            reading.read_gateway_api(&cluster, namespace).await?;
        }
    }
    if !reading.seen.routes.is_empty() {
        return Ok(reading.seen);
    }
    if let Some(error) = reading.without_gloo {
        return Err(error.into());
    }
    bail!("the cluster has no routes of a service {service}")
}

struct Reading<'a> {
    service: &'a str,
    seen: Seen,
    /// That the cluster serves some of Gloo's kinds not.
    without_gloo: Option<ClusterError>,
}

impl<'a> Reading<'a> {
    fn new(service: &'a str, cluster: &Cluster) -> Self {
        let mut gloo = Snapshot::default();
        if cluster.namespaces().names().is_some() {
            gloo = gloo.of_namespaces();
        }
        let gateway_api = http_route_snapshot().of_what_is_read();
        let seen = Seen {
            gloo,
            gateway_api,
            versions: Versions::new(),
            routes: BTreeSet::new(),
            token: None,
        };
        Self { service, seen, without_gloo: None }
    }

    async fn read_gloo(
        &mut self,
        cluster: &Cluster,
        namespace: Option<&str>,
        is_beside: bool,
    ) -> anyhow::Result<()> {
        let needed = Snapshot::ROUTING.iter().chain(Snapshot::ENDPOINTS).map(|kind| (kind, true));
        let further = Snapshot::FURTHER.iter().map(|kind| (kind, false));
        for (kind, is_needed) in needed.chain(further) {
            let objects = match cluster.list(kind.api_version, kind.kind, namespace, "").await {
                Ok(objects) => objects,
                Err(ClusterError::KindNotServed { .. }) if !is_needed => continue,
                Err(error @ ClusterError::KindNotServed { .. }) => {
                    self.without_gloo.get_or_insert(error);
                    continue;
                }
                Err(ClusterError::Denied { .. }) if !is_needed || is_beside => continue,
                Err(error) => return Err(error.into()),
            };
            for (id, object) in objects {
                self.seen.gloo.upsert(&object);
                if is_gateway_api_routing(kind.api_version, kind.kind) {
                    self.seen.gateway_api.upsert(&object);
                }
                self.note(&id, &object);
            }
            match namespace {
                Some(namespace) => self.seen.gloo.read(kind.kind, namespace),
                None => self.seen.gloo.know(kind.kind),
            }
            if is_gateway_api_routing(kind.api_version, kind.kind) {
                self.is_read(kind.kind, namespace);
            }
        }
        Ok(())
    }

    /// What is not served or may not be read is not known.
    async fn read_gateway_api(
        &mut self,
        cluster: &Cluster,
        namespace: Option<&str>,
    ) -> anyhow::Result<()> {
        let slices = (Kind::EndpointSlice.api_version(), Kind::EndpointSlice.as_str());
        let kinds = gateway_api_routing().filter(|(_, kind)| *kind != Kind::Service.as_str());
        for (version, kind) in kinds.chain([slices]) {
            let is_clusters = ["GatewayClass", Kind::Namespace.as_str()].contains(&kind);
            if is_clusters && namespace.is_some() {
                continue;
            }
            let objects = match cluster.list(version, kind, namespace, "").await {
                Ok(objects) => objects,
                Err(ClusterError::KindNotServed { .. } | ClusterError::Denied { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            for (id, object) in objects {
                self.seen.gateway_api.upsert(&object);
                self.note(&id, &object);
            }
            self.is_read(kind, namespace);
        }
        Ok(())
    }

    fn is_read(&mut self, kind: &str, namespace: Option<&str>) {
        match namespace {
            Some(namespace) => self.seen.gateway_api.read(kind, namespace),
            None => self.seen.gateway_api.know(kind),
        }
    }

    /// Notes whose routes these are, or which version's pod.
    fn note(&mut self, id: &ObjectId, object: &Value) {
        let label = |name: &str| object["metadata"]["labels"][name].as_str();
        if id.is_route() && label(SERVICE) == Some(self.service) {
            self.seen.routes.insert(reference(id));
        }
        if let (true, Some(app), Some(version)) = (id.is(Kind::Pod), label("app"), label("version"))
        {
            let place = id.namespace.as_deref().unwrap_or_default();
            let pod = ResourceRef::new(place, &id.name);
            self.seen.versions.insert(pod, format!("{app} {version}"));
        }
    }
}
