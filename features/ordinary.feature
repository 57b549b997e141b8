@whole-cluster @gloo-objects
Feature: The cluster of an ordinary company
  Beside the services of the repository there are Gateways for plain text and for TLS, teams with options
  that coalmine has no model of, an autoscaler, quotas, a policy, webhooks, Flux, and a namespace that does
  not end. No request fails, nothing of others is touched, and what is in the way is named and passes.
  What is there is in features/ordinary/.

  Background:
    Given the cluster of an ordinary company

  @local
  Scenario: A service goes through its phases beside everything that belongs to others
    Given the webhook "mark.company.example" marks everything of echo and foxtrot
    And coalmine follows the example rollouts
    And echo is Stable
    And foxtrot is Stable
    And "kustomize-controller" adds to the Service echo/echo:
      """
      apiVersion: v1
      kind: Service
      metadata: {name: echo, namespace: echo, labels: {company.example/contact: echo-team}}
      """
    And every request to "/echo" is answered by echo-v1
    And every request to "/foxtrot" is answered by foxtrot-v1
    And constant load on "/echo"
    And constant load on "/foxtrot"
    And constant load on "/" of payments.example
    Then every https request to "shop.example:8543/" is answered by shop
    And the Deployment echo/echo-v1 has 2 at "/spec/replicas"

    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
      """
    Then echo is Deployed
    And the Deployment echo/echo-v2 has "4711" at "/metadata/labels/company.example~1cost-center"
    And every request to "/echo" is answered by echo-v1

    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, headers: {stage: canary}}
      """
    Then echo is CanaryTest
    And every request to "/echo" is answered by echo-v1
    And every request to "/echo" with the header "stage: canary" is answered by echo-v2

    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50, headers: {stage: canary}}
      """
    Then echo is Shifting
    And the requests to "/echo" are answered by:
      | echo-v1 | 50 |
      | echo-v2 | 50 |

    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 100, headers: {stage: canary}}
      """
    Then echo is Shifted
    And every request to "/echo" is answered by echo-v2
    And the Deployment echo/echo-v1 has 2 at "/spec/replicas"

    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v2: {}}
      routes:
        apiGroup: example
        primary: {version: v2}
      """
    Then echo is Stable
    And every request to "/echo" is answered by echo-v2
    And the Deployment echo/echo-v1 is gone
    And the Service echo/echo has "echo-team" at "/metadata/labels/company.example~1contact"
    And the Service echo/echo has "4711" at "/metadata/labels/company.example~1cost-center"
    And coalmine's log never says "was changed"
    And every https request to "shop.example:8543/" is answered by shop
    And no request of the load has failed
    And nothing of others has changed

    Given constant load on "/foxtrot"
    And constant load on "/" of payments.example
    When the platform team removes "platform/namespaces.yaml"
    And the echo team removes "services/echo.yaml"
    Then the Deployment echo/echo-v2 is gone
    And every request to "/echo" is answered with 404
    And foxtrot is Stable
    And no request of the load has failed
    And nothing of others has changed

  Scenario: A quota has no room for the canary's pods
    Given coalmine follows the example rollouts
    And echo is Stable
    And every request to "/echo" is answered by echo-v1
    And constant load on "/echo"
    Then the Deployment echo/echo-v1 has 2 at "/status/availableReplicas"
    When the platform team allows 2 pods in the namespace echo
    And the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    Then echo is stalled because of "exceeded quota: company"
    And echo is stalled because of "Deployment echo/echo-v2"
    And every request to "/echo" is answered by echo-v1
    When the platform team allows 6 pods in the namespace echo
    Then echo is Shifting
    And the requests to "/echo" are answered by:
      | echo-v1 | 50 |
      | echo-v2 | 50 |
    And no request of the load has failed
    And nothing of others has changed

  @local
  Scenario: A webhook that has to admit every Deployment is down
    Given the webhook "guard.company.example" looks at every Deployment of echo and foxtrot
    And coalmine follows the example rollouts
    And echo is Stable
    And every request to "/echo" is answered by echo-v1
    And constant load on "/echo"
    When the webhook "guard.company.example" is down
    And the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    Then echo is stalled because of "guard.company.example"
    And echo is stalled because of "Deployment echo/echo-v2"
    And every request to "/echo" is answered by echo-v1
    When the webhook "guard.company.example" is up again
    Then echo is Shifting
    And the requests to "/echo" are answered by:
      | echo-v1 | 50 |
      | echo-v2 | 50 |
    And no request of the load has failed
    And nothing of others has changed

  Scenario: A policy does not allow what the echo team wants
    Given coalmine follows the example rollouts
    And echo is Stable
    And every request to "/echo" is answered by echo-v1
    And constant load on "/echo"
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {replicas: 6}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    Then echo is stalled because of "more than 5 pods of a version have to be agreed with the platform team"
    And echo is stalled because of "Deployment echo/echo-v2"
    And every request to "/echo" is answered by echo-v1
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    Then echo is Shifting
    And the requests to "/echo" are answered by:
      | echo-v1 | 50 |
      | echo-v2 | 50 |
    And no request of the load has failed
    And nothing of others has changed

  Scenario: A namespace that somebody has deleted does not end
    Given coalmine follows the example rollouts
    And echo is Stable
    And every request to "/echo" is answered by echo-v1
    And constant load on "/echo"
    When the golf team pushes "platform/golf.yaml":
      """
      apiVersion: v1
      kind: Namespace
      metadata: {name: golf}
      """
    And the golf team pushes "services/golf.yaml":
      """
      deployment: {v1: {}}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then golf is stalled because of "namespace golf because it is being terminated"
    And echo is Stable
    When somebody takes the finalizer off the ConfigMap golf/archive
    Then golf is Stable
    And every request to "/golf" is answered by golf-v1
    And no request of the load has failed
    And nothing of others has changed
