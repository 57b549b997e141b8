//! What people see while the demo runs: a live view on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::scene::{PATIENCE, Scene};
use super::screen::{Moment, Observed, Push};
use super::steps::{HEADER, SERVICE};
use super::watch::{Branch, Watch};
use crate::load::Load;
use crate::status::Status;
use crate::wait::{self, Seen};

/// How often the view is drawn.
const FRAME: Duration = Duration::from_millis(250);
/// Whose answers the observed shares are.
pub(super) const WINDOW: Duration = Duration::from_secs(3);

/// The name of a service's load with the canary's header.
pub(super) fn with_header(service: &str) -> String {
    format!("{service} with {}: {}", HEADER.0, HEADER.1)
}

/// The view, and the last push.
pub(super) struct Show {
    screen: Option<Screen>,
    watch: Mutex<Option<Watch>>,
}

struct Screen {
    bars: MultiProgress,
    lines: Mutex<Vec<ProgressBar>>,
}

impl Show {
    /// A live view if standard error is a terminal.
    pub(super) fn new() -> Self {
        let screen = std::io::stderr()
            .is_terminal()
            .then(|| Screen { bars: MultiProgress::new(), lines: Mutex::new(Vec::new()) });
        Self { screen, watch: Mutex::new(None) }
    }

    /// A line that stays.
    pub(super) fn say(&self, line: &str) {
        match &self.screen {
            Some(screen) => screen.bars.suspend(|| anstream::println!("{line}")),
            None => anstream::println!("{line}"),
        }
    }

    /// The push whose first changed answer is shown.
    pub(super) fn watch(&self, watch: Watch) {
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
    }

    /// Shows every moment until it is dropped; with a branch, also what people push to it.
    pub(super) async fn run(
        &self,
        scene: &Scene,
        load: &Load,
        mut pushes: Option<Branch>,
    ) -> anyhow::Result<Infallible> {
        let mut frames = tokio::time::interval(FRAME);
        let mut said = Printed::default();
        loop {
            frames.tick().await;
            if let Some(pushed) = pushes.as_mut().and_then(Branch::pushed) {
                self.watch(Watch::new(pushed, super::watch::before(load)));
            }
            let moment = self.moment(scene.status.get().await, load);
            match &self.screen {
                Some(screen) => screen.draw(&moment),
                None => said.changes(&moment).iter().for_each(|line| self.say(line)),
            }
        }
    }

    /// What the view shows now, with colours.
    pub(super) async fn lines(&self, scene: &Scene, load: &Load) -> Vec<String> {
        self.moment(scene.status.get().await, load).lines()
    }

    fn moment(&self, status: anyhow::Result<Status>, load: &Load) -> Moment {
        let (status, trouble) = match status {
            Ok(status) => (status.services, status.source.error),
            Err(error) => (Vec::new(), Some(format!("{error:#}"))),
        };
        let totals = load.totals();
        let services = status.into_iter().map(|status| Observed {
            answers: load.window(&status.service, WINDOW),
            with_header: load.window(&with_header(&status.service), WINDOW),
            status,
        });
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = watch.as_mut() {
            watch.look(load);
        }
        Moment {
            services: services.collect(),
            requests: totals.values().map(|total| total.requests).sum(),
            failed: totals.values().map(|total| total.failed).sum(),
            first_failure: totals
                .iter()
                .find_map(|(name, total)| Some(format!("{name}: {}", total.failures.first()?))),
            push: watch.as_ref().map(|watch| Push {
                revision: watch.revision.clone(),
                first_change: watch.first_change,
            }),
            trouble,
        }
    }
}

impl Screen {
    /// Redraws in place. indicatif cuts lines that are longer than the terminal is wide.
    fn draw(&self, moment: &Moment) {
        let text = moment.lines();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        while lines.len() < text.len() {
            let line = self.bars.add(ProgressBar::no_length());
            lines.push(match ProgressStyle::with_template("{msg}") {
                Ok(style) => line.with_style(style),
                Err(_) => line,
            });
        }
        for extra in lines.drain(text.len()..) {
            extra.finish_and_clear();
            self.bars.remove(&extra);
        }
        for (line, text) in lines.iter().zip(text) {
            // A message without any letter would take no line.
            line.set_message(if text.is_empty() { " ".to_owned() } else { text });
        }
    }
}

