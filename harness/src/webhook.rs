//! What a git server says when somebody has pushed.

use anyhow::{Context as _, Result, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::Full;
use hyper::{Request, StatusCode, Uri, body::Bytes, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use sha2::Sha256;

/// Tells a daemon of pushes as GitHub does, with the body's HMAC-SHA256.
#[derive(Clone, Debug)]
pub struct Webhook {
    client: Client<HttpConnector, Full<Bytes>>,
    uri: Uri,
    secret: String,
}

impl Webhook {
    /// To the daemon at this URL, which knows the same secret.
    ///
    /// # Errors
    /// When it is no URL.
    pub fn new(base: &str, secret: &str) -> Result<Self> {
        let uri = format!("{base}/hooks/git");
        let uri = uri.parse().with_context(|| format!("{uri} is not a URL"))?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { client, uri, secret: secret.to_owned() })
    }

    /// Announces a push to a branch.
    ///
    /// # Errors
    /// The daemon does not answer, or does not say that it fetches.
    pub async fn announce(&self, branch: &str) -> Result<()> {
        let body = serde_json::json!({"ref": format!("refs/heads/{branch}")}).to_string();
        let request = Request::post(self.uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-github-event", "push")
            .header("x-hub-signature-256", format!("sha256={}", self.proof(body.as_bytes())))
            .body(Full::from(body))?;
        let answer = self.client.request(request).await;
        let status = answer.with_context(|| format!("no answer from {}", self.uri))?.status();
        ensure!(status == StatusCode::ACCEPTED, "{} answers {status}", self.uri);
        Ok(())
    }

    fn proof(&self, body: &[u8]) -> String {
        let keyed = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes());
        let digest = keyed.expect("a key of any length is a key to HMAC").chain_update(body);
        digest.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GitHub's own example, from "Validating webhook deliveries".
    #[test]
    fn the_proof_is_github_s() {
        let webhook = Webhook::new("http://127.0.0.1", "It's a Secret to Everybody").unwrap();
        assert_eq!(
            webhook.proof(b"Hello, World!"),
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
