//! What another port than the first one without TLS serves.

use std::collections::BTreeSet;

use gloo::{ObjectRef, Translation};

use super::fields::{self, Lack};
use super::not_carried::{Cause, NotCarried};
use super::source::Sources;

/// The VirtualServices that only other ports serve, and a note on each such port: the objects are written for one.
pub(super) fn elsewhere(
    sources: &Sources,
    translation: &Translation,
) -> (Vec<NotCarried>, Vec<String>) {
    let mut plain = translation.desired.iter().filter(|desired| !desired.tls);
    let Some(first) = plain.next() else { return (Vec::new(), Vec::new()) };
    let mut known: BTreeSet<&ObjectRef> =
        first.virtual_hosts.iter().map(|host| &*host.holder).collect();
    let (mut not_carried, mut notes) = (Vec::new(), Vec::new());
    for other in plain {
        notes.push(format!(
            "{} serves port {} as well: only the first port without TLS is carried over",
            other.gateway, other.port
        ));
        for host in other.virtual_hosts.iter().filter(|host| known.insert(&host.holder)) {
            let why = format!(
                "{} alone serves it, at port {}, and the objects are written for {} at port {}",
                other.gateway, other.port, first.gateway, first.port
            );
            let next = format!(
                "take {} out of what is read, and run this again with the --gateway for port {}",
                first.gateway, other.port
            );
            let lack = Lack::new(Cause::Route, why, next);
            not_carried.push(fields::of_field(sources, &host.holder, &["spec"], lack));
        }
    }
    (not_carried, notes)
}
