use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const SECOND: i64 = 1_000_000_000;

/// A duration as Gloo reads it: Go's notation (`300ms`, `1m30s`), printed the way protobuf does (`0.300s`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    nanos: i64,
}

impl Duration {
    /// `count` milliseconds.
    pub const fn from_millis(count: i64) -> Self {
        Self { nanos: count * 1_000_000 }
    }

    /// Whole milliseconds, rounded towards zero.
    pub const fn millis(self) -> i64 {
        self.nanos / 1_000_000
    }

    /// Whole seconds, rounded towards zero.
    pub(crate) const fn seconds(self) -> i64 {
        self.nanos / SECOND
    }

    /// The fraction of a second, in nanoseconds.
    pub(crate) const fn subsecond_nanos(self) -> i64 {
        self.nanos % SECOND
    }

    /// Go's `time.ParseDuration`.
    fn parse(text: &str) -> Option<Self> {
        let (sign, mut rest) = match text.as_bytes().first()? {
            b'-' => (-1, &text[1..]),
            b'+' => (1, &text[1..]),
            _ => (1, text),
        };
        if rest == "0" {
            return Some(Self::default());
        }
        if rest.is_empty() {
            return None;
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (digits, tail) = rest.split_at(number);
            let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit);
            total = total.checked_add(scale(digits, unit)?)?;
            rest = tail;
        }
        let nanos = i64::try_from(total).ok()?;
        Some(Self { nanos: nanos * sign })
    }
}

/// `digits` (with an optional fraction) times `unit`, in nanoseconds.
fn scale(digits: &str, unit: &str) -> Option<i128> {
    let unit: i128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => i128::from(SECOND),
        "m" => 60 * i128::from(SECOND),
        "h" => 3600 * i128::from(SECOND),
        _ => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut nanos = whole.checked_mul(unit)?;
    if !fraction.is_empty() {
        let fraction = &fraction[..fraction.len().min(18)];
        let parts: i128 = fraction.parse().ok()?;
        nanos += parts.checked_mul(unit)? / 10_i128.pow(fraction.len() as u32);
    }
    Some(nanos)
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let (seconds, nanos) = (self.seconds().abs(), self.subsecond_nanos().abs());
        match nanos {
            0 => write!(f, "{sign}{seconds}s"),
            n if n % 1_000_000 == 0 => write!(f, "{sign}{seconds}.{:03}s", n / 1_000_000),
            n if n % 1_000 == 0 => write!(f, "{sign}{seconds}.{:06}s", n / 1_000),
            n => write!(f, "{sign}{seconds}.{n:09}s"),
        }
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("invalid duration {text:?}")))
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Duration;

    fn read(text: &str) -> Option<String> {
        Duration::parse(text).map(|d| d.to_string())
    }

    #[test]
    fn a_duration_is_read_in_gos_notation_and_printed_in_protobufs() {
        assert_eq!(read("300ms").as_deref(), Some("0.300s"));
        assert_eq!(read("1m30s").as_deref(), Some("90s"));
        assert_eq!(read("1.5s").as_deref(), Some("1.500s"));
        assert_eq!(read("0").as_deref(), Some("0s"));
        assert_eq!(read("-250us").as_deref(), Some("-0.000250s"));
    }

    #[test]
    fn a_duration_without_a_unit_or_a_number_is_refused() {
        for text in ["", "5", "soon", "1d", ".s", "-", "99999999999h"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_unit_of_go_is_known() {
        let nanoseconds = |text: &str| {
            let duration = Duration::parse(text).expect(text);
            duration.seconds() * 1_000_000_000 + duration.subsecond_nanos()
        };
        for (text, expected) in [
            ("7ns", 7),
            ("7us", 7_000),
            ("7µs", 7_000),
            ("7μs", 7_000),
            ("7ms", 7_000_000),
            ("7s", 7_000_000_000),
            ("7m", 420_000_000_000),
            ("7h", 25_200_000_000_000),
            ("+1.5m", 90_000_000_000),
            ("-.5s", -500_000_000),
            ("1.s", 1_000_000_000),
            ("1h1ns", 3_600_000_000_001),
        ] {
            assert_eq!(nanoseconds(text), expected, "{text}");
        }
        assert_eq!(Duration::parse("1m"), Duration::parse("60s"));
    }

    #[test]
    fn a_duration_is_printed_with_as_many_digits_as_it_needs() {
        for (text, expected) in [
            ("1ms", "0.001s"),
            ("1us", "0.000001s"),
            ("1ns", "0.000000001s"),
            ("1500us", "0.001500s"),
            ("1ms1ns", "0.001000001s"),
            ("-1ns", "-0.000000001s"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
    }
}
