//! Reads `autopilot.tests`: what has to pass before the canary gets a weight.

use std::collections::BTreeMap;

use super::named;
use crate::values::entry::{Entry, Problems};
use crate::values::model::RolloutTest;
use crate::values::scalars::read_filled;
use crate::values::schema::{self, MAX_ADDRESS};

const HELP: &str = "for example `smoke: {webhook: http://tester.qa.svc/echo}` or \
                    `smoke: {job: {image: registry.example/smoke:1, args: [echo]}}`";

/// Reads the tests.
pub(super) fn read(entry: &Entry, problems: &mut Problems) -> BTreeMap<String, RolloutTest> {
    let mut tests = BTreeMap::new();
    for (name, entry) in named(entry, "a test", problems) {
        tests.extend(read_test(&entry, problems).map(|test| (name, test)));
    }
    tests
}

fn read_test(entry: &Entry, problems: &mut Problems) -> Option<RolloutTest> {
    let mut fields = entry.fields_like::<schema::Test>(HELP, problems)?;
    let (webhook, job) = (fields.take(schema::Test::webhook()), fields.take(schema::Test::job()));
    let none = fields.missing(schema::Test::webhook(), HELP);
    fields.finish(problems);
    match (webhook, job) {
        (Some(webhook), None) => read_address(&webhook, problems).map(RolloutTest::Webhook),
        (None, Some(job)) => read_job(&job, problems),
        (Some(_), Some(job)) => {
            let problem = job.problem("`webhook` and `job` exclude each other");
            problems.push(problem.help("write two tests, each with a name of its own"));
            None
        }
        (None, None) => {
            problems.push(none);
            None
        }
    }
}

fn read_job(entry: &Entry, problems: &mut Problems) -> Option<RolloutTest> {
    let mut fields = entry.fields_like::<schema::Job>(HELP, problems)?;
    let image = match fields.take(schema::Job::image()) {
        Some(entry) => read_filled(&entry, "an image", problems),
        None => {
            problems.push(fields.missing(schema::Job::image(), HELP));
            None
        }
    };
    let args = match fields.take(schema::Job::args()) {
        Some(entry) => entry.texts(problems),
        None => Some(Vec::new()),
    };
    fields.finish(problems);
    Some(RolloutTest::Job { image: image?, args: args? })
}

/// An address of HTTP. It stands in git and in logs, so no password is in it.
fn read_address(entry: &Entry, problems: &mut Problems) -> Option<String> {
    let text = entry.text(problems)?;
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    // Readers disagree about other signs: to some of them `\` ends the host.
    let is_host =
        |host: &str| host.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-:[]".contains(&it));
    let is_address = host.is_some_and(|host| !host.is_empty() && is_host(host))
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
        && text.len() <= MAX_ADDRESS;
    if !is_address {
        let help = format!(
            "http:// or https://, a host, and a path; no user or password, which everybody would read; at most \
             {MAX_ADDRESS} characters"
        );
        problems.push(entry.expected("the address of a webhook").help(help));
        return None;
    }
    Some(text)
}
