//! `/`: every service, those that need attention first.

use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::appearance::{Appearance, Urgency};
use super::head::Head;
use super::{beginning, readable};
use crate::report::{PerVersion, ServiceReport, Summary};
use coalmine_core::phase::Phase;

/// How many healthy services are shown unless somebody asks for them.
const MOST_HEALTHY: usize = 100;
/// The longest reason that is shown here, in characters; the service's own page has it whole.
const LONGEST: usize = 500;

/// What is to be shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OverviewQuery {
    /// Only services with this in their name or namespace.
    q: String,
    /// Anything at all: every healthy service too.
    all: Option<String>,
}

/// The page.
#[derive(Template)]
#[template(path = "overview.html")]
pub(super) struct Overview {
    head: Head,
    groups: Vec<Group>,
    /// How many services there are, whatever was asked for.
    total: usize,
    /// What was asked for.
    query: String,
    /// How many healthy services are not shown.
    hidden: usize,
}

/// Services that want the same of people.
struct Group {
    id: &'static str,
    title: &'static str,
    /// How many there are, of which some may not be shown.
    count: usize,
    rows: Vec<Row>,
}

/// One service.
struct Row {
    name: String,
    /// The name as it is, for the address.
    address: String,
    /// Empty when it is the service's name.
    namespace: String,
    phase: String,
    /// Which of the five phases that is, from 1; 0 for `platform/`.
    place: usize,
    shares: Option<Shares>,
    appearance: Appearance,
}

/// The canary's share.
struct Shares {
    version: String,
    asked: u8,
    /// What is applied, if that is something else.
    applied: Option<u8>,
}

impl Overview {
    pub(super) fn of(summary: &Summary, wish: &OverviewQuery, number: u64, now: Timestamp) -> Self {
        let reports = summary.services.iter().chain(&summary.platform);
        let total = reports.clone().count();
        let query = wish.q.trim().to_lowercase();
        let is_wanted = |report: &&ServiceReport| {
            report.service.to_lowercase().contains(&query) || report.namespace.contains(&query)
        };
        let mut rows: Vec<Row> = reports.filter(is_wanted).map(|r| Row::of(r, now)).collect();
        rows.sort_by(|one, other| {
            let key = |row: &Row| (row.appearance.urgency, row.appearance.tone);
            key(one).cmp(&key(other)).then_with(|| one.name.cmp(&other.name))
        });
        let mut groups: Vec<Group> = Vec::new();
        for row in rows {
            let (id, title) = match row.appearance.urgency {
                Urgency::Attention => ("person", "Needs attention"),
                Urgency::Rollout => ("rollout", "Progressing"),
                Urgency::Healthy => ("rest", "Healthy"),
            };
            if groups.last().is_none_or(|group| group.id != id) {
                groups.push(Group { id, title, count: 0, rows: Vec::new() });
            }
            if let Some(group) = groups.last_mut() {
                group.count += 1;
                let fits = wish.all.is_some() || id != "rest" || group.rows.len() < MOST_HEALTHY;
                group.rows.extend(fits.then_some(row));
            }
        }
        let hidden = groups.iter().map(|group| group.count - group.rows.len()).sum();
        let urgent = groups.first().filter(|group| group.id == "person");
        let title = match urgent.map(|group| group.count) {
            Some(count) => format!("({count}) coalmine"),
            None => "coalmine".to_owned(),
        };
        let head = Head::of(&title, "./", summary, number, now);
        Self { head, groups, total, query: readable(wish.q.trim()), hidden }
    }
}

impl Row {
    fn of(report: &ServiceReport, now: Timestamp) -> Self {
        let place = Phase::ALL.iter().position(|phase| phase.name() == report.phase);
        let namespace = match report.namespace == report.service {
            true => String::new(),
            false => readable(&report.namespace),
        };
        let mut appearance = Appearance::of(report, now);
        appearance.reason = beginning(&appearance.reason, LONGEST);
        Self {
            name: readable(&report.service),
            address: report.service.clone(),
            namespace,
            phase: readable(&report.phase),
            place: place.map_or(0, |place| place + 1),
            shares: Shares::of(report),
            appearance,
        }
    }
}

