//! Changes with policies, which are there before the rules that they are for, and after them.

use std::collections::BTreeMap;

use super::http_routes::{
    BOTH, ENVOY_GATEWAY, KGATEWAY, baseline, gateway, live, of, route, rule, snapshot,
};
use super::*;
use crate::kind::is_gateway_api_routing;
use crate::plan::Job;
use crate::reason::Hinted;
use crate::render::Owner;
use crate::render::gateway_api::{first_rules, next_rules};
use crate::values::tests::service as values;

/// What the rules of echo are for in `features/jwt.feature`, and more ways to write a canary. The text after `|` is put
/// below `routes` in place of the domains.
const STATES: [&str; 11] = [
    "primary: {version: v1}",
    "primary: {version: v1}, canary: {version: v2, headers: {user: bot}}",
    "primary: {version: v1}, canary: {version: v2, JWT{stage: canary}}}",
    "primary: {version: v1}, canary: {version: v2, weight: 50, JWT{stage: canary}}}",
    "primary: {version: v2}",
    "primary: {version: v2}, canary: {version: v3, JWT{stage: canary}}}",
    "primary: {version: v1}, canary: {version: v2, JWT{stage: [canary, beta]}}}",
    "primary: {version: v1}, canary: {version: v2, headers: {user: bot}, JWT{stage: canary}}}",
    "primary: {version: v1}, canary: {version: v2, JWT{stage: canary}}}\
     |domains: ['*'], paths: [{prefix: /echo}, {exact: /other, methods: [GET, POST]}]",
    "primary: {version: v1}, canary: {version: v2, headers: {user: bot}, JWT{stage: [canary, beta]}}}\
     |apiGroup: example",
    "primary: {version: v1}|apiGroup: example",
];

fn profile(controller: &str) -> &'static str {
    if controller == KGATEWAY { "kgateway" } else { "envoy-gateway" }
}

/// The work of a service with these routes.
pub(in crate::preflight) fn job(controller: &str, state: &str) -> Job {
    let (routes, place) =
        state.split_once('|').unwrap_or((state, "domains: ['*'], paths: [{prefix: /}]"));
    let jwt = "jwt: {issuer: me, jwks: {keys: [{kty: OKP, crv: Ed25519, x: \
               11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}, claims: ";
    let routes = routes.replace("JWT", jwt);
    let service = values(&format!(
        "deployment: {{v1: {{}}, v2: {{}}, v3: {{}}}}\nroutes: {{{place}, {routes}, gateway: {{api: gateway-api, \
         profile: {}, gateways: [{{name: edge, namespace: infra}}]}}}}\n",
        profile(controller)
    ));
    let owner = Owner { instance: "default".into(), revision: "r".into() };
    Job::for_service(&service, &owner)
}

/// A cluster in which echo is changed in the order of the plan.
struct Cluster {
    around: Vec<Value>,
    gloo: Vec<Value>,
    own: BTreeMap<ObjectId, Value>,
}

impl Cluster {
    fn new(controller: &str) -> Self {
        let mut around = gateway(controller);
        around.push(live(json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "apis", "namespace": "platform"},
            "spec": {"parentRefs": [{"name": "edge", "namespace": "infra"}], "hostnames": ["apis.example"],
                "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                    "backendRefs": [{"group": "delegation.kgateway.dev", "kind": "label", "name": "example",
                        "namespace": "all"}]}]}})));
        if controller == ENVOY_GATEWAY {
            around.truncate(2);
        }
        Self { around, gloo: Vec::new(), own: BTreeMap::new() }
    }

    fn check(&self, desired: &Desired) -> Result<Prediction, Refusal> {
        let wanted: BTreeSet<&ObjectId> = desired.manifests().map(Manifest::id).collect();
        let gloo = self.gloo.iter().map(|it| manifest(it.clone()).id().clone());
        let goes = self.own.keys().filter(|id| !wanted.contains(id)).cloned().chain(gloo);
        let change = Change::new("echo", desired, &goes.collect());
        let gloo: Vec<Value> =
            settings().into_iter().chain([app()]).chain(self.gloo.iter().cloned()).collect();
        let is_read = |object: &&Value| {
            let text = |key: &str| object[key].as_str().unwrap_or_default();
            is_gateway_api_routing(text("apiVersion"), text("kind"))
        };
        let objects = self.around.iter().chain(self.own.values()).filter(is_read);
        let objects: Vec<Value> = objects.cloned().collect();
        let baseline = Baseline::new(cluster(&gloo)).beside(snapshot(&objects), None);
        baseline.check(&[Arc::new(change)]).pop().expect("one verdict")
    }

    fn write(&mut self, object: &Manifest) {
        self.own.insert(object.id().clone(), live(object.object().clone()));
    }

    /// Makes echo what is desired, in the order of the plan, and asks at every point whether that may be.
    fn carry_out(&mut self, desired: &Desired, at: &str) {
        let check = |cluster: &Self, point: &str| {
            assert_eq!(cluster.check(desired), Ok(Prediction::default()), "{at}: {point}");
        };
        check(self, "before");
        let (policies, rest): (Vec<_>, Vec<_>) =
            desired.workloads.iter().partition(|it| it.id().is_policy());
        rest.into_iter().for_each(|object| self.write(object));
        check(self, "what policies refer to is there");
        for object in policies {
            self.write(object);
            check(self, "a policy is there");
        }
        for route in &desired.routes {
            let wanted = rules(route.object());
            loop {
                let next = match self.own.get(route.id()) {
                    Some(live) if rules(live) == wanted => break,
                    Some(live) if desired.is_staged => next_rules(&rules(live), &wanted),
                    None if desired.is_staged => first_rules(&wanted),
                    _ => wanted.clone(),
                };
                let mut object = route.object().clone();
                object["spec"]["rules"] = next.into();
                self.write(&manifest(object));
                check(self, "rules are there");
            }
        }
        self.clear(desired, |cluster| check(cluster, "something has gone"));
    }

    /// Takes away what is too much: what is guarded before what guards it.
    fn clear(&mut self, desired: &Desired, after: impl Fn(&Self)) {
        let wanted: BTreeSet<ObjectId> = desired.manifests().map(|it| it.id().clone()).collect();
        for goes in [ObjectId::is_route, ObjectId::is_policy, |_: &ObjectId| true] {
            let too_much = |id: &&ObjectId| !wanted.contains(*id) && goes(id);
            let ids: Vec<ObjectId> = self.own.keys().filter(too_much).cloned().collect();
            for id in ids {
                self.own.remove(&id);
                after(self);
            }
        }
    }
}

