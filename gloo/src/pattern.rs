//! RE2 expressions, which controllers compile with Go and Envoy with RE2.

use std::sync::{Arc, LazyLock};

use regex::Regex;
use regex_syntax::ast::{
    self, Ast, ErrorKind, Flag, FlagsItemKind, RepetitionKind, RepetitionRange,
};

use crate::memo::Memo;

/// Checks an expression.
///
/// # Errors
/// What Go's `regexp` says about it, because controllers put that into statuses.
pub fn check(pattern: &str) -> Result<(), String> {
    static CHECKED: LazyLock<Memo<Result<(), String>>> = LazyLock::new(|| Memo::new(50_000));
    CHECKED.of(pattern, || compile(pattern).map(drop))
}

fn compile(pattern: &str) -> Result<Regex, String> {
    let wrong = |fault: String| format!("error parsing regexp: {fault}");
    let adapted = adapt(pattern);
    if let Ok(ast) = ast::parse::Parser::new().parse(&adapted) {
        ast::visit(&ast, Strict { pattern: &adapted }).map_err(wrong)?;
    }
    Regex::new(&adapted).map_err(|_| wrong(fault(pattern)))
}

/// The most repetitions that RE2 takes.
const MOST_REPETITIONS: u32 = 1000;

/// Finds what this engine takes and RE2 does not.
struct Strict<'a> {
    pattern: &'a str,
}

impl Strict<'_> {
    fn text(&self, span: &ast::Span) -> &str {
        self.pattern.get(span.start.offset..span.end.offset).unwrap_or_default()
    }

    fn repetition(&self, repetition: &ast::Repetition) -> Result<(), String> {
        let operator = self.text(&repetition.op.span);
        if let Ast::Repetition(inner) = repetition.ast.as_ref() {
            let both = format!("{}{operator}", self.text(&inner.op.span));
            return Err(format!("invalid nested repetition operator: `{both}`"));
        }
        let most = match &repetition.op.kind {
            RepetitionKind::Range(RepetitionRange::Exactly(n) | RepetitionRange::AtLeast(n)) => *n,
            RepetitionKind::Range(RepetitionRange::Bounded(_, n)) => *n,
            _ => 0,
        };
        if most > MOST_REPETITIONS {
            return Err(format!("invalid repeat count: `{operator}`"));
        }
        Ok(())
    }

    /// Repetitions within each other count as their product, in Go (`repeatIsValid`) and in RE2 alike.
    fn nested(&self, repetition: &ast::Repetition) -> Result<(), String> {
        if comes_to_at_most(repetition, MOST_REPETITIONS) {
            return Ok(());
        }
        Err(format!("invalid repeat count: `{}`", self.text(&repetition.op.span)))
    }

    fn flags(&self, flags: &ast::Flags, span: &ast::Span) -> Result<(), String> {
        let known = |item: &ast::FlagsItem| match item.kind {
            FlagsItemKind::Negation => true,
            FlagsItemKind::Flag(flag) => {
                !matches!(flag, Flag::IgnoreWhitespace | Flag::Unicode | Flag::CRLF)
            }
        };
        if flags.items.iter().all(known) {
            return Ok(());
        }
        Err(format!("invalid or unsupported Perl syntax: `{}`", self.text(span)))
    }
}

impl ast::Visitor for Strict<'_> {
    type Output = ();
    type Err = String;

    fn finish(self) -> Result<(), String> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::Repetition(repetition) => self.repetition(repetition),
            Ast::Flags(flags) => self.flags(&flags.flags, &flags.span),
            Ast::Group(group) => match group.flags() {
                Some(flags) => self.flags(flags, &group.span),
                None => Ok(()),
            },
            Ast::Literal(literal) if self.text(&literal.span).starts_with("\\u") => {
                Err("invalid escape sequence: `\\u`".into())
            }
            _ => Ok(()),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::Repetition(repetition) => self.nested(repetition),
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, op: &ast::ClassSetBinaryOp) -> Result<(), String> {
        Err(format!("invalid character class range: `{}`", self.text(&op.span)))
    }
}

