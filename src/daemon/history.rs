//! What was asked of services before this daemon started.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::work::joined;
use crate::report::{ChangeKind, History};
use crate::source::{Change, Revision, Source};
use coalmine_core::values::{Repository, Service};

/// How many of the newest commits are read.
const COMMITS: usize = 200;
/// How long that may take: nothing else is done meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the newest commits asked of the services, by name. Where they cannot be read there is nothing: it is
/// for people only.
pub(super) fn histories(source: &Source, revision: &Revision) -> BTreeMap<String, History> {
    let changes = source.past(revision, COMMITS).unwrap_or_else(|error| {
        tracing::warn!("what earlier commits asked for is not shown: {}", error.message());
        Vec::new()
    });
    let (begun, mut past) = (Instant::now(), Past::default());
    for change in &changes {
        past.add(change);
        if begun.elapsed() > PATIENCE {
            tracing::warn!(
                "what earlier commits asked for is not shown: it takes too long to read"
            );
            return BTreeMap::new();
        }
    }
    past.histories
}

#[derive(Default)]
struct Past {
    histories: BTreeMap<String, History>,
    /// The newest valid values.
    values: BTreeMap<String, Arc<Service>>,
}

impl Past {
    fn add(&mut self, change: &Change) {
        let [before, after] = [&change.before, &change.after].map(Repository::parse);
        for (name, outcome) in &after.services {
            let history = self.histories.entry(name.to_string()).or_default();
            match outcome {
                Ok(service) => {
                    let known = self.values.insert(name.to_string(), service.clone());
                    let before = before.services.get(name).and_then(|it| it.as_ref().ok());
                    let kind =
                        ChangeKind::between(known.as_ref().or(before).map(|it| &**it), service);
                    history.asked(&change.revision, None, service, kind);
                }
                Err(problems) => history.erred(&change.revision, None, &joined(problems)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Requested;
    use coalmine_core::tree::Tree;

    fn tree(echo: &str) -> Tree {
        let settings = "defaults: {routes: {apiGroup: a, primary: {version: v1}}}";
        let files = [("coalmine.yaml", settings), ("services/team/echo.yaml", echo)];
        let files = files.map(|(path, text)| (path.to_owned(), text.into()));
        Tree { files: files.into(), ..Tree::default() }
    }

    #[test]
    fn each_commit_is_told_by_what_it_asked_of_a_service() {
        let contents = [
            "deployment: {v1: {}}",
            "deployment: {v1: {}, v2: {}}\nroutes: {canary: {version: v2, weight: 10}}",
            "deployment: [",
            "deployment: {v1: {}}",
        ];
        let mut past = Past::default();
        for (number, pair) in contents.windows(2).enumerate() {
            let (id, author, subject) = (number.to_string(), "Ada".into(), "change".into());
            let committed = jiff::Timestamp::UNIX_EPOCH;
            let revision = Arc::new(Revision { id, author, subject, committed });
            past.add(&Change { revision, before: tree(pair[0]), after: tree(pair[1]) });
        }
        let told = |asked: &Requested| match asked {
            Requested::Values { phase, change, .. } => format!("{phase} {}", change.name()),
            Requested::Errors { errors } => errors.chars().take(29).collect(),
        };
        let steps = &past.histories["echo"].steps;
        let told: Vec<_> = steps.iter().map(|step| told(&step.asked)).collect();
        assert_eq!(told, ["Shifting advance", "services/team/echo.yaml:1:13:", "Stable rollback"]);
        assert!(steps.iter().all(|step| step.accepted_at.is_none()));
    }
}
