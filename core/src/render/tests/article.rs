//! The six values files of the article series, and the whole of what they become.

use super::{rendered, yaml};
use crate::phase::Phase;
use crate::values::tests::service;

const V1: &str = "
deployment:
  v1: {}
routes:
  apiGroup: example
  primary:
    version: v1
";

const V2_DEPLOYED: &str = "
deployment:
  v1: {}
  v2: {}
routes:
  apiGroup: example
  primary:
    version: v1
";

/// Both versions, and a canary with this weight.
fn canary(weight: &str) -> String {
    format!(
        "{V2_DEPLOYED}  canary:\n    version: v2\n    {weight}\n    headers:\n      stage: canary\n"
    )
}

const V2: &str = "
deployment:
  v2: {}
routes:
  apiGroup: example
  primary:
    version: v2
";

/// The steps after which deployments are the same show the routes only.
fn routes(values: &str) -> String {
    serde_yaml::to_string(rendered(values).routes[0].object()).unwrap()
}

#[test]
fn step_1_v1_alone() {
    assert_eq!(Phase::of(&service(V1)), Phase::Stable);
    insta::assert_snapshot!(yaml(&rendered(V1)));
}

#[test]
fn step_2_v2_deployed() {
    assert_eq!(Phase::of(&service(V2_DEPLOYED)), Phase::Deployed);
    insta::assert_snapshot!(yaml(&rendered(V2_DEPLOYED)));
}

#[test]
fn step_3_header() {
    let values = canary("");
    assert_eq!(Phase::of(&service(&values)), Phase::CanaryTest);
    insta::assert_snapshot!(routes(&values));
    assert_eq!(routes(&values), routes(&canary("weight: 0")));
}

#[test]
fn step_4_half_of_the_traffic() {
    let values = canary("weight: 50");
    assert_eq!(Phase::of(&service(&values)), Phase::Shifting);
    insta::assert_snapshot!(routes(&values));
}

#[test]
fn step_5_all_of_the_traffic() {
    let values = canary("weight: 100");
    assert_eq!(Phase::of(&service(&values)), Phase::Shifted);
    insta::assert_snapshot!(routes(&values));
}

#[test]
fn step_6_v1_gone() {
    assert_eq!(Phase::of(&service(V2)), Phase::Stable);
    insta::assert_snapshot!(yaml(&rendered(V2)));
}

#[test]
fn what_does_not_depend_on_the_step_stays_as_it_is() {
    let before = rendered(V1);
    let after = rendered(&canary("weight: 50"));
    assert_eq!(before.service, after.service);
    assert_eq!(before.upstreams, after.upstreams);
    assert_eq!(before.deployments[0], after.deployments[0]);
}
