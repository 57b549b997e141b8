//! The proxies of gateways: how their pods are found, and where each serves what it has counted.

use std::collections::BTreeSet;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use reqwest::Url;

use coalmine_core::kind::RouteApi;
use coalmine_core::measure::Proxies;
use coalmine_core::values::{GatewayApi, Profile, Service};

/// An implementation whose proxies are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProxyKind {
    /// Gloo.
    Gloo,
    /// kgateway.
    Kgateway,
    /// Envoy Gateway.
    EnvoyGateway,
}

impl ProxyKind {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Gloo, Self::Kgateway, Self::EnvoyGateway];

    /// Its name in `--proxy-metrics`, and for kinds of the Gateway API that of the profile.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gloo => "gloo",
            Self::Kgateway => Profile::Kgateway.as_str(),
            Self::EnvoyGateway => Profile::EnvoyGateway.as_str(),
        }
    }

    /// Those that may serve routes of this API.
    pub(super) fn of(api: RouteApi, gateway: &GatewayApi) -> &'static [Self] {
        match (api, gateway.profile) {
            (RouteApi::Gloo, _) => &[Self::Gloo],
            (RouteApi::GatewayApi, Profile::Kgateway) => &[Self::Kgateway],
            (RouteApi::GatewayApi, Profile::EnvoyGateway) => &[Self::EnvoyGateway],
            (RouteApi::GatewayApi, Profile::Portable) => &[Self::Kgateway, Self::EnvoyGateway],
        }
    }

    /// The labels of its pods: Gloo's chart, kgateway's deployer (`gateway.networking.k8s.io/gateway-name`, which
    /// Envoy Gateway's do not have) and Envoy Gateway's infrastructure.
    pub fn labels(self) -> &'static str {
        match self {
            Self::Gloo => "gloo=gateway-proxy",
            Self::Kgateway => {
                "gateway.networking.k8s.io/gateway-name,!gateway.envoyproxy.io/owning-gateway-name"
            }
            Self::EnvoyGateway => "gateway.envoyproxy.io/owning-gateway-name",
        }
    }

    /// The Gateway, `<namespace>/<name>`, whose clusters alone its pod knows; `None` where it knows those of every one, as
    /// kgateway's do.
    pub(super) fn gateway(self, pod: &Pod) -> Option<String> {
        let label =
            |name: &str| pod.labels().get(&format!("gateway.envoyproxy.io/owning-gateway-{name}"));
        let name = label("name").filter(|_| self == Self::EnvoyGateway)?;
        Some(format!("{}/{name}", label("namespace")?))
    }

    /// Which proxies are meant, for people.
    pub fn described(self) -> String {
        format!("{} (pods with the label {})", self.name(), self.labels())
    }

    /// Where a pod serves its statistics, if its annotations do not say it: the ports and paths of the charts.
    fn place(self) -> (u16, &'static str) {
        match self {
            Self::Gloo => (8081, "/metrics"),
            Self::Kgateway => (9091, "/metrics"),
            Self::EnvoyGateway => (19001, "/stats/prometheus"),
        }
    }

    /// Where one of these proxies serves a page; `url` is where it serves its statistics. `None` where it serves no such
    /// page.
    pub(super) fn page(self, mut url: Url, page: &Page, is_given: bool) -> Option<Url> {
        match page {
            Page::Hosts => {
                // A listener for metrics has nothing else; of Envoy's own interface an address was given.
                match (self, is_given) {
                    (_, true) => {}
                    (Self::Gloo, false) => url.set_port(Some(GLOO_CONFIG)).ok()?,
                    (Self::Kgateway | Self::EnvoyGateway, false) => return None,
                }
                url.set_path("/clusters");
                url.set_query(Some("format=json"));
            }
            Page::Requests if is_given => {}
            // kgateway's listener adds a query of its own, which leaves out what was never used, and would not take
            // another.
            _ if self == Self::Kgateway && url.path() == "/metrics" => url.set_query(None),
            Page::Requests => url.set_query(Some(REQUESTS)),
            Page::Clusters(clusters) => url.set_query(Some(&answers(clusters))),
        }
        Some(url)
    }

    /// Where this pod serves its statistics; `None` as long as it has no address, and of one that has ended.
    pub(super) fn address(self, pod: &Pod) -> Option<Url> {
        let status = pod.status.as_ref()?;
        let has_ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let ip: IpAddr = status.pod_ip.as_ref().filter(|_| !has_ended)?.parse().ok()?;
        let (port, path) = self.place();
        let annotations = pod.annotations();
        let said = |name: &str| annotations.get(&format!("prometheus.io/{name}"));
        let port = said("port").and_then(|port| port.parse().ok()).unwrap_or(port);
        let path = said("path").map_or(path, String::as_str);
        let host = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let mut url = Url::parse(&format!("http://{host}:{port}")).ok()?;
        url.set_path(path);
        Some(url)
    }

    /// How the names of its clusters are made.
    pub fn proxies(self) -> Proxies {
        match self {
            Self::Gloo => Proxies::Gloo,
            Self::Kgateway => Proxies::Kgateway,
            Self::EnvoyGateway => Proxies::EnvoyGateway,
        }
    }

    /// Those that may serve a service.
    pub fn of_service(service: &Service) -> BTreeSet<Self> {
        let gateway = &service.routes.gateway;
        let gloo = gateway.is_gloo().then_some(Self::Gloo);
        let others = gateway.gateway_api().into_iter();
        let others = others.flat_map(|gateway| Self::of(RouteApi::GatewayApi, gateway));
        gloo.into_iter().chain(others.copied()).collect()
    }
}

