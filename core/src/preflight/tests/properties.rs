//! What holds for any cluster and any changes, judged by asking who answers requests.

use gloo::{Answer, Code, Entry, Request, Translation, answer, translate};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const OURS: &[&str] = &["a", "b", "c"];
const STRANGERS: &[&str] = &["s", "t"];

fn matcher() -> impl Strategy<Value = Value> {
    let path = select(
        &[
            ("prefix", "/"),
            ("prefix", "/x"),
            ("prefix", "/x/y"),
            ("prefix", "/z"),
            ("exact", "/x"),
            ("exact", "/z"),
            ("regex", "/x/.*"),
            ("regex", "/z[0-9]"),
            ("regex", "/.*/y"),
        ][..],
    );
    let methods =
        prop_oneof![4 => Just(&[][..]), 1 => Just(&["GET"][..]), 1 => Just(&["POST"][..])];
    (path, methods, prop::bool::weighted(0.2)).prop_map(|((kind, text), methods, header)| {
        let headers =
            if header { json!([{"name": "stage", "value": "canary"}]) } else { json!([]) };
        json!({kind: text, "methods": methods, "headers": headers})
    })
}

fn to(name: &str, version: Option<&str>) -> Value {
    let mut destination = json!({"upstream": {"name": name, "namespace": name}});
    if let Some(version) = version {
        destination["subset"] = json!({"values": {"version": version}});
    }
    destination
}

/// Mostly right, sometimes one of the mistakes.
fn action(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let version = || option::weighted(0.8, select(&["v1", "v2"][..]));
    let single = (select(names), version())
        .prop_map(|(name, version)| json!({"routeAction": {"single": to(name, version)}}));
    let multi = vec((select(names), version(), 0..3_u32), 1..3).prop_map(|all| {
        let all = all.iter().map(
            |(name, version, weight)| json!({"destination": to(name, *version), "weight": weight}),
        );
        json!({"routeAction": {"multi": {"destinations": all.collect::<Vec<_>>()}}})
    });
    let wrong_key = select(names).prop_map(|name| {
        let mut destination = to(name, Some("v1"));
        destination["subset"]["values"] = json!({"stage": "v1"});
        json!({"routeAction": {"single": destination}})
    });
    prop_oneof![
        12 => single,
        4 => multi,
        1 => wrong_key,
        2 => Just(json!({"directResponseAction": {"status": 204}})),
        1 => Just(json!({"options": {"timeout": "soon"}})),
        1 => Just(json!({"options": {"prefixRewrite": "/"}})),
    ]
}

fn routes(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let route = (matcher(), action(names)).prop_map(|(matcher, mut route)| {
        route["matchers"] = json!([matcher]);
        if route.get("options").is_some() && route["options"]["timeout"] != "soon" {
            route["directResponseAction"] = json!({"status": 204});
        }
        route
    });
    vec(route, 1..3).prop_map(Value::from)
}

/// A table, or a VirtualService of its own.
fn holder(name: &'static str, names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let domains = select(&["a.example", "b.example", "*.example"][..]);
    let group = prop_oneof![5 => Just("example"), 1 => Just("nobody")];
    let kind = prop::bool::weighted(0.25);
    (kind, domains, group, option::weighted(0.3, -1..2_i32), routes(names)).prop_map(
        move |(own_host, domain, group, weight, routes)| {
            if own_host {
                return json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
                    "metadata": {"name": name, "namespace": name},
                    "spec": {"virtualHost": {"domains": [domain], "routes": routes}}});
            }
            json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
                "metadata": {"name": format!("{name}-routes"), "namespace": name, "labels": {"apiGroup": group}},
                "spec": {"weight": weight, "routes": routes}})
        },
    )
}

fn upstream_of(name: &'static str) -> impl Strategy<Value = Value> {
    let policy = prop_oneof![4 => Just("ANY_ENDPOINT"), 1 => Just("NO_FALLBACK")];
    (policy, prop::bool::weighted(0.1)).prop_map(move |(policy, misnamed)| {
        let mut upstream = upstream(name);
        upstream["spec"]["kube"]["subsetSpec"]["fallbackPolicy"] = json!(policy);
        if misnamed {
            upstream["spec"]["kube"]["servicePort"] = json!(81);
        }
        upstream
    })
}

/// Everything of one service.
fn objects_of(
    name: &'static str,
    names: &'static [&'static str],
) -> impl Strategy<Value = [Value; 3]> {
    (upstream_of(name), holder(name, names))
        .prop_map(move |(upstream, holder)| [service(name), upstream, holder])
}

fn wish_of(name: &str, [service, upstream, routes]: [Value; 3]) -> ProposedChange {
    let mut wish = wish(name, routes);
    wish.desired.workloads = vec![manifest(service)];
    wish.desired.upstreams = vec![manifest(upstream)];
    wish
}

