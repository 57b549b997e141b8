@gloo-envoy
Feature: 2019. Functions of the pet store
  The Upstreams say how a function is called, and routes name functions in place of rewrites.

  Scenario: A canary of a store that is called by its functions
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
      ---
      apiVersion: gloo.solo.io/v1
      kind: Upstream
      metadata: {name: petstore-v1, namespace: petstore}
      spec:
        kube:
          serviceName: petstore-v1
          serviceNamespace: petstore
          servicePort: 8080
          serviceSpec:
            rest:
              transformations:
                findPets:
                  headers: {":method": {text: GET}, ":path": {text: /api/pets}}
                  passthrough: {}
      ---
      apiVersion: gloo.solo.io/v1
      kind: Upstream
      metadata: {name: petstore-v2, namespace: petstore}
      spec:
        kube:
          serviceName: petstore-v2
          serviceNamespace: petstore
          servicePort: 8080
          serviceSpec:
            rest:
              transformations:
                findPets:
                  headers: {":method": {text: GET}, ":path": {text: /api/pets}}
                  passthrough: {}
      """
    When the pets team pushes "services/pets.yaml":
      """
      namespace: petstore
      deployment:
        v1: {external: {upstream: {name: petstore-v1, namespace: petstore}}}
        v2: {external: {upstream: {name: petstore-v2, namespace: petstore}}}
      routes:
        domains: ["*"]
        split: upstream
        paths:
          - prefix: /findPets
            rest: {functionName: findPets, parameters: {}}
        primary: {version: v1}
        canary: {version: v2, weight: 0, headers: {x-canary: "true"}}
      """
    Then pets is CanaryTest
    And every request to "/findPets" is answered by petstore-v1
    And every request to "/findPets" with the header "x-canary: true" is answered by petstore-v2
