//! Requests over TLS, to servers of which nobody but the bed knows the certificate.

use std::{fmt, net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Response, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The most that is read of an answer, in bytes.
const LONGEST: usize = 1 << 20;

/// A client that trusts one certificate and no other. Each request has a connection of its own.
#[derive(Clone)]
pub struct HttpsClient(TlsConnector);

impl HttpsClient {
    /// A client that trusts this certificate.
    ///
    /// # Errors
    /// It is none.
    pub fn trusting(certificate: CertificateDer<'_>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.into_owned())?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Asks the server at `address` for `path` of `host`, which has to stand in its certificate.
    ///
    /// # Errors
    /// No connection, another certificate, or no answer.
    pub async fn get(
        &self,
        address: SocketAddr,
        host: &str,
        path: &str,
    ) -> Result<Response<Bytes>> {
        self.send(address, host, Request::get(path).body(Full::default())?).await
    }

    /// Makes any request; the header `host` is added to it.
    ///
    /// # Errors
    /// As [`HttpsClient::get`].
    pub async fn send(
        &self,
        address: SocketAddr,
        host: &str,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>> {
        let name = ServerName::try_from(host.to_owned()).context("the host is no server name")?;
        request.headers_mut().insert(header::HOST, host.parse()?);
        let stream = TcpStream::connect(address).await?;
        let stream = self.0.connect(name, stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let exchange = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, LONGEST).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
            anyhow::Ok(Response::from_parts(head, body.to_bytes()))
        };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            biased;
            answer = &mut exchange => answer,
            // The answer may be complete although the server has not ended TLS.
            _ = connection => exchange.await,
        }
    }
}

impl fmt::Debug for HttpsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpsClient")
    }
}
