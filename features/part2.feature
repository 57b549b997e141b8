Feature: Part 2. Two teams behind one domain
  The platform team owns the domain, each team owns its routes. Teams roll out side by side, and one
  team's mistake stays with that team.

  Background:
    Given coalmine follows a new repository
    And the platform team pushes "platform/namespaces.yaml":
      """
      apiVersion: v1
      kind: Namespace
      metadata: {name: echo}
      ---
      apiVersion: v1
      kind: Namespace
      metadata: {name: foxtrot}
      """
    And the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
      """
    And the foxtrot team pushes "services/foxtrot.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
      """

  Scenario: Route tables by reference, and two canaries at the same time
    When the platform team pushes "platform/virtual-service.yaml":
      """
      apiVersion: gateway.solo.io/v1
      kind: VirtualService
      metadata: {name: app, namespace: gloo-system}
      spec:
        virtualHost:
          domains: ["*"]
          routes:
            - matchers: [{prefix: /echo}]
              delegateAction: {ref: {name: echo-routes, namespace: echo}}
            - matchers: [{prefix: /foxtrot}]
              delegateAction: {ref: {name: foxtrot-routes, namespace: foxtrot}}
      """
    Then echo is Stable
    And foxtrot is Deployed
    And every request to "/echo" is answered by echo-v1
    And every request to "/foxtrot" is answered by foxtrot-v1

    Given constant load on "/echo"
    And constant load on "/foxtrot"
    When the foxtrot team pushes "services/foxtrot.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, headers: {stage: canary}}
      """
    And the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 25, headers: {stage: canary}}
      """
    Then foxtrot is CanaryTest
    And echo is Shifting
    And every request to "/foxtrot" is answered by foxtrot-v1
    And every request to "/foxtrot" with the header "stage: canary" is answered by foxtrot-v2
    And every request to "/echo" with the header "stage: canary" is answered by echo-v2
    And the requests to "/echo" are answered by:
      | echo-v1 | 75 |
      | echo-v2 | 25 |
    And no request of the load has failed

  @gloo-objects
  Scenario: foxtrot finishes its rollout while a table of the echo team is broken
    Given the platform team pushes "platform/virtual-service.yaml":
      """
      apiVersion: gateway.solo.io/v1
      kind: VirtualService
      metadata: {name: app, namespace: gloo-system}
      spec:
        virtualHost:
          domains: ["*"]
          routes:
            - matchers: [{prefix: /echo}]
              delegateAction: {selector: {namespaces: [echo]}}
            - matchers: [{prefix: /foxtrot}]
              delegateAction: {selector: {namespaces: [foxtrot]}}
      """
    And every request to "/echo" is answered by echo-v1
    And every request to "/foxtrot" is answered by foxtrot-v1
    And constant load on "/echo"
    And constant load on "/foxtrot"

    When somebody of the echo team applies by hand:
      """
      apiVersion: gateway.solo.io/v1
      kind: RouteTable
      metadata: {name: echo-typo, namespace: echo}
      spec:
        weight: -1
        routes:
          - matchers: [{prefix: /echo, headers: [{name: stage, value: canary}]}]
            routeAction:
              single:
                upstream: {name: echo-typo, namespace: gloo-system}
                subset: {values: {version: v2}}
      """
    Then Gloo has a warning for the VirtualService gloo-system/app that names "echo-typo"
    And every request to "/echo" with the header "stage: canary" is answered with 503
    And every request to "/echo" is answered by echo-v1

    When the foxtrot team pushes "services/foxtrot.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 100, headers: {stage: canary}}
      """
    Then foxtrot is Shifted
    And every request to "/foxtrot" is answered by foxtrot-v2

    When the platform team lets Gloo replace invalid routes by 404 "run glooctl check"
    Then every request to "/echo" with the header "stage: canary" is answered with 404 "run glooctl check"
    And every request to "/echo" is answered by echo-v1

    When the foxtrot team pushes "services/foxtrot.yaml":
      """
      deployment: {v2: {}}
      routes:
        apiGroup: example
        primary: {version: v2}
      """
    Then foxtrot is Stable
    And every request to "/foxtrot" is answered by foxtrot-v2
    And the Deployment foxtrot/foxtrot-v1 is gone

    When somebody deletes the RouteTable echo/echo-typo
    Then every request to "/echo" with the header "stage: canary" is answered by echo-v1
    And Gloo accepts the VirtualService gloo-system/app
    And no request of the load has failed

  @gateway-api
  Scenario: foxtrot finishes its rollout while a route of the echo team leads nowhere
    Given the platform team serves the routes of all teams
    And every request to "/echo" is answered by echo-v1
    And every request to "/foxtrot" is answered by foxtrot-v1
    And constant load on "/echo"
    And constant load on "/foxtrot"

    When somebody of the echo team applies by hand:
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: echo-typo, namespace: echo}
      spec:
        parentRefs: [{name: public, namespace: gateways}]
        rules:
          - matches: [{path: {type: PathPrefix, value: /echo}, headers: [{name: stage, value: canary}]}]
            backendRefs: [{name: echo-typo, port: 8080}]
      """
    Then every request to "/echo" with the header "stage: canary" is answered with 500
    And every request to "/echo" is answered by echo-v1

    When the foxtrot team pushes "services/foxtrot.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 100, headers: {stage: canary}}
      """
    Then foxtrot is Shifted
    And every request to "/foxtrot" is answered by foxtrot-v2

    When the foxtrot team pushes "services/foxtrot.yaml":
      """
      deployment: {v2: {}}
      routes:
        apiGroup: example
        primary: {version: v2}
      """
    Then foxtrot is Stable
    And every request to "/foxtrot" is answered by foxtrot-v2
    And the Deployment foxtrot/foxtrot-v1 is gone

    When somebody deletes the HTTPRoute echo/echo-typo
    Then every request to "/echo" with the header "stage: canary" is answered by echo-v1
    And no request of the load has failed

  # For kgateway the VirtualService is an HTTPRoute that selects; with Envoy Gateway there is nothing to select.
  Scenario: With a selector a new team needs nobody's help
    Given the platform team pushes "platform/virtual-service.yaml":
      """
      apiVersion: gateway.solo.io/v1
      kind: VirtualService
      metadata: {name: app, namespace: gloo-system}
      spec:
        virtualHost:
          domains: ["*"]
          routes:
            - matchers: [{prefix: /}]
              delegateAction:
                selector: {labels: {apiGroup: example}, namespaces: ["*"]}
      """
    And every request to "/echo" is answered by echo-v1
    And every request to "/foxtrot" is answered by foxtrot-v1
    And every request to "/golf" is answered with 404
    When the platform team pushes "platform/golf.yaml":
      """
      apiVersion: v1
      kind: Namespace
      metadata: {name: golf}
      """
    And the golf team pushes "services/golf.yaml":
      """
      deployment: {v1: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
      """
    Then golf is Stable
    And every request to "/golf" is answered by golf-v1
    And every request to "/echo" is answered by echo-v1
