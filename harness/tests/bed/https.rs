//! Gateways beside the usual one: with TLS, and on another port.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use harness::{
    Bed, BedOptions, Openings, Progress,
    wait::{self, Seen},
};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::inside::kubectl;

const DEADLINE: Duration = Duration::from_secs(60);
const HOST: &str = "a.example";

/// One domain in plain text and with TLS, and a further port.
pub(crate) fn serve_https(folder: &Path) -> Result<()> {
    let inside = harness::enter(&Openings::default())?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let directory = Some(folder.join("bed"));
        let bed = Bed::start(BedOptions { directory, ..BedOptions::new(inside) }, &Progress::new())
            .await?;
        let certificate = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
        let (chain, key) = (certificate.cert.pem(), certificate.signing_key.serialize_pem());
        for (file, pem) in [("tls.crt", &chain), ("tls.key", &key)] {
            std::fs::write(folder.join(file), pem)?;
        }
        let [cert, key] = ["tls.crt", "tls.key"].map(|file| folder.join(file));
        let arguments = [
            "--namespace=gloo-system",
            "create",
            "secret",
            "tls",
            "cert",
            &format!("--cert={}", cert.display()),
            &format!("--key={}", key.display()),
        ];
        kubectl(&bed, &arguments)?;
        let manifest = folder.join("manifest.yaml");
        std::fs::write(&manifest, include_str!("https.yaml"))?;
        kubectl(&bed, &["apply", "--filename", &manifest.to_string_lossy()])?;

        let mut roots = RootCertStore::empty();
        roots.add(certificate.cert.der().clone())?;
        answers("TLS", "200 OK", "secure", || with_tls(8443, roots.clone())).await?;
        answers("plain text", "301 Moved Permanently", "https://a.example/", || plain(8080))
            .await?;
        answers("another port", "301 Moved Permanently", "https://a.example/", || plain(8081))
            .await?;
        bed.stop().await
    })
}

/// Waits for an answer with this status and this text.
async fn answers<F>(what: &str, status: &str, text: &str, ask: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<String>>,
{
    let check = || async {
        match ask().await {
            Ok(answer) => {
                Seen::when(answer.contains(status) && answer.contains(text), format!("{answer:?}"))
            }
            Err(error) => Seen::NotYet(format!("{error:#}")),
        }
    };
    wait::until(what, DEADLINE, check).await
}

async fn plain(port: u16) -> Result<String> {
    get(TcpStream::connect(("127.0.0.1", port)).await?).await
}

async fn with_tls(port: u16, roots: RootCertStore) -> Result<String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from(HOST).context("a server name")?;
    get(TlsConnector::from(Arc::new(config)).connect(name, stream).await?).await
}

async fn get(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<String> {
    let request = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // Envoy may close without saying goodbye to TLS.
    let _ = stream.read_to_end(&mut answer).await;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
