//! What each key of the values changes in the objects.

use serde_json::{Value, json};

use super::{rendered, yaml};
use crate::labels::VERSIONS;

/// Both versions deployed, v1 primary, and more keys below `routes`.
fn routes(more: &str) -> String {
    format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\n\
         routes:\n  primary: {{version: v1}}\n  {more}\n"
    )
}

fn route_list(values: &str) -> Value {
    let rendered = rendered(values);
    let object = rendered.routes[0].object();
    let spec = object.pointer("/spec/routes").or(object.pointer("/spec/virtualHost/routes"));
    spec.expect("routes").clone()
}

/// The first Deployment of a service whose only version has these settings.
fn deployment(settings: &str) -> Value {
    let values = format!(
        "deployment: {{v1: {settings}}}\nroutes: {{apiGroup: a, primary: {{version: v1}}}}\n"
    );
    rendered(&values).deployments[0].object().clone()
}

fn container(settings: &str) -> Value {
    deployment(settings)["spec"]["template"]["spec"]["containers"][0].clone()
}

#[test]
fn a_function_stands_at_every_destination_of_its_path() {
    let values = routes(
        "apiGroup: a\n  canary: {version: v2, weight: 10, headers: {stage: canary}}\n  \
         paths: [{prefix: /findPets, rest: {functionName: findPets}}, {prefix: /petstore}]",
    );
    let routes = route_list(&values);
    let rest = json!({"rest": {"functionName": "findPets"}});
    let single = |at: usize| routes[at]["routeAction"]["single"]["destinationSpec"].clone();
    let multi = |at: usize| {
        let destinations = routes[at]["routeAction"]["multi"]["destinations"].as_array().unwrap();
        let spec = |it: &Value| it["destination"]["destinationSpec"].clone();
        destinations.iter().map(spec).collect::<Vec<_>>()
    };
    assert_eq!((single(0), multi(1)), (Value::Null, vec![Value::Null, Value::Null]));
    assert_eq!((single(2), multi(3)), (rest.clone(), vec![rest.clone(), rest]));
}

#[test]
fn every_upstream_has_what_the_values_say_more() {
    let values =
        routes("apiGroup: a\n  split: upstream\nupstream: {outlierDetection: {interval: 1s}}");
    let upstreams = rendered(&values).upstreams;
    assert_eq!(upstreams.len(), 2);
    for upstream in upstreams {
        let spec = &upstream.object()["spec"];
        assert_eq!(spec["outlierDetection"], json!({"interval": "1s"}));
        assert_eq!(spec["kube"]["serviceName"], "echo");
    }
}

#[test]
fn a_canary_without_headers_renders_no_header_route() {
    for headers in ["", ", headers: {}", ", headers: "] {
        let values = routes(&format!("apiGroup: a\n  canary: {{version: v2{headers}}}"));
        let routes = route_list(&values);
        assert_eq!(routes.as_array().unwrap().len(), 1, "{routes:#}");
        assert_eq!(routes[0]["matchers"], json!([{"prefix": "/echo"}]));
    }
}

#[test]
fn domains_make_a_virtual_service_of_the_services_own() {
    insta::assert_snapshot!(yaml(&rendered(&routes(
        "domains: [\"*\"]\n  paths: [{prefix: /}]\n  \
         canary: {version: v2, headers: {stage: canary}}"
    ))));
}

#[test]
fn an_upstream_per_version_needs_no_subset() {
    insta::assert_snapshot!(yaml(&rendered(&routes(
        "apiGroup: a\n  split: upstream\n  canary: {version: v2, weight: 20, shadow: 5, headers: {stage: canary}}"
    ))));
}

#[test]
fn a_shadow_is_an_upstream_on_the_primarys_route_only() {
    let values = routes(
        "apiGroup: a\n  canary: {version: v2, shadow: 25, headers: {stage: canary}}\n  \
         options: {timeout: 5s}",
    );
    let upstreams = rendered(&values).upstreams;
    assert_eq!(upstreams.len(), 2);
    assert_eq!(upstreams[1].id().to_string(), "Upstream echo/echo-v2");
    let kube = &upstreams[1].object()["spec"]["kube"];
    assert_eq!(kube["selector"], json!({"app": "echo", "version": "v2"}));
    let routes = route_list(&values);
    assert_eq!(routes[0]["options"], json!({"timeout": "5s"}));
    let shadowing = json!({"upstream": {"name": "echo-v2", "namespace": "echo"}, "percentage": 25});
    assert_eq!(routes[1]["options"], json!({"timeout": "5s", "shadowing": shadowing}));
}

