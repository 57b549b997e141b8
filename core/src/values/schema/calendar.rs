//! The keys of `policy.freeze` and `policy.windows`.

use schemars::JsonSchema;

use super::mapping::mapping;
use super::scalars::{FilledText, Text, scalar};

/// The most freezes, and the most windows.
pub(in crate::values) const MAX_PERIODS: usize = 100;

scalar! {
    /// A point in time, with its offset from UTC (RFC 3339).
    Moment: {"type": "string", "minLength": 1, "examples": ["2026-12-24T00:00:00Z", "2026-12-24T00:00:00+01:00"]}

    /// Hours of a day.
    Hours: {
        "type": "string",
        "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
        "examples": ["09:00-17:00", "22:00-06:00"]
    }
}

mapping! {
    /// A time in which the autopilot promotes nothing.
    Freeze {
        /// When it begins.
        from: Moment,
        /// When it is over.
        to: Moment,
        /// Why it is there.
        why: FilledText,
    }
}

mapping! {
    /// A time of the week in which the autopilot may promote.
    Window {
        /// The days; every one by default.
        #[schemars(length(min = 1))]
        days: Option<Vec<Day>>,
        /// The hours, from the first to before the second; the whole day by default.
        hours: Option<Hours>,
        /// The time zone of the IANA database; UTC by default.
        time_zone as "timeZone": Option<Text>,
    }
}

/// A day of the week.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}
