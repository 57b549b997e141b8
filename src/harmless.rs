//! Text of others on its way to a terminal or a log.
//!
//! File names, keys and values are chosen by whoever can push. Control characters in them could
//! steer a terminal, line breaks forge a line of a log, and characters without a shape or for
//! another direction of writing make a line read as something that it is not (CVE-2021-42574).

use std::borrow::Cow;
use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

/// The text with every character that has no shape of its own as its escape, such as `\n` or
/// `\u{202e}`.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().all(has_shape) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match has_shape(character) {
            true => shown.push(character),
            false => shown.extend(character.escape_debug()),
        }
    }
    Cow::Owned(shown)
}

/// Whether a character is seen as itself: no control, format or private character, no space but the
/// ordinary one, and nothing that only changes its neighbour.
pub fn has_shape(character: char) -> bool {
    // The standard library knows the tables; of these three it escapes the shape.
    matches!(character, '"' | '\'' | '\\') || character.escape_debug().len() == 1
}

/// A log's writer that escapes what the log's format lets through: `tracing` and JSON take care of
/// the control characters of ASCII, and of no others.
#[derive(Clone, Copy, Debug)]
pub struct HarmlessLog<W> {
    /// Where the lines go.
    pub inner: W,
    /// Whether the lines are JSON, and escapes are JSON's.
    pub json: bool,
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for HarmlessLog<M> {
    type Writer = HarmlessLog<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        HarmlessLog { inner: self.inner.make_writer(), json: self.json }
    }
}

impl<W: Write> Write for HarmlessLog<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A line comes in one piece; ASCII is told by a look at the bytes.
        if bytes.is_ascii() && !bytes.contains(&0x7f) {
            self.inner.write_all(bytes)?;
            return Ok(bytes.len());
        }
        let mut line = String::with_capacity(bytes.len() + 16);
        for character in String::from_utf8_lossy(bytes).chars() {
            if (character.is_ascii() && character != '\u{7f}') || has_shape(character) {
                line.push(character);
            } else if self.json {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    line += &format!("\\u{unit:04x}");
                }
            } else {
                line.extend(character.escape_debug());
            }
        }
        self.inner.write_all(line.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_stays_as_it_is() {
        let text = "services/übung-日本.yaml: \"it's\" a\\d";
        assert!(matches!(harmless(text), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn what_has_no_shape_is_escaped() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\nc\u{7f}\u{9b}"), "a\\u{1b}[2Jb\\r\\nc\\u{7f}\\u{9b}");
        assert_eq!(
            harmless("\u{202e}\u{2066}\u{200b}\u{feff}"),
            "\\u{202e}\\u{2066}\\u{200b}\\u{feff}"
        );
    }

    #[test]
    fn a_log_line_is_harmless_and_json_stays_json() {
        let text = "a\u{202e}b\u{7f}c\u{e0041}d";
        let mut line = Vec::new();
        let colored = format!("\u{1b}[31m{text}\n");
        HarmlessLog { inner: &mut line, json: false }.write_all(colored.as_bytes()).unwrap();
        assert_eq!(line, b"\x1b[31ma\\u{202e}b\\u{7f}c\\u{e0041}d\n");
        let mut line = Vec::new();
        let json = serde_json::to_string(text).unwrap();
        HarmlessLog { inner: &mut line, json: true }.write_all(json.as_bytes()).unwrap();
        assert_eq!(line, b"\"a\\u202eb\\u007fc\\udb40\\udc41d\"");
        assert_eq!(serde_json::from_slice::<String>(&line).unwrap(), text);
    }
}
