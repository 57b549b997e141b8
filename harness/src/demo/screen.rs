//! The live view's content: everything that is known at one moment, as lines.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use crate::status::Service;

const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();
/// How long a bar is, in characters.
const BAR: u64 = 30;

/// One moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    pub(super) services: Vec<Observed>,
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) first_failure: Option<String>,
    pub(super) push: Option<Push>,
    /// Why the daemon's status cannot be read.
    pub(super) trouble: Option<String>,
}

/// A service: what it should be, and who answers its requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    pub(super) status: Service,
    /// Answers of the last seconds, by the name that the answers give.
    pub(super) answers: BTreeMap<String, u64>,
    /// The same for requests with the canary's header.
    pub(super) with_header: BTreeMap<String, u64>,
}

/// The last push.
#[derive(Clone, Debug)]
pub(super) struct Push {
    pub(super) revision: String,
    /// How long the first changed answer took, once there is one.
    pub(super) first_change: Option<Duration>,
}

impl Moment {
    /// The lines to show, with colours.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for service in &self.services {
            service.lines(&mut lines);
            lines.push(String::new());
        }
        if let Some(trouble) = &self.trouble {
            lines.push(format!("{BAD}{trouble}{BAD:#}"));
        }
        lines.push(self.counts());
        if let Some(failure) = &self.first_failure {
            lines.push(format!("{BAD}the first failure: {failure}{BAD:#}"));
        }
        if let Some(push) = &self.push {
            let revision = push.revision.get(..7).unwrap_or(&push.revision);
            let change = match push.first_change {
                Some(time) => format!("first changed answer after {:.2} s", time.as_secs_f64()),
                None => "no answer has changed yet".to_owned(),
            };
            lines.push(format!("last push {BOLD}{revision}{BOLD:#}: {change}"));
        }
        lines
    }

    fn counts(&self) -> String {
        let style = if self.failed == 0 { GOOD } else { BAD };
        format!("{} requests, {style}{} failed{style:#}", self.requests, self.failed)
    }
}

impl Observed {
    fn lines(&self, lines: &mut Vec<String>) {
        let Service { service, phase, state, reason, last_applied_revision, .. } = &self.status;
        let style = match state.as_str() {
            "Ready" => GOOD,
            "Stalled" => BAD,
            _ => QUIET,
        };
        let revision = last_applied_revision.as_deref().map_or("-", |id| id.get(..7).unwrap_or(id));
        lines.push(format!(
            "{BOLD}{service}{BOLD:#}  {phase}  {style}{state}{style:#}  {QUIET}{revision}{QUIET:#}"
        ));
        if !reason.is_empty() {
            lines.push(format!("  {style}{reason}{style:#}"));
        }
        for (version, share) in self.shares() {
            let desired = share.map_or("    -".to_owned(), |share| format!("{share:>3} %"));
            let (count, all) = self.observed(&version);
            let filled = (count * BAR + all / 2).checked_div(all).unwrap_or(0);
            let percent = if all == 0 { 0.0 } else { 100.0 * count as f64 / all as f64 };
            lines.push(format!(
                "  {version:<16} desired {desired}  observed {percent:>5.1} %  {GOOD}{}{GOOD:#}{QUIET}{}{QUIET:#}",
                "█".repeat(usize::try_from(filled).unwrap_or(0)),
                "░".repeat(usize::try_from(BAR.saturating_sub(filled)).unwrap_or(0)),
            ));
        }
        if !self.status.headers.is_empty() {
            lines.push(format!("  {}", self.header()));
        }
    }

    /// Every version that should answer or does, by the name that answers give, with the desired
    /// share.
    fn shares(&self) -> BTreeMap<String, Option<u8>> {
        let mut shares: BTreeMap<_, _> =
            self.answers.keys().map(|version| (version.clone(), None)).collect();
        for (version, share) in &self.status.weights {
            shares.insert(format!("{}-{version}", self.status.service), Some(*share));
        }
        shares
    }

    fn observed(&self, version: &str) -> (u64, u64) {
        (self.answers.get(version).copied().unwrap_or_default(), self.answers.values().sum())
    }

    fn header(&self) -> String {
        let headers: Vec<_> = self
            .status
            .headers
            .iter()
            .map(|(name, value)| match value.as_str() {
                Some(value) => format!("{name}: {value}"),
                None => format!("{name}: {value}"),
            })
            .collect();
        let who: Vec<_> = self.with_header.keys().map(String::as_str).collect();
        let who = if who.is_empty() { "nobody yet".to_owned() } else { who.join(" and ") };
        format!("{} is answered by {who}", headers.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
        counts.iter().map(|(version, count)| ((*version).to_owned(), *count)).collect()
    }

    fn moment() -> Moment {
        let status = Service {
            service: "echo".to_owned(),
            phase: "Shifting".to_owned(),
            state: "Ready".to_owned(),
            last_applied_revision: Some("0123456789".to_owned()),
            weights: BTreeMap::from([("v1".to_owned(), 50), ("v2".to_owned(), 50)]),
            headers: BTreeMap::from([("stage".to_owned(), "canary".into())]),
            ..Service::default()
        };
        Moment {
            services: vec![Observed {
                status,
                answers: counts(&[("echo-v1", 75), ("echo-v2", 25)]),
                with_header: counts(&[("echo-v2", 10)]),
            }],
            requests: 110,
            ..Moment::default()
        }
    }

    fn plain(moment: &Moment) -> String {
        anstream::adapter::strip_str(&moment.lines().join("\n")).to_string()
    }

    #[test]
    fn desired_and_observed_shares_stand_side_by_side() {
        let text = plain(&moment());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "echo  Shifting  Ready  0123456");
        assert_eq!(
            lines[2],
            format!(
                "  echo-v2          desired  50 %  observed  25.0 %  {}{}",
                "█".repeat(8),
                "░".repeat(22)
            )
        );
        assert_eq!(lines[3], "  stage: canary is answered by echo-v2");
        assert_eq!(lines[5], "110 requests, 0 failed");
    }

    #[test]
    fn an_answer_that_nobody_asked_for_is_shown_too() {
        let mut moment = moment();
        moment.services[0].answers = counts(&[("echo-v3", 1)]);
        let text = plain(&moment);
        assert!(text.contains("echo-v3          desired     -  observed 100.0 %"), "{text}");
        assert!(text.contains("echo-v1          desired  50 %  observed   0.0 %"), "{text}");
    }

    #[test]
    fn trouble_failures_and_the_last_push_are_said() {
        let mut moment = moment();
        moment.failed = 2;
        moment.first_failure = Some("status 503".to_owned());
        moment.trouble = Some("cannot read the status".to_owned());
        moment.services[0].status.state = "Stalled".to_owned();
        moment.services[0].status.reason = "no ready pod".to_owned();
        let mut push = Push { revision: "abcdef0123".to_owned(), first_change: None };
        moment.push = Some(push.clone());
        let text = plain(&moment);
        for expected in [
            "Stalled  0123456\n  no ready pod\n",
            "cannot read the status\n110 requests, 2 failed\nthe first failure: status 503\n",
            "last push abcdef0: no answer has changed yet",
        ] {
            assert!(text.contains(expected), "{text}");
        }
        push.first_change = Some(Duration::from_millis(1234));
        moment.push = Some(push);
        assert!(plain(&moment).ends_with("first changed answer after 1.23 s"));
    }
}
