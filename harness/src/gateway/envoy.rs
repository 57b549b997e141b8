//! What Envoy says about the configuration it was given.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{
    bed::Admin,
    wait::{self, Seen},
};

/// How long Envoy may take to read a file. It takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(5);

/// Envoy, as its admin interface shows it.
pub(super) struct Envoy {
    admin: Admin,
    /// Updates refused so far, by statistic.
    refused: BTreeMap<String, String>,
}

impl Envoy {
    pub(super) fn new(admin: Admin) -> Self {
        Self { admin, refused: BTreeMap::new() }
    }

    /// Waits until Envoy works with the `expected` versions, and nothing is still warming up.
    ///
    /// # Errors
    /// It refuses one, with its words; or it has not taken them within a few seconds.
    pub(super) async fn has(&mut self, expected: &BTreeMap<String, String>) -> Result<()> {
        let admin = self.admin.clone();
        let before = &self.refused;
        let outcome = wait::until("Envoy to take its configuration", DEADLINE, || async {
            let statistics = match statistics(&admin).await {
                Ok(statistics) => statistics,
                Err(error) => return Seen::NotYet(format!("{error:#}")),
            };
            let refused: BTreeMap<String, String> = statistics
                .iter()
                .filter(|(name, count)| name.ends_with(".update_rejected") && *count != "0")
                .map(|(name, count)| (name.clone(), count.clone()))
                .collect();
            if refused.iter().any(|(name, count)| before.get(name) != Some(count)) {
                return Seen::Done(Some(refused));
            }
            let has =
                |(name, version): &(&String, &String)| statistics.get(*name) == Some(*version);
            let late = expected.iter().find(|pair| !has(pair)).map(|(name, version)| {
                let has = statistics.get(name).map_or("none", String::as_str);
                format!("{name} is {has}, not {version}")
            });
            let warming =
                WARMING.iter().find(|name| statistics.get(**name).is_none_or(|n| n != "0"));
            match late.or(warming.map(|name| format!("{name} is not 0"))) {
                Some(instead) => Seen::NotYet(instead),
                None => Seen::Done(None),
            }
        });
        let Some(refused) = outcome.await? else { return Ok(()) };
        let names: Vec<_> = refused.keys().map(String::as_str).collect();
        let names = names.join(", ");
        self.refused = refused;
        let words = error_details(&self.admin.get("/config_dump").await?);
        bail!("Envoy refuses an update ({names}): {words}")
    }
}

const WARMING: [&str; 2] =
    ["cluster_manager.warming_clusters", "listener_manager.total_listeners_warming"];

async fn statistics(admin: &Admin) -> Result<BTreeMap<String, String>> {
    let filter = "version_text$|update_rejected$|warming_clusters$|listeners_warming$";
    let text = admin.get(&format!("/stats?filter={}", filter.replace('|', "%7C"))).await?;
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    Ok(lines.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect())
}

/// What Envoy says about the resources it refuses.
fn error_details(config_dump: &str) -> String {
    fn collect(value: &Value, words: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                let details = fields.get("error_state").and_then(|error| error["details"].as_str());
                words.extend(details.map(str::to_owned));
                fields.values().for_each(|value| collect(value, words));
            }
            Value::Array(items) => items.iter().for_each(|value| collect(value, words)),
            _ => {}
        }
    }
    let mut words = Vec::new();
    collect(&serde_json::from_str(config_dump).unwrap_or_default(), &mut words);
    if words.is_empty() { "its log says why".to_owned() } else { words.join("; ") }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_words_of_a_refusal_are_found_wherever_they_stand() {
        let dump = r#"{"configs": [{"dynamic": [{"error_state": {"details": "no such thing"}}]}]}"#;
        assert_eq!(super::error_details(dump), "no such thing");
        assert_eq!(super::error_details("{}"), "its log says why");
    }
}
