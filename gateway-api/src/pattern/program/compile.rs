//! From an expression to instructions, as RE2 compiles for UTF-8.

use regex_syntax::utf8::Utf8Sequences;

use super::parse::Node;

/// An instruction, with the numbers of those that come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    Fail,
    Match,
    Nop(usize),
    Alternate(usize, usize),
    /// It takes a byte, or remembers or checks a place.
    Step(usize),
}

/// The most instructions; a longer program is too long anyway.
const MOST: usize = 20_000;

#[derive(Default)]
pub(super) struct Compiler {
    pub(super) instructions: Vec<Instruction>,
}

/// Where a part begins, and which exits are still open: instruction, and whether its second.
struct Fragment {
    begin: usize,
    open: Vec<(usize, bool)>,
    nullable: bool,
}

impl Compiler {
    /// Compiles a program and says where it begins, anchored and not.
    pub(super) fn program(&mut self, node: &Node, anchored: bool) -> Option<(usize, usize)> {
        self.instructions.push(Instruction::Fail);
        let all = self.fragment(node)?;
        let end = self.push(Instruction::Match)?;
        self.patch(&all.open, end);
        let start = self.skip(all.begin);
        if anchored {
            return Some((start, start));
        }
        let alternate = self.push(Instruction::Alternate(start, 0))?;
        let any = self.push(Instruction::Step(alternate))?;
        self.instructions[alternate] = Instruction::Alternate(start, any);
        Some((start, alternate))
    }

    /// The first instruction from here on that does something.
    fn skip(&self, mut at: usize) -> usize {
        while let Some(Instruction::Nop(next)) = self.instructions.get(at)
            && *next != 0
        {
            at = *next;
        }
        at
    }

    fn push(&mut self, instruction: Instruction) -> Option<usize> {
        self.instructions.push(instruction);
        (self.instructions.len() <= MOST).then(|| self.instructions.len() - 1)
    }

    fn patch(&mut self, open: &[(usize, bool)], to: usize) {
        for (at, second) in open {
            let instruction = &mut self.instructions[*at];
            *instruction = match (*instruction, second) {
                (Instruction::Nop(_), _) => Instruction::Nop(to),
                (Instruction::Step(_), _) => Instruction::Step(to),
                (Instruction::Alternate(_, other), false) => Instruction::Alternate(to, other),
                (Instruction::Alternate(one, _), true) => Instruction::Alternate(one, to),
                (other, _) => other,
            };
        }
    }

    fn step(&mut self) -> Option<Fragment> {
        let at = self.push(Instruction::Step(0))?;
        Some(Fragment { begin: at, open: vec![(at, false)], nullable: false })
    }

    fn nop(&mut self) -> Option<Fragment> {
        let at = self.push(Instruction::Nop(0))?;
        Some(Fragment { begin: at, open: vec![(at, false)], nullable: true })
    }

    fn then(&mut self, one: Fragment, other: Fragment) -> Fragment {
        if let Instruction::Nop(0) = self.instructions[one.begin]
            && one.open == [(one.begin, false)]
        {
            self.patch(&one.open, other.begin);
            return other;
        }
        self.patch(&one.open, other.begin);
        Fragment { begin: one.begin, open: other.open, nullable: one.nullable && other.nullable }
    }

    fn either(&mut self, one: Fragment, other: Fragment) -> Option<Fragment> {
        let begin = self.push(Instruction::Alternate(one.begin, other.begin))?;
        let mut open = one.open;
        open.extend(other.open);
        Some(Fragment { begin, open, nullable: one.nullable || other.nullable })
    }

