Feature: Any service through its phases
  Told neither names nor versions: whatever services a repository of rollouts holds, each brings out a next
  version by the steps of the articles. COALMINE_ROLLOUTS names somebody's repository; without it this is
  the example in rollouts/.

  Scenario: Every service brings out its next version, and loses no request
    Given coalmine follows the rollouts
    Then every service is ready and answers by its values
    Given constant load on every service

    When every service deploys its next version
    Then every service is ready and answers by its values

    When every next version gets the requests with a header
    Then every service is ready and answers by its values

    When every next version gets a bigger share, and so on until it has all
    Then every service is ready and answers by its values

    When every service goes on with its next version alone
    Then every service is ready and answers by its values
    And nothing is left of the versions before
    And no request of the load has failed
