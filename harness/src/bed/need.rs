//! What only some scenarios need, and not every bed has.

use super::kind::Kind;
use crate::gateway_kind::{GatewayKind, Gateways};

/// Something that a scenario asks for by a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `@local`: a program or an address that only the local bed has.
    Local,
    /// `@test-images`: images that only beds of ours have (`coalmine/crash`, `coalmine/slow`, the pet
    /// store).
    TestImages,
    /// `@envoy-statistics`: what Envoy counts, from its admin interface.
    EnvoyStatistics,
    /// `@api-server-address`: to come between coalmine and the API server.
    ApiServerAddress,
    /// `@gloo-envoy`: Gloo's own Envoy, with filters that others do not have.
    GlooEnvoy,
    /// `@gloo-objects`: objects, statuses or words that only Gloo has.
    GlooObjects,
    /// `@gloo-values`: options of Gloo in the values, which HTTPRoutes cannot say.
    GlooValues,
    /// `@fallback`: a version without ready pods whose share the other version's pods answer.
    Fallback,
    /// `@no-fallback`: a version without ready pods whose share nobody answers.
    NoFallback,
    /// `@rules-at-once`: a rule of an HTTPRoute that is written by hand, in one write, and loses no request.
    RulesAtOnce,
    /// `@times-by-version`: how long each version takes to answer, from what Envoy counts.
    TimesByVersion,
    /// `@gateway-api`: objects or features that only gateways of the Gateway API have.
    GatewayApi,
    /// `@route-delegation`: HTTPRoutes that select others.
    RouteDelegation,
    /// `@two-gateways`: Gloo and another gateway before the same pods.
    TwoGateways,
    /// `@whole-cluster`: a cluster that nobody else uses, for Gateways and policies that are everybody's.
    WholeCluster,
}

impl Need {
    /// What a tag, without its `@`, asks of the bed; `None` for a tag that is about something else.
    pub fn of_tag(tag: &str) -> Option<Self> {
        match tag {
            "local" => Some(Self::Local),
            "test-images" => Some(Self::TestImages),
            "envoy-statistics" => Some(Self::EnvoyStatistics),
            "api-server-address" => Some(Self::ApiServerAddress),
            "gloo-envoy" => Some(Self::GlooEnvoy),
            "gloo-objects" => Some(Self::GlooObjects),
            "gloo-values" => Some(Self::GlooValues),
            "fallback" => Some(Self::Fallback),
            "rules-at-once" => Some(Self::RulesAtOnce),
            "times-by-version" => Some(Self::TimesByVersion),
            "no-fallback" => Some(Self::NoFallback),
            "gateway-api" => Some(Self::GatewayApi),
            "route-delegation" => Some(Self::RouteDelegation),
            "two-gateways" => Some(Self::TwoGateways),
            "whole-cluster" => Some(Self::WholeCluster),
            _ => None,
        }
    }

