//! What clients know the proxy by: a certificate that nobody else trusts.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertifiedKey, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::json;
use tokio_rustls::TlsAcceptor;

/// One proxy's certificate.
pub(super) struct Certificate(CertifiedKey<KeyPair>);

impl Certificate {
    /// A new one for loopback.
    pub(super) fn create() -> Result<Self> {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        Ok(Self(rcgen::generate_simple_self_signed(names)?))
    }

    /// Writes a kubeconfig for the proxy at `address`. The token in it is for clients that would ask
    /// for one; the proxy has its own.
    pub(super) fn write_kubeconfig(&self, path: &Path, address: SocketAddr) -> Result<()> {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": {
                "server": format!("https://{address}"),
                "certificate-authority-data": STANDARD.encode(self.0.cert.pem()),
            }}],
            "users": [{"name": "anybody", "user": {"token": "none"}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "anybody"}}],
            "current-context": "proxy",
        });
        std::fs::write(path, format!("{config:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn acceptor(&self) -> Result<TlsAcceptor> {
        let key =
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.0.cert.der().clone()], key)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
