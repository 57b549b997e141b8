//! Conditions that are right and probably mean something else than their author expects: Envoy matches values and
//! paths as a whole, by an expression (RE2, `safe_regex`) and by a text alike.

use std::slice;

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{AssertionKind, Ast, RepetitionKind};

use super::model::{Path, ValueMatch};

/// What is doubtful about the condition on a header: who reads a header takes the blanks around its value away (RFC
/// 9110, section 5.5), and no value has a line break in it.
pub(super) fn of_header(value: &ValueMatch) -> Option<String> {
    let ValueMatch::Exact(text) = value else { return of_value(value) };
    if text.trim() != text {
        let bare = text.trim();
        return Some(format!(
            "no header has the value {text:?}, with a blank at an end; write {bare:?}"
        ));
    }
    if text.contains(|sign: char| sign.is_control() && sign != '\t') {
        return Some(format!("no header has the value {text:?}, with a sign that is not printed"));
    }
    of_value(value)
}

/// What is doubtful about the condition on a header or query parameter.
pub(super) fn of_value(value: &ValueMatch) -> Option<String> {
    match value {
        ValueMatch::Exact(text) => of_text(text),
        ValueMatch::Regex(expression) => {
            let shape = Shape::of(expression)?;
            if shape.literal {
                return Some(format!(
                    "the expression {expression:?} has to match the whole value, so it is the same as the \
                     value itself; for values that contain it write {:?}",
                    format!(".*{expression}.*")
                ));
            }
            shape.of_anchors("value", expression)
        }
        ValueMatch::Present => None,
    }
}

/// What is doubtful about a path.
pub(super) fn of_path(path: &Path) -> Option<String> {
    let Path::Regex(expression) = path else { return None };
    let shape = Shape::of(expression)?;
    if shape.begins_without_slash {
        return Some(format!(
            "no path fits the expression {expression:?}: it has to match the whole path, which begins with \
             `/`; for paths that contain it write {:?}",
            {
                let (flags, bare) = unanchored(expression);
                format!("{flags}.*{bare}.*")
            }
        ));
    }
    if shape.literal {
        return Some(format!(
            "the expression {expression:?} has to match the whole path, so it is the same as `exact`; for \
             paths that begin so write `prefix`"
        ));
    }
    shape.of_anchors("path", expression)
}

/// A text that looks like an expression or a list.
fn of_text(text: &str) -> Option<String> {
    let is_plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
    };
    let parts = |sign| text.split(sign).map(str::trim).collect::<Vec<_>>();
    for parts in [parts('|'), parts(',')] {
        if parts.len() > 1 && parts.iter().all(|part| is_plain(part)) {
            let list = parts.join(", ");
            return Some(format!(
                "{text:?} is compared as it is; for one of several values write a list, `[{list}]`"
            ));
        }
    }
    let begin = text.trim_start_matches('^').trim_end_matches('*').trim_end_matches('.');
    let is_pattern = text.starts_with('^') || text.ends_with('*');
    (is_pattern && is_plain(begin)).then(|| {
        let expression = format!("{{regex: \"{begin}.*\"}}");
        format!("{text:?} is compared as it is; for values that begin with it write `{expression}`")
    })
}

/// How an expression begins and ends.
#[derive(Default)]
struct Shape {
    /// It is a text, in which no sign has another meaning.
    literal: bool,
    /// Each of its alternatives begins with a sign other than `/`.
    begins_without_slash: bool,
    /// It is bound to the beginning, and looks as if more could follow.
    begins: bool,
    /// It is bound to the end, and looks as if more could stand before.
    ends: bool,
}

