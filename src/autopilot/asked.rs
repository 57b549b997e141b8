//! What a PromQL server says of the versions of a service, query after query.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::promql::PromQl;
use coalmine_core::values::{AnalysisRule, Service, placed};
use judge::{Counts, Measure};

/// The pause between two questions: servers know nothing new more often.
const PAUSE: Duration = Duration::from_secs(5);

/// What was asked for one analysis.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    at: Instant,
    /// The counters as they were when all could be read last.
    before: Option<Counters>,
    /// What it means until it is asked again.
    since: Result<Measure, String>,
}

/// The counters of both versions.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counters {
    primary: (f64, f64),
    canary: (f64, f64),
}

/// What was measured since the look before, by analysis. A server that is not due has nothing new to say, which is no
/// answer more of any version, and the same number.
pub(super) async fn ask(
    promql: Option<&PromQl>,
    service: &Service,
    known: &mut BTreeMap<String, Asked>,
) -> BTreeMap<String, Result<Measure, String>> {
    let analyses = service.autopilot.iter().flat_map(|it| &it.analyses);
    let asked = analyses.filter(|(_, rule)| {
        matches!(rule, AnalysisRule::Counters { .. } | AnalysisRule::Number { .. })
    });
    let now = Instant::now();
    let answers = asked.map(|(name, rule)| {
        let before = known.get(name).cloned();
        async move {
            let asked = match (before, promql) {
                (Some(known), _) if now.duration_since(known.at) < PAUSE => {
                    return (name.clone(), known.since.clone(), known);
                }
                (before, None) => Asked {
                    at: now,
                    before: before.and_then(|it| it.before),
                    since: Err("the daemon runs without --autopilot-promql URL".to_owned()),
                },
                (before, Some(promql)) => {
                    let before = before.and_then(|it| it.before);
                    return measured(promql, service, name, rule, before, now).await;
                }
            };
            (name.clone(), asked.since.clone(), asked)
        }
    });
    let answers = join_all(answers).await;
    let mut measures = BTreeMap::new();
    for (name, measure, asked) in answers {
        measures.insert(name.clone(), measure);
        known.insert(name, asked);
    }
    measures
}

async fn measured(
    promql: &PromQl,
    service: &Service,
    name: &str,
    rule: &AnalysisRule,
    before: Option<Counters>,
    at: Instant,
) -> (String, Result<Measure, String>, Asked) {
    let routes = &service.routes;
    let primary = routes.primary.as_str();
    let canary = routes.canary.as_ref().map_or(primary, |canary| canary.version.as_str());
    let number = |query: &str, version: &str| {
        let query = placed(query, version, service.name.as_str(), &service.namespace);
        async move { promql.number(&query).await }
    };
    let name = name.to_owned();
    match rule {
        AnalysisRule::Counters { bad, total, .. } => {
            // What is bad comes first: so none of it is missing in the total.
            let of = |version| async move {
                let bad = number(bad, version).await?;
                Ok::<_, String>((bad, number(total, version).await?))
            };
            let read = tokio::try_join!(of(primary), of(canary));
            let read = read.map(|(primary, canary)| Counters { primary, canary });
            let measure = match (&read, before) {
                (Err(why), _) => Err(why.clone()),
                (Ok(_), None) => {
                    Err("it was asked once, and there is nothing to compare with".to_owned())
                }
                (Ok(now), Some(before)) => grown(before, *now),
            };
            // Until it is asked again nothing more is known, which is neither good nor bad.
            let nothing = Measure::Counts { primary: Counts::default(), canary: Counts::default() };
            let since = measure.clone().map(|_| nothing);
            (name, measure, Asked { at, before: read.ok().or(before), since })
        }
        AnalysisRule::Number { query, .. } => {
            let since = number(query, canary).await.map(Measure::Value);
            (name, since.clone(), Asked { at, before: None, since })
        }
        AnalysisRule::Errors(_) | AnalysisRule::Slow { .. } => {
            let since = Err("it is measured at the proxies".to_owned());
            (name, since.clone(), Asked { at, before: None, since })
        }
    }
}

fn grown(before: Counters, now: Counters) -> Result<Measure, String> {
    let since = |before: (f64, f64), now: (f64, f64)| {
        let (bad, total) = (now.0 - before.0, now.1 - before.1);
        if bad < 0.0 || total < 0.0 {
            return Err("a counter has begun again".to_owned());
        }
        Ok(Counts::new(total.round() as u64, bad.round() as u64))
    };
    let primary = since(before.primary, now.primary)?;
    let canary = since(before.canary, now.canary)?;
    Ok(Measure::Counts { primary, canary })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_both_versions_are_compared_with_the_look_before() {
        let at = |primary, canary| Counters { primary, canary };
        let grown_by = grown(at((1.0, 10.0), (0.0, 5.0)), at((2.0, 30.0), (3.0, 9.0)));
        let expected = Measure::Counts {
            primary: Counts { total: 20, bad: 1 },
            canary: Counts { total: 4, bad: 3 },
        };
        assert_eq!(grown_by, Ok(expected));
        let less = grown(at((1.0, 10.0), (0.0, 5.0)), at((0.0, 11.0), (0.0, 6.0)));
        assert_eq!(less, Err("a counter has begun again".to_owned()));
    }
}
