use std::sync::{Arc, LazyLock};

use regex_syntax::hir::literal::Extractor;

use super::PathMatch;
use crate::memo::Memo;
use crate::pattern;

impl PathMatch {
    /// A text that every path it takes begins with; for an expression as much as can be told.
    pub fn beginning(&self) -> String {
        match self {
            Self::Prefix(text) | Self::Exact(text) => text.clone(),
            Self::Regex(expression) => {
                static KNOWN: LazyLock<Memo<Arc<str>>> = LazyLock::new(|| Memo::new(50_000));
                KNOWN.of(expression, || beginning_of(expression).into()).to_string()
            }
            Self::Connect => String::new(),
        }
    }

    /// Whether it takes the path, given as Envoy compares it: without query, letter case counting.
    pub fn takes(&self, path: &str) -> bool {
        match self {
            Self::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Self::Exact(exact) => path == exact,
            Self::Regex(expression) => pattern::matches_all(expression, path),
            Self::Connect => false,
        }
    }

    /// The text as written; `CONNECT` where there is none.
    pub fn text(&self) -> &str {
        match self {
            Self::Prefix(text) | Self::Exact(text) | Self::Regex(text) => text,
            Self::Connect => "CONNECT",
        }
    }
}

/// The longest text that all matches of the expression begin with.
fn beginning_of(expression: &str) -> String {
    let Ok(parsed) = regex_syntax::parse(expression) else { return String::new() };
    let literals = Extractor::new().extract(&parsed);
    let common = literals.longest_common_prefix().unwrap_or_default();
    String::from_utf8_lossy(common).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(expression: &str) -> String {
        PathMatch::Regex(expression.into()).beginning()
    }

    #[test]
    fn an_expression_begins_with_what_all_its_matches_begin_with() {
        assert_eq!(beginning("/echo/[0-9]+x"), "/echo/");
        assert_eq!(beginning("/a/b|/a/c"), "/a/");
        assert_eq!(beginning(".*"), "");
        assert_eq!(beginning("("), "");
    }

    #[test]
    fn a_path_is_taken_as_envoy_compares_it() {
        let (prefix, exact) = (PathMatch::Prefix("/a".into()), PathMatch::Exact("/a".into()));
        let regex = PathMatch::Regex("/a|/b+".into());
        let takes =
            |path: &str| [&prefix, &exact, &regex, &PathMatch::Connect].map(|it| it.takes(path));
        assert_eq!(takes("/a"), [true, true, true, false]);
        assert_eq!(takes("/ab"), [true, false, false, false]);
        assert_eq!(takes("/bb"), [false, false, true, false]);
        assert_eq!(takes("/A"), [false, false, false, false]);
        let texts = [&prefix, &exact, &regex, &PathMatch::Connect].map(PathMatch::text);
        assert_eq!(texts, ["/a", "/a", "/a|/b+", "CONNECT"]);
        assert_eq!(
            (prefix.beginning(), PathMatch::Connect.beginning()),
            ("/a".into(), String::new())
        );
    }
}
