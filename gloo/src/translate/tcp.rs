//! Connections that are passed on as they come (gloo-conformance case 17-tcp-gateway).

use std::sync::Arc;

use super::destinations::{self, upstream_of};
use super::findings::Remark;
use super::mistake::Mistake;
use super::proxy::{Part, ProxyListener};
use super::tls::{self, Chains, Fault, Holding};
use super::unmodelled;
use super::view::{Presence, View};
use crate::api::{Destination, GatewaySpec, SslConfig, TcpAction, TcpHost};
use crate::code::Code;
use crate::config::{Chain, Serves, Tls};

/// What Gloo dies of, in words: a host without destination, or one whose Secret is not there
/// (gloo-conformance cases 17-tcp-host-crash, 18-tcp-secret-missing-crash).
pub(super) fn crash(gateway: &GatewaySpec, view: &View) -> Option<Mistake> {
    let hybrid = gateway.hybrid_gateway.iter().flat_map(|hybrid| &hybrid.matched_gateways);
    let matched = hybrid.filter_map(|matched| matched.tcp_gateway.as_ref());
    let hosts = gateway.tcp_gateway.iter().chain(matched).flat_map(|tcp| &tcp.tcp_hosts);
    hosts.into_iter().find_map(|host| {
        if host.destination.is_none() {
            let words = format!("Gloo dies of a tcpHost without destination: {:?}", host.name);
            return Some(Mistake::new(Code::InvalidTcpHost, words));
        }
        let reference = host.ssl_config.as_ref()?.secret_ref.as_ref()?;
        let missing = view.secret(reference) == Presence::Absent;
        let words = || {
            let (name, key) = (&host.name, reference.key());
            format!("Gloo dies of the tcpHost {name:?}, whose Secret {key} is not there")
        };
        missing.then(|| Mistake::new(Code::MissingSecret, words()))
    })
}

/// A chain for each host that leads somewhere.
pub(super) fn chains(
    hosts: &[TcpHost],
    part: &Part,
    listener: &ProxyListener,
    view: &View,
    warns_of_missing: bool,
) -> Chains {
    let (mut out, mut notes) = (Chains::default(), Vec::new());
    for host in hosts {
        let Some(action) = &host.destination else { continue };
        let clusters = match clusters(action, view, &mut notes) {
            Ok(clusters) => clusters,
            Err(mistake) => {
                let name = listener.name();
                out.warnings.push(mistake.within(|text| {
                    format!(
                        "TcpHost Warning: UnknownWarning. Reason: listener {name}: TcpHost error: \
                         {text}"
                    )
                }));
                continue;
            }
        };
        let none = SslConfig::default();
        let config = host.ssl_config.as_ref().unwrap_or(&none);
        let ends_tls =
            config.secret_ref.is_some() || config.ssl_files.is_some() || config.sds.is_some();
        let tls = match ends_tls.then(|| tls::certificate(config, view, &mut notes)) {
            None => None,
            Some(Ok(secret)) => Some(Tls { config: Arc::new(config.clone()), secret }),
            Some(Err(Fault::Missing(mistake))) if warns_of_missing => {
                out.warnings.push(mistake);
                continue;
            }
            Some(Err(Fault::Missing(mistake) | Fault::Error(mistake))) => {
                out.errors.push(mistake);
                continue;
            }
        };
        let chain = Chain {
            server_names: config.sni_domains.clone(),
            sources: part.sources.clone(),
            tls,
            serves: Serves::Clusters(clusters),
        };
        out.chains.push(Holding { chain, holders: Vec::new(), waits: false });
    }
    out.notes = notes.into_iter().map(|note| (Vec::new(), note)).collect();
    out
}

fn clusters(
    action: &TcpAction,
    view: &View,
    notes: &mut Vec<Remark>,
) -> Result<Vec<(String, u32)>, Mistake> {
    let one = |destination: &Destination| {
        let reference = upstream_of(destination)?;
        if view.lacks_upstream(&reference) {
            let words = format!("*v1.Upstream {{ {} }} not found", reference.key());
            return Err(Mistake::new(Code::MissingUpstream, words));
        }
        Ok(reference.cluster())
    };
    if action.forward_sni_cluster_name.is_some() {
        notes.push(unmodelled::note("tcpHosts.destination.forwardSniClusterName").into());
        return Ok(Vec::new());
    }
    if let Some(reference) = &action.upstream_group {
        return match destinations::group(reference, view) {
            Some(destinations) => weighted(&destinations, one),
            None if !view.known.tells("UpstreamGroup", reference) => {
                notes.push(Remark::not_read("UpstreamGroup", reference));
                Ok(Vec::new())
            }
            None => {
                let words = format!("*v1.UpstreamGroup {{ {} }} not found", reference.key());
                Err(Mistake::new(Code::MissingUpstreamGroup, words))
            }
        };
    }
    match (&action.multi, &action.single) {
        (Some(multi), _) => weighted(&multi.destinations, one),
        (None, Some(single)) => Ok(vec![(one(single)?, 1)]),
        (None, None) => {
            let words = "no destination type specified";
            Err(Mistake::new(Code::NoDestination, words))
        }
    }
}

fn weighted(
    destinations: &[crate::api::WeightedDestination],
    one: impl Fn(&Destination) -> Result<String, Mistake>,
) -> Result<Vec<(String, u32)>, Mistake> {
    let none = Destination::default();
    let destinations = destinations.iter();
    let clusters = destinations.map(|it| {
        let cluster = one(it.destination.as_ref().unwrap_or(&none))?;
        Ok((cluster, it.weight.unwrap_or_default()))
    });
    clusters.collect()
}
