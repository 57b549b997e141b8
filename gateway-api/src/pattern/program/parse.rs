//! An expression as RE2 has it after parsing.

use regex_syntax::ast::{
    AssertionKind, Ast, ClassPerlKind, Flag, Flags, FlagsItemKind, GroupKind, RepetitionKind,
    RepetitionRange, parse::Parser,
};
use regex_syntax::hir::{Class, HirKind};

/// Part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Empty,
    /// One letter; the second says that its case does not count.
    Letter(char, bool),
    /// Ranges of letters.
    Class(Vec<(u32, u32)>),
    Concat(Vec<Node>),
    Alternate(Vec<Node>),
    Star(Box<Node>),
    Plus(Box<Node>),
    Quest(Box<Node>),
    Repeat(Box<Node>, u32, Option<u32>),
    Capture(Box<Node>),
    TextStart,
    TextEnd,
    /// Another condition on a place, like `\b`.
    Place,
}

/// The flags that apply.
#[derive(Clone, Copy, Default)]
struct Mode {
    any_case: bool,
    dot_takes_newline: bool,
    lines: bool,
}

pub(super) fn parse(expression: &str) -> Option<Node> {
    let adapted = gloo::pattern::adapt(expression);
    let ast = Parser::new().parse(&adapted).ok()?;
    node(&ast, &mut Mode::default(), &adapted)
}

fn node(ast: &Ast, mode: &mut Mode, text: &str) -> Option<Node> {
    Some(match ast {
        Ast::Empty(_) => Node::Empty,
        Ast::Flags(flags) => {
            apply(&flags.flags, mode);
            Node::Empty
        }
        Ast::Literal(literal) => {
            Node::Letter(literal.c, mode.any_case && literal.c.is_alphabetic())
        }
        Ast::Dot(_) => match mode.dot_takes_newline {
            true => Node::Class(vec![(0, 0x0010_ffff)]),
            false => Node::Class(vec![(0, 9), (11, 0x0010_ffff)]),
        },
        Ast::Assertion(assertion) => match assertion.kind {
            AssertionKind::StartText => Node::TextStart,
            AssertionKind::EndText => Node::TextEnd,
            AssertionKind::StartLine if !mode.lines => Node::TextStart,
            AssertionKind::EndLine if !mode.lines => Node::TextEnd,
            _ => Node::Place,
        },
        Ast::ClassPerl(class) => Node::Class(negate(perl(&class.kind), class.negated)),
        Ast::ClassUnicode(class) => {
            translated(text.get(class.span.start.offset..class.span.end.offset)?, *mode)?
        }
        Ast::ClassBracketed(class) => {
            translated(text.get(class.span.start.offset..class.span.end.offset)?, *mode)?
        }
        Ast::Repetition(repetition) => {
            let inner = Box::new(node(&repetition.ast, mode, text)?);
            match &repetition.op.kind {
                RepetitionKind::ZeroOrOne => Node::Quest(inner),
                RepetitionKind::ZeroOrMore => Node::Star(inner),
                RepetitionKind::OneOrMore => Node::Plus(inner),
                RepetitionKind::Range(range) => match range {
                    RepetitionRange::Exactly(n) => Node::Repeat(inner, *n, Some(*n)),
                    RepetitionRange::AtLeast(n) => Node::Repeat(inner, *n, None),
                    RepetitionRange::Bounded(n, m) => Node::Repeat(inner, *n, Some(*m)),
                },
            }
        }
        Ast::Group(group) => {
            let mut inner_mode = *mode;
            if let GroupKind::NonCapturing(flags) = &group.kind {
                apply(flags, &mut inner_mode);
            }
            let inner = node(&group.ast, &mut inner_mode, text)?;
            match group.kind {
                GroupKind::NonCapturing(_) => inner,
                _ => Node::Capture(Box::new(inner)),
            }
        }
        Ast::Alternation(either) => {
            let all: Option<Vec<Node>> =
                either.asts.iter().map(|it| node(it, mode, text)).collect();
            Node::Alternate(all?)
        }
        Ast::Concat(concat) => {
            let all: Option<Vec<Node>> =
                concat.asts.iter().map(|it| node(it, mode, text)).collect();
            let parts = all?.into_iter().flat_map(|part| match part {
                Node::Concat(parts) => parts,
                Node::Empty => Vec::new(),
                other => vec![other],
            });
            Node::Concat(parts.collect())
        }
    })
}

fn apply(flags: &Flags, mode: &mut Mode) {
    let mut on = true;
    for item in &flags.items {
        match item.kind {
            FlagsItemKind::Negation => on = false,
            FlagsItemKind::Flag(Flag::CaseInsensitive) => mode.any_case = on,
            FlagsItemKind::Flag(Flag::DotMatchesNewLine) => mode.dot_takes_newline = on,
            FlagsItemKind::Flag(Flag::MultiLine) => mode.lines = on,
            FlagsItemKind::Flag(_) => {}
        }
    }
}

/// RE2's classes of this kind are those of ASCII.
fn perl(kind: &ClassPerlKind) -> Vec<(u32, u32)> {
    match kind {
        ClassPerlKind::Digit => vec![(0x30, 0x39)],
        ClassPerlKind::Space => vec![(9, 10), (12, 13), (0x20, 0x20)],
        ClassPerlKind::Word => vec![(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)],
    }
}

fn negate(ranges: Vec<(u32, u32)>, negated: bool) -> Vec<(u32, u32)> {
    if !negated {
        return ranges;
    }
    let mut out = Vec::new();
    let mut next = 0;
    for (low, high) in ranges {
        if low > next {
            out.push((next, low - 1));
        }
        next = high + 1;
    }
    out.push((next, 0x0010_ffff));
    out
}

/// A class in brackets, by the crate's own translation. `\w` and the like are meant for ASCII.
fn translated(class: &str, mode: Mode) -> Option<Node> {
    let ascii =
        class.replace(r"\d", "0-9").replace(r"\w", "0-9A-Za-z_").replace(r"\s", r"\t\n\f\r ");
    let flags = if mode.any_case { "(?i)" } else { "" };
    let hir = regex_syntax::parse(&format!("{flags}{ascii}")).ok()?;
    Some(match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => Node::Class(
            class.ranges().iter().map(|it| (it.start() as u32, it.end() as u32)).collect(),
        ),
        HirKind::Class(Class::Bytes(class)) => Node::Class(
            class.ranges().iter().map(|it| (it.start().into(), it.end().into())).collect(),
        ),
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            Node::Letter(text.chars().next()?, false)
        }
        _ => return None,
    })
}
