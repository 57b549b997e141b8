//! How the versions of a service answer, from the counters of several proxies that come and go.
//!
//! A look counts only if every proxy was read, before and now: what one of them had in between would be missing
//! otherwise, and a part is no measure of the whole. What a look misses is counted by the next one that sees all.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use judge::Counts;

/// What was counted of one version in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Its answers.
    pub answers: Counts,
    /// Those whose time is known, and the slow ones among them; `None` where times are not measured.
    pub slow: Option<Counts>,
}

/// Tallies by version and place: a cluster or a pod's address.
pub type Tallies = BTreeMap<(String, String), Tally>;

/// What a proxy has counted since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How long it has run, if it says so.
    pub uptime: Option<Duration>,
    /// By version and place.
    pub tallies: Tallies,
}

/// The answers of versions, look after look.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// What each proxy had at the last look at which all could be read.
    before: Option<BTreeMap<String, Totals>>,
}

/// Why nothing is known of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blind {
    /// There is no look before it to compare with.
    First,
    /// No proxy was found, in words.
    NoProxy(String),
    /// A proxy could not be read.
    Unread {
        /// The proxy.
        proxy: String,
        /// Why.
        why: String,
    },
    /// A proxy has come, gone or started again, or a pod with counters has gone: what they had is not known.
    Gap {
        /// The proxy.
        proxy: String,
        /// What happened.
        what: &'static str,
    },
}

impl fmt::Display for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("there is one look so far, and nothing to compare it with"),
            Self::NoProxy(words) => f.write_str(words),
            Self::Unread { proxy, why } => write!(f, "proxy {proxy}: {why}"),
            Self::Gap { proxy, what } => write!(f, "proxy {proxy} {what}"),
        }
    }
}

impl Answers {
    /// Takes what was seen of every proxy that there is, and returns what each version has answered since the last look
    /// that saw all.
    ///
    /// # Errors
    /// Says why that is not known.
    pub fn look(
        &mut self,
        proxies: BTreeMap<String, Result<Totals, String>>,
    ) -> Result<BTreeMap<String, Tally>, Blind> {
        if proxies.is_empty() {
            return Err(Blind::NoProxy("no proxy was found".to_owned()));
        }
        let mut now = BTreeMap::new();
        for (proxy, read) in proxies {
            match read {
                Ok(totals) => now.insert(proxy, totals),
                Err(why) => return Err(Blind::Unread { proxy, why }),
            };
        }
        let Some(before) = self.before.replace(now.clone()) else { return Err(Blind::First) };
        let gap = |proxy: &str, what| Blind::Gap { proxy: proxy.to_owned(), what };
        if let Some(proxy) = before.keys().find(|proxy| !now.contains_key(*proxy)) {
            return Err(gap(proxy, "is gone"));
        }
        let mut answers: BTreeMap<String, Tally> = BTreeMap::new();
        for (proxy, totals) in &now {
            let before = before.get(proxy).ok_or_else(|| gap(proxy, "is new"))?;
            let grown = grown(before, totals).map_err(|what| gap(proxy, what))?;
            for (version, tally) in grown {
                let sum = answers.entry(version).or_default();
                sum.answers += tally.answers;
                if let Some(slow) = tally.slow {
                    *sum.slow.get_or_insert_default() += slow;
                }
            }
        }
        Ok(answers)
    }
}

/// What one proxy has counted since the look before, by version.
fn grown<'a>(before: &'a Totals, now: &'a Totals) -> Result<Vec<(String, Tally)>, &'static str> {
    const RESTARTED: &str = "has started again";
    if matches!((before.uptime, now.uptime), (Some(before), Some(now)) if now < before) {
        return Err(RESTARTED);
    }
    let had_some = |(key, tally): (&(String, String), &Tally)| {
        tally.answers.total > 0 && !now.tallies.contains_key(key)
    };
    if before.tallies.iter().any(had_some) {
        return Err("has forgotten a pod, and what it answered last");
    }
    let since = |now: Counts, before: Counts| -> Result<Counts, &'static str> {
        let total = now.total.checked_sub(before.total).ok_or(RESTARTED)?;
        let bad = now.bad.checked_sub(before.bad).ok_or(RESTARTED)?;
        Ok(Counts::new(total, bad))
    };
    let all = now.tallies.iter().map(|(key, tally)| {
        // A pod that is new has counted from 0 on.
        let before = before.tallies.get(key).copied().unwrap_or_default();
        let slow = tally.slow.map(|slow| since(slow, before.slow.unwrap_or_default()));
        let answers = since(tally.answers, before.answers)?;
        Ok((key.0.clone(), Tally { answers, slow: slow.transpose()? }))
    });
    all.collect()
}
