use crate::api::{
    GatewaySpec, ResourceRef, RouteTableSpec, SettingsSpec, UpstreamGroupSpec, UpstreamSpec,
    VirtualServiceSpec,
};
use crate::objects::{Object, Objects, Table};
use crate::snapshot::Snapshot;

/// The objects of Gloo as Gloo sees them.
///
/// One object that cannot be decoded hides every change of its kind: Gloo goes on with what it read
/// before (gloo-conformance case 13-undecodable).
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    pub(super) upstreams: Seen<UpstreamSpec>,
    pub(super) upstream_groups: Seen<UpstreamGroupSpec>,
    pub(super) virtual_services: Seen<VirtualServiceSpec>,
    pub(super) route_tables: Seen<RouteTableSpec>,
    pub(super) settings: Seen<SettingsSpec>,
    pub(super) gateways: Seen<GatewaySpec>,
}

/// Objects of one kind, in the order of namespace and name.
pub(super) type Seen<S> = Table<Object<S>>;

impl View {
    /// What Gloo sees now, having seen `before`.
    pub(super) fn read(snapshot: &Snapshot, before: &Self) -> Self {
        Self {
            upstreams: read(&snapshot.upstreams, &before.upstreams),
            upstream_groups: read(&snapshot.upstream_groups, &before.upstream_groups),
            virtual_services: read(&snapshot.virtual_services, &before.virtual_services),
            route_tables: read(&snapshot.route_tables, &before.route_tables),
            settings: read(&snapshot.settings, &before.settings),
            gateways: read(&snapshot.gateways, &before.gateways),
        }
    }

    /// The Settings of the Gloo that runs in `namespace`.
    pub(super) fn settings(&self, namespace: &str) -> SettingsSpec {
        let settings = self.settings.get(&ResourceRef::new(namespace, "default"));
        settings.map(|object| object.spec.clone()).unwrap_or_default()
    }
}

fn read<S: Clone + PartialEq>(objects: &Objects<S>, before: &Seen<S>) -> Seen<S> {
    objects.readable().unwrap_or(before).clone()
}
