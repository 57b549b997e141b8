//! Names and numbers that are checked once, where they are read.

use std::borrow::Borrow;
use std::fmt;

/// The longest label value, Service name and container name that Kubernetes takes, in characters.
const MAX_LABEL: usize = 63;

/// The name under which the objects of `platform/` are kept in the inventory.
pub const PLATFORM: &str = "platform";

/// The name of a service: the stem of its file, and the name of its Service and Upstream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(String);

impl ServiceName {
    /// Checks a name: lower-case letters, digits and `-`, a letter first, at most 63 characters
    /// (what Kubernetes asks of a Service's name, RFC 1035), and not [`PLATFORM`].
    ///
    /// # Errors
    /// Says what is expected and what was found.
    pub fn new(name: &str) -> Result<Self, String> {
        if name == PLATFORM {
            return Err(format!("{PLATFORM:?} is kept for the objects of platform/"));
        }
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(format!("a service's name starts with a letter, found {name:?}"));
        }
        check_label("a service's name", name)?;
        Ok(Self(name.to_owned()))
    }

    /// The name that an impossible one most likely means, `team-echo` for `Team_Echo`.
    pub(super) fn resembled(impossible: &str) -> Option<String> {
        if Self::new(impossible).is_ok() {
            return None;
        }
        let sign = |sign: char| match sign.to_ascii_lowercase() {
            sign if sign.is_ascii_alphanumeric() => sign,
            _ => '-',
        };
        let meant: String = impossible.chars().map(sign).collect();
        let meant = meant.trim_matches('-');
        Self::new(meant).is_ok().then(|| meant.to_owned())
    }

    /// What a file that cannot be a service is reported under: its path, which then is no danger
    /// to a terminal.
    pub(super) fn unchecked(path: &str) -> Self {
        Self(path.escape_debug().to_string())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ServiceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A version of a service: the value of its pods' label `version`, and the end of the
/// Deployment's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(String);

impl Version {
    /// Checks a version: lower-case letters, digits and `-`, so that `<service>-<version>` can
    /// name a container.
    ///
    /// # Errors
    /// Says what is expected and what was found.
    pub fn new(version: &str) -> Result<Self, String> {
        check_label("a version", version)?;
        Ok(Self(version.to_owned()))
    }

    /// The version as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `<service>-<version>` is short enough for Kubernetes.
    pub(super) fn check_with(&self, service: &ServiceName) -> Result<(), String> {
        let name = format!("{service}-{self}");
        if name.len() > MAX_LABEL {
            let length = name.len();
            return Err(format!("`{name}` has {length} characters, the most is {MAX_LABEL}"));
        }
        Ok(())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A share in percent: 0 to 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u8);

impl Weight {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Everything.
    pub const FULL: Self = Self(100);

    /// `None` above 100.
    pub fn new(percent: u32) -> Option<Self> {
        u8::try_from(percent).ok().filter(|percent| *percent <= 100).map(Self)
    }

    /// The percentage.
    pub fn percent(self) -> u8 {
        self.0
    }

    /// What is left for the other.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(100 - self.0)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Checks a DNS label (RFC 1123), which also is what a namespace's name has to be.
pub(super) fn check_label(what: &str, text: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.is_empty() {
        Err(format!("{what} is not empty"))
    } else if text.len() > MAX_LABEL {
        Err(format!("{what} has at most {MAX_LABEL} characters, found {}", text.len()))
    } else if !text.bytes().all(allowed) || text.starts_with('-') || text.ends_with('-') {
        Err(format!("{what} is lower-case letters, digits and `-` between them, found {text:?}"))
    } else {
        Ok(())
    }
}

/// Checks what becomes a part of an object's address: Kubernetes refuses `.`, `..`, `/` and `%`, and
/// nobody uses the signs that would end the path or cannot be shown.
pub(super) fn check_path_segment(what: &str, text: &str) -> Result<(), String> {
    const LONGEST: usize = 253;
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"/%?#\\\"".contains(&byte);
    if [".", ".."].contains(&text) || text.is_empty() || !text.bytes().all(allowed) {
        let text: String = text.chars().take(LONGEST).collect();
        return Err(format!("{what} is letters, digits and `-._:`, found {text:?}"));
    }
    if text.len() > LONGEST {
        return Err(format!("{what} has at most {LONGEST} characters, found {}", text.len()));
    }
    Ok(())
}

/// Checks a label's value: what an `apiGroup` and the daemon's instance have to be.
///
/// # Errors
/// Says what is expected and what was found.
pub fn check_label_value(text: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    if bytes.len() <= MAX_LABEL
        && bytes.iter().all(|byte| allowed(*byte))
        && ends(bytes.first())
        && ends(bytes.last())
    {
        return Ok(());
    }
    Err(format!(
        "a label's value is up to {MAX_LABEL} letters, digits, `-`, `_` and `.`, \
         a letter or digit at both ends, found {text:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_name_is_what_kubernetes_takes_for_a_service() {
        assert!(ServiceName::new("echo-2").is_ok());
        for wrong in
            ["", "platform", "2echo", "Echo", "echo_2", "-echo", "echo-", "é", &"a".repeat(64)]
        {
            assert!(ServiceName::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_version_may_start_with_a_digit_but_has_no_dots() {
        assert!(Version::new("2").is_ok());
        assert!(Version::new("1.2").is_err());
    }

    #[test]
    fn service_and_version_together_fit_into_a_label() {
        let service = ServiceName::new(&"s".repeat(60)).unwrap();
        assert!(Version::new("v1").unwrap().check_with(&service).is_ok());
        assert!(Version::new("v10").unwrap().check_with(&service).is_err());
    }

    #[test]
    fn a_weight_and_its_rest_are_a_hundred() {
        assert_eq!(Weight::new(30).unwrap().rest(), Weight::new(70).unwrap());
        assert_eq!(Weight::new(101), None);
    }

    #[test]
    fn a_label_value_has_letters_or_digits_at_both_ends() {
        assert!(check_label_value("Team.a_1").is_ok());
        for wrong in ["", "-a", "a.", "a b", &"a".repeat(64)] {
            assert!(check_label_value(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_part_of_an_address_has_no_sign_that_would_end_it() {
        let check = |text: &str| check_path_segment("a name", text);
        for right in ["echo", "system:node.1", "A_b-c", "...", &"a".repeat(253)] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in ["", ".", "..", "a/b", "a%b", "a?b", "a#b", "a\\b", "a\"b", "a b", "ä", "a\n"]
        {
            let message = check(wrong).expect_err(wrong);
            assert_eq!(message, format!("a name is letters, digits and `-._:`, found {wrong:?}"));
        }
        let message = check(&"a".repeat(254)).expect_err("too long");
        assert_eq!(message, "a name has at most 253 characters, found 254");
    }
}
