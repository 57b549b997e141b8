//! A background load, and who answers it.
//!
//! A constant load is an open loop: requests begin at a fixed rate whether or not earlier ones are answered, as those
//! of many people do. A server that stalls therefore meets more requests, not fewer. At full speed there is always one
//! request under way on each connection, so that no moment is without one.

mod change;
mod record;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::sample::{Client, Target};

pub use change::{Span, first_change};
use record::Record;
pub use record::Total;

/// A load that runs until it is stopped.
#[derive(Debug)]
pub struct Load {
    records: BTreeMap<String, Arc<Mutex<Record>>>,
    stop: CancellationToken,
    drivers: JoinSet<()>,
}

impl Load {
    /// Begins with `per_second` requests a second on each of the named targets.
    ///
    /// # Errors
    /// A target that is no valid request, or a rate of 0.
    pub fn start(
        targets: impl IntoIterator<Item = (String, Target)>,
        per_second: u32,
    ) -> Result<Self> {
        ensure!(per_second > 0, "a load of 0 requests a second is none");
        let stop = CancellationToken::new();
        let (mut records, mut drivers) = (BTreeMap::new(), JoinSet::new());
        for (name, target) in targets {
            let client = Client::new(&target)?;
            let record = Arc::new(Mutex::new(Record::new(Instant::now())));
            records.insert(name, record.clone());
            let pause = Duration::from_secs(1) / per_second;
            drivers.spawn(drive(client, pause, record, stop.clone()));
        }
        Ok(Self { records, stop, drivers })
    }

    /// Begins with `connections` to each of the named targets, and the next request on each as soon as the one before is
    /// answered.
    ///
    /// # Errors
    /// A target that is no valid request, or no connection.
    pub fn start_at_full_speed(
        targets: impl IntoIterator<Item = (String, Target)>,
        connections: usize,
    ) -> Result<Self> {
        ensure!(connections > 0, "a load over 0 connections is none");
        let stop = CancellationToken::new();
        let (mut records, mut drivers) = (BTreeMap::new(), JoinSet::new());
        for (name, target) in targets {
            let record = Arc::new(Mutex::new(Record::new(Instant::now())));
            records.insert(name, record.clone());
            for _ in 0..connections {
                drivers.spawn(ask_on(Client::new(&target)?, record.clone(), stop.clone()));
            }
        }
        Ok(Self { records, stop, drivers })
    }

    /// Whether this is the name of one of its targets.
    pub fn is_on(&self, name: &str) -> bool {
        self.records.contains_key(name)
    }

    /// From now on [`Load::seen`] tells who answered, and forgets what was before.
    pub fn mark(&self) {
        for record in self.records.values() {
            lock(record).mark();
        }
    }

    /// Who answered a target since the last [`Load::mark`], and when for the first and last time.
    pub fn seen(&self, name: &str) -> BTreeMap<String, Span> {
        self.records.get(name).map(|record| lock(record).seen().clone()).unwrap_or_default()
    }

    /// Answers per version of a target in the last `length`, at most 30 s, to a quarter of a second.
    pub fn window(&self, name: &str, length: Duration) -> BTreeMap<String, u64> {
        let now = Instant::now();
        self.records.get(name).map(|record| lock(record).window(now, length)).unwrap_or_default()
    }

    /// Everything so far, per target.
    pub fn totals(&self) -> BTreeMap<String, Total> {
        let total = |record: &Arc<Mutex<Record>>| lock(record).total().clone();
        self.records.iter().map(|(name, record)| (name.clone(), total(record))).collect()
    }

    /// Ends the load, waits for what is still under way, and returns everything.
    pub async fn stop(mut self) -> BTreeMap<String, Total> {
        self.stop.cancel();
        while self.drivers.join_next().await.is_some() {}
        self.totals()
    }
}

/// A panic while counting leaves the counts usable.
fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn drive(
    client: Client,
    pause: Duration,
    record: Arc<Mutex<Record>>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = under_way.join_next() => {}
            _ = ticks.tick() => {
                let (client, record) = (client.clone(), record.clone());
                under_way.spawn(async move {
                    let outcome = client.ask().await;
                    lock(&record).count(Instant::now(), outcome);
                });
            }
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// One request after the other; the last is answered before it ends.
async fn ask_on(client: Client, record: Arc<Mutex<Record>>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let outcome = client.ask().await;
        lock(&record).count(Instant::now(), outcome);
        // A server that refuses at once leaves time for others.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers `version:v1` to every request, however many a connection brings.
    async fn server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nversion:v1";
                        stream.write_all(answer).await.unwrap();
                    }
                });
            }
        });
        url
    }

    #[tokio::test]
    async fn each_target_is_asked_at_the_rate_and_counted_for_itself() {
        let url = server().await;
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let targets = [
            ("good".to_owned(), Target::new(url, "/echo")),
            ("bad".to_owned(), Target::new(format!("http://{nobody}"), "/echo")),
        ];
        let begun = Instant::now();
        let load = Load::start(targets, 200).unwrap();
        load.mark();
        while load.totals()["good"].requests < 100 {
            tokio::task::yield_now().await;
        }
        assert!(begun.elapsed() >= Duration::from_millis(490), "faster than 200 requests a second");
        assert_eq!(load.window("good", Duration::from_secs(30)).keys().collect::<Vec<_>>(), ["v1"]);
        let span = load.seen("good")["v1"];
        assert!(begun < span.first && span.first < span.last);
        let totals = load.stop().await;
        let good = &totals["good"];
        assert_eq!((good.failed, good.by_version["v1"]), (0, good.requests));
        let bad = &totals["bad"];
        assert_eq!((bad.failed, bad.by_version.len()), (bad.requests, 0));
        assert!(bad.failures[0].detail.contains("Connection refused"), "{:?}", bad.failures[0]);
    }

    #[test]
    fn a_load_of_nothing_is_refused() {
        let targets = [("a".to_owned(), Target::new("http://127.0.0.1:1", "/"))];
        let error = Load::start(targets, 0).unwrap_err().to_string();
        assert_eq!(error, "a load of 0 requests a second is none");
        let targets = [("a".to_owned(), Target::new("http://127.0.0.1:1", "/"))];
        let error = Load::start_at_full_speed(targets, 0).unwrap_err().to_string();
        assert_eq!(error, "a load over 0 connections is none");
    }

    #[tokio::test]
    async fn at_full_speed_every_connection_asks_again_once_it_is_answered() {
        let target = ("good".to_owned(), Target::new(server().await, "/echo"));
        let load = Load::start_at_full_speed([target], 3).unwrap();
        while load.totals()["good"].requests < 1000 {
            tokio::task::yield_now().await;
        }
        let totals = load.stop().await;
        assert_eq!((totals["good"].failed, totals["good"].by_version.len()), (0, 1));
    }
}
