//! What this gateway does not do. It has to serve what it translates, so it refuses what is not modelled;
//! the real one may well know it.

use std::{collections::BTreeMap, sync::Arc};

use gloo::{Edition, Environment, Note, ObjectRef, State, Status, Translation};

use super::xds::PROXY;

/// Nothing of Gloo Enterprise, and no files. Its Envoy is a plain one, but is never sent what that would
/// refuse: what needs a filter of Gloo's own Envoy is left out.
pub(super) const ENVIRONMENT: Environment =
    Environment { edition: Edition::OpenSource, plain_envoy: false, nothing_outside: true };

/// Says on each object what of it has no effect, and takes out what cannot be served at all: a cluster or
/// a listener of which this gateway does not know what it would be, and what another proxy serves.
pub(super) fn refuse(translation: &mut Translation) {
    let elsewhere = translation.listeners.iter().filter(|listener| listener.proxy != PROXY);
    let elsewhere = elsewhere.map(|listener| Note {
        object: Arc::clone(&listener.gateway),
        words: format!("the proxy {} is not there", listener.proxy),
        gateway: None,
        unread: None,
    });
    let notes: Vec<Note> = translation.notes.iter().cloned().chain(elsewhere).collect();
    let mut statuses: BTreeMap<ObjectRef, Status> = BTreeMap::clone(&translation.statuses);
    for note in &notes {
        let Some(status) = statuses.get_mut(&*note.object) else { continue };
        status.state = status.state.max(State::Warning);
        let words = format!("not supported by this gateway, and without effect: {}", note.words);
        if !status.reason.contains(&words) {
            let line = if status.reason.is_empty() { "warning: \n  " } else { "\n" };
            status.reason += &format!("{line}{words}");
        }
    }
    translation.statuses = Arc::new(statuses);
    translation.listeners.retain(|listener| listener.proxy == PROXY && !listener.opaque);
    translation.clusters.retain(|cluster| !cluster.opaque);
}

#[cfg(test)]
mod tests {
    use gloo::{Memory, Snapshot, translate};
    use serde_json::{Value, json};

    use super::*;

    fn translated(objects: &[(&str, &str, Value)]) -> Translation {
        let mut snapshot = Snapshot::default().within(ENVIRONMENT);
        for (kind, name, spec) in objects {
            let metadata = json!({"namespace": "gloo-system", "name": name});
            snapshot.upsert(&json!({"kind": kind, "metadata": metadata, "spec": spec}));
        }
        let mut translation = translate(&snapshot, &Memory::default());
        refuse(&mut translation);
        translation
    }

    fn reason(translation: &Translation, kind: &str, name: &str) -> String {
        translation.statuses[&ObjectRef::new(kind, "gloo-system", name)].reason.clone()
    }

    #[test]
    fn an_option_that_has_no_effect_here_is_told_on_its_object() {
        let route = json!({"directResponseAction": {"status": 200}, "options": {"csrf": {}}});
        let translation = translated(&[
            ("Gateway", "gateway-proxy", json!({"httpGateway": {}})),
            ("VirtualService", "app", json!({"virtualHost": {"routes": [route]}})),
        ]);
        let reason = reason(&translation, "VirtualService", "app");
        assert!(reason.contains("options.csrf") && reason.contains("not supported"), "{reason}");
        assert_eq!(translation.listeners.len(), 1);
    }

    #[test]
    fn what_cannot_be_served_is_taken_out() {
        let route = json!({"directResponseAction": {"status": 200}});
        let translation = translated(&[
            ("Gateway", "gateway-proxy", json!({"httpGateway": {}})),
            ("Gateway", "other", json!({"httpGateway": {}, "proxyNames": ["two"]})),
            (
                "Gateway",
                "hybrid",
                json!({"bindPort": 1, "hybridGateway": {"delegatedHttpGateways": {}}}),
            ),
            ("VirtualService", "app", json!({"virtualHost": {"routes": [route]}})),
            ("Upstream", "lambda", json!({"aws": {}})),
        ]);
        let gateways = translation.listeners.iter().map(|it| it.gateway.name.as_str());
        assert_eq!(gateways.collect::<Vec<_>>(), ["gateway-proxy"]);
        assert_eq!(translation.clusters, []);
        assert!(reason(&translation, "Gateway", "other").contains("the proxy two is not there"));
        assert!(reason(&translation, "Upstream", "lambda").contains("aws"));
    }
}
