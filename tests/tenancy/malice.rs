//! Malice as data: what a policy says, a file, and what is said about it.

use std::collections::BTreeSet;

use coalmine_core::values::{Repository, schema};
use serde_json::Value;

use super::{errors, tree};

/// The policy of the folder `team-a`; its lines have numbers in the messages.
const POLICY: &str = "\
folders:
  team-a:
    namespaces: [team-a, 'team-a-*']
    apiGroups: [example]
    domains: [a.example.com, '*.a.example.com']
    paths: [/team-a, '/shared/{folder}/']
    upstreams: [gloo-system/team-a-vm]
    options: [timeout, shadowing, prefixRewrite]
    upstreamOptions: [outlierDetection, sslConfig]
    podServiceAccounts: [web]
    patch: [/spec/template/spec, /spec/template/metadata/annotations]
    podSecurity: baseline
    webhooks: [tester.a.example.com, '*.{folder}.svc']
";

/// A policy with Gateways, and the platform's own, which no folder may name.
const GATEWAYS: &str = "\
gateway: {profile: kgateway, gateways: [{name: main, namespace: infra}]}
folders:
  team-a:
    {namespaces: [team-a, team-a-b], domains: [a.example.com],
    gateways: [infra/edge, 'team-a/*', 'infra/{folder}-*']}
";

/// A policy with an entry that lists nothing.
const NOTHING: &str = "folders:\n  team-a:\n";

struct Case {
    /// What the file does.
    what: &'static str,
    policy: &'static str,
    file: &'static str,
    /// What the error begins with, and a part of it; nothing when the file is right.
    refusal: Option<(&'static str, &'static str)>,
}

const fn refused(
    what: &'static str,
    file: &'static str,
    at: &'static str,
    part: &'static str,
) -> Case {
    Case { what, policy: POLICY, file, refusal: Some((at, part)) }
}

const fn allowed(what: &'static str, file: &'static str) -> Case {
    Case { what, policy: POLICY, file, refusal: None }
}