/// What is live, and changes in some order.
fn cases() -> impl Strategy<Value = (Vec<Value>, Vec<ProposedChange>)> {
    const ALL: &[&str] = &["a", "b", "c", "s", "t"];
    let strangers = STRANGERS.iter().map(|name| option::weighted(0.8, objects_of(name, ALL)));
    let live = OURS.iter().map(|name| option::weighted(0.6, objects_of(name, &["a", "b", "c"])));
    let next = OURS.iter().map(|name| {
        // Mostly of their own Upstream only, as they are rendered.
        let own: &'static [&'static str] = match *name {
            "a" => &["a"],
            "b" => &["b"],
            _ => &["c", "a"],
        };
        option::weighted(0.85, objects_of(name, own))
    });
    let strategy = (
        strangers.collect::<Vec<_>>(),
        live.collect::<Vec<_>>(),
        next.collect::<Vec<_>>(),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.9),
        Just((0..OURS.len()).collect::<Vec<_>>()).prop_shuffle(),
    );
    strategy.prop_map(|(strangers, live, next, replaces, has_app, order)| {
        let mut objects = settings();
        if replaces {
            objects[0]["spec"] = json!({"gloo": {"invalidConfigPolicy":
                {"replaceInvalidRoutes": true, "invalidRouteResponseCode": 404}}});
        }
        objects.extend(has_app.then(app));
        objects.extend(strangers.into_iter().flatten().flatten());
        objects.extend(live.iter().flatten().flatten().cloned());
        let mut wishes = Vec::new();
        for index in order {
            let old = live[index].clone().into_iter().flatten().collect::<Vec<_>>();
            let wish = match &next[index] {
                Some(next) => wish_of(OURS[index], next.clone()),
                None => ProposedChange { service: OURS[index].into(), ..ProposedChange::default() },
            };
            let kept: BTreeSet<ObjectId> =
                wish.desired.manifests().map(|it| it.id().clone()).collect();
            let gone: Vec<Value> =
                old.into_iter().filter(|it| !kept.contains(manifest(it.clone()).id())).collect();
            wishes.push(wish.without(&gone));
        }
        (objects, wishes)
    })
}

/// The cluster with pods of both versions behind every Service.
fn with_pods(mut snapshot: Snapshot) -> Snapshot {
    for name in OURS.iter().chain(STRANGERS) {
        let addresses = ["v1", "v2"].map(|version| {
            let metadata = json!({"namespace": name, "name": version, "labels": {"version": version}});
            snapshot.upsert(&json!({"kind": "Pod", "metadata": metadata}));
            json!({"ip": format!("{name}-{version}"), "targetRef": {"kind": "Pod", "namespace": name, "name": version}})
        });
        snapshot
            .upsert(&json!({"kind": "Endpoints", "metadata": {"namespace": name, "name": name},
            "subsets": [{"addresses": addresses, "ports": [{"port": 8080}]}]}));
    }
    snapshot
}

/// The cluster after each change has come as far as its number says: 0 not begun, 1 workloads and
/// Upstreams, 2 routes as well, 3 done.
fn composite(live: &Snapshot, wishes: &[(&ProposedChange, usize)]) -> Snapshot {
    let mut snapshot = live.clone();
    for (wish, stage) in wishes {
        let backends = wish.desired.workloads.iter().chain(&wish.desired.upstreams);
        let written =
            backends.map(|it| (1, it)).chain(wish.desired.routes.iter().map(|it| (2, it)));
        for (_, manifest) in written.filter(|(from, _)| stage >= from) {
            snapshot.upsert(manifest.object());
        }
        for id in wish.to_prune.iter().filter(|_| *stage == 3) {
            snapshot.remove(&id.kind, id.namespace.as_deref().unwrap_or_default(), &id.name);
        }
    }
    snapshot
}

fn requests() -> impl Iterator<Item = Request> {
    let hosts = ["other.org", "a.example", "b.example", "c.example"];
    let paths = ["/", "/x", "/x/1", "/x/y", "/x/y/z", "/z", "/z5", "/w/y"];
    let kinds = [("GET", None), ("POST", None), ("GET", Some("canary"))];
    hosts.into_iter().flat_map(move |host| {
        paths.into_iter().flat_map(move |path| {
            kinds.into_iter().map(move |(method, stage)| Request {
                method: method.into(),
                host: host.into(),
                path: path.into(),
                headers: stage.iter().map(|it| ("stage".into(), (*it).into())).collect(),
            })
        })
    })
}

/// The route that answers: its object, and how long a text its paths begin with.
fn taken_by(translation: &Translation, answer: &Answer) -> Option<(ObjectRef, usize)> {
    let host = answer.virtual_host.as_ref()?;
    let host = translation.served_hosts().find(|it| it.name == *host)?;
    let route = host.routes.iter().find(|it| Some(&it.name) == answer.route.as_ref())?;
    let length = route.matcher.path.as_ref().map_or(0, |path| path.beginning().len());
    Some((ObjectRef::clone(&route.holder), length))
}

fn is_in(wish: &ProposedChange, object: &ObjectRef) -> bool {
    let desired = wish.desired.manifests().map(Manifest::id);
    desired.chain(&wish.to_prune).any(|id| change::reference(id) == *object)
}

