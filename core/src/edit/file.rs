//! Lossless edits of one YAML document.

use std::fmt;
use std::str::FromStr;

use yaml_edit::{AsYaml, Document, Mapping, ScalarValue, YamlNode};

/// A YAML file whose untouched parts stay as they are, byte for byte.
pub(super) struct File(Document);

impl File {
    /// Reads a file; `None` when it is not one document with a mapping.
    pub(super) fn parse(content: &str) -> Option<Self> {
        let document = Document::from_str(content).ok()?;
        document.as_mapping()?;
        (document.to_string() == content).then_some(Self(document))
    }

    /// Sets the key at the end of the path, and makes the mappings on the way where there are none.
    pub(super) fn set(&self, path: &[&str], value: impl AsYaml) -> Option<()> {
        let (key, parents) = path.split_last()?;
        set(&self.mapping(parents)?, key, value);
        Some(())
    }

    /// Writes text at the path, in quotes where it would be read as something else without.
    pub(super) fn set_text(&self, path: &[&str], text: &str) -> Option<()> {
        match reads_as_text(text) {
            true => self.set(path, text),
            false => self.set(path, ScalarValue::double_quoted(text)),
        }
    }

    /// Writes the mapping `{}` at the path.
    pub(super) fn set_empty(&self, path: &[&str]) -> Option<()> {
        self.set(path, Mapping::new_flow())
    }

    /// Writes at one path what stands at another; an empty value as `{}`.
    pub(super) fn copy(&self, from: &[&str], to: &[&str]) -> Option<()> {
        let (key, parents) = from.split_last()?;
        let parent = self.mapping(parents)?;
        match parent.get(key_node(&parent, key)?)? {
            YamlNode::Mapping(mapping) if !mapping.is_empty() => self.set(to, mapping),
            YamlNode::Mapping(_) | YamlNode::Scalar(_) => self.set_empty(to),
            _ => None,
        }
    }

    /// Removes the key at the end of the path, if it is there.
    pub(super) fn remove(&self, path: &[&str]) -> Option<()> {
        let (key, parents) = path.split_last()?;
        let parent = self.mapping(parents)?;
        if let Some(key) = key_node(&parent, key) {
            parent.remove(key);
        }
        Some(())
    }

    fn mapping(&self, path: &[&str]) -> Option<Mapping> {
        let mut mapping = self.0.as_mapping()?;
        for key in path {
            let below = |mapping: &Mapping| mapping.get_mapping(key_node(mapping, key)?);
            if below(&mapping).is_none() {
                set(&mapping, key, Mapping::new_flow());
            }
            mapping = below(&mapping)?;
        }
        Some(mapping)
    }
}

/// Sets a key, which is written in quotes where it would be read as something else without.
fn set(mapping: &Mapping, key: &str, value: impl AsYaml) {
    match key_node(mapping, key) {
        Some(key) => mapping.set(key, value),
        None if reads_as_text(key) => mapping.set(key, value),
        None => mapping.set(ScalarValue::double_quoted(key), value),
    }
}

/// The key of this text as it stands in the mapping. A key is the text that is written, as it is to who reads the
/// values: `1.10` and `"1.10"` are the same one.
fn key_node(mapping: &Mapping, key: &str) -> Option<YamlNode> {
    let is_key = |node: &YamlNode| matches!(node, YamlNode::Scalar(it) if it.as_string() == key);
    mapping.keys().find(is_key)
}

/// Whether every reader takes a plain scalar for this very text, be it one of YAML 1.1, such as those of Python
/// and Ruby, or of 1.2. In doubt it is not.
pub(super) fn reads_as_text(text: &str) -> bool {
    const WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"];
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    !(is_word || text.is_empty() || is_numeric(text) || is_date(text))
}

