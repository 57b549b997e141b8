Feature: Several Gateways
  Each Gateway has a listener of its own. What is wrong on one holds up what that Gateway serves, and nothing else.

  @local @gloo-objects
  Scenario: A certificate that is missing holds up what the ssl Gateway serves
    Given coalmine follows the example rollouts
    And echo is Stable
    And foxtrot is Stable
    And an ssl Gateway with a certificate for "a.example" in the namespace echo
    And somebody of the echo team applies by hand:
      """
      apiVersion: gateway.solo.io/v1
      kind: VirtualService
      metadata: {name: secure, namespace: echo}
      spec:
        sslConfig:
          secretRef: {name: a.example, namespace: echo}
          sniDomains: [a.example]
        virtualHost:
          domains: [a.example]
          routes:
            - matchers: [{prefix: /}]
              delegateAction: {ref: {name: echo-routes, namespace: echo}}
      """
    And somebody of the echo team applies by hand:
      """
      apiVersion: gateway.solo.io/v1
      kind: VirtualService
      metadata: {name: plain, namespace: echo}
      spec:
        virtualHost:
          domains: [a.example]
          routes:
            - matchers: [{prefix: /}]
              redirectAction: {httpsRedirect: true}
      """
    Then "https://a.example/echo" answers 200 "version:echo-v1"
    And "http://a.example/echo" answers 301 "https://a.example/echo"
    And echo is served by the Gateways "gloo-system/gateway-proxy, gloo-system/ssl"
    When somebody of the golf team applies by hand:
      """
      apiVersion: gateway.solo.io/v1
      kind: VirtualService
      metadata: {name: broken, namespace: foxtrot}
      spec:
        sslConfig:
          secretRef: {name: gone, namespace: foxtrot}
          sniDomains: [golf.example]
        virtualHost:
          domains: [golf.example]
          routes:
            - matchers: [{prefix: /}]
              directResponseAction: {status: 200}
      """
    Then Gloo rejects the Gateway gloo-system/ssl because of "foxtrot.gone"
    When the foxtrot team pushes "services/foxtrot.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 100}
      """
    Then foxtrot is Shifted
    And every request to "/foxtrot" is answered by foxtrot-v2
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}, v2: {}}
      routes:
        apiGroup: example
        primary: {version: v1}
        canary: {version: v2, weight: 100}
      """
    Then echo is stalled because of "secret foxtrot.gone"
    And echo is stalled because of "VirtualService foxtrot/broken"
    And "https://a.example/echo" answers 200 "version:echo-v1"
    When somebody of the golf team applies by hand:
      """
      apiVersion: gateway.solo.io/v1
      kind: VirtualService
      metadata: {name: broken, namespace: foxtrot}
      spec:
        sslConfig:
          secretRef: {name: a.example, namespace: echo}
          sniDomains: [golf.example]
        virtualHost:
          domains: [golf.example]
          routes:
            - matchers: [{prefix: /}]
              directResponseAction: {status: 200}
      """
    Then echo is Shifted
    And "https://a.example/echo" answers 200 "version:echo-v2"