    fn fragment(&mut self, node: &Node) -> Option<Fragment> {
        match node {
            Node::Empty => self.nop(),
            Node::Letter(c, _) => {
                let mut all = self.step()?;
                for _ in 1..c.len_utf8() {
                    let next = self.step()?;
                    all = self.then(all, next);
                }
                Some(all)
            }
            Node::Class(ranges) => self.class(ranges),
            Node::TextStart | Node::TextEnd | Node::Place => {
                let place = self.step()?;
                Some(Fragment { nullable: true, ..place })
            }
            Node::Concat(parts) => {
                let mut all = None;
                for part in parts {
                    let next = self.fragment(part)?;
                    all = Some(match all {
                        None => next,
                        Some(before) => self.then(before, next),
                    });
                }
                match all {
                    Some(all) => Some(all),
                    None => self.nop(),
                }
            }
            Node::Alternate(parts) => {
                let mut fragments = Vec::new();
                for part in parts {
                    fragments.push(self.fragment(part)?);
                }
                let mut all = fragments.pop()?;
                while let Some(before) = fragments.pop() {
                    all = self.either(before, all)?;
                }
                Some(all)
            }
            Node::Quest(inner) => {
                let inner = self.fragment(inner)?;
                self.optional(inner)
            }
            Node::Plus(inner) => {
                let inner = self.fragment(inner)?;
                self.plus(inner)
            }
            Node::Star(inner) => {
                let inner = self.fragment(inner)?;
                if inner.nullable {
                    let plus = self.plus(inner)?;
                    return self.optional(plus);
                }
                let at = self.push(Instruction::Alternate(inner.begin, 0))?;
                self.patch(&inner.open, at);
                Some(Fragment { begin: at, open: vec![(at, true)], nullable: true })
            }
            Node::Repeat(..) => None,
            Node::Capture(inner) => {
                let begin = self.step()?;
                let inner = self.fragment(inner)?;
                let end = self.step()?;
                let nullable = inner.nullable;
                let all = self.then(begin, inner);
                let all = self.then(all, end);
                Some(Fragment { nullable, ..all })
            }
        }
    }

    fn optional(&mut self, inner: Fragment) -> Option<Fragment> {
        let begin = self.push(Instruction::Alternate(inner.begin, 0))?;
        let mut open = inner.open;
        open.push((begin, true));
        Some(Fragment { begin, open, nullable: true })
    }

    fn plus(&mut self, inner: Fragment) -> Option<Fragment> {
        let at = self.push(Instruction::Alternate(inner.begin, 0))?;
        self.patch(&inner.open, at);
        Some(Fragment { begin: inner.begin, open: vec![(at, true)], nullable: inner.nullable })
    }

    /// A range of bytes each; letters beyond ASCII share the bytes after the first, as RE2 does for all of them.
    fn class(&mut self, ranges: &[(u32, u32)]) -> Option<Fragment> {
        let mut begins = Vec::new();
        let mut open = Vec::new();
        let mut continuation: Vec<usize> = Vec::new();
        for (low, high) in ranges {
            let ascii = (*low <= 0x7f).then_some((*low, (*high).min(0x7f)));
            if ascii.is_some() {
                let at = self.push(Instruction::Step(0))?;
                begins.push(at);
                open.push((at, false));
            }
            if *high <= 0x7f {
                continue;
            }
            let (low, high) = ((*low).max(0x80), *high);
            let widths: Vec<usize> = if (low, high) == (0x80, 0x0010_ffff) {
                vec![2, 3, 4]
            } else {
                let low = char::from_u32(low).unwrap_or('\u{80}');
                let high = char::from_u32(high).unwrap_or(char::MAX);
                Utf8Sequences::new(low, high).map(|sequence| sequence.as_slice().len()).collect()
            };
            for width in widths {
                while continuation.len() < width - 1 {
                    let next = continuation.last().copied();
                    let at = self.push(Instruction::Step(next.unwrap_or(0)))?;
                    if next.is_none() {
                        open.push((at, false));
                    }
                    continuation.push(at);
                }
                begins.push(self.push(Instruction::Step(continuation[width - 2]))?);
            }
        }
        let mut begin = begins.pop()?;
        while let Some(before) = begins.pop() {
            begin = self.push(Instruction::Alternate(before, begin))?;
        }
        Some(Fragment { begin, open, nullable: false })
    }
}
