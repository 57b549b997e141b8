//! Certificates of a bed's own servers, which nobody trusts but those who are given them.

use std::{fmt, sync::Arc};

use anyhow::Result;
use rcgen::{CertifiedKey, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio_rustls::TlsAcceptor;

/// A self-signed certificate with its key.
pub struct Certificate(CertifiedKey<KeyPair>);

impl Certificate {
    /// A new one for a server on loopback.
    ///
    /// # Errors
    /// No key can be made.
    pub fn for_loopback() -> Result<Self> {
        Self::for_names(["127.0.0.1", "localhost"])
    }

    /// A new one for these host names and IP addresses.
    ///
    /// # Errors
    /// No key can be made, or a name is none.
    pub fn for_names<const N: usize>(names: [&str; N]) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        Ok(Self(rcgen::generate_simple_self_signed(names)?))
    }

    /// The certificate in PEM: what clients have to trust, and `tls.crt` of a Secret.
    pub fn pem(&self) -> String {
        self.0.cert.pem()
    }

    /// Its private key in PEM: `tls.key` of a Secret.
    pub fn key_pem(&self) -> String {
        self.0.signing_key.serialize_pem()
    }

    /// The certificate in DER.
    pub fn der(&self) -> CertificateDer<'static> {
        self.0.cert.der().clone()
    }

    /// The server's side of TLS with this certificate.
    ///
    /// # Errors
    /// The key and the certificate do not fit what TLS needs.
    pub fn acceptor(&self) -> Result<TlsAcceptor> {
        let key =
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.der()], key)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}