impl Shape {
    /// `None` for an expression that only RE2 can read.
    fn of(expression: &str) -> Option<Self> {
        let ast = Parser::new().parse(expression).ok()?;
        let mut shape = Self::default();
        let branches = branches(&ast);
        let mut without_slash = 0;
        for branch in &branches {
            // Such as `(?i)`, which takes no room.
            let flags = branch.iter().take_while(|ast| matches!(ast, Ast::Flags(_))).count();
            let branch = &branch[flags..];
            let is_begin = |ast: &Ast| {
                is_assertion(ast, &[AssertionKind::StartLine, AssertionKind::StartText])
            };
            let is_end =
                |ast: &Ast| is_assertion(ast, &[AssertionKind::EndLine, AssertionKind::EndText]);
            let begins = branch.first().is_some_and(is_begin);
            let ends = branch.last().is_some_and(is_end);
            shape.begins |= begins && !ends && !branch.last().is_some_and(is_anything);
            shape.ends |= ends && !begins && !branch.first().is_some_and(is_anything);
            let first = branch.get(usize::from(begins));
            let is_without = matches!(first, Some(Ast::Literal(literal)) if literal.c != '/');
            without_slash += usize::from(is_without);
        }
        shape.begins_without_slash = without_slash == branches.len();
        let is_literal = |ast: &Ast| matches!(ast, Ast::Literal(_));
        let is_text = |branch: &[Ast]| !branch.is_empty() && branch.iter().all(is_literal);
        shape.literal = matches!(branches.as_slice(), [only] if is_text(only));
        Some(shape)
    }

    /// What the anchors of an expression make one expect of a `what`.
    fn of_anchors(&self, what: &str, expression: &str) -> Option<String> {
        let (flags, bare) = unanchored(expression);
        let (place, verb, other) = match (self.begins, self.ends) {
            (true, _) => ("follow", "begin", format!("{flags}{bare}.*")),
            (false, true) => ("stand before", "end", format!("{flags}.*{bare}")),
            (false, false) => return None,
        };
        let other = match expression.contains('|') {
            true => "`.*` there".to_owned(),
            false => format!("{other:?}"),
        };
        Some(format!(
            "the expression {expression:?} has to match the whole {what}, and nothing may {place}; for \
             {what}s that {verb} so write {other}"
        ))
    }
}

/// The alternatives of an expression, each as what stands in it side by side.
fn branches(ast: &Ast) -> Vec<&[Ast]> {
    match ast {
        Ast::Group(group) => branches(&group.ast),
        Ast::Alternation(several) => several.asts.iter().map(side_by_side).collect(),
        one => vec![side_by_side(one)],
    }
}

fn side_by_side(ast: &Ast) -> &[Ast] {
    match ast {
        Ast::Concat(several) => &several.asts,
        Ast::Empty(_) => &[],
        one => slice::from_ref(one),
    }
}

fn is_assertion(ast: &Ast, kinds: &[AssertionKind]) -> bool {
    matches!(ast, Ast::Assertion(assertion) if kinds.contains(&assertion.kind))
}

/// Whether any text fits: `.*` and the like, in a group as well.
fn is_anything(ast: &Ast) -> bool {
    match ast {
        Ast::Group(group) => is_anything(&group.ast),
        Ast::Concat(several) => several.asts.iter().any(is_anything),
        Ast::Alternation(several) => several.asts.iter().any(is_anything),
        Ast::Repetition(repetition) => {
            matches!(repetition.op.kind, RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore)
        }
        _ => false,
    }
}

