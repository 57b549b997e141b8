//! The labels and annotations on our objects: the only inventory there is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

/// The field manager of every server-side apply.
pub const FIELD_MANAGER: &str = "coalmine";
/// The field manager that numbers of pods are handed over to when they leave the manifest: they keep their value until
/// an autoscaler or a person takes them.
pub const HANDOVER_MANAGER: &str = "coalmine-handover";
/// Label that says which tool manages the object; the value is [`FIELD_MANAGER`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label that names the daemon's instance, so that two daemons can share a cluster.
pub const INSTANCE: &str = "coalmine.dev/instance";
/// Label that names the service an object belongs to.
pub const SERVICE: &str = "coalmine.dev/service";
/// The name under which the objects of `platform/` are kept in the inventory.
pub const PLATFORM: &str = "platform";
/// Annotation with the git revision the object was last rendered from.
pub const REVISION: &str = "coalmine.dev/revision";
/// Annotation with the digest of the manifest that was applied last. An object that carries the digest
/// of what is desired now and yet differs was changed by somebody else.
pub const APPLIED: &str = "coalmine.dev/applied";
/// Annotation that lets an object in `platform/` take over one that exists without our label; the
/// value is `true`.
pub const ADOPT: &str = "coalmine.dev/adopt";
/// Annotation that keeps an object in the cluster when its service's file goes, with the value `true`. With the
/// value `false` an object of `platform/` is deleted whose kind is kept otherwise.
pub const KEEP: &str = "coalmine.dev/keep";

/// Annotation with the service account, in the object's namespace, as which the object is written and deleted. Without
/// it the daemon's own account does.
pub const ACCOUNT: &str = "coalmine.dev/service-account";

/// Label by which a parent HTTPRoute selects others: kgateway's delegation.
pub const DELEGATION_LABEL: &str = "delegation.kgateway.dev/label";

/// Annotation on routes that name Upstreams of single versions: which version each of them holds, where its
/// name does not say so. The value is a JSON mapping, for example `{"echo-1-4-2":"1.4.2"}`.
pub const VERSIONS: &str = "coalmine.dev/versions";

/// Annotation on routes: since when the canary has its weight, for the autopilot. It changes with no digest: where it is
/// missing nothing is written for it.
pub const STEP: &str = "coalmine.dev/step";
/// Annotation on routes whose canary has no weight although the values say one: why, and what is to be pushed.
pub const AHEAD_OF_GIT: &str = "coalmine.dev/ahead-of-git";

/// The three labels of everything that we write for a service, its pods included.
pub fn labels<'a>(instance: &'a str, service: &'a str) -> BTreeMap<&'static str, &'a str> {
    BTreeMap::from([(MANAGED_BY, FIELD_MANAGER), (INSTANCE, instance), (SERVICE, service)])
}

/// What the object says about whether it stays when nothing desires it any more; `None` when it says nothing.
pub fn keep(object: &Value) -> Option<bool> {
    object["metadata"]["annotations"][KEEP].as_str()?.parse().ok()
}

/// The user as whom the object is written, by its service account; `None` for the daemon itself. An object without a
/// namespace is always written by the daemon.
pub fn writer(object: &Value) -> Option<String> {
    let metadata = &object["metadata"];
    Some(user(metadata["namespace"].as_str()?, metadata["annotations"][ACCOUNT].as_str()?))
}

/// The name that a service account has as a user. Of a name that no account has it is a user who has no rights.
pub fn user(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}

/// When the object was last changed, its status included, by its managed fields, to the second.
pub fn last_changed(object: &Value) -> Option<Timestamp> {
    let fields = object.pointer("/metadata/managedFields")?.as_array()?;
    fields.iter().filter_map(|entry| entry.get("time")?.as_str()?.parse().ok()).max()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_kept_only_by_the_word_true() {
        let kept = |value: Value| keep(&json!({"metadata": {"annotations": {KEEP: value}}}));
        assert_eq!(
            [kept("true".into()), kept("false".into()), kept(true.into()), kept("no".into())],
            [Some(true), Some(false), None, None]
        );
        assert_eq!(keep(&json!({})), None);
    }

    #[test]
    fn an_object_is_written_as_the_account_of_its_namespace() {
        let written = |namespace: Value, account: Value| {
            writer(
                &json!({"metadata": {"namespace": namespace, "annotations": {ACCOUNT: account}}}),
            )
        };
        let user = written("shop".into(), "team.a-1".into());
        assert_eq!(user.as_deref(), Some("system:serviceaccount:shop:team.a-1"));
        // Nobody is so called, and the daemon's own rights are not used either.
        let nobody = written("shop".into(), "a:b".into());
        assert_eq!(nobody.as_deref(), Some("system:serviceaccount:shop:a:b"));
        assert_eq!(written("shop".into(), Value::Null), None);
        assert_eq!(written(Value::Null, "a".into()), None);
        assert_eq!(writer(&json!({})), None);
    }

    #[test]
    fn an_object_was_last_changed_by_whoever_wrote_last() {
        let at = |times: &[&str]| {
            let entries: Vec<_> = times.iter().map(|time| json!({"time": time})).collect();
            last_changed(&json!({"metadata": {"managedFields": entries}}))
        };
        let latest = "2026-01-02T03:04:06Z";
        assert_eq!(
            at(&["2026-01-02T03:04:05Z", latest, "2025-12-31T23:59:59Z"]),
            latest.parse().ok()
        );
        assert_eq!(at(&["soon", latest]), latest.parse().ok());
        assert_eq!((at(&["soon"]), at(&[]), last_changed(&json!({}))), (None, None, None));
    }
}
