//! Pods of the canary that crash or are gone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decision::Regression;
use crate::look::Pods;

/// One pod that restarts so often in one step crashes by itself: a node that is drained restarts none.
const RESTARTS: u32 = 3;

/// Pods that are all gone for so long do not come back by themselves: an eviction takes less.
const GONE: Duration = Duration::from_secs(30);

/// What was seen of the canary's pods in this step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PodsSeen {
    /// Whether one was ready.
    were_ready: bool,
    /// For how long none is ready since then.
    gone: Duration,
    restarts: u32,
}

impl PodsSeen {
    /// Takes one look.
    pub(crate) fn look(&mut self, length: Duration, pods: Pods) {
        self.restarts = pods.restarts;
        if pods.ready > 0 || pods.desired == 0 {
            self.were_ready |= pods.ready > 0;
            self.gone = Duration::ZERO;
        } else if self.were_ready {
            self.gone = self.gone.saturating_add(length);
        }
    }

    /// What is wrong with them.
    pub(crate) fn regression(&self) -> Option<Regression> {
        if self.restarts >= RESTARTS {
            return Some(Regression::Crashes { restarts: self.restarts });
        }
        (self.gone >= GONE).then_some(Regression::Gone { lasting: self.gone })
    }
}
