//! How clients of the proxy reach it.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::certificate::Certificate;

/// Writes a kubeconfig for the proxy at `address`. The token in it is for clients that would ask for
/// one; the proxy has its own.
pub(super) fn write(path: &Path, certificate: &Certificate, address: SocketAddr) -> Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "proxy", "cluster": {
            "server": format!("https://{address}"),
            "certificate-authority-data": STANDARD.encode(certificate.pem()),
        }}],
        "users": [{"name": "anybody", "user": {"token": "none"}}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "anybody"}}],
        "current-context": "proxy",
    });
    std::fs::write(path, format!("{config:#}\n"))
        .with_context(|| format!("cannot write {}", path.display()))
}