/// Whether repetitions with a number, within each other, come to this at most.
fn repeats_at_most(ast: &Ast, most: u32) -> bool {
    match ast {
        Ast::Repetition(repetition) => comes_to_at_most(repetition, most),
        Ast::Group(group) => repeats_at_most(&group.ast, most),
        Ast::Concat(concat) => concat.asts.iter().all(|it| repeats_at_most(it, most)),
        Ast::Alternation(either) => either.asts.iter().all(|it| repeats_at_most(it, most)),
        _ => true,
    }
}

fn comes_to_at_most(repetition: &ast::Repetition, most: u32) -> bool {
    let count = match &repetition.op.kind {
        RepetitionKind::Range(
            RepetitionRange::Exactly(n)
            | RepetitionRange::AtLeast(n)
            | RepetitionRange::Bounded(_, n),
        ) => *n,
        _ => 1,
    };
    count == 0 || count <= most && repeats_at_most(&repetition.ast, most / count)
}

/// Whether the whole of `text` matches. An expression that does not compile matches nothing.
pub fn matches_all(pattern: &str, text: &str) -> bool {
    static COMPILED: LazyLock<Memo<Option<Arc<Regex>>>> = LazyLock::new(|| Memo::new(250));
    let whole = || {
        check(pattern).ok()?;
        Regex::new(&format!(r"\A(?:{})\z", adapt(pattern))).ok().map(Arc::new)
    };
    COMPILED.of(pattern, whole).is_some_and(|regex| regex.is_match(text))
}

/// Replaces every match; `\1` in the substitution is the first group. A substitution that RE2 does not
/// take, because there is no such group, leaves the text as it is.
pub fn replace_all(pattern: &str, substitution: &str, text: &str) -> String {
    let Ok(regex) = compile(pattern) else {
        return text.to_owned();
    };
    if !refers_to_groups(substitution, regex.captures_len()) {
        return text.to_owned();
    }
    let expand = |captures: &regex::Captures<'_>| {
        let mut out = String::new();
        let mut chars = substitution.chars();
        while let Some(c) = chars.next() {
            match (c, if c == '\\' { chars.next() } else { None }) {
                ('\\', Some(d)) if d.is_ascii_digit() => {
                    let group = d.to_digit(10).unwrap_or_default() as usize;
                    out.push_str(captures.get(group).map_or("", |m| m.as_str()));
                }
                ('\\', Some(other)) => out.push(other),
                (other, _) => out.push(other),
            }
        }
        out
    };
    regex.replace_all(text, expand).into_owned()
}

/// Whether RE2 takes the substitution for this expression: every backslash is followed by a group that there is, or by
/// another backslash. An expression that does not compile has none.
pub fn is_substitution(pattern: &str, substitution: &str) -> bool {
    compile(pattern).is_ok_and(|regex| refers_to_groups(substitution, regex.captures_len()))
}

fn refers_to_groups(substitution: &str, groups: usize) -> bool {
    let mut chars = substitution.chars();
    while let Some(c) = chars.next() {
        let next = if c == '\\' { chars.next() } else { continue };
        let group = next.and_then(|next| next.to_digit(10));
        if next != Some('\\') && group.is_none_or(|group| group as usize >= groups) {
            return false;
        }
    }
    true
}

/// Turns RE2's notation into this engine's: quotes `\Q..\E`, and escapes what RE2 takes literally,
/// braces that are no repetition and in a class `[`, `&`, `~`. Classes like `\w` stay wider here than
/// in RE2: they take in letters beyond ASCII.
pub fn adapt(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    // Where the class at hand begins, counted from the end of the pattern.
    let mut class = None;
    while let Some(c) = rest.chars().next() {
        let tail = &rest[c.len_utf8()..];
        let mut taken = c.len_utf8();
        match (c, class) {
            ('\\', None) if tail.starts_with('Q') => {
                let quoted = &tail[1..];
                let end = quoted.find(r"\E");
                out.push_str(&regex::escape(&quoted[..end.unwrap_or(quoted.len())]));
                taken = end.map_or(rest.len(), |end| end + 4);
            }
            ('\\', _) => {
                taken += escaped(tail);
                out.push_str(&rest[..taken]);
            }
            ('[', None) => {
                let inner = tail.strip_prefix('^').unwrap_or(tail);
                taken = rest.len() - inner.len();
                class = Some(inner.len());
                out.push_str(&rest[..taken]);
            }
            ('[', Some(_)) if tail.starts_with(':') && tail.contains(":]") => {
                taken = rest.find(":]").map_or(taken, |end| end + 2);
                out.push_str(&rest[..taken]);
            }
            (']', Some(start)) if rest.len() == start => out.push_str(r"\]"),
            (']', Some(_)) => {
                class = None;
                out.push(']');
            }
            ('[' | '&' | '~', Some(_)) => {
                out.push('\\');
                out.push(c);
            }
            ('{', None) if !is_repetition(tail) => out.push_str(r"\{"),
            _ => out.push(c),
        }
        rest = &rest[taken..];
    }
    out
}

