//! Time of the processor.

use std::fs;
use std::time::Duration;

/// What it takes on the processor; whatever else the machine does is not counted.
pub(crate) fn time(run: impl FnOnce()) -> Duration {
    let start = processor();
    run();
    processor() - start
}

/// How long this thread has been on a processor.
#[expect(clippy::disallowed_methods, reason = "the core reads no file, but what measures it does")]
fn processor() -> Duration {
    let times = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let times = times.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(times.unwrap_or_default())
}
