//! What Envoy says about the configuration it was given.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use serde_json::Value;

use crate::{
    envoy_admin::Admin,
    wait::{self, Seen},
};

/// How long Envoy may take to read a file. It takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(5);

/// Envoy, as its admin interface shows it.
pub(super) struct Envoy {
    admin: Admin,
    /// How many updates it has refused so far, by what was updated.
    refused: BTreeMap<String, String>,
}

impl Envoy {
    pub(super) fn new(admin: Admin) -> Self {
        Self { admin, refused: BTreeMap::new() }
    }

    /// Waits until Envoy works with the `expected` versions, and nothing is still warming up. What
    /// it refuses is logged with its words and no longer expected: it goes on with what it had.
    ///
    /// # Errors
    /// It has not taken them within a few seconds.
    pub(super) async fn has(&mut self, expected: &mut BTreeMap<String, String>) -> Result<()> {
        loop {
            let (admin, refused, wanted) = (&self.admin, &self.refused, &*expected);
            let looked = wait::until("Envoy to take its configuration", DEADLINE, || async move {
                let statistics = match statistics(admin).await {
                    Ok(statistics) => statistics,
                    Err(error) => return Seen::NotYet(format!("{error:#}")),
                };
                let news = newly_refused(&statistics, refused);
                match late(&statistics, wanted) {
                    Some(instead) if news.is_empty() => Seen::NotYet(instead),
                    _ => Seen::Done(news),
                }
            });
            let news = looked.await?;
            if news.is_empty() {
                return Ok(());
            }
            for (name, count) in news {
                expected.remove(&format!("{name}.version_text"));
                self.explain(&name).await;
                self.refused.insert(name, count);
            }
        }
    }

    async fn explain(&self, name: &str) {
        let dump = self.admin.get("/config_dump").await.unwrap_or_default();
        tracing::error!(update = name, words = error_details(&dump), "Envoy refuses an update");
    }
}

/// What Envoy has refused an update of since the last look, and how many it has refused by now.
fn newly_refused(
    statistics: &BTreeMap<String, String>,
    before: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let refused = statistics.iter().filter_map(|(statistic, count)| {
        let name = statistic.strip_suffix(".update_rejected")?;
        (count != "0" && before.get(name) != Some(count)).then(|| (name.into(), count.clone()))
    });
    refused.collect()
}

/// What is not there yet.
fn late(
    statistics: &BTreeMap<String, String>,
    expected: &BTreeMap<String, String>,
) -> Option<String> {
    let is = |name: &str| statistics.get(name).map_or("absent", String::as_str);
    let versions = expected.iter().map(|(name, version)| (name.as_str(), version.as_str()));
    let mut wanted = versions.chain(WARMING.map(|name| (name, "0")));
    let (name, value) = wanted.find(|(name, value)| is(name) != *value)?;
    Some(format!("{name} is {}, not {value}", is(name)))
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
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn a_version_that_envoy_does_not_have_yet_is_late() {
        let warm = [(WARMING[0], "0"), (WARMING[1], "0")];
        let has = |version| map(&[[("cds.version_text", version)].as_slice(), &warm].concat());
        let expected = map(&[("cds.version_text", "2")]);
        let instead = late(&has("1"), &expected);
        assert_eq!(instead.as_deref(), Some("cds.version_text is 1, not 2"));
        assert_eq!(late(&has("2"), &expected), None);
        assert!(late(&map(&[("cds.version_text", "2")]), &expected).is_some());
    }

    #[test]
    fn a_refusal_is_noticed_once() {
        assert!(newly_refused(&map(&[("cds.update_rejected", "0")]), &map(&[])).is_empty());
        let refused = map(&[("cds.update_rejected", "1")]);
        let news = newly_refused(&refused, &map(&[]));
        assert_eq!(news, [("cds".to_owned(), "1".to_owned())]);
        assert!(newly_refused(&refused, &news.into_iter().collect()).is_empty());
    }

    #[test]
    fn the_words_of_a_refusal_are_found_wherever_they_stand() {
        let dump = r#"{"configs": [{"dynamic": [{"error_state": {"details": "no such thing"}}]}]}"#;
        assert_eq!(error_details(dump), "no such thing");
        assert_eq!(error_details("{}"), "its log says why");
    }
}
