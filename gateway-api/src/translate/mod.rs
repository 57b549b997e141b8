//! From objects to what Envoys serve: which listeners there are, which routes attach to them, what the controller of
//! the profile makes of their rules, and whether an Envoy takes that or goes on with what it has.

mod attachment;
mod backends;
mod conditions;
mod envoy_gateway;
mod envoys;
mod findings;
mod grants;
mod hostnames;
mod keys;
mod kgateway;
mod listeners;
mod matchers;
mod memory;
mod output;
mod overlapping;
mod portable;
mod refusal;
mod reports;
mod settle;
#[cfg(test)]
mod tests;
mod tls;
mod translation;
mod unmodelled;

pub use conditions::{Condition, ListenerStatus, ParentStatus, Status};
pub use envoys::Refused;
pub use findings::{Finding, Note, Severity};
pub use memory::Memory;
pub use translation::{Desired, Translation};

use crate::environment::Profile;
use crate::snapshot::Snapshot;

/// Says what the controller and its Envoys make of the objects, given what they remember.
///
/// The same arguments give the same result; nothing in the objects makes it fail.
pub fn translate(snapshot: &Snapshot, memory: &Memory) -> Translation {
    let mut output = match snapshot.environment.profile {
        Profile::Kgateway(_) => kgateway::translate(snapshot, memory),
        Profile::EnvoyGateway => envoy_gateway::translate(snapshot, memory),
        Profile::Portable => {
            let mut output = kgateway::translate(snapshot, memory);
            portable::compare(snapshot, &mut output);
            output
        }
    };
    unmodelled::note(snapshot, &mut output);
    settle::settle(snapshot, memory, output)
}
