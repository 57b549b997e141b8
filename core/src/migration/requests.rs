//! The classes of requests that routes tell apart, and one request of each.

use std::collections::BTreeSet;

use gloo::Request;
use gloo::config::{CorsPolicy, PathMatch, Route, ValueMatch, VirtualHost};
use regex_syntax::hir::{Class, Hir, HirKind};

/// The most requests of one virtual host.
const MOST: usize = 100_000;

/// Requests, and whether some were left out.
pub(super) struct Requests {
    pub(super) all: Vec<Request>,
    pub(super) is_cut: bool,
}

/// A header or parameter with each value that is tried; `None` is without it.
type Tried = (String, Vec<Option<String>>);

/// One request of every class that the routes of a virtual host tell apart: its hosts, with the boundaries of every
/// path, and for each path every method, header and parameter that a route of that path names, as they are wanted,
/// otherwise, and not at all.
pub(super) fn of_host(host: &VirtualHost) -> Requests {
    let mut paths = BTreeSet::from(["/", "/somewhere/else", "/somewhere//else"].map(str::to_owned));
    paths.extend(host.routes.iter().filter_map(|it| it.matcher.path.as_ref()).flat_map(boundaries));
    let hosts: BTreeSet<String> = host.domains.iter().flat_map(|it| examples(it)).collect();
    let mut requests = Requests { all: Vec::new(), is_cut: false };
    for path in &paths {
        let classes = Classes::of(host, path);
        requests.is_cut |= classes.is_cut;
        for name in &hosts {
            for (method, headers) in classes.attempts() {
                for query in &classes.query {
                    if requests.all.len() == MOST {
                        requests.is_cut = true;
                        return requests;
                    }
                    requests.all.push(Request {
                        method: method.to_owned(),
                        host: name.clone(),
                        path: with_query(path, query),
                        headers: headers.clone(),
                    });
                }
            }
        }
    }
    requests
}

/// Names with their values.
type Pairs = Vec<(String, String)>;

/// What is tried with one path.
struct Classes {
    methods: Vec<String>,
    headers: Vec<Pairs>,
    query: Vec<Pairs>,
    /// Origins of browsers that ask before they send a request.
    origins: BTreeSet<String>,
    is_cut: bool,
}

impl Classes {
    fn of(host: &VirtualHost, path: &str) -> Self {
        let (mut headers, mut query): (Vec<Tried>, Vec<Tried>) = (Vec::new(), Vec::new());
        let mut methods: BTreeSet<String> = BTreeSet::new();
        let plain = path.split('?').next().unwrap_or_default();
        let forms = [plain.to_owned(), plain.replace("//", "/")];
        let might = |it: &&Route| {
            it.matcher.path.as_ref().is_none_or(|it| forms.iter().any(|path| might_take(it, path)))
        };
        let mut origins = BTreeSet::new();
        for route in host.routes.iter().filter(might) {
            origins.extend(route.cors.iter().chain(&host.cors).flat_map(origins_of));
            for header in &route.matcher.headers {
                match header.name.as_str() {
                    ":method" => methods.extend(texts(&header.value)),
                    name if name.starts_with(':') => {}
                    name => add(&mut headers, &name.to_ascii_lowercase(), &header.value),
                }
            }
            for parameter in &route.matcher.query {
                add(&mut query, &parameter.name, &parameter.value);
            }
        }
        let other = ["GET", "PATCH"].map(str::to_owned);
        if methods.is_empty() {
            methods.insert("GET".to_owned());
        } else {
            methods.extend(other);
        }
        let (headers, headers_cut) = combined(&headers);
        let (query, query_cut) = combined(&query);
        let methods = methods.into_iter().collect();
        Self { methods, headers, query, origins, is_cut: headers_cut || query_cut }
    }

    /// Methods with headers, and the preflight requests of browsers.
    fn attempts(&self) -> Vec<(&str, Pairs)> {
        let mut attempts = Vec::new();
        for headers in &self.headers {
            let plain = self.methods.iter().map(|method| (method.as_str(), headers.clone()));
            attempts.extend(plain);
            for origin in &self.origins {
                let own = [("origin", origin.as_str()), ("access-control-request-method", "GET")];
                let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
                attempts.push(("OPTIONS", [headers.as_slice(), &own].concat()));
            }
        }
        attempts
    }
}

/// Whether a route with this condition takes the path in Gloo, or its rule might afterwards.
fn might_take(condition: &PathMatch, path: &str) -> bool {
    let by_element = match condition {
        PathMatch::Prefix(prefix) => path.starts_with(prefix.trim_end_matches('/')),
        _ => false,
    };
    by_element || condition.takes(path)
}

