//! From a push to the first answer that differs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::load::{Load, first_change};
use crate::repository::{BRANCH, Pushed};

/// Long enough to meet a version that has one percent of the requests.
const WINDOW: Duration = Duration::from_secs(5);

/// A push under observation.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) revision: String,
    at: Instant,
    /// Who answered each target before.
    before: BTreeMap<String, BTreeSet<String>>,
    pub(super) first_change: Option<Duration>,
}

/// Who answers each target, just before a push.
pub(super) fn before(load: &Load) -> BTreeMap<String, BTreeSet<String>> {
    load.mark();
    answering(load)
}

fn answering(load: &Load) -> BTreeMap<String, BTreeSet<String>> {
    let versions = |name: &String| load.window(name, WINDOW).into_keys().collect();
    load.totals().into_keys().map(|name| (name.clone(), versions(&name))).collect()
}

impl Watch {
    pub(super) fn new(pushed: Pushed, before: BTreeMap<String, BTreeSet<String>>) -> Self {
        Self { revision: pushed.revision, at: pushed.at, before, first_change: None }
    }

    /// Looks whether a target's answers have changed, for a change to whatever answers by now.
    pub(super) fn look(&mut self, load: &Load) {
        if self.first_change.is_some() {
            return;
        }
        let now = answering(load);
        let changes = self.before.iter().filter_map(|(name, before)| {
            let after = now.get(name)?;
            // A version whose only answers in the window are from before the push has not gone.
            first_change(before, after, &load.seen(name))
        });
        self.first_change = changes.min().map(|change| change.saturating_duration_since(self.at));
    }

    /// The first change on the way to these versions by target, now that they all answer.
    pub(super) fn settle(&mut self, load: &Load, after: &BTreeMap<String, BTreeSet<String>>) {
        let changes = self
            .before
            .iter()
            .filter_map(|(name, before)| first_change(before, after.get(name)?, &load.seen(name)));
        self.first_change = changes.min().map(|change| change.saturating_duration_since(self.at));
    }

    /// How long ago the push was.
    pub(super) fn elapsed(&self) -> Duration {
        self.at.elapsed()
    }
}

/// The branch in a bare repository, to notice what people push.
#[derive(Debug)]
pub(super) struct Branch {
    file: PathBuf,
    known: String,
}

impl Branch {
    /// The branch as it is now.
    pub(super) fn of(bare: &std::path::Path) -> Self {
        let file = bare.join("refs/heads").join(BRANCH);
        let known = fs::read_to_string(&file).unwrap_or_default();
        Self { file, known }
    }

    /// A push since the last time this was asked.
    pub(super) fn pushed(&mut self) -> Option<Pushed> {
        let id = fs::read_to_string(&self.file).ok()?;
        if id == self.known {
            return None;
        }
        let written = fs::metadata(&self.file).ok()?.modified().ok()?;
        let ago = SystemTime::now().duration_since(written).unwrap_or_default();
        self.known = id;
        let at = Instant::now().checked_sub(ago)?;
        Some(Pushed { revision: self.known.trim().to_owned(), at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::Repository;

    #[tokio::test]
    async fn a_push_by_anybody_is_noticed_once_with_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let content = folder.path().join("content");
        fs::create_dir(&content).unwrap();
        let repository = Repository::create(folder.path(), &content).await.unwrap();
        let mut branch = Branch::of(repository.bare());
        assert!(branch.pushed().is_none());
        repository.commit("More").await.unwrap();
        assert!(branch.pushed().is_none(), "a commit is no push");
        let pushed = repository.push().await.unwrap();
        let noticed = branch.pushed().unwrap();
        assert_eq!(noticed.revision, pushed.revision);
        let later = noticed.at.saturating_duration_since(pushed.at);
        assert!(later < Duration::from_secs(10), "{later:?} after the push began");
        assert!(branch.pushed().is_none());
    }
}
