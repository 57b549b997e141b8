//! How many requests come, and since when none has, from the counters of several proxies that come and go.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Requests per second are those of so many seconds.
const WINDOW: SignedDuration = SignedDuration::from_secs(10);

/// What one proxy has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Requests since its start.
    pub requests: u64,
    /// How long it has run, if it says so.
    pub uptime: Option<Duration>,
}

/// The requests of one service by the gateways of one API, look after look.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// The last reading of each proxy that is there; `None` of one that was never read.
    proxies: BTreeMap<String, Option<Reading>>,
    /// The first look at which all proxies could be read.
    begun: Option<Timestamp>,
    /// The end of each look at which all proxies could be read, with the requests since the one before.
    looks: VecDeque<(Timestamp, u64)>,
    last_request: Option<Timestamp>,
    none_since: Option<Timestamp>,
    /// Whether the last look saw every proxy.
    is_known: bool,
}

/// What is known of the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Requests per second in the last seconds; `None` as long as it is not known.
    pub per_second: Option<f64>,
    /// When the last request was seen, if any was.
    pub last_request: Option<Timestamp>,
    /// Since when it is known that no request has come: the last request, the first look, or the last moment of which
    /// something is not known. `None` while a proxy cannot be read.
    pub none_since: Option<Timestamp>,
}

impl Requests {
    /// Takes what was seen at one look: every proxy that there is, with `None` for one that could not be read. A look
    /// at which no proxy was found says nothing.
    pub fn look(&mut self, now: Timestamp, proxies: &BTreeMap<String, Option<Reading>>) {
        self.is_known = !proxies.is_empty() && proxies.values().all(Option::is_some);
        let (mut arrived, mut is_gap) = (0_u64, false);
        for (proxy, reading) in proxies {
            let Some(reading) = reading else {
                self.proxies.entry(proxy.clone()).or_default();
                continue;
            };
            match self.proxies.insert(proxy.clone(), Some(*reading)).flatten() {
                // Nobody knows when these came.
                None => is_gap |= reading.requests > 0,
                Some(before) if has_restarted(&before, reading) => {
                    // What it had between the last look and its end is not known.
                    is_gap = true;
                    arrived = arrived.saturating_add(reading.requests);
                }
                Some(before) => {
                    arrived = arrived.saturating_add(reading.requests - before.requests);
                }
            }
        }
        let known = self.proxies.len();
        self.proxies.retain(|proxy, _| proxies.contains_key(proxy));
        // What one that is gone had after the last look is not known.
        is_gap |= self.proxies.len() < known;
        if arrived > 0 {
            self.last_request = Some(now);
        }
        if arrived > 0 || is_gap {
            self.none_since = self.begun.map(|_| now);
        }
        if !self.is_known {
            self.looks.clear();
            return;
        }
        if self.begun.is_none() {
            self.begun = Some(now);
            self.none_since = Some(now);
        }
        self.looks.push_back((now, arrived));
        while self.looks.get(1).is_some_and(|(second, _)| now.duration_since(*second) >= WINDOW) {
            self.looks.pop_front();
        }
    }

    /// Nothing could be seen at this look.
    pub fn blind(&mut self) {
        self.is_known = false;
        self.looks.clear();
    }

    /// What is known by now.
    pub fn measured(&self) -> Measured {
        let none_since = self.none_since.filter(|_| self.is_known);
        Measured { per_second: self.per_second(), last_request: self.last_request, none_since }
    }

    /// The first of the looks only begins: its requests came before.
    fn per_second(&self) -> Option<f64> {
        let (first, _) = self.looks.front()?;
        let (last, _) = self.looks.back()?;
        let seconds = last.duration_since(*first).as_secs_f64();
        let requests: u64 = self.looks.iter().skip(1).map(|(_, requests)| requests).sum();
        (seconds > 0.0).then(|| requests as f64 / seconds)
    }
}

/// Whether the counters began again from 0.
fn has_restarted(before: &Reading, now: &Reading) -> bool {
    let is_younger =
        matches!((before.uptime, now.uptime), (Some(before), Some(now)) if now < before);
    is_younger || now.requests < before.requests
}
