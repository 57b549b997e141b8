//! A service that is always under way: one transition of every kind after the other, round and round.

/// A service that walks.
#[derive(Debug)]
pub(super) struct Walk {
    /// Its name, its namespace and its path.
    pub(super) service: &'static str,
    /// The key that says how its requests are split, with the line's end.
    split: &'static str,
    /// Transitions so far.
    taken: usize,
}

/// The header that leads to the canary.
pub(super) const HEADER: (&str, &str) = ("stage", "canary");

/// The transitions of a round, in their order.
const KINDS: [&str; 12] = [
    "a version is deployed",
    "requests with a header go to the canary",
    "the canary gets a first share",
    "the canary gets half",
    "the rollout is aborted",
    "the canary gets everything",
    "the canary becomes the primary, the old version goes",
    "the pods change in place",
    "there are more pods",
    "there are fewer pods",
    "the routes get other options and another path",
    "the other path goes",
];

impl Walk {
    /// Services that split their requests in each way there is.
    pub(super) fn all() -> [Self; 2] {
        let walk = |service, split| Self { service, split, taken: 0 };
        [walk("subset", ""), walk("upstream", "  split: upstream\n")]
    }

    /// Its file in the repository.
    pub(super) fn file(&self) -> String {
        format!("services/{}.yaml", self.service)
    }

    /// Takes the next transition: what it is.
    pub(super) fn step(&mut self) -> &'static str {
        let kind = KINDS[self.taken % KINDS.len()];
        self.taken += 1;
        kind
    }

    /// Its values as they are now.
    pub(super) fn values(&self) -> String {
        let (round, step) = (self.taken / KINDS.len(), self.taken % KINDS.len());
        let (old, new) = (format!("v{}", round + 1), format!("v{}", round + 2));
        let only = |version: &str| vec![(version.to_owned(), 2, round)];
        let both = || vec![(old.clone(), 2, round), (new.clone(), 2, round)];
        let changed = |replicas| vec![(new.clone(), replicas, round + 1)];
        let path = format!("{{prefix: /{}}}", self.service);
        let other = format!("{{prefix: /other-{}}}", self.service);
        let (versions, primary, weight, paths) = match step {
            0 => (only(&old), &old, None, vec![path]),
            1 => (both(), &old, None, vec![path]),
            2 => (both(), &old, Some(0), vec![path]),
            3 => (both(), &old, Some(10), vec![path]),
            4 => (both(), &old, Some(50), vec![path]),
            5 => (both(), &old, Some(0), vec![path]),
            6 => (both(), &old, Some(100), vec![path]),
            7 => (only(&new), &new, None, vec![path]),
            9 => (changed(3), &new, None, vec![path]),
            11 => (changed(2), &new, None, vec![path, other]),
            _ => (changed(2), &new, None, vec![path]),
        };
        let mut text = "deployment:\n".to_owned();
        for (version, replicas, round) in versions {
            text +=
                &format!("  {version}: {{replicas: {replicas}, env: {{ROUND: \"{round}\"}}}}\n");
        }
        text +=
            &format!("routes:\n  apiGroup: walks\n{}  paths: [{}]\n", self.split, paths.join(", "));
        if paths.len() > 1 {
            text += "  options: {timeout: 20s}\n";
        }
        text += &format!("  primary: {{version: {primary}}}\n");
        if let Some(weight) = weight {
            let (name, value) = HEADER;
            text += &format!(
                "  canary: {{version: {new}, weight: {weight}, headers: {{{name}: {value}}}}}\n"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_transition_changes_the_values_and_a_round_ends_with_one_new_version() {
        for mut walk in Walk::all() {
            let mut seen = BTreeSet::from([walk.values()]);
            let mut kinds = BTreeSet::new();
            for _ in 0..3 * KINDS.len() {
                let before = walk.values();
                kinds.insert(walk.step());
                assert_ne!(walk.values(), before);
                seen.insert(walk.values());
            }
            assert_eq!(kinds.len(), KINDS.len());
            // Aborted is like tried by header, fewer pods are like the change in place, and a round ends like that.
            assert_eq!(seen.len(), 3 * (KINDS.len() - 3) + 1);
            assert!(walk.values().contains("v4: {replicas: 2, env: {ROUND: \"3\"}}"));
            assert!(!walk.values().contains("v5") && !walk.values().contains("v3"));
        }
    }
}
