//! Somebody whom a daemon tells about rollouts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// Gets messages on loopback, and keeps of each `id` the newest. Dropping it ends that.
#[derive(Debug)]
pub struct Notifications {
    url: String,
    messages: Messages,
    _serving: AbortOnDropHandle<()>,
}

type Messages = Arc<Mutex<BTreeMap<String, Value>>>;

impl Notifications {
    /// Listens.
    ///
    /// # Errors
    /// There is no port.
    pub async fn listen() -> Result<Self> {
        let messages = Messages::default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let routes = Router::new().route("/", post(receive)).with_state(messages.clone());
        let serving = tokio::spawn(async move {
            // It ends with us.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { url, messages, _serving: AbortOnDropHandle::new(serving) })
    }

    /// Where the messages go.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The newest message of each rollout of a service.
    pub fn of_service(&self, service: &str) -> Vec<Value> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.values().filter(|message| message["service"] == service).cloned().collect()
    }
}

async fn receive(State(messages): State<Messages>, Json(message): Json<Value>) {
    let id = message["id"].as_str().unwrap_or_default().to_owned();
    messages.lock().unwrap_or_else(PoisonError::into_inner).insert(id, message);
}
