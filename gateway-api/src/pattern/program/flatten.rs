//! From instructions to lists, whose length RE2 counts.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::compile::Instruction;

/// The length of all lists. A list begins wherever a step leads to, and holds what can be reached from there without
/// a step; where that meets the beginning of another list it holds one entry for it.
pub(super) fn length(program: &[Instruction], start: usize, unanchored: usize) -> usize {
    let (mut roots, before) = marked(program, start, unanchored);
    let candidates: Vec<usize> = roots.iter().rev().copied().collect();
    for root in candidates.into_iter().filter(|root| *root != start && *root != unanchored) {
        let reached = reachable(program, root, &roots);
        for at in &reached {
            let from = before.get(at).into_iter().flatten();
            if from.into_iter().any(|it| !reached.contains(it)) {
                roots.insert(*at);
            }
        }
    }
    roots.iter().map(|root| list(program, *root, &roots)).sum()
}

/// The beginnings of lists as far as steps tell, and from which choices each instruction is reached.
fn marked(
    program: &[Instruction],
    start: usize,
    unanchored: usize,
) -> (BTreeSet<usize>, HashMap<usize, Vec<usize>>) {
    let mut roots = BTreeSet::from([0, start, unanchored]);
    let mut before: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut seen = HashSet::new();
    let mut open = vec![unanchored, start];
    while let Some(at) = open.pop() {
        if !seen.insert(at) {
            continue;
        }
        match program[at] {
            Instruction::Alternate(one, other) => {
                for next in [one, other] {
                    before.entry(next).or_default().push(at);
                    open.push(next);
                }
            }
            Instruction::Step(next) => {
                roots.insert(next);
                open.push(next);
            }
            Instruction::Nop(next) => open.push(next),
            Instruction::Match | Instruction::Fail => {}
        }
    }
    (roots, before)
}

/// What can be reached from a root without a step, up to other roots.
fn reachable(program: &[Instruction], root: usize, roots: &BTreeSet<usize>) -> HashSet<usize> {
    let mut reached = HashSet::new();
    let mut open = vec![root];
    while let Some(at) = open.pop() {
        if !reached.insert(at) || (at != root && roots.contains(&at)) {
            continue;
        }
        match program[at] {
            Instruction::Alternate(one, other) => open.extend([one, other]),
            Instruction::Nop(next) => open.push(next),
            Instruction::Step(_) | Instruction::Match | Instruction::Fail => {}
        }
    }
    reached
}

fn list(program: &[Instruction], root: usize, roots: &BTreeSet<usize>) -> usize {
    let reached = reachable(program, root, roots);
    let counts = |at: &&usize| {
        (**at != root && roots.contains(at))
            || matches!(
                program[**at],
                Instruction::Step(_) | Instruction::Match | Instruction::Fail
            )
    };
    reached.iter().filter(counts).count()
}
