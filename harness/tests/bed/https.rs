//! Gateways beside the usual one: with TLS, and on another port.

use std::{path::Path, time::Duration};

use anyhow::Result;
use harness::{
    Bed, BedOptions, Openings, Progress,
    certificate::Certificate,
    https::HttpsClient,
    wait::{self, Seen},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

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
        let certificate = Certificate::for_names([HOST])?;
        for (file, pem) in [("tls.crt", certificate.pem()), ("tls.key", certificate.key_pem())] {
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

        let client = HttpsClient::trusting(certificate.der())?;
        answers("TLS", "200 OK", "secure", || with_tls(&client, 8443)).await?;
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

async fn with_tls(client: &HttpsClient, port: u16) -> Result<String> {
    let answer = client.get(([127, 0, 0, 1], port).into(), HOST, "/").await?;
    Ok(format!("{} {}", answer.status(), String::from_utf8_lossy(answer.body())))
}

async fn get(mut stream: TcpStream) -> Result<String> {
    let request = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
