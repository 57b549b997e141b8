//! The metrics of the source and of each service, computed from the status store at each scrape: a service
//! that is gone has none, and nothing is kept twice.

use std::fmt::{self, Error};
use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

use crate::report::per_version::PerVersion;
use crate::report::service::State;
use crate::report::status_store::{Entry, StatusStore, Stored};
use crate::report::tally::Drifts;
use coalmine_core::phase::Phase;

/// Reads the status store.
pub(super) struct Services(pub(super) Arc<StatusStore>);

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Services")
    }
}

impl Collector for Services {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let now = self.0.now();
        let content = self.0.content();
        Families { encoder, content: &content, now }.write()
    }
}

/// The families of one scrape. All samples of a family stand together, so each one goes through all
/// services.
pub(super) struct Families<'encoder, 'status_store> {
    encoder: DescriptorEncoder<'encoder>,
    content: &'status_store Stored,
    pub(super) now: Timestamp,
}

const SOURCE_REVISION: &str = "Newest accepted commit";
const SOURCE_WAITING: &str =
    "Time since the oldest commit arrived that is not accepted as a whole; 0 without one";
const PHASE: &str = "1 for the phase of the rollout, 0 for the others";
const STATE: &str = "1 for the state of the service, 0 for the others";
const REASON: &str = "1 for the reason why the service waits or is stalled; none when it is ready";
const CONDITION: &str = "1 while the condition holds";
const DESIRED: &str = "Desired share of the requests without the canary headers, in percent";
const APPLIED: &str = "Applied share of the requests without the canary headers, in percent";
const PODS: &str = "Ready pods, as far as known";
const REQUESTS: &str = "Requests per second by the gateways of an API, while both APIs serve the service and as far as known";
const QUIET: &str = "For how long it is known that no request has come by the gateways of an API, while both APIs \
                     serve the service";
const REVISION: &str = "Newest commit that is fully applied";
const WAITING: &str =
    "Time since the oldest commit arrived that is not fully applied; 0 without one";
const DURATION: &str =
    "How long one pass over the service took; a pass takes what steps it can and waits nowhere";
const STALLS: &str = "How often the service became stalled for this reason";
const PANICS: &str = "Passes over the service that panicked: faults of coalmine, to be reported";
const FOUND: &str = "Changes by others to objects of this kind";
const REPAIRED: &str = "Changes by others to objects of this kind that were undone";

impl Families<'_, '_> {
    fn write(mut self) -> Result<(), Error> {
        self.source()?;
        self.rollouts()?;
        self.shares()?;
        self.requests()?;
        self.autopilot()?;
        self.revisions()?;
        self.counts()
    }

    fn source(&mut self) -> Result<(), Error> {
        let (content, now) = (self.content, self.now);
        if let Some(revision) = &content.source.accepted_revision {
            self.family("source_revision", SOURCE_REVISION, MetricType::Info)?
                .encode_info(&[("revision", revision.as_str())])?;
        }
        let name = "source_oldest_unapplied_commit_age_seconds";
        self.family(name, SOURCE_WAITING, MetricType::Gauge)?
            .encode_gauge(&age(content.source_waits_since, now))
    }

    fn rollouts(&mut self) -> Result<(), Error> {
        self.services("service_phase", PHASE, MetricType::Gauge, |service, entry, family| {
            // The platform's objects are no rollout.
            let phases = Phase::ALL.map(|phase| phase.name());
            let phases = phases.into_iter().filter(|_| !entry.report.phase.is_empty());
            phases.into_iter().try_for_each(|phase| {
                let labels = [("service", service), ("phase", phase)];
                gauge(family, &labels, u32::from(entry.report.phase == phase))
            })
        })?;
        self.services("service_state", STATE, MetricType::Gauge, |service, entry, family| {
            State::ALL.into_iter().try_for_each(|state| {
                let labels = [("service", service), ("state", state.name())];
                gauge(family, &labels, u32::from(entry.state() == state))
            })
        })?;
        self.services("service_reason", REASON, MetricType::Gauge, |service, entry, family| {
            entry.reason_code().into_iter().try_for_each(|code| {
                gauge(family, &[("service", service), ("reason", code.as_str())], 1)
            })
        })?;
        self.services(
            "service_condition",
            CONDITION,
            MetricType::Gauge,
            |service, entry, family| {
                let report = &entry.report;
                let drifted = ("Drifted", report.remaining_drift.is_some());
                [drifted, ("Fighting", report.fight.is_some())].into_iter().try_for_each(
                    |(condition, holds)| {
                        let labels = [("service", service), ("condition", condition)];
                        gauge(family, &labels, u32::from(holds))
                    },
                )
            },
        )
    }

