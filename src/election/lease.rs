//! The Lease as an object: its name, and what is written into it.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::ObjectMeta;
use sha2::{Digest, Sha256};
use std::time::Duration;

use super::Timing;
use crate::shard::Shard;
use coalmine_core::labels::{FIELD_MANAGER, MANAGED_BY, REVISION};

/// Which Lease decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseName {
    /// The namespace it is in, for example the daemon's own.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl LeaseName {
    /// The Lease of an instance's shard: `coalmine-<instance>`, and with several shards
    /// `coalmine-<instance>-<index>-of-<count>`.
    pub fn of(namespace: impl Into<String>, instance: &str, shard: Shard) -> Self {
        let mut name = format!("coalmine-{}", dns_label(instance));
        if !shard.is_whole() {
            name.push('-');
            name.push_str(&shard.to_string().replace('/', "-of-"));
        }
        Self { namespace: namespace.into(), name }
    }
}

impl std::fmt::Display for LeaseName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease {}/{}", self.namespace, self.name)
    }
}

/// The instance, which may be any label value, as part of an object's name: as it is where it can
/// be, else something like it that no other instance gets.
fn dns_label(instance: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends = |c: char| c != '-';
    if instance.chars().all(fits) && instance.ends_with(ends) && instance.starts_with(ends) {
        return instance.to_owned();
    }
    let lowered = instance.to_ascii_lowercase();
    let like: String = lowered.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let digest = Sha256::digest(instance);
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{hash}", like.trim_matches('-'))
}

/// An identity of this very process: the pod's or host's name, and something random, since a
/// container that is started again must not take itself for the one that ran before it.
pub fn identity() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    let host = host.or_else(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
        Some(name.trim().to_owned())
    });
    let host = host.unwrap_or_else(|| FIELD_MANAGER.to_owned());
    format!("{host}_{:016x}", fastrand::u64(..))
}

/// Who holds the Lease, if anybody does.
pub(super) fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref();
    holder.filter(|holder| !holder.is_empty())
}

/// Whether its holder has had it since it was made. One that was only made says nothing about who led by
/// the Lease before it, which may have been deleted a moment ago.
pub(super) fn is_acquired(lease: &Lease) -> bool {
    lease.spec.as_ref().is_some_and(|spec| spec.acquire_time.is_some())
}

/// How long the holder's word is good for; `ours` where it does not say.
pub(super) fn duration(lease: &Lease, ours: Timing) -> Duration {
    let said = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
    let said = said.and_then(|seconds| u64::try_from(seconds).ok());
    said.map_or(ours.duration(), Duration::from_secs)
}

/// The Lease as `identity` writes it, in place of what `before` says, with the commit that it took up. One
/// that is made is not [acquired](is_acquired) yet.
pub(super) fn held(
    before: Option<&Lease>,
    name: &LeaseName,
    identity: &str,
    revision: Option<&str>,
    timing: Timing,
) -> Lease {
    // For people and `kubectl get lease`; nothing here reads a time.
    let now = Some(MicroTime(Timestamp::now()));
    let spec = before.and_then(|lease| lease.spec.clone()).unwrap_or_default();
    let new_holder = before.and_then(holder) != Some(identity);
    let transitions = spec.lease_transitions.unwrap_or(0);
    let spec = LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(timing.seconds.into()),
        acquire_time: before.and(spec.acquire_time.filter(|_| !new_holder).or_else(|| now.clone())),
        renew_time: now,
        lease_transitions: Some(match before {
            Some(_) if new_holder => transitions.saturating_add(1),
            _ => transitions,
        }),
        ..spec
    };
    let mut metadata = before.map_or_else(|| metadata(name), |lease| lease.metadata.clone());
    if let Some(revision) = revision {
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(REVISION.to_owned(), revision.to_owned());
    }
    Lease { metadata, spec: Some(spec) }
}

/// The commit that a holder took up last.
pub(super) fn revision(lease: &Lease) -> Option<&String> {
    lease.metadata.annotations.as_ref()?.get(REVISION)
}

/// Annotation: changes when somebody wants the holder to look at the repository.
const CALLED: &str = "coalmine.dev/called";

/// The Lease as somebody else writes it who calls its holder.
pub(super) fn called(before: &Lease) -> Lease {
    let mut lease = before.clone();
    let call = format!("{:016x}", fastrand::u64(..));
    lease.metadata.annotations.get_or_insert_default().insert(CALLED.to_owned(), call);
    lease
}

/// The last call to its holder.
pub(super) fn last_call(lease: &Lease) -> Option<&String> {
    lease.metadata.annotations.as_ref()?.get(CALLED)
}

/// The Lease as its holder gives it up.
pub(super) fn released(before: &Lease) -> Lease {
    let mut lease = before.clone();
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = None;
    spec.renew_time = Some(MicroTime(Timestamp::now()));
    lease
}

fn metadata(name: &LeaseName) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.name.clone()),
        namespace: Some(name.namespace.clone()),
        labels: Some([(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())].into()),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(instance: &str, shard: &str) -> String {
        LeaseName::of("coalmine", instance, shard.parse().unwrap()).name
    }

    #[test]
    fn a_lease_is_named_after_instance_and_shard() {
        assert_eq!(name("default", "0/1"), "coalmine-default");
        assert_eq!(name("default", "1/3"), "coalmine-default-1-of-3");
    }

    #[test]
    fn any_instance_gets_a_name_of_its_own_that_kubernetes_takes() {
        let names =
            ["Team_A", "team_a", "team-a", "team.a", "-", "ä", ""].map(|it| name(it, "0/1"));
        for (index, name) in names.iter().enumerate() {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.chars().all(allowed) && !name.ends_with('-'), "{name}");
            assert!(!names[..index].contains(name), "{name} twice");
        }
    }

    #[test]
    fn an_identity_is_that_of_one_process() {
        assert_ne!(identity(), identity());
    }

    #[test]
    fn a_renewal_keeps_the_time_of_taking_and_a_new_holder_counts_as_a_transition() {
        let name = LeaseName::of("coalmine", "default", Shard::WHOLE);
        let made = held(None, &name, "a", Some("1"), Timing::default());
        assert!(!is_acquired(&made) && holder(&made) == Some("a"));
        let first = held(Some(&made), &name, "a", None, Timing::default());
        let spec = |lease: &Lease| lease.spec.clone().unwrap();
        assert!(is_acquired(&first));
        assert_eq!(spec(&first).lease_transitions, Some(0));
        let renewed = held(Some(&first), &name, "a", None, Timing::default());
        assert_eq!(spec(&renewed).acquire_time, spec(&first).acquire_time);
        assert_eq!(spec(&renewed).lease_transitions, Some(0));
        let free = released(&renewed);
        assert_eq!(holder(&free), None);
        assert_eq!(revision(&free).map(String::as_str), Some("1"), "who comes next has to know it");
        let taken = held(Some(&free), &name, "b", Some("2"), Timing::default());
        assert_eq!((holder(&taken), spec(&taken).lease_transitions), (Some("b"), Some(1)));
        assert_eq!(revision(&taken).map(String::as_str), Some("2"));
    }
}
