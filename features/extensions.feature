Feature: More than the articles' values
  What a version is made of, how versions are told apart, and who gets copies of requests.

  Background:
    Given coalmine follows the example rollouts
    And echo is Stable
    And every request to "/echo" is answered by echo-v1

  Scenario: An Upstream per version
    Given constant load on "/echo"
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {replicas: 2}}
      routes:
        apiGroup: example
        split: upstream
        primary: {version: v1}
        canary: {version: v2, weight: 30, headers: {stage: {regex: "can.*"}}}
      """
    Then echo is Shifting
    And the requests to "/echo" are answered by:
      | echo-v1 | 70 |
      | echo-v2 | 30 |
    And every request to "/echo" with the header "stage: canary" is answered by echo-v2
    And the Upstream echo/echo is gone
    And no request of the load has failed

  @envoy-statistics
  Scenario: The canary gets copies, callers see the primary only
    Given constant load on "/echo"
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, shadow: 100}
      """
    Then echo is Deployed
    And every request to "/echo" is answered by echo-v1
    And v2 of echo has received copies
    And no request of the load has failed

  Scenario: Several paths, and other pods for each version
    Given constant load on "/echo"
    When the echo team pushes "services/echo.yaml":
      """
      deployment:
        v1: {replicas: 2}
        v2:
          image: hashicorp/http-echo:1.0
          args: ["-text=version:$(VERSION)", "-listen=:9090"]
          env: {VERSION: echo-v2}
          port: 9090
      routes:
        apiGroup: example
        paths:
          - prefix: /echo
          - exact: /status
          - {prefix: /orders, methods: [GET], queryParameters: {dry-run: {present: true}}}
        primary: {version: v1}
        canary: {version: v2, weight: 25, headers: {stage: canary}}
      """
    Then echo is Shifting
    And 2 pods of echo/echo-v1 are left
    And the requests to "/echo" are answered by:
      | echo-v1 | 75 |
      | echo-v2 | 25 |
    And every request to "/status" with the header "stage: canary" is answered by echo-v2
    And every request to "/status/more" is answered with 404
    And the requests to "/orders?dry-run=1" are answered by:
      | echo-v1 | 75 |
      | echo-v2 | 25 |
    And every request to "/orders" is answered with 404
    And no request of the load has failed

  # Gloo's open source proxy has no filter for tokens. Whoever checks them in front of it passes a claim
  # on as a header, and takes that header off what callers send.
  Scenario: The canary is for callers whose token has a claim
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, headers: {x-claim-groups: {regex: "(.*,)?beta(,.*)?"}}}
      """
    Then echo is CanaryTest
    And every request to "/echo" with the header "x-claim-groups: staff,beta" is answered by echo-v2
    And every request to "/echo" with the header "x-claim-groups: alphabet" is answered by echo-v1
    And every request to "/echo" is answered by echo-v1

  Scenario: Somebody else deploys a version
    When somebody of the echo team applies by hand:
      """
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: legacy, namespace: echo}
      spec:
        selector: {matchLabels: {app: echo, version: v0}}
        template:
          metadata: {labels: {app: echo, version: v0}}
          spec:
            containers:
              - name: legacy
                image: hashicorp/http-echo
                args: ["-text=version:legacy", "-listen=:8080"]
                ports: [{containerPort: 8080}]
      """
    And the echo team pushes "services/echo.yaml":
      """
      deployment: {v0: {external: true}, v1: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v0, headers: {stage: canary}}
      """
    Then echo is CanaryTest
    And every request to "/echo" with the header "stage: canary" is answered by legacy
    And every request to "/echo" is answered by echo-v1

  Scenario: A service that moves to another namespace keeps answering
    Given constant load on "/echo"
    When the echo team pushes "services/echo.yaml":
      """
      namespace: foxtrot
      deployment: {v1: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
      """
    Then echo is Stable
    And the Deployment foxtrot/echo-v1 is available
    And the Deployment echo/echo-v1 is gone
    And the Upstream echo/echo is gone
    And every request to "/echo" is answered by echo-v1
    And no request of the load has failed

  Scenario: A service under another name keeps answering its path
    Given constant load on "/echo"
    When the golf team pushes "services/golf.yaml":
      """
      namespace: echo
      deployment: {v1: {}}
      routes:
        apiGroup: example
        paths: [{prefix: /echo}]
        primary: {version: v1}
      """
    And the echo team removes "services/echo.yaml"
    Then golf is Stable
    And the Deployment echo/echo-v1 is gone
    And every request to "/echo" is answered by golf-v1
    And no request of the load has failed

  Scenario: Replicas that leave the values stay as they are
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {replicas: 3}}
      routes:
        apiGroup: example
        primary: {version: v1}
      """
    Then echo is Stable
    And the Deployment echo/echo-v1 has 3 at "/spec/replicas"
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
      """
    Then echo is Stable
    And the Deployment echo/echo-v1 has 3 at "/spec/replicas"

  Scenario: A service whose file goes takes its objects along
    When the echo team removes "services/echo.yaml"
    Then every request to "/echo" is answered with 404
    And the Deployment echo/echo-v1 is gone
    And the Upstream echo/echo is gone
    And foxtrot is Stable
    And every request to "/foxtrot" is answered by foxtrot-v1
