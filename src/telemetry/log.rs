//! The log's writer.

use std::io::{self, Write};

use coalmine_core::sanitize::has_shape;
use tracing_subscriber::fmt::MakeWriter;

/// A log's writer that escapes what the log's format lets through: `tracing` and JSON take care of
/// the control characters of ASCII, and of no others.
#[derive(Clone, Copy, Debug)]
pub(super) struct SanitizedLog<W> {
    /// Where the lines go.
    pub(super) inner: W,
    /// Whether the lines are JSON, and escapes are JSON's.
    pub(super) json: bool,
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for SanitizedLog<M> {
    type Writer = SanitizedLog<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        SanitizedLog { inner: self.inner.make_writer(), json: self.json }
    }
}

impl<W: Write> Write for SanitizedLog<W> {
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
    fn a_log_line_is_harmless_and_json_stays_json() {
        let text = "a\u{202e}b\u{7f}c\u{e0041}d";
        let mut line = Vec::new();
        let colored = format!("\u{1b}[31m{text}\n");
        SanitizedLog { inner: &mut line, json: false }.write_all(colored.as_bytes()).unwrap();
        assert_eq!(line, b"\x1b[31ma\\u{202e}b\\u{7f}c\\u{e0041}d\n");
        let mut line = Vec::new();
        let json = serde_json::to_string(text).unwrap();
        SanitizedLog { inner: &mut line, json: true }.write_all(json.as_bytes()).unwrap();
        assert_eq!(line, b"\"a\\u202eb\\u007fc\\udb40\\udc41d\"");
        assert_eq!(serde_json::from_slice::<String>(&line).unwrap(), text);
    }
}
