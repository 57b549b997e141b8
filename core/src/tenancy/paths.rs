//! Whether a path lies below a prefix of a policy.

use regex_syntax::ast::{
    AssertionKind, Ast, GroupKind, LiteralKind, RepetitionKind, RepetitionRange, parse::Parser,
};

use crate::values::Path;

/// Whether every request that the path takes is below the prefix: the prefix itself, or it and a `/` and more. A prefix
/// that ends with `/` is what is below it alone. A service's own prefix may be the policy's, letter by letter.
pub(super) fn covers(prefix: &str, path: &Path) -> bool {
    match path {
        Path::Exact(text) => is_below(prefix, text),
        Path::Prefix(text) => is_below(prefix, text),
        Path::Regex(expression) => {
            let beginnings = beginnings(expression);
            !beginnings.is_empty()
                && beginnings.iter().all(|beginning| match beginning.whole {
                    true => is_below(prefix, &beginning.text),
                    false => is_strictly_below(prefix, &beginning.text),
                })
        }
    }
}

fn is_below(prefix: &str, text: &str) -> bool {
    (text == prefix && is_plain(text)) || is_strictly_below(prefix, text)
}

/// Whether all that begins with the text is below the prefix.
fn is_strictly_below(prefix: &str, text: &str) -> bool {
    let within = match text.strip_prefix(prefix) {
        Some(rest) => prefix.ends_with('/') || rest.starts_with('/'),
        None => false,
    };
    within && is_plain(text)
}

/// Whether the text means to every reader what it says. Some resolve `..` and `.` after they decoded `%2e`, take `\`
/// for `/`, or cut `;` and what follows from a part of the path; then the path would be another one.
fn is_plain(text: &str) -> bool {
    let decoded = decode(text);
    let is_dots = |part: &str| {
        let name = part.split(';').next().unwrap_or_default().trim();
        [".", ".."].contains(&name)
    };
    let controls = |byte: &u8| byte.is_ascii_control() || b"\\?#".contains(byte);
    let Some(decoded) = decoded else { return false };
    !decoded.bytes().any(|byte| controls(&byte))
        && decoded.matches('/').count() == text.matches('/').count()
        && !decoded.split('/').any(is_dots)
        && !decoded.contains("//")
        && !decoded.contains('%')
}

/// The text with its escapes decoded; `None` when that is no text.
fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        if *byte == b'%' {
            let digits = text.get(at + 1..at + 3)?;
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok()
}

/// A text with which matches begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    text: String,
    /// Whether nothing follows it.
    whole: bool,
}

/// More alternatives than this are not followed.
const MOST: usize = 100;

/// The texts with one of which each match of the expression begins. Where nothing is known of some match, there is an
/// empty text among them. An expression that cannot be read has none.
///
/// Only letters that stand for themselves to every reader of RE2 count, so this holds whatever else the expression has.
pub(super) fn beginnings(expression: &str) -> Vec<Beginning> {
    // The parser nests no deeper than 250 levels, so this ends.
    match Parser::new().parse(expression) {
        Ok(ast) => of(&ast),
        Err(_) => Vec::new(),
    }
}

fn of(ast: &Ast) -> Vec<Beginning> {
    let unknown = || vec![Beginning { text: String::new(), whole: false }];
    let nothing = || Beginning { text: String::new(), whole: true };
    match ast {
        Ast::Empty(_) => vec![nothing()],
        // The whole path has to match, so at its ends they say nothing, and elsewhere they match nothing.
        Ast::Assertion(assertion) => match assertion.kind {
            AssertionKind::StartLine
            | AssertionKind::EndLine
            | AssertionKind::StartText
            | AssertionKind::EndText => vec![nothing()],
            _ => unknown(),
        },
        Ast::Literal(literal) => match literal.kind {
            LiteralKind::Verbatim | LiteralKind::Meta | LiteralKind::Superfluous => {
                vec![Beginning { text: literal.c.to_string(), whole: true }]
            }
            _ => unknown(),
        },
        Ast::Group(group) => match &group.kind {
            GroupKind::CaptureIndex(_) | GroupKind::CaptureName { .. } => of(&group.ast),
            // Flags change what letters mean.
            GroupKind::NonCapturing(flags) if flags.items.is_empty() => of(&group.ast),
            GroupKind::NonCapturing(_) => unknown(),
        },
        Ast::Alternation(alternation) => {
            let all: Vec<_> = alternation.asts.iter().flat_map(of).collect();
            if all.len() > MOST { unknown() } else { all }
        }
        Ast::Repetition(repetition) => {
            let optional = match &repetition.op.kind {
                RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore => true,
                RepetitionKind::OneOrMore => false,
                RepetitionKind::Range(
                    RepetitionRange::Exactly(least)
                    | RepetitionRange::AtLeast(least)
                    | RepetitionRange::Bounded(least, _),
                ) => *least == 0,
            };
            let mut once = of(&repetition.ast);
            if repetition.op.kind != RepetitionKind::ZeroOrOne {
                once.iter_mut().for_each(|beginning| beginning.whole = false);
            }
            if optional {
                once.push(nothing());
            }
            once
        }
        Ast::Concat(concat) => {
            let mut all = vec![nothing()];
            for ast in &concat.asts {
                if all.iter().all(|beginning| !beginning.whole) {
                    break;
                }
                let next = of(ast);
                if all.len() * next.len() > MOST {
                    return cut(all);
                }
                let open = all.iter().filter(|beginning| !beginning.whole).cloned();
                let grown = all.iter().filter(|beginning| beginning.whole).flat_map(|beginning| {
                    next.iter().map(|more| Beginning {
                        text: format!("{}{}", beginning.text, more.text),
                        whole: more.whole,
                    })
                });
                all = open.chain(grown).collect();
            }
            all
        }
        _ => unknown(),
    }
}

/// The same, with no word about what follows.
fn cut(mut all: Vec<Beginning>) -> Vec<Beginning> {
    all.iter_mut().for_each(|beginning| beginning.whole = false);
    all
}
