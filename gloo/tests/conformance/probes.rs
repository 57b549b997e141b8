//! Compares the answers to requests.

use std::collections::BTreeMap;

use gloo::answer::ClientTls;
use gloo::{Answer, Entry, Outcome, Request, Translation, answer};
use serde_json::Value;

use crate::compare::Expected;
use crate::listeners::is_certificate_of;

/// Envoy's timeout of a route that sets none, in milliseconds.
const ROUTE_TIMEOUT: i64 = 15_000;

/// Envoy's answer when nobody is there: so are the fixed addresses of the recording.
const UNREACHABLE: &str = "503 upstream connect error or disconnect/reset before headers. \
                           reset reason: remote connection failure";

/// Envoy's answer when the backend speaks another protocol: those of the recording speak HTTP/1.1.
const MISUNDERSTOOD: &str = "502 upstream connect error or disconnect/reset before headers. \
                             reset reason: protocol error";

/// Where the answers differ.
pub(crate) fn differences(translation: &Translation, expected: &Expected<'_>) -> Vec<String> {
    let texts = Texts::read(expected.0);
    let mut found = Vec::new();
    for (index, probe) in expected.0["probes"].as_array().into_iter().flatten().enumerate() {
        let entry = entry(&probe["request"], translation);
        let request = request(&probe["request"]);
        let answer = answer(translation, &entry, &request);
        if answer.outcomes.iter().any(|(outcome, _)| *outcome == Outcome::Unknown) {
            continue;
        }
        let at = format!("probes[{index}] {} {}{}", request.method, request.host, request.path);
        let total: f64 = answer.outcomes.iter().map(|(_, probability)| probability).sum();
        if (total - 1.0).abs() > 1e-9 {
            found.push(format!("{at}: probabilities sum to {total}"));
        }
        let samples = probe["samples"].as_u64().expect("a number of samples") as f64;
        let likely = texts.distribution(&answer, &request, translation);
        found.extend(certificate(&at, &probe["tls"], &entry, translation));
        found.extend(check(&at, "answers", &probe["responses"], &likely, samples));
        if samples == 1.0 {
            found.extend(single(&at, probe, &answer));
        } else {
            let received = Texts::received(&answer);
            let wanted = &probe["upstream_request_counts"];
            found.extend(check(&at, "requests received", wanted, &received, samples));
        }
    }
    found
}

/// The listener of `gateway-proxy` on that port, or else of another proxy.
fn entry(recorded: &Value, translation: &Translation) -> Entry {
    let port = recorded["port"].as_u64().unwrap_or(8080) as u32;
    let listens = |proxy: &str| {
        let mut listeners = translation.listeners.iter();
        listeners.any(|it| it.port == port && it.proxy == proxy)
    };
    let others = translation.listeners.iter().find(|it| it.port == port);
    let proxy = match others.filter(|_| !listens("gateway-proxy")) {
        Some(other) => other.proxy.clone(),
        None => "gateway-proxy".to_owned(),
    };
    let tls = recorded.get("tls").map(|tls| ClientTls {
        server_name: tls["sni"].as_str().unwrap_or_default().to_owned(),
        has_certificate: tls.get("client_cert").is_some_and(|it| !it.is_null() && it != false),
    });
    Entry { proxy, tls, ..Entry::http(port) }
}

/// Where another certificate came back than the chain shows.
fn certificate(
    at: &str,
    recorded: &Value,
    entry: &Entry,
    translation: &Translation,
) -> Option<String> {
    let wanted = recorded["certificate"].as_str()?;
    let listener = entry.listener(&translation.listeners)?;
    let chain = entry.chain(listener)?;
    let right = is_certificate_of(chain, wanted);
    (!right).then(|| format!("{at}: expected the certificate of {wanted}, got {:?}", chain.tls))
}

fn request(recorded: &Value) -> Request {
    let text = |name: &str| recorded[name].as_str().expect("a string").to_owned();
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
    Request { method: text("method"), host: text("host"), path: text("path"), headers }
}

/// What each pod answers.
struct Texts(BTreeMap<String, String>);

impl Texts {
    fn read(expected: &Value) -> Self {
        let services = expected["endpoints"].as_object().into_iter().flatten();
        let entries = services.flat_map(|(_, entries)| entries.as_array().into_iter().flatten());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self(entries.map(|entry| (text(&entry["pod"]), text(&entry["text"]))).collect())
    }

