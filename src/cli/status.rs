//! `coalmine status`: where every rollout stands, one line each.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::NEEDS_A_PERSON;
use super::connection::Connection;
use super::next::next;
use crate::client::{
    AutopilotStatus, Client, CountsStatus, GatewayRequests, ServiceStatus, Status as Told,
};
use coalmine_core::sanitize::sanitize;
use coalmine_core::tree::short;

const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const UNDER_WAY: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();

/// How often it is shown anew.
const PAUSE: Duration = Duration::from_secs(1);

/// Show where every service's rollout stands
///
/// Those that need a person come first. Exits with 4 when there is one, 0 otherwise.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine status              all services
  coalmine status echo -w      one, whenever it changes
  coalmine status --json       for programs; docs/status.md has the fields")]
pub(super) struct Status {
    /// Only these services
    services: Vec<String>,
    /// Go on showing it whenever something changes
    #[arg(short, long)]
    watch: bool,
    /// Print JSON, with --watch one document a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Status {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.connection.client()?;
        super::runtime()?.block_on(async {
            let first = self.ask(&client).await?;
            self.show(&first)?;
            if !self.watch {
                let ends_badly = first.services.iter().any(ServiceStatus::needs_a_person);
                return Ok(ExitCode::from(if ends_badly { NEEDS_A_PERSON } else { 0 }));
            }
            let mut shown = fingerprint(&first);
            loop {
                tokio::time::sleep(PAUSE).await;
                match self.ask(&client).await {
                    Ok(now) if fingerprint(&now) != shown => {
                        shown = fingerprint(&now);
                        self.show(&now)?;
                    }
                    Ok(_) => {}
                    Err(error) => anstream::eprintln!("{}", sanitize(&format!("{error:#}"))),
                }
            }
        })
    }

    async fn ask(&self, client: &Client) -> anyhow::Result<Told> {
        let mut told = client.status().await?;
        if !self.services.is_empty() {
            let platform = told.platform.iter().map(|it| &it.service);
            let names: Vec<&String> =
                told.services.iter().map(|it| &it.service).chain(platform).collect();
            let known = |name: &String| names.contains(&name);
            if let Some(unknown) = self.services.iter().find(|name| !known(name)) {
                anyhow::bail!("the daemon knows no service {unknown}");
            }
            told.services.retain(|service| self.services.contains(&service.service));
        }
        told.services.sort_by_key(|service| (urgency(service), service.service.clone()));
        Ok(told)
    }

    fn show(&self, told: &Told) -> anyhow::Result<()> {
        let mut out = anstream::stdout().lock();
        if self.json {
            let json = match self.watch {
                true => serde_json::to_string(told)?,
                false => serde_json::to_string_pretty(told)?,
            };
            writeln!(out, "{json}")?;
            return Ok(());
        }
        if self.watch && std::io::stdout().is_terminal() {
            write!(out, "\u{1b}[H\u{1b}[2J")?;
        }
        if let Some(error) = &told.source.error {
            writeln!(out, "{BAD}source{BAD:#}: {}", sanitize(error))?;
        }
        let is_asked_for = |it: &ServiceStatus| self.services.contains(&it.service);
        let platform = told.platform.iter().filter(|it| !it.is_ready() || is_asked_for(it));
        let services: Vec<&ServiceStatus> = platform.chain(&told.services).collect();
        let gateways: BTreeSet<&String> = services.iter().flat_map(|it| &it.gateways).collect();
        let has_several = gateways.len() > 1;
        let rows: Vec<[String; 6]> =
            services.iter().map(|service| cells(service, Timestamp::now())).collect();
        let titles = ["SERVICE", "PHASE", "STATE", "SHARES", "PODS", "SINCE"];
        let widths: Vec<usize> = (0..6)
            .map(|at| {
                let cells = rows.iter().map(|row| row[at].chars().count());
                cells.max().unwrap_or(0).max(titles[at].len())
            })
            .collect();
        let pad = |at: usize, text: &str| format!("{text:width$}", width = widths[at]);
        let titles: Vec<String> = titles.iter().enumerate().map(|(at, it)| pad(at, it)).collect();
        writeln!(out, "{DIM}{}  REVISION  NEXT{DIM:#}", titles.join("  "))?;
        for (service, row) in services.into_iter().zip(rows) {
            let state = style(service);
            let cells: Vec<String> = row.iter().enumerate().map(|(at, it)| pad(at, it)).collect();
            let [name, phase, doing, shares, pods, since] = &cells[..] else { continue };
            let revision = service.last_applied_revision.as_deref().unwrap_or("none");
            let revision = sanitize(short(revision));
            writeln!(
                out,
                "{BOLD}{name}{BOLD:#}  {phase}  {state}{doing}{state:#}  {shares}  {pods}  {since}  \
                 {revision:8}  {}",
                sanitize(&next(service).unwrap_or_default())
            )?;
            for wrong in wrong(service) {
                writeln!(out, "  {}", sanitize(&wrong))?;
            }
            if has_several && !service.gateways.is_empty() {
                let gateways = service.gateways.join(", ");
                writeln!(out, "  {DIM}served by Gateway{DIM:#} {}", sanitize(&gateways))?;
            }
            if !service.requests.is_empty() {
                let requests: Vec<String> = service.requests.iter().map(requests).collect();
                writeln!(out, "  {DIM}requests by{DIM:#} {}", sanitize(&requests.join(", ")))?;
            }
            for line in service.autopilot.iter().flat_map(autopilot) {
                writeln!(out, "  {DIM}autopilot{DIM:#}: {}", sanitize(&line))?;
            }
            for note in &service.notes {
                writeln!(out, "  {DIM}note{DIM:#}: {}", sanitize(note))?;
            }
        }
        Ok(())
    }
}