    /// Why this kind of bed with these gateways cannot give it; `None` when it can.
    pub fn unmet_by(self, kind: Kind, gateways: impl Into<Gateways>) -> Option<&'static str> {
        let gateways = gateways.into();
        if self == Self::TwoGateways && gateways.second.is_none() {
            return Some("it needs Gloo and another gateway: set COALMINE_GATEWAY=gloo+kgateway");
        }
        self.unmet_by_gateway(gateways.first).or_else(|| self.unmet_by_kind(kind))
    }

    fn unmet_by_gateway(self, gateway: GatewayKind) -> Option<&'static str> {
        match (self, gateway) {
            (Self::GlooObjects | Self::GlooEnvoy, other) if other != GatewayKind::Gloo => {
                Some("it is about what only Gloo has")
            }
            (Self::GlooValues, other) if other != GatewayKind::Gloo => {
                Some("its values are options of Gloo that no HTTPRoute can say")
            }
            (Self::Fallback, GatewayKind::Kgateway) => Some(
                "it answers 503 for a version without ready pods, and no HTTPRoute can say otherwise",
            ),
            (Self::RulesAtOnce, GatewayKind::EnvoyGateway) => {
                Some("a rule that comes by hand may reach Envoy before its cluster there")
            }
            (Self::TimesByVersion, GatewayKind::EnvoyGateway) => {
                Some("its Envoy has one histogram of times for all versions")
            }
            (Self::NoFallback, GatewayKind::Gloo | GatewayKind::EnvoyGateway) => {
                Some("the other version's pods answer for one without ready pods")
            }
            (Self::GatewayApi | Self::RouteDelegation, GatewayKind::Gloo) => {
                Some("it is about what only gateways of the Gateway API have")
            }
            (Self::RouteDelegation, GatewayKind::EnvoyGateway) => {
                Some("no HTTPRoute selects others there")
            }
            _ => None,
        }
    }

    fn unmet_by_kind(self, kind: Kind) -> Option<&'static str> {
        match (self, kind) {
            (Self::GlooEnvoy, Kind::Local | Kind::K3sOffline) => {
                Some("its Envoy has not the filters of Gloo's own, which comes from a registry")
            }
            (Self::GlooEnvoy, Kind::Existing) => Some("nothing is known of this cluster's Envoy"),
            (Self::GlooEnvoy, Kind::K3s) | (_, Kind::Local) => None,
            (Self::Local, _) => Some("it needs what only the local bed has"),
            (Self::TestImages, Kind::K3s | Kind::Existing) => {
                Some("no registry has the images that it runs")
            }
            (Self::EnvoyStatistics, Kind::Existing) => {
                Some("nothing is known of the way to this cluster's Envoy but its listener")
            }
            (Self::ApiServerAddress, Kind::Existing) => {
                Some("nobody may come between a cluster of yours and its users")
            }
            (Self::WholeCluster, Kind::Existing) => {
                Some("Gateways and policies would be there for everybody on a cluster of yours")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beds_say_what_they_lack() {
        let needs = [
            "local",
            "test-images",
            "envoy-statistics",
            "api-server-address",
            "gloo-envoy",
            "whole-cluster",
        ];
        let unmet = |kind| {
            let needs = needs.map(|tag| Need::of_tag(tag).expect(tag));
            needs.map(|need| need.unmet_by(kind, GatewayKind::Gloo).is_some())
        };
        assert_eq!(unmet(Kind::Local), [false, false, false, false, true, false]);
        assert_eq!(unmet(Kind::K3sOffline), [true, false, false, false, true, false]);
        assert_eq!(unmet(Kind::K3s), [true, true, false, false, false, false]);
        assert_eq!(unmet(Kind::Existing), [true, true, true, true, true, true]);
    }

    #[test]
    fn gateways_say_what_they_lack() {
        let unmet = |gateway| {
            let needs = [
                "gloo-objects",
                "gloo-envoy",
                "gloo-values",
                "gateway-api",
                "route-delegation",
                "fallback",
                "no-fallback",
                "times-by-version",
                "local",
            ];
            let needs = needs.map(|tag| Need::of_tag(tag).expect(tag));
            needs.map(|need| need.unmet_by(Kind::Local, gateway).is_some())
        };
        let (gloo, kgateway, envoy_gateway) = (
            [false, true, false, true, true, false, true, false, false],
            [true, true, true, false, false, true, false, false, false],
            [true, true, true, false, true, false, true, true, false],
        );
        assert_eq!(unmet(GatewayKind::Gloo), gloo);
        assert_eq!(unmet(GatewayKind::Kgateway), kgateway);
        assert_eq!(unmet(GatewayKind::EnvoyGateway), envoy_gateway);
    }

    #[test]
    fn two_gateways_are_a_need_of_their_own() {
        let need = Need::of_tag("two-gateways").expect("a need");
        let unmet = |name| need.unmet_by(Kind::Local, Gateways::parse(name).unwrap()).is_some();
        assert_eq!(["gloo", "kgateway", "gloo+kgateway"].map(unmet), [true, true, false]);
    }

    #[test]
    fn other_tags_ask_nothing_of_the_bed() {
        assert_eq!(Need::of_tag("slow"), None);
    }
}
