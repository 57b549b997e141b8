//! Who is told about rollouts.

use anyhow::{Context, Result};
use cucumber::{given, then};
use harness::notifications::Notifications;
use harness::wait::Seen;

use crate::wait;
use crate::world::World;

#[given("somebody listens to notifications")]
async fn listens(world: &mut World) -> Result<()> {
    let notifications = Notifications::listen().await?;
    world.flags.push(("notify-url", notifications.url().to_owned()));
    world.notifications = Some(notifications);
    Ok(())
}

#[then(regex = r#"^one message has told of the rollout of (\w+), from "([^"]+)" to "([^"]+)"$"#)]
async fn has_told(world: &mut World, service: String, first: String, last: String) -> Result<()> {
    let notifications = world.notifications.as_ref().context("nobody listens to notifications")?;
    let what = format!("one message of {service} from {first} to {last}");
    wait::until(&what, async || {
        let messages = notifications.of_service(&service);
        let [message] = messages.as_slice() else {
            return Seen::NotYet(format!("there are {}: {messages:?}", messages.len()));
        };
        let steps = message["steps"].as_array().into_iter().flatten();
        let steps: Vec<&str> = steps.filter_map(|step| step["words"].as_str()).collect();
        let tells = steps.first().is_some_and(|words| words.contains(&first))
            && steps.last().is_some_and(|words| words.contains(&last))
            && message["finished"] == true;
        Seen::when(tells, message)
    })
    .await
}