#[test]
fn no_fallback_is_said_to_the_upstream() {
    let upstream = |values: &str| {
        rendered(values).upstreams[0].object().pointer("/spec/kube/subsetSpec").unwrap().clone()
    };
    let selectors = json!([{"keys": ["version"]}]);
    assert_eq!(upstream(&routes("apiGroup: a")), json!({"selectors": selectors}));
    assert_eq!(
        upstream(&routes("apiGroup: a\n  fallback: none")),
        json!({"selectors": selectors, "fallbackPolicy": "NO_FALLBACK"})
    );
}

#[test]
fn somebody_elses_pods_are_routed_to_but_not_deployed() {
    let values = "deployment: {v1: {}, v2: {external: true}}\n\
                  routes: {apiGroup: a, primary: {version: v2}}\n";
    let rendered = rendered(values);
    let names: Vec<_> = rendered.iter().map(|it| it.id().to_string()).collect();
    assert_eq!(
        names,
        [
            "Deployment echo/echo-v1",
            "Service echo/echo",
            "Upstream echo/echo",
            "RouteTable echo/echo-routes"
        ]
    );
    let subset = &route_list(values)[0]["routeAction"]["single"]["subset"];
    assert_eq!(*subset, json!({"values": {"version": "v2"}}));
}

#[test]
fn an_upstream_that_exists_is_only_a_destination() {
    let values = "deployment:\n  v1: {external: {upstream: {name: vm, namespace: edge}}}\n  \
                  v2: {external: {upstream: {name: vm2}}}\n\
                  routes: {apiGroup: a, split: upstream, primary: {version: v1}, \
                  canary: {version: v2, weight: 10, shadow: 1}}\n";
    let rendered = rendered(values);
    let names: Vec<_> = rendered.iter().map(|it| it.id().to_string()).collect();
    assert_eq!(names, ["RouteTable echo/echo-routes"]);
    let route = &route_list(values)[0];
    let destinations = &route["routeAction"]["multi"]["destinations"];
    let vm2 = json!({"name": "vm2", "namespace": "echo"});
    assert_eq!(
        destinations[0]["destination"],
        json!({"upstream": {"name": "vm", "namespace": "edge"}})
    );
    assert_eq!(destinations[1]["destination"], json!({ "upstream": vm2 }));
    assert_eq!(route["options"]["shadowing"]["upstream"], vm2);
}

#[test]
fn paths_stand_in_gloos_order_and_each_with_its_header_route() {
    let values = routes(
        "apiGroup: a\n  canary: {version: v2, headers: {stage: canary}}\n  paths:\n    \
         - {prefix: /a}\n    - {prefix: /a/long}\n    - {regex: '/a/[0-9]+'}\n    \
         - {exact: /a}\n    - {prefix: /b, methods: [GET]}\n    - {prefix: /b, queryParameters: {q: x}}",
    );
    let list = route_list(&values);
    let matchers: Vec<_> = list.as_array().unwrap().iter().map(|it| &it["matchers"][0]).collect();
    let path = |matcher: &Value| {
        let kinds = ["exact", "regex", "prefix"];
        let kind = kinds.into_iter().find(|kind| !matcher[kind].is_null()).unwrap();
        format!("{kind} {}", matcher[kind].as_str().unwrap())
    };
    let order: Vec<_> = matchers.iter().map(|matcher| path(matcher)).collect();
    let expected =
        ["prefix /b", "exact /a", "regex /a/[0-9]+", "prefix /b", "prefix /a/long", "prefix /a"];
    let twice: Vec<_> = expected.iter().flat_map(|path| [*path, *path]).collect();
    assert_eq!(order, twice);
    for (index, matcher) in matchers.iter().enumerate() {
        assert_eq!(matcher["headers"].is_null(), index % 2 == 1, "{index}: {matcher}");
    }
}

#[test]
fn conditions_on_headers_and_parameters_are_written_as_gloo_reads_them() {
    let list = route_list(&routes(
        "apiGroup: a\n  canary:\n    version: v2\n    headers:\n      stage: canary\n      \
         x-beta: true\n      user: {regex: 'a.*'}\n      debug: {present: true}\n      \
         bot: {value: yes, invert: true}\n  \
         paths: [{prefix: /, methods: [POST, GET], queryParameters: {q: {present: true}, a: b}}]",
    ));
    assert_eq!(
        list[0]["matchers"],
        json!([{
            "headers": [
                {"name": "bot", "value": "yes", "invertMatch": true},
                {"name": "debug"},
                {"name": "stage", "value": "canary"},
                {"name": "user", "value": "a.*", "regex": true},
                {"name": "x-beta", "value": "true"},
            ],
            "prefix": "/",
            "methods": ["GET", "POST"],
            "queryParameters": [{"name": "a", "value": "b"}, {"name": "q"}],
        }])
    );
}

