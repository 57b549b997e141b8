use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::CircuitBreakers;
use super::written::is_default;

/// `spec` of Settings. The parts of Gloo's own operation are stored and not looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct SettingsSpec {
    /// The data path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gloo: Option<GlooSettings>,
    /// Everything else.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// Settings of the data path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct GlooSettings {
    /// What happens to routes that lead nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalid_config_policy: Option<InvalidConfigPolicy>,
    /// Limits of every Upstream that has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breakers: Option<CircuitBreakers>,
    /// Everything else.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// What happens to routes that lead nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct InvalidConfigPolicy {
    /// Give them a fixed answer instead of Envoy's 503.
    #[serde(skip_serializing_if = "is_default")]
    pub replace_invalid_routes: bool,
    /// Its status. There is no default, and Envoy does not take 0.
    #[serde(skip_serializing_if = "is_default")]
    pub invalid_route_response_code: u32,
    /// Its body.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub invalid_route_response_body: String,
}

impl SettingsSpec {
    /// Limits of every Upstream that has none of its own.
    pub(crate) fn circuit_breakers(&self) -> Option<CircuitBreakers> {
        self.gloo.as_ref()?.circuit_breakers
    }

    /// The policy, if invalid routes are to be replaced.
    pub(crate) fn replacement(&self) -> Option<&InvalidConfigPolicy> {
        let policy = self.gloo.as_ref()?.invalid_config_policy.as_ref()?;
        policy.replace_invalid_routes.then_some(policy)
    }
}
