//! RE2's notation, which differs a little from that of the crate `regex`.

use regex::Regex;
use regex_syntax::ast::{
    self, Ast, ErrorKind, Flag, FlagsItemKind, RepetitionKind, RepetitionRange,
};

/// The most repetitions that RE2 takes.
const MOST_REPETITIONS: u32 = 1000;

/// Compiles an expression.
///
/// # Errors
/// In the words of Go's `regexp`.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let wrong = |fault: String| format!("error parsing regexp: {fault}");
    let adapted = adapt(pattern);
    if let Ok(ast) = ast::parse::Parser::new().parse(&adapted) {
        ast::visit(&ast, Strict { pattern: &adapted }).map_err(wrong)?;
    }
    Regex::new(&adapted).map_err(|_| wrong(fault(pattern, &adapted)))
}

/// Compiles an expression for the whole of a text.
pub(super) fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!(r"\A(?:{})\z", adapt(pattern))).ok()
}

/// Finds what the crate `regex` takes and RE2 does not.
struct Strict<'a> {
    pattern: &'a str,
}

impl Strict<'_> {
    fn text(&self, span: &ast::Span) -> &str {
        self.pattern.get(span.start.offset..span.end.offset).unwrap_or_default()
    }
}

impl ast::Visitor for Strict<'_> {
    type Output = ();
    type Err = String;

    fn finish(self) -> Result<(), String> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), String> {
        let flags = match ast {
            Ast::Repetition(repetition) => {
                let operator = self.text(&repetition.op.span);
                if let Ast::Repetition(inner) = repetition.ast.as_ref() {
                    let both = format!("{}{operator}", self.text(&inner.op.span));
                    return Err(format!("invalid nested repetition operator: `{both}`"));
                }
                return match repeats(&repetition.op.kind) > MOST_REPETITIONS {
                    true => Err(format!("invalid repeat count: `{operator}`")),
                    false => Ok(()),
                };
            }
            Ast::Flags(flags) => Some((&flags.flags, &flags.span)),
            Ast::Group(group) => group.flags().map(|flags| (flags, &group.span)),
            _ => None,
        };
        let known = |item: &ast::FlagsItem| match item.kind {
            FlagsItemKind::Negation => true,
            FlagsItemKind::Flag(flag) => {
                !matches!(flag, Flag::IgnoreWhitespace | Flag::Unicode | Flag::CRLF)
            }
        };
        match flags {
            Some((flags, span)) if !flags.items.iter().all(known) => {
                Err(format!("invalid or unsupported Perl syntax: `{}`", self.text(span)))
            }
            _ => Ok(()),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::Repetition(repetition) if product(ast) > u64::from(MOST_REPETITIONS) => {
                Err(format!("invalid repeat count: `{}`", self.text(&repetition.op.span)))
            }
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, op: &ast::ClassSetBinaryOp) -> Result<(), String> {
        Err(format!("invalid character class range: `{}`", self.text(&op.span)))
    }
}

fn repeats(kind: &RepetitionKind) -> u32 {
    match kind {
        RepetitionKind::Range(RepetitionRange::Exactly(n) | RepetitionRange::AtLeast(n)) => *n,
        RepetitionKind::Range(RepetitionRange::Bounded(_, n)) => *n,
        _ => 1,
    }
}

/// Repetitions within each other count as their product, in Go and in RE2 alike.
fn product(ast: &Ast) -> u64 {
    match ast {
        Ast::Repetition(it) => {
            u64::from(repeats(&it.op.kind)).saturating_mul(product(&it.ast).max(1))
        }
        Ast::Group(group) => product(&group.ast),
        Ast::Concat(concat) => concat.asts.iter().map(product).max().unwrap_or(1),
        Ast::Alternation(either) => either.asts.iter().map(product).max().unwrap_or(1),
        _ => 1,
    }
}

/// Turns RE2's notation into that of the crate: quotes `\Q..\E`, and escapes what RE2 takes literally, braces that
/// are no repetition and in a class `[`, `&`, `~`.
pub(super) fn adapt(pattern: &str) -> String {
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
                // RE2 knows an escaped slash; the crate does as well.
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
fn fault(pattern: &str, adapted: &str) -> String {
    let Err(error) = ast::parse::Parser::new().parse(adapted) else {
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
            let syntax = from.get(..3).filter(|it| it.starts_with("(?")).unwrap_or(part);
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
    use super::*;

    #[test]
    fn what_re2_does_not_take_is_refused() {
        for pattern in
            ["/a(", "(?!bad).*", "*a", "a**", "a{1001}", "(a{100}){11}", "[a", "(?x)a", r"(a)\1"]
        {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
        for pattern in ["/a.*", "(?i)/echo", "^/echo$", "a{1000}", "a{b}", "[]a]", r"^/echo\/*"] {
            assert!(compile(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn the_whole_text_has_to_match() {
        let takes = |pattern: &str, text: &str| whole(pattern).is_some_and(|it| it.is_match(text));
        assert!(takes("a|ab", "ab") && !takes("a|ab", "abc"));
        assert!(takes(r"\Qa.b\E+", "a.bb") && !takes(r"\Qa.b\E", "axb"));
    }
}