/// The live cluster, and who answers which request in it.
struct Before {
    snapshot: Snapshot,
    translation: Translation,
    answers: Vec<(Request, Answer, ObjectRef, usize)>,
}

impl Before {
    /// `None`: hardly anything is answered, because somebody else froze it all.
    fn read(snapshot: Snapshot) -> Option<Self> {
        let translation = translate(&with_pods(snapshot.clone()), &Memory::default());
        let frozen = !translation.refused.is_empty() || translation.listeners.is_empty();
        if frozen || !snapshot.undecodable().is_empty() {
            return None;
        }
        let answers = requests().filter_map(|request| {
            let answer = answer(&translation, &Entry::http(8080), &request);
            let (owner, length) = taken_by(&translation, &answer)?;
            Some((request, answer, owner, length))
        });
        let answers = answers.collect();
        Some(Self { snapshot, translation, answers })
    }

    /// What is answered otherwise, or judged worse, although it belongs to nobody who has begun to
    /// change.
    fn harm(&self, wishes: &[(&ProposedChange, usize)]) -> Option<String> {
        let before = &self.translation;
        let after = translate(&with_pods(composite(&self.snapshot, wishes)), &before.memory);
        let begun = |object: &ObjectRef| {
            wishes.iter().any(|(wish, stage)| *stage > 0 && is_in(wish, object))
        };
        if let Some(refused) = after.refused.first() {
            return Some(format!("frozen: {refused:?}"));
        }
        for (object, status) in after.statuses.iter().filter(|(object, _)| !begun(object)) {
            let Some(known) = before.statuses.get(object) else { continue };
            let listed = after.reported.get(object).into_iter().flatten();
            let nothing_left = listed.map(|it| it.code).any(|it| it == Code::NoRouteTableSelected);
            if status.state > known.state.max(State::Accepted) && !nothing_left {
                return Some(format!("{object}: {status:?}"));
            }
        }
        let flawed: BTreeSet<&ObjectRef> = before.findings.iter().map(|it| &*it.object).collect();
        for (request, old, owner, length) in &self.answers {
            if begun(owner) || flawed.contains(owner) {
                continue;
            }
            let new = answer(&after, &Entry::http(8080), request);
            if old.outcomes == new.outcomes {
                continue;
            }
            let taker = taken_by(&after, &new);
            // A longer path may be carved out, and a domain out of those that nobody claims.
            let carved = taker.as_ref().is_some_and(|(taker, by)| begun(taker) && by > length);
            let claimed = old.virtual_host.as_deref() == Some("gloo-system_app")
                && new.virtual_host != old.virtual_host;
            if !carved && !claimed {
                return Some(format!(
                    "{request:?} of {owner}, now {taker:?}: {old:?} was, {new:?} is"
                ));
            }
        }
        None
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_admitted_harms_nobody_however_far_each_has_come(
        (objects, wishes) in cases(),
        stages in vec(vec(0..4_usize, OURS.len()), 4),
    ) {
        let live = cluster(&objects);
        let changes: Vec<Arc<Change>> = wishes.iter().map(ProposedChange::change).collect();
        let verdicts = Baseline::new(live.clone()).check(&changes);
        let admitted: Vec<&ProposedChange> =
            wishes.iter().zip(&verdicts).filter(|(_, it)| it.is_ok()).map(|(wish, _)| wish).collect();
        let Some(before) = Before::read(live) else { return Ok(()) };
        for stages in stages {
            let so_far: Vec<(&ProposedChange, usize)> = admitted.iter().copied().zip(stages).collect();
            let harm = before.harm(&so_far);
            prop_assert!(harm.is_none(), "{}", harm.unwrap_or_default());
        }
    }

    #[test]
    fn a_refusal_names_an_object_of_the_change_or_the_cluster((objects, wishes) in cases()) {
        let live = cluster(&objects);
        let changes: Vec<Arc<Change>> = wishes.iter().map(ProposedChange::change).collect();
        for verdict in Baseline::new(live.clone()).check(&changes) {
            let Err(refusal) = verdict else { continue };
            let object = refusal.object();
            let known = live.contains(object) || wishes.iter().any(|wish| is_in(wish, object));
            prop_assert!(known && refusal.to_string().contains(&object.to_string()), "{refusal}");
        }
    }

    #[test]
    fn a_batch_admits_what_is_admitted_one_after_the_other((objects, wishes) in cases()) {
        let baseline = Baseline::new(cluster(&objects));
        let changes: Vec<Arc<Change>> = wishes.iter().map(ProposedChange::change).collect();
        let together = baseline.check(&changes);
        let mut one_by_one = Vec::new();
        let mut ahead = baseline;
        for change in &changes {
            let verdict = ahead.check(std::slice::from_ref(change)).remove(0);
            if verdict.is_ok() {
                ahead = ahead.with(std::slice::from_ref(change));
            }
            one_by_one.push(verdict);
        }
        let is_ok = |all: &[Result<Prediction, Refusal>]| all.iter().map(Result::is_ok).collect::<Vec<_>>();
        prop_assert_eq!(is_ok(&together), is_ok(&one_by_one), "{:?} {:?}", together, one_by_one);
    }
}
