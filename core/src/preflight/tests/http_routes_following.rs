//! What is kept from one look at the cluster to the next changes no verdict.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::http_routes::{BOTH, baseline, gateway, live, of, route, snapshot};
use super::*;

/// The services; each has its namespace, and perhaps an HTTPRoute.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn rule() -> impl Strategy<Value = Value> {
    let path = prop_oneof![
        4 => select(vec!["/a", "/b", "/a/x", "/c", "/"]).prop_map(|it| json!({"type": "PathPrefix", "value": it})),
        2 => select(vec!["/a", "/a/x"]).prop_map(|it| json!({"type": "Exact", "value": it})),
        1 => select(vec!["/a/[0-9]+", "/(b|c)"]).prop_map(|it| json!({"type": "RegularExpression", "value": it})),
        1 => Just(json!({"type": "RegularExpression", "value": "/a/(?=x)"})),
    ];
    let header = prop_oneof![
        3 => Just(None),
        1 => select(vec!["1", "2"]).prop_map(|it| Some(json!([{"name": "stage", "value": it}]))),
    ];
    let backend = (select(NAMES.to_vec()), select(vec![80, 80, 80, 81]), 0_u32..3);
    (path, header, vec(backend, 1..3)).prop_map(|(path, header, backends)| {
        let mut one = json!({"path": path});
        if let Some(header) = header {
            one["headers"] = header;
        }
        let backends: Vec<Value> = backends
            .into_iter()
            .map(|(name, port, weight)| json!({"name": name, "port": port, "weight": weight}))
            .collect();
        json!({"matches": [one], "backendRefs": backends})
    })
}

/// An HTTPRoute of one of the services, in one namespace so that each may lead to each.
fn any_route() -> impl Strategy<Value = Value> {
    let hosts =
        select(vec![vec![], vec!["x.example"], vec!["*.example"], vec!["*.example", "y.test"]]);
    (select(NAMES.to_vec()), hosts, vec(rule(), 1..3)).prop_map(|(name, hosts, rules)| {
        let mut route = route(name, json!(rules));
        route["metadata"]["namespace"] = json!("teams");
        if !hosts.is_empty() {
            route["spec"]["hostnames"] = json!(hosts);
        }
        route
    })
}

/// What happens to the cluster.
#[derive(Clone, Debug)]
enum Event {
    Route(Value),
    Service(&'static str, u16),
    NoRoute(&'static str),
    NoService(&'static str),
    Gateway(&'static str),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => any_route().prop_map(Event::Route),
        2 => (select(NAMES.to_vec()), select(vec![80, 81])).prop_map(|(name, port)| Event::Service(name, port)),
        1 => select(NAMES.to_vec()).prop_map(Event::NoRoute),
        1 => select(NAMES.to_vec()).prop_map(Event::NoService),
        1 => select(BOTH.to_vec()).prop_map(Event::Gateway),
    ]
}

fn teams(name: &str, port: u16) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "teams"},
        "spec": {"ports": [{"port": port}]}})
}

fn happen(cluster: &mut gateway_api::Snapshot, event: &Event) {
    match event {
        Event::Route(route) => assert!(cluster.upsert(&live(route.clone()))),
        Event::Service(name, port) => assert!(cluster.upsert(&teams(name, *port))),
        Event::NoRoute(name) => {
            cluster.remove("HTTPRoute", "teams", name);
        }
        Event::NoService(name) => {
            cluster.remove("Service", "teams", name);
        }
        Event::Gateway(controller) => {
            gateway(controller).iter().for_each(|object| assert!(cluster.upsert(object)));
        }
    }
}

fn change(route: &Value) -> Arc<Change> {
    let name = route["metadata"]["name"].as_str().expect("a name");
    let mut change = of(name, route.clone());
    change.desired.workloads.clear();
    change.change()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_baseline_that_follows_the_cluster_says_what_one_from_nothing_says(
        begun in select(BOTH.to_vec()),
        events in vec(event(), 1..6),
        wanted in vec(any_route(), 1..4),
    ) {
        let mut cluster = snapshot(&gateway(begun));
        for name in NAMES {
            happen(&mut cluster, &Event::Service(name, 80));
        }
        let mut following = baseline(&[]).beside(cluster.clone(), None);
        for event in &events {
            happen(&mut cluster, event);
            following = following.follow(Snapshot::default()).beside(cluster.clone(), None);
            let fresh = Baseline::new(Snapshot::default()).beside(cluster.clone(), None);
            let changes: Vec<_> = wanted.iter().map(change).collect();
            prop_assert_eq!(following.check(&changes), fresh.check(&changes), "{:?}", event);
            for change in changes {
                let one = std::slice::from_ref(&change);
                prop_assert_eq!(following.check(one), fresh.check(one), "{:?}", event);
            }
            prop_assert_eq!(following.broken(), fresh.broken());
            let notes = |baseline: &Baseline| baseline.notes().cloned().collect::<Vec<_>>();
            prop_assert_eq!(notes(&following), notes(&fresh));
            prop_assert_eq!(following.served_by(), fresh.served_by());
        }
    }
}
