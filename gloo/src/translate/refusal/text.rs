/// Envoy takes no line breaks and no NUL in names and values.
pub(super) fn one_line(what: &str, text: &str) -> Option<String> {
    text.contains(['\n', '\r', '\0']).then(|| format!("{what} with a line break: {text:?}"))
}
