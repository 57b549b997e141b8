//! What came through the proxy.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::Request;

/// A request and what became of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What was asked.
    pub request: Request,
    /// When all of the request had come.
    pub at: Instant,
    /// How long until the answer's head; `None` while there is none, and when none was given.
    pub took: Option<Duration>,
    /// The HTTP status of the answer the client was given.
    pub status: Option<u16>,
}

/// A point in the journal; what came later is asked for with [`super::ApiProxy::since`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(usize);

/// How many requests of each sort, such as `dry-run apply deployments`.
pub type Tally = BTreeMap<String, usize>;

/// Counts exchanges by what was done and to which kind. Watches and discovery are counted too.
pub fn tally<'a>(exchanges: impl IntoIterator<Item = &'a Exchange>) -> Tally {
    let mut tally = Tally::new();
    for Exchange { request, .. } in exchanges {
        let what = request.resource.as_ref().map_or("no resource", |resource| &resource.plural);
        let dry = if request.dry_run { "dry-run " } else { "" };
        *tally.entry(format!("{dry}{} {what}", request.verb)).or_default() += 1;
    }
    tally
}

/// All exchanges, in the order in which the requests came.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Vec<Exchange>>);

impl Journal {
    /// Writes a request down; the number is for [`Journal::answered`].
    pub(super) fn asked(&self, request: Request) -> usize {
        let mut exchanges = self.lock();
        exchanges.push(Exchange { request, at: Instant::now(), took: None, status: None });
        exchanges.len() - 1
    }

    pub(super) fn answered(&self, number: usize, status: u16) {
        let exchange = &mut self.lock()[number];
        exchange.took = Some(exchange.at.elapsed());
        exchange.status = Some(status);
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.lock().len())
    }

    pub(super) fn since(&self, mark: Mark) -> Vec<Exchange> {
        self.lock()[mark.0..].to_vec()
    }

    pub(super) fn latest(&self, mark: Mark, fits: impl Fn(&Request) -> bool) -> Option<Instant> {
        let exchanges = self.lock();
        let mut since = exchanges[mark.0..].iter().rev();
        since.find(|exchange| fits(&exchange.request)).map(|exchange| exchange.at)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
