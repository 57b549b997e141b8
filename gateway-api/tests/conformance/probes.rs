//! Compares the answers to requests.

use std::collections::BTreeMap;

use gateway_api::{
    Answer, Entry, Outcome, Request, Token, Tokens, Translation, Verdict, answer_with,
};
use serde_json::Value;

/// Envoy's timeout of a route that sets none, in milliseconds.
const ROUTE_TIMEOUT: u64 = 15_000;

/// What backends of the recording are told, and what the recording leaves out.
const UNRECORDED: &[&str] = &["authorization", "x-status", "x-delay-ms"];

/// Envoy's own headers: the recording may leave them out.
const ENVOYS: &[&str] = &["x-forwarded-host", "x-envoy-original-host"];

/// Where the answers differ.
pub(crate) fn differences(translation: &Translation, expected: &Value) -> Vec<String> {
    let tokens = tokens();
    let mut found = Vec::new();
    for (index, probe) in expected["probes"].as_array().into_iter().flatten().enumerate() {
        let request = request(&probe["request"]);
        let entry = entry(&probe["request"], translation);
        let answer = answer_with(translation, &entry, &request, &tokens);
        let at = format!("probes[{index}] {} {}{}", request.method, request.host, request.path);
        if answer.outcomes.iter().any(|(outcome, _)| *outcome == Outcome::Unknown) {
            found.push(format!("{at}: is not known"));
            continue;
        }
        let total: f64 = answer.outcomes.iter().map(|(_, probability)| probability).sum();
        if (total - 1.0).abs() > 1e-9 {
            found.push(format!("{at}: probabilities sum to {total}"));
        }
        let samples = probe["samples"].as_u64().expect("a number of samples") as f64;
        let likely = distribution(&answer, &request);
        let likely = likely.into_iter().map(|(line, p)| (line, (p, p * (1.0 - p)))).collect();
        found.extend(check(&at, "answers", &probe["responses"], &likely, samples));
        if let Some(wanted) = probe.get("upstream_request_counts") {
            found.extend(check(&at, "requests received", wanted, &received(&answer), samples));
        }
        if samples == 1.0 && answer.outcomes.len() == 1 {
            found.extend(single(&at, probe, &answer, &request));
        }
    }
    found
}

/// The Gateway of the recording whose Envoy listens on that port.
fn entry(recorded: &Value, translation: &Translation) -> Entry {
    let port = recorded["port"].as_u64().unwrap_or(8000) as u16;
    let listener = translation.listeners.iter().find(|it| it.port == port);
    let gateway = listener.map_or("edge", |it| it.gateway.name.as_str());
    let host = recorded["host"].as_str().unwrap_or("example.com");
    match recorded["tls"] == true {
        true => Entry::https("infra", gateway, port, recorded["sni"].as_str().unwrap_or(host)),
        false => Entry::http("infra", gateway, port),
    }
}

fn request(recorded: &Value) -> Request {
    let text = |name: &str, default: &str| recorded[name].as_str().unwrap_or(default).to_owned();
    let mut headers = Vec::new();
    for (name, value) in recorded["headers"].as_object().into_iter().flatten() {
        match value {
            Value::Array(values) => {
                let values = values.iter().filter_map(Value::as_str);
                headers.extend(values.map(|value| (name.clone(), value.to_owned())));
            }
            value => headers.push((name.clone(), value.as_str().expect("a value").to_owned())),
        }
    }
    let host = text("host", "example.com");
    Request { method: text("method", "GET"), host, path: text("path", "/"), headers }
}

/// The tokens of the recording.
fn tokens() -> Tokens {
    let token = |tier: &str, verdict| {
        let claims = match tier {
            "" => BTreeMap::new(),
            tier => BTreeMap::from([("tier".to_owned(), tier.to_owned())]),
        };
        Token { issuer: "me".into(), audiences: Vec::new(), claims, verdict }
    };
    let all = [
        ("canary", token("canary", Verdict::Valid)),
        ("other-tier", token("gold", Verdict::Valid)),
        ("no-tier", token("", Verdict::Valid)),
        ("expired", token("canary", Verdict::Expired)),
        ("forged", token("canary", Verdict::Forged)),
    ];
    all.into_iter().map(|(name, token)| (format!("@jwt({name})"), token)).collect()
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let value = request.headers.iter().find(|(key, _)| key == name);
    value.map(|(_, value)| value.as_str())
}

