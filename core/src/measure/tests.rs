mod answers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::kind::RouteApi;
use crate::tree::Tree;
use crate::values::{Repository, Service};

/// As an Envoy 1.40 writes it.
const STATISTICS: &str = r#"
# TYPE envoy_cluster_upstream_rq_total counter
envoy_cluster_upstream_rq_total{envoy_cluster_name="echo_echo"} 7
envoy_cluster_upstream_rq_total{envoy_cluster_name="kube_echo_echo-v1_80"} 30
envoy_cluster_upstream_rq_total{envoy_cluster_name="kube_echo_echo-v2_80"} 10
envoy_cluster_upstream_rq_total{envoy_cluster_name="kube_echo_echo-v2_8080"} 1000
envoy_cluster_upstream_rq_total{envoy_cluster_name="kube_foxtrot_foxtrot-v1_80"} 1000
envoy_cluster_upstream_rq_total{envoy_cluster_name="httproute/echo/echo-routes/rule/0"} 3
envoy_cluster_upstream_rq_total{envoy_cluster_name="httproute/echo/echo-routes-other/rule/0"} 1000

# TYPE envoy_cluster_upstream_cx_none_healthy counter
envoy_cluster_upstream_cx_none_healthy{envoy_cluster_name="echo_echo"} 2
# TYPE envoy_cluster_upstream_rq_time histogram
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="echo_echo",le="0.5"} 4
envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="echo_echo"} 12.75
# TYPE envoy_server_uptime gauge
envoy_server_uptime{} 42
"#;

fn both(gateway: &str) -> Service {
    parsed(&format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\nroutes:\n  gateway: {gateway}\n  apiGroup: a\n  primary: \
         {{version: v1}}\n  canary: {{version: v2, weight: 25}}\n"
    ))
}

/// A service of Gloo whose routes are split so, with more keys of its canary.
fn service(split: &str, canary: &str) -> Service {
    parsed(&format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\nroutes:\n  split: {split}\n  apiGroup: a\n  primary: \
         {{version: v1}}\n  canary: {{version: v2, weight: 25{canary}}}\n"
    ))
}

fn parsed(values: &str) -> Service {
    let files = [("services/echo.yaml".to_owned(), values.into())].into();
    let mut repository = Repository::parse(&Tree { revision: "local".into(), files });
    let (_, outcome) = repository.services.pop_first().expect("a service");
    Arc::unwrap_or_clone(outcome.unwrap_or_else(|problems| panic!("{problems:#?}")))
}

#[test]
fn the_requests_of_a_service_are_those_of_its_clusters() {
    let counters = Counters::parse(STATISTICS).expect("statistics");
    assert_eq!(counters.uptime, Some(Duration::from_secs(42)));
    let clusters = Clusters::of_both(&both("{api: both, profile: kgateway}")).expect("both");
    assert_eq!(clusters.requests(RouteApi::Gloo, &counters), 9, "also those without a host");
    assert_eq!(clusters.requests(RouteApi::GatewayApi, &counters), 43);
}

#[test]
fn a_service_of_one_api_is_not_measured() {
    assert_eq!(Clusters::of_both(&both("{api: gloo}")), None);
    assert_eq!(Clusters::of_both(&both("{api: gateway-api, profile: kgateway}")), None);
}

#[test]
fn a_label_may_have_escapes_and_a_value_a_time() {
    let text = "envoy_cluster_upstream_rq_total{a=\"x,y}\\\"\",envoy_cluster_name=\"a\\\\b\"} 5 1700000000\n";
    let counters = Counters::parse(text).expect("statistics");
    assert_eq!(counters.requests(|cluster| cluster == "a\\b"), 5);
}

#[test]
fn what_is_no_statistics_of_an_envoy_is_no_zero() {
    let foreign = "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1.5\n";
    assert_eq!(Counters::parse(foreign), Err(NoCounters::NoEnvoy));
    assert_eq!(Counters::parse(""), Err(NoCounters::NoEnvoy));
    assert_eq!(Counters::parse("<html>\n"), Err(NoCounters::Line(1)));
    let cut = "envoy_server_uptime{} 1\nenvoy_cluster_upstream_rq_total{envoy_cluster_name=\"a";
    assert_eq!(Counters::parse(cut), Err(NoCounters::Line(2)));
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_268_800 + second).expect("a time")
}

/// Proxies by name, each with its requests and uptime; a proxy without them could not be read.
fn proxies(all: &[(&str, Option<(u64, u64)>)]) -> BTreeMap<String, Option<Reading>> {
    let reading = |(requests, uptime): (u64, u64)| Reading {
        requests,
        uptime: Some(Duration::from_secs(uptime)),
    };
    all.iter().map(|(name, read)| ((*name).to_owned(), read.map(reading))).collect()
}

