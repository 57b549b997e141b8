//! What two snapshots have alike.

use std::collections::BTreeSet;

use super::Snapshot;
use crate::api::ObjectRef;

impl Snapshot {
    /// True when both hold the very same objects, one being a copy of the other that nothing
    /// different was put into. Costs nothing; false says nothing.
    pub fn is(&self, other: &Self) -> bool {
        self.upstreams.is(&other.upstreams)
            && self.upstream_groups.is(&other.upstream_groups)
            && self.virtual_services.is(&other.virtual_services)
            && self.route_tables.is(&other.route_tables)
            && self.settings.is(&other.settings)
            && self.gateways.is(&other.gateways)
            && self.services.is(&other.services)
            && self.endpoints.is(&other.endpoints)
            && self.pods.is(&other.pods)
            && self.route_options.is(&other.route_options)
            && self.virtual_host_options.is(&other.virtual_host_options)
            && self.matchable_gateways.is(&other.matchable_gateways)
            && self.secrets.is(&other.secrets)
            && self.rejections.is(&other.rejections)
            && self.known == other.known
            && self.environment == other.environment
    }

    /// The objects of [`Snapshot::ROUTING`] and [`Snapshot::FURTHER`] that the two have otherwise.
    pub fn differing(&self, other: &Self) -> BTreeSet<ObjectRef> {
        let services = self.services.differing(&other.services);
        let services = services.map(|it| ObjectRef::new("Service", &it.namespace, &it.name));
        let rejections = self.rejections.differing(&other.rejections);
        let rejections = rejections.map(|it| ObjectRef::new("Gateway", &it.namespace, &it.name));
        (self.upstreams.differing(&other.upstreams, "Upstream"))
            .chain(self.virtual_services.differing(&other.virtual_services, "VirtualService"))
            .chain(self.route_tables.differing(&other.route_tables, "RouteTable"))
            .chain(self.settings.differing(&other.settings, "Settings"))
            .chain(self.gateways.differing(&other.gateways, "Gateway"))
            .chain(self.upstream_groups.differing(&other.upstream_groups, "UpstreamGroup"))
            .chain(self.route_options.differing(&other.route_options, "RouteOption"))
            .chain(
                self.virtual_host_options
                    .differing(&other.virtual_host_options, "VirtualHostOption"),
            )
            .chain(
                self.matchable_gateways
                    .differing(&other.matchable_gateways, "MatchableHttpGateway"),
            )
            .chain(services)
            .chain(rejections)
            .collect()
    }

    /// Whether both have the object alike, or both have none; of objects that cannot be decoded only
    /// whether they are there counts.
    pub fn agrees(&self, other: &Self, object: &ObjectRef) -> bool {
        let reference = object.resource();
        match object.kind.as_str() {
            "Upstream" => self.upstreams.agrees(&other.upstreams, &reference),
            "UpstreamGroup" => self.upstream_groups.agrees(&other.upstream_groups, &reference),
            "VirtualService" => self.virtual_services.agrees(&other.virtual_services, &reference),
            "RouteTable" => self.route_tables.agrees(&other.route_tables, &reference),
            "Settings" => self.settings.agrees(&other.settings, &reference),
            "Gateway" => self.gateways.agrees(&other.gateways, &reference),
            "Service" => self.services.get(&reference) == other.services.get(&reference),
            "Endpoints" => self.endpoints.get(&reference) == other.endpoints.get(&reference),
            "Pod" => self.pods.get(&reference) == other.pods.get(&reference),
            "RouteOption" => self.route_options.agrees(&other.route_options, &reference),
            "VirtualHostOption" => {
                self.virtual_host_options.agrees(&other.virtual_host_options, &reference)
            }
            "MatchableHttpGateway" => {
                self.matchable_gateways.agrees(&other.matchable_gateways, &reference)
            }
            "Secret" => self.secrets.get(&reference) == other.secrets.get(&reference),
            _ => true,
        }
    }
}
