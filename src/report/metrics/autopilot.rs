//! The metrics of autopilots, of services whose canary is rolled out or held.

use std::fmt::Error;

use prometheus_client::metrics::MetricType;

use super::services::{Families, age, counter, gauge};
use crate::report::autopilot::{AnalysisReport, CountsReport};

const DECISION: &str = "1 for what the autopilot decided last, 0 for the others";
const EVIDENCE: &str = "The way of the evidence to an abort, from 0 to 1";
const ANSWERS: &str = "Answers of a version since the step began, as the analysis counts them";
const BAD: &str = "Bad ones among the answers of a version since the step began";
const BLIND: &str = "For how long an analysis has not been measured; 0 while it is";
const AGE: &str = "Time since the canary has its weight, as far as known";
const HELD: &str = "1 while the canary is held, so that the autopilot leaves it as it is";
const PROBLEM: &str = "1 while something that the autopilot decided cannot be committed";
const COMMITS: &str = "Commits of the autopilot, by what they did";

impl Families<'_, '_> {
    pub(super) fn autopilot(&mut self) -> Result<(), Error> {
        self.services(
            "autopilot_decision",
            DECISION,
            MetricType::Gauge,
            |service, entry, family| {
                let Some(report) = &entry.report.autopilot else { return Ok(()) };
                ["hold", "promote", "finish", "abort"].into_iter().try_for_each(|decision| {
                    let labels = [("service", service), ("decision", decision)];
                    gauge(family, &labels, u32::from(report.decision == decision))
                })
            },
        )?;
        self.analyses("autopilot_evidence_ratio", EVIDENCE, |analysis| Some(analysis.evidence))?;
        self.answers("autopilot_step_answers", ANSWERS, |counts| counts.total)?;
        self.answers("autopilot_step_bad_answers", BAD, |counts| counts.bad)?;
        self.analyses("autopilot_blind_seconds", BLIND, |analysis| {
            Some(analysis.blind_seconds.unwrap_or(0) as f64)
        })?;
        let now = self.now;
        self.services(
            "autopilot_step_age_seconds",
            AGE,
            MetricType::Gauge,
            |service, entry, family| {
                let since = entry.report.autopilot.as_ref().and_then(|report| report.step_since);
                let Some(since) = since else { return Ok(()) };
                family.encode_family(&[("service", service)])?.encode_gauge(&age(Some(since), now))
            },
        )?;
        self.services("autopilot_held", HELD, MetricType::Gauge, |service, entry, family| {
            let Some(report) = &entry.report.autopilot else { return Ok(()) };
            gauge(family, &[("service", service)], u32::from(report.held.is_some()))
        })?;
        self.services(
            "autopilot_held_up",
            PROBLEM,
            MetricType::Gauge,
            |service, entry, family| {
                let Some(report) = &entry.report.autopilot else { return Ok(()) };
                gauge(family, &[("service", service)], u32::from(report.problem.is_some()))
            },
        )?;
        self.services(
            "autopilot_commits",
            COMMITS,
            MetricType::Counter,
            |service, entry, family| {
                entry.tally.commits.iter().try_for_each(|(action, count)| {
                    counter(family, &[("service", service), ("action", action)], *count)
                })
            },
        )
    }

    /// A number of each analysis.
    fn analyses(
        &mut self,
        name: &str,
        help: &str,
        number: fn(&AnalysisReport) -> Option<f64>,
    ) -> Result<(), Error> {
        self.services(name, help, MetricType::Gauge, |service, entry, family| {
            let analyses = entry.report.autopilot.iter().flat_map(|report| &report.analyses);
            analyses.filter_map(|it| Some((it, number(it)?))).try_for_each(|(analysis, number)| {
                let labels = [("service", service), ("analysis", analysis.name.as_str())];
                family.encode_family(&labels)?.encode_gauge(&number)
            })
        })
    }

    /// A number of both versions' answers in each analysis.
    fn answers(
        &mut self,
        name: &str,
        help: &str,
        number: fn(&CountsReport) -> u64,
    ) -> Result<(), Error> {
        self.services(name, help, MetricType::Gauge, |service, entry, family| {
            let analyses = entry.report.autopilot.iter().flat_map(|report| &report.analyses);
            for analysis in analyses {
                let versions = [("canary", &analysis.canary), ("primary", &analysis.primary)];
                for (version, counts) in versions {
                    let Some(counts) = counts else { continue };
                    let name = analysis.name.as_str();
                    let labels = [("service", service), ("analysis", name), ("version", version)];
                    family.encode_family(&labels)?.encode_gauge(&(number(counts) as f64))?;
                }
            }
            Ok(())
        })
    }
}
