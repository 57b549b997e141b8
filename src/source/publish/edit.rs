//! What a commit is to do, and its words.

use std::fmt;

use git2::{ObjectType, Oid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::source::error::SourceError;
use crate::source::inside;
use coalmine_core::sanitize::sanitize;

/// The longest subject, in characters. Forges show about 72 of them.
const LONGEST_SUBJECT: usize = 200;
/// The longest value of a trailer that is text, in characters.
const LONGEST_TRAILER: usize = 200;
/// The longest evidence, in bytes.
const LONGEST_EVIDENCE: usize = 16 << 10;

/// The edit of one service's file, and the words of its commit. Publishing it twice makes one commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The file, below the source's path: `services/echo.yaml`.
    pub file: String,
    /// Its content before. The commit is made only on a branch where the file is this.
    pub before: String,
    /// Its content after.
    pub after: String,
    /// The full id of the commit on which `before` was read. What came since is looked through for a commit of ours.
    pub base: String,
    /// The first line of the message.
    pub subject: String,
    /// What a person reads: what was measured, and what was decided.
    pub body: String,
    /// What a program reads.
    pub trailers: Trailers,
}

/// The last lines of the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trailers {
    /// `Coalmine-Step`: the step that this is, such as `25` or `abort`.
    pub step: String,
    /// `Coalmine-Evidence`: what it was decided on.
    pub evidence: Value,
    /// `Coalmine-Started-By`: the commit that began the rollout, and whose it is.
    pub started_by: String,
}

impl Edit {
    /// Whether it can be a commit at all.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        let refused = |wrong: String| SourceError::Configuration { detail: wrong.into() };
        if inside(&self.file)? != self.file || self.file.is_empty() {
            return Err(refused(format!(
                "`{}` is no file of the repository",
                sanitize(&self.file)
            )));
        }
        if Oid::from_str(&self.base).is_err() || self.base.len() != 40 {
            return Err(refused(format!("`{}` is no commit", sanitize(&self.base))));
        }
        if self.before == self.after {
            return Err(refused(format!("{} is not changed by the commit", self.file)));
        }
        if self.trailers.evidence.to_string().len() > LONGEST_EVIDENCE {
            return Err(refused(format!("the evidence has more than {LONGEST_EVIDENCE} bytes")));
        }
        Ok(())
    }

    /// The id of the blob that the file is after it.
    pub fn new_file(&self) -> Option<String> {
        self.new_blob().ok().map(|id| id.to_string())
    }

    /// The blob of the file before.
    pub(super) fn old_blob(&self) -> Result<Oid, git2::Error> {
        Oid::hash_object(ObjectType::Blob, self.before.as_bytes())
    }

    /// The blob of the file after.
    pub(super) fn new_blob(&self) -> Result<Oid, git2::Error> {
        Oid::hash_object(ObjectType::Blob, self.after.as_bytes())
    }

    /// The whole message. Nothing in the subject, the body or a trailer can pass for another trailer.
    pub fn message(&self) -> String {
        let mut message = line(&self.subject, LONGEST_SUBJECT);
        message.push('\n');
        let body: Vec<String> = self.body.trim().lines().map(in_body).collect();
        if !body.is_empty() {
            message.push('\n');
            message.push_str(&body.join("\n"));
            message.push('\n');
        }
        message.push('\n');
        let Trailers { step, evidence, started_by } = &self.trailers;
        let evidence = evidence.to_string();
        for (key, value) in [
            (STEP, line(step, LONGEST_TRAILER)),
            ("Coalmine-Evidence", sanitize(&evidence).into_owned()),
            ("Coalmine-Started-By", line(started_by, LONGEST_TRAILER)),
        ] {
            message.push_str(key);
            message.push_str(": ");
            message.push_str(&value);
            message.push('\n');
        }
        message
    }
}

/// The trailer that every commit of ours has.
pub(super) const STEP: &str = "Coalmine-Step";

/// One line of it, without what has no shape.
fn line(text: &str, longest: usize) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    sanitize(&words).chars().take(longest).collect()
}

/// A line of the body. One that looks like a trailer of ours is indented: git takes it for none then.
fn in_body(text: &str) -> String {
    let text = sanitize(text.trim_end()).into_owned();
    let is_trailer = text.to_ascii_lowercase().starts_with("coalmine-");
    if is_trailer { format!("  {text}") } else { text }
}

/// Whose commits they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

