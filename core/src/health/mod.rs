//! Whether objects are as healthy as the next step needs them: pure judgements on live objects.

mod condition;
mod deployment;
mod pod;
mod verdict;

pub use deployment::{Health, Shortfall, deployment, exceeds_quota};
pub use pod::{Cause, Trouble, pod_is_ready, pod_trouble, ready_since};
pub use verdict::{Verdict, verdict};
