//! What is in a snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ServiceSpec, Snapshot};
use crate::api::{
    GatewaySpec, ObjectRef, ResourceRef, RouteTableSpec, UpstreamSpec, VirtualServiceSpec,
};

impl Snapshot {
    /// The Gateways that Gloo says in their status it rejects, and why, on one line.
    pub fn rejected_gateways(&self) -> impl Iterator<Item = (&ResourceRef, &str)> {
        let rejected = self.rejections.iter();
        rejected
            .filter_map(|(gateway, by)| Some((&**gateway, by.get(&*self.gloo_namespace)?.as_str())))
    }

    /// The labels and the content of a RouteTable, unless it cannot be decoded.
    pub fn route_table(
        &self,
        reference: &ResourceRef,
    ) -> Option<(&BTreeMap<String, String>, &RouteTableSpec)> {
        let table = self.route_tables.decoded().get(reference)?;
        Some((&table.labels, &table.spec))
    }

    /// The content of a VirtualService, unless it cannot be decoded.
    pub fn virtual_service(&self, reference: &ResourceRef) -> Option<&VirtualServiceSpec> {
        Some(&self.virtual_services.decoded().get(reference)?.spec)
    }

    /// The content of a Gateway, unless it cannot be decoded.
    pub fn gateway(&self, reference: &ResourceRef) -> Option<&GatewaySpec> {
        Some(&self.gateways.decoded().get(reference)?.spec)
    }

    /// The Upstream, unless it cannot be decoded.
    pub fn upstream(&self, reference: &ResourceRef) -> Option<&UpstreamSpec> {
        Some(&self.upstreams.decoded().get(reference)?.spec)
    }

    /// Every Upstream that can be decoded.
    pub fn upstreams(&self) -> impl Iterator<Item = (&ResourceRef, &UpstreamSpec)> {
        self.upstreams.decoded().iter().map(|(reference, object)| (&**reference, &object.spec))
    }

    /// What routing sees of a Service.
    pub fn service(&self, reference: &ResourceRef) -> Option<&ServiceSpec> {
        self.services.get(reference).map(|service| &**service)
    }

    /// Whether Gloo is known to see the objects of this namespace: Settings name it, or name none.
    pub fn surely_sees(&self, namespace: &str) -> bool {
        let name = ResourceRef::new(&*self.gloo_namespace, "default");
        let settings = self.settings.decoded().get(&name);
        *namespace == *self.gloo_namespace
            || settings.is_none_or(|it| it.spec.surely_watches(namespace))
    }

    /// Whether it is known which namespaces Gloo sees. It is not where Settings choose them by their
    /// labels.
    pub fn knows_namespaces(&self) -> bool {
        let name = ResourceRef::new(&*self.gloo_namespace, "default");
        let settings = self.settings.decoded().get(&name);
        !settings.is_some_and(|it| it.spec.selects_namespaces())
    }

    /// The objects that Gloo cannot decode, and why. Each stops Gloo from taking up any change of its
    /// kind (gloo-conformance case 13-undecodable), unless it stands where Gloo does not look: see
    /// [`Snapshot::surely_sees`].
    pub fn undecodable(&self) -> Vec<(ObjectRef, &str)> {
        (self.upstreams.undecodable("Upstream"))
            .chain(self.upstream_groups.undecodable("UpstreamGroup"))
            .chain(self.virtual_services.undecodable("VirtualService"))
            .chain(self.route_tables.undecodable("RouteTable"))
            .chain(self.settings.undecodable("Settings"))
            .chain(self.gateways.undecodable("Gateway"))
            .chain(self.route_options.undecodable("RouteOption"))
            .chain(self.virtual_host_options.undecodable("VirtualHostOption"))
            .chain(self.matchable_gateways.undecodable("MatchableHttpGateway"))
            .collect()
    }

    /// The same as if whatever cannot be decoded were as it was when it last could, and absent if it
    /// never could: what Gloo will go by once somebody repairs it.
    #[must_use]
    pub fn repaired(&self) -> Self {
        Self {
            gloo_namespace: Arc::clone(&self.gloo_namespace),
            upstreams: self.upstreams.repaired(),
            upstream_groups: self.upstream_groups.repaired(),
            virtual_services: self.virtual_services.repaired(),
            route_tables: self.route_tables.repaired(),
            settings: self.settings.repaired(),
            gateways: self.gateways.repaired(),
            route_options: self.route_options.repaired(),
            virtual_host_options: self.virtual_host_options.repaired(),
            matchable_gateways: self.matchable_gateways.repaired(),
            ..self.clone()
        }
    }
}
