use std::net::IpAddr;

use crate::config::{Chain, Listener};

/// How a request comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The proxy whose Envoy it comes to.
    pub proxy: String,
    /// The port.
    pub port: u32,
    /// TLS, if it is used: the server name that is asked for, and whether the client shows a certificate.
    pub tls: Option<ClientTls>,
    /// Where it comes from.
    pub source: IpAddr,
}

/// TLS of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// The server name; empty where none is sent.
    pub server_name: String,
    /// The client shows a certificate.
    pub has_certificate: bool,
}

impl Entry {
    /// Plain text on a port of `gateway-proxy`, from this machine.
    pub fn http(port: u32) -> Self {
        let source = IpAddr::from([127, 0, 0, 1]);
        Self { proxy: "gateway-proxy".into(), port, tls: None, source }
    }

    /// TLS for a server name on a port of `gateway-proxy`, from this machine.
    pub fn https(port: u32, server_name: &str) -> Self {
        let tls = ClientTls { server_name: server_name.into(), has_certificate: false };
        Self { tls: Some(tls), ..Self::http(port) }
    }

    /// The listener that takes it.
    pub fn listener<'a>(&self, listeners: &'a [Listener]) -> Option<&'a Listener> {
        listeners.iter().find(|it| it.proxy == self.proxy && it.port == self.port)
    }

    /// The filter chain that takes it: the most specific server name decides, then the most specific
    /// range of addresses. Without one Envoy closes the connection.
    pub fn chain<'a>(&self, listener: &'a Listener) -> Option<&'a Chain> {
        let name = self.tls.as_ref().map(|tls| tls.server_name.to_ascii_lowercase());
        let name = name.unwrap_or_default();
        let names = |chain: &&Chain| name_rank(&chain.server_names, &name);
        let best = listener.chains.iter().filter_map(|chain| names(&chain)).max()?;
        let named = listener.chains.iter().filter(|chain| names(chain) == Some(best));
        let sources = named.filter_map(|chain| Some((self.source_rank(chain)?, chain)));
        // Of equals Envoy takes none: it refuses such listeners.
        sources.max_by_key(|(rank, _)| *rank).map(|(_, chain)| chain)
    }

    fn source_rank(&self, chain: &Chain) -> Option<u32> {
        if chain.sources.is_empty() {
            return Some(0);
        }
        let ranges = chain.sources.iter().filter_map(|range| {
            let prefix: IpAddr = range.address_prefix.parse().ok()?;
            let length = range.prefix_len.unwrap_or_default();
            is_within(self.source, prefix, length).then_some(length + 1)
        });
        ranges.max()
    }
}

/// How well the names of a chain fit: exactly, by the longest wildcard, or because it has none.
fn name_rank(names: &[String], wanted: &str) -> Option<(u8, usize)> {
    if names.is_empty() {
        return Some((0, 0));
    }
    let ranks = names.iter().filter_map(|name| {
        let name = name.to_ascii_lowercase();
        match name.strip_prefix('*') {
            Some(end) => {
                let fits = wanted.len() > end.len() && wanted.ends_with(end);
                fits.then_some((1, end.len()))
            }
            None => (name == wanted).then_some((2, 0)),
        }
    });
    ranks.max()
}

fn is_within(address: IpAddr, prefix: IpAddr, length: u32) -> bool {
    match (address, prefix) {
        (IpAddr::V4(address), IpAddr::V4(prefix)) => {
            let (address, prefix) = (u32::from(address), u32::from(prefix));
            address.checked_shr(32_u32.saturating_sub(length)).unwrap_or_default()
                == prefix.checked_shr(32_u32.saturating_sub(length)).unwrap_or_default()
        }
        (IpAddr::V6(address), IpAddr::V6(prefix)) => {
            let (address, prefix) = (u128::from(address), u128::from(prefix));
            address.checked_shr(128_u32.saturating_sub(length)).unwrap_or_default()
                == prefix.checked_shr(128_u32.saturating_sub(length)).unwrap_or_default()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(address: &str, prefix: &str, length: u32) -> bool {
        is_within(address.parse().unwrap(), prefix.parse().unwrap(), length)
    }

    #[test]
    fn an_address_is_within_a_range_by_its_first_bits() {
        assert!(within("127.0.0.1", "127.0.0.0", 8) && within("10.0.0.1", "0.0.0.0", 0));
        assert!(!within("127.0.0.1", "10.77.0.0", 16) && !within("::1", "0.0.0.0", 0));
        assert!(within("10.77.1.1", "10.77.1.1", 32) && within("fd00::1", "fd00::", 8));
    }

    #[test]
    fn the_whole_name_comes_before_the_longest_wildcard_and_none() {
        let rank = |name: &str, wanted: &str| name_rank(&[name.to_owned()], wanted);
        assert!(rank("a.b.c", "a.b.c") > rank("*.b.c", "a.b.c"));
        assert!(rank("*.b.c", "a.b.c") > rank("*.c", "a.b.c"));
        assert!(rank("*.c", "a.b.c") > name_rank(&[], "a.b.c"));
        assert_eq!(rank("*.c", "c"), None);
    }
}
