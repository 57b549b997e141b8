//! Right files in which every key stands, each short, so that a mistake in it is soon found.

use serde_json::{Value, json};

/// Services that need no defaults.
pub(super) fn services() -> Vec<Value> {
    let routes = |more: Value| {
        let mut routes = json!({"apiGroup": "example", "primary": {"version": "v1"}});
        merge(&mut routes, more);
        json!({"deployment": {"v1": {}, "v2": null}, "routes": routes})
    };
    let version = |version: Value| {
        let routes = json!({"apiGroup": "example", "primary": {"version": "v1"}});
        json!({"deployment": {"v1": version}, "routes": routes})
    };
    let mut services: Vec<_> = versions().into_iter().map(version).collect();
    services.extend(route_sections().into_iter().map(routes));
    services.push(json!({
        "namespace": "shop",
        "deployment": {"v1": {}},
        "service": {"port": 80, "targetPort": "http"},
        "routes": {"domains": ["echo.example", "*"], "primary": {"version": "v1"}},
        "upstream": {"useHttp2": true},
        "adopt": false,
        "keep": true,
        "drift": "report",
    }));
    services.extend(autopilots().into_iter().map(|autopilot| {
        json!({
            "deployment": {"v1": {}, "v2": null},
            "routes": {"apiGroup": "example", "primary": {"version": "v1"}, "split": "upstream"},
            "autopilot": autopilot,
        })
    }));
    services.push(json!({
        "deployment": {"v1.2.3-RC1": {}, "2024.11.05": {"external": true}, "v1_2": null},
        "routes": {"apiGroup": "example", "primary": {"version": "v1.2.3-RC1"}},
    }));
    services.push(json!({
        "deployment": {"v1": {"external": {"upstream": {"name": "vm", "namespace": "edge"}}}},
        "service": {"targetPort": 8080},
        "routes": {
            "apiGroup": "example",
            "primary": {"version": "v1"},
            "split": "upstream",
            "fallback": "none",
        },
    }));
    services
}

/// Files called `coalmine.yaml`.
pub(super) fn settings() -> Vec<Value> {
    let mut settings: Vec<_> = versions()
        .into_iter()
        .map(|version| json!({"defaults": {"deployment": version}}))
        .chain(default_routes().into_iter().map(|routes| json!({"defaults": {"routes": routes}})))
        .chain(autopilots().into_iter().map(|it| json!({"defaults": {"autopilot": it}})))
        .collect();
    settings.push(json!({"policy": {
        "freeze": [
            {"from": "2026-12-24T00:00:00Z", "to": "2027-01-02T00:00:00+01:00", "why": "holidays"},
        ],
        "windows": [
            {"days": ["mon", "sun"], "hours": "09:00-17:00", "timeZone": "Europe/Berlin"},
            {"hours": "22:00-06:00"},
        ],
    }}));
    settings.push(json!({
        "gloo": {"namespace": "edge", "edition": "enterprise"},
        "timing": {"deadline": "90s", "settle": "500ms"},
        "policy": {"maxStep": 20, "requireHeaderPhase": true},
        "prune": {"limit": 10, "kinds": ["Secret", "Certificate.cert-manager.io"]},
        "daemon": {"namespace": "rollouts"},
        "gateway": {
            "api": "both",
            "profile": "kgateway",
            "gateways": [{"name": "edge", "namespace": "infra", "sectionName": "http"}],
        },
    }));
    settings.push(json!({"folders": {
        "team-a": {
            "namespaces": ["{folder}", "{folder}-*"],
            "apiGroups": ["{folder}"],
            "domains": ["{folder}.example.com", "*.{folder}.example.com"],
            "paths": ["/{folder}", "/shared/{folder}/"],
            "upstreams": ["gloo-system/{folder}-*"],
            "gateways": ["infra/edge", "{folder}/*"],
            "webhooks": ["tester.{folder}.svc", "*.example.com"],
            "options": ["timeout"],
            "upstreamOptions": ["outlierDetection", "*"],
            "adopt": false,
            "serviceAccountName": "{folder}-deployer",
            "podServiceAccounts": ["{folder}-*"],
            "patch": ["/spec/template/spec/tolerations", "/metadata/annotations/a~1b"],
            "podSecurity": "restricted",
        },
        "team-a/web": null,
        "*": {"podSecurity": "baseline"},
        ".": {"podSecurity": "privileged"},
    }}));
    settings.push(json!({"defaults": {
        "deployment": {"external": {"upstream": {"name": "vm", "namespace": "edge"}}},
        "service": {"port": 80, "targetPort": 8080},
        "routes": {"domains": ["echo.example"], "primary": {"version": "v9"}},
        "upstream": {"useHttp2": true},
        "drift": "ignore",
    }}));
    settings.push(defaults());
    settings
}

