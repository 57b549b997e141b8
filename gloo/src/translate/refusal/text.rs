use crate::code::Code;
use crate::translate::mistake::Mistake;

/// Envoy takes no line breaks and no NUL in names and values.
pub(super) fn one_line(code: Code, what: &str, text: &str) -> Option<Mistake> {
    let words = || format!("{what} with a line break: {text:?}");
    text.contains(['\n', '\r', '\0']).then(|| Mistake::new(code, words()))
}
