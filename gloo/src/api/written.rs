//! How fields are written: as Gloo's own client does, without what is empty.

use serde::Serializer;

/// Whether a field says no more than its absence does.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A number as Go writes it: `25` and not `25.0`, `0.1` and not the digits behind it.
pub(super) fn whole_or_decimal<S: Serializer>(value: &f32, to: S) -> Result<S::Ok, S::Error> {
    const EXACT: f32 = 16_777_216.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        return to.serialize_i64(*value as i64);
    }
    // The shortest decimal that reads back as the same number.
    match value.to_string().parse() {
        Ok(decimal) => to.serialize_f64(decimal),
        Err(_) => to.serialize_f32(*value),
    }
}
