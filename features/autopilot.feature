@envoy-statistics
Feature: Autopilot
  The daemon measures a canary at the proxies of the gateway and takes it through its rollout, by commits. A bad one
  loses its share seconds after it has it.

  Background:
    Given coalmine reads what the proxies of the gateway count
    And coalmine follows the example rollouts
    And echo is Stable
    And constant load on "/echo"

  Scenario: A canary that answers 5xx loses its share by a commit
    When the echo team pushes "services/echo.yaml":
      """
      # a comment of the team
      deployment:
        v1: {}
        v2:
          image: hashicorp/http-echo:1.0
          args: ["-text=version:echo-v2", "-listen=:8080", "-status-code=503"]
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 20}
      autopilot: {steps: [20, 50], for: 1h, enough: {within: 2h}}
      """
    Then the autopilot commits "echo: abort, take v2 back from 20 % to 0"
    And its commit says "v2 answered"
    And its commit says "requests badly"
    And its commit says "Coalmine-Step: abort"
    And the pushed "services/echo.yaml" says "# a comment of the team"
    And the pushed "services/echo.yaml" says "held: "
    And echo is Deployed
    And every request to "/echo" is answered by echo-v1
    And the canary of echo is held because of "requests badly"
    And the autopilot commits nothing more for 5 seconds

  Scenario: A good canary goes all the way
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, headers: {stage: canary}}
      autopilot:
        steps: [headers, 20, 50, 100]
        for: 2s
        enough: {requests: 30, within: 1h}
        finish: {after: 3s}
      """
    Then the autopilot commits "echo: give v2 20 % of the requests, from 0 %"
    And the autopilot commits "echo: give v2 50 % of the requests, from 20 %"
    And its commit says "v2 answered none of "
    And the autopilot commits "echo: give v2 100 % of the requests, from 50 %"
    And the autopilot commits "echo: finish, v2 replaces v1"
    And echo is Stable
    And every request to "/echo" is answered by echo-v2
    And no request of the load has failed

  @test-images @times-by-version
  Scenario: A slow canary loses its share
    When the echo team pushes "services/echo.yaml":
      """
      deployment:
        v1: {}
        v2:
          image: hashicorp/http-echo:1.0
          args: ["-text=version:echo-v2", "-listen=:8080", "-delay-ms=700"]
      routes:
        apiGroup: example
        split: upstream
        primary: {version: v1}
        canary: {version: v2, weight: 20}
      autopilot:
        steps: [20, 50]
        for: 1h
        enough: {within: 2h}
        falseAlarm: 10%
        analysis: {slow: {over: 500ms, worse: 1.5, above: 1%}}
      """
    Then the autopilot commits "echo: abort, take v2 back from 20 % to 0"
    And its commit says "requests slower than 500 ms"
    And echo is Deployed

  @test-images
  Scenario: A canary that crashes again and again loses its share
    When the echo team pushes "services/echo.yaml":
      """
      deployment:
        v1: {}
        v2:
          image: hashicorp/http-echo:1.0
          args: ["-text=version:echo-v2", "-listen=:8080", "-exit-after=20"]
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 20}
      autopilot: {steps: [20, 50], for: 1h, enough: {within: 2h}}
      """
    Then the autopilot commits "echo: abort, take v2 back from 20 % to 0"
    And its commit says "has restarted 3 times in this step"

  Scenario: A canary whose proxies cannot be read is neither promoted nor aborted
    Given the statistics of the proxies are away
    When the echo team pushes "services/echo.yaml":
      """
      deployment:
        v1: {}
        v2:
          image: hashicorp/http-echo:1.0
          args: ["-text=version:echo-v2", "-listen=:8080", "-status-code=503"]
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 20}
      autopilot:
        steps: [20, 50]
        for: 1s
        enough: {requests: 1, within: 2s, else: promote}
        blind: {after: 2s}
      """
    Then the autopilot of echo waits for "`errors` has not been measured"
    And the autopilot commits nothing more for 10 seconds
    When the statistics of the proxies are back
    Then the autopilot commits "echo: abort, take v2 back from 20 % to 0"

  Scenario: A canary is aborted while the git server is away
    Given the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 20, headers: {stage: canary}}
      autopilot: {steps: [20, 50], for: 1h, enough: {within: 2h}}
      """
    And echo is Shifting
    And the autopilot of echo has measured 10 requests of the canary
    When the git server goes away
    And the canary of "/echo" answers 503 from now on
    Then echo is stalled because of "v2 gets no requests although git says so", whatever is pushed
    And every request to "/echo" is answered by echo-v1
    And every request to "/echo" with the header "stage: canary" is answered with 503
    When the daemon is killed and starts again
    Then echo is stalled because of "v2 gets no requests although git says so", whatever is pushed
    And every request to "/echo" is answered by echo-v1
    When the git server is back
    Then the autopilot commits "echo: abort, take v2 back from 20 % to 0"
    And echo is CanaryTest

  Scenario: A step waits for a person, a freeze stops promotions, and an abort waits for neither
    Given the platform team pushes "coalmine.yaml":
      """
      timing: {settle: 2s}
      policy:
        freeze: [{from: 2020-01-01T00:00:00Z, to: 2120-01-01T00:00:00Z, why: end of the year}]
      """
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 20}
      autopilot:
        steps: [20, 50, 90]
        for: 1s
        enough: {requests: 20, within: 1h}
        gates: {before: [50]}
      """
    Then echo is Shifting
    And the autopilot of echo waits for "a person has to say yes to weight 50"
    When the echo team pushes "services/echo.yaml":
      """
      deployment:
        v1: {}
        v2:
          image: hashicorp/http-echo:1.0
          args: ["-text=version:echo-v2", "-listen=:8080"]
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50, headers: {stage: canary}}
      autopilot:
        steps: [20, 50, 90]
        for: 1s
        enough: {requests: 20, within: 1h}
        gates: {before: [50]}
      """
    Then echo is Shifting
    And the autopilot of echo waits for "nothing is promoted until 2120-01-01T00:00:00Z: end of the year"
    And the autopilot commits nothing more for 5 seconds
    When the canary of "/echo" answers 503 from now on
    Then the autopilot commits "echo: abort, take v2 back from 50 % to 0"
