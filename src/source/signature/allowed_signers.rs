//! The file of allowed signers, in the format of ssh-keygen(1), "ALLOWED SIGNERS".

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::PublicKey;
use ssh_key::public::KeyData;

use coalmine_core::reason::Advice;

/// The namespace of signatures over git's objects.
pub(in crate::source) const NAMESPACE: &str = "git";

/// Keys that may sign commits.
pub(super) struct AllowedSigners(Vec<Signer>);

struct Signer {
    key: KeyData,
    /// The line of the file.
    line: usize,
    /// What its signatures may be for; empty for anything.
    namespaces: Vec<String>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl AllowedSigners {
    /// # Errors
    /// The line, and what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, Advice> {
        let mut signers = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                let number = number + 1;
                let signer = Signer::parse(line, number);
                signers.push(
                    signer
                        .map_err(|detail| detail.reworded(|it| format!("line {number}: {it}")))?,
                );
            }
        }
        if signers.is_empty() {
            let nobody = "it names nobody, so every commit would be refused";
            return Err(nobody.to_owned().into());
        }
        Ok(Self(signers))
    }

    /// Whether this key may sign a commit at all of these times.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn allow(&self, key: &KeyData, times: &[Timestamp]) -> Result<(), String> {
        let mut verdict = Err("which is not among the allowed signers".to_owned());
        for signer in self.0.iter().filter(|signer| signer.key == *key) {
            verdict = verdict.or_else(|_| signer.allow(times));
        }
        verdict
    }
}

impl Signer {
    /// `principals [options] key-type base64-key [comment]`
    fn parse(line: &str, number: usize) -> Result<Self, Advice> {
        // Whom a key belongs to is not asked: git does not compare it with the committer either.
        let (_principals, rest) = word(line);
        let (options, key) = match word(rest) {
            (kind, _) if is_key_type(kind) => ("", rest),
            (options, key) => (options, key),
        };
        let key = PublicKey::from_openssh(key)
            .map_err(|error| format!("the key cannot be read: {error}"))?;
        let mut signer = Self {
            key: key.key_data().clone(),
            line: number,
            namespaces: Vec::new(),
            after: None,
            before: None,
        };
        for option in split(options, ',').filter(|option| !option.is_empty()) {
            signer.take(option)?;
        }
        Ok(signer)
    }

    fn take(&mut self, option: &str) -> Result<(), Advice> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = value.trim_matches('"');
        match name.to_ascii_lowercase().as_str() {
            "namespaces" => {
                if value.contains(['*', '?', '!']) {
                    return Err(Advice::new(
                        format_args!("namespaces=\"{value}\": patterns are not supported"),
                        "write the names",
                    ));
                }
                self.namespaces = value.split(',').map(str::to_owned).collect();
            }
            "valid-after" => self.after = Some(time(value)?),
            "valid-before" => self.before = Some(time(value)?),
            "cert-authority" => {
                return Err(Advice::new(
                    "cert-authority is not supported",
                    "list the keys themselves",
                ));
            }
            _ => {
                return Err(Advice::new(
                    format_args!("unknown option `{name}`"),
                    "there are namespaces, valid-after and valid-before",
                ));
            }
        }
        Ok(())
    }

    fn allow(&self, times: &[Timestamp]) -> Result<(), String> {
        let line = self.line;
        if !self.namespaces.is_empty() && !self.namespaces.iter().any(|name| name == NAMESPACE) {
            return Err(format!(
                "which line {line} of the allowed signers allows for {} only",
                self.namespaces.join(", ")
            ));
        }
        for time in times {
            if let Some(after) = self.after.filter(|after| time < after) {
                return Err(format!(
                    "which line {line} of the allowed signers allows from {after} on"
                ));
            }
            if let Some(before) = self.before.filter(|before| time > before) {
                return Err(format!(
                    "which line {line} of the allowed signers allowed until {before}"
                ));
            }
        }
        Ok(())
    }
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| word.starts_with(prefix))
}

/// The first word, in which quotes keep spaces, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = text.find(|letter: char| {
        quoted ^= letter == '"';
        letter.is_whitespace() && !quoted
    });
    end.map_or((text, ""), |end| (&text[..end], text[end..].trim_start()))
}

/// The parts between separators that are not quoted.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |letter: char| {
        quoted ^= letter == '"';
        letter == separator && !quoted
    })
}

