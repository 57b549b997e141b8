//! `coalmine start`: a new version beside the primary.

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::act::{Act, Request};
use crate::hint::advised;
use coalmine_core::edit::Verb;
use coalmine_core::values::Version;

/// Run a new version beside the primary and make it the canary, by a commit
///
/// It runs as the primary does. Requests reach it by the headers that are given, here or in the defaults of
/// coalmine.yaml; without any it only runs. A canary of that version that is held begins again, without a weight.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine start echo --version v2 --header stage=canary
  coalmine start shop --version v8 --image example.com/shop:8 --wait")]
pub(super) struct Start {
    #[command(flatten)]
    act: Act,
    /// The new version
    #[arg(long, value_name = "VERSION", value_parser = Version::new)]
    version: Version,
    /// Its image, where the primary names one
    #[arg(long)]
    image: Option<String>,
    /// Requests with this header reach it; may be repeated, then all have to be there
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
}

impl Start {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { act, version, image, headers } = self;
        let headers = once(headers)?;
        act.run(&Request::Verb(Verb::Start { version, image, headers }))
    }
}

/// The headers by their names.
///
/// # Errors
/// A header that is given twice: no request has both values.
fn once(given: Vec<(String, String)>) -> anyhow::Result<BTreeMap<String, String>> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in given {
        // Case means nothing in a header's name (RFC 9110, section 5.1).
        if let Some((first, _)) = headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(&name)) {
            return Err(advised(
                format_args!(
                    "--header names {first} twice, and a request has to have all that are given"
                ),
                "give it once; one of several values is a list in the service's file, `[a, b]`",
            ));
        }
        headers.insert(name, value);
    }
    Ok(headers)
}

/// `name=value`, or `name: value` as HTTP and curl write it.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').or_else(|| text.split_once(':'));
    let parts = parts.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    parts.filter(|(name, _)| !name.is_empty()).ok_or_else(|| "expected NAME=VALUE".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_given_once() {
        let given = |names: &[&str]| {
            let pair = |name: &&str| ((*name).to_owned(), "a".to_owned());
            once(names.iter().map(pair).collect())
        };
        assert_eq!(given(&["stage", "x-user"]).expect("two headers").len(), 2);
        for twice in [["stage", "stage"], ["x-canary", "X-Canary"]] {
            let error = given(&twice).expect_err("no request has both").to_string();
            assert!(error.contains(&format!("--header names {} twice", twice[0])), "{error}");
        }
    }
}
