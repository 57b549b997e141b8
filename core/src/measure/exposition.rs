//! The statistics of an Envoy in the text format of Prometheus.

use std::time::Duration;

/// How long Envoy has run, in seconds.
const UPTIME: &str = "envoy_server_uptime";
/// The label with a cluster's name.
pub(super) const CLUSTER: &str = "envoy_cluster_name";

/// A text that is no statistics of an Envoy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCounters {
    /// It has a line that the format does not have.
    #[error("line {0} is not in the text format of Prometheus")]
    Line(usize),
    /// It has nothing of an Envoy.
    #[error("there is no statistic of an Envoy in it")]
    NoEnvoy,
}

/// Hands over every sample, and returns how long the proxy has run, if it says so.
///
/// # Errors
/// A text in another format, or of another program: what an Envoy has counted is not known then.
pub(super) fn read(
    text: &str,
    mut take: impl FnMut(&Sample<'_>),
) -> Result<Option<Duration>, NoCounters> {
    let (mut uptime, mut is_envoy) = (None, false);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let sample = Sample::parse(line).ok_or(NoCounters::Line(number + 1))?;
        is_envoy |= sample.name.starts_with("envoy_");
        if sample.name == UPTIME {
            uptime = Some(Duration::from_secs(sample.value));
        }
        take(&sample);
    }
    if is_envoy { Ok(uptime) } else { Err(NoCounters::NoEnvoy) }
}

/// One line: `name{label="value",...} value`, after which a time may stand.
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    labels: Vec<(&'a str, String)>,
    /// Cut to a whole number: the counters are.
    pub(super) value: u64,
}

impl<'a> Sample<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let end = line.find(|it: char| it == '{' || it.is_whitespace())?;
        let (name, mut rest) = line.split_at(end);
        let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == ':';
        if name.is_empty() || !name.chars().all(is_part) {
            return None;
        }
        let mut labels = Vec::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            loop {
                rest = rest.trim_start_matches([' ', ',']);
                if let Some(after) = rest.strip_prefix('}') {
                    rest = after;
                    break;
                }
                let (label, after) = rest.split_once("=\"")?;
                let (value, after) = quoted(after)?;
                labels.push((label.trim(), value));
                rest = after;
            }
        }
        let value = number(rest.split_whitespace().next()?)?;
        Some(Self { name, labels, value })
    }

    pub(super) fn label(&self, name: &str) -> Option<&str> {
        let mut labels = self.labels.iter();
        labels.find(|(label, _)| *label == name).map(|(_, value)| value.as_str())
    }
}

/// A text up to its closing quote, and what stands after that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

/// A number of the format; one that is no amount, such as `NaN`, counts as nothing, because no counter has it.
fn number(text: &str) -> Option<u64> {
    if let Ok(whole) = text.parse() {
        return Some(whole);
    }
    let float: f64 = text.parse().ok()?;
    // A cast of what is below 0 or no number gives 0.
    Some(float as u64)
}
