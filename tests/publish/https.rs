//! A git server over https, by `git http-backend`, that knows two tokens.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, header, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use rustls::{ServerConfig, crypto::ring};
use tokio_rustls::TlsAcceptor;

/// The token that may read.
pub(crate) const READER: &str = "reads-only";
/// The token that may push as well.
pub(crate) const WRITER: &str = "may-push";

pub(crate) struct HttpsServer {
    pub(crate) address: String,
    certificate: String,
}

impl HttpsServer {
    pub(crate) fn start(repository: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        let certificate = made.cert.pem();
        let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.expect("a key"))
            .expect("usable");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("set");
        let port = listener.local_addr().expect("bound").port();
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let root = repository.parent().expect("a folder").to_path_buf();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (acceptor, root) = (acceptor.clone(), root.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let serve = service_fn(move |request| answer(root.clone(), request));
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), serve).await;
                });
            }
        });
        Self { address: format!("https://localhost:{port}/team/origin.git"), certificate }
    }

    /// The program, which trusts this server.
    pub(crate) fn program(&self, program: &Path, folder: &Path) -> PathBuf {
        let certificate = folder.join("server.pem");
        fs::write(&certificate, &self.certificate).expect("written");
        let script = folder.join("trusting");
        let text = format!(
            "#!/bin/sh\nexport SSL_CERT_FILE={}\nexec {} \"$@\"\n",
            certificate.display(),
            program.display()
        );
        fs::write(&script, text).expect("written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("set");
        script
    }
}

async fn answer(
    root: PathBuf,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let (head, body) = request.into_parts();
    let given = head.headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let is = |token: &str| {
        given == Some(format!("Basic {}", BASE64_STANDARD.encode(format!("git:{token}"))).as_str())
    };
    let refused = |status: StatusCode| {
        Response::builder()
            .status(status)
            .header(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")
            .body(Full::default())
            .expect("an answer")
    };
    if !is(READER) && !is(WRITER) {
        return Ok(refused(StatusCode::UNAUTHORIZED));
    }
    let path = head.uri.path().replacen("/team", "", 1);
    let query = head.uri.query().unwrap_or_default().to_owned();
    if is(READER) && (path.ends_with("receive-pack") || query.ends_with("receive-pack")) {
        return Ok(refused(StatusCode::FORBIDDEN));
    }
    let body = body.collect().await.expect("a body").to_bytes();
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = kind.unwrap_or_default().to_owned();
    let mut git = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", kind)
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("REMOTE_USER", "git")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git");
    let mut stdin = git.stdin.take().expect("a pipe");
    let output = tokio::task::spawn_blocking(move || {
        // It may have read enough before the end.
        let _ = stdin.write_all(&body);
        drop(stdin);
        git.wait_with_output().expect("ended").stdout
    });
    let output = output.await.expect("done");
    let end = output.windows(4).position(|it| it == b"\r\n\r\n").expect("headers");
    let mut answer = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").expect("a header");
        answer = match name {
            "Status" => answer.status(value.split(' ').next().expect("a status")),
            name => answer.header(name, value),
        };
    }
    Ok(answer.body(Full::new(Bytes::copy_from_slice(&output[end + 4..]))).expect("an answer"))
}
