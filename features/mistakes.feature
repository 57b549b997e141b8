Feature: Mistakes stay where they are made
  A mistake is reported with its place and its remedy. It stops its own service only, and what the cluster
  has stays applied.

  Scenario: A values file with a mistake changes nothing, and the other team goes on
    Given coalmine follows the example rollouts
    And echo is Stable
    And foxtrot is Stable
    And every request to "/echo" is answered by echo-v1
    And every request to "/foxtrot" is answered by foxtrot-v1
    And constant load on "/echo"
    And constant load on "/foxtrot"
    Then each of these mistakes in "services/echo.yaml" is told and changes nothing of echo:
      | values                                                                                                                         | told                                      |
      | deployment: [                                                                                                                  | services/echo.yaml:                       |
      | deployment: {deployment: {v1: {}}}⏎routes: {apiGroup: example, primary: {version: v1}}                                          | services/echo.yaml:1:14: deployment       |
      | deployment: {v1: {}, v2: {}}⏎routes:⏎  apiGroup: example⏎  primary: {version: v1}⏎  canary: {version: v2, weight: 150}           | services/echo.yaml:5:33: routes.canary.weight |
      | deployment: {v1: {}, v2: {}}⏎routes:⏎  apiGroup: example⏎  primary: {version: v1}⏎  canary: {version: v2, weight: "50"}          | services/echo.yaml:5:33: routes.canary.weight |
      | deployment: {v1: {}, v2: {}}⏎routes:⏎  apiGroup: example⏎  primary: {version: v1}⏎  canary: {version: v2, weight: 33.3}          | services/echo.yaml:5:33: routes.canary.weight |
      | deployment: {v1: {}}⏎routes:⏎  apiGroup: example⏎  primary: {version: v1}⏎  canary: {version: v2}                                | services/echo.yaml:5:21: routes.canary.version |
      | deployment: {v1: {}}⏎deployment: {v1: {}}⏎routes: {apiGroup: example, primary: {version: v1}}                                    | services/echo.yaml:2:1: deployment        |
      | deployment: {v1: {}, v2: {}}⏎routes:⏎  apiGroup: example⏎  primary: {version: v1}⏎  cannary: {version: v2}                       | canary                                    |
    When the foxtrot team pushes "services/foxtrot.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    Then foxtrot is Shifting
    And the requests to "/foxtrot" are answered by:
      | foxtrot-v1 | 50 |
      | foxtrot-v2 | 50 |
    And every request to "/echo" is answered by echo-v1
    And no request of the load has failed

  @gloo-objects
  Scenario: Two teams claim one path
    Given coalmine follows the example rollouts
    And foxtrot is Stable
    When somebody of the echo team applies by hand:
      """
      apiVersion: gateway.solo.io/v1
      kind: RouteTable
      metadata: {name: golf, namespace: echo, labels: {apiGroup: example}}
      spec:
        routes:
          - matchers: [{prefix: /golf}]
            directResponseAction: {status: 200, body: "version:by-hand"}
      """
    Then every request to "/golf" is answered by by-hand
    When the golf team pushes "services/golf.yaml":
      """
      namespace: foxtrot
      deployment: {v1: {}}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then golf is stalled because of "RouteTable echo/golf"
    And every request to "/golf" is answered by by-hand
    And the Deployment foxtrot/golf-v1 is gone

  @gateway-api
  Scenario: Two teams claim one path of the Gateway API
    Given coalmine follows the example rollouts
    And echo is Stable
    And foxtrot is Stable
    And somebody of the echo team applies by hand:
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: golf, namespace: echo}
      spec:
        parentRefs: [{name: public, namespace: gateways}]
        rules:
          - matches: [{path: {type: PathPrefix, value: /golf}}]
            backendRefs: [{name: echo, port: 80}]
      """
    Then every request to "/golf" is answered by echo-v1
    When the golf team pushes "services/golf.yaml":
      """
      namespace: foxtrot
      deployment: {v1: {}}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then golf is stalled because of "HTTPRoute echo/golf"
    And golf is stalled because of "no route was changed: services/golf.yaml:3:"
    And every request to "/golf" is answered by echo-v1
    And the Deployment foxtrot/golf-v1 is gone

  @gateway-api
  Scenario Outline: An HTTPRoute with <mistake> is refused before it is written, and others go on
    Given coalmine follows the example rollouts
    And echo is Stable
    And foxtrot is Stable
    And every request to "/foxtrot" is answered by foxtrot-v1
    And constant load on "/echo"
    And constant load on "/foxtrot"
    When the platform team pushes "platform/mistake.yaml":
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: mistake, namespace: echo}
      spec:
        parentRefs: [{name: public, namespace: gateways}]
        rules:
          - matches: [{path: <path>}]
            backendRefs: <backends>
      """
    Then platform is stalled because of "no route was changed: <told>"
    When the foxtrot team pushes "services/foxtrot.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    Then foxtrot is Shifting
    And the requests to "/foxtrot" are answered by:
      | foxtrot-v1 | 50 |
      | foxtrot-v2 | 50 |
    And every request to "/echo" is answered by echo-v1
    And no request of the load has failed

    Examples:
      | mistake          | path                                               | backends                                                                  | told                   |
      | a look-ahead     | {type: RegularExpression, value: "/mistake/(?=a)"} | [{name: echo, port: 80}]                                                  | HTTPRoute echo/mistake |
      | a port of nobody | {type: PathPrefix, value: /mistake}                | [{name: echo, port: 81}]                                                  | HTTPRoute echo/mistake |
      | no weight        | {type: PathPrefix, value: /mistake}                | [{name: echo, port: 80, weight: 0}, {name: echo-v1, port: 80, weight: 0}] | HTTPRoute echo/mistake |
      | another's path   | {type: PathPrefix, value: /foxtrot}                | [{name: echo, port: 80}]                                                  | the path /foxtrot      |

  Scenario: An object that somebody else made is not touched
    Given coalmine follows a new repository
    And the platform team serves the routes of all teams
    And somebody of the echo team applies by hand:
      """
      apiVersion: v1
      kind: Service
      metadata: {name: echo, namespace: echo}
      spec: {ports: [{port: 80}], selector: {app: another}}
      """
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then echo is stalled because of "Service echo/echo exists and was not made by coalmine"
    And the Deployment echo/echo-v1 is gone
    When the echo team pushes "services/echo.yaml":
      """
      adopt: true
      deployment: {v1: {}}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then echo is Stable

  Scenario: What the API server refuses is refused before anything is written
    Given coalmine follows the example rollouts
    And echo is Stable
    When the echo team pushes "services/echo.yaml":
      """
      deployment:
        v1: {}
        v2: {patch: {spec: {template: {spec: {nodeSelektor: {disk: ssd}}}}}}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then echo is stalled because of "nodeSelektor"
    When the echo team pushes "services/echo.yaml":
      """
      deployment:
        v1: {patch: {spec: {template: {spec: {nodeSelektor: {disk: ssd}}}}}}
        v2: {}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then echo is stalled because of "nodeSelektor"
    And every request to "/echo" is answered by echo-v1
    When the golf team pushes "services/golf.yaml":
      """
      namespace: echo
      deployment:
        v1: {}
        v2:
          patch:
            spec:
              template:
                spec:
                  containers:
                    - {name: golf-v2, image: golf, env: [{name: COLOUR, value: red}, {name: COLOUR}]}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then golf is stalled because of "refused by the API server: failed to create typed patch object"
    And the Deployment echo/golf-v1 is gone

  @local
  Scenario: Routes that the gateway alone rejects are rolled back
    Given coalmine follows the example rollouts, and the gateway rejects routes of echo to v2
    And echo is Stable
    And every request to "/echo" is answered by echo-v1
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 100}
      """
    Then echo is stalled because of "v2 is not for everybody"
    And every request to "/echo" is answered by echo-v1
    And foxtrot is Stable

  @api-server-address
  Scenario: The API server is down when the daemon starts
    Given coalmine follows the example rollouts through an API server that is down
    Then the source says "cannot reach the API server"
    When the API server is up again
    Then echo is Stable
    And every request to "/echo" is answered by echo-v1