fn with_query(path: &str, query: &[(String, String)]) -> String {
    let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// Origins that cross-origin rules allow, and one that they do not name.
fn origins_of(policy: &CorsPolicy) -> Vec<String> {
    let other = "https://elsewhere.example";
    let named = policy.rules.allow_origin.iter().map(String::as_str).filter(|it| *it != "*");
    named.chain([other]).map(str::to_owned).collect()
}

/// Paths at which a condition begins or ends to hold.
fn boundaries(path: &PathMatch) -> Vec<String> {
    let around = |text: &str| {
        let plain = text.strip_suffix('/').unwrap_or(text);
        let all = [
            text.to_owned(),
            plain.to_owned(),
            format!("{plain}/"),
            format!("{plain}/more"),
            format!("{plain}more"),
            format!("{plain}//more"),
            text.replace('/', "//"),
            format!("{text}more"),
            format!("{plain}/more/still?a=b"),
            plain.get(..plain.len().saturating_sub(1)).unwrap_or_default().to_owned(),
            plain.to_ascii_uppercase(),
        ];
        all.into_iter().filter(|it| it.starts_with('/')).collect::<Vec<_>>()
    };
    match path {
        PathMatch::Prefix(text) | PathMatch::Exact(text) => around(text),
        PathMatch::Regex(expression) => {
            samples(expression).iter().flat_map(|it| around(it)).collect()
        }
        PathMatch::Connect => Vec::new(),
    }
}

/// Hosts that a domain takes, and one beside it.
fn examples(domain: &str) -> Vec<String> {
    match (domain, domain.strip_prefix('*'), domain.strip_suffix('*')) {
        ("*", ..) => vec!["anything.example".to_owned()],
        (_, Some(end), _) => {
            let name = end.trim_start_matches('.');
            vec![format!("a{end}"), format!("a.b{end}"), name.to_owned()]
        }
        (_, _, Some(start)) => vec![format!("{start}example")],
        (name, ..) => {
            let bare = name.split(':').next().unwrap_or_default();
            vec![name.to_owned(), bare.to_owned(), format!("{bare}:8080")]
        }
    }
}

/// Values that fit.
fn texts(wanted: &ValueMatch) -> Vec<String> {
    match wanted {
        ValueMatch::Present => vec!["anything".to_owned(), String::new()],
        ValueMatch::Exact(text) => vec![text.clone()],
        ValueMatch::Regex(expression) => samples(expression),
    }
}

fn add(tried: &mut Vec<Tried>, name: &str, wanted: &ValueMatch) {
    let index = tried.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        tried.push((name.to_owned(), vec![None, Some("another".to_owned()), Some(String::new())]));
        tried.len() - 1
    });
    let Some((_, values)) = tried.get_mut(index) else { return };
    for text in texts(wanted) {
        for value in [text.clone(), format!("{text}x")] {
            if !values.contains(&Some(value.clone())) {
                values.push(Some(value));
            }
        }
    }
}

/// Every combination of values; beyond a limit those of the first names alone.
fn combined(tried: &[Tried]) -> (Vec<Pairs>, bool) {
    const MOST_COMBINATIONS: usize = 2_000;
    let mut all: Vec<Pairs> = vec![Vec::new()];
    for (name, values) in tried {
        if all.len() * values.len() > MOST_COMBINATIONS {
            return (all, true);
        }
        let with = |known: &Pairs| {
            let known = known.clone();
            values.iter().map(move |value| {
                let mut known = known.clone();
                known.extend(value.clone().map(|value| (name.clone(), value)));
                known
            })
        };
        all = all.iter().flat_map(with).collect();
    }
    (all, false)
}

/// Texts that an expression takes: the shortest, and one in which what may repeat is there once.
fn samples(expression: &str) -> Vec<String> {
    let Ok(parsed) = regex_syntax::parse(expression) else { return vec![expression.to_owned()] };
    let mut all: Vec<String> = match parsed.kind() {
        HirKind::Alternation(parts) => parts.iter().map(|part| sample(part, false)).collect(),
        _ => vec![sample(&parsed, false)],
    };
    all.push(sample(&parsed, true));
    all.dedup();
    all
}

fn sample(hir: &Hir, more: bool) -> String {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => String::new(),
        HirKind::Literal(literal) => String::from_utf8_lossy(&literal.0).into_owned(),
        HirKind::Class(Class::Unicode(class)) => {
            let is_plain = |c: char| c.is_ascii_alphanumeric();
            let mut starts = class.ranges().iter().map(|range| (range.start(), range.end()));
            let plain = starts.clone().find(|(start, _)| is_plain(*start)).map(|(start, _)| start);
            let wide = starts.clone().find(|(start, end)| *start <= 'a' && 'a' <= *end);
            let first = starts.next().map(|(start, _)| start);
            let chosen = plain.or(wide.map(|_| 'a')).or(first);
            chosen.map(String::from).unwrap_or_default()
        }
        HirKind::Class(Class::Bytes(class)) => {
            let start = class.ranges().first().map(|range| char::from(range.start()));
            start.map(String::from).unwrap_or_default()
        }
        HirKind::Repetition(repetition) => {
            let once = u32::from(more && repetition.max != Some(0));
            let count = usize::try_from(repetition.min.max(once)).unwrap_or_default();
            sample(&repetition.sub, more).repeat(count)
        }
        HirKind::Capture(capture) => sample(&capture.sub, more),
        HirKind::Concat(parts) => parts.iter().map(|part| sample(part, more)).collect(),
        HirKind::Alternation(parts) => {
            let part = if more { parts.last() } else { parts.first() };
            part.map(|part| sample(part, more)).unwrap_or_default()
        }
    }
}
