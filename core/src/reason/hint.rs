use std::fmt;

use serde::{Deserialize, Serialize};

/// Text for people that says what is wrong, and apart from it what to do. `Display` is what is wrong.
pub trait Hinted: fmt::Display {
    /// What to do about it, where there is more to do than to correct what the text names.
    fn hint(&self) -> Option<String>;

    /// Both on one line, as `wrong; hint`.
    fn line(&self) -> String {
        match self.hint() {
            Some(hint) => format!("{self}; {hint}"),
            None => self.to_string(),
        }
    }
}

/// Something that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// What is wrong.
    wrong: String,
    /// What to do.
    hint: Option<String>,
}

impl Advice {
    /// What is wrong, and what to do about it.
    pub fn new(wrong: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self { wrong: wrong.to_string(), hint: Some(hint.to_string()) }
    }

    /// What is wrong with something, and what to do about it.
    pub fn of(hinted: &impl Hinted) -> Self {
        Self { wrong: hinted.to_string(), hint: hinted.hint() }
    }

    /// The same with other words for what is wrong, such as with the place before them.
    #[must_use]
    pub fn reworded(self, words: impl FnOnce(&str) -> String) -> Self {
        Self { wrong: words(&self.wrong), hint: self.hint }
    }
}

impl From<String> for Advice {
    /// What is wrong says enough.
    fn from(wrong: String) -> Self {
        Self { wrong, hint: None }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.wrong)
    }
}

impl std::error::Error for Advice {}

impl Hinted for Advice {
    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}
