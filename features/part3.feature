Feature: Part 3. A rollout is a few values
  All that a team changes in a rollout is its values file. These are the article's six.

  Background:
    Given coalmine follows the example rollouts

  Scenario: echo walks through its six values files while foxtrot stays as it is
    Then echo is Stable
    And foxtrot is Stable
    And every request to "/echo" is answered by echo-v1
    And every request to "/foxtrot" is answered by foxtrot-v1
    Given constant load on "/echo"
    And constant load on "/foxtrot"

    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
      """
    Then echo is Deployed
    And the Deployment echo/echo-v2 is available
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
    And every request to "/echo" with the header "stage: canary" is answered by echo-v2

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
    And every request to "/echo" with the header "stage: canary" is answered by echo-v2

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
    And every request to "/foxtrot" is answered by foxtrot-v1
    And no request of the load has failed
    And the timeline of echo is Stable, Deployed, CanaryTest, Shifting, Shifted, Stable

  Scenario: echo goes forth and back at full speed and loses no request
    Given echo is Stable
    And every request to "/echo" is answered by echo-v1
    And load at full speed on "/echo", with the header "stage: canary" and without
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, headers: {stage: canary}}
      """
    Then echo is CanaryTest
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50, headers: {stage: canary}}
      """
    Then echo is Shifting
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v2: {}}
      routes:
        apiGroup: example
        primary: {version: v2}
      """
    Then echo is Stable
    When the echo team reverts its last push
    Then echo is Shifting
    When the echo team reverts the push before
    Then echo is CanaryTest
    When the echo team reverts the push before
    Then echo is Stable
    And no request of the load has failed
