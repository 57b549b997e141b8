use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kube::client::Body;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::cluster::{Cluster, Namespaces};
use crate::testing::service;
use coalmine_core::plan::Newcomers;

const BOTH: &str = "deployment: {v1: {}}\nroutes: {gateway: {api: both, profile: kgateway}, apiGroup: a, \
                    primary: {version: v1}}\n";
const GLOO: &str = "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";

/// A proxy that serves this text, whatever is asked.
async fn proxy(text: Arc<Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let text = text.lock().expect("whole").clone();
            let length = text.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}/metrics")
}

/// The statistics of an Envoy that has sent so many requests to the service.
fn statistics(cluster: &str, requests: u64) -> String {
    format!(
        "envoy_server_uptime{{}} 7\nenvoy_cluster_upstream_rq_total{{envoy_cluster_name=\"{cluster}\"}} {requests}\n"
    )
}

/// An API server that gives every list of pods this answer, and counts the lists.
fn cluster(answer: (u16, Value)) -> (Cluster, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = tower::service_fn(move |_: http::Request<Body>| {
        counted.fetch_add(1, Ordering::SeqCst);
        let body = Body::from(answer.1.to_string().into_bytes());
        std::future::ready(http::Response::builder().status(answer.0).body(body))
    });
    (Cluster::behind(kube::Client::new(server, "default")), count)
}

fn pods(items: Value) -> (u16, Value) {
    (200, json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}))
}

/// A status store with a service of these values.
fn store(values: &str) -> Arc<StatusStore> {
    let store = Arc::new(StatusStore::default());
    ask(&store, values);
    store
}

fn ask(store: &StatusStore, values: &str) {
    store.asks(&Arc::new(service(values)), None);
}

fn measuring(cluster: Cluster, given: &[String], store: &Arc<StatusStore>) -> Measuring {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let given = given.iter().map(|it| it.parse().expect("KIND=URL")).collect();
    let gloo = watch::Sender::new("gloo-system".to_owned()).subscribe();
    let reader = Reader::new(cluster, given).expect("a client");
    Measuring::new(reader, store.clone(), gloo)
}

