//! What was found out about texts, kept for when the same text is asked about again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Findings by text. When there are too many, those that were not asked for lately are forgotten.
pub struct Memo<V> {
    /// The most findings of one generation.
    most: usize,
    generations: Mutex<Generations<V>>,
}

struct Generations<V> {
    young: HashMap<Box<str>, V>,
    old: HashMap<Box<str>, V>,
}

/// A longer text, in bytes, is looked at anew each time.
const LONGEST: usize = 1024;

impl<V: Clone> Memo<V> {
    /// Keeps at least `most` findings, and twice as many at the most.
    pub fn new(most: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new() };
        Self { most, generations: Mutex::new(generations) }
    }

    /// What is known about the text, found out by `find` if nothing is.
    pub fn of(&self, text: &str, find: impl FnOnce() -> V) -> V {
        if text.len() > LONGEST {
            return find();
        }
        let lock = || self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut generations = lock();
            if let Some(known) = generations.young.get(text) {
                return known.clone();
            }
            if let Some((text, known)) = generations.old.remove_entry(text) {
                self.keep(&mut generations, text, known.clone());
                return known;
            }
        }
        let found = find();
        self.keep(&mut lock(), text.into(), found.clone());
        found
    }

    fn keep(&self, generations: &mut Generations<V>, text: Box<str>, found: V) {
        if generations.young.len() >= self.most {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(text, found);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_is_known_is_not_found_out_again_until_it_was_not_asked_for_in_a_while() {
        let memo = Memo::new(2);
        let found = Cell::new(0);
        let ask = |text: &str| {
            memo.of(text, || {
                found.set(found.get() + 1);
                text.len()
            })
        };
        for (text, length, finds) in [
            ("a", 1, 1),
            ("a", 1, 1),
            ("bb", 2, 2),
            ("ccc", 3, 3),
            ("a", 1, 3),
            ("dddd", 4, 4),
            ("a", 1, 4),
            ("bb", 2, 5),
        ] {
            assert_eq!(ask(text), length, "{text}");
            assert_eq!(found.get(), finds, "{text}");
        }
        let long = "x".repeat(LONGEST + 1);
        assert_eq!((ask(&long), ask(&long)), (long.len(), long.len()));
        assert_eq!(found.get(), 7);
    }
}