impl Shares {
    fn of(report: &ServiceReport) -> Option<Self> {
        let canary = report.canary.as_deref()?;
        let share = |weights: &PerVersion<u8>| {
            weights.iter().find(|(version, _)| *version == canary).map(|(_, share)| share)
        };
        let asked = share(&report.weights)?;
        // While nothing is known to be applied, there is nothing to compare with.
        let known = report.applied_weights.iter().next().is_some();
        let applied = known.then(|| share(&report.applied_weights).unwrap_or(0));
        let applied = applied.filter(|share| *share != asked);
        Some(Self { version: readable(canary), asked, applied })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;
    use coalmine_core::reason::Code;

    fn report(name: &str) -> ServiceReport {
        let mut report = ServiceReport::default();
        report.describe(&service(
            "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n",
        ));
        (report.service, report.namespace) = (name.to_owned(), name.to_owned());
        report.ready("a");
        report
    }

    fn shown(services: Vec<ServiceReport>, q: &str, all: bool) -> Overview {
        let summary = Summary { services, ..Summary::default() };
        let wish = OverviewQuery { q: q.to_owned(), all: all.then(String::new) };
        Overview::of(&summary, &wish, 1, Timestamp::UNIX_EPOCH)
    }

    fn names(page: &Overview) -> Vec<(&str, Vec<&str>)> {
        let group = |group| {
            let Group { title, rows, .. }: &Group = group;
            (*title, rows.iter().map(|row| row.name.as_str()).collect())
        };
        page.groups.iter().map(group).collect()
    }

    #[test]
    fn those_that_need_a_person_come_first() {
        let mut services: Vec<_> = ["a", "b", "c", "d", "e"].map(report).into();
        services[1].phase = "Shifting".into();
        services[2].fight = Some("kubectl".into());
        services[4].stalled(Code::WaitingForPods, "no ready pod");
        let page = shown(services, "", false);
        assert_eq!(
            names(&page),
            [
                ("Needs attention", vec!["e", "c"]),
                ("Progressing", vec!["b"]),
                ("Healthy", vec!["a", "d"])
            ]
        );
        assert_eq!(page.head.title, "(2) coalmine");
    }

    #[test]
    fn a_word_chooses_services_by_name_or_namespace() {
        let mut services: Vec<_> = ["echo", "foxtrot"].map(report).into();
        services[1].namespace = "team-echo".into();
        services.push(report("golf"));
        assert_eq!(names(&shown(services.clone(), " ECHO", false))[0].1, ["echo", "foxtrot"]);
        let page = shown(services, "nobody", false);
        assert_eq!((page.groups.len(), page.total), (0, 3));
    }

    #[test]
    fn of_very_many_at_rest_some_are_shown_and_all_on_request() {
        let services: Vec<_> = (0..MOST_HEALTHY + 20).map(|n| report(&format!("s{n}"))).collect();
        let page = shown(services.clone(), "", false);
        assert_eq!(
            (page.groups[0].rows.len(), page.groups[0].count, page.hidden),
            (MOST_HEALTHY, 120, 20)
        );
        assert_eq!(shown(services, "", true).hidden, 0);
    }

    #[test]
    fn a_long_reason_is_told_by_its_beginning() {
        let mut stalled = report("echo");
        stalled.stalled(Code::WaitingForPods, &"ä".repeat(LONGEST + 1));
        let page = shown(vec![stalled.clone()], "", false);
        let reason = &page.groups[0].rows[0].appearance.reason;
        assert_eq!(reason.chars().count(), LONGEST + 1);
        assert!(reason.ends_with("ä…"), "{reason}");
        stalled.stalled(Code::WaitingForPods, &"ä".repeat(LONGEST));
        let page = shown(vec![stalled], "", false);
        assert!(page.groups[0].rows[0].appearance.reason.ends_with('ä'));
    }

    #[test]
    fn the_canarys_share_is_shown_with_what_is_applied_while_that_differs() {
        let values = |weight| {
            service(&format!(
                "deployment: {{v1: {{}}, v2: {{}}}}\nroutes: {{apiGroup: a, primary: {{version: v1}}, \
                 canary: {{version: v2, weight: {weight}}}}}\n"
            ))
        };
        let mut report = report("echo");
        report.describe(&values(10));
        let shares = |report: &ServiceReport| {
            Shares::of(report).map(|shares| (shares.version, shares.asked, shares.applied))
        };
        assert_eq!(shares(&report), Some(("v2".into(), 10, Some(0))), "v1 alone is applied");
        report.ready("b");
        assert_eq!(shares(&report), Some(("v2".into(), 10, None)));
        report.describe(&values(50));
        assert_eq!(shares(&report), Some(("v2".into(), 50, Some(10))));
    }
}
