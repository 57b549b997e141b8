//! What a person accepts, and what is left then.

use std::collections::BTreeSet;

use super::super::{Accepted, Cause, Kind, Outcome};
use super::articles::{CANARY, SERVICE};
use super::carried::TEAMS;
use super::migrated;
use crate::values::Profile;

fn words(text: &str) -> BTreeSet<Accepted> {
    text.split(',').map(|word| word.parse().unwrap()).collect()
}

#[test]
fn what_is_accepted_stays_in_the_report_and_decides_nothing() {
    let mut migration = migrated(&format!("{SERVICE}{CANARY}"), Profile::Kgateway);
    assert_eq!(migration.outcome(), Outcome::Differs);
    let left = migration.to_accept().join(",");
    migration.accept(&words(&left));
    assert_eq!((migration.outcome(), migration.to_accept().len()), (Outcome::Same, 0));
    assert!(!migration.differences.is_empty());
    assert!(super::super::text(&migration).contains("[missing-pods, accepted]"));
}

#[test]
fn what_is_not_carried_over_weighs_more_than_a_difference() {
    let mut migration = migrated(TEAMS, Profile::Kgateway);
    assert_eq!(migration.outcome(), Outcome::Lacking);
    migration.accept(&words("policy"));
    assert_eq!(migration.outcome(), Outcome::Differs);
    assert!(!migration.to_accept().contains(&"policy"));
}

#[test]
fn every_name_is_taken_and_another_is_a_mistake_with_all_names() {
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(Accepted::Answered(kind)));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    for cause in Cause::ALL {
        assert_eq!(cause.as_str().parse(), Ok(Accepted::NotCarried(cause)));
        assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
    }
    let error = "everything".parse::<Accepted>().unwrap_err();
    assert!(error.contains("missing-pods") && error.contains("policy"), "{error}");
}
