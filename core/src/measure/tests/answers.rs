use std::time::Duration;

use judge::Counts;
use proptest::prelude::*;

use super::super::*;
use super::service;

/// As an Envoy 1.40 writes it, of the cluster of one version, whose answers include copies.
const STATISTICS: &str = r#"
envoy_server_uptime{} 42
envoy_cluster_upstream_rq_total{envoy_cluster_name="echo-v1_echo"} 40
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="echo-v1_echo"} 30
envoy_cluster_upstream_rq_xx{envoy_response_code_class="4",envoy_cluster_name="echo-v1_echo"} 2
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="echo-v1_echo"} 7
envoy_cluster_upstream_rq_xx{envoy_response_code_class="1",envoy_cluster_name="echo-v1_echo"} 99
envoy_cluster_external_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="echo-v1_echo"} 20
envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="echo-v1_echo"} 7
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="echo-v1_echo",le="0.5"} 1
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="echo-v1_echo",le="500"} 36
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="echo-v1_echo",le="+Inf"} 39
envoy_cluster_upstream_rq_total{envoy_cluster_name="echo-v2_echo"} 0
"#;

fn counts(total: u64, bad: u64) -> Counts {
    Counts { total, bad }
}

fn statistics() -> Statistics {
    Statistics::parse(STATISTICS, |_| true).expect("statistics")
}

#[test]
fn answers_are_counted_by_their_class_and_their_time() {
    let read = statistics();
    assert_eq!(read.uptime, Some(Duration::from_secs(42)));
    assert_eq!(read.answers("echo-v1_echo", Scope::All), counts(39, 7));
    assert_eq!(read.answers("echo-v1_echo", Scope::External), counts(20, 0), "without copies");
    let over = Duration::from_millis(500);
    assert_eq!(read.times("echo-v1_echo", Scope::All, over), counts(39, 3));
    assert!(read.has("echo-v2_echo") && !read.has("echo-v3_echo"));
    let other = Statistics::parse(STATISTICS, |cluster| cluster == "echo-v2_echo");
    assert!(!other.expect("statistics").has("echo-v1_echo"), "nothing is kept of others");
    assert_eq!(Statistics::parse("", |_| true), Err(NoCounters::NoEnvoy));
    assert_eq!(Statistics::parse("<html>", |_| true), Err(NoCounters::Line(1)));
}

/// As an Envoy 1.40 writes it.
const HOSTS: &str = r#"{"cluster_statuses": [
    {"name": "echo_echo", "host_statuses": [
        {"address": {"socket_address": {"address": "10.77.0.2", "port_value": 8080}},
         "stats": [{"name": "cx_active", "type": "GAUGE", "value": "2"},
                   {"name": "rq_error", "value": "3"}, {"name": "rq_success", "value": "30"}]},
        {"address": {"socket_address": {"address": "10.77.0.3", "port_value": 8080}},
         "stats": [{"name": "rq_error"}, {"name": "rq_success", "value": "5"}]}]},
    {"name": "other_echo", "host_statuses": [
        {"address": {"socket_address": {"address": "10.77.0.9", "port_value": 8080}},
         "stats": [{"name": "rq_success", "value": "500"}]}]}]}"#;

#[test]
fn each_host_is_counted_for_the_version_of_its_pod() {
    let service = service("subset", "");
    let versions = Versions::of(&service, Proxies::Gloo);
    assert!(versions.needs_hosts() && !versions.needs_clusters());
    let read = hosts(HOSTS, |cluster| versions.is_shared(cluster)).expect("hosts");
    assert_eq!(read.len(), 2, "those of another cluster are left out");
    let version = |address: &str| match address {
        "10.77.0.2" => Some("v1".to_owned()),
        "10.77.0.3" => Some("v2".to_owned()),
        _ => None,
    };
    let totals = versions.totals(None, Some(&read), None, version).expect("known");
    let of = |version: &str, address: &str| {
        totals.tallies[&(version.to_owned(), address.to_owned())].answers
    };
    assert_eq!((of("v1", "10.77.0.2"), of("v2", "10.77.0.3")), (counts(33, 3), counts(5, 0)));
    let nobody = versions.totals(None, Some(&read), None, |_| None).expect_err("nobody's");
    assert!(nobody.contains("nobody knows whose pod 10.77.0.2 is"), "{nobody}");
    assert_eq!(hosts("no list", |_| true), Err(NoCounters::Line(1)));
    assert_eq!(hosts("{}", |_| true), Err(NoCounters::NoEnvoy));
}

#[test]
fn a_version_is_known_by_its_cluster_in_each_gateway() {
    let upstream = service("upstream", "");
    let names = |service, proxies| {
        Versions::of(service, proxies).clusters().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(&upstream, Proxies::Gloo), ["echo-v1_echo", "echo-v2_echo"]);
    assert_eq!(
        names(&upstream, Proxies::Kgateway),
        ["kube_echo_echo-v1_80", "kube_echo_echo-v2_80"]
    );
    let envoy_gateway = Versions::of(&upstream, Proxies::EnvoyGateway);
    for (cluster, is_ours) in [
        ("httproute/echo/echo-routes/rule/0", true),
        ("httproute/echo/echo/rule/1", true),
        ("httproute/echo/echo-routes-2/rule/0", true),
        ("httproute/echo/echo-other/rule/0", false),
        ("httproute/echo/echo2/rule/0", false),
        ("httproute/shop/echo/rule/0", false),
    ] {
        assert_eq!(envoy_gateway.is_shared(cluster), is_ours, "{cluster}");
    }
}

