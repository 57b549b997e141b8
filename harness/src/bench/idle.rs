//! A daemon that has nothing to do.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    figures::{Idle, Requests},
    stage::Stage,
    usage::Usage,
};

/// Watches it for this long.
pub(super) async fn measure(stage: &Stage, usage: &Usage, length: Duration) -> Result<Idle> {
    let (mark, begun, before) = (stage.proxy.mark(), Instant::now(), usage.processor()?);
    tokio::time::sleep(length).await;
    let (used, seconds) = (usage.processor()? - before, begun.elapsed().as_secs_f64());
    let memory = usage.memory()?;
    let mib = |kib: u64| kib as f64 / 1024.0;
    Ok(Idle {
        seconds,
        requests: Requests::of(&stage.proxy.since(mark)),
        milli_cores: used.as_secs_f64() / seconds * 1000.0,
        resident_mib: mib(memory.resident),
        peak_mib: mib(memory.peak),
    })
}
