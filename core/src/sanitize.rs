//! Text from outside that is printed to a terminal or a log.
//!
//! File names, keys and values are chosen by whoever can push. Control characters in them could
//! steer a terminal, line breaks forge a line of a log, and characters without a shape or for
//! another direction of writing make a line read as something that it is not (CVE-2021-42574).

use std::borrow::Cow;

/// The text with every character that has no shape of its own as its escape, such as `\n` or
/// `\u{202e}`.
pub fn sanitize(text: &str) -> Cow<'_, str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_stays_as_it_is() {
        let text = "services/übung-日本.yaml: \"it's\" a\\d";
        assert!(matches!(sanitize(text), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn what_has_no_shape_is_escaped() {
        assert_eq!(sanitize("a\u{1b}[2Jb\r\nc\u{7f}\u{9b}"), "a\\u{1b}[2Jb\\r\\nc\\u{7f}\\u{9b}");
        assert_eq!(
            sanitize("\u{202e}\u{2066}\u{200b}\u{feff}"),
            "\\u{202e}\\u{2066}\\u{200b}\\u{feff}"
        );
    }
}
