//! `coalmine autopilot`: what the autopilot of a service would do.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::hint::advised;
use crate::source::read_directory;
use coalmine_core::autopilot::{Expected, Position, outlook, position};
use coalmine_core::edit::valid;
use coalmine_core::values::{Autopilot, Mode, Repository};

/// Look at the autopilot of a service
#[derive(clap::Args)]
pub(super) struct Pilot {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Plan(Plan),
}

/// Say how long each step of a rollout takes at some traffic, and what harm can be found in it at all
///
/// No cluster and no daemon is asked. Gates, freezes, windows and the wait for pods come on top.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine autopilot plan echo --requests 50
  coalmine autopilot plan echo --requests 5 --errors 1 --path rollouts")]
struct Plan {
    /// The service
    service: String,
    /// Requests of both versions together, per second
    #[arg(long, value_name = "NUMBER", value_parser = rate)]
    requests: f64,
    /// How many percent of its requests a healthy version answers badly
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    errors: f64,
    /// The folder with coalmine.yaml, platform/ and services/
    #[arg(long, default_value = ".")]
    path: PathBuf,
}

impl Pilot {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Command::Plan(plan) = self.command;
        plan.run()
    }
}

impl Plan {
    fn run(self) -> anyhow::Result<ExitCode> {
        let tree = read_directory(&self.path)?;
        let service = valid(&Repository::parse(&tree), &self.service)?;
        let autopilot = service.autopilot.as_ref().filter(|it| it.mode != Mode::Off);
        let Some(autopilot) = autopilot else {
            let name = &self.service;
            return Err(advised(
                format_args!("{name} has no autopilot"),
                format_args!("write `autopilot: {{}}` in {}", service.file),
            ));
        };
        let from = match &service.routes.canary {
            Some(canary) => position(autopilot, canary),
            None => beginning(autopilot),
        };
        let expected = outlook(autopilot, from, self.requests, self.errors / 100.0);
        self.show(&expected)?;
        Ok(ExitCode::SUCCESS)
    }

    fn show(&self, expected: &[Expected]) -> anyhow::Result<()> {
        let mut out = anstream::stdout().lock();
        writeln!(out, "STEP      LASTS     FINDS ERRORS OF  HALF OF ALL BAD FOR")?;
        for step in expected {
            let name = match step.position {
                Position::Start => "start".to_owned(),
                Position::Headers => "headers".to_owned(),
                other => format!("{} %", other.weight()),
            };
            let lasts = step.lasts.map_or("never ends".to_owned(), time);
            let finds = step.detectable.map(|share| format!("{:.1} %", share * 100.0));
            let finds = finds.unwrap_or_else(|| "–".to_owned());
            let found = step.found.map_or("–".to_owned(), time);
            let gate = if step.gate { "  then a person says yes" } else { "" };
            writeln!(out, "{name:<8}  {lasts:<8}  {finds:<15}  {found}{gate}")?;
        }
        let total = expected.iter().map(|step| step.lasts).sum::<Option<Duration>>();
        match total {
            Some(total) => writeln!(out, "all       {}", time(total))?,
            None => writeln!(
                out,
                "all       never ends: the canary gets too few requests for `enough.requests`"
            )?,
        }
        Ok(())
    }
}

/// Where a rollout would begin.
fn beginning(autopilot: &Autopilot) -> Position {
    if autopilot.ladder.headers { Position::Headers } else { Position::Start }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate >= 0.0);
    rate.ok_or_else(|| "expected a number of requests per second, such as 0.5 or 50".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.trim_end_matches('%').trim().parse().ok();
    let percent = percent.filter(|percent: &f64| (0.0..100.0).contains(percent));
    percent.ok_or_else(|| "expected a percentage below 100, such as 0.5".to_owned())
}

fn time(time: Duration) -> String {
    match time.as_secs_f64().round() as u64 {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}
