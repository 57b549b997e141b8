//! RE2 expressions, with which Envoy compares.

mod program;
mod syntax;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regex::Regex;

/// What is known of an expression.
#[derive(Clone)]
struct Known {
    compiled: Result<Arc<Regex>, String>,
    /// The same for the whole of a text.
    whole: Option<Arc<Regex>>,
    size: Option<usize>,
}

/// The most expressions that are remembered; then all are forgotten.
const MOST: usize = 2000;

fn known(expression: &str) -> Known {
    static KNOWN: LazyLock<Mutex<HashMap<Box<str>, Known>>> = LazyLock::new(Mutex::default);
    let lock = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lock().get(expression) {
        return known.clone();
    }
    let compiled = syntax::compile(expression).map(Arc::new);
    let size = compiled.is_ok().then(|| program::size(expression)).flatten();
    let whole = compiled.is_ok().then(|| syntax::whole(expression)).flatten().map(Arc::new);
    let found = Known { compiled, whole, size };
    let mut all = lock();
    if all.len() >= MOST {
        all.clear();
    }
    all.insert(expression.into(), found.clone());
    found
}

/// Checks an expression.
///
/// # Errors
/// What is wrong with it, in the words of Go's `regexp`, which both implementations use.
pub(crate) fn check(expression: &str) -> Result<(), String> {
    known(expression).compiled.map(drop)
}

/// How many steps RE2's program for the expression has, as Envoy counts them; `None` where that cannot be told.
pub(crate) fn program_size(expression: &str) -> Option<usize> {
    known(expression).size
}

/// Whether the whole of `text` matches. An expression that does not compile matches nothing.
pub(crate) fn matches_all(expression: &str, text: &str) -> bool {
    known(expression).whole.is_some_and(|regex| regex.is_match(text))
}

/// Replaces every match; `\1` in the substitution is the first group.
pub(crate) fn replace_all(expression: &str, substitution: &str, text: &str) -> String {
    let Ok(regex) = known(expression).compiled else { return text.to_owned() };
    let expand = |captures: &regex::Captures<'_>| {
        let mut out = String::new();
        let mut chars = substitution.chars();
        while let Some(c) = chars.next() {
            match (c, if c == '\\' { chars.next() } else { None }) {
                ('\\', Some(digit)) if digit.is_ascii_digit() => {
                    let group = digit.to_digit(10).unwrap_or_default() as usize;
                    out.push_str(captures.get(group).map_or("", |it| it.as_str()));
                }
                ('\\', Some(other)) => out.push(other),
                (other, _) => out.push(other),
            }
        }
        out
    };
    regex.replace_all(text, expand).into_owned()
}

/// Whether every backslash of a substitution is followed by a group that there is, or by another backslash.
pub(crate) fn is_substitution(expression: &str, substitution: &str) -> bool {
    let Ok(regex) = known(expression).compiled else { return false };
    let mut chars = substitution.chars();
    while let Some(c) = chars.next() {
        let next = if c == '\\' { chars.next() } else { continue };
        let group = next.and_then(|next| next.to_digit(10));
        if next != Some('\\') && group.is_none_or(|group| group as usize >= regex.captures_len()) {
            return false;
        }
    }
    true
}