fn rules(route: &Value) -> Vec<Value> {
    route["spec"]["rules"].as_array().cloned().expect("rules")
}

#[test]
fn a_canary_by_token_may_come_change_and_go_at_every_point_of_its_way() {
    for controller in BOTH {
        let jobs = STATES.map(|state| job(controller, state).desired);
        for (from, before) in STATES.iter().zip(&jobs) {
            let mut cluster = Cluster::new(controller);
            cluster.carry_out(before, from);
            cluster.carry_out(&Desired::default(), &format!("{controller}: {from}, and away"));
            assert!(cluster.own.is_empty());
            let others = STATES.iter().zip(&jobs).filter(|(to, _)| *to != from);
            for (to, after) in
                others.filter(|(to, _)| [from, to].iter().any(|it| it.contains("JWT")))
            {
                before.manifests().for_each(|object| cluster.write(object));
                cluster.carry_out(after, &format!("{controller}: {from} to {to}"));
                cluster.own.clear();
            }
        }
    }
}

#[test]
fn a_service_of_gloos_may_move_and_get_a_canary_by_token_at_once() {
    for controller in BOTH {
        for state in STATES.iter().filter(|state| state.contains("JWT")) {
            let mut cluster = Cluster::new(controller);
            cluster.gloo =
                vec![service("echo"), upstream("echo"), table("echo", "/echo", single("echo"))];
            let desired = job(controller, state).desired;
            cluster.carry_out(&desired, state);
            cluster.gloo.clear();
            assert_eq!(cluster.check(&desired), Ok(Prediction::default()), "{controller}");
        }
    }
}

/// A policy of this implementation for a rule of an HTTPRoute in the namespace echo.
fn policy(controller: &str, name: &str, route: &str, rule: Option<&str>) -> Value {
    let mut target =
        json!({"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route});
    if let Some(rule) = rule {
        target["sectionName"] = json!(rule);
    }
    let metadata = json!({"name": name, "namespace": "echo"});
    match controller {
        KGATEWAY => json!({"apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "TrafficPolicy",
            "metadata": metadata, "spec": {"targetRefs": [target], "timeouts": {"request": "5s"}}}),
        _ => json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "BackendTrafficPolicy",
            "metadata": metadata,
            "spec": {"targetRefs": [target], "timeout": {"http": {"requestTimeout": "5s"}}}}),
    }
}

/// The platform with this policy.
fn platform_with(policy: Value) -> ProposedChange {
    let workloads = vec![manifest(policy)];
    let desired = Desired { workloads, tolerates_warnings: true, ..Desired::default() };
    ProposedChange { service: "platform".into(), desired, ..ProposedChange::default() }
}

/// echo with rules of these names.
fn echo_of(rules: &[&str]) -> Value {
    let named = |(at, name): (usize, &&str)| {
        let mut rule = rule("echo", &format!("/echo{at}"));
        rule["name"] = json!(name);
        rule
    };
    route("echo", rules.iter().enumerate().map(named).collect())
}

fn judged(objects: &[Value], change: &ProposedChange) -> Result<Prediction, Refusal> {
    baseline(objects).check(&[change.change()]).pop().expect("one verdict")
}

