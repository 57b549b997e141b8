use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::{
    GatewaySpec, MatchableHttpGatewaySpec, ResourceRef, RouteOptionSpec, RouteTableSpec,
    SettingsSpec, UpstreamGroupSpec, UpstreamSpec, VirtualHostOptionSpec, VirtualServiceSpec,
};
use crate::environment::Environment;
use crate::objects::{Object, Objects, Table};
use crate::secret::Secret;
use crate::snapshot::{Known, Snapshot};

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
    pub(super) route_options: Seen<RouteOptionSpec>,
    pub(super) virtual_host_options: Seen<VirtualHostOptionSpec>,
    pub(super) matchable_gateways: Seen<MatchableHttpGatewaySpec>,
    pub(super) secrets: Table<Secret>,
    pub(super) known: Known,
    pub(super) environment: Environment,
    /// Routes lead to Upstreams only: Settings do not let them name Services.
    pub(super) only_upstreams: bool,
}

/// Objects of one kind, in the order of namespace and name.
pub(super) type Seen<S> = Table<Object<S>>;

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence<'a, T> {
    Present(&'a T),
    Absent,
    /// Not every object of the kind is known.
    Unknown,
}

impl View {
    /// What Gloo sees now, having seen `before`.
    pub(super) fn read(snapshot: &Snapshot, before: &Self) -> Self {
        let mut view = Self {
            upstreams: read(snapshot, &snapshot.upstreams, &before.upstreams),
            upstream_groups: read(snapshot, &snapshot.upstream_groups, &before.upstream_groups),
            virtual_services: read(snapshot, &snapshot.virtual_services, &before.virtual_services),
            route_tables: read(snapshot, &snapshot.route_tables, &before.route_tables),
            settings: read(snapshot, &snapshot.settings, &before.settings),
            gateways: read(snapshot, &snapshot.gateways, &before.gateways),
            route_options: read(snapshot, &snapshot.route_options, &before.route_options),
            virtual_host_options: read(
                snapshot,
                &snapshot.virtual_host_options,
                &before.virtual_host_options,
            ),
            matchable_gateways: read(
                snapshot,
                &snapshot.matchable_gateways,
                &before.matchable_gateways,
            ),
            secrets: snapshot.secrets.clone(),
            known: snapshot.known.clone(),
            environment: snapshot.environment,
            only_upstreams: false,
        };
        let settings = view.settings(&snapshot.gloo_namespace);
        view.only_upstreams = settings.disables_kubernetes_destinations();
        let watched = settings.watch_namespaces;
        let everywhere = watched.is_empty() || watched.iter().any(|namespace| namespace == "*");
        if !everywhere {
            let own = snapshot.gloo_namespace.to_string();
            view.restrict(&watched.into_iter().chain([own]).collect());
        }
        view
    }

    /// What stands elsewhere does not exist for Gloo (gloo-conformance case 17-watch-namespaces).
    fn restrict(&mut self, namespaces: &BTreeSet<String>) {
        keep(&mut self.upstreams, namespaces);
        keep(&mut self.upstream_groups, namespaces);
        keep(&mut self.virtual_services, namespaces);
        keep(&mut self.route_tables, namespaces);
        keep(&mut self.gateways, namespaces);
        keep(&mut self.route_options, namespaces);
        keep(&mut self.virtual_host_options, namespaces);
        keep(&mut self.matchable_gateways, namespaces);
        keep(&mut self.secrets, namespaces);
    }

    /// The Settings of the Gloo that runs in `namespace`.
    pub(super) fn settings(&self, namespace: &str) -> SettingsSpec {
        let settings = self.settings.get(&ResourceRef::new(namespace, "default"));
        settings.map(|object| object.spec.clone()).unwrap_or_default()
    }

    /// Whether Gloo has seen anything yet.
    pub(super) fn has_read(&self) -> bool {
        !self.gateways.is_empty() || !self.virtual_services.is_empty()
    }

    /// Whether it is known that there is no such Upstream.
    pub(super) fn lacks_upstream(&self, reference: &ResourceRef) -> bool {
        !self.upstreams.contains_key(reference) && self.known.sees("Upstream", &reference.namespace)
    }

    /// The Secret, if it is there.
    pub(super) fn secret(&self, reference: &ResourceRef) -> Presence<'_, Secret> {
        match self.secrets.get(reference) {
            Some(secret) => Presence::Present(&**secret),
            None if self.known.tells("Secret", reference) => Presence::Absent,
            None => Presence::Unknown,
        }
    }
}

fn read<S: Clone + PartialEq>(
    snapshot: &Snapshot,
    objects: &Objects<S>,
    before: &Seen<S>,
) -> Seen<S> {
    objects.readable(|namespace| snapshot.surely_sees(namespace)).unwrap_or(before).clone()
}

fn keep<T: PartialEq>(table: &mut Table<T>, namespaces: &BTreeSet<String>) {
    let elsewhere = table.keys().filter(|reference| !namespaces.contains(&reference.namespace));
    let elsewhere: Vec<Arc<ResourceRef>> = elsewhere.cloned().collect();
    for reference in elsewhere {
        table.remove(&reference);
    }
}
