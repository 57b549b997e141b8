//! `policy.freeze` and `policy.windows`: read, or refused with their place.

use jiff::civil::{Weekday, time};

use super::{listed, repository};

/// What is said of a `policy` with these keys.
fn problems(policy: &str) -> Vec<String> {
    listed(&repository(&[("coalmine.yaml", &format!("policy:\n  {policy}\n"))]).problems)
}

#[test]
fn freezes_and_windows_are_read() {
    let settings = "\
policy:
  freeze:
    - {from: 2026-12-24T00:00:00+01:00, to: 2027-01-02T00:00:00Z, why: holidays}
  windows:
    - {days: [mon, fri], hours: 09:30-17:00, timeZone: Europe/Berlin}
    - {hours: 22:00-24:00}
    - {days: [sun]}
";
    let repository = repository(&[("coalmine.yaml", settings)]);
    assert_eq!(repository.problems, []);
    let policy = repository.settings.policy;
    let [freeze] = policy.freeze.as_slice() else { panic!("{policy:?}") };
    assert_eq!(freeze.from.to_string(), "2026-12-23T23:00:00Z");
    assert_eq!(
        (freeze.to.to_string().as_str(), freeze.why.as_str()),
        ("2027-01-02T00:00:00Z", "holidays")
    );
    let [berlin, evening, sunday] = policy.windows.as_slice() else { panic!("{policy:?}") };
    assert_eq!(berlin.days, [Weekday::Monday, Weekday::Friday]);
    assert_eq!((berlin.from, berlin.to), (time(9, 30, 0, 0), time(17, 0, 0, 0)));
    assert_eq!(berlin.zone.iana_name(), Some("Europe/Berlin"));
    assert_eq!(
        (evening.days.len(), evening.from, evening.to),
        (7, time(22, 0, 0, 0), time(0, 0, 0, 0))
    );
    assert_eq!(evening.zone, jiff::tz::TimeZone::UTC);
    assert_eq!((sunday.from, sunday.to), (time(0, 0, 0, 0), time(0, 0, 0, 0)));
}

#[test]
fn a_freeze_that_is_none_is_refused_with_its_place() {
    for (freeze, expected) in [
        (
            "[{from: 2027-01-02T00:00:00Z, to: 2026-12-24T00:00:00Z, why: a}]",
            "coalmine.yaml:2:45: policy.freeze[0].to: 2026-12-24T00:00:00Z is not after `from`, 2027-01-02T00:00:00Z",
        ),
        (
            "[{from: 2026-12-24T00:00:00Z, to: 2026-12-24T01:00:00+01:00, why: a}]",
            "coalmine.yaml:2:45: policy.freeze[0].to: 2026-12-24T00:00:00Z is not after `from`",
        ),
        (
            "[{from: 2026-12-24, to: 2027-01-02T00:00:00Z, why: a}]",
            "coalmine.yaml:2:19: policy.freeze[0].from: expected a point in time, found the text \"2026-12-24\"",
        ),
        (
            "[{from: 2026-12-24T00:00:00, to: 2027-01-02T00:00:00Z, why: a}]",
            "coalmine.yaml:2:19: policy.freeze[0].from: expected a point in time",
        ),
        (
            "[{from: 2026-12-24T00:00:00Z, to: 2027-01-02T00:00:00Z}]",
            "coalmine.yaml:2:12: policy.freeze[0].why: the key is required",
        ),
        (
            "[{from: 2026-12-24T00:00:00Z, to: 2027-01-02T00:00:00Z, why: ''}]",
            "coalmine.yaml:2:72: policy.freeze[0].why: expected why nothing is promoted then",
        ),
        (
            "[soon]",
            "coalmine.yaml:2:12: policy.freeze[0]: expected a mapping, found the text \"soon\"",
        ),
        ("soon", "coalmine.yaml:2:11: policy.freeze: expected a list"),
    ] {
        let found = problems(&format!("freeze: {freeze}"));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{freeze}: {found:?}");
    }
    let one = "{from: 2026-12-24T00:00:00Z, to: 2027-01-02T00:00:00Z, why: a}";
    let found = problems(&format!("freeze: [{}]", vec![one; 101].join(", ")));
    assert!(found.len() == 1 && found[0].contains("more than 100 are listed"), "{found:?}");
}

#[test]
fn a_window_that_is_never_open_is_refused_with_its_place() {
    for (windows, expected) in [
        (
            "[]",
            "coalmine.yaml:2:12: policy.windows: no window is listed, so that none is ever open",
        ),
        ("[null]", "coalmine.yaml:2:13: policy.windows[0]: expected a mapping, found nothing"),
        (
            "[{days: []}]",
            "coalmine.yaml:2:20: policy.windows[0].days: no day is listed, so that the window is never open",
        ),
        (
            "[{hours: 09:00-09:00}]",
            "coalmine.yaml:2:21: policy.windows[0].hours: the window is never open: it closes when it opens",
        ),
        (
            "[{hours: 00:00-00:00}]",
            "coalmine.yaml:2:21: policy.windows[0].hours: the window is never open",
        ),
        ("[{hours: 9-17}]", "coalmine.yaml:2:21: policy.windows[0].hours: expected hours of a day"),
        (
            "[{hours: 24:00-01:00}]",
            "coalmine.yaml:2:21: policy.windows[0].hours: expected hours of a day",
        ),
        (
            "[{hours: 09:00-25:00}]",
            "coalmine.yaml:2:21: policy.windows[0].hours: expected hours of a day",
        ),
        ("[{days: [Monday]}]", "coalmine.yaml:2:21: policy.windows[0].days[0]: expected mon, tue"),
        (
            "[{timeZone: Europe/Berlim}]",
            "coalmine.yaml:2:24: policy.windows[0].timeZone: there is no time zone \"Europe/Berlim\"; write a name",
        ),
        ("[{zone: UTC}]", "coalmine.yaml:2:14: policy.windows[0].zone: unknown key"),
    ] {
        let found = problems(&format!("windows: {windows}"));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{windows}: {found:?}");
    }
}