async fn look(measuring: &mut Measuring, store: &StatusStore) -> Vec<GatewayRequests> {
    measuring.follow(store.in_both_apis());
    measuring.look().await;
    store.detail("echo").expect("known").report.requests
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_while_no_service_is_written_in_both_apis() {
    let (cluster, lists) = cluster(pods(json!([])));
    let store = store(GLOO);
    let mut measuring = measuring(cluster, &[], &store);
    let hour = tokio::time::timeout(Duration::from_secs(3600), measuring.measure()).await;
    assert!(hour.is_err(), "it goes on");
    assert_eq!(lists.load(Ordering::SeqCst), 0);
    ask(&store, BOTH);
    let minute = tokio::time::timeout(Duration::from_secs(60), measuring.measure()).await;
    assert!(minute.is_err(), "it goes on");
    assert!(lists.load(Ordering::SeqCst) > 10, "both kinds of pods every second or so");
    ask(&store, GLOO);
    let before = lists.load(Ordering::SeqCst);
    let hour = tokio::time::timeout(Duration::from_secs(3600), measuring.measure()).await;
    assert!(hour.is_err(), "it goes on");
    assert_eq!(lists.load(Ordering::SeqCst), before);
    assert!(store.detail("echo").expect("known").report.requests.is_empty());
}

#[tokio::test]
async fn the_requests_by_each_gateway_are_counted_at_the_given_addresses() {
    let text = |cluster: &str, requests| Arc::new(Mutex::new(statistics(cluster, requests)));
    let (old, new) = (text("echo_echo", 100), text("kube_echo_echo-v1_80", 0));
    let given =
        [format!("gloo={}", proxy(old.clone()).await), format!("kgateway={}", proxy(new).await)];
    let (cluster, lists) = cluster(pods(json!([])));
    let store = store(BOTH);
    let mut measuring = measuring(cluster, &given, &store);
    let first = look(&mut measuring, &store).await;
    assert_eq!(first.iter().map(|it| it.api).collect::<Vec<_>>(), APIS);
    assert!(first.iter().all(|it| it.none_since.is_some() && it.problem.is_none()), "{first:?}");
    *old.lock().expect("whole") = statistics("echo_echo", 140);
    let second = look(&mut measuring, &store).await;
    assert!(second[0].per_second > Some(0.0), "{second:?}");
    assert_eq!(second[0].last_request_at, Some(second[0].measured_at));
    assert_eq!((second[1].per_second, second[1].last_request_at), (Some(0.0), None));
    assert_eq!(second[1].none_since, first[1].none_since);
    assert_eq!(lists.load(Ordering::SeqCst), 0, "the addresses were given");
}

#[tokio::test]
async fn what_cannot_be_read_is_not_known_and_the_status_says_why() {
    let no_envoy = Arc::new(Mutex::new("process_cpu_seconds_total 1\n".to_owned()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody = listener.local_addr().expect("an address");
    drop(listener);
    let given =
        [format!("gloo={}", proxy(no_envoy).await), format!("kgateway=http://{nobody}/metrics")];
    let store = store(BOTH);
    let mut measuring = measuring(cluster(pods(json!([]))).0, &given, &store);
    let seen = look(&mut measuring, &store).await;
    let problem = |at: usize| seen[at].problem.clone().unwrap_or_default();
    assert!(problem(0).contains("there is no statistic of an Envoy in it"), "{}", problem(0));
    assert!(problem(1).contains("onnect"), "{}", problem(1));
    assert!(seen.iter().all(|it| it.per_second.is_none() && it.none_since.is_none()), "{seen:?}");
}

#[tokio::test]
async fn without_a_pod_nothing_is_known() {
    let store = store(BOTH);
    let mut measuring = measuring(cluster(pods(json!([]))).0, &[], &store);
    let seen = look(&mut measuring, &store).await;
    let problem = seen[0].problem.clone().unwrap_or_default();
    assert!(
        problem.contains("no proxy of gloo") && problem.contains("gloo=gateway-proxy"),
        "{problem}"
    );
    assert_eq!((seen[0].proxies, seen[0].none_since), (0, None));
}

#[tokio::test]
async fn what_may_not_be_listed_is_said_with_the_command_that_allows_it() {
    let forbidden = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "pods is forbidden", "reason": "Forbidden", "code": 403});
    let store = store(BOTH);
    for (namespaces, command) in [
        (Namespaces::default(), "kubectl apply -k deploy/base"),
        (
            Namespaces::named(["echo".to_owned()]),
            "kubectl apply -n echo -k deploy/overlays/namespaced/proxies",
        ),
    ] {
        let cluster = cluster((403, forbidden.clone())).0.within(namespaces);
        let seen = look(&mut measuring(cluster, &[], &store), &store).await;
        let problem = seen[0].problem.clone().unwrap_or_default();
        assert!(
            problem.contains(command) && problem.contains("--proxy-metrics gloo=URL"),
            "{problem}"
        );
        assert_eq!((seen[0].per_second, seen[0].none_since), (None, None));
    }
}

/// The statistics of an Envoy whose cluster has so many hosts.
fn hosts(cluster: &str, hosts: u64) -> Arc<Mutex<String>> {
    let text = format!(
        "envoy_cluster_membership_healthy{{envoy_cluster_name=\"{cluster}\"}} {hosts}\nenvoy_server_uptime{{}} 7\n"
    );
    Arc::new(Mutex::new(text))
}

fn newcomers(of_services: &[&str], of_rules: &[&str]) -> Newcomers {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Newcomers {
        of_services: names(of_services),
        of_rules: names(of_rules),
        gateways: ["infra/edge".to_owned()].into(),
        until: Timestamp::MAX,
    }
}

fn proxies(cluster: Cluster, given: &[String]) -> Proxies {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let given = given.iter().map(|it| it.parse().expect("KIND=URL")).collect();
    Proxies::new(Reader::new(cluster, given).expect("a client"))
}

#[tokio::test]
async fn a_proxy_without_endpoints_is_named() {
    let name = "kube_echo_echo-v2_80";
    for (seen, is_lacking) in
        [(hosts(name, 1), false), (hosts(name, 0), true), (hosts("other", 1), true)]
    {
        let (cluster, _) = cluster(pods(json!([])));
        let given = [
            format!("kgateway={}", proxy(hosts(name, 2)).await),
            format!("kgateway={}", proxy(seen).await),
        ];
        let lacking = proxies(cluster, &given).lacking(&newcomers(&[name], &[])).await;
        assert_eq!(lacking.is_some(), is_lacking, "{lacking:?}");
        if let Some(reason) = lacking {
            let url = given[1].trim_start_matches("kgateway=");
            assert_eq!(reason.to_string(), format!("proxy {url} has no endpoints of {name} yet"));
        }
    }
}

#[tokio::test]
async fn a_proxy_that_cannot_be_read_holds_nothing_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody = format!("kgateway=http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    let text = Arc::new(Mutex::new("<html>".to_owned()));
    let other = format!("kgateway={}", proxy(text).await);
    let (cluster, _) = cluster(pods(json!([])));
    let lacking = proxies(cluster, &[nobody, other]).lacking(&newcomers(&["a"], &[])).await;
    assert_eq!(lacking, None);
}

#[tokio::test]
async fn rules_are_looked_for_at_proxies_of_their_own_gateways() {
    let rule = "httproute/echo/echo-routes/rule/1";
    let url = proxy(hosts("none", 1)).await;
    let port = url.trim_end_matches("/metrics").rsplit(':').next().expect("a port").to_owned();
    let pod = |gateway: &str| {
        let labels = json!({"gateway.envoyproxy.io/owning-gateway-name": gateway,
            "gateway.envoyproxy.io/owning-gateway-namespace": "infra"});
        json!({"metadata": {"name": gateway, "namespace": "system", "labels": labels,
                "annotations": {"prometheus.io/port": port}},
            "status": {"podIP": "127.0.0.1", "phase": "Running"}})
    };
    for (gateway, is_lacking) in [("edge", true), ("other", false)] {
        let (cluster, _) = cluster(pods(json!([pod(gateway)])));
        let lacking = proxies(cluster, &[]).lacking(&newcomers(&[], &[rule])).await;
        assert_eq!(lacking.is_some(), is_lacking, "{gateway}: {lacking:?}");
    }
}

#[tokio::test]
async fn services_that_come_together_share_one_look() {
    let (cluster, lists) = cluster(pods(json!([])));
    let proxies = proxies(cluster, &[]);
    let newcomers = newcomers(&["a"], &[]);
    let asked = (0..50).map(|_| proxies.lacking(&newcomers));
    assert!(futures::future::join_all(asked).await.iter().all(Option::is_none));
    assert!(lists.load(Ordering::SeqCst) < 10, "one look is new enough for many");
}
