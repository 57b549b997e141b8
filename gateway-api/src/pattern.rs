//! RE2 expressions, with which Envoy compares: what the crate `gloo` knows of them, and how long their programs are.

mod program;

use std::sync::LazyLock;

use gloo::Memo;

pub(crate) use gloo::pattern::{check, is_substitution, matches_all, replace_all};

/// How many steps RE2's program for the expression has, as Envoy counts them; `None` where that cannot be told.
pub(crate) fn program_size(expression: &str) -> Option<usize> {
    static SIZES: LazyLock<Memo<Option<usize>>> = LazyLock::new(|| Memo::new(2000));
    SIZES.of(expression, || {
        check(expression).ok()?;
        program::size(expression)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_re2_does_not_take_is_refused() {
        for pattern in [
            "/a(",
            "(?!bad).*",
            "*a",
            "a**",
            "a{1001}",
            "(a{100}){11}",
            "[a",
            "(?x)a",
            r"(a)\1",
            r"\u0041",
        ] {
            assert!(check(pattern).is_err(), "{pattern}");
        }
        for pattern in ["/a.*", "(?i)/echo", "^/echo$", "a{1000}", "a{b}", "[]a]", r"^/echo\/*"] {
            assert!(check(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn the_whole_text_has_to_match() {
        assert!(matches_all("a|ab", "ab") && !matches_all("a|ab", "abc"));
        assert!(matches_all(r"\Qa.b\E+", "a.bb") && !matches_all(r"\Qa.b\E", "axb"));
    }
}