#[test]
fn the_options_of_a_path_win_over_those_of_the_routes() {
    let list = route_list(&routes(
        "apiGroup: a\n  options: {timeout: 5s, prefixRewrite: /}\n  \
         paths: [{prefix: /a, options: {timeout: 1s}}]",
    ));
    assert_eq!(list[0]["options"], json!({"timeout": "1s", "prefixRewrite": "/"}));
}

#[test]
fn replicas_that_nobody_gave_are_not_ours() {
    assert_eq!(deployment("{}")["spec"].get("replicas"), None);
    assert_eq!(deployment("{replicas: 0}")["spec"]["replicas"], 0);
}

#[test]
fn an_image_of_its_own_has_no_arguments_of_the_default_one() {
    let container = container("{image: app, port: 3000}");
    assert_eq!(container["image"], "app");
    assert_eq!(container.get("args"), None);
    assert_eq!(container["ports"][0]["containerPort"], 3000);
    assert_eq!(container["readinessProbe"]["tcpSocket"]["port"], 3000);
}

#[test]
fn a_pod_goes_on_answering_for_its_drain_and_then_has_the_usual_time_to_end() {
    let pod = |settings: &str| deployment(settings)["spec"]["template"]["spec"].clone();
    for (settings, drain) in [("{}", 7), ("{drain: 1m}", 60)] {
        let pod = pod(settings);
        let hook = json!({"preStop": {"sleep": {"seconds": drain}}});
        assert_eq!(pod["containers"][0]["lifecycle"], hook, "{settings}");
        assert_eq!(pod["terminationGracePeriodSeconds"], drain + 30, "{settings}");
    }
    let pod = pod("{drain: 0s}");
    assert_eq!(pod["containers"][0].get("lifecycle"), None);
    assert_eq!(pod["terminationGracePeriodSeconds"], 30);
}

#[test]
fn an_update_never_has_fewer_pods_than_are_wanted() {
    let strategy = deployment("{}")["spec"]["strategy"].clone();
    assert_eq!(strategy["rollingUpdate"], json!({"maxUnavailable": 0, "maxSurge": "25%"}));
    let patched = "{patch: {spec: {strategy: {type: Recreate, rollingUpdate: null}}}}";
    assert_eq!(deployment(patched)["spec"]["strategy"], json!({"type": "Recreate"}));
}

#[test]
fn every_setting_of_a_version_reaches_its_deployment() {
    let values = "deployment:\n  v1:\n    replicas: 2\n    image: app:1\n    args: [-a, 1]\n    \
        env: {B: b, A: 1, C: {valueFrom: {fieldRef: {fieldPath: status.podIP}}}}\n    port: 3000\n    \
        imagePullPolicy: Always\n    resources: {limits: {memory: 64Mi}}\n    \
        probes: {readiness: {httpGet: {path: /ready, port: 3000}}, liveness: {tcpSocket: {port: 3000}}}\n    \
        labels: {team: a}\n    annotations: {note: b}\n    serviceAccountName: echo\n    drain: 12s\n    \
        patch: {spec: {minReadySeconds: 3, template: {spec: {hostNetwork: false}}}}\n\
        routes: {apiGroup: a, primary: {version: v1}}\n";
    let rendered = rendered(values);
    insta::assert_snapshot!(serde_yaml::to_string(rendered.deployments[0].object()).unwrap());
}

#[test]
fn a_probe_can_be_left_out() {
    assert_eq!(container("{probes: {readiness: false}}").get("readinessProbe"), None);
}

#[test]
fn the_environment_keeps_the_order_of_a_list() {
    let env = container("{env: [{name: B, value: 1}, {name: A, value: $(B)}]}")["env"].clone();
    assert_eq!(env, json!([{"name": "B", "value": "1"}, {"name": "A", "value": "$(B)"}]));
}

#[test]
fn the_upstream_names_the_services_port_and_not_the_containers() {
    let values = "service: {port: 8000, targetPort: web}\ndeployment: {v1: {port: 3000}}\n\
                  routes: {apiGroup: a, primary: {version: v1}}\n";
    let rendered = rendered(values);
    let service = rendered.service.as_ref().unwrap().object();
    assert_eq!(
        service["spec"]["ports"],
        json!([{"port": 8000, "targetPort": "web", "protocol": "TCP"}])
    );
    assert_eq!(rendered.upstreams[0].object()["spec"]["kube"]["servicePort"], 8000);
}