#[test]
fn a_cluster_that_the_proxy_does_not_have_is_no_zero() {
    let versions = Versions::of(&service("upstream", ""), Proxies::Gloo);
    let missing = Statistics::parse("envoy_server_uptime{} 1\n", |_| true).expect("statistics");
    let error = versions.totals(Some(&missing), None, None, |_| None).expect_err("missing");
    assert!(error.contains("it has no cluster echo-v1_echo yet"), "{error}");
    let totals = versions.totals(Some(&statistics()), None, None, |_| None).expect("known");
    let key = ("v1".to_owned(), "echo-v1_echo".to_owned());
    assert_eq!(totals.tallies[&key], Tally { answers: counts(39, 7), slow: None });
}

#[test]
fn copies_of_requests_are_left_out() {
    let versions = Versions::of(&service("upstream", ", shadow: 10"), Proxies::Gloo);
    let totals = versions.totals(Some(&statistics()), None, None, |_| None).expect("known");
    let key = ("v1".to_owned(), "echo-v1_echo".to_owned());
    assert_eq!(totals.tallies[&key].answers, counts(20, 0));
}

type Proxy = Result<Totals, String>;

/// A proxy that has run for so long and has counted this for v2.
fn proxy(uptime: u64, total: u64, bad: u64) -> Proxy {
    let tally = Tally { answers: counts(total, bad), slow: None };
    let tallies = [(("v2".to_owned(), "a".to_owned()), tally)].into();
    Ok(Totals { uptime: Some(Duration::from_secs(uptime)), tallies })
}

fn look(answers: &mut Answers, proxies: &[(&str, Proxy)]) -> Result<Counts, String> {
    let proxies = proxies.iter().map(|(name, read)| ((*name).to_owned(), read.clone())).collect();
    let seen = answers.look(proxies).map_err(|blind| blind.to_string())?;
    Ok(seen.get("v2").map(|tally| tally.answers).unwrap_or_default())
}

#[test]
fn answers_are_the_growth_at_all_proxies() {
    let mut answers = Answers::default();
    let first = look(&mut answers, &[("a", proxy(9, 100, 50)), ("b", proxy(9, 7, 0))]);
    assert!(first.is_err_and(|why| why.contains("one look so far")));
    let second = look(&mut answers, &[("a", proxy(10, 105, 52)), ("b", proxy(10, 8, 0))]);
    assert_eq!(second, Ok(counts(6, 2)));
    assert!(look(&mut answers, &[]).is_err(), "no proxy is no zero");
}

#[test]
fn one_proxy_that_cannot_be_read_blinds_the_look_and_the_next_one_has_all() {
    let mut answers = Answers::default();
    let _ = look(&mut answers, &[("a", proxy(9, 0, 0)), ("b", proxy(9, 0, 0))]);
    let away = || Err("it does not answer".to_owned());
    let blind = look(&mut answers, &[("a", proxy(10, 4, 1)), ("b", away())]);
    assert_eq!(blind, Err("proxy b: it does not answer".to_owned()));
    let next = look(&mut answers, &[("a", proxy(11, 5, 1)), ("b", proxy(11, 3, 3))]);
    assert_eq!(next, Ok(counts(8, 4)), "nothing of the look before is lost");
}

#[test]
fn what_is_lost_is_said() {
    for (before, after, words) in [
        (("a", proxy(9, 10, 0)), ("a", proxy(1, 30, 0)), "proxy a has started again"),
        (("a", proxy(9, 10, 0)), ("a", proxy(10, 9, 0)), "proxy a has started again"),
        (("a", proxy(9, 10, 0)), ("b", proxy(9, 10, 0)), "proxy a is gone"),
        (
            ("a", proxy(9, 10, 0)),
            ("a", Ok(Totals { uptime: Some(Duration::from_secs(10)), ..Totals::default() })),
            "proxy a has forgotten a pod, and what it answered last",
        ),
    ] {
        let mut answers = Answers::default();
        let _ = look(&mut answers, &[before]);
        let name = after.0;
        assert_eq!(look(&mut answers, std::slice::from_ref(&after)), Err(words.to_owned()));
        // It goes on from there.
        let later = proxy(20, 40, 5);
        if after.1.as_ref().is_ok_and(|totals| !totals.tallies.is_empty()) {
            assert!(look(&mut answers, &[(name, later)]).is_ok());
        }
    }
    let mut answers = Answers::default();
    let _ = look(&mut answers, &[("a", proxy(9, 10, 0))]);
    let new = look(&mut answers, &[("a", proxy(10, 10, 0)), ("b", proxy(1, 5, 0))]);
    assert_eq!(new, Err("proxy b is new".to_owned()));
}

proptest! {
    /// Whatever is read when and whichever proxies cannot be read: what was seen is what was answered between the looks
    /// that saw all.
    #[test]
    fn no_answer_counts_twice_and_none_is_made_up(
        steps in prop::collection::vec((0..20_u64, 0..20_u64, any::<bool>(), any::<bool>()), 1..30),
    ) {
        let mut answers = Answers::default();
        let (mut a, mut b, mut uptime, mut seen) = (0, 0, 5, 0);
        let (mut begun, mut last): (Option<u64>, u64) = (None, 0);
        for (more_a, more_b, reads_a, reads_b) in steps {
            (a, b, uptime) = (a + more_a, b + more_b, uptime + 1);
            let read = |is_read: bool, total| if is_read { proxy(uptime, total, 0) } else { Err(String::new()) };
            let looked = look(&mut answers, &[("a", read(reads_a, a)), ("b", read(reads_b, b))]);
            if reads_a && reads_b {
                begun.get_or_insert(a + b);
                last = a + b;
            }
            seen += looked.map(|counts| counts.total).unwrap_or(0);
        }
        prop_assert_eq!(seen, begun.map_or(0, |begun| last - begun));
    }
}