/// What is read of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// How many requests each cluster was to get.
    Requests,
    /// How these clusters answered, and how long that took.
    Clusters(BTreeSet<String>),
    /// How each host of each cluster answered.
    Hosts,
}

/// The port at which Gloo's chart lets an Envoy's configuration be read (`gatewayProxies.gatewayProxy.readConfig`).
const GLOO_CONFIG: u16 = 8082;

/// Leaves out of an Envoy's statistics what tells no requests.
const REQUESTS: &str = "usedonly&filter=(upstream_rq_total%7Cupstream_cx_none_healthy%7C\
                        upstream_rq_pending_overflow%7C\
                        membership_healthy%7Cserver%5C.uptime)$";

/// So many clusters are named in an address; of more all are read.
const MOST_NAMED: usize = 40;

/// Leaves out of an Envoy's statistics what tells no answers of these clusters.
fn answers(clusters: &BTreeSet<String>) -> String {
    const READ: &str = "(external%5C.)?upstream_rq_(%5B2-5%5Dxx%7Ctime%7Ctotal)";
    if clusters.len() > MOST_NAMED {
        return format!("filter=({READ}%7Cserver%5C.uptime)$");
    }
    let named: Vec<String> = clusters.iter().map(|name| literal(name)).collect();
    let named = named.join("%7C");
    format!("filter=%5E(cluster%5C.({named})%5C.{READ}%7Cserver%5C.uptime)$")
}

/// A name as a regular expression that means it alone, in an address.
fn literal(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => text.push(byte.into()),
            // Any other character means itself behind a backslash.
            _ => text.push_str(&format!("%5C%{byte:02X}")),
        }
    }
    text
}

/// Whether a pod may serve requests, or did: one that was never started has nothing to be read.
pub(super) fn counts(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Running" | "Unknown"))
}

/// What tells a proxy from others, and from the one that had its name before.
pub(super) fn identity(pod: &Pod) -> String {
    let namespace = pod.namespace().unwrap_or_default();
    format!("{namespace}/{} {}", pod.name_any(), pod.uid().unwrap_or_default())
}

/// Where the proxies of one kind are read instead of at the addresses of pods: `KIND=URL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyMetrics {
    /// Whose they are.
    pub kind: ProxyKind,
    /// Where one of them serves the statistics of its Envoy in the text format of Prometheus.
    pub url: Url,
}

impl std::str::FromStr for ProxyMetrics {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected KIND=URL with gloo, kgateway or envoy-gateway as KIND, such as \
                                kgateway=http://10.0.0.7:9091/metrics";
        let (kind, url) = text.split_once('=').ok_or(EXPECTED)?;
        let kind = ProxyKind::ALL.into_iter().find(|known| known.name() == kind).ok_or(EXPECTED)?;
        let url = Url::parse(url).map_err(|error| format!("{url} is no URL: {error}"))?;
        if url.scheme() != "http" || url.host().is_none() {
            return Err(format!("{url}: the statistics of an Envoy are served over http://"));
        }
        Ok(Self { kind, url })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(annotations: Value, status: Value) -> Pod {
        let metadata =
            json!({"name": "p", "namespace": "infra", "uid": "u", "annotations": annotations});
        serde_json::from_value(json!({"metadata": metadata, "status": status})).expect("a pod")
    }

