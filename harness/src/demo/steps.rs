//! The rollout that `--play` drives: the six values files of the article series' third part.

use std::collections::BTreeMap;

use crate::distribution::Expected;

/// The service that is rolled out.
pub(crate) const SERVICE: &str = "echo";
/// Its file in the repository.
pub(crate) const FILE: &str = "services/echo.yaml";
/// The header that sends a request to the canary.
pub(crate) const HEADER: (&str, &str) = ("stage", "canary");

/// The step whose view says most.
pub(crate) const PICTURED: &str = "weight 50";

/// One push, and what must be true after it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    versions: &'static [&'static str],
    primary: &'static str,
    /// The canary's weight, if there is a canary; none where only the header leads to it.
    canary: Option<(&'static str, Option<u8>)>,
}

/// The way from v1 alone to v2 alone.
pub(crate) const STEPS: [Step; 6] = [
    Step { name: "v1 only", versions: &["v1"], primary: "v1", canary: None },
    Step { name: "v2 deployed", versions: &["v1", "v2"], primary: "v1", canary: None },
    Step { name: "header", versions: &["v1", "v2"], primary: "v1", canary: Some(("v2", None)) },
    Step {
        name: "weight 50",
        versions: &["v1", "v2"],
        primary: "v1",
        canary: Some(("v2", Some(50))),
    },
    Step {
        name: "weight 100",
        versions: &["v1", "v2"],
        primary: "v1",
        canary: Some(("v2", Some(100))),
    },
    Step { name: "v1 gone", versions: &["v2"], primary: "v2", canary: None },
];

impl Step {
    /// The values file.
    pub(crate) fn values(&self) -> String {
        let mut text = String::from("deployment:\n");
        for version in self.versions {
            text.push_str(&format!("  {version}: {{}}\n"));
        }
        text.push_str("routes:\n  apiGroup: example\n");
        text.push_str(&format!("  primary:\n    version: {}\n", self.primary));
        if let Some((version, weight)) = self.canary {
            text.push_str(&format!("  canary:\n    version: {version}\n"));
            if let Some(weight) = weight {
                text.push_str(&format!("    weight: {weight}\n"));
            }
            text.push_str(&format!("    headers:\n      {}: {}\n", HEADER.0, HEADER.1));
        }
        text
    }

    /// Shares of the answers to ordinary requests, in percent.
    pub(crate) fn expected(&self) -> Result<Expected, crate::distribution::NotWhole> {
        let mut shares = BTreeMap::from([(answer(self.primary), 100)]);
        if let Some((version, weight)) = self.canary {
            let weight = weight.unwrap_or(0);
            shares.insert(answer(self.primary), 100u8.saturating_sub(weight));
            shares.insert(answer(version), weight);
        }
        Expected::new(shares)
    }

    /// The version that answers requests with the canary's header.
    pub(crate) fn with_header(&self) -> Expected {
        Expected::only(answer(self.canary.map_or(self.primary, |(version, _)| version)))
    }
}

/// How a version of the service names itself in its answers.
fn answer(version: &str) -> String {
    format!("{SERVICE}-{version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str) -> &'static Step {
        STEPS.iter().find(|step| step.name == name).unwrap()
    }

    #[test]
    fn the_values_are_those_of_the_articles() {
        assert_eq!(
            step("weight 50").values(),
            "deployment:\n  v1: {}\n  v2: {}\nroutes:\n  apiGroup: example\n  primary:\n    \
             version: v1\n  canary:\n    version: v2\n    weight: 50\n    headers:\n      stage: canary\n"
        );
        assert!(!step("header").values().contains("weight"));
        assert!(!step("v1 gone").values().contains("v1"));
    }

    #[test]
    fn one_of_the_steps_is_pictured() {
        assert!(STEPS.iter().any(|step| step.name == PICTURED));
    }

    #[test]
    fn every_step_says_who_answers_with_the_header_and_without() {
        let shares = |name: &str| {
            let expected = step(name).expected().unwrap();
            expected
                .shares()
                .iter()
                .map(|(version, share)| format!("{version} {share}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(shares("v2 deployed"), ["echo-v1 100"]);
        assert_eq!(shares("header"), ["echo-v1 100", "echo-v2 0"]);
        assert_eq!(shares("weight 50"), ["echo-v1 50", "echo-v2 50"]);
        assert_eq!(shares("weight 100"), ["echo-v1 0", "echo-v2 100"]);
        assert_eq!(shares("v1 gone"), ["echo-v2 100"]);
        let header =
            STEPS.map(|step| step.with_header().versions().into_iter().collect::<String>());
        assert_eq!(header, ["echo-v1", "echo-v1", "echo-v2", "echo-v2", "echo-v2", "echo-v2"]);
    }
}
