//! Names and numbers that are checked once, where they are read.

use std::borrow::Borrow;
use std::fmt;

use sha2::{Digest, Sha256};

/// The longest label value, Service name and container name that Kubernetes takes, in characters.
const MAX_LABEL: usize = 63;

pub use crate::labels::PLATFORM;

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
/// Deployment's name in the form of [`object_name`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(String);

impl Version {
    /// Checks a version: a value of a Kubernetes label, such as `v1`, `1.4.2` or `v1.2.3-RC1`.
    ///
    /// # Errors
    /// Says what is expected and what was found.
    pub fn new(version: &str) -> Result<Self, String> {
        if is_label_value(version) {
            return Ok(Self(version.to_owned()));
        }
        let length = version.chars().count();
        let found = match length {
            0..=MAX_LABEL => format!("found {version:?}"),
            _ => format!("found {length} characters"),
        };
        Err(format!("a version is the value of a label: {LABEL_VALUE}, {found}"))
    }

    /// The version that an impossible one most likely means, with `_` for each sign that no label has:
    /// `1.4.2_build.7` for `1.4.2+build.7`, as Helm writes it.
    pub(super) fn resembled(impossible: &str) -> Option<Self> {
        let allowed = |sign: char| sign.is_ascii_alphanumeric() || "-_.".contains(sign);
        let meant: String =
            impossible.chars().map(|sign| if allowed(sign) { sign } else { '_' }).collect();
        Self::new(meant.trim_matches(|sign: char| !sign.is_ascii_alphanumeric())).ok()
    }

    /// The version as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the version's objects get a name that Kubernetes takes: that of a container is the
    /// shortest.
    pub(super) fn check_with(&self, service: &ServiceName) -> Result<(), String> {
        let name = object_name(service.as_str(), &self.0);
        if name.len() > MAX_LABEL {
            let length = name.len();
            return Err(format!("`{name}` has {length} characters, the most is {MAX_LABEL}"));
        }
        Ok(())
    }
}

/// The name of a version's Deployment, its container, and its Upstream where it has its own.
///
/// A version that is a DNS label (RFC 1123) stands in it as it is: `echo-v1`. Of any other the letters are
/// lowered and `.` and `_` become `-`: `echo-1-4-2` for `1.4.2`. Where that is longer than a name may be, the
/// version is cut, and a hash of the whole keeps it apart from others. The name never depends on the service's
/// other versions; that two of them do not share one is checked where they are read.
pub fn object_name(service: &str, version: &str) -> String {
    const HASH: usize = 8;
    let sign = |sign: char| match sign.to_ascii_lowercase() {
        '.' | '_' => '-',
        lowered => lowered,
    };
    let mut safe: String = version.chars().map(sign).collect();
    let room = MAX_LABEL.saturating_sub(service.len() + 1);
    if safe.len() > room && room >= HASH {
        let digest = Sha256::digest(version);
        let hash: String = digest.iter().take(HASH / 2).map(|byte| format!("{byte:02x}")).collect();
        let kept: String = safe.chars().take(room.saturating_sub(HASH + 1)).collect();
        let kept = kept.trim_end_matches('-');
        safe = if kept.is_empty() { hash } else { format!("{kept}-{hash}") };
    }
    format!("{service}-{safe}")
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
///
/// # Errors
/// Says what is expected of `what` and what was found.
pub fn check_label(what: &str, text: &str) -> Result<(), String> {
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

/// Checks a DNS subdomain (RFC 1123): labels with dots between them, which is what most objects are called.
pub(super) fn check_subdomain(what: &str, text: &str) -> Result<(), String> {
    const LONGEST: usize = 253;
    let shown: String = text.chars().take(LONGEST).collect();
    if text.len() > LONGEST {
        return Err(format!("{what} has at most {LONGEST} characters, found {}", text.len()));
    }
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty()
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.split('.').all(is_label) {
        return Ok(());
    }
    Err(format!("{what} is lower-case letters, digits, `-` and `.` between them, found {shown:?}"))
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
    if is_label_value(text) {
        return Ok(());
    }
    Err(format!("a label's value is {LABEL_VALUE}, found {text:?}"))
}

/// What Kubernetes takes as a label's value, other than an empty one.
const LABEL_VALUE: &str =
    "up to 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends";

fn is_label_value(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= MAX_LABEL
        && bytes.iter().all(|byte| allowed(*byte))
        && ends(bytes.first())
        && ends(bytes.last())
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
    fn a_version_is_what_kubernetes_takes_as_a_labels_value() {
        let longest = "a".repeat(63);
        for right in
            ["2", "1.4.2", "v1.2.3-RC1", "2024.11.05", "72225e2", "1.10", "v1_2", "on", &longest]
        {
            assert_eq!(Version::new(right).as_ref().map(Version::as_str), Ok(right));
        }
        for wrong in ["", "-1", "1.", "v1+build", "a/b", "a b", "é", &"a".repeat(64)] {
            assert!(Version::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_version_that_no_label_can_have_resembles_one_that_can() {
        for (wrong, meant) in [
            ("v1+build.7", Some("v1_build.7")),
            ("feature/x", Some("feature_x")),
            ("1.4.", Some("1.4")),
            (".5", Some("5")),
            ("-RC1", Some("RC1")),
            ("é", None),
            ("", None),
        ] {
            let found = Version::resembled(wrong);
            assert_eq!(found.as_ref().map(Version::as_str), meant, "{wrong}");
        }
        assert_eq!(Version::resembled(&"a".repeat(64)), None);
    }

    #[test]
    fn an_object_is_named_by_a_safe_form_of_the_version() {
        for (version, name) in [
            ("v1", "echo-v1"),
            ("10", "echo-10"),
            ("a--b", "echo-a--b"),
            ("1.4.2", "echo-1-4-2"),
            ("v1.2.3-RC1", "echo-v1-2-3-rc1"),
            ("v1_2", "echo-v1-2"),
        ] {
            assert_eq!(object_name("echo", version), name);
        }
    }

    #[test]
    fn a_long_version_is_cut_in_the_name_and_kept_apart_by_a_hash() {
        let commits = [
            "e83c5163316f89bfbde7d9ab23ca2e25604af290",
            "e83c5163316f89bfbde7d9ab23ca2e25604af291",
        ];
        let names = commits.map(|commit| object_name("storefront-recommendations", commit));
        assert_eq!(names[0], "storefront-recommendations-e83c5163316f89bfbde7d9ab23c-a5376fd5");
        assert_ne!(names[0], names[1]);
        // The cut leaves no `-` before the hash, and without room for more the hash stands alone.
        for length in 1..=54 {
            let service = ServiceName::new(&"s".repeat(length)).unwrap();
            let version =
                Version::new("1-2-3-4-5-6-7-8-9.1-2-3-4-5-6-7-8-9.1-2-3-4-5-6-7-8-9.1-2-3-4-5")
                    .unwrap();
            assert_eq!(version.check_with(&service), Ok(()), "{length}");
            assert_eq!(
                check_label("a name", &object_name(service.as_str(), version.as_str())),
                Ok(())
            );
        }
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