/// A file with a token for the canary.
const JWT: &str = "\
namespace: team-a
deployment: {v1: {}, v2: {}}
routes: {ROUTES, canary: {version: v2, jwt: {issuer: a, claims: {b: c}, jwks: {keys: [
  {kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}}}}
";

/// `ROUTES` in a file stands for what every route needs and is allowed.
const CASES: &[Case] = &[
    // What belongs to the team.
    allowed("its own", "namespace: team-a\ndeployment: {v1: {}}\nroutes: {ROUTES}\n"),
    allowed(
        "every harmless key",
        "namespace: team-a-web\nkeep: true\ndrift: report\nadopt: false\nservice: {port: 80, targetPort: http}\n\
         upstream: {outlierDetection: {consecutive5xx: 3}}\n\
         deployment:\n  v1: {replicas: 2, image: a, args: [b], port: 8080, imagePullPolicy: Always, \
         resources: {}, probes: {readiness: false, liveness: {tcpSocket: {port: 1}}, startup: {tcpSocket: {port: 1}}}, \
         labels: {a: b}, annotations: {a: b}, serviceAccountName: web, drain: 3s, env: {A: b}, \
         securityContext: {runAsUser: 1}, podSecurityContext: {runAsNonRoot: true}}\n  v2: {}\n\
         routes: {ROUTES, canary: {version: v2, weight: 5, shadow: 0, headers: {a: {value: b, invert: true}, \
         c: {present: true}, d: {regex: e}}}, split: subset, fallback: none, allowCarveOut: true, \
         options: {timeout: 5s}}\n",
    ),
    allowed(
        "every key of an autopilot",
        "namespace: team-a\ndeployment: {v1: {}, v2: {}}\n\
         routes: {ROUTES, split: upstream, canary: {version: v2, weight: 5, held: a reason}}\n\
         autopilot: {mode: on, steps: [5, {weight: 50, for: 1m}], for: 2m, analysis: {errors: {worse: 2, above: 1%}, \
         slow: {over: 1s}, a: {bad: 'a{{version}}', total: 'b{{version}}'}, b: {query: c, max: 1}, c: {query: d, min: 1}}, \
         tests: {a: {webhook: 'https://Tester.a.example.com:8443/a?b'}, b: {webhook: 'http://c.team-a.svc'}, \
         d: {job: {image: e, args: [f]}}}, falseAlarm: 1%, enough: {requests: 5, within: 1h, else: abort}, \
         blind: {after: 1m, do: hold}, gates: {before: [50]}, finish: {after: 1h}}\n",
    ),
    refused(
        "a webhook to a host of others",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {ROUTES}\n\
         autopilot: {tests: {a: {webhook: 'http://169.254.169.254/latest/meta-data'}}}\n",
        "services/team-a/it.yaml:4:34: autopilot.tests.a.webhook: the host 169.254.169.254 is not allowed here",
        "coalmine.yaml:13 allows tester.a.example.com, *.team-a.svc",
    ),
    refused(
        "a webhook to a host that begins as an allowed one",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {ROUTES}\n\
         autopilot: {tests: {a: {webhook: 'http://tester.a.example.com.evil.example/?.team-a.svc'}}}\n",
        "services/team-a/it.yaml:4:34: autopilot.tests.a.webhook: the host tester.a.example.com.evil.example",
        "`folders.team-a.webhooks`",
    ),
    Case {
        what: "a token for the canary, where it may",
        policy: "gateway: {api: gateway-api, profile: kgateway}\n\
                 folders: {team-a: {namespaces: [team-a], apiGroups: [example], paths: [/team-a], options: [jwt]}}\n",
        file: JWT,
        refusal: None,
    },
    Case {
        what: "a token for the canary",
        policy: "gateway: {api: gateway-api, profile: kgateway}\n\
                 folders: {team-a: {namespaces: [team-a], apiGroups: [example], paths: [/team-a]}}\n",
        file: JWT,
        refusal: Some((
            "services/team-a/it.yaml:3:108: routes.canary.jwt: `jwt` is not allowed here",
            "`folders.team-a.options`",
        )),
    },
    refused(
        "a Gateway of its own choice",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes:\n  apiGroup: example\n  primary: {version: v1}\n  \
         paths: [{prefix: /team-a}]\n  gateway:\n    api: gateway-api\n    profile: envoy-gateway\n    \
         gateways: [{name: edge, namespace: infra, sectionName: http}]\n",
        "services/team-a/it.yaml:8:5: routes.gateway: is not allowed here",
        "coalmine.yaml:2 allows no gateway of a service's own",
    ),
    Case {
        what: "a Gateway that is listed",
        policy: GATEWAYS,
        file: "namespace: team-a\ndeployment: {v1: {}}\nroutes:\n  domains: [a.example.com]\n  primary: {version: v1}\n  \
               gateway: {api: gateway-api, profile: kgateway, gateways: [{name: edge, namespace: infra}, \
               {name: own}, {name: team-a-b, namespace: infra, sectionName: http}]}\n",
        refusal: None,
    },
    Case {
        what: "the API alone, with the platform's Gateways",
        policy: GATEWAYS,
        file: "namespace: team-a\ndeployment: {v1: {}}\nroutes:\n  domains: [a.example.com]\n  primary: {version: v1}\n  \
               gateway: {api: gateway-api}\n",
        refusal: None,
    },
    Case {
        what: "a Gateway that is not listed",
        policy: GATEWAYS,
        file: "namespace: team-a\ndeployment: {v1: {}}\nroutes:\n  domains: [a.example.com]\n  primary: {version: v1}\n  \
               gateway:\n    api: both\n    gateways:\n      - {name: edge, namespace: infra}\n      \
               - {name: private, namespace: infra}\n",
        refusal: Some((
            "services/team-a/it.yaml:10:9: routes.gateway.gateways[1]: the Gateway infra/private",
            "coalmine.yaml:5 allows infra/edge, team-a/*, infra/team-a-*",
        )),
    },
    Case {
        what: "a Gateway of another namespace by its own's name",
        policy: GATEWAYS,
        file: "namespace: team-a-b\ndeployment: {v1: {}}\nroutes:\n  domains: [a.example.com]\n  primary: {version: v1}\n  \
               gateway: {api: gateway-api, gateways: [{name: own}]}\n",
        refusal: Some((
            "services/team-a/it.yaml:6:",
            "the Gateway team-a-b/own is not allowed here, coalmine.yaml:5",
        )),
    },
    allowed(
        "paths below its prefixes",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}, paths: [\
         {prefix: /team-a}, {exact: /team-a/b, methods: [GET], queryParameters: {a: b}}, {regex: '/team-a/x.*', \
         options: {prefixRewrite: /}}, {prefix: /shared/team-a/x}]}\n",
    ),
    allowed(
        "its domains",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {domains: [a.example.com, x.A.example.com, \
         '*.a.example.com'], primary: {version: v1}}\n",
    ),
    allowed(
        "an Upstream that is listed",
        "namespace: team-a\ndeployment: {v1: {external: {upstream: {name: team-a-vm, namespace: gloo-system}}}}\n\
         routes: {ROUTES, split: upstream}\n",
    ),
    allowed(
        "pods that somebody runs",
        "namespace: team-a\ndeployment: {v1: {external: true}}\nroutes: {ROUTES}\n",
    ),
    allowed(
        "a patch where it may",
        "namespace: team-a\ndeployment: {v1: {patch: {spec: {template: {spec: {tolerations: []}}}}}}\n\
         routes: {ROUTES}\n",
    ),
    // namespace
    refused(
        "another team's namespace",
        "namespace: team-b\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:1:12: namespace: the namespace team-b",
        "coalmine.yaml:3 allows team-a, team-a-*",
    ),
    refused(
        "the namespace by the file's name",
        "deployment: {v1: {}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:1:1: namespace: the namespace it ",
        "coalmine.yaml:3",
    ),
    refused(
        "a namespace that begins alike",
        "namespace: team-ab\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:1:12: namespace: ",
        "coalmine.yaml:3",
    ),
    Case {
        what: "kube-system by a wildcard",
        policy: "folders: {team-a: {namespaces: ['*'], apiGroups: ['*'], paths: [/]}}\n",
        file: "namespace: kube-system\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: Some(("services/team-a/it.yaml:1:12: namespace: ", "Kubernetes' own")),
    },
    Case {
        what: "kube-system by its name",
        policy: "folders: {team-a: {namespaces: [kube-system], apiGroups: ['*'], paths: [/]}}\n",
        file: "namespace: kube-system\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: None,
    },
    Case {
        what: "kube-system where no folder has a policy",
        policy: "",
        file: "namespace: kube-system\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: Some(("services/team-a/it.yaml:1:12: namespace: ", "Kubernetes' own")),
    },
    Case {
        what: "kube-node-lease",
        policy: "",
        file: "namespace: kube-node-lease\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: Some(("services/team-a/it.yaml:1:12: namespace: ", "Kubernetes' own")),
    },
    Case {
        what: "kube-public",
        policy: "",
        file: "namespace: kube-public\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: Some(("services/team-a/it.yaml:1:12: namespace: ", "Kubernetes' own")),
    },
    Case {
        what: "Gloo's namespace",
        policy: "gloo: {namespace: edge}\n",
        file: "namespace: edge\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: Some(("services/team-a/it.yaml:1:12: namespace: ", "Gloo's")),
    },
    Case {
        what: "the daemon's namespace",
        policy: "daemon: {namespace: rollouts}\n",
        file: "namespace: rollouts\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: Some(("services/team-a/it.yaml:1:12: namespace: ", "the daemon's")),
    },
    // adopt
    refused(
        "objects of others",
        "namespace: team-a\nadopt: true\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:2:8: adopt: ",
        "coalmine.yaml:2",
    ),
    Case {
        what: "objects of others, allowed",
        policy: "folders: {team-a: {namespaces: [team-a], apiGroups: [example], paths: [/team-a], adopt: true}}\n",
        file: "namespace: team-a\nadopt: true\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: None,
    },
    // routes
    refused(
        "another apiGroup",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {apiGroup: internal, primary: {version: v1}, \
         paths: [{prefix: /team-a}]}\n",
        "services/team-a/it.yaml:3:20: routes.apiGroup: the apiGroup internal",
        "coalmine.yaml:4 allows example",
    ),
    refused(
        "another team's domain",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {primary: {version: v1}, domains: [a.example.com, b.example.com]}\n",
        "services/team-a/it.yaml:3:59: routes.domains[1]: the domain b.example.com",
        "coalmine.yaml:5",
    ),
    refused(
        "every domain",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {primary: {version: v1}, domains: ['*']}\n",
        "services/team-a/it.yaml:3:44: routes.domains[0]: the domain *",
        "coalmine.yaml:5",
    ),
    refused(
        "domains that end alike",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {primary: {version: v1}, domains: ['*a.example.com']}\n",
        "services/team-a/it.yaml:3:44: routes.domains[0]: ",
        "coalmine.yaml:5",
    ),
    refused(
        "the path by the file's name",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}}\n",
        "services/team-a/it.yaml:3:9: routes.paths.prefix: the prefix path \"/it\"",
        "coalmine.yaml:6 allows /team-a, /shared/team-a/",
    ),
    refused(
        "every path",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}, paths: [{prefix: /}]}\n",
        "services/team-a/it.yaml:3:70: routes.paths[0].prefix: the prefix path \"/\"",
        "coalmine.yaml:6",
    ),
    refused(
        "a path that begins alike",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}, paths: [{prefix: /team-ab}]}\n",
        "services/team-a/it.yaml:3:70: routes.paths[0].prefix: ",
        "coalmine.yaml:6",
    ),
    refused(
        "an expression for all",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}, paths: [{regex: '/team-a/.*|/.*'}]}\n",
        "services/team-a/it.yaml:3:69: routes.paths[0].regex: ",
        "coalmine.yaml:6",
    ),
    refused(
        "an expression that is longer than its prefix",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}, paths: [{regex: '/team-a.*'}]}\n",
        "services/team-a/it.yaml:3:69: routes.paths[0].regex: ",
        "coalmine.yaml:6",
    ),
    refused(
        "dots behind escapes",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}, paths: [{exact: /team-a/%2e%2E/login}]}\n",
        "services/team-a/it.yaml:3:69: routes.paths[0].exact: ",
        "coalmine.yaml:6",
    ),
    refused(
        "the folder of a prefix that ends with a slash",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}, paths: [{prefix: /shared/team-a}]}\n",
        "services/team-a/it.yaml:3:70: routes.paths[0].prefix: ",
        "coalmine.yaml:6",
    ),
    refused(
        "a route option",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {ROUTES, options: {extauth: {disable: true}}}\n",
        "services/team-a/it.yaml:3:",
        "routes.options.extauth: the route option \"extauth\" is not allowed here, coalmine.yaml:8",
    ),
    refused(
        "a route option of one path",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}, paths: [\
         {prefix: /team-a, options: {hostRewrite: b}}]}\n",
        "services/team-a/it.yaml:3:",
        "routes.paths[0].options.hostRewrite: ",
    ),
    refused(
        "a function of a REST Upstream",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}, paths: [\
         {prefix: /team-a, rest: {functionName: f, parameters: {path: b}}}]}\n",
        "services/team-a/it.yaml:3:",
        "routes.paths[0].rest: `rest` is not allowed here, coalmine.yaml:8",
    ),
    refused(
        "copies of requests to another team",
        "namespace: team-a\ndeployment: {v1: {}}\nroutes: {ROUTES, options: {shadowing: {percentage: 100, \
         upstream: {name: payments, namespace: payments}}}}\n",
        "services/team-a/it.yaml:3:",
        "routes.options.shadowing.upstream: payments/payments of others is not allowed here, coalmine.yaml:7",
    ),
    // upstream
    refused(
        "another team's Upstream",
        "namespace: team-a\ndeployment: {v1: {external: {upstream: {name: payments, namespace: payments}}}}\n\
         routes: {ROUTES, split: upstream}\n",
        "services/team-a/it.yaml:2:",
        "deployment.v1.external.upstream: payments/payments of others is not allowed here, coalmine.yaml:7",
    ),
    refused(
        "an Upstream in a shared namespace",
        "namespace: team-a\ndeployment: {v1: {external: {upstream: {name: payments}}}}\nroutes: {ROUTES, split: upstream}\n",
        "services/team-a/it.yaml:2:",
        "team-a/payments of others",
    ),
    refused(
        "a field of an Upstream",
        "namespace: team-a\nupstream: {httpProxyHostname: b}\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:2:31: upstream.httpProxyHostname: ",
        "coalmine.yaml:9",
    ),
    refused(
        "another team's secret",
        "namespace: team-a\nupstream: {sslConfig: {secretRef: {name: tls, namespace: payments}}}\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:2:",
        "upstream.sslConfig.secretRef: payments/tls of others",
    ),
    // pods
    refused(
        "another service account",
        "namespace: team-a\ndeployment: {v1: {serviceAccountName: admin}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:2:39: deployment.v1.serviceAccountName: the service account admin",
        "coalmine.yaml:10 allows web",
    ),
    refused(
        "another service account by a patch",
        "namespace: team-a\ndeployment:\n  v1:\n    patch: {spec: {template: {spec: {serviceAccountName: admin}}}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:4:",
        "deployment.v1.patch.spec.template.spec.serviceAccountName: the service account admin",
    ),
    refused(
        "another service account by the field of old",
        "namespace: team-a\ndeployment:\n  v1:\n    patch: {spec: {template: {spec: {serviceAccount: admin}}}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:4:",
        "deployment.v1.patch.spec.template.spec.serviceAccount: the service account admin",
    ),
    refused(
        "a patch where it may not",
        "namespace: team-a\ndeployment:\n  v1:\n    patch: {spec: {progressDeadlineSeconds: 1}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:4:20: deployment.v1.patch.spec.progressDeadlineSeconds: a patch",
        "coalmine.yaml:11",
    ),
    refused(
        "a patch that removes what is above",
        "namespace: team-a\ndeployment:\n  v1:\n    patch: {spec: {template: {metadata: {finalizers: [a]}}}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:4:",
        "/spec/template/metadata/finalizers",
    ),
    refused(
        "the node's files",
        "namespace: team-a\ndeployment:\n  v1:\n    patch: {spec: {template: {spec: {volumes: [{name: a, hostPath: {path: /}}]}}}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:4:",
        "spec.volumes[0].hostPath of the pods does not meet the Pod Security Standard baseline of coalmine.yaml:12",
    ),
    refused(
        "the node's network",
        "namespace: team-a\ndeployment:\n  v1:\n    patch: {spec: {template: {spec: {hostNetwork: true}}}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:4:",
        "spec.hostNetwork of the pods",
    ),
    refused(
        "a privileged container",
        "namespace: team-a\ndeployment:\n  v1:\n    securityContext: {privileged: true}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:4:35: deployment.v1.securityContext.privileged: spec.containers[0]",
        "coalmine.yaml:12",
    ),
    refused(
        "sysctls",
        "namespace: team-a\ndeployment:\n  v1:\n    podSecurityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:4:",
        "spec.securityContext.sysctls[0].name",
    ),
    refused(
        "a probe that asks the cloud's metadata",
        "namespace: team-a\ndeployment:\n  v1:\n    probes: {readiness: {httpGet: {port: 80, host: 169.254.169.254}}}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:4:",
        "spec.containers[0].readinessProbe.httpGet.host",
    ),
    refused(
        "no AppArmor by an annotation",
        "namespace: team-a\ndeployment:\n  v1:\n    annotations: {container.apparmor.security.beta.kubernetes.io/it-v1: unconfined}\nroutes: {ROUTES}\n",
        "services/team-a/it.yaml:4:",
        "metadata.annotations[container.apparmor",
    ),
    // The whole policy.
    Case {
        what: "a folder that may do nothing",
        policy: NOTHING,
        file: "namespace: team-a\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: Some(("services/team-a/it.yaml:1:12: namespace: ", "coalmine.yaml:2 allows none")),
    },
    Case {
        what: "a folder without an entry",
        policy: "folders:\n  team-b: {namespaces: [team-b]}\n",
        file: "namespace: team-a\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: Some(("services/team-a/it.yaml:1:1: ", "since coalmine.yaml:2")),
    },
    Case {
        what: "pods that are not hardened",
        policy: "folders: {team-a: {namespaces: [team-a], apiGroups: [example], paths: [/team-a], podSecurity: restricted}}\n",
        file: "namespace: team-a\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: Some(("services/team-a/it.yaml:2:", "allowPrivilegeEscalation")),
    },
    Case {
        what: "pods that are hardened",
        policy: "folders: {team-a: {namespaces: [team-a], apiGroups: [example], paths: [/team-a], podSecurity: restricted}}\n",
        file: "namespace: team-a\ndeployment: {v1: {securityContext: {allowPrivilegeEscalation: false, capabilities: \
               {drop: [ALL]}}, podSecurityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}}}\n\
               routes: {ROUTES}\n",
        refusal: None,
    },
    Case {
        what: "what the platform team's defaults say",
        policy: "defaults: {deployment: {serviceAccountName: base, patch: {spec: {progressDeadlineSeconds: 9}}}, \
                 upstream: {useHttp2: true}, routes: {apiGroup: example, options: {retries: {numRetries: 1}}}}\n\
                 folders: {team-a: {namespaces: [team-a], paths: [/team-a]}}\n",
        file: "namespace: team-a\ndeployment: {v1: {}}\nroutes: {primary: {version: v1}, paths: [{prefix: /team-a}]}\n",
        refusal: None,
    },
    Case {
        what: "more in what the defaults say",
        policy: "defaults: {routes: {apiGroup: example, options: {retries: {numRetries: 1}}}}\n\
                 folders: {team-a: {namespaces: [team-a], paths: [/team-a]}}\n",
        file: "namespace: team-a\ndeployment: {v1: {}}\nroutes: {primary: {version: v1}, paths: [{prefix: /team-a}], \
               options: {retries: {retryOn: 5xx}}}\n",
        refusal: Some(("services/team-a/it.yaml:3:", "routes.options.retries")),
    },
    Case {
        what: "every folder's own by a wildcard",
        policy: "folders: {'*': {namespaces: ['{folder}'], apiGroups: [example], paths: ['/{folder}']}}\n",
        file: "namespace: team-a\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: None,
    },
    Case {
        what: "another folder's by a wildcard",
        policy: "folders: {'*': {namespaces: ['{folder}'], apiGroups: [example], paths: ['/{folder}']}}\n",
        file: "namespace: team-b\ndeployment: {v1: {}}\nroutes: {ROUTES}\n",
        refusal: Some((
            "services/team-a/it.yaml:1:12: namespace: ",
            "coalmine.yaml:1 allows team-a",
        )),
    },
];