    #[test]
    fn a_pod_is_read_where_its_annotations_say_or_where_its_chart_has_it() {
        let running = || json!({"podIP": "10.0.0.7", "phase": "Running"});
        let url = |kind: ProxyKind, annotations: Value| {
            let url = kind.address(&pod(annotations, running())).expect("an address");
            format!(
                "{}:{}{}",
                url.host_str().expect("a host"),
                url.port().expect("a port"),
                url.path()
            )
        };
        assert_eq!(url(ProxyKind::Gloo, json!({})), "10.0.0.7:8081/metrics");
        assert_eq!(url(ProxyKind::Kgateway, json!({})), "10.0.0.7:9091/metrics");
        assert_eq!(url(ProxyKind::EnvoyGateway, json!({})), "10.0.0.7:19001/stats/prometheus");
        let said = json!({"prometheus.io/port": "1234", "prometheus.io/path": "/m"});
        assert_eq!(url(ProxyKind::Gloo, said), "10.0.0.7:1234/m");
        let six = pod(json!({}), json!({"podIP": "fd00::7", "phase": "Running"}));
        let six = ProxyKind::Gloo.address(&six).expect("an address");
        assert_eq!(six.host_str(), Some("[fd00::7]"));
    }

    #[test]
    fn each_page_is_where_a_proxy_serves_it() {
        let page = |kind: ProxyKind, url: &str, page: &Page, is_given| {
            let url = kind.page(url.parse().expect("a URL"), page, is_given);
            url.map(|url| url.to_string())
        };
        let gloo = "http://10.0.0.7:8081/metrics";
        let clusters = Page::Clusters(["echo-v1_echo".to_owned(), "a.b_echo".to_owned()].into());
        assert_eq!(
            page(ProxyKind::Gloo, gloo, &Page::Hosts, false).as_deref(),
            Some("http://10.0.0.7:8082/clusters?format=json")
        );
        assert_eq!(
            page(ProxyKind::Gloo, gloo, &clusters, false).as_deref(),
            Some(
                "http://10.0.0.7:8081/metrics?filter=%5E(cluster%5C.(a%5C%2Eb_echo%7Cecho-v1_echo)%5C.(external%5C.)?\
                 upstream_rq_(%5B2-5%5Dxx%7Ctime%7Ctotal)%7Cserver%5C.uptime)$"
            )
        );
        let kgateway = "http://10.0.0.7:9091/metrics";
        assert_eq!(
            page(ProxyKind::Kgateway, kgateway, &clusters, false).as_deref(),
            Some(kgateway)
        );
        let envoy_gateway = "http://10.0.0.7:19001/stats/prometheus";
        assert_eq!(page(ProxyKind::EnvoyGateway, envoy_gateway, &Page::Hosts, false), None);
        let admin = "http://127.0.0.1:19000/stats/prometheus";
        assert_eq!(
            page(ProxyKind::EnvoyGateway, admin, &Page::Hosts, true).as_deref(),
            Some("http://127.0.0.1:19000/clusters?format=json")
        );
        assert_eq!(page(ProxyKind::Gloo, admin, &Page::Requests, true).as_deref(), Some(admin));
    }

    #[test]
    fn a_pod_that_has_ended_or_has_no_address_is_read_nowhere() {
        for status in [json!({}), json!({"podIP": "10.0.0.7", "phase": "Failed"})] {
            assert_eq!(ProxyKind::Gloo.address(&pod(json!({}), status)), None);
        }
    }

    #[test]
    fn an_address_is_given_for_a_kind() {
        let given: ProxyMetrics =
            "kgateway=http://127.0.0.1:19010/stats/prometheus".parse().expect("good");
        assert_eq!(given.kind, ProxyKind::Kgateway);
        for wrong in ["kgateway", "nginx=http://a/", "gloo=https://a/", "gloo=a", "=http://a/"] {
            assert!(wrong.parse::<ProxyMetrics>().is_err(), "{wrong}");
        }
    }
}
