Feature: Looking on schedule
  A watch that says nothing is no proof that nothing has happened: everything is listed anew on schedule.

  @local
  Scenario Outline: What no watch tells is found on schedule
    Given coalmine follows the example rollouts, and lists everything anew every 3s
    And foxtrot is Stable
    And every request to "/foxtrot" is answered by foxtrot-v1
    When no watch of <plural> tells anything any more
    And somebody deletes the <kind> foxtrot/foxtrot-routes
    Then coalmine's log says "<kind> foxtrot/foxtrot-routes was deleted; repaired"
    And every request to "/foxtrot" is answered by foxtrot-v1

    @gloo-objects
    Examples: Gloo
      | kind       | plural      |
      | RouteTable | routetables |

    @gateway-api
    Examples: the Gateway API
      | kind      | plural     |
      | HTTPRoute | httproutes |
