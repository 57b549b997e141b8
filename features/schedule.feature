Feature: Looking on schedule
  A watch that says nothing is no proof that nothing has happened: everything is listed anew on schedule.

  @local @gloo-objects
  Scenario: What no watch tells is found on schedule
    Given coalmine follows the example rollouts, and lists everything anew every 3s
    And foxtrot is Stable
    And every request to "/foxtrot" is answered by foxtrot-v1
    When no watch of routetables tells anything any more
    And somebody deletes the RouteTable foxtrot/foxtrot-routes
    Then coalmine's log says "RouteTable foxtrot/foxtrot-routes was deleted; repaired"
    And every request to "/foxtrot" is answered by foxtrot-v1
