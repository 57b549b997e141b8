//! Everything that can go wrong between the daemon and the API server, one thing at a time, by chance.

use std::any::Any;
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use harness::Bed;
use harness::api_proxy::{
    ApiProxy, Backup, Choice, Fault, HalfOpen, Injected, Peer, Request, Verb, Watches, Withheld,
};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// This becomes of requests.
    Fault(Fault),
    /// Open connections are half open.
    HalfOpen(Peer),
    /// Running watches go silent and do not end.
    SilentWatches,
    /// Events of watches come late.
    LateEvents,
    /// Events of watches are lost, and the watches end as too old.
    LostEvents,
    /// The store of the API server is restored from the last backup.
    Restored(Watches),
}

impl Trouble {
    pub(crate) const ALL: [Self; 18] = [
        Self::Fault(Fault::Silent),
        Self::Fault(Fault::AnswerWithheld),
        Self::Fault(Fault::SlowBody),
        Self::Fault(Fault::TurnedAway(None)),
        Self::Fault(Fault::TurnedAway(Some(3))),
        Self::Fault(Fault::WebhookFailed("gate.example.com")),
        Self::Fault(Fault::Refused(500)),
        Self::Fault(Fault::Refused(503)),
        Self::Fault(Fault::Lost),
        Self::Fault(Fault::AnswerLost),
        Self::HalfOpen(Peer::Gone),
        Self::HalfOpen(Peer::Stuck),
        Self::SilentWatches,
        Self::LateEvents,
        Self::LostEvents,
        Self::Restored(Watches::Expire),
        Self::Restored(Watches::Close),
        Self::Restored(Watches::GoOn),
    ];

    /// Has it begin, for requests of some sort.
    pub(crate) async fn begin(
        self,
        bed: &Bed,
        proxy: &ApiProxy,
        backup: &Backup,
        random: &mut Rng,
    ) -> Result<Begun> {
        Ok(match self {
            Self::Fault(fault) => {
                let sort = SORTS[random.usize(..SORTS.len())];
                // What cannot be called is asked about writes and their dry runs only.
                let is_of_webhook = matches!(fault, Fault::WebhookFailed(_));
                let sort = if is_of_webhook { changes } else { sort };
                let choice = Choice::from_nth(random.usize(1..4), sort);
                Begun::Injected(proxy.inject(choice, fault))
            }
            Self::HalfOpen(peer) => {
                let only_watches = random.bool();
                let fits = |request: &Request| !only_watches || request.verb == Verb::Watch;
                Begun::HalfOpen(proxy.half_open(peer, fits)?)
            }
            Self::SilentWatches => Begun::Silent(proxy.silence(|_| true)),
            Self::LateEvents => Begun::Late(proxy.withhold(|_| true)),
            Self::LostEvents => Begun::Lost(proxy.withhold(|_| true)),
            Self::Restored(watches) => {
                proxy.restore(&bed.client(), backup, watches).await?;
                Begun::Restored
            }
        })
    }
}

/// A trouble that has begun.
#[derive(Debug)]
pub(crate) enum Begun {
    Injected(Injected),
    HalfOpen(HalfOpen),
    Silent(Withheld),
    Late(Withheld),
    Lost(Withheld),
    Restored,
}

impl Begun {
    /// What ends by itself ends. Silent watches stay silent, and half-open connections open, until this is dropped.
    pub(crate) fn end(self) -> Option<Lasting> {
        match self {
            Self::Injected(injected) => drop(injected),
            Self::Late(withheld) => drop(withheld),
            Self::Lost(withheld) => withheld.lose(),
            Self::Restored => {}
            Self::Silent(withheld) => return Some(Box::new(withheld)),
            Self::HalfOpen(half_open) => return Some(Box::new(half_open)),
        }
        None
    }
}

/// What lasts until it is dropped.
pub(crate) type Lasting = Box<dyn Any + Send>;

/// How long a trouble lasts, at most.
pub(crate) const LONGEST: Duration = Duration::from_secs(6);

type Sort = fn(&Request) -> bool;

const SORTS: [Sort; 5] =
    [Request::is_write, changes, Request::is_about_objects, is_watch, is_about_something];

fn changes(request: &Request) -> bool {
    request.is_write() || request.dry_run
}

fn is_watch(request: &Request) -> bool {
    request.verb == Verb::Watch
}

fn is_about_something(request: &Request) -> bool {
    request.resource.is_some()
}