    fn shares(&mut self) -> Result<(), Error> {
        self.versions("service_desired_weight_percent", DESIRED, |entry| &entry.report.weights)?;
        self.versions("service_applied_weight_percent", APPLIED, |entry| {
            &entry.report.applied_weights
        })?;
        self.versions("service_ready_pods", PODS, |entry| &entry.report.ready_pods)
    }

    fn requests(&mut self) -> Result<(), Error> {
        let name = "service_gateway_requests_per_second";
        self.services(name, REQUESTS, MetricType::Gauge, |service, entry, family| {
            entry.report.requests.iter().try_for_each(|requests| {
                let labels = [("service", service), ("api", requests.api.as_str())];
                let mut rates = requests.per_second.into_iter();
                rates.try_for_each(|rate| family.encode_family(&labels)?.encode_gauge(&rate))
            })
        })?;
        let name = "service_gateway_without_requests_seconds";
        self.services(name, QUIET, MetricType::Gauge, |service, entry, family| {
            entry.report.requests.iter().try_for_each(|requests| {
                let labels = [("service", service), ("api", requests.api.as_str())];
                let mut quiet = requests.quiet_seconds().into_iter();
                quiet.try_for_each(|quiet| family.encode_family(&labels)?.encode_gauge(&quiet))
            })
        })
    }

    fn revisions(&mut self) -> Result<(), Error> {
        let now = self.now;
        self.services("service_revision", REVISION, MetricType::Info, |service, entry, family| {
            entry.report.last_applied_revision.iter().try_for_each(|revision| {
                family
                    .encode_family(&[("service", service)])?
                    .encode_info(&[("revision", revision.as_str())])
            })
        })?;
        let name = "service_oldest_unapplied_commit_age_seconds";
        self.services(name, WAITING, MetricType::Gauge, |service, entry, family| {
            let age = age(entry.waits_since, now);
            family.encode_family(&[("service", service)])?.encode_gauge(&age)
        })
    }

    fn counts(&mut self) -> Result<(), Error> {
        let name = "service_reconcile_duration_seconds";
        self.services(name, DURATION, MetricType::Histogram, |service, entry, family| {
            let (sum, count, buckets) = entry.tally.reconciles.parts();
            let labels = [("service", service)];
            let mut histogram = family.encode_family(&labels)?;
            histogram.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })?;
        self.services("service_stalls", STALLS, MetricType::Counter, |service, entry, family| {
            entry.tally.stalls.iter().try_for_each(|(code, count)| {
                counter(family, &[("service", service), ("reason", code.as_str())], *count)
            })
        })?;
        let name = "service_reconcile_panics";
        self.services(name, PANICS, MetricType::Counter, |service, entry, family| {
            counter(family, &[("service", service)], entry.tally.panics)
        })?;
        self.drift("service_drift_found", FOUND, |drifts| drifts.found)?;
        self.drift("service_drift_repaired", REPAIRED, |drifts| drifts.repaired)
    }

    fn drift(&mut self, name: &str, help: &str, number: fn(&Drifts) -> u64) -> Result<(), Error> {
        self.services(name, help, MetricType::Counter, |service, entry, family| {
            entry.tally.drift.iter().try_for_each(|(kind, drifts)| {
                counter(family, &[("service", service), ("kind", kind)], number(drifts))
            })
        })
    }

    fn versions<N: Copy + Into<u32>>(
        &mut self,
        name: &str,
        help: &str,
        numbers: impl Fn(&Entry) -> &PerVersion<N>,
    ) -> Result<(), Error> {
        self.services(name, help, MetricType::Gauge, |service, entry, family| {
            numbers(entry).iter().try_for_each(|(version, number)| {
                gauge(family, &[("service", service), ("version", version)], number.into())
            })
        })
    }

    /// Writes one family with what `write` says of each service.
    pub(super) fn services(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        write: impl Fn(&str, &Entry, &mut MetricEncoder<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let content = self.content;
        let mut family = self.family(name, help, kind)?;
        let mut services = content.services.iter();
        services.try_for_each(|(service, entry)| write(service, entry, &mut family))
    }

    fn family<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, Error> {
        self.encoder.encode_descriptor(name, help, None, kind)
    }
}

pub(super) fn gauge(
    family: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    value: u32,
) -> Result<(), Error> {
    family.encode_family(labels)?.encode_gauge(&value)
}

pub(super) fn counter(
    family: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    value: u64,
) -> Result<(), Error> {
    let no_exemplar: Option<&Exemplar<NoLabelSet, f64>> = None;
    family.encode_family(labels)?.encode_counter(&value, no_exemplar)
}

/// Seconds; a clock that was set back makes nothing negative.
pub(super) fn age(since: Option<Timestamp>, now: Timestamp) -> f64 {
    since.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0))
}