#[test]
fn a_namespace_of_its_own_holds_every_object() {
    let values = format!("namespace: shop\n{}", routes("apiGroup: a"));
    for manifest in rendered(&values).iter() {
        assert_eq!(manifest.id().namespace.as_deref(), Some("shop"), "{}", manifest.id());
    }
    let upstream = &route_list(&values)[0]["routeAction"]["single"]["upstream"];
    assert_eq!(*upstream, json!({"name": "echo", "namespace": "shop"}));
}

/// The names and labels of a service with versions as they are in the wild.
const WILD: &str = "deployment: {1.4.2: {}, v1.2.3-RC1: {}, 72225e2: {external: true}}\n";

#[test]
fn a_version_is_its_label_as_it_is_and_a_safe_name() {
    let values = format!(
        "{WILD}routes:\n  apiGroup: a\n  primary: {{version: 1.4.2}}\n  \
         canary: {{version: 72225e2, weight: 10, shadow: 5}}\n"
    );
    let rendered = rendered(&values);
    let objects: Vec<String> = rendered.iter().map(|it| it.id().to_string()).collect();
    assert_eq!(
        objects,
        [
            "Deployment echo/echo-1-4-2",
            "Deployment echo/echo-v1-2-3-rc1",
            "Service echo/echo",
            "Upstream echo/echo",
            "Upstream echo/echo-72225e2",
            "RouteTable echo/echo-routes",
        ]
    );
    let release = rendered.deployments[1].object();
    let version = "v1.2.3-RC1";
    assert_eq!(release["metadata"]["labels"]["version"], version);
    assert_eq!(release["spec"]["selector"]["matchLabels"]["version"], version);
    let template = &release["spec"]["template"];
    assert_eq!(template["metadata"]["labels"]["version"], version);
    let container = &template["spec"]["containers"][0];
    assert_eq!(container["name"], "echo-v1-2-3-rc1");
    assert_eq!(container["args"][0], "-text=version:echo-v1.2.3-RC1");
    assert_eq!(rendered.upstreams[1].object()["spec"]["kube"]["selector"]["version"], "72225e2");
    let routes = rendered.routes[0].object();
    let destinations =
        routes["spec"]["routes"][0]["routeAction"]["multi"]["destinations"].as_array();
    let subset = |it: &Value| it["destination"]["subset"]["values"]["version"].clone();
    let subsets: Vec<_> = destinations.expect("destinations").iter().map(subset).collect();
    assert_eq!(subsets, ["1.4.2", "72225e2"]);
    assert_eq!(routes["metadata"]["annotations"].get(VERSIONS), None, "a subset names the version");
}

#[test]
fn routes_by_upstream_say_which_version_a_name_stands_for() {
    let values = format!(
        "{WILD}routes:\n  apiGroup: a\n  split: upstream\n  primary: {{version: v1.2.3-RC1}}\n  \
         canary: {{version: 72225e2, weight: 10}}\n"
    );
    let rendered = rendered(&values);
    let names: Vec<_> = rendered.upstreams.iter().map(|it| it.id().name.clone()).collect();
    assert_eq!(names, ["echo-1-4-2", "echo-72225e2", "echo-v1-2-3-rc1"]);
    let said = rendered.routes[0].object()["metadata"]["annotations"][VERSIONS].clone();
    assert_eq!(said, r#"{"echo-v1-2-3-rc1":"v1.2.3-RC1"}"#, "only versions that routes name");
}

#[test]
fn what_looks_like_a_number_stays_text() {
    let settings = "{labels: {a: 72225e2}, annotations: {b: 1.10}, args: [1e3], env: {C: 0x1f}, \
                    patch: {metadata: {labels: {d: 72225e2}}, spec: {minReadySeconds: 3, \
                    template: {metadata: {annotations: {e: 1.10}}}}}}";
    let object = deployment(settings);
    let metadata = &object["metadata"];
    assert_eq!(
        (&metadata["labels"]["a"], &metadata["labels"]["d"]),
        (&json!("72225e2"), &json!("72225e2"))
    );
    assert_eq!(object["spec"]["minReadySeconds"], 3);
    let template = &object["spec"]["template"];
    assert_eq!(template["metadata"]["annotations"], json!({"b": "1.10", "e": "1.10"}));
    let container = &template["spec"]["containers"][0];
    assert_eq!(container["args"], json!(["1e3"]));
    assert_eq!(container["env"], json!([{"name": "C", "value": "0x1f"}]));
}
