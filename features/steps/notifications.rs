//! Who is told about rollouts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use cucumber::{given, then};
use harness::wait::{self, Seen};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::world::{World, deadline};

/// Somebody who gets messages, and keeps of each id the newest.
#[derive(Debug)]
pub(crate) struct Listener {
    messages: Messages,
    _serving: AbortOnDropHandle<()>,
}

type Messages = Arc<Mutex<BTreeMap<String, Value>>>;

#[given("somebody listens to notifications")]
async fn listens(world: &mut World) -> Result<()> {
    let messages = Messages::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    world.flags.push(("notify-url", format!("http://{}/", listener.local_addr()?)));
    let routes = Router::new().route("/", post(receive)).with_state(messages.clone());
    let serving = tokio::spawn(async move {
        // It ends with the scenario.
        let _ = axum::serve(listener, routes).await;
    });
    world.listener = Some(Listener { messages, _serving: AbortOnDropHandle::new(serving) });
    Ok(())
}

async fn receive(State(messages): State<Messages>, Json(message): Json<Value>) {
    let id = message["id"].as_str().unwrap_or_default().to_owned();
    messages.lock().expect("nobody panics with the lock").insert(id, message);
}

#[then(regex = r#"^one message has told of the rollout of (\w+), from "([^"]+)" to "([^"]+)"$"#)]
async fn has_told(world: &mut World, service: String, first: String, last: String) -> Result<()> {
    let listener = world.listener.as_ref().context("nobody listens to notifications")?;
    let what = format!("one message of {service} from {first} to {last}");
    wait::until(&what, deadline(), async || {
        let messages = listener.messages.lock().expect("nobody panics with the lock");
        let of_service: Vec<&Value> =
            messages.values().filter(|message| message["service"] == service.as_str()).collect();
        let [message] = of_service.as_slice() else {
            return Seen::NotYet(format!("there are {}: {of_service:?}", of_service.len()));
        };
        let steps = message["steps"].as_array().into_iter().flatten();
        let steps: Vec<&str> = steps.filter_map(|step| step["words"].as_str()).collect();
        let tells = steps.first().is_some_and(|words| words.contains(&first))
            && steps.last().is_some_and(|words| words.contains(&last))
            && message["finished"] == true;
        Seen::when(tells, message.to_string())
    })
    .await
}
