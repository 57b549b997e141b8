//! The words of a commit of the autopilot.

use jiff::Timestamp;
use judge::{Counts, Names, Reading};
use serde_json::{Value, json};

use super::run::{Act, Opinion, Run};
use crate::values::MAX_REASON;

/// What a commit of the autopilot says below its subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What a person reads.
    pub body: String,
    /// The step that it is: the new weight, `finish` or `abort`.
    pub step: String,
    /// What it was decided on, for programs.
    pub evidence: Value,
    /// Why the canary is held, where it is: one line.
    pub reason: String,
}

/// The words for what was decided about a rollout of `service`; `in_force` is since when its step is.
pub fn message(
    service: &str,
    run: &Run,
    opinion: &Opinion,
    in_force: Option<Timestamp>,
    now: Timestamp,
) -> Message {
    let names = run.names();
    let weight = run.rollout().position.weight();
    let seconds = in_force.map(|since| now.duration_since(since).as_secs().max(0));
    let (step, consequence) = match opinion.act {
        Act::Promote(weight) => {
            (weight.to_string(), format!("{} gets {weight} % of the requests.", names.canary))
        }
        Act::Finish => {
            ("finish".to_owned(), format!("{} replaces {}.", names.canary, names.primary))
        }
        Act::Abort | Act::Hold => (
            "abort".to_owned(),
            format!(
                "{canary} gets no more requests and is held; it stays deployed.\n`coalmine start {service} --version \
                 {canary}` tries it again, `coalmine abort {service} --full` gives it up.",
                canary = names.canary
            ),
        ),
    };
    let mut body = format!("{}.\n\n", opinion.sentence);
    let lasting = seconds.map_or(String::new(), |seconds| format!(", for {seconds} s"));
    body += &format!("Measured with {weight} % of the requests{lasting}:\n");
    for reading in &opinion.readings {
        body += &format!("- {}\n", line(reading, names));
    }
    for (name, blind) in &opinion.blind {
        body += &format!("- {name}: not measured for {} s\n", blind.lasting.as_secs());
    }
    body += &format!("\n{consequence}\n");
    let analyses: serde_json::Map<String, Value> = opinion
        .readings
        .iter()
        .map(|reading| (reading.analysis.clone(), evidence(reading)))
        .collect();
    let evidence = json!({
        "decision": opinion.sentence,
        "primary": names.primary,
        "canary": names.canary,
        "weight": weight.percent(),
        "seconds": seconds,
        "analyses": analyses,
    });
    let reason = opinion.sentence.chars().filter(|it| !it.is_control()).take(MAX_REASON).collect();
    Message { body, step, evidence, reason }
}

fn line(reading: &Reading, names: Names<'_>) -> String {
    let Reading { analysis, has_primary, primary, canary, evidence, .. } = reading;
    let mut line = format!("{analysis}: {} {}", names.canary, counts(*canary));
    if *has_primary {
        line += &format!(", {} {}", names.primary, counts(*primary));
    }
    let (value, threshold) = (evidence.value, evidence.threshold);
    line += &format!("; evidence of harm {value:.2} of {threshold:.0}");
    line
}

fn counts(counts: Counts) -> String {
    let Counts { total, bad } = counts;
    match counts.share() {
        Some(share) => format!("{bad} of {total} bad ({:.2} %)", share * 100.0),
        None => "no answer".to_owned(),
    }
}

fn evidence(reading: &Reading) -> Value {
    let counts = |counts: Counts| json!({"total": counts.total, "bad": counts.bad});
    json!({
        "canary": counts(reading.canary),
        "primary": reading.has_primary.then(|| counts(reading.primary)),
        "value": rounded(reading.evidence.value),
        "threshold": reading.evidence.threshold,
    })
}

/// Three digits are enough; of a number beyond all bounds JSON has none.
fn rounded(value: f64) -> f64 {
    if value >= 1e12 { 1e12 } else { (value * 1000.0).round() / 1000.0 }
}
