//! A proxy in front of an API server: it writes down what a client asks for, and makes go wrong what
//! can go wrong between the two.
//!
//! Like `kubectl proxy` it speaks for the account whose kubeconfig it was given. Unlike that it
//! speaks TLS to its clients too, so that a client pays for each request and each watch what it
//! would pay without the proxy. Answers are streamed. Upgraded connections (`exec`, `port-forward`)
//! are not supported.
//!
//! ```no_run
//! # async fn example(daemon: harness::process::Process) -> anyhow::Result<()> {
//! use harness::api_proxy::{ApiProxy, Choice, Fault, Moment, Peer, Request, Verb};
//! # let folder = std::path::Path::new("");
//! let proxy = ApiProxy::start(&folder.join("kubeconfig"), &folder.join("through-the-proxy")).await?;
//! // ... the daemon is started with KUBECONFIG=through-the-proxy ...
//! let writes = proxy.requests().iter().filter(|exchange| exchange.request.is_write()).count();
//!
//! // The third write is carried out, and the daemon dies before it learns of it.
//! let third = proxy.breakpoint(Moment::After, Choice::from_nth(3, Request::is_write));
//! let request = third.kill(&daemon).await;
//!
//! // RouteTables cannot be written for a while.
//! let down = proxy.inject(
//!     Choice::every(|request| request.is_write() && request.is_about("routetables")),
//!     Fault::Refused(500),
//! );
//! drop(down);
//!
//! // The daemon does not hear of Deployments any more, and misses what happens to them.
//! let stale = proxy.withhold(|request| request.is_about("deployments"));
//! stale.lose();
//!
//! // Its connections stay open, and nothing goes through them any more; new ones work.
//! let dead = proxy.half_open(Peer::Gone, |request| request.verb == Verb::Watch)?;
//! assert!(dead.connections() > 0);
//! # Ok(())
//! # }
//! ```

mod alteration;
mod backup;
mod bad_answer;
mod body;
mod events;
mod fault;
mod half_open;
mod journal;
mod kubeconfig;
mod lines;
mod request;
mod serve;
#[cfg(test)]
mod tests;
mod versions;

use std::{path::Path, sync::Arc, time::Instant};

use anyhow::{Context as _, Result};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

pub use alteration::Altered;
pub use backup::{Backup, Watches};
pub use events::Withheld;
pub use fault::{Breakpoint, Choice, Fault, Injected, Moment};
pub use half_open::{HalfOpen, Peer};
pub use journal::{Exchange, Mark, Tally, tally};
pub use request::{Request, Resource, Verb};

use crate::certificate::Certificate;
use serve::Way;

/// A running proxy on a port of its own on loopback. Dropping it closes all connections.
#[derive(Debug)]
pub struct ApiProxy {
    way: Arc<Way>,
    _server: AbortOnDropHandle<()>,
}

impl ApiProxy {
    /// Starts a proxy to the cluster of `upstream`, and writes to `kubeconfig` how clients reach it.
    ///
    /// # Errors
    /// `upstream` cannot be read or describes no cluster, or `kubeconfig` cannot be written.
    pub async fn start(upstream: &Path, kubeconfig: &Path) -> Result<Self> {
        let file = Kubeconfig::read_from(upstream)
            .with_context(|| format!("cannot read {}", upstream.display()))?;
        let mut config =
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        // Clients decide what is tried again.
        config.default_retry = false;
        let way = Arc::new(Way::to(Client::try_from(config)?));
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
        let certificate = Certificate::for_loopback()?;
        kubeconfig::write(kubeconfig, &certificate, listener.local_addr()?)?;
        let server = serve::serve(listener, certificate.acceptor()?, way.clone());
        Ok(Self { way, _server: AbortOnDropHandle::new(tokio::spawn(server)) })
    }

    /// Everything so far, in the order in which it was asked.
    pub fn requests(&self) -> Vec<Exchange> {
        self.since(Mark::default())
    }

    /// This moment, for [`ApiProxy::since`].
    pub fn mark(&self) -> Mark {
        self.way.journal.mark()
    }

    /// Everything since then.
    pub fn since(&self, mark: Mark) -> Vec<Exchange> {
        self.way.journal.since(mark)
    }

    /// When a request that fits came last since then.
    pub fn latest(&self, mark: Mark, fits: impl Fn(&Request) -> bool) -> Option<Instant> {
        self.way.journal.latest(mark, fits)
    }

    /// Has something go wrong with the chosen requests from now on.
    pub fn inject(&self, choice: Choice, fault: Fault) -> Injected {
        self.way.rules.inject(choice, fault)
    }

    /// Stops the chosen requests from now on, on either side of the API server.
    pub fn breakpoint(&self, moment: Moment, choice: Choice) -> Breakpoint {
        self.way.rules.breakpoint(moment, choice)
    }

    /// Changes from now on the objects that are written, dry runs apart.
    pub fn alter(&self, mut change: impl FnMut(&Request, &mut Value) + Send + 'static) -> Altered {
        self.way.writes.add(Box::new(move |request, object| {
            change(request, object);
            true
        }))
    }

    /// Changes from now on the objects in answers, those of lists and of watches that begin later
    /// included. An object for which `change` returns false is kept from the client: it is not in lists,
    /// no watch shows it, and a request for it alone is answered with 404.
    pub fn forge(
        &self,
        change: impl FnMut(&Request, &mut Value) -> bool + Send + 'static,
    ) -> Altered {
        self.way.answers.add(Box::new(change))
    }

    /// Keeps back all further events of the watches that fit, of running ones and of new ones.
    pub fn withhold(&self, fits: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Withheld {
        self.way.taps.withhold(None, fits)
    }

    /// Has the running watches that fit go silent: there are no more events or bookmarks, and they do not end. New
    /// watches and all other requests are served.
    pub fn silence(&self, fits: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Withheld {
        self.way.taps.withhold(Some(Instant::now()), fits)
    }

    /// Makes the open connections half open of which the last request fits: they stay open, and nothing goes through
    /// them in either direction any more. New connections work.
    ///
    /// # Errors
    /// The kernel does not let packets be dropped.
    pub fn half_open(&self, peer: Peer, fits: impl Fn(&Request) -> bool) -> Result<HalfOpen> {
        self.way.connections.half_open(peer, fits).context("cannot make a connection half open")
    }

    /// Remembers how the objects of some collections are, for [`ApiProxy::restore`]. A collection is a path such as
    /// `/apis/apps/v1/deployments?labelSelector=app%3Decho`; `client` may read it.
    ///
    /// # Errors
    /// A collection cannot be read.
    pub async fn backup(&self, client: &Client, collections: &[&str]) -> Result<Backup> {
        Backup::take(client, collections, &self.way.versions).await
    }

    /// Restores the API server's store from a backup, as far as clients of the proxy can tell: objects are as they
    /// were and have the versions they had, what was made since is gone, and what is written from now on has versions
    /// that were given once already. `client` may write the objects. Requests wait until all is done. The objects of
    /// other collections stay as they are, and so do Leases.
    ///
    /// # Errors
    /// The API server does not take an object as it was.
    pub async fn restore(&self, client: &Client, backup: &Backup, watches: Watches) -> Result<()> {
        let _no_request_meanwhile = self.way.store.write().await;
        let running = self.silence(|_| true);
        let era = backup.restore(client, &self.way.versions).await?;
        self.way.versions.begin(era);
        match watches {
            Watches::Expire => running.lose(),
            Watches::Close => running.close(),
            Watches::GoOn => drop(running),
        }
        Ok(())
    }
}