/// How long the whole answer may take, and one attempt.
fn limits(answer: &Answer, outcome: &Outcome) -> (u64, Option<u64>) {
    let forwarded = answer.forwarded_to(outcome).expect("a backend received something");
    let whole = match forwarded.timeout.unwrap_or(ROUTE_TIMEOUT) {
        0 => u64::MAX,
        timeout => timeout,
    };
    (whole, forwarded.retry.as_ref().and_then(|retry| retry.per_try_timeout))
}

/// The backends of the recording answer 200 and their name unless told otherwise, and may be told to wait.
fn line(outcome: &Outcome, answer: &Answer, request: &Request) -> String {
    match outcome {
        Outcome::Refused => "connection refused".into(),
        Outcome::Closed => "tls refused".into(),
        Outcome::Unknown => "unknown".into(),
        Outcome::Status { status, body, .. } => format!("{status} {body}").trim_end().into(),
        Outcome::Endpoint { pod, .. } => {
            let delay: u64 = header(request, "x-delay-ms").map_or(0, |ms| ms.parse().expect("ms"));
            let (whole, attempt) = limits(answer, outcome);
            if delay > whole || attempt.is_some_and(|attempt| attempt > 0 && delay > attempt) {
                return "504 upstream request timeout".into();
            }
            let name = pod.as_ref().map(|pod| pod.name.as_str()).unwrap_or_default();
            format!("{} {name}", header(request, "x-status").unwrap_or("200"))
        }
    }
}

fn distribution(answer: &Answer, request: &Request) -> BTreeMap<String, f64> {
    let mut likely = BTreeMap::new();
    for (outcome, probability) in &answer.outcomes {
        let mut line = line(outcome, answer, request);
        if request.method == "HEAD" {
            line.truncate(3);
        }
        *likely.entry(line).or_default() += probability;
    }
    likely
}

/// How often each pod receives the request or its copies: the mean and the variance. A pod may receive several, each
/// drawn by itself.
fn received(answer: &Answer) -> BTreeMap<String, (f64, f64)> {
    let main = answer.outcomes.iter().map(|(outcome, probability)| (outcome, *probability));
    let copies = answer.mirrors.iter().flat_map(|copied| {
        copied
            .outcomes
            .iter()
            .map(move |(outcome, probability)| (outcome, probability * copied.share))
    });
    let mut likely: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (outcome, probability) in main.chain(copies) {
        if let Some(pod) = pod(outcome) {
            let (mean, variance) = likely.entry(pod).or_default();
            *mean += probability;
            *variance += probability * (1.0 - probability);
        }
    }
    likely
}

fn pod(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Endpoint { pod: Some(pod), .. } => Some(format!("{}/{}", pod.namespace, pod.name)),
        _ => None,
    }
}

/// Counts against means and variances: what is certain exactly, else within five standard deviations.
fn check(
    at: &str,
    what: &str,
    counts: &Value,
    likely: &BTreeMap<String, (f64, f64)>,
    samples: f64,
) -> Vec<String> {
    let mut found = Vec::new();
    let counts = counts.as_object().into_iter().flatten();
    let counts: BTreeMap<String, f64> =
        counts.map(|(line, count)| (line.clone(), count.as_f64().expect("a count"))).collect();
    for line in counts.keys().chain(likely.keys().filter(|line| !counts.contains_key(*line))) {
        let count = counts.get(line).copied().unwrap_or_default();
        let (probability, variance) = likely.get(line).copied().unwrap_or_default();
        let deviation = (samples * variance).max(0.0).sqrt();
        let tolerance =
            if samples == 1.0 && deviation > 0.0 { 1.0 } else { 5.0 * deviation + 1e-6 };
        if (count - samples * probability).abs() > tolerance {
            found.push(format!(
                "{at}: {what}: expected {count} of {samples} for {line:?}, got probability {probability}"
            ));
        }
    }
    found
}

