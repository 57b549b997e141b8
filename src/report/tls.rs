//! TLS of the status endpoint, from files that are read anew when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::hint::advised;

/// A certificate and its key, as they are on disk.
#[derive(Debug)]
pub struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    seen: Seen,
    acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current").field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// What tells that files are others: the times at which both were written, and their lengths.
type Seen = [Option<(SystemTime, u64)>; 2];

impl TlsFiles {
    /// Reads a PEM file with the certificate, and those that lead to its authority, and one with its key.
    ///
    /// # Errors
    /// When either cannot be read, or the two do not belong together.
    pub fn read(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let seen = seen(certificate, key);
        let acceptor = acceptor(certificate, key)?;
        let current = Mutex::new(Current { seen, acceptor });
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), current })
    }

    /// What accepts a connection with the files as they are now. While they cannot be used, such as between
    /// the writing of the one and of the other, it stays with what they were, which the log says once.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let now = seen(&self.certificate, &self.key);
        if current.seen != now {
            current.seen = now;
            match acceptor(&self.certificate, &self.key) {
                Ok(acceptor) => {
                    tracing::info!("the certificate of the status endpoint was read anew");
                    current.acceptor = acceptor;
                }
                Err(error) => tracing::warn!(
                    "the status endpoint stays with the certificate that it had: {}",
                    crate::hint::line(&error)
                ),
            }
        }
        current.acceptor.clone()
    }
}

fn seen(certificate: &Path, key: &Path) -> Seen {
    [certificate, key].map(|path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn acceptor(certificate: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let unusable = |path: &Path, flag: &str, wrong: String| {
        let wrong = format!("file {} of {flag}: {wrong}", path.display());
        advised(wrong, "give it PEM, as `kubectl create secret tls` takes it")
    };
    let of_certificate = |wrong: String| unusable(certificate, "--listen-tls-cert-file", wrong);
    let of_key = |wrong: String| unusable(key, "--listen-tls-key-file", wrong);
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| of_certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(of_certificate("it has no certificate".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| of_key(error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| of_key(error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use rcgen::CertifiedKey;

    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        /// Writes a new pair, whose certificate is returned.
        fn write(&self) -> CertificateDer<'static> {
            let CertifiedKey { cert, signing_key } =
                rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a pair");
            std::fs::write(self.path("key"), signing_key.serialize_pem()).expect("written");
            std::fs::write(self.path("certificate"), cert.pem()).expect("written");
            cert.der().clone()
        }

        fn read(&self) -> anyhow::Result<TlsFiles> {
            TlsFiles::read(&self.path("certificate"), &self.path("key"))
        }
    }

    /// The certificate that a client is shown.
    async fn shown(files: &TlsFiles, trusted: &CertificateDer<'static>) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(trusted.clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let (near, far) = tokio::io::duplex(1 << 16);
        let acceptor = files.acceptor();
        let name = "localhost".try_into().expect("a name");
        let (client, _) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
        client.is_ok()
    }

    #[tokio::test]
    async fn a_certificate_that_is_replaced_is_shown_to_the_next_connection() {
        let files = Files(tempfile::tempdir().expect("a folder"));
        let first = files.write();
        let tls = files.read().expect("usable");
        assert!(shown(&tls, &first).await);
        std::fs::write(files.path("certificate"), "nothing").expect("written");
        assert!(shown(&tls, &first).await, "what cannot be used changes nothing");
        let second = files.write();
        assert!(shown(&tls, &second).await && !shown(&tls, &first).await);
    }

    #[test]
    fn files_that_cannot_be_used_are_named_at_the_start() {
        let files = Files(tempfile::tempdir().expect("a folder"));
        let told = || crate::hint::line(&files.read().expect_err("unusable"));
        assert!(told().contains("--listen-tls-cert-file"), "{}", told());
        files.write();
        std::fs::write(files.path("certificate"), "nothing").expect("written");
        assert!(told().contains("it has no certificate"), "{}", told());
        let first = std::fs::read(files.path("key")).expect("read");
        files.write();
        std::fs::write(files.path("key"), first).expect("written");
        assert!(told().contains("--listen-tls-key-file"), "another certificate's: {}", told());
    }
}
