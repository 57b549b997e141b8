Feature: Drift
  What somebody changes behind the repository's back is seen by the watches and undone at once; what the
  repository says nothing about is left alone.

  Background:
    Given coalmine follows the example rollouts
    And echo is Stable
    And every request to "/echo" is answered by echo-v1

  Scenario Outline: An edit by hand is undone, and the log names the field, its values and who changed it
    When "kubectl-edit" changes the <kind> echo/echo-routes:
      """
      spec: {<field>: [{<match>, <action>}]}
      """
    Then coalmine's log says "<kind> echo/echo-routes was changed: kubectl-edit made /spec/<field>"
    And the <kind> echo/echo-routes has "/echo" at "/spec/<field>/0/<path>"
    And every request to "/echo" is answered by echo-v1

    @gloo-objects
    Examples: Gloo
      | kind       | field  | match                            | action                              | path              |
      | RouteTable | routes | matchers: [{prefix: /elsewhere}] | directResponseAction: {status: 204} | matchers/0/prefix |

    @gateway-api
    Examples: the Gateway API
      | kind      | field | match                                                    | action                                                            | path                 |
      | HTTPRoute | rules | matches: [{path: {type: PathPrefix, value: /elsewhere}}] | filters: [{type: RequestRedirect, requestRedirect: {port: 8081}}] | matches/0/path/value |

  Scenario Outline: What somebody deletes comes back
    When somebody deletes the <routes>
    Then coalmine's log says "<routes> was deleted; repaired"
    And every request to "/echo" is answered by echo-v1
    When somebody deletes the <other>
    Then coalmine's log says "<other> was deleted; repaired"
    And every request to "/echo" is answered by echo-v1

    @gloo-objects
    Examples: Gloo
      | routes                      | other              |
      | RouteTable echo/echo-routes | Upstream echo/echo |

    @gateway-api
    Examples: the Gateway API
      | routes                     | other             |
      | HTTPRoute echo/echo-routes | Service echo/echo |

  Scenario: A label that somebody removes comes back, and the object stays ours
    When "kubectl-label" changes the Deployment echo/echo-v1:
      """
      metadata: {labels: {coalmine.dev/instance: null}}
      """
    Then coalmine's log says "somebody made /metadata/labels/coalmine.dev~1instance absent"
    And the Deployment echo/echo-v1 has "default" at "/metadata/labels/coalmine.dev~1instance"
    When the echo team removes "services/echo.yaml"
    Then the Deployment echo/echo-v1 is gone

  Scenario: A field that another manager took over is taken back
    When "other-tool" takes over of the Service echo/echo:
      """
      apiVersion: v1
      kind: Service
      metadata: {name: echo, namespace: echo}
      spec: {selector: {app: elsewhere}}
      """
    Then coalmine's log says "other-tool made /spec/selector/app"
    And the Service echo/echo has "echo" at "/spec/selector/app"

  Scenario: What the repository does not say is left alone
    Given "autoscaler" changes the Deployment echo/echo-v1:
      """
      metadata: {annotations: {example.com/note: theirs}}
      spec: {replicas: 2}
      """
    When "kubectl-edit" changes the Deployment echo/echo-v1:
      """
      metadata: {labels: {app: changed}}
      """
    Then the Deployment echo/echo-v1 has "echo" at "/metadata/labels/app"
    And the Deployment echo/echo-v1 has 2 at "/spec/replicas"
    And the Deployment echo/echo-v1 has "theirs" at "/metadata/annotations/example.com~1note"

  Scenario: A service can ask for its drift to be reported only
    Given the echo team pushes "services/echo.yaml":
      """
      drift: report
      deployment: {v1: {}}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    And echo is Stable
    When "kubectl-edit" changes the Service echo/echo:
      """
      metadata: {labels: {app.kubernetes.io/managed-by: somebody}}
      """
    Then echo is Drifted because of "Service echo/echo"
    And coalmine's log says "Service echo/echo was changed: kubectl-edit made /metadata/labels/app.kubernetes.io~1managed-by"
    And the Service echo/echo has "somebody" at "/metadata/labels/app.kubernetes.io~1managed-by"
    When the echo team pushes "services/echo.yaml":
      """
      deployment: {v1: {}}
      routes: {apiGroup: example, primary: {version: v1}}
      """
    Then the Service echo/echo has "coalmine" at "/metadata/labels/app.kubernetes.io~1managed-by"
    And echo is Stable

  Scenario: Somebody who changes the same field again and again is repaired ever more rarely, and named
    When "stubborn-tool" keeps changing the Service echo/echo:
      """
      metadata: {labels: {app.kubernetes.io/managed-by: stubborn}}
      """
    Then echo is Fighting because of "Service echo/echo"
