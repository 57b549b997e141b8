//! Reading proxies: which there are, and what each has counted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use reqwest::Url;

use super::proxy::{Page, ProxyKind, ProxyMetrics, counts, identity};
use crate::cluster::Cluster;
use coalmine_core::measure::NoCounters;

/// How long one proxy may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// The most that is read of its answer, in bytes: some 100,000 clusters.
const LONGEST: usize = 32 << 20;

/// What was seen of the proxies of one kind.
#[derive(Debug)]
pub struct Look<T> {
    /// Each with what it has counted, or why that is not known.
    pub proxies: BTreeMap<String, Result<T, String>>,
    /// The Gateway, `<namespace>/<name>`, of each that serves one alone.
    gateways: BTreeMap<String, String>,
    /// Why it is not known which proxies there are.
    pub unlisted: Option<String>,
}

impl<T> Look<T> {
    /// The proxies that may serve one of these Gateways, each with what it has counted, or why that is not known.
    pub(super) fn of_gateways(
        &self,
        gateways: &BTreeSet<String>,
    ) -> impl Iterator<Item = (&str, Result<&T, &str>)> {
        let serves = |name: &str| self.gateways.get(name).is_none_or(|it| gateways.contains(it));
        let proxies = self.proxies.iter().filter(move |(name, _)| serves(name));
        proxies.map(|(name, read)| (name.as_str(), read.as_ref().map_err(String::as_str)))
    }
}

/// A proxy that was found: its name, where it is read, and the Gateway that it serves alone.
type Found = (String, Option<Url>, Option<String>);

/// Reads proxies. Copies share the connections.
#[derive(Clone)]
pub struct Reader {
    http: reqwest::Client,
    cluster: Cluster,
    given: Vec<ProxyMetrics>,
}

impl Reader {
    /// Reads at the `given` addresses, or those of pods.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn new(cluster: Cluster, given: Vec<ProxyMetrics>) -> anyhow::Result<Self> {
        // Proxies are in the cluster: no proxy of the environment is on the way to them.
        let http = reqwest::Client::builder()
            .timeout(DEADLINE)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, cluster, given })
    }

    /// Looks at the proxies of one kind, at one page of each. `namespaces` are those in which pods are looked for beside
    /// those that are watched, where not the whole cluster is.
    pub async fn look<T>(
        &self,
        kind: ProxyKind,
        namespaces: &BTreeSet<String>,
        page: &Page,
        parse: impl Fn(&str) -> Result<T, NoCounters>,
    ) -> Look<T> {
        let given: Vec<(String, Url)> = self
            .given
            .iter()
            .filter(|given| given.kind == kind)
            .map(|given| (given.url.to_string(), given.url.clone()))
            .collect();
        let (is_given, parse) = (!given.is_empty(), &parse);
        let (found, unlisted) = match given.is_empty() {
            false => (given.into_iter().map(|(name, url)| (name, Some(url), None)).collect(), None),
            true => self.pods(kind, namespaces).await,
        };
        let gateways =
            found.iter().filter_map(|(name, _, gateway)| Some((name.clone(), gateway.clone()?)));
        let gateways = gateways.collect();
        let read = found.into_iter().map(|(name, url, _)| async move {
            let page = url.ok_or("it has no address").and_then(|url| {
                kind.page(url, page, is_given).ok_or(
                    "its listener for metrics does not tell its pods apart; name the address of Envoy's own interface \
                     with --proxy-metrics",
                )
            });
            let read = match page {
                Ok(url) => self.text(url).await,
                Err(why) => Err(why.to_owned()),
            };
            let read = read.and_then(|text| parse(&text).map_err(|error| error.to_string()));
            (name, read)
        });
        Look { proxies: join_all(read).await.into_iter().collect(), gateways, unlisted }
    }

    /// The pods of a kind, each with its address and its Gateway.
    async fn pods(
        &self,
        kind: ProxyKind,
        namespaces: &BTreeSet<String>,
    ) -> (Vec<Found>, Option<String>) {
        let places: Vec<Option<&String>> = match self.cluster.namespaces().names() {
            None => vec![None],
            Some(watched) => watched.union(namespaces).map(Some).collect(),
        };
        // What the API server has in its memory is new enough, and costs etcd nothing.
        let selected = ListParams::default().labels(kind.labels()).match_any();
        let lists = join_all(places.into_iter().map(|place| {
            let (client, selected) = (self.cluster.client(), &selected);
            async move {
                let pods: Api<Pod> = match place {
                    Some(namespace) => Api::namespaced(client, namespace),
                    None => Api::all(client),
                };
                let list = tokio::time::timeout(DEADLINE, pods.list(selected)).await;
                match list {
                    Ok(Ok(list)) => Ok(list.items),
                    Ok(Err(error)) => Err(unlisted(kind, place, &error)),
                    Err(_) => Err(format!(
                        "the API server has not listed the pods of {} yet",
                        kind.name()
                    )),
                }
            }
        }))
        .await;
        let (mut addresses, mut error) = (Vec::new(), None);
        for list in lists {
            match list {
                Ok(pods) => addresses.extend(
                    pods.iter()
                        .filter(|pod| counts(pod))
                        .map(|pod| (identity(pod), kind.address(pod), kind.gateway(pod))),
                ),
                Err(unlisted) => error = error.or(Some(unlisted)),
            }
        }
        (addresses, error)
    }

    async fn text(&self, url: Url) -> Result<String, String> {
        let mut response = self.http.get(url).send().await.map_err(|error| causes(&error))?;
        if !response.status().is_success() {
            return Err(format!("it answers {}", response.status()));
        }
        let mut text = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| causes(&error))? {
            text.extend_from_slice(&part);
            if text.len() > LONGEST {
                return Err(format!("its statistics have more than {} MiB", LONGEST >> 20));
            }
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Why pods could not be listed, and the command that lets them be.
fn unlisted(kind: ProxyKind, place: Option<&String>, error: &kube::Error) -> String {
    let (name, labels) = (kind.name(), kind.labels());
    match (error, place) {
        (kube::Error::Api(status), Some(namespace)) if status.code == 403 => format!(
            "the pods of {name} in Namespace {namespace} may not be listed; `kubectl apply -n {namespace} -k \
             deploy/overlays/namespaced/proxies` allows it, or name their addresses with --proxy-metrics {name}=URL"
        ),
        (kube::Error::Api(status), None) if status.code == 403 => format!(
            "the pods of {name} may not be listed; `kubectl apply -k deploy/base` allows it, or name their addresses \
             with --proxy-metrics {name}=URL"
        ),
        _ => format!("the pods with the label {labels} cannot be listed: {error}"),
    }
}

/// An error with everything below it: reqwest's own words alone say only that a request failed.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        text.push_str(&format!(": {error}"));
        below = error.source();
    }
    text
}
