@two-gateways
Feature: From Gloo to the Gateway API
  Both gateways serve the same pods while the clients of a service move from one to the other. Each step is a
  commit, each can be taken back, and no request is lost.

  Background:
    Given coalmine reads what the proxies of both gateways count
    And coalmine follows the example rollouts
    And the other gateway serves the routes of the example
    And the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 25, headers: {stage: canary}}
      """
    And the foxtrot team pushes "services/foxtrot.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 25, headers: {stage: canary}}
      """
    And echo is Shifting
    And foxtrot is Shifting

  Scenario: Two services with a canary at 25 % move to the other gateway, and back
    Given somebody of the shop team applies by hand:
      """
      apiVersion: gateway.solo.io/v1
      kind: RouteTable
      metadata: {name: shop, namespace: echo, labels: {apiGroup: shop}}
      spec:
        routes:
          - matchers: [{prefix: /shop}]
            directResponseAction: {status: 200, body: shop}
      """
    And somebody of the shop team applies by hand:
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: shop, namespace: echo}
      spec:
        hostnames: [shop.example]
        parentRefs: [{name: public, namespace: gateways}]
        rules: [{backendRefs: [{name: echo, port: 8080}]}]
      """
    And everything that was applied by hand is known
    And the requests to "/echo" are answered by:
      | echo-v1 | 75 |
      | echo-v2 | 25 |
    And constant load on "/echo"
    And constant load on "/foxtrot"

    When the platform team pushes "coalmine.yaml" with the api both
    Then echo is Shifting
    And foxtrot is Shifting
    And Gloo accepts the RouteTable echo/echo-routes
    And Gloo accepts the RouteTable foxtrot/foxtrot-routes
    And the other gateway accepts the HTTPRoute echo/echo-routes
    And the other gateway accepts the HTTPRoute foxtrot/foxtrot-routes
    And the requests to "/echo" through both gateways are answered by:
      | echo-v1 | 75 |
      | echo-v2 | 25 |
    And the requests to "/foxtrot" through both gateways are answered by:
      | foxtrot-v1 | 75 |
      | foxtrot-v2 | 25 |
    And every request to "/echo" with the header "stage: canary" through both gateways is answered by echo-v2
    And every request to "/foxtrot" with the header "stage: canary" through both gateways is answered by foxtrot-v2

    Given constant load on "/echo" through the other gateway
    And constant load on "/foxtrot" through the other gateway
    Then requests of echo come by gloo and gateway-api
    And requests of foxtrot come by gloo and gateway-api
    When "kubectl-label" changes the RouteTable echo/echo-routes:
      """
      metadata: {labels: {app.kubernetes.io/managed-by: somebody}}
      """
    And "kubectl-label" changes the HTTPRoute echo/echo-routes:
      """
      metadata: {labels: {app.kubernetes.io/managed-by: somebody}}
      """
    Then the RouteTable echo/echo-routes has "coalmine" at "/metadata/labels/app.kubernetes.io~1managed-by"
    And the HTTPRoute echo/echo-routes has "coalmine" at "/metadata/labels/app.kubernetes.io~1managed-by"

    When the clients of "/echo" move to the other gateway
    Then requests of foxtrot come by gloo and gateway-api
    When somebody runs "coalmine wait echo --no-requests-by gateway-api --quiet 2s --timeout 4s"
    Then it ends with 3 and says "no request by gateway-api since"
    When somebody runs "coalmine wait echo --no-requests-by gloo --quiet 2s"
    Then it ends with 0 and says "no requests by gloo for 2 s"
    When somebody runs "coalmine status echo"
    Then it ends with 0 and says "requests by gloo: none for"
    When the clients of "/foxtrot" move to the other gateway
    And the platform team pushes "coalmine.yaml" with the api gateway-api
    Then echo is Shifting
    And foxtrot is Shifting
    And the requests of echo are not measured
    And no RouteTable of echo is left
    And no Upstream of echo is left
    And no RouteTable of foxtrot is left
    And no Upstream of foxtrot is left
    And every request to "/echo" is answered with 404
    And the requests to "/echo" through the other gateway are answered by:
      | echo-v1 | 75 |
      | echo-v2 | 25 |
    And the requests to "/foxtrot" through the other gateway are answered by:
      | foxtrot-v1 | 75 |
      | foxtrot-v2 | 25 |
    And every request to "/echo" with the header "stage: canary" through the other gateway is answered by echo-v2

    When the platform team pushes "coalmine.yaml" with the api both
    Then echo is Shifting
    And foxtrot is Shifting
    And the requests to "/echo" through both gateways are answered by:
      | echo-v1 | 75 |
      | echo-v2 | 25 |
    And every request to "/echo" with the header "stage: canary" through both gateways is answered by echo-v2
    When the clients of "/echo" move to Gloo
    And the clients of "/foxtrot" move to Gloo
    And the platform team pushes "coalmine.yaml" with the api gloo
    Then echo is Shifting
    And foxtrot is Shifting
    And no HTTPRoute of echo is left
    And no HTTPRoute of foxtrot is left
    And the requests to "/echo" are answered by:
      | echo-v1 | 75 |
      | echo-v2 | 25 |
    And every request to "/echo" with the header "stage: canary" is answered by echo-v2
    And the requests of each load on "/echo" were answered by:
      | echo-v1 | 75 |
      | echo-v2 | 25 |
    And the requests of each load on "/foxtrot" were answered by:
      | foxtrot-v1 | 75 |
      | foxtrot-v2 | 25 |
    And no request of the load has failed
    And nothing of others has changed

  Scenario: One service moves, and its rollout goes on while both gateways serve it
    Given the platform team pushes "coalmine.yaml" with the api gloo
    And constant load on "/echo"
    And constant load on "/foxtrot"
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        gateway: {api: both}
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 25, headers: {stage: canary}}
      """
    Then echo is Shifting
    And the requests to "/echo" through both gateways are answered by:
      | echo-v1 | 75 |
      | echo-v2 | 25 |
    Given constant load on "/echo" through the other gateway
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        gateway: {api: both}
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 100, headers: {stage: canary}}
      """
    Then echo is Shifted
    And every request to "/echo" through both gateways is answered by echo-v2
    When the clients of "/echo" move to the other gateway
    And the echo team pushes "services/echo.yaml":
      """
      deployment: {v2: {}}
      routes:
        gateway: {api: gateway-api}
        apiGroup: example
        primary: {version: v2}
      """
    Then echo is Stable
    And no RouteTable of echo is left
    And the Deployment echo/echo-v1 is gone
    And every request to "/echo" through the other gateway is answered by echo-v2
    And no HTTPRoute of foxtrot is left
    And the requests to "/foxtrot" are answered by:
      | foxtrot-v1 | 75 |
      | foxtrot-v2 | 25 |
    And no request of the load has failed

  Scenario: What somebody changes is repaired in the objects of both APIs
    Given the platform team pushes "coalmine.yaml" with the api both
    And echo is Shifting
    When "kubectl-edit" changes the RouteTable echo/echo-routes:
      """
      spec: {routes: [{matchers: [{prefix: /elsewhere}], directResponseAction: {status: 204}}]}
      """
    Then coalmine's log says "RouteTable echo/echo-routes was changed: kubectl-edit made /spec/routes"
    When "kubectl-edit" changes the HTTPRoute echo/echo-routes:
      """
      spec: {rules: [{matches: [{path: {type: PathPrefix, value: /elsewhere}}]}]}
      """
    Then coalmine's log says "HTTPRoute echo/echo-routes was changed: kubectl-edit made /spec/rules"
    And the HTTPRoute echo/echo-routes has "canary" at "/spec/rules/1/matches/0/headers/0/value"
    When somebody deletes the RouteTable echo/echo-routes
    Then coalmine's log says "RouteTable echo/echo-routes was deleted; repaired"
    And Gloo accepts the RouteTable echo/echo-routes
    When somebody deletes the HTTPRoute echo/echo-routes
    Then coalmine's log says "HTTPRoute echo/echo-routes was deleted; repaired"
    And the other gateway accepts the HTTPRoute echo/echo-routes
    When somebody deletes the Service echo/echo-v2
    Then coalmine's log says "Service echo/echo-v2 was deleted; repaired"
    And the requests to "/echo" through both gateways are answered by:
      | echo-v1 | 75 |
      | echo-v2 | 25 |
