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
    /// What is made of Gateways and VirtualServices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewaySettings>,
    /// Namespaces whose objects Gloo sees, beside its own; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub watch_namespaces: Vec<String>,
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

/// What is made of Gateways and VirtualServices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct GatewaySettings {
    /// Take Gateways from other namespaces than Gloo's own, too.
    #[serde(skip_serializing_if = "is_default")]
    pub read_gateways_from_all_namespaces: bool,
    /// A Gateway without VirtualServices has a listener, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translate_empty_gateways: Option<bool>,
    /// VirtualServices with different `sslConfig`s have route configurations of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolate_virtual_hosts_by_ssl_config: Option<bool>,
    /// How strict Gloo is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationSettings>,
    /// Everything else.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// How strict Gloo is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ValidationSettings {
    /// A Secret of TLS that is not there is a warning instead of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warn_missing_tls_secret: Option<bool>,
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

    /// Whether routes may name Upstreams only, and no Services.
    pub(crate) fn disables_kubernetes_destinations(&self) -> bool {
        let gloo = self.gloo.as_ref();
        let disabled = gloo.and_then(|gloo| gloo.rest.get("disableKubernetesDestinations"));
        disabled.and_then(Value::as_bool).unwrap_or_default()
    }

    /// Whether Gateways of any namespace count.
    pub(crate) fn takes_gateways_from_anywhere(&self) -> bool {
        self.gateway.as_ref().is_some_and(|gateway| gateway.read_gateways_from_all_namespaces)
    }

    /// Whether a Gateway without VirtualServices has a listener.
    pub(crate) fn translates_empty_gateways(&self) -> bool {
        self.gateway.as_ref().and_then(|it| it.translate_empty_gateways).unwrap_or_default()
    }

    /// Whether each `sslConfig` has a route configuration of its own.
    pub(crate) fn isolates_by_ssl_config(&self) -> bool {
        let isolated = self.gateway.as_ref().and_then(|it| it.isolate_virtual_hosts_by_ssl_config);
        isolated.unwrap_or_default()
    }

    /// Whether Gloo sees what is in this namespace, which is not its own: that is not known where
    /// namespaces are chosen by their labels.
    pub(crate) fn surely_watches(&self, namespace: &str) -> bool {
        let watched = &self.watch_namespaces;
        let named = watched.iter().any(|it| it == "*" || it == namespace);
        named || watched.is_empty() && !self.selects_namespaces()
    }

    /// Whether the namespaces that Gloo sees are chosen by their labels. A list of names wins over that.
    pub(crate) fn selects_namespaces(&self) -> bool {
        let selectors = self.rest.get("watchNamespaceSelectors").and_then(Value::as_array);
        self.watch_namespaces.is_empty() && selectors.is_some_and(|it| !it.is_empty())
    }

    /// Whether a missing Secret of TLS is a warning only.
    pub(crate) fn warns_of_missing_secrets(&self) -> bool {
        let validation = self.gateway.as_ref().and_then(|gateway| gateway.validation.as_ref());
        validation.and_then(|it| it.warn_missing_tls_secret).unwrap_or_default()
    }

    /// The policy, if invalid routes are to be replaced.
    pub(crate) fn replacement(&self) -> Option<&InvalidConfigPolicy> {
        let policy = self.gloo.as_ref()?.invalid_config_policy.as_ref()?;
        policy.replace_invalid_routes.then_some(policy)
    }
}
