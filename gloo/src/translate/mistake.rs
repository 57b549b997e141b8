use crate::code::Code;

/// What is wrong, and Gloo's or Envoy's words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) code: Code,
    pub(super) words: String,
}

impl Mistake {
    pub(super) fn new(code: Code, words: impl Into<String>) -> Self {
        Self { code, words: words.into() }
    }

    /// The same within a longer sentence.
    pub(super) fn within(self, sentence: impl FnOnce(&str) -> String) -> Self {
        Self { words: sentence(&self.words), ..self }
    }
}
