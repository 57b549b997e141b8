//! Errors of commands: what is wrong, and apart from it what to do about it.

use std::fmt::{self, Display};

use crate::source::{PublishError, SourceError};
use coalmine_core::edit::EditError;
use coalmine_core::reason::{Advice, ClusterError, Hinted};

/// An error that says what to do about it.
#[derive(Debug)]
pub struct Advised {
    wrong: String,
    hint: String,
    source: Option<anyhow::Error>,
}

/// What is wrong, and what to do about it.
pub fn advised(wrong: impl Display, hint: impl Display) -> anyhow::Error {
    Advised { wrong: wrong.to_string(), hint: hint.to_string(), source: None }.into()
}

/// Adds to a failure what is wrong by that, and what to do about it.
pub trait Advise<T> {
    /// The failure becomes the cause of the error.
    ///
    /// # Errors
    /// With the `wrong` and `hint` that the function returns, when `self` is none or an error.
    fn advise<W: Display, H: Display>(self, advice: impl FnOnce() -> (W, H)) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Advise<T> for Result<T, E> {
    fn advise<W: Display, H: Display>(self, advice: impl FnOnce() -> (W, H)) -> anyhow::Result<T> {
        self.map_err(|error| {
            let (wrong, hint) = advice();
            let source = Some(error.into());
            Advised { wrong: wrong.to_string(), hint: hint.to_string(), source }.into()
        })
    }
}

impl<T> Advise<T> for Option<T> {
    fn advise<W: Display, H: Display>(self, advice: impl FnOnce() -> (W, H)) -> anyhow::Result<T> {
        self.ok_or_else(|| {
            let (wrong, hint) = advice();
            advised(wrong, hint)
        })
    }
}

impl Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.wrong)
    }
}

impl std::error::Error for Advised {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(AsRef::as_ref)
    }
}

impl Hinted for Advised {
    fn hint(&self) -> Option<String> {
        Some(self.hint.clone())
    }
}

/// What is wrong, causes included, and what can be done about each of them.
pub fn wrong_and_hints(error: &anyhow::Error) -> (String, Vec<String>) {
    let wrong: Vec<String> = error.chain().map(ToString::to_string).collect();
    (wrong.join(": "), error.chain().filter_map(hint_of).collect())
}

/// The same on one line.
pub fn line(error: &anyhow::Error) -> String {
    let (wrong, hints) = wrong_and_hints(error);
    let parts: Vec<String> = std::iter::once(wrong).chain(hints).collect();
    parts.join("; ")
}

fn hint_of(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    fn of<E: std::error::Error + Hinted + 'static>(
        cause: &(dyn std::error::Error + 'static),
    ) -> Option<String> {
        cause.downcast_ref::<E>()?.hint()
    }
    of::<Advised>(cause)
        .or_else(|| of::<Advice>(cause))
        .or_else(|| of::<ClusterError>(cause))
        .or_else(|| of::<EditError>(cause))
        .or_else(|| of::<PublishError>(cause))
        .or_else(|| of::<SourceError>(cause))
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use anyhow::Context;

    use super::*;

    #[test]
    fn every_cause_is_said_once_and_the_hints_come_apart() {
        let missing = Err::<(), _>(Error::new(ErrorKind::NotFound, "no such file"));
        let error = missing.advise(|| ("cannot read a; b", "make it")).context("cannot begin");
        let error = error.expect_err("missing");
        let (wrong, hints) = wrong_and_hints(&error);
        assert_eq!(wrong, "cannot begin: cannot read a; b: no such file");
        assert_eq!(hints, ["make it"]);
        assert_eq!(line(&error), "cannot begin: cannot read a; b: no such file; make it");
    }

    #[test]
    fn the_hint_of_the_source_and_that_of_a_secret_are_not_part_of_what_is_wrong() {
        let (repository, branch) = ("file:///a".to_owned(), "main".to_owned());
        let empty = anyhow::Error::from(SourceError::RepositoryEmpty { repository, branch });
        let (wrong, hints) = wrong_and_hints(&empty);
        assert_eq!(wrong, "git repository file:///a is empty");
        assert_eq!(hints, ["push branch `main` to it"]);
        let short = anyhow::Error::from(Advice::new("too short", "make one"));
        assert_eq!(wrong_and_hints(&short), ("too short".into(), vec!["make one".into()]));
    }

    #[test]
    fn a_cause_that_knows_its_hint_gives_it_wherever_it_stands() {
        let refused = ClusterError::Unreachable("refused".into());
        let hint = refused.hint().expect("one");
        let error = anyhow::Error::from(refused).context("cannot look");
        assert_eq!(wrong_and_hints(&error).1, [hint]);
        assert_eq!(wrong_and_hints(&anyhow::anyhow!("no; way")), ("no; way".into(), vec![]));
    }
}