    /// The backends of the recording answer 200 unless told otherwise, and may be told to wait.
    fn line(
        &self,
        outcome: &Outcome,
        answer: &Answer,
        request: &Request,
        translation: &Translation,
    ) -> String {
        let header = |name: &str| {
            let value = request.headers.iter().find(|(key, _)| key == name);
            value.map(|(_, value)| value.as_str())
        };
        match outcome {
            Outcome::Refused => "connection refused".into(),
            Outcome::Closed => "connection reset".into(),
            Outcome::TlsFailed => "tls failed".into(),
            Outcome::Unknown => "unknown".into(),
            Outcome::Status { status, body, .. } => format!("{status} {body}").trim_end().into(),
            Outcome::Endpoint { pod: None, .. } => UNREACHABLE.into(),
            Outcome::Endpoint { pod: Some(_), cluster, .. }
                if translation
                    .clusters
                    .iter()
                    .any(|it| it.name == *cluster && (it.http2 || it.proxy_protocol)) =>
            {
                MISUNDERSTOOD.into()
            }
            Outcome::Endpoint { pod: Some(pod), .. } => {
                let delay: i64 = header("x-delay-ms").map_or(0, |ms| ms.parse().expect("a number"));
                let forwarded = answer.forwarded.as_ref().expect("a backend received something");
                let whole = forwarded.timeout.map_or(ROUTE_TIMEOUT, |timeout| timeout.millis());
                let attempt = forwarded.retry.as_ref().and_then(|retry| retry.per_try_timeout);
                let limits = [whole, attempt.map_or(0, |timeout| timeout.millis())];
                if limits.iter().any(|limit| *limit > 0 && delay > *limit) {
                    return "504 upstream request timeout".into();
                }
                let text = &self.0[&format!("{}/{}", pod.namespace, pod.name)];
                format!("{} {text}", header("x-status").unwrap_or("200"))
            }
        }
    }

    fn distribution(
        &self,
        answer: &Answer,
        request: &Request,
        translation: &Translation,
    ) -> BTreeMap<String, f64> {
        let mut likely = BTreeMap::new();
        for (outcome, probability) in &answer.outcomes {
            let mut line = self.line(outcome, answer, request, translation);
            if request.method == "HEAD" {
                line.truncate(3);
            }
            *likely.entry(line).or_default() += probability;
        }
        likely
    }

    /// How likely each pod is to receive the request or its copy.
    fn received(answer: &Answer) -> BTreeMap<String, f64> {
        let main = answer.outcomes.iter().map(|(outcome, probability)| (outcome, *probability));
        let copies = answer.mirrors.iter().flat_map(|(share, outcomes)| {
            outcomes.iter().map(move |(outcome, probability)| (outcome, probability * share))
        });
        let mut likely = BTreeMap::new();
        for (outcome, probability) in main.chain(copies) {
            if let Outcome::Endpoint { pod: Some(pod), .. } = outcome {
                *likely.entry(format!("{}/{}", pod.namespace, pod.name)).or_default() +=
                    probability;
            }
        }
        likely
    }
}

/// A connection that ends without an answer ends in one of these ways; why TLS failed is not compared.
fn recorded_line(line: &str) -> String {
    match line {
        "closed without an answer" => "connection reset".to_owned(),
        line if line.starts_with("tls failed") => "tls failed".to_owned(),
        line => line.to_owned(),
    }
}

/// Counts against probabilities: 0 and 1 exactly, else within five standard deviations.
fn check(
    at: &str,
    what: &str,
    counts: &Value,
    likely: &BTreeMap<String, f64>,
    samples: f64,
) -> Vec<String> {
    let mut found = Vec::new();
    let counts: BTreeMap<String, f64> = counts
        .as_object()
        .into_iter()
        .flatten()
        .map(|(line, count)| (recorded_line(line), count.as_f64().expect("a count")))
        .collect();
    for line in counts.keys().chain(likely.keys().filter(|line| !counts.contains_key(*line))) {
        let count = counts.get(line).copied().unwrap_or_default();
        let probability = likely.get(line).copied().unwrap_or_default();
        let deviation = (samples * probability * (1.0 - probability)).max(0.0).sqrt();
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

/// What one request led to: path and host as the backend saw them, and where a redirect leads.
fn single(at: &str, probe: &Value, answer: &Answer) -> Vec<String> {
    let mut found = Vec::new();
    let location = answer.outcomes.iter().find_map(|(outcome, _)| match outcome {
        Outcome::Status { location, .. } => location.as_deref(),
        _ => None,
    });
    let wanted = probe["response_headers"]["location"].as_str();
    if location != wanted {
        found.push(format!("{at}: location: expected {wanted:?}, got {location:?}"));
    }
    let targets: Vec<String> = answer.outcomes.iter().filter_map(|(o, _)| pod(o)).collect();
    let requests = probe["upstream_requests"].as_array().into_iter().flatten();
    // A server of rate limits is asked, too.
    let is_asked =
        |r: &&Value| r["path"].as_str().is_some_and(|path| path.starts_with("/envoy.service."));
    let requests = requests.filter(|r| !is_asked(r));
    let main = requests.filter(|r| targets.iter().any(|pod| r["pod"] == pod.as_str()));
    let Some(forwarded) = &answer.forwarded else { return found };
    let shadowed = |host: &str| !answer.mirrors.is_empty() && host.contains("-shadow");
    for received in main.filter(|r| !shadowed(r["host"].as_str().unwrap_or_default())) {
        // The backend of the recording makes one slash of several leading ones.
        let path = format!("/{}", forwarded.path.trim_start_matches('/'));
        if received["path"] != path.as_str() {
            let (wanted, got) = (&received["path"], &path);
            found.push(format!("{at}: path received: expected {wanted}, got {got:?}"));
        }
        let host = forwarded.host.as_deref();
        if host.is_some_and(|host| received["host"] != host) {
            let wanted = &received["host"];
            found.push(format!("{at}: host received: expected {wanted}, got {host:?}"));
        }
    }
    found
}

fn pod(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Endpoint { pod: Some(pod), .. } => Some(format!("{}/{}", pod.namespace, pod.name)),
        _ => None,
    }
}
