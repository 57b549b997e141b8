//! Which version an Upstream, or a Service of one version, holds alone, by its name.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::labels::VERSIONS;
use crate::values::{Service, Version, Workload};

/// The Upstreams of a service, or its Services of single versions, that hold a version whose name theirs does not
/// tell: `echo-1-4-2` holds `1.4.2`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamNames(BTreeMap<String, String>);

impl UpstreamNames {
    /// Those of all versions of a service.
    pub fn of(service: &Service) -> Self {
        Self::of_versions(service, service.versions.keys())
    }

    /// Those of some versions of a service.
    pub(super) fn of_versions<'a>(
        service: &Service,
        versions: impl Iterator<Item = &'a Version>,
    ) -> Self {
        let has_own = |version: &&Version| {
            !matches!(service.versions.get(*version), Some(Workload::Upstream(_)))
        };
        let names = versions.filter(has_own).map(|it| (service.version_name(it), it.to_string()));
        let is_plain =
            |name: &str, version: &str| plain(service.name.as_str(), name) == Some(version);
        Self(names.filter(|(name, version)| !is_plain(name, version)).collect())
    }

    /// Those that live routes of ours say.
    pub(super) fn read(routes: &Value) -> Self {
        let annotation = routes["metadata"]["annotations"][VERSIONS].as_str();
        Self(annotation.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    /// What routes with these say in the annotation [`VERSIONS`]; `None` where every name tells its version.
    pub(crate) fn annotation(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| serde_json::json!(self.0).to_string())
    }

    /// The version that an Upstream or a Service of this name holds alone, if it is one of the service's.
    pub(crate) fn version(&self, service: &str, upstream: &str) -> Option<String> {
        let said = self.0.get(upstream).map(String::as_str);
        said.or_else(|| plain(service, upstream)).map(str::to_owned)
    }
}

/// The version that stands in the name as it is.
fn plain<'a>(service: &str, upstream: &'a str) -> Option<&'a str> {
    upstream.strip_prefix(service)?.strip_prefix('-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::values::tests::service;

    #[test]
    fn only_names_that_do_not_tell_their_version_are_said() {
        let service = service(
            "deployment: {v1: {}, 1.4.2: {}, RC_1: {external: true}, X.1: {external: {upstream: {name: vm}}}}\n\
             routes: {apiGroup: a, split: upstream, primary: {version: v1}}\n",
        );
        let names = UpstreamNames::of(&service);
        let said = r#"{"echo-1-4-2":"1.4.2","echo-rc-1":"RC_1"}"#;
        assert_eq!(names.annotation().as_deref(), Some(said));
        let versions = ["echo-v1", "echo-1-4-2", "echo-rc-1", "echo", "vm"]
            .map(|upstream| names.version("echo", upstream));
        let expected = [Some("v1"), Some("1.4.2"), Some("RC_1"), None, None];
        assert_eq!(versions.each_ref().map(Option::as_deref), expected);
        let live = json!({"metadata": {"annotations": {VERSIONS: said}}});
        assert_eq!(UpstreamNames::read(&live), names);
    }

    #[test]
    fn an_annotation_that_somebody_broke_says_nothing() {
        for broken in ["", "[]", "{\"echo-1-4-2\": 3}"] {
            let live = json!({"metadata": {"annotations": {VERSIONS: broken}}});
            assert_eq!(UpstreamNames::read(&live), UpstreamNames::default(), "{broken}");
        }
    }
}
