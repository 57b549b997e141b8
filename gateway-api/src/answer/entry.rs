use crate::ObjectRef;
use crate::config::{Chain, Listener};

/// How a request comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The Gateway whose Envoy it comes to.
    pub gateway: ObjectRef,
    /// The port.
    pub port: u16,
    /// TLS, if it is used: the server name that is asked for, empty where none is sent.
    pub server_name: Option<String>,
}

impl Entry {
    /// Plain text on a port of a Gateway.
    pub fn http(namespace: &str, gateway: &str, port: u16) -> Self {
        let gateway = ObjectRef::new("Gateway", namespace, gateway);
        Self { gateway, port, server_name: None }
    }

    /// TLS for a server name on a port of a Gateway.
    pub fn https(namespace: &str, gateway: &str, port: u16, server_name: &str) -> Self {
        Self { server_name: Some(server_name.into()), ..Self::http(namespace, gateway, port) }
    }

    /// The listener that takes it.
    pub fn listener<'a>(&self, listeners: &'a [Listener]) -> Option<&'a Listener> {
        listeners.iter().find(|it| *it.gateway == self.gateway && it.port == self.port)
    }

    /// The filter chain that takes it: the most specific server name decides. Without one Envoy closes the connection.
    pub fn chain<'a>(&self, listener: &'a Listener) -> Option<&'a Chain> {
        let name = self.server_name.as_deref().unwrap_or_default().to_ascii_lowercase();
        let ranked = listener.chains.iter().filter(|chain| chain.tls == self.server_name.is_some());
        let ranked = ranked.filter_map(|chain| Some((rank(&chain.server_names, &name)?, chain)));
        // Of equals Envoy takes none: it refuses such listeners.
        ranked.max_by_key(|(rank, _)| *rank).map(|(_, chain)| chain)
    }
}

/// How well the names of a chain fit: exactly, by the longest wildcard, or because it has none.
fn rank(names: &[String], wanted: &str) -> Option<(u8, usize)> {
    if names.is_empty() {
        return Some((0, 0));
    }
    names.iter().filter_map(|name| super::domain::rank(&name.to_ascii_lowercase(), wanted)).max()
}
