//! What the objects are written for.

use gateway_api::{Channel, Environment, Validation};
use serde_json::{Value, json};

use crate::values::{GatewayRef, Profile};

/// What the objects are written for.
#[derive(Clone, Debug)]
pub struct Target {
    /// Whose rules hold.
    pub profile: Profile,
    /// The Gateway that the routes attach to.
    pub gateway: GatewayRef,
    /// What is written.
    pub form: Form,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Objects of the Gateway API.
    GatewayApi,
    /// Values of coalmine, from which they are rendered.
    Values,
}

impl Target {
    /// The implementation as the model of the Gateway API knows it.
    pub(super) fn environment(&self) -> Environment {
        let profile = match self.profile {
            Profile::Kgateway => gateway_api::Profile::Kgateway(Validation::Standard),
            Profile::EnvoyGateway => gateway_api::Profile::EnvoyGateway,
            Profile::Portable => gateway_api::Profile::Portable,
        };
        Environment { profile, channel: Channel::Standard, complete: true }
    }

    /// The Gateway as a parent of an HTTPRoute.
    pub(super) fn parent(&self) -> Value {
        let mut parent = json!({
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "name": self.gateway.name,
        });
        self.place(&mut parent);
        parent
    }

    /// The Gateway as `gateways` of values has it.
    pub(super) fn named(&self) -> Value {
        let mut gateway = json!({"name": self.gateway.name});
        self.place(&mut gateway);
        gateway
    }

    fn place(&self, gateway: &mut Value) {
        for (key, value) in
            [("namespace", &self.gateway.namespace), ("sectionName", &self.gateway.section_name)]
        {
            if let Some(value) = value {
                gateway[key] = value.as_str().into();
            }
        }
    }
}
