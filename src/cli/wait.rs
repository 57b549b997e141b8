//! `coalmine wait`: until a service's rollout is where it should be.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

use super::connection::Connection;
use super::{DEADLINE_PASSED, NEEDS_A_PERSON};
use crate::checkout::{Checkout, Descent};
use crate::client::{Client, ServiceStatus};
use coalmine_core::phase::Phase;
use coalmine_core::sanitize::sanitize;
use coalmine_core::tree::short;

/// How often the daemon is asked.
const PAUSE: Duration = Duration::from_millis(500);

/// Wait until a service is ready in a phase, or gets no requests by one of its two gateways
///
/// Exits with 0 when it is, 3 when the time is over, 4 when it is stalled or its values are invalid, and 1 on
/// any other error.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine wait echo                               until it is as the commit says that the daemon knows
  coalmine wait echo --revision HEAD               as the commit says that was pushed right now
  coalmine wait echo --phase Shifted --timeout 2m  and the canary has all requests
  coalmine wait echo --no-requests-by gloo --timeout 1h  while both APIs serve it: all clients have moved")]
pub(super) struct Wait {
    /// The service; `platform` for the objects in platform/
    service: String,
    /// The phase; any, when it is not given
    #[arg(long, value_parser = phase)]
    phase: Option<Phase>,
    /// The commit that has to be applied, or one that came after it: its first digits, or in a clone of the
    /// repository any name that git knows it by
    #[arg(long, value_name = "COMMIT")]
    revision: Option<String>,
    /// Until no request has come by the gateways of this API for as long as --quiet says: gloo or gateway-api. It is
    /// known only while the service is written in both
    #[arg(long, value_name = "API", value_parser = ["gloo", "gateway-api"])]
    no_requests_by: Option<String>,
    /// For how long no request may have come
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        requires = "no_requests_by",
        value_parser = super::duration
    )]
    quiet: Duration,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = super::duration)]
    timeout: Duration,
    #[command(flatten)]
    connection: Connection,
}

impl Wait {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let wanted = self.revision.as_deref().map(TargetCommit::named).transpose()?;
        let follow = Follow {
            service: &self.service,
            timeout: self.timeout,
            phase: self.phase,
            wanted: wanted.as_ref(),
            no_requests_by: self.no_requests_by.as_deref().map(|api| (api, self.quiet)),
        };
        super::runtime()?.block_on(follow.until_reached(&self.connection.client()?))
    }
}

fn phase(text: &str) -> Result<Phase, String> {
    let found = Phase::ALL.into_iter().find(|phase| phase.name().eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        let names = Phase::ALL.map(Phase::name);
        format!("expected one of {}", names.join(", "))
    })
}

/// A commit that has to be applied.
pub(super) enum TargetCommit {
    /// A commit that a clone has.
    Known(Descent),
    /// The first digits of any commit.
    Digits(String),
}

impl TargetCommit {
    /// What a person calls it.
    fn named(name: &str) -> anyhow::Result<Self> {
        let known = Checkout::discover(Path::new("."), None)
            .and_then(|checkout| Ok((checkout.commit_id(name)?, checkout)));
        match known {
            Ok((commit, checkout)) => Ok(Self::Known(Descent::new(checkout, commit))),
            Err(_) if is_digits(name) => Ok(Self::Digits(name.to_ascii_lowercase())),
            Err(error) => {
                let hint = "outside of a clone only a commit's digits are known";
                Err(error.context(format!("--revision {name}: {hint}")))
            }
        }
    }

    /// Whether this revision is the commit or came after it.
    fn is_in(&self, revision: &str) -> bool {
        match self {
            Self::Known(commit) => commit.is_in(revision),
            Self::Digits(digits) => revision.starts_with(digits.as_str()),
        }
    }
}

