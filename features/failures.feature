Feature: A canary that fails
  Whatever happens to the canary's pods, whoever asks for the service gets an answer, and the service says
  what is wrong and what to do.

  Background:
    Given coalmine follows the example rollouts
    And the platform team pushes "coalmine.yaml":
      """
      timing: {deadline: 5s, settle: 2s}
      """
    And echo is Stable
    And every request to "/echo" is answered by echo-v1
    And constant load on "/echo"

  @test-images
  Scenario: Its pods crash from the beginning
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {image: coalmine/crash}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    Then echo is stalled because of "CrashLoopBackOff"
    And echo is stalled because of "push values that work"
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

  @test-images
  Scenario: Its pods are late
    When the echo team pushes "services/echo.yaml":
      """
      deployment:
        v1: {}
        v2:
          image: coalmine/slow
          args: ["-text=version:echo-v2", "-listen=:8080"]
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    Then echo waits because of "0 of 1 pods are ready"
    And echo is Shifting
    And the requests to "/echo" are answered by:
      | echo-v1 | 50 |
      | echo-v2 | 50 |
    And no request of the load has failed

  @local @fallback
  Scenario: Its pods fall ill at half of the requests
    Given the echo team pushes "services/echo.yaml":
      """
      deployment:
        v1: {}
        v2:
          replicas: 2
          probes: {readiness: {httpGet: {path: /health, port: 8080}, periodSeconds: 1, failureThreshold: 1}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    And echo is Shifting
    And the requests to "/echo" are answered by:
      | echo-v1 | 50 |
      | echo-v2 | 50 |
    When every pod of echo/echo-v2 falls ill
    Then echo is stalled because of "0 of 2 pods are ready"
    And echo is stalled because of "v2 has 50 % of the requests"
    And every request to "/echo" is answered by echo-v1
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then echo is Stable
    And no pod of echo/echo-v2 is left
    And no request of the load has failed

  @local @no-fallback
  Scenario: Its pods fall ill at half of the requests, and nobody answers for them
    Given the echo team pushes "services/echo.yaml":
      """
      deployment:
        v1: {}
        v2:
          replicas: 2
          probes: {readiness: {httpGet: {path: /health, port: 8080}, periodSeconds: 1, failureThreshold: 1}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    And echo is Shifting
    And the requests to "/echo" are answered by:
      | echo-v1 | 50 |
      | echo-v2 | 50 |
    Then no request of the load has failed
    When every pod of echo/echo-v2 falls ill
    Then echo is stalled because of "0 of 2 pods are ready"
    And echo is stalled because of "v2 has 50 % of the requests"
    And the requests to "/echo" are answered by echo-v1, or with 503
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then every request to "/echo" is answered by echo-v1
    Given constant load on "/echo"
    Then echo is Stable
    And no pod of echo/echo-v2 is left
    And no request of the load has failed

  @local @gloo-values
  Scenario: Its pods crash at half of the requests
    Given the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      upstream:
        circuitBreakers: {maxRetries: 1000}
        outlierDetection:
          interval: 1s
          consecutiveGatewayFailure: 1
          enforcingConsecutiveGatewayFailure: 100
          baseEjectionTime: 5s
          maxEjectionPercent: 100
      routes:
        apiGroup: example
        options: {retries: {retryOn: "connect-failure,reset", numRetries: 10}}
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    And echo is Shifting
    And the requests to "/echo" are answered by:
      | echo-v1 | 50 |
      | echo-v2 | 50 |
    When every pod of echo/echo-v2 crashes, again and again
    Then echo is stalled because of "CrashLoopBackOff"
    And echo is stalled because of "v2 has 50 % of the requests"
    And every request to "/echo" is answered by echo-v1
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}}
      upstream:
        circuitBreakers: {maxRetries: 1000}
        outlierDetection:
          interval: 1s
          consecutiveGatewayFailure: 1
          enforcingConsecutiveGatewayFailure: 100
          baseEjectionTime: 5s
          maxEjectionPercent: 100
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then echo is Stable
    And no request of the load has failed