/// `YYYYMMDD[HHMM[SS]][Z]`: in the machine's time zone, or in UTC with the `Z`.
fn time(text: &str) -> Result<Timestamp, String> {
    let (digits, zone) = match text.strip_suffix('Z') {
        Some(digits) => (digits, TimeZone::UTC),
        None => (text, TimeZone::system()),
    };
    let padded = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        _ => digits.to_owned(),
    };
    let wrong = || format!("`{text}` is not a time: expected YYYYMMDD[HHMM[SS]][Z]");
    if padded.len() != 14 || !padded.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong());
    }
    let civil = DateTime::strptime("%Y%m%d%H%M%S", &padded).map_err(|_| wrong())?;
    zone.to_timestamp(civil).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_core::reason::Hinted;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn key() -> KeyData {
        PublicKey::from_openssh(KEY).unwrap().key_data().clone()
    }

    fn allow(line: &str, times: &[&str]) -> Result<(), String> {
        let times: Vec<Timestamp> = times.iter().map(|time| time.parse().unwrap()).collect();
        AllowedSigners::parse(&line.replace("KEY", KEY)).unwrap().allow(&key(), &times)
    }

    fn wrong(text: &str) -> String {
        AllowedSigners::parse(&text.replace("KEY", KEY)).err().unwrap().line()
    }

    #[test]
    fn a_key_is_found_behind_options_comments_and_other_lines() {
        for text in [
            "ada@example.com KEY",
            "ada@example.com,*@example.org KEY a comment",
            "\"ada lovelace\" namespaces=\"file,git\" KEY",
            "# ada\n\n  ada@example.com NAMESPACES=\"git\",valid-after=\"20200101\" KEY\n",
        ] {
            assert_eq!(allow(text, &["2024-01-01T00:00:00Z"]), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_key_counts_only_from_its_first_to_its_last_moment() {
        let line = "ada valid-after=\"20240101Z\",valid-before=\"202402011200Z\" KEY";
        for (times, expected) in [
            (vec!["2024-01-01T00:00:00Z", "2024-02-01T12:00:00Z"], None),
            (vec!["2023-12-31T23:59:59Z"], Some("allows from 2024-01-01T00:00:00Z on")),
            (
                vec!["2024-01-15T00:00:00Z", "2024-02-01T12:00:01Z"],
                Some("allowed until 2024-02-01T12:00:00Z"),
            ),
        ] {
            match (allow(line, &times), expected) {
                (Ok(()), None) => {}
                (Err(why), Some(words)) => {
                    assert!(why.contains("line 1 of the allowed signers"), "{why}");
                    assert!(why.ends_with(words), "{why}");
                }
                (verdict, _) => panic!("{times:?}: {verdict:?}"),
            }
        }
    }

    #[test]
    fn a_key_for_other_purposes_or_of_somebody_else_does_not_count() {
        let why = allow("ada namespaces=\"file,email\" KEY", &[]).unwrap_err();
        assert_eq!(why, "which line 1 of the allowed signers allows for file, email only");
        let other =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
        let why = allow(&format!("bob {other}"), &[]).unwrap_err();
        assert_eq!(why, "which is not among the allowed signers");
    }

    #[test]
    fn a_second_line_can_allow_what_the_first_does_not() {
        let text = "ada valid-before=\"20200101Z\" KEY\nada valid-after=\"20240101Z\" KEY";
        assert_eq!(allow(text, &["2024-06-01T00:00:00Z"]), Ok(()));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_its_line() {
        assert_eq!(
            wrong("ada KEY\nca cert-authority KEY"),
            "line 2: cert-authority is not supported; list the keys themselves"
        );
        assert!(
            wrong("ada namespaces=\"g*\" KEY").starts_with("line 1: namespaces=\"g*\": patterns")
        );
        assert!(wrong("ada no-touch KEY").starts_with("line 1: unknown option `no-touch`"));
        assert!(wrong("ada ssh-ed25519 AAAA").starts_with("line 1: the key cannot be read"));
        assert!(wrong("ada").starts_with("line 1: the key cannot be read"));
        for time in ["2024", "20241301", "tomorrow", "20240101T", "2024-01-01"] {
            let error = wrong(&format!("ada valid-after=\"{time}\" KEY"));
            assert!(error.contains("is not a time: expected YYYYMMDD"), "{error}");
        }
        assert_eq!(wrong("# nobody\n"), "it names nobody, so every commit would be refused");
    }
}