fn file(case: &Case) -> String {
    let routes = "apiGroup: example, primary: {version: v1}, paths: [{prefix: /team-a}]";
    case.file.replace("ROUTES", routes)
}

#[test]
fn each_file_is_judged_by_its_folders_policy() {
    let mut wrong = Vec::new();
    for case in CASES {
        let file = file(case);
        let files = [("coalmine.yaml", case.policy), ("services/team-a/it.yaml", &*file)];
        let errors = errors(&Repository::parse(&tree(&files)));
        let found = errors.get("it").map(String::as_str);
        let fits = match (found, case.refusal) {
            (None, None) => true,
            (Some(found), Some((at, part))) => found.starts_with(at) && found.contains(part),
            _ => false,
        };
        if !fits {
            wrong.push(format!("{}: {found:?}, expected {:?}", case.what, case.refusal));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_key_of_the_values_is_tried() {
    fn add(schema: &Value, names: &mut BTreeSet<String>) {
        match schema {
            Value::Object(map) => {
                let named = map.get("properties").and_then(Value::as_object);
                names.extend(named.into_iter().flatten().map(|(name, _)| name.clone()));
                map.values().for_each(|below| add(below, names));
            }
            Value::Array(items) => items.iter().for_each(|item| add(item, names)),
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    add(&schema::service(), &mut names);
    // Of a patch's schema, and never allowed.
    for identity in ["apiVersion", "kind", "selector"] {
        assert!(names.remove(identity), "{identity}");
    }
    let files: String = CASES.iter().map(file).collect();
    let missing: Vec<_> =
        names.iter().filter(|name| !files.contains(&format!("{name}:"))).collect();
    assert!(names.len() > 40 && missing.is_empty(), "of {}: {missing:?}", names.len());
}

#[test]
fn the_most_specific_entry_holds_alone() {
    let policy = "\
folders:
  '*': {namespaces: ['{folder}'], apiGroups: [example], paths: ['/{folder}']}
  team-a: {namespaces: [shop], apiGroups: [example], paths: [/shop]}
  team-a/web: {namespaces: [web], apiGroups: [example], paths: [/web]}
";
    let file = |namespace: &str| {
        let paths = format!("[{{prefix: /{namespace}}}]");
        format!(
            "namespace: {namespace}\ndeployment: {{v1: {{}}}}\n\
             routes: {{apiGroup: example, primary: {{version: v1}}, paths: {paths}}}\n"
        )
    };
    for (path, namespace, is_right) in [
        ("services/team-b/it.yaml", "team-b", true),
        ("services/team-b/web/it.yaml", "team-b", true),
        ("services/team-b/web/it.yaml", "web", false),
        ("services/team-a/it.yaml", "shop", true),
        ("services/team-a/it.yaml", "team-a", false),
        ("services/team-a/x/it.yaml", "shop", true),
        ("services/team-a/web/it.yaml", "web", true),
        ("services/team-a/web/deep/it.yaml", "web", true),
        ("services/team-a/web/it.yaml", "shop", false),
        ("services/team-a/website/it.yaml", "shop", true),
        // A name that is no name of a namespace has no entry by `*`.
        ("services/Team-a/it.yaml", "shop", false),
        ("services/*/it.yaml", "team-b", false),
        // In no folder.
        ("services/it.yaml", "team-b", true),
    ] {
        let file = file(namespace);
        let errors = errors(&Repository::parse(&tree(&[("coalmine.yaml", policy), (path, &file)])));
        assert_eq!(errors.is_empty(), is_right, "{path} {namespace}: {errors:?}");
    }
    let policy = "folders: {'.': {namespaces: [a]}}\n";
    let file = file("b");
    let found = errors(&Repository::parse(&tree(&[
        ("coalmine.yaml", policy),
        ("services/it.yaml", &file),
    ])));
    assert!(found["it"].contains("coalmine.yaml:1 allows a"), "{found:?}");
}

#[test]
fn mistakes_in_a_policy_are_errors_with_their_line() {
    for (policy, expected) in [
        (
            "folders: {../x: {}}",
            "coalmine.yaml:1:11: folders.../x: \"../x\" is no folder below services/",
        ),
        ("folders: {platform/..: }", "coalmine.yaml:1:11: folders.platform/..: "),
        ("folders: {/x: }", "coalmine.yaml:1:11: folders./x: "),
        (
            "folders: {a: {namespace: [b]}}",
            "coalmine.yaml:1:15: folders.a.namespace: unknown key; did you mean `namespaces`?",
        ),
        (
            "folders: {a: {namespaces: b}}",
            "coalmine.yaml:1:27: folders.a.namespaces: expected a list",
        ),
        (
            "folders: {a: {namespaces: [B]}}",
            "coalmine.yaml:1:28: folders.a.namespaces[0]: expected a namespace",
        ),
        (
            "folders: {a: {namespaces: ['{folders}']}}",
            "coalmine.yaml:1:28: folders.a.namespaces[0]: expected a namespace",
        ),
        ("folders: {a: {paths: [b]}}", "coalmine.yaml:1:23: folders.a.paths[0]: expected a prefix"),
        (
            "folders: {a: {paths: ['/a/*']}}",
            "coalmine.yaml:1:23: folders.a.paths[0]: expected a prefix",
        ),
        (
            "folders: {a: {paths: ['/a/../b']}}",
            "coalmine.yaml:1:23: folders.a.paths[0]: expected a prefix",
        ),
        (
            "folders: {a: {domains: ['a.*.b']}}",
            "coalmine.yaml:1:25: folders.a.domains[0]: expected a domain",
        ),
        (
            "folders: {a: {upstreams: [b]}}",
            "coalmine.yaml:1:27: folders.a.upstreams[0]: expected an Upstream",
        ),
        (
            "folders: {a: {patch: [spec]}}",
            "coalmine.yaml:1:23: folders.a.patch[0]: expected a JSON pointer",
        ),
        (
            "folders: {a: {podSecurity: strict}}",
            "coalmine.yaml:1:28: folders.a.podSecurity: expected restricted, baseline or privileged",
        ),
    ] {
        let read = Repository::parse(&tree(&[("coalmine.yaml", policy)]));
        let found = read.problems.first().map(ToString::to_string).unwrap_or_default();
        assert!(found.starts_with(expected), "{policy}: {found}");
    }
}