#[test]
fn requests_are_the_growth_of_all_proxies_counters() {
    let mut requests = Requests::default();
    requests.look(at(0), &proxies(&[("a", Some((100, 50))), ("b", Some((7, 50)))]));
    let first = requests.measured();
    assert_eq!(first, Measured { per_second: None, last_request: None, none_since: Some(at(0)) });
    requests.look(at(1), &proxies(&[("a", Some((104, 51))), ("b", Some((9, 51)))]));
    requests.look(at(2), &proxies(&[("a", Some((104, 52))), ("b", Some((9, 52)))]));
    let measured = requests.measured();
    assert_eq!(measured.per_second, Some(3.0));
    assert_eq!((measured.last_request, measured.none_since), (Some(at(1)), Some(at(1))));
}

#[test]
fn the_rate_is_that_of_the_last_seconds() {
    let mut requests = Requests::default();
    for second in 0..60_u64 {
        let count = if second < 30 { 10 * second } else { 300 };
        requests.look(at(second.cast_signed()), &proxies(&[("a", Some((count, second)))]));
    }
    assert_eq!(requests.measured().per_second, Some(0.0));
    assert_eq!(requests.measured().none_since, Some(at(30)));
}

#[test]
fn nothing_is_known_while_a_proxy_cannot_be_read_and_its_counter_tells_afterwards() {
    let mut requests = Requests::default();
    requests.look(at(0), &proxies(&[("a", Some((1, 10))), ("b", Some((1, 10)))]));
    requests.look(at(1), &proxies(&[("a", Some((1, 11))), ("b", None)]));
    let unknown = Measured { per_second: None, last_request: None, none_since: None };
    assert_eq!(requests.measured(), unknown);
    let mut quiet = requests.clone();
    quiet.look(at(9), &proxies(&[("a", Some((1, 19))), ("b", Some((1, 19)))]));
    assert_eq!(quiet.measured().none_since, Some(at(0)), "its counter has not grown");
    requests.look(at(9), &proxies(&[("a", Some((1, 19))), ("b", Some((2, 19)))]));
    assert_eq!(requests.measured().none_since, Some(at(9)));
    requests.blind();
    assert_eq!(requests.measured().none_since, None);
}

#[test]
fn no_proxy_at_all_says_nothing() {
    let mut requests = Requests::default();
    requests.look(at(0), &proxies(&[]));
    assert_eq!(requests.measured(), Measured::default());
}

#[test]
fn a_proxy_that_starts_again_or_goes_leaves_a_gap() {
    for (second, is_gap) in [
        (proxies(&[("a", Some((5, 11)))]), false),
        (proxies(&[("a", Some((5, 1)))]), true),
        (proxies(&[("a", Some((0, 1)))]), true),
        (proxies(&[("b", Some((0, 1)))]), true),
        (proxies(&[("a", Some((5, 11))), ("b", Some((0, 1)))]), false),
        (proxies(&[("a", Some((5, 11))), ("b", Some((4, 1)))]), true),
    ] {
        let mut requests = Requests::default();
        requests.look(at(0), &proxies(&[("a", Some((5, 10)))]));
        requests.look(at(3), &second);
        let since = if is_gap { at(3) } else { at(0) };
        assert_eq!(requests.measured().none_since, Some(since), "{second:?}");
    }
}

proptest! {
    /// Whatever happens to the proxies, it is never said that no request has come since a time after which one did.
    #[test]
    fn a_request_is_never_overlooked(
        looks in prop::collection::vec((0_usize..3, any::<[bool; 3]>(), any::<[bool; 3]>()), 1..40)
    ) {
        // Three proxies with counters; at each look one may get requests, some are gone, some cannot be read.
        let mut counts = [0_u64; 3];
        let mut requests = Requests::default();
        let mut last = None;
        for (number, (asked, is_there, is_readable)) in looks.into_iter().enumerate() {
            let now = at(i64::try_from(number).expect("few"));
            if is_there[asked] {
                counts[asked] += 1;
                last = Some(now);
            }
            let mut seen = BTreeMap::new();
            for place in 0..3 {
                if is_there[place] {
                    let reading = Reading { requests: counts[place], uptime: None };
                    seen.insert(place.to_string(), is_readable[place].then_some(reading));
                } else {
                    counts[place] = 0;
                }
            }
            requests.look(now, &seen);
            let measured = requests.measured();
            if let (Some(since), Some(last)) = (measured.none_since, last) {
                prop_assert!(since >= last, "none since {since}, and one came at {last}");
            }
        }
    }
}