/// The expression without anchors at its ends, which have no effect: flags that it begins with, and the rest.
fn unanchored(expression: &str) -> (&str, &str) {
    let is_flag = |sign: char| sign.is_ascii_alphabetic() || sign == '-';
    let flags = expression.strip_prefix("(?").and_then(|rest| rest.split_once(')'));
    let flags = flags.filter(|(flags, _)| flags.chars().all(is_flag));
    let (flags, rest) = match flags {
        Some((flags, rest)) => (&expression[..flags.len() + 3], rest),
        None => ("", expression),
    };
    let begun = rest.strip_prefix('^').or_else(|| rest.strip_prefix("\\A")).unwrap_or(rest);
    let ended = begun.strip_suffix('$').or_else(|| begun.strip_suffix("\\z"));
    (flags, ended.filter(|rest| !rest.ends_with('\\')).unwrap_or(begun))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(expression: &str) -> Option<String> {
        of_value(&ValueMatch::Regex(expression.into()))
    }

    fn path(expression: &str) -> Option<String> {
        of_path(&Path::Regex(expression.into()))
    }

    #[test]
    fn an_expression_that_is_bound_to_one_end_is_hinted_at() {
        for (expression, hint) in [
            ("^beta", "nothing may follow; for values that begin so write \"beta.*\""),
            ("^beta-[0-9]", "nothing may follow; for values that begin so write \"beta-[0-9].*\""),
            ("beta$", "nothing may stand before; for values that end so write \".*beta\""),
            ("^(a|b)", "nothing may follow; for values that begin so write `.*` there"),
            ("^betas?", "nothing may follow; for values that begin so write \"betas?.*\""),
            ("^a|^b", "nothing may follow; for values that begin so write `.*` there"),
            ("(?i)^beta", "nothing may follow; for values that begin so write \"(?i)beta.*\""),
            ("(?i)beta$", "nothing may stand before; for values that end so write \"(?i).*beta\""),
            ("\\Abeta", "nothing may follow; for values that begin so write \"beta.*\""),
            ("beta\\z", "nothing may stand before; for values that end so write \".*beta\""),
        ] {
            let found = value(expression);
            assert!(found.as_ref().is_some_and(|it| it.ends_with(hint)), "{expression}: {found:?}");
        }
        for meant in [
            "^beta$",
            "^beta.*",
            ".*beta$",
            "a|b",
            "^(a|b)$",
            "beta.*",
            "beta-[0-9]",
            "^(a|b.*)",
            "^a+",
            "(?i)beta",
            "(?i)^beta$",
            "(?i)^beta.*",
            "",
        ] {
            assert_eq!(value(meant), None, "{meant}");
        }
    }

    #[test]
    fn an_expression_that_is_a_text_is_hinted_at() {
        assert_eq!(
            value("beta").as_deref(),
            Some(
                "the expression \"beta\" has to match the whole value, so it is the same as the value \
                 itself; for values that contain it write \".*beta.*\""
            )
        );
        assert!(path("/echo").is_some_and(|hint| hint.contains("the same as `exact`")));
        assert_eq!(path("/echo/.*"), None);
    }

    #[test]
    fn an_expression_that_no_path_fits_is_hinted_at() {
        for expression in ["v[0-9]+", "^echo", "a|b"] {
            let found = path(expression);
            assert!(found.as_ref().is_some_and(|it| it.starts_with("no path fits")), "{found:?}");
        }
        for right in ["/v[0-9]+", "^/echo$", ".*v[0-9]+", "(/a|/b)", "[/]a", "/a|b"] {
            assert_eq!(path(right), None, "{right}");
        }
        assert!(
            path("^/echo")
                .is_some_and(|hint| hint.ends_with("paths that begin so write \"/echo.*\""))
        );
    }

    #[test]
    fn a_text_that_looks_like_an_expression_or_a_list_is_hinted_at() {
        let text = |text: &str| of_value(&ValueMatch::Exact(text.into()));
        for (written, hint) in [
            ("beta|internal", "write a list, `[beta, internal]`"),
            ("beta, internal", "write a list, `[beta, internal]`"),
            ("beta*", "write `{regex: \"beta.*\"}`"),
            ("beta.*", "write `{regex: \"beta.*\"}`"),
            ("^beta", "write `{regex: \"beta.*\"}`"),
        ] {
            let found = text(written);
            assert!(found.as_ref().is_some_and(|it| it.ends_with(hint)), "{written}: {found:?}");
        }
        for meant in ["canary", "1.10", "*/*", "text/html, */*", "a b", "Mozilla/5.0 (X11, Linux)"]
        {
            assert_eq!(text(meant), None, "{meant}");
        }
        assert_eq!(of_value(&ValueMatch::Present), None);
    }

    #[test]
    fn a_value_that_no_header_has_is_hinted_at() {
        let header = |text: &str| of_header(&ValueMatch::Exact(text.into()));
        for (written, hint) in [
            (" canary", "with a blank at an end; write \"canary\""),
            ("canary ", "with a blank at an end; write \"canary\""),
            ("a\nb", "with a sign that is not printed"),
            ("beta*", "write `{regex: \"beta.*\"}`"),
        ] {
            let found = header(written);
            assert!(found.as_ref().is_some_and(|it| it.ends_with(hint)), "{written}: {found:?}");
        }
        for meant in ["canary", "a b", "a\tb", "0123", "ä"] {
            assert_eq!(header(meant), None, "{meant}");
        }
        let expression = ValueMatch::Regex("^beta".into());
        assert_eq!(of_header(&expression), of_value(&expression));
    }
}
