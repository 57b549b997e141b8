Feature: A version is changed in place
  Another image, other arguments or fewer pods for the version that has the traffic. New pods come
  before old ones go, and an old one answers until every proxy knows that it goes.

  Scenario: Another image with other arguments, and then fewer pods
    Given coalmine follows the example rollouts
    And echo is Stable
    And every request to "/echo" is answered by echo-v1
    And constant load on "/echo"
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {replicas: 3}}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then echo is Stable
    And 3 pods of echo/echo-v1 are left

    When the echo team pushes "services/echo.yaml":
      """
      deployment:
        v1:
          replicas: 3
          image: hashicorp/http-echo:1.0
          args: ["-text=version:v1", "-listen=:8080"]
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then echo is Stable
    And every request to "/echo" is answered by v1
    # While the pods before them still answer.
    When the echo team pushes "services/echo.yaml":
      """
      deployment:
        v1:
          replicas: 1
          image: hashicorp/http-echo:1.0
          args: ["-text=version:v1", "-listen=:8080"]
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then echo is Stable
    And 1 pod of echo/echo-v1 is left
    And no request of the load has failed

  Scenario: A version with many pods is decommissioned
    Given coalmine follows the example rollouts
    And echo is Stable
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {replicas: 8}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 50}
      """
    Then echo is Shifting
    And the requests to "/echo" are answered by:
      | echo-v1 | 50 |
      | echo-v2 | 50 |
    Given constant load on "/echo"
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v2: {}}
      routes: {apiGroup: example, primary: {version: v2}}
      """
    Then echo is Stable
    And every request to "/echo" is answered by echo-v2
    And no pod of echo/echo-v1 is left
    And no request of the load has failed