/// The length of what a backslash escapes: a character, or a class in braces like `p{Greek}`.
fn escaped(tail: &str) -> usize {
    let braced = ["p{", "P{", "x{"].iter().any(|class| tail.starts_with(class));
    match tail.find('}') {
        Some(end) if braced => end + 1,
        _ => tail.chars().next().map_or(0, char::len_utf8),
    }
}

fn is_repetition(after_brace: &str) -> bool {
    let Some((inner, _)) = after_brace.split_once('}') else { return false };
    let (low, high) = inner.split_once(',').unwrap_or((inner, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

/// Go's words for what is wrong with an expression that did not compile.
fn fault(pattern: &str) -> String {
    let Err(error) = ast::parse::Parser::new().parse(&adapt(pattern)) else {
        return format!("expression too large: `{pattern}`");
    };
    let adapted = error.pattern();
    let span = error.span();
    let part = adapted.get(span.start.offset..span.end.offset).unwrap_or_default();
    let from = adapted.get(span.start.offset..).unwrap_or_default();
    match error.kind() {
        ErrorKind::GroupUnclosed => format!("missing closing ): `{pattern}`"),
        ErrorKind::GroupUnopened => format!("unexpected ): `{pattern}`"),
        ErrorKind::ClassUnclosed => format!("missing closing ]: `{from}`"),
        ErrorKind::ClassRangeInvalid => format!("invalid character class range: `{part}`"),
        ErrorKind::RepetitionMissing => {
            let operator = from.chars().next().map(String::from).unwrap_or_default();
            format!("missing argument to repetition operator: `{operator}`")
        }
        ErrorKind::RepetitionCountInvalid => format!("invalid repeat count: `{part}`"),
        ErrorKind::EscapeUnexpectedEof => "trailing backslash at end of expression: ``".to_owned(),
        ErrorKind::UnsupportedLookAround
        | ErrorKind::FlagUnrecognized
        | ErrorKind::GroupNameInvalid => {
            let syntax = from.get(..3).filter(|s| s.starts_with("(?")).unwrap_or(part);
            format!("invalid or unsupported Perl syntax: `{syntax}`")
        }
        ErrorKind::EscapeUnrecognized | ErrorKind::UnsupportedBackreference => {
            format!("invalid escape sequence: `{part}`")
        }
        _ => format!("invalid regular expression: `{pattern}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::{compile, matches_all, replace_all};

    #[test]
    fn faults_are_told_in_gos_words() {
        let says = |pattern: &str| compile(pattern).unwrap_err();
        assert_eq!(says("/a("), "error parsing regexp: missing closing ): `/a(`");
        assert_eq!(
            says("(?=a)"),
            "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"
        );
        assert_eq!(says("a)"), "error parsing regexp: unexpected ): `a)`");
        assert_eq!(
            says("*a"),
            "error parsing regexp: missing argument to repetition operator: `*`"
        );
        assert_eq!(says("[a"), "error parsing regexp: missing closing ]: `[a`");
        assert_eq!(says("a**"), "error parsing regexp: invalid nested repetition operator: `**`");
        assert_eq!(says("a{1001}"), "error parsing regexp: invalid repeat count: `{1001}`");
        assert!(says("(?x)a").contains("unsupported Perl syntax"));
        assert!(says("[a--b]").contains("invalid character class range"));
    }

    #[test]
    fn what_re2_takes_literally_is_literal() {
        assert!(matches_all("a{b}", "a{b}"));
        assert!(matches_all("a{2}", "aa"));
        assert!(matches_all("[a[&&]+", "a[&"));
        assert!(matches_all("[]a]", "]"));
        assert!(matches_all("[[:digit:]]+", "12"));
        assert!(matches_all(r"\p{Greek}\x{41}", "αA"));
        assert!(matches_all(r"\Qa.b\E+", "a.bb"));
        assert!(!matches_all(r"\Qa.b\E", "axb"));
    }

    #[test]
    fn the_whole_text_must_match() {
        assert!(!matches_all("/a|/b", "/bc"));
        assert!(!matches_all("(", "("));
    }

    #[test]
    fn a_substitution_refers_to_groups_by_backslash() {
        assert_eq!(replace_all("^/r/([^/]+)", r"/\1/x", "/r/a/b"), "/a/x/b");
        assert_eq!(replace_all("^/", r"/\1", "/r"), "/r", "there is no group 1");
    }

    #[test]
    fn a_substitution_that_re2_does_not_take_leaves_the_text_as_it_is() {
        for substitution in [r"/x\1", r"/x\y", r"/x\"] {
            assert_eq!(replace_all("^/", substitution, "/r"), "/r", "{substitution}");
        }
        assert_eq!(replace_all("^/", r"/x\\", "/r"), r"/x\r", "a backslash is one by another");
        assert_eq!(replace_all("^/", r"/\0x", "/r"), "//xr", "group 0 is the whole match");
        assert_eq!(replace_all("(", "x", "(r"), "(r", "the expression does not compile");
    }

    #[test]
    fn what_re2_does_not_take_is_refused_wherever_it_stands() {
        let says = |pattern: &str| compile(pattern).unwrap_err();
        let syntax = "error parsing regexp: invalid or unsupported Perl syntax: ";
        assert!(says("a(?x:b)").starts_with(syntax), "{}", says("a(?x:b)"));
        assert!(says("(?u:a)").starts_with(syntax));
        assert!(says("((?R)a)").starts_with(syntax));
        assert!(compile("(?i:a)(?-s)(?U)b").is_ok(), "flags of RE2");
        let escape = "error parsing regexp: invalid escape sequence: ";
        assert_eq!(says(r"a\u0041"), format!(r"{escape}`\u`"));
        assert_eq!(says(r"\y"), format!(r"{escape}`\y`"));
        assert_eq!(says(r"(a)\1"), format!(r"{escape}`\1`"));
        assert!(compile("u").is_ok());
        let trailing = "error parsing regexp: trailing backslash at end of expression: ``";
        assert_eq!(says("a\\"), trailing);
    }

    #[test]
    fn repetitions_within_each_other_count_as_their_product() {
        for (pattern, count) in [
            ("(a{1,100}){1,100}", "{1,100}"),
            ("((a{10}b){11,}c|d){10}", "{10}"),
            ("(?:(?:a{2}){501})x", "{501}"),
        ] {
            let fault = format!("error parsing regexp: invalid repeat count: `{count}`");
            assert_eq!(compile(pattern).unwrap_err(), fault, "{pattern}");
        }
        for pattern in
            ["(a{10}){100}", "(a{1,100}|b)*(c{1,100}){10}", "(((a{1000}){0})b){2}", "(a{2}b+){500}"]
        {
            assert!(compile(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn an_expression_repeats_at_most_a_thousand_times() {
        let refused = |count: &str| {
            let fault = format!("error parsing regexp: invalid repeat count: `{count}`");
            assert_eq!(compile(&format!("a{count}")).unwrap_err(), fault);
        };
        for most in ["{1000}", "{1000,}", "{0,1000}"] {
            assert!(compile(&format!("a{most}")).is_ok(), "{most}");
        }
        for more in ["{1001}", "{1001,}", "{0,1001}", "{3,2}"] {
            refused(more);
        }
    }

    #[test]
    fn a_class_ends_where_that_of_re2_ends() {
        assert!(matches_all("[a]{b}", "a{b}"), "the brace is literal again");
        assert!(matches_all("[a][b]", "ab"));
        assert!(matches_all("[^]a]", "b") && !matches_all("[^]a]", "]"));
        assert!(matches_all("[[:a]", "[") && matches_all("[[:a]", ":"), "no name of a class");
        assert!(matches_all("[x[y:]", "[") && matches_all("[x[y:]", ":"), "neither here");
        assert!(matches_all("[a~~b]", "~") && matches_all("[a{b}]", "{"));
    }
}