/// What one request led to: headers of the answer, and what pods received.
fn single(at: &str, probe: &Value, answer: &Answer, request: &Request) -> Vec<String> {
    let mut found = Vec::new();
    let Some((outcome, _)) = answer.outcomes.first() else { return found };
    let got = response_headers(outcome, answer);
    let recorded = probe["response_headers"].as_object().into_iter().flatten();
    let wanted: BTreeMap<String, String> = recorded
        .filter(|(name, _)| *name != "transfer-encoding")
        .map(|(name, value)| (name.clone(), joined(value)))
        .collect();
    if wanted != got {
        found.push(format!("{at}: headers of the answer: expected {wanted:?}, got {got:?}"));
    }
    let mut wanted: Vec<String> = probe["upstream_requests"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| recorded_line(it, request))
        .collect();
    let text = probe["upstream_requests"].to_string();
    let unrecorded: Vec<&str> =
        ENVOYS.iter().filter(|name| !text.contains(**name)).copied().collect();
    let mut got = upstream(outcome, answer, request, &unrecorded);
    wanted.sort();
    got.sort();
    if wanted != got {
        found.push(format!("{at}: received: expected {wanted:?}, got {got:?}"));
    }
    found
}

fn response_headers(outcome: &Outcome, answer: &Answer) -> BTreeMap<String, String> {
    let mut headers = answer.response_headers.clone();
    match outcome {
        Outcome::Status { location: Some(location), .. } => {
            headers.push(("location".into(), location.clone()));
        }
        Outcome::Endpoint { cluster, .. } => {
            for edits in answer.response_edits.get(cluster).into_iter().flatten() {
                edits.apply(&mut headers);
            }
        }
        _ => {}
    }
    grouped(&headers)
}

fn grouped(headers: &[(String, String)]) -> BTreeMap<String, String> {
    let mut grouped: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        grouped.entry(name.to_ascii_lowercase()).or_default().push(value);
    }
    grouped.into_iter().map(|(name, values)| (name, values.join("|"))).collect()
}

/// A value, or several of one header.
fn joined(value: &Value) -> String {
    match value {
        Value::Array(values) => {
            let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            values.join("|")
        }
        value => value.as_str().unwrap_or_default().to_owned(),
    }
}

/// What pods received, one line each; an attempt is one.
fn upstream(
    outcome: &Outcome,
    answer: &Answer,
    request: &Request,
    unrecorded: &[&str],
) -> Vec<String> {
    let (Some(pod_name), Some(forwarded)) = (pod(outcome), answer.forwarded_to(outcome)) else {
        return Vec::new();
    };
    let headers: Vec<(String, String)> = forwarded
        .headers
        .iter()
        .filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            !UNRECORDED.iter().chain(unrecorded).any(|it| *it == name)
        })
        .cloned()
        .collect();
    let headers = grouped(&headers);
    let line = |pod: &str, host: &str| format!("{pod} {host} {} {headers:?}", forwarded.path);
    let attempts = attempts(outcome, answer, request);
    let mut lines = vec![line(&pod_name, &forwarded.host); attempts];
    for copied in answer.mirrors.iter().filter(|copied| copied.share == 1.0) {
        let pods = copied.outcomes.iter().filter_map(|(outcome, _)| pod(outcome));
        lines.extend(pods.map(|pod| line(&pod, &copied.host)));
    }
    lines
}

fn attempts(outcome: &Outcome, answer: &Answer, request: &Request) -> usize {
    let forwarded = answer.forwarded_to(outcome).expect("a backend received something");
    let Some(retry) = &forwarded.retry else { return 1 };
    let status: u16 = header(request, "x-status").map_or(200, |it| it.parse().expect("a status"));
    let delay: u64 = header(request, "x-delay-ms").map_or(0, |ms| ms.parse().expect("ms"));
    let (whole, attempt) = limits(answer, outcome);
    let too_late = attempt.is_some_and(|attempt| attempt > 0 && delay > attempt);
    // Only who tries again after a reset tries again after a timeout.
    let again = match too_late {
        true => retry.on.split(',').any(|it| it == "reset"),
        false => retry.statuses.contains(&status),
    };
    let most = (whole / attempt.filter(|_| too_late).unwrap_or(1).max(1)).saturating_add(1);
    let count = if again { u64::from(retry.count) + 1 } else { 1 };
    count.min(most) as usize
}

fn recorded_line(received: &Value, request: &Request) -> String {
    let text = |name: &str, default: &str| received[name].as_str().unwrap_or(default).to_owned();
    let headers = received["headers"].as_object().into_iter().flatten();
    let headers: BTreeMap<String, String> = headers
        .filter(|(name, _)| !UNRECORDED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), joined(value)))
        .collect();
    let (pod, host, path) =
        (text("pod", ""), text("host", &request.host), text("path", &request.path));
    format!("{pod} {host} {path} {headers:?}")
}
