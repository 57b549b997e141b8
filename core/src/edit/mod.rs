//! What a person asks of a rollout, as an edit of the service's values file.
//!
//! The file is edited in place: comments, order and style stay. The result is read again and has to mean
//! what was asked and nothing else; a file that cannot be edited so is left as it was, and the error says
//! what to write by hand.

mod file;
mod intent;
mod verb;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use file::File;
use intent::Operation;
pub use verb::{Goal, LADDER, Verb};

use crate::problem::Problem;
use crate::reason::{Advice, Hinted};
use crate::tree::Tree;
use crate::values::{Repository, Service};

/// A service's file as it should be.
#[derive(Clone, Debug)]
pub struct Edited {
    /// Its path in the tree.
    pub file: String,
    /// Its content before.
    pub before: String,
    /// Its content after.
    pub after: String,
    /// What it does, in one line: the subject of a commit.
    pub subject: String,
}

/// Why there is no edit.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// There is no such service.
    #[error("no service is called {name:?}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The services there are.
        known: Vec<String>,
    },
    /// The values have mistakes already.
    #[error("the values of {name} have mistakes, correct them first:\n{}", lines(problems))]
    Invalid {
        /// The service.
        name: String,
        /// Everything that is wrong.
        problems: Vec<Problem>,
    },
    /// It cannot be done as the rollout stands.
    #[error("{name}: {advice}")]
    NotNow {
        /// The service.
        name: String,
        /// Why, and what can be done instead.
        advice: Advice,
    },
    /// The file is written in a way that cannot be edited without changing more than was asked.
    #[error("{file} cannot be edited in place{}", because(mistake.as_deref()))]
    ByHand {
        /// The file.
        file: String,
        /// The first mistake that the file would have then.
        mistake: Option<Box<Problem>>,
        /// The keys and their values.
        instead: Vec<String>,
    },
}

impl Hinted for EditError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { known, .. } => Some(format!("there are: {}", known.join(", "))),
            Self::Invalid { .. } => None,
            Self::NotNow { advice, .. } => advice.hint(),
            Self::ByHand { instead, .. } => Some(format!("write by hand: {}", instead.join(", "))),
        }
    }
}

fn because(mistake: Option<&Problem>) -> String {
    mistake.map(|mistake| format!(", it would have a mistake: {mistake}")).unwrap_or_default()
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    lines.join("\n")
}

/// The service's file with what the verb asks for.
///
/// # Errors
/// See [`EditError`]. Nothing is written anywhere.
pub fn edit(tree: &Tree, name: &str, verb: &Verb) -> Result<Edited, EditError> {
    let repository = Repository::parse(tree);
    let before = valid(&repository, name)?;
    let policy = &repository.settings.policy;
    let intent = verb
        .intent(&before, policy)
        .map_err(|advice| EditError::NotNow { name: name.to_owned(), advice })?;
    let file = before.file.clone();
    let by_hand = |mistake: Option<Problem>| EditError::ByHand {
        file: file.clone(),
        mistake: mistake.map(Box::new),
        instead: intent.operations.iter().map(ToString::to_string).collect(),
    };
    let content = tree.files.get(&file).map(|file| file.content().to_vec()).unwrap_or_default();
    let content = String::from_utf8(content).map_err(|_| by_hand(None))?;
    let mut operations = intent.operations.clone();
    let (mut after, mut service) =
        carry_out(tree, name, &file, &content, &operations).map_err(by_hand)?;
    if intent.leaves_default_weight(&before, &service) {
        operations.push(Operation::canary_weight(0));
        (after, service) = carry_out(tree, name, &file, &content, &operations).map_err(by_hand)?;
    }
    if !intent.is_met(&before, &service) {
        return Err(by_hand(None));
    }
    Ok(Edited { file, before: content, after, subject: format!("{name}: {}", intent.summary) })
}

/// The service's values, if they have no mistakes.
///
/// # Errors
/// [`EditError::Unknown`] and [`EditError::Invalid`].
pub fn valid(repository: &Repository, name: &str) -> Result<Arc<Service>, EditError> {
    let invalid = |problems: &[Problem]| EditError::Invalid {
        name: name.to_owned(),
        problems: repository.problems.iter().chain(problems).cloned().collect(),
    };
    match repository.services.get(name) {
        _ if !repository.problems.is_empty() => Err(invalid(&[])),
        Some(Ok(service)) => Ok(service.clone()),
        Some(Err(problems)) => Err(invalid(problems)),
        None => Err(EditError::Unknown {
            name: name.to_owned(),
            known: repository.services.keys().map(ToString::to_string).collect(),
        }),
    }
}

/// The file after the operations, and what the service means then; the first mistake if it would have any, and
/// `None` where the file has no place for them.
fn carry_out(
    tree: &Tree,
    name: &str,
    file: &str,
    content: &str,
    operations: &[Operation],
) -> Result<(String, Arc<Service>), Option<Problem>> {
    let document = File::parse(content).ok_or(None::<Problem>)?;
    let applied = operations.iter().try_for_each(|operation| operation.apply(&document));
    applied.ok_or(None::<Problem>)?;
    let after = document.to_string();
    let mut tree = tree.clone();
    tree.files.insert(file.to_owned(), after.as_str().into());
    match Repository::parse(&tree).services.get(name) {
        Some(Ok(service)) => Ok((after, service.clone())),
        Some(Err(problems)) => Err(problems.first().cloned()),
        None => Err(None),
    }
}