/// A `coalmine.yaml` that says something in every mapping in which a service's `null` leaves the default.
pub(super) fn defaults() -> Value {
    json!({"defaults": {
        "deployment": {
            "env": {"MODE": "x"},
            "probes": {"liveness": {"periodSeconds": 5}},
            "labels": {"team": "a"},
            "annotations": {"note": "b"},
            "patch": patch(),
        },
        "service": {"port": 8000},
        "routes": {
            "apiGroup": "example",
            "primary": {"version": "v1"},
            "canary": {"version": "v2", "headers": {"stage": "canary"}},
        },
        "upstream": {"useHttp2": true},
        "drift": "report",
        "autopilot": {"mode": "off", "finish": {"after": "1h"}},
    }})
}

fn patch() -> Value {
    json!({
        "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
        "spec": {"minReadySeconds": 3, "template": {"metadata": {"labels": {"e": "f"}}}},
    })
}

fn versions() -> Vec<Value> {
    let secret = json!({"secretKeyRef": {"name": "s", "key": "k"}});
    vec![
        json!({
            "replicas": 2,
            "image": "registry.example/echo:1",
            "args": ["-p", 8080],
            "port": 8080,
            "imagePullPolicy": "IfNotPresent",
            "resources": {"limits": {"memory": "1Gi"}},
            "serviceAccountName": "echo",
            "drain": "1m 30s",
        }),
        json!({
            "securityContext": {"allowPrivilegeEscalation": false},
            "podSecurityContext": {"runAsNonRoot": true},
        }),
        json!({"env": {"MODE": "x", "SECRET": {"valueFrom": secret}}}),
        json!({"env": [{"name": "MODE", "value": "x"}, {"name": "SECRET", "valueFrom": secret}]}),
        json!({
            "probes": {"readiness": {"tcpSocket": {"port": 1}}, "liveness": false, "startup": {}},
            "labels": {"team": "a"},
            "annotations": {"note": "b"},
        }),
        json!({"patch": patch()}),
        json!({"external": true}),
    ]
}

fn route_sections() -> Vec<Value> {
    vec![
        json!({
            "apiGroup": "example",
            "paths": [
                {"prefix": "/a", "methods": ["GET"], "options": {"timeout": "5s"}},
                {
                    "exact": "/b",
                    "queryParameters": {
                        "p": "1",
                        "q": {"value": ["2", 3], "invert": false},
                        "r": {"regex": "a|b"},
                        "s": {"present": true},
                        "t": ["1", "2"],
                    },
                },
                {"regex": "/c.*", "rest": {"functionName": "f"}},
            ],
            "options": {"timeout": "5s"},
        }),
        json!({
            "canary": {
                "version": "v2",
                "headers": {
                    "stage": "canary",
                    "a": {"value": "2"},
                    "b": {"regex": "a|b", "invert": true},
                    "c": {"present": true},
                    "d": ["x", 2],
                    "e": {"value": ["y"], "invert": true},
                },
                "weight": 50,
                "shadow": 5,
                "held": "v2 answers 500",
            },
            "split": "subset",
            "fallback": "any",
            "allowCarveOut": true,
        }),
        json!({
            "gateway": {"api": "gateway-api", "profile": "kgateway"},
            "canary": {
                "version": "v2",
                "jwt": {
                    "issuer": "https://id.example",
                    "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]},
                    "claims": {"stage": ["canary", 2], "realm": {"tier": "gold"}},
                },
            },
        }),
        json!({"gateway": {
            "api": "gateway-api",
            "profile": "envoy-gateway",
            "gateways": [
                {"name": "edge", "namespace": "infra", "sectionName": "https.public"},
                {"name": "inner.example"},
            ],
        }}),
    ]
}

/// The routes that can be defaults: no canary of theirs is held.
fn default_routes() -> Vec<Value> {
    let mut sections = route_sections();
    for section in &mut sections {
        if let Some(canary) = section.get_mut("canary").and_then(Value::as_object_mut) {
            canary.remove("held");
        }
    }
    sections
}

fn autopilots() -> Vec<Value> {
    vec![
        json!({
            "mode": "on",
            "steps": ["headers", 5, {"weight": 25, "for": "10m"}, 50, 90],
            "for": "5m",
            "falseAlarm": "0.1%",
            "enough": {"requests": 300, "within": "1h", "else": "hold"},
            "blind": {"after": "30s", "do": "hold"},
            "gates": {"before": [50]},
            "finish": {"after": "1h"},
        }),
        json!({"analysis": {
            "errors": {"worse": 1.5, "above": "0.2%"},
            "slow": {"over": "500ms", "worse": 2, "above": "1%"},
            "orders": {
                "bad": "orders_failed{v=\"{{version}}\"}",
                "total": "orders{v=\"{{version}}\"}",
                "worse": 1.2,
                "above": "0.5%",
            },
        }}),
        json!({"analysis": {
            "errors": false,
            "load": {"query": "load{ns=\"{{namespace}}\"}", "max": 0.8, "for": "1m"},
            "hits": {"query": "hits", "min": 0},
        }}),
        json!({"tests": {
            "smoke": {"webhook": "http://tester.qa.svc/echo?v=2"},
            "browser": {"job": {"image": "registry.example/browser:1", "args": ["echo", 2]}},
            "none": false,
        }}),
    ]
}

fn merge(into: &mut Value, more: Value) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else { return };
    into.extend(more);
}