/// What needs a person comes first, then what is under way.
fn urgency(service: &ServiceStatus) -> u8 {
    let drifts = service.conditions.iter().any(|it| it.status == "True" && is_extra(&it.r#type));
    match service {
        service if service.needs_a_person() => 0,
        _ if drifts => 1,
        service if service.is_ready() => 3,
        _ => 2,
    }
}

fn is_extra(condition: &str) -> bool {
    ["Drifted", "Fighting"].contains(&condition)
}

fn style(service: &ServiceStatus) -> Style {
    match urgency(service) {
        0 => BAD,
        3 => GOOD,
        _ => UNDER_WAY,
    }
}

/// What stands in the table. It comes from whoever answers at the address, and so is shown with a shape.
fn cells(service: &ServiceStatus, now: Timestamp) -> [String; 6] {
    let pods: Vec<String> =
        service.ready_pods.iter().map(|(version, count)| format!("{version}:{count}")).collect();
    [
        service.service.clone(),
        service.phase.clone(),
        service.state.clone(),
        shares(service),
        pods.join(" "),
        age(service.since, now),
    ]
    .map(|cell| sanitize(&cell).into_owned())
}

/// The shares that the routes in the cluster say, and where others are desired those, too. Routes that are not
/// known yet count as those that were applied last.
fn shares(service: &ServiceStatus) -> String {
    let words = |shares: &BTreeMap<String, u8>| {
        let shares = shares.iter().filter(|(_, share)| **share > 0);
        shares.map(|(version, share)| format!("{version}:{share}%")).collect::<Vec<_>>().join(" ")
    };
    let desired = words(&service.weights);
    let known = [&service.observed_weights, &service.applied_weights];
    let live = known.into_iter().map(words).find(|shares| !shares.is_empty());
    match live {
        Some(live) if live != desired => format!("{live} → {desired}"),
        _ => desired,
    }
}

/// What is wrong, in the words of whoever says so.
fn wrong(service: &ServiceStatus) -> Vec<String> {
    let extra = service.conditions.iter().filter(|it| it.status == "True" && is_extra(&it.r#type));
    let extra = extra.map(|condition| format!("{}: {}", condition.r#type, condition.message));
    let reason = Some(service.reason.clone()).filter(|reason| !reason.is_empty());
    reason
        .into_iter()
        .flat_map(|reason| reason.lines().map(str::to_owned).collect::<Vec<_>>())
        .chain(extra)
        .collect()
}

/// How many requests come by the gateways of an API, and for how long none has.
fn requests(requests: &GatewayRequests) -> String {
    let api = &requests.api;
    if let Some(problem) = &requests.problem {
        return format!("{api}: not known: {problem}");
    }
    match (requests.per_second, requests.none_since) {
        // The rate is one of the last seconds, and goes down slowly.
        (Some(_), Some(since)) if requests.measured_at.duration_since(since).as_secs() > 0 => {
            format!("{api}: none for {}", age(since, requests.measured_at))
        }
        (Some(rate), _) => format!("{api}: {rate}/s"),
        (None, _) => format!("{api}: not known yet"),
    }
}

/// How the autopilot of a service stands, in lines: what was decided, what is measured, and what is in the way.
fn autopilot(status: &AutopilotStatus) -> Vec<String> {
    if let Some(held) = &status.held {
        return vec![format!("the canary is held: {held}")];
    }
    let shadow = if status.mode == "shadow" { " (shadow: nothing is committed)" } else { "" };
    let decision = format!("{}{shadow}: {}", status.decision, status.sentence);
    let measured = status.analyses.iter().filter_map(|analysis| {
        let counts = |counts: &CountsStatus| format!("{} of {} bad", counts.bad, counts.total);
        let canary = counts(analysis.canary.as_ref()?);
        let primary = analysis.primary.as_ref().map(counts);
        let primary = primary.map_or(String::new(), |primary| format!(", primary {primary}"));
        let harm = (analysis.evidence * 100.0).round();
        Some(format!("{}: canary {canary}{primary}; evidence of harm {harm} %", analysis.name))
    });
    let pull_request = status.pull_request.iter().map(|web| format!("waits for a merge of {web}"));
    let problem = status.problem.iter().map(|why| format!("not done: {why}"));
    [decision].into_iter().chain(measured).chain(pull_request).chain(problem).collect()
}

/// How long ago, in one unit.
fn age(since: Timestamp, now: Timestamp) -> String {
    match now.duration_since(since).as_secs().max(0) {
        seconds if seconds < 120 => format!("{seconds}s"),
        seconds if seconds < 7_200 => format!("{}m", seconds / 60),
        seconds if seconds < 172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// Everything but the times that pass.
fn fingerprint(told: &Told) -> String {
    serde_json::to_string(told).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::wait::line;
    use super::*;

    #[test]
    fn whatever_a_server_says_is_shown_with_a_shape() {
        let hostile = "\u{1b}]0;x\u{7}\u{202e}";
        let text = || hostile.to_owned();
        let service = ServiceStatus {
            service: text(),
            phase: text(),
            state: text(),
            reason: text(),
            last_attempted_revision: text(),
            weights: [(text(), 100)].into(),
            observed_weights: [(text(), 50)].into(),
            ready_pods: [(text(), 1)].into(),
            ..ServiceStatus::default()
        };
        let shown = cells(&service, Timestamp::UNIX_EPOCH).concat() + &line(&service);
        let has_no_shape = |it: &char| hostile.contains(*it) && (it.is_control() || *it > '\u{7f}');
        assert_eq!(shown.chars().find(has_no_shape), None, "{shown:?}");
        assert!(shown.contains("\\u{202e}"), "{shown:?}");
    }
}
