//! What puts a service's routes into the gateway.

/// What puts a service's routes into the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The label of a RouteTable, for a VirtualService of the platform to select.
    ApiGroup(String),
    /// The domains of a VirtualService of the service's own.
    Domains(Vec<String>),
}