fn is_digits(text: &str) -> bool {
    text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What is waited for.
pub(super) struct Follow<'a> {
    pub(super) service: &'a str,
    pub(super) timeout: Duration,
    /// The phase; any, when there is none.
    pub(super) phase: Option<Phase>,
    /// The commit that has to be applied; any, when there is none.
    pub(super) wanted: Option<&'a TargetCommit>,
    /// By the gateways of which API no request may have come, and for how long.
    pub(super) no_requests_by: Option<(&'a str, Duration)>,
}

impl Follow<'_> {
    /// Prints each change. A daemon that does not answer at first is an error; later it may be
    /// gone for a while.
    pub(super) async fn until_reached(&self, client: &Client) -> anyhow::Result<ExitCode> {
        let end = Instant::now() + self.timeout;
        let mut told = String::new();
        let mut known = false;
        loop {
            match client.status().await {
                Ok(status) => {
                    let source = status.source.error.filter(|error| !told.contains(error.as_str()));
                    if let Some(error) = source {
                        anstream::eprintln!("the source: {}", sanitize(&error));
                        told = error;
                    }
                    let mut all = status.services.into_iter().chain(status.platform);
                    let found = all.find(|it| it.service == self.service);
                    known |= found.is_some();
                    if let Some(service) = found
                        && let Some(code) = self.judge(&service, &mut told)
                    {
                        return Ok(code);
                    }
                }
                Err(error) if told.is_empty() => return Err(error),
                Err(error) => anstream::eprintln!("{}", sanitize(&format!("{error:#}"))),
            }
            if Instant::now() >= end {
                if !known {
                    bail!("the daemon knows no service {}", self.service);
                }
                anstream::eprintln!(
                    "{} is not there after {}",
                    self.service,
                    seconds(self.timeout)
                );
                return Ok(ExitCode::from(DEADLINE_PASSED));
            }
            sleep(PAUSE).await;
        }
    }

    fn judge(&self, service: &ServiceStatus, told: &mut String) -> Option<ExitCode> {
        let mut line = line(service);
        let quiet = self.no_requests_by.map(|(api, long)| Quiet::of(service, api, long));
        if let Some(quiet) = &quiet {
            line = format!("{line}; {}", sanitize(&quiet.words));
        }
        if *told != line {
            anstream::println!("{line}");
            *told = line;
        }
        let in_phase = self.phase.is_none_or(|phase| service.phase == phase.name());
        let has = |revision: &str| self.wanted.is_none_or(|wanted| wanted.is_in(revision));
        if service.is_ready()
            && in_phase
            && quiet.is_none_or(|quiet| quiet.is_reached)
            && has(service.last_applied_revision.as_deref().unwrap_or_default())
        {
            return Some(ExitCode::SUCCESS);
        }
        // Of another commit's trouble nothing follows.
        let ends = service.needs_a_person() && has(&service.last_attempted_revision);
        ends.then(|| ExitCode::from(NEEDS_A_PERSON))
    }
}

/// Whether requests still come by the gateways of an API.
struct Quiet {
    is_reached: bool,
    words: String,
}

impl Quiet {
    /// Of what is not known nothing follows.
    fn of(service: &ServiceStatus, api: &str, long: Duration) -> Self {
        let Some(requests) = service.requests.iter().find(|it| it.api == api) else {
            let words = "requests by gateway are not measured: routes.gateway.api is not both";
            return Self { is_reached: false, words: words.to_owned() };
        };
        let is_reached = requests.quiet().is_some_and(|quiet| quiet >= long);
        let words = match (&requests.problem, requests.none_since) {
            _ if is_reached => format!("no requests by {api} for {}", seconds(long)),
            (Some(problem), _) => format!("requests by {api} are not known: {problem}"),
            (None, Some(since)) => format!("no request by {api} since {since:.0}"),
            (None, None) => format!("requests by {api} are not known yet"),
        };
        Self { is_reached, words }
    }
}

/// How a service does, in one line that is shown with a shape.
pub(super) fn line(service: &ServiceStatus) -> String {
    let ServiceStatus { phase, state, reason, last_attempted_revision: revision, .. } = service;
    let revision = short(revision);
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    // The platform has no phase.
    let phase = if phase.is_empty() { String::new() } else { format!("{phase} ") };
    let line = format!("{} {phase}{state} at {revision}{reason}", service.service);
    sanitize(&line).into_owned()
}

/// A duration as people say it.
pub(super) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 120 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}