impl Drop for Screen {
    /// The last view stays on the terminal.
    fn drop(&mut self) {
        for line in self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            line.abandon();
        }
    }
}

/// What was said already, so that plain lines come only when something changes.
#[derive(Default)]
struct Printed {
    services: BTreeMap<String, String>,
    failed: u64,
    trouble: Option<String>,
    changed: Option<String>,
}

impl Printed {
    fn changes(&mut self, moment: &Moment) -> Vec<String> {
        let mut lines = Vec::new();
        for service in &moment.services {
            let summary = service.status.summary();
            let before = self.services.insert(service.status.service.clone(), summary.clone());
            if before.as_ref() != Some(&summary) {
                lines.push(summary);
            }
        }
        if moment.trouble != self.trouble {
            lines.extend(moment.trouble.clone());
            self.trouble.clone_from(&moment.trouble);
        }
        // One line each time that their number has doubled: an outage is no reason for a flood.
        if moment.failed >= (2 * self.failed).max(1) {
            let first = moment.first_failure.as_deref().unwrap_or_default();
            lines.push(format!("{} requests failed; the first: {first}", moment.failed));
            self.failed = moment.failed;
        }
        if let Some(Push { revision, first_change: Some(time) }) = &moment.push
            && self.changed.as_ref() != Some(revision)
        {
            let short = revision.get(..7).unwrap_or(revision);
            let time = time.as_secs_f64();
            lines.push(format!("push {short}: first changed answer after {time:.2} s"));
            self.changed = Some(revision.clone());
        }
        lines
    }
}

/// The load that the demo keeps up: on every service that is there now, and on the one that is rolled out also with
/// the canary's header. Returns when all of them have been answered.
pub(super) async fn start_load(scene: &Scene, status: &Status, rate: u32) -> anyhow::Result<Load> {
    let mut targets = Vec::new();
    for service in &status.services {
        let Some(target) = service.target(scene.bed.proxy_url()) else { continue };
        if service.service == SERVICE {
            let marked = target.clone().header(HEADER.0, HEADER.1);
            targets.push((with_header(SERVICE), marked));
        }
        targets.push((service.service.clone(), target));
    }
    let load = Load::start(targets, rate)?;
    wait::until("the first answers to the load", PATIENCE, || async {
        let totals = load.totals();
        let silent = totals.iter().find(|(_, total)| total.by_version.is_empty());
        Seen::when(silent.is_none(), format!("{silent:?}"))
    })
    .await?;
    Ok(load)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Service;

    #[test]
    fn plain_lines_come_only_when_something_changes() {
        let mut said = Printed::default();
        let service = Service {
            service: "echo".to_owned(),
            phase: "Stable".to_owned(),
            state: "Ready".to_owned(),
            last_applied_revision: Some("0123456789".to_owned()),
            ..Service::default()
        };
        let observed = Observed { status: service, ..Observed::default() };
        let mut moment = Moment { services: vec![observed], requests: 1, ..Moment::default() };
        assert_eq!(said.changes(&moment), ["echo Stable Ready, revision 0123456"]);
        moment.requests = 2;
        assert!(said.changes(&moment).is_empty());
        moment.failed = 1;
        moment.first_failure = Some("status 503".to_owned());
        moment.push = Some(Push { revision: "abcdef012".to_owned(), first_change: Some(FRAME) });
        assert_eq!(
            said.changes(&moment),
            [
                "1 requests failed; the first: status 503",
                "push abcdef0: first changed answer after 0.25 s"
            ]
        );
        assert!(said.changes(&moment).is_empty());
        let lines = (2..100).map(|failed| {
            moment.failed = failed;
            said.changes(&moment).len()
        });
        assert_eq!(lines.sum::<usize>(), 6, "at 2, 4, 8, 16, 32 and 64");
    }
}
