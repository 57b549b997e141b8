//! The embedded gateway: our `gloo` crate in Gloo's place.
//!
//! It watches the objects, has them translated, gives the result to Envoy as files, and writes the
//! verdicts back, as Gloo does. What the objects *mean* is decided in the `gloo` crate alone.

mod envoy;
mod kinds;
mod limits;
mod objects;
pub mod pod;
mod statuses;
mod xds;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Result;
use futures::StreamExt as _;
use gloo::{Memory, Snapshot, Translation};
use kube::Client;
use serde_json::Value;
use tokio::{task::JoinHandle, time};

use crate::envoy_admin::Admin;
use objects::Objects;
use statuses::Statuses;
use xds::Files;

/// Changes that come this close together are translated together; in a big cluster those that come
/// within so many times what the last translation took.
const PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: u32 = 20;
/// After an Envoy that was late is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// The folder below a bed's `directory` in which Envoy finds its configuration.
pub(crate) fn folder(directory: &Path) -> PathBuf {
    directory.join("xds")
}

/// Makes the files of an Envoy that serves nothing yet; its bootstrap.
pub(crate) fn prepare(folder: &Path) -> Result<Value> {
    Files::prepare(folder)
}

/// A running gateway. Dropping it stops it; Envoy goes on with what it has.
#[derive(Debug)]
pub struct Gateway {
    task: JoinHandle<()>,
}

impl Gateway {
    /// Starts to translate for the Envoy that was started with the bootstrap of `folder`; without an
    /// Envoy only for the verdicts.
    pub(crate) fn start(client: Client, envoy: Option<Admin>, folder: &Path) -> Self {
        let objects = Objects::new(&client);
        let statuses = Statuses::new(client);
        let files = envoy.map(|admin| Files::new(folder, admin));
        Self { task: tokio::spawn(run(objects, statuses, files)) }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(mut objects: Objects, mut statuses: Statuses, mut files: Option<Files>) {
    let mut snapshot = Snapshot::default().within(limits::ENVIRONMENT);
    snapshot.know("Secret");
    let mut memory = Memory::default();
    let mut late = false;
    let mut cost = Duration::ZERO;
    loop {
        tokio::select! {
            change = objects.next() => match change {
                Some(change) => objects::apply(change, &mut snapshot, &mut statuses),
                None => return,
            },
            () = time::sleep(RETRY), if late => {}
        }
        let pause = time::sleep(PAUSE.max(PATIENCE * cost));
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                change = objects.next() => match change {
                    Some(change) => objects::apply(change, &mut snapshot, &mut statuses),
                    None => return,
                },
            }
        }
        // Gloo, too, begins only when it has seen every kind.
        if !objects.complete() {
            continue;
        }
        let begun = Instant::now();
        let mut translation = gloo::translate(&snapshot, &memory);
        limits::refuse(&mut translation);
        cost = begun.elapsed();
        report(&snapshot, &translation);
        let published = match &mut files {
            Some(files) => files.publish(&translation).await,
            None => Ok(()),
        };
        late = published.is_err();
        if let Err(error) = published {
            tracing::error!(error = format!("{error:#}"), "Envoy is late");
        }
        statuses.write(&snapshot, &translation).await;
        memory = translation.memory;
    }
}

fn report(snapshot: &Snapshot, translation: &Translation) {
    for (object, reason) in snapshot.undecodable() {
        tracing::warn!(%object, reason, "no change of this kind is accepted until this is repaired");
    }
    for refused in &translation.refused {
        let gloo::Refused { kind, name, words, .. } = refused;
        tracing::warn!(kind, name, words, "Envoy would refuse it: it keeps the one it has");
    }
}
