Feature: Part 1. One service, two phases
  A team brings out v2 of echo on a domain of its own. First only requests with a header reach v2,
  then a growing share of all requests does, then v1 goes. Each step is one push.

  Background:
    Given coalmine follows a new repository
    And the platform team pushes "platform/namespaces.yaml":
      """
      apiVersion: v1
      kind: Namespace
      metadata: {name: echo}
      """

  Scenario: echo goes from v1 to v2
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v1}
      """
    Then echo is Stable
    And every request to "/" is answered by echo-v1
    And every request to "/any/path" is answered by echo-v1

    Given constant load on "/"
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v1}
      """
    Then echo is Deployed
    And the Deployment echo/echo-v2 is available
    And every request to "/" is answered by echo-v1

    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v1}
        canary: {version: v2, headers: {stage: canary}}
      """
    Then echo is CanaryTest
    And every request to "/" is answered by echo-v1
    And every request to "/" with the header "stage: canary" is answered by echo-v2
    And every request to "/" with the header "stage: Canary" is answered by echo-v1

    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v1}
        canary: {version: v2, weight: 0, headers: {stage: canary}}
      """
    Then echo is CanaryTest
    And every request to "/" is answered by echo-v1

    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v1}
        canary: {version: v2, weight: 50, headers: {stage: canary}}
      """
    Then echo is Shifting
    And the requests to "/" are answered by:
      | echo-v1 | 50 |
      | echo-v2 | 50 |
    And every request to "/" with the header "stage: canary" is answered by echo-v2

    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v1}
        canary: {version: v2, weight: 100, headers: {stage: canary}}
      """
    Then echo is Shifted
    And every request to "/" is answered by echo-v2

    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v2: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v2}
      """
    Then echo is Stable
    And every request to "/" is answered by echo-v2
    And the Deployment echo/echo-v1 is gone
    And no request of the load has failed

  Scenario: Either phase may be skipped
    Given the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}}
      routes: {domains: ["*"], paths: [{prefix: /}], primary: {version: v1}}
      """
    And every request to "/" is answered by echo-v1
    And constant load on "/"
    # Without headers: straight to a share.
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v1}
        canary: {version: v2, weight: 20}
      """
    Then echo is Shifting
    And the requests to "/" are answered by:
      | echo-v1 | 80 |
      | echo-v2 | 20 |
    And the requests to "/" with the header "stage: canary" are answered by:
      | echo-v1 | 80 |
      | echo-v2 | 20 |
    # Without weights: from the share to the end, and v3 in the same push.
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v2: {}, v3: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v2}
        canary: {version: v3, headers: {stage: canary}}
      """
    Then echo is CanaryTest
    And every request to "/" is answered by echo-v2
    And every request to "/" with the header "stage: canary" is answered by echo-v3
    And the Deployment echo/echo-v1 is gone
    # From the header phase to the new version alone.
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v3: {}}
      routes: {domains: ["*"], paths: [{prefix: /}], primary: {version: v3}}
      """
    Then echo is Stable
    And every request to "/" is answered by echo-v3
    And the Deployment echo/echo-v2 is gone
    And no request of the load has failed

  Scenario: Every step can be taken back
    Given the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}}
      routes: {domains: ["*"], paths: [{prefix: /}], primary: {version: v1}}
      """
    And echo is Stable
    And every request to "/" is answered by echo-v1
    And constant load on "/"
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes: {domains: ["*"], paths: [{prefix: /}], primary: {version: v1}}
      """
    And the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v1}
        canary: {version: v2, headers: {stage: canary}}
      """
    Then echo is CanaryTest
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v1}
        canary: {version: v2, weight: 100, headers: {stage: canary}}
      """
    Then echo is Shifted
    And every request to "/" is answered by echo-v2
    # All of it back, by one revert after the other.
    When the echo team reverts its last push
    Then echo is CanaryTest
    And every request to "/" is answered by echo-v1
    And every request to "/" with the header "stage: canary" is answered by echo-v2
    When the echo team reverts the push before
    Then echo is Deployed
    And every request to "/" with the header "stage: canary" is answered by echo-v1
    When the echo team reverts the push before
    Then echo is Stable
    And the Deployment echo/echo-v2 is gone
    And every request to "/" is answered by echo-v1
    And no request of the load has failed
