Feature: The command line
  A folder can be checked and compared before it is pushed, and applied once from a pipeline.

  Scenario Outline: A change is looked at, applied once, and looked at again
    Given a copy of the example rollouts, and no daemon
    When somebody runs "coalmine validate ."
    Then it ends with 0
    When somebody runs "coalmine diff ."
    Then it ends with 2 and says "+kind: <kind>"
    When somebody pushes and runs "coalmine run --once"
    Then it ends with 0 and says "echo: ready"
    When somebody runs "coalmine diff ."
    Then it ends with 0
    When somebody changes "version: v1" to "version: v7" in "services/echo.yaml"
    And somebody runs "coalmine validate ."
    Then it ends with 1 and says "services/echo.yaml"
    When somebody pushes and runs "coalmine run --once"
    Then it ends with 1 and says "foxtrot: ready"
    And every request to "/echo" is answered by echo-v1

    @gloo-objects
    Examples: Gloo
      | kind       |
      | RouteTable |

    @gateway-api
    Examples: the Gateway API
      | kind      |
      | HTTPRoute |
