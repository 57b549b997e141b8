//! Whether objects are as healthy as the next step needs them: pure judgements on live objects.

mod cause;
mod condition;
mod container;
mod deployment;
mod pod;
mod verdict;

pub use cause::Cause;
pub use deployment::{Health, Shortfall, deployment};
pub use pod::{Trouble, pod_is_ready, pod_trouble, ready_since};
pub use verdict::{Verdict, verdict};
