//! The resource versions of an API server whose store went back: numbers that were given once are given again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::Request;

/// One time that the store went back. The versions beneath are those that the API server gives, or those that an
/// earlier time made of them.
#[derive(Clone, Debug)]
pub(super) struct Era {
    /// The newest version when the backup was taken.
    pub(super) kept: u64,
    /// The newest version beneath when the store had gone back.
    pub(super) gone: u64,
    /// What objects were written with to bring them back, and the versions that they had.
    pub(super) restored: BTreeMap<u64, u64>,
}

impl Era {
    fn shown(&self, version: u64) -> u64 {
        match self.restored.get(&version) {
            Some(before) => *before,
            None if version > self.gone => self.kept + (version - self.gone),
            None => version.min(self.kept),
        }
    }

    /// The version beneath of which this one was made. One from before the backup is of a time that nobody knows
    /// any more.
    fn beneath(&self, version: u64) -> Option<u64> {
        version.checked_sub(self.kept).map(|since| self.gone + since)
    }
}

/// All the times that the store went back, the first one first.
#[derive(Clone, Debug, Default)]
pub(super) struct Versions(Arc<Mutex<Vec<Era>>>);

impl Versions {
    pub(super) fn begin(&self, era: Era) {
        self.lock().push(era);
    }

    /// Whether versions are those of the API server.
    pub(super) fn are_true(&self) -> bool {
        self.lock().is_empty()
    }

    /// What clients see of a version.
    pub(super) fn shown(&self, version: u64) -> u64 {
        self.lock().iter().fold(version, |version, era| era.shown(version))
    }

    /// The request's target with the version that the API server knows in place of the one in it; `None` where that
    /// is older than what an API server knows that has just started.
    pub(super) fn target(&self, request: &Request, target: &str) -> Option<String> {
        if self.are_true() || is_spared(request) {
            return Some(target.to_owned());
        }
        let Some((path, query)) = target.split_once('?') else { return Some(target.to_owned()) };
        let parameters = query.split('&').map(|parameter| {
            let version = parameter.strip_prefix("resourceVersion=").and_then(|it| it.parse().ok());
            match version {
                // Without a number anything will do.
                None | Some(0) => Some(parameter.to_owned()),
                Some(version) => Some(format!("resourceVersion={}", self.beneath(version)?)),
            }
        });
        let parameters = parameters.collect::<Option<Vec<_>>>()?;
        Some(format!("{path}?{}", parameters.join("&")))
    }

    /// Changes the versions in an object, or in a list and its objects.
    pub(super) fn change(&self, request: &Request, answer: &mut Value) {
        if self.are_true() || is_spared(request) {
            return;
        }
        if let Some(items) = answer.get_mut("items").and_then(Value::as_array_mut) {
            items.iter_mut().for_each(|item| self.change_one(item));
        }
        self.change_one(answer);
    }

    fn change_one(&self, object: &mut Value) {
        let Some(version) = object.pointer_mut("/metadata/resourceVersion") else { return };
        if let Some(number) = version.as_str().and_then(|it| it.parse().ok()) {
            *version = self.shown(number).to_string().into();
        }
    }

    fn beneath(&self, version: u64) -> Option<u64> {
        self.lock().iter().rev().try_fold(version, |version, era| era.beneath(version))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Era>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leases are written with the version in their body, and who has one knows it: they stay as they are.
fn is_spared(request: &Request) -> bool {
    let group = request.resource.as_ref().map(|resource| &*resource.group);
    group.is_none_or(|group| group == "coordination.k8s.io")
}

#[cfg(test)]
mod tests {
    use hyper::{HeaderMap, Method};
    use serde_json::json;

    use super::*;

    fn gone_back() -> Versions {
        let versions = Versions::default();
        versions.begin(Era { kept: 100, gone: 150, restored: [(148, 90), (149, 97)].into() });
        versions
    }

    fn request(target: &str) -> Request {
        Request::read(&Method::GET, target, &HeaderMap::new())
    }

    #[test]
    fn what_was_brought_back_has_the_version_it_had_and_what_comes_goes_on_from_the_backup() {
        let versions = gone_back();
        let shown = |version| versions.shown(version);
        assert_eq!([90, 97, 100].map(shown), [90, 97, 100], "from before the backup");
        assert_eq!([148, 149].map(shown), [90, 97], "brought back");
        assert_eq!([120, 150].map(shown), [100, 100], "from between");
        assert_eq!([151, 160].map(shown), [101, 110], "from after it");
        // And once more.
        versions.begin(Era { kept: 105, gone: 112, restored: [(111, 103)].into() });
        let shown = |version| versions.shown(version);
        assert_eq!([160, 161, 162, 163].map(shown), [105, 103, 105, 106]);
    }

    #[test]
    fn a_watch_goes_on_from_the_backup_later_or_not_at_all() {
        let versions = gone_back();
        let target = |version: &str| {
            let target = format!("/api/v1/pods?watch=true&resourceVersion={version}&limit=5");
            versions.target(&request(&target), &target)
        };
        let asked = |version: &str| {
            Some(format!("/api/v1/pods?watch=true&resourceVersion={version}&limit=5"))
        };
        assert_eq!(target("0"), asked("0"));
        assert_eq!(target(""), asked(""));
        assert_eq!(target("99"), None);
        assert_eq!(target("100"), asked("150"));
        assert_eq!(target("130"), asked("180"), "of the future");
    }

    #[test]
    fn a_list_and_its_objects_show_these_versions_and_leases_their_own() {
        let versions = gone_back();
        let list = || {
            json!({"metadata": {"resourceVersion": "151"},
                "items": [{"metadata": {"resourceVersion": "148"}}]})
        };
        let shown = |target: &str| {
            let mut list = list();
            versions.change(&request(target), &mut list);
            let version = |it: &Value| it["metadata"]["resourceVersion"].clone();
            (version(&list), version(&list["items"][0]))
        };
        assert_eq!(shown("/api/v1/pods"), ("101".into(), "90".into()));
        let leases = "/apis/coordination.k8s.io/v1/namespaces/a/leases";
        assert_eq!(shown(leases), ("151".into(), "148".into()));
    }
}
