/// The milliseconds of a duration such as `1m30s`; `None` where it is none.
///
/// The Gateway API writes durations as up to four numbers with the units `h`, `m`, `s` and `ms` (GEP-2257).
pub fn millis(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut sum: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        let (unit, length) = match rest.get(digits..)? {
            unit if unit.starts_with("ms") => (1, 2),
            unit if unit.starts_with('h') => (3_600_000, 1),
            unit if unit.starts_with('m') => (60_000, 1),
            unit if unit.starts_with('s') => (1000, 1),
            _ => return None,
        };
        sum = sum.checked_add(number.checked_mul(unit)?)?;
        rest = rest.get(digits + length..)?;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn a_duration_is_numbers_with_units() {
        for (text, expected) in [
            ("0s", Some(0)),
            ("300ms", Some(300)),
            ("1h2m3s4ms", Some(3_723_004)),
            ("10s", Some(10_000)),
            ("10", None),
            ("", None),
            ("1.5s", None),
            ("s", None),
        ] {
            assert_eq!(millis(text), expected, "{text:?}");
        }
    }
}