impl Default for Identity {
    /// `coalmine autopilot <autopilot@coalmine.dev>`
    fn default() -> Self {
        Self { name: "coalmine autopilot".to_owned(), email: "autopilot@coalmine.dev".to_owned() }
    }
}

impl fmt::Display for Identity {
    /// As git writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.email)
    }
}

impl std::str::FromStr for Identity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = || {
            let (name, email) = text.trim().strip_suffix('>')?.split_once('<')?;
            let (name, email) = (name.trim(), email.trim());
            let is_one = |text: &str| {
                !text.is_empty() && !text.contains(['<', '>']) && sanitize(text) == text
            };
            (is_one(name) && is_one(email) && !email.contains(' '))
                .then(|| Self { name: name.to_owned(), email: email.to_owned() })
        };
        parts().ok_or_else(|| "expected NAME <ADDRESS>, as git writes an author".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edit() -> Edit {
        Edit {
            file: "services/echo.yaml".to_owned(),
            before: "weight: 5\n".to_owned(),
            after: "weight: 25\n".to_owned(),
            base: "1".repeat(40),
            subject: "echo: promote, give v2 25 %".to_owned(),
            body: "No harm was seen in 412 requests.\n\nThe bound is 300.\n".to_owned(),
            trailers: Trailers {
                step: "25".to_owned(),
                evidence: json!({"requests": 412, "words": "a\nb"}),
                started_by: "c0ffee Ada".to_owned(),
            },
        }
    }

    #[test]
    fn a_message_has_its_trailers_as_the_last_paragraph_with_the_evidence_on_one_line() {
        assert_eq!(
            edit().message(),
            "echo: promote, give v2 25 %\n\nNo harm was seen in 412 requests.\n\nThe bound is 300.\n\n\
             Coalmine-Step: 25\nCoalmine-Evidence: {\"requests\":412,\"words\":\"a\\nb\"}\n\
             Coalmine-Started-By: c0ffee Ada\n"
        );
        let bare = Edit { body: " \n".to_owned(), ..edit() };
        assert!(bare.message().starts_with("echo: promote, give v2 25 %\n\nCoalmine-Step: 25\n"));
    }

    #[test]
    fn what_others_wrote_makes_no_line_and_no_trailer_of_its_own() {
        let trailers = Trailers {
            step: "25\nCoalmine-Step: 100".to_owned(),
            started_by: "c0ffee\r\n\u{1b}[2JCoalmine-Step: 90".to_owned(),
            ..edit().trailers
        };
        let body = "one\nCoalmine-Step: 50\ncoalmine-evidence: {}".to_owned();
        let subject = "echo:\n\nCoalmine-Step: 10".to_owned();
        let message = Edit { subject, body, trailers, ..edit() }.message();
        let steps = message.lines().filter(|line| line.starts_with("Coalmine-Step"));
        assert_eq!(steps.collect::<Vec<_>>(), ["Coalmine-Step: 25 Coalmine-Step: 100"]);
        let evidence = message.lines().filter(|it| it.to_lowercase().starts_with("coalmine-ev"));
        assert_eq!(evidence.count(), 1, "{message}");
        assert!(!message.contains('\u{1b}'), "{message:?}");
        assert_eq!(git2::message_trailers_strs(&message).expect("trailers").len(), 3);
    }

    #[test]
    fn a_change_that_can_be_no_commit_is_refused() {
        assert_eq!(edit().check(), Ok(()));
        for (edit, words) in [
            (Edit { file: "../echo.yaml".to_owned(), ..edit() }, "leaves the repository"),
            (Edit { file: "/etc/passwd".to_owned(), ..edit() }, "no file of the repository"),
            (Edit { file: String::new(), ..edit() }, "no file of the repository"),
            (Edit { base: "main".to_owned(), ..edit() }, "no commit"),
            (Edit { after: edit().before, ..edit() }, "is not changed"),
        ] {
            let error = edit.check().expect_err(words).to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn an_identity_is_written_as_git_writes_it() {
        let identity: Identity = "Autopilot of shop <bot@example.com>".parse().expect("one");
        assert_eq!(identity.to_string(), "Autopilot of shop <bot@example.com>");
        for wrong in
            ["bot", "<bot@example.com>", "a <b", "a <>", "a <b> <c>", "a\nb <c>", "a <b c>"]
        {
            assert!(wrong.parse::<Identity>().is_err(), "{wrong}");
        }
        let default = Identity::default();
        assert_eq!(default.to_string().parse(), Ok(default));
    }
}