#[test]
fn the_platforms_policy_may_come_before_the_service_that_it_is_for() {
    for controller in BOTH {
        for rule in [None, Some("primary")] {
            let policy = policy(controller, "limit", "echo", rule);
            let mut objects = gateway(controller);
            assert_eq!(judged(&objects, &platform_with(policy.clone())), Ok(Prediction::default()));
            objects.push(live(policy));
            let echo = of("echo", echo_of(&["primary"]));
            assert_eq!(judged(&objects, &echo), Ok(Prediction::default()), "{controller}");
        }
    }
}

#[test]
fn a_policy_that_never_gets_its_target_is_refused_and_it_is_said_what_to_do() {
    for controller in BOTH {
        let mut objects = gateway(controller);
        objects.extend([service("echo"), live(echo_of(&["primary"]))]);
        for (route, rule, missing) in
            [("none", None, "HTTPRoute echo/none"), ("echo", Some("secret"), "secret")]
        {
            let policy = policy(controller, "limit", route, rule);
            let mut own = of("echo", echo_of(&["primary", "canary"]));
            own.desired.workloads.push(manifest(policy.clone()));
            let refusal = judged(&objects, &own).expect_err("its own");
            assert!(matches!(refusal, Refusal::Target { .. }), "{refusal}");
            assert_eq!(refusal.object().name, "limit");
            assert!(refusal.to_string().contains(missing), "{refusal}");
            let hint = refusal.hint().expect("what to do");
            assert!(hint.contains("kubectl get httproutes -n echo"), "{hint}");
        }
        // The platform's own, which had a target.
        objects.push(live(policy(controller, "limit", "echo", Some("primary"))));
        let elsewhere = policy(controller, "limit", "echo", Some("secret"));
        let refusal = judged(&objects, &platform_with(elsewhere)).expect_err("it had a target");
        assert!(matches!(refusal, Refusal::Target { .. }), "{refusal}");
    }
}

#[test]
fn a_rule_may_not_leave_the_policy_of_another_owner_behind() {
    for controller in BOTH {
        for (rule, kept) in
            [(Some("secret"), vec!["primary"]), (Some("secret"), vec![]), (None, vec![])]
        {
            let mut objects = gateway(controller);
            objects.extend([service("echo"), live(echo_of(&["primary", "secret"]))]);
            objects.push(live(policy(controller, "limit", "echo", rule)));
            let change = match &kept[..] {
                [] => ProposedChange { service: "echo".into(), ..ProposedChange::default() }
                    .without(&[echo_of(&["primary"])]),
                kept => of("echo", echo_of(kept)),
            };
            let refusal = judged(&objects, &change).expect_err("left behind");
            assert!(matches!(refusal, Refusal::Target { .. }), "{controller}: {refusal}");
            assert_eq!(refusal.object().name, "limit");
        }
    }
}

#[test]
fn whether_a_target_is_there_that_nobody_has_read_is_not_known() {
    for (controller, unread) in
        BOTH.into_iter().zip([gateway_api::Profile::Portable, gateway_api::Profile::EnvoyGateway])
    {
        let mut read = http_route_snapshot().of_what_is_read();
        for object in gateway(controller) {
            read.upsert(&object);
        }
        for kind in
            ["TrafficPolicy", "BackendTrafficPolicy", "SecurityPolicy", "GatewayClass", "Gateway"]
        {
            read.know(kind);
        }
        let change = of("echo", echo_of(&["primary"]));
        let mut change = ProposedChange { service: "echo".into(), ..change };
        change.desired.workloads.push(manifest(policy(controller, "limit", "none", None)));
        let judge = |read: &gateway_api::Snapshot| {
            let baseline = Baseline::new(Snapshot::default()).beside(read.clone(), Some(unread));
            baseline.check(&[change.change()]).pop().expect("one verdict")
        };
        assert_eq!(judge(&read), Ok(Prediction::default()), "{controller}");
        read.read("HTTPRoute", "echo");
        assert!(matches!(judge(&read), Err(Refusal::Target { .. })), "{controller}");
    }
}

#[test]
fn a_policy_may_not_leave_a_rule_that_requires_a_token_before_the_rule_goes() {
    for controller in BOTH {
        let mut with = job(controller, STATES[2]).desired;
        // Two policies for one rule would be another mistake.
        with.workloads.retain(|it| !(it.id().is_policy() && it.id().name.ends_with("-optional")));
        let mut cluster = Cluster::new(controller);
        with.manifests().for_each(|object| cluster.write(object));
        let mut without = with.clone();
        let mut route = without.routes[0].object().clone();
        route["spec"]["rules"].as_array_mut().expect("rules").pop();
        without.routes = vec![manifest(route)];
        for policy in without.workloads.iter_mut().filter(|it| it.id().is_policy()) {
            let mut object = policy.object().clone();
            object["spec"]["targetRefs"][0]["sectionName"] = json!("primary");
            *policy = manifest(object);
        }
        let refusal = cluster.check(&without).expect_err(controller);
        assert!(matches!(refusal, Refusal::Unguarded { .. }), "{controller}: {refusal}");
        assert!(refusal.hint().is_some_and(|hint| hint.contains("with the next")), "{refusal}");
    }
}
