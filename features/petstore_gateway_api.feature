@test-images @gateway-api
Feature: 2019. The pet store by HTTPRoutes
  The pet store of the first article with a Service per version and an HTTPRoute that is written by hand. The
  platform team keeps all of it in platform/, as plain objects.

  Background:
    Given coalmine follows a new repository
    And the platform team pushes "platform/petstore.yaml":
      """
      apiVersion: v1
      kind: Namespace
      metadata: {name: petstore}
      ---
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: petstore-v1, namespace: petstore}
      spec:
        selector: {matchLabels: {app: petstore-v1}}
        template:
          metadata: {labels: {app: petstore-v1}}
          spec: {containers: [{name: petstore-v1, image: "scottcranton/petstore:v1", ports: [{containerPort: 8080}]}]}
      ---
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: petstore-v2, namespace: petstore}
      spec:
        selector: {matchLabels: {app: petstore-v2}}
        template:
          metadata: {labels: {app: petstore-v2}}
          spec: {containers: [{name: petstore-v2, image: "scottcranton/petstore:v2", ports: [{containerPort: 8080}]}]}
      ---
      apiVersion: v1
      kind: Service
      metadata: {name: petstore-v1, namespace: petstore}
      spec: {selector: {app: petstore-v1}, ports: [{port: 8080}]}
      ---
      apiVersion: v1
      kind: Service
      metadata: {name: petstore-v2, namespace: petstore}
      spec: {selector: {app: petstore-v2}, ports: [{port: 8080}]}
      """

  @rules-at-once
  Scenario: By a header, then all of it, then another path by weights
    When the platform team pushes "platform/coalmine.yaml":
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: coalmine, namespace: petstore}
      spec:
        parentRefs: [{name: public, namespace: gateways}]
        rules:
          - matches: [{path: {type: PathPrefix, value: /findPets}}]
            filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/pets}}}]
            backendRefs:
              - {name: petstore-v1, port: 8080, weight: 1}
          - matches: [{path: {type: PathPrefix, value: /petstore}}]
            filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/pets}}}]
            backendRefs:
              - {name: petstore-v1, port: 8080, weight: 1}
      """
    Then every request to "/findPets" is answered by petstore-v1
    And every request to "/petstore/2" is answered by petstore-v1
    And every request to "/petstore/3" is answered with 404

    Given constant load on "/findPets"
    And constant load on "/petstore/1"
    When the platform team pushes "platform/coalmine.yaml":
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: coalmine, namespace: petstore}
      spec:
        parentRefs: [{name: public, namespace: gateways}]
        rules:
          - matches: [{path: {type: PathPrefix, value: /findPets}}]
            filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/pets}}}]
            backendRefs:
              - {name: petstore-v1, port: 8080, weight: 1}
          - matches: [{path: {type: PathPrefix, value: /petstore}}]
            filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/pets}}}]
            backendRefs:
              - {name: petstore-v1, port: 8080, weight: 1}
          - matches: [{path: {type: PathPrefix, value: /findPets}, headers: [{name: x-canary, value: "true"}]}]
            filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/pets}}}]
            backendRefs:
              - {name: petstore-v2, port: 8080, weight: 1}
      """
    Then every request to "/findPets" with the header "x-canary: true" is answered by petstore-v2
    And every request to "/findPets" is answered by petstore-v1
    And every request to "/petstore/1" is answered by petstore-v1

    When the platform team pushes "platform/coalmine.yaml":
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: coalmine, namespace: petstore}
      spec:
        parentRefs: [{name: public, namespace: gateways}]
        rules:
          - matches: [{path: {type: PathPrefix, value: /findPets}}]
            filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/pets}}}]
            backendRefs:
              - {name: petstore-v2, port: 8080, weight: 1}
          - matches: [{path: {type: PathPrefix, value: /petstore}}]
            filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/pets}}}]
            backendRefs:
              - {name: petstore-v2, port: 8080, weight: 10}
              - {name: petstore-v1, port: 8080, weight: 90}
          - matches: [{path: {type: PathPrefix, value: /findPets}, headers: [{name: x-canary, value: "true"}]}]
            filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/pets}}}]
            backendRefs:
              - {name: petstore-v2, port: 8080, weight: 1}
      """
    Then every request to "/findPets" is answered by petstore-v2
    And the requests to "/petstore/1" are answered by:
      | petstore-v1 | 90 |
      | petstore-v2 | 10 |

    When the platform team pushes "platform/coalmine.yaml":
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: coalmine, namespace: petstore}
      spec:
        parentRefs: [{name: public, namespace: gateways}]
        rules:
          - matches: [{path: {type: PathPrefix, value: /findPets}}]
            filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/pets}}}]
            backendRefs:
              - {name: petstore-v2, port: 8080, weight: 1}
          - matches: [{path: {type: PathPrefix, value: /petstore}}]
            filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/pets}}}]
            backendRefs:
              - {name: petstore-v2, port: 8080, weight: 50}
              - {name: petstore-v1, port: 8080, weight: 50}
          - matches: [{path: {type: PathPrefix, value: /findPets}, headers: [{name: x-canary, value: "true"}]}]
            filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/pets}}}]
            backendRefs:
              - {name: petstore-v2, port: 8080, weight: 1}
      """
    Then the requests to "/petstore/1" are answered by:
      | petstore-v1 | 50 |
      | petstore-v2 | 50 |
    And no request of the load has failed

  Scenario: Weights that do not make 100 are shares of their sum
    When the platform team pushes "platform/coalmine.yaml":
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: coalmine, namespace: petstore}
      spec:
        parentRefs: [{name: public, namespace: gateways}]
        rules:
          - matches: [{path: {type: PathPrefix, value: /findPets}}]
            filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /api/pets}}}]
            backendRefs:
              - {name: petstore-v1, port: 8080, weight: 30}
              - {name: petstore-v2, port: 8080, weight: 10}
      """
    Then the requests to "/findPets" are answered by:
      | petstore-v1 | 75 |
      | petstore-v2 | 25 |

  Scenario: The same as a service with values
    When the pets team pushes "services/pets.yaml":
      """
      namespace: petstore
      deployment:
        v1: {image: "scottcranton/petstore:v1"}
        v2: {image: "scottcranton/petstore:v2"}
      service: {port: 8080}
      routes:
        domains: ["*"]
        paths:
          - prefix: /findPets
            options: {prefixRewrite: /api/pets}
          - prefix: /petstore
            options: {prefixRewrite: /api/pets}
        primary: {version: v1}
        canary: {version: v2, weight: 10, headers: {x-canary: "true"}}
      """
    Then pets is Shifting
    And the requests to "/findPets" are answered by:
      | petstore-v1 | 90 |
      | petstore-v2 | 10 |
    And every request to "/petstore/1" with the header "x-canary: true" is answered by petstore-v2
    And every request to "/petstore/3" with the header "x-canary: true" is answered by petstore-v2
