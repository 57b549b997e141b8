Feature: A canary for those whose token says so
  The gateway checks a token and looks at its claims. Without one nobody reaches the canary, whatever headers they
  write, and the primary goes on answering everybody.

  @gateway-api
  Scenario: Tokens lead to the canary, and nothing else does
    Given coalmine follows a new repository
    And an issuer of tokens
    And the platform team pushes "platform/namespaces.yaml":
      """
      apiVersion: v1
      kind: Namespace
      metadata: {name: echo}
      """
    And the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v1}
      """
    And echo is Deployed
    And every request to "/" is answered by echo-v1
    And constant load on "/"

    When the echo team pushes "services/echo.yaml" with the keys of the issuer:
      """
      deployment: {v1: {}, v2: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v1}
        canary:
          version: v2
          jwt: {issuer: <issuer>, jwks: <keys>, claims: {stage: canary}}
      """
    Then echo is CanaryTest
    And every request to "/" with a token of "stage=canary" is answered by echo-v2
    And every request to "/" is answered by echo-v1
    And requests to "/" of the service in echo end like this:
      | token                                | alone   | with the claim's header |
      | no token                             | echo-v1 | 401                     |
      | valid: stage=canary                  | echo-v2 | echo-v2                 |
      | valid: stage=gold                    | echo-v1 | echo-v1                 |
      | valid: tier=canary                   | echo-v1 | echo-v1                 |
      | expired: stage=canary                | 401     | 401                     |
      | of another issuer: stage=canary      | 401     | 401                     |
      | unsigned: stage=canary               | 401     | 401                     |
      | signed with another key: stage=canary | 401     | 401                     |
      | changed: stage=canary                | 401     | 401                     |

    When the echo team pushes "services/echo.yaml" with the keys of the issuer:
      """
      deployment: {v1: {}, v2: {}}
      routes:
        domains: ["*"]
        paths: [{prefix: /}]
        primary: {version: v1}
        canary:
          version: v2
          weight: 50
          jwt: {issuer: <issuer>, jwks: <keys>, claims: {stage: canary}}
      """
    Then echo is Shifting
    And the requests to "/" are answered by:
      | echo-v1 | 50 |
      | echo-v2 | 50 |
    And every request to "/" with a token of "stage=canary" is answered by echo-v2

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
    And there is no policy in the namespace echo
    And no request of the load has failed

  @gateway-api
  Scenario: A token leads to the canary of a service that the platform's routes select
    Given coalmine follows the example rollouts
    And an issuer of tokens
    And echo is Stable
    When the echo team pushes "services/echo.yaml" with the keys of the issuer:
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary:
          version: v2
          headers: {user: bot}
          jwt: {issuer: <issuer>, jwks: <keys>, claims: {stage: [canary, beta]}}
      """
    Then echo is CanaryTest
    And every request to "/echo" is answered by echo-v1
    And every request to "/echo" with a token of "stage=canary" is answered by echo-v1
    And every request to "/echo" with the header "user: bot" is answered by echo-v1
    And every request to "/echo" with the header "user: bot" and a token of "stage=beta" is answered by echo-v2
