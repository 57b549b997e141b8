//! Reads what puts a service's routes into the gateway.

use std::collections::BTreeSet;

use super::entry::{Entry, Fields, Problems};
use super::model::Binding;
use super::names::check_label_value;
use super::schema;
use crate::problem::Problem;

/// Reads `apiGroup` or `domains` below `routes`.
pub(super) fn read(
    fields: &mut Fields<schema::Routes>,
    problems: &mut Problems,
) -> Option<Binding> {
    const HELP: &str = "`apiGroup` joins the platform's VirtualService, \
                        `domains` makes one of the service's own: write one of the two";
    match (fields.take(schema::Routes::api_group()), fields.take(schema::Routes::domains())) {
        (Some(entry), None) => {
            let group = entry.text(problems)?;
            match check_label_value(&group) {
                Ok(()) => Some(Binding::ApiGroup(group)),
                Err(message) => {
                    problems.push(entry.problem(message));
                    None
                }
            }
        }
        (None, Some(entry)) => read_domains(&entry, problems),
        (Some(_), Some(domains)) => {
            let message = "`domains` and `apiGroup` exclude each other";
            let problem = Problem::new(&domains.key_at, &domains.path, message);
            problems.push(problem.help(HELP));
            None
        }
        (None, None) => {
            let entry = &fields.entry;
            let message = "`apiGroup` or `domains` is required";
            problems.push(Problem::new(&entry.key_at, &entry.path, message).help(HELP));
            None
        }
    }
}

fn read_domains(entry: &Entry, problems: &mut Problems) -> Option<Binding> {
    let items = entry.list(problems)?;
    if items.is_empty() {
        let problem = entry.problem("the list is empty");
        problems.push(problem.help("Gloo takes that for `*`: write `[\"*\"]` if it is meant"));
    }
    let (mut domains, mut seen) = (Vec::new(), BTreeSet::new());
    for item in &items {
        let Some(domain) = item.text(problems) else { continue };
        // Hosts are compared without regard to case (gloo-conformance case 12-domains).
        if !seen.insert(domain.to_ascii_lowercase()) {
            problems.push(item.problem("the domain is listed twice").help("keep one of the two"));
        } else if let Err(message) = check_domain(&domain) {
            let problem = item.problem(message);
            problems.push(problem.help("for example `echo.example.com`, `*.example.com` or `*`"));
        }
        domains.push(domain);
    }
    Some(Binding::Domains(domains))
}

/// A domain as Envoy takes it: a `*` only alone, or at one end.
fn check_domain(domain: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let rest = domain.strip_prefix('*').or_else(|| domain.strip_suffix('*')).unwrap_or(domain);
    if domain.is_empty() || !rest.bytes().all(allowed) {
        return Err(format!("expected a domain, found {domain:?}"));
    }
    Ok(())
}