/// Whether some reader takes a plain scalar for a number: `1.10`, `72225e2`, `0x1f`, `0o17`, `1_000`, `1:30`.
fn is_numeric(text: &str) -> bool {
    // The numbers of YAML 1.1 have `_` between their digits.
    let digits = text.replace('_', "").to_ascii_lowercase();
    let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(&digits);
    let with_radix = ["0b", "0o", "0x"].iter().find_map(|prefix| unsigned.strip_prefix(prefix));
    if let Some(digits) = with_radix {
        return digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    }
    let begins_so = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let of_sixty = unsigned.contains(':')
        && unsigned.bytes().all(|it| it.is_ascii_digit() || b":.".contains(&it));
    let named = [".inf", ".nan"].contains(&unsigned);
    named || begins_so && (of_sixty || unsigned.parse::<f64>().is_ok())
}

/// Whether some reader takes a plain scalar for a date or a time: `2024-11-05`.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let year = parts.next().unwrap_or_default();
    let month = parts.next().unwrap_or_default();
    let rest = parts.next().unwrap_or_default();
    let day: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    let after = rest[day.len()..].chars().next();
    year.len() == 4
        && digits(year)
        && [1, 2].contains(&month.len())
        && digits(month)
        && [1, 2].contains(&day.len())
        && after.is_none_or(|sign| ['t', 'T', ' ', '\t'].contains(&sign))
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_reader_takes_for_another_type_is_no_text() {
        for other in [
            "1.10",
            "72225e2",
            "1e3",
            "0x1f",
            "0o17",
            "0b101",
            "017",
            "08",
            "1_000",
            "0x_1f",
            "1.5e+3",
            "10",
            "-1",
            "+1",
            ".5",
            "1.",
            ".inf",
            "1:30",
            "190:20:30.15",
            "on",
            "Off",
            "yes",
            "N",
            "y",
            "null",
            "NULL",
            "~",
            "",
            "true",
            "2024-11-05",
            "2024-1-5",
            "2001-12-14T21:59:43Z",
        ] {
            assert!(!reads_as_text(other), "{other}");
        }
        for text in [
            "v1",
            "1.4.2",
            "v1.2.3-RC1",
            "2024.11.05",
            "72225e2f",
            "v1_2",
            "e83c516",
            "1.10-rc1",
            "none",
            "onward",
            "20241105-1",
            "2024-11-05-rc1",
            "2024-11",
            "0xyz",
            "nan",
            "inf",
            "a:b",
        ] {
            assert!(reads_as_text(text), "{text}");
        }
    }

    #[test]
    fn a_key_is_found_however_it_is_written() {
        for key in ["1.10", "'1.10'", "\"1.10\""] {
            let file = File::parse(&format!("a:\n  {key}: {{}}\n  b: {{}}\n")).expect("a file");
            file.set(&["a", "1.10", "c"], 1_i64).expect("a place");
            assert_eq!(file.to_string(), format!("a:\n  {key}: {{c: 1}}\n  b: {{}}\n"));
            file.remove(&["a", "1.10"]).expect("a place");
            assert_eq!(file.to_string(), "a:\n  b: {}\n");
        }
    }

    #[test]
    fn what_would_be_read_as_something_else_is_written_in_quotes() {
        let file = File::parse("a: {}\nb:\n  v: v1\n").expect("a file");
        for text in ["1.10", "1_000", "v1.2.3-RC1", "on"] {
            file.set_empty(&["a", text]).expect("a place");
            file.set_empty(&["b", text]).expect("a place");
        }
        file.set_text(&["b", "v"], "72225e2").expect("a place");
        file.set_text(&["b", "w"], "1.4.2").expect("a place");
        assert_eq!(
            file.to_string(),
            "a: {\"1.10\": {}, \"1_000\": {}, \"v1.2.3-RC1\": {}, \"on\": {}}\n\
             b:\n  v: \"72225e2\"\n  \"1.10\": {}\n  \"1_000\": {}\n  v1.2.3-RC1: {}\n  \"on\": {}\n  w: 1.4.2\n"
        );
    }
}
