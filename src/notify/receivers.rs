//! Who gets the message of a rollout: a Slack channel, or whoever listens at an address.

use std::path::PathBuf;

use anyhow::anyhow;
use reqwest::{Client, Url};
use serde_json::{Value, json};

use super::back_off::{Failure, successful};
use super::rollout::Rollout;
use crate::secret::SecretFile;
use crate::source::token;
use coalmine_core::reason::Hinted;

/// A Slack channel.
#[derive(Clone, Debug)]
pub struct Slack {
    /// The channel's id or name.
    pub channel: String,
    /// File with a bot's token that has the scope `chat:write`.
    pub token_file: PathBuf,
    /// Slack's API, or what stands in for it.
    pub api: Url,
}

/// An address that gets every message as JSON.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The address.
    pub url: Url,
    /// What the messages are signed with; they are not without one.
    pub secret: Option<SecretFile>,
}

impl Slack {
    /// The message's place in the channel, once it was posted.
    const MESSAGE: &str = "slack";

    /// Posts the message, or writes it anew where it stands.
    pub(super) async fn report(&self, http: &Client, rollout: &mut Rollout) -> Result<(), Failure> {
        let token = token(&self.token_file).map_err(anyhow::Error::from)?;
        let known = rollout.messages.get(Self::MESSAGE);
        let known = known.and_then(|message| message.split_once(' '));
        let (method, mut body) = match known {
            // Slack wants the channel's id here, which it gave when the message was posted.
            Some((channel, place)) => ("chat.update", json!({"channel": channel, "ts": place})),
            None => ("chat.postMessage", json!({"channel": self.channel})),
        };
        body["text"] = escaped(&rollout.text()).into();
        let address = self.api.join(method).map_err(anyhow::Error::from)?;
        let response = http.post(address).bearer_auth(token).json(&body).send().await?;
        let response = successful(response, "Slack").await.map_err(|(_, failure)| failure)?;
        let answer: Value = response.json().await?;
        if answer["ok"] != true {
            let error = answer["error"].as_str().unwrap_or("no reason given");
            if error == "message_not_found" {
                // Somebody deleted it: the next try posts another one.
                rollout.messages.remove(Self::MESSAGE);
            }
            let error = anyhow!("Slack refuses {method} in {}: {error}", self.channel);
            return Err(Failure::refused(error));
        }
        let text = |field: &str| answer[field].as_str();
        if let (Some(channel), Some(place)) = (text("channel"), text("ts")) {
            rollout.messages.insert(Self::MESSAGE.into(), format!("{channel} {place}"));
        }
        Ok(())
    }
}

/// Slack's own three signs (its documentation, "Escaping text"): nobody is mentioned by what others chose.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Webhook {
    /// Sends the message. `id` is the same for one rollout of a service, so that the receiver can replace
    /// what it showed.
    pub(super) async fn report(&self, http: &Client, rollout: &Rollout) -> Result<(), Failure> {
        let body = json!({
            "id": format!("{}/{}", rollout.service, rollout.id),
            "service": rollout.service,
            "finished": rollout.finished,
            "steps": rollout.steps,
            "text": rollout.text(),
        });
        let body = body.to_string();
        let mut request = http.post(self.url.clone()).header("Content-Type", "application/json");
        if let Some(secret) = &self.secret {
            let secret = secret.read().map_err(|advice| anyhow!(advice.line()))?;
            let signature = secret.signature(body.as_bytes());
            request = request.header("X-Coalmine-Signature-256", format!("sha256={signature}"));
        }
        let response = request.body(body).send().await?;
        match successful(response, self.url.as_str()).await {
            Ok(_) => Ok(()),
            Err((_, failure)) => Err(failure),
        }
    }
}
