Feature: Steering a rollout by commands
  Every verb is a commit, and with --wait it returns when the traffic is there.

  Scenario: A rollout by commands loses no request
    Given somebody listens to notifications
    And coalmine follows the example rollouts
    And echo is Stable
    And constant load on "/echo"
    When somebody runs "coalmine start echo --version v2 --header stage=canary --wait"
    Then it ends with 0 and says "Stable → CanaryTest (advance)"
    And every request to "/echo" with the header "stage: canary" is answered by echo-v2
    And every request to "/echo" is answered by echo-v1
    When somebody runs "coalmine promote echo --weight 50 --wait"
    Then it ends with 0 and says "echo Shifting Ready"
    And the requests to "/echo" are answered by:
      | echo-v1 | 50 |
      | echo-v2 | 50 |
    When somebody runs "coalmine promote echo --weight 100"
    Then it ends with 0 and says "Shifting 50 % → Shifted (advance)"
    When somebody runs "coalmine finish echo --wait"
    Then it ends with 0 and says "Shifted → Stable (advance)"
    And every request to "/echo" is answered by echo-v2
    And the Deployment echo/echo-v1 is gone
    And no request of the load has failed
    And one message has told of the rollout of echo, from "CanaryTest" to "Stable, v2 100 %"
    When somebody runs "coalmine status"
    Then it ends with 0 and says "v2:100%"
    When somebody runs "coalmine wait echo --phase Stable --timeout 5s"
    Then it ends with 0

  @gloo-objects
  Scenario: What the cluster does with a request is explained
    Given coalmine follows the example rollouts
    And the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    And echo is Shifting
    When somebody runs "coalmine explain echo /echo --cluster"
    Then it ends with 0 and says "→ echo v2 50 %"

  Scenario: The doctor knows what the daemon needs
    Given a copy of the example rollouts, and no daemon
    When somebody with the daemon's rights runs "coalmine doctor --repo ../repository.git"
    Then it ends with 0 and says "2 of 2 services without mistakes"

  @gloo-objects
  Scenario: The doctor misses Gloo where it is not
    Given a copy of the example rollouts, and no daemon
    When somebody with the daemon's rights runs "coalmine doctor --gloo-namespace elsewhere"
    Then it ends with 1 and says "no Settings elsewhere/default"
