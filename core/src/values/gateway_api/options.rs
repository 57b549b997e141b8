//! What of Gloo's route options an HTTPRoute can say.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::values::names::check_subdomain;

/// Gloo's route options as far as the Gateway API has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpOptions {
    /// How long a request may take, its retries included.
    pub timeout: Option<Duration>,
    /// How long one try may take.
    pub per_try_timeout: Option<Duration>,
    /// What is tried again.
    pub retries: Option<Retries>,
    /// What requests ask for instead.
    pub rewrite: Rewrite,
    /// What changes in the headers of requests.
    pub request_headers: HeaderEdits,
    /// What changes in the headers of responses.
    pub response_headers: HeaderEdits,
    /// Which other origins may use the answers.
    pub cors: Option<CorsRules>,
}

/// What requests ask for instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// The host.
    pub host: Option<String>,
    /// What stands for the prefix that matched, or for the exact path.
    pub path: Option<String>,
}

/// What is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How often, after the first try.
    pub attempts: u64,
    /// The statuses of answers that are not good enough, at least one.
    pub codes: Vec<u16>,
    /// The pause before the first of them.
    pub backoff: Option<Duration>,
}

/// Changes of headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Headers that replace what is there.
    pub set: Vec<(String, String)>,
    /// Headers beside what is there.
    pub add: Vec<(String, String)>,
    /// Headers that go.
    pub remove: Vec<String>,
}

/// Which other origins may use the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsRules {
    /// The origins.
    pub origins: Vec<String>,
    /// The methods.
    pub methods: Vec<String>,
    /// Headers of requests.
    pub headers: Vec<String>,
    /// Headers of responses.
    pub exposed: Vec<String>,
    /// How long a browser keeps the answer, in seconds.
    pub max_age: Option<u64>,
    /// Whether credentials are allowed.
    pub credentials: Option<bool>,
}

/// An option that cannot be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unsaid {
    /// The keys that lead to it from the options.
    pub(super) keys: Vec<String>,
    /// What is wrong with it.
    pub(super) message: String,
    /// What to write.
    pub(super) help: String,
}

/// What one of Gloo's options says, or what is wrong with it and what to write: first the keys below the option.
type Read<T> = Result<T, (Vec<&'static str>, String, String)>;

impl HttpOptions {
    /// Reads Gloo's route options; what cannot be said is passed over.
    pub fn of(options: &Map<String, Value>) -> Self {
        Self::read(options).0
    }

    /// Reads Gloo's route options, and lists what cannot be said.
    pub(super) fn read(options: &Map<String, Value>) -> (Self, Vec<Unsaid>) {
        let (mut read, mut unsaid) = (Self::default(), Vec::new());
        for (name, value) in options {
            if let Err((below, message, help)) = read.take(name, value) {
                let keys = [name.as_str()].into_iter().chain(below).map(str::to_owned).collect();
                unsaid.push(Unsaid { keys, message, help });
            }
        }
        if let (Some(all), Some(one)) = (read.timeout, read.per_try_timeout)
            && !all.is_zero()
            && one > all
        {
            read.per_try_timeout = None;
            unsaid.push(Unsaid {
                keys: ["retries", "perTryTimeout"].map(str::to_owned).to_vec(),
                message: "one try may take longer than the whole request".into(),
                help: "make it shorter than `timeout`: the Gateway API refuses it otherwise".into(),
            });
        }
        (read, unsaid)
    }

    fn take(&mut self, name: &str, value: &Value) -> Read<()> {
        match name {
            "timeout" => self.timeout = Some(duration(value).ok_or_else(|| of_time(vec![]))?),
            "retries" => {
                let (retries, per_try) = retries(value)?;
                (self.retries, self.per_try_timeout) = (Some(retries), per_try);
            }
            "prefixRewrite" => match value.as_str().filter(|path| path.starts_with('/')) {
                Some(path) => self.rewrite.path = Some(path.to_owned()),
                None => {
                    return wrong(
                        vec![],
                        "expected a path that begins with `/`",
                        "for example `/`",
                    );
                }
            },
            "hostRewrite" => {
                let host = value.as_str().unwrap_or_default();
                if check_subdomain("a host", host).is_err() {
                    let help = "an HTTPRoute takes a host without a port, in lower case: `echo.example.com`";
                    return wrong(vec![], &format!("expected a host, found {host:?}"), help);
                }
                self.rewrite.host = Some(host.to_owned());
            }
            "headerManipulation" => {
                (self.request_headers, self.response_headers) = header_edits(value)?;
            }
            "cors" => self.cors = Some(cors(value)?),
            "shadowing" => {
                let help = "write `canary: {shadow: PERCENT}`, which an HTTPRoute can say";
                return wrong(vec![], "`shadowing` names an Upstream of Gloo's", help);
            }
            _ => {
                let message = format!("an HTTPRoute has nothing for Gloo's option `{name}`");
                return wrong(
                    vec![],
                    &message,
                    "remove it; a policy of the gateway's own in platform/, with the HTTPRoute as its target, may say \
                     the same",
                );
            }
        }
        Ok(())
    }
}

fn wrong<T>(below: Vec<&'static str>, message: &str, help: &str) -> Read<T> {
    Err((below, message.to_owned(), help.to_owned()))
}

fn of_time(below: Vec<&'static str>) -> (Vec<&'static str>, String, String) {
    let help = "in seconds, down to a thousandth and up to 99999: `5s`, `0.5s`";
    (below, "expected a time that an HTTPRoute takes".into(), help.into())
}

/// A duration as protobuf writes it, in whole milliseconds.
fn duration(value: &Value) -> Option<Duration> {
    let (whole, fraction) = match value.as_str()?.strip_suffix('s')? {
        text if text.contains('.') => text.split_once('.')?,
        text => (text, ""),
    };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > 3 {
        return None;
    }
    let seconds: u64 = whole.parse().ok().filter(|seconds| *seconds <= 99_999)?;
    let milliseconds: u64 = format!("{fraction:0<3}").parse().ok()?;
    Some(Duration::from_millis(seconds * 1000 + milliseconds))
}

/// The fields of an option, each of which has to be one of `known`.
fn fields<'a>(value: &'a Value, known: &[&str]) -> Read<&'a Map<String, Value>> {
    let Some(fields) = value.as_object() else {
        return wrong(vec![], "expected a mapping", "see Gloo's route options");
    };
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(fields),
        Some(name) => {
            let message = format!("an HTTPRoute has nothing for `{name}`");
            wrong(vec![], &message, &format!("it can say {}", known.join(", ")))
        }
    }
}

/// Every status from 500 on that is registered
/// (<https://www.iana.org/assignments/http-status-codes/http-status-codes.xhtml>).
const SERVER_ERRORS: [u16; 11] = [500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511];

fn retries(value: &Value) -> Read<(Retries, Option<Duration>)> {
    let fields = fields(value, &["retryOn", "numRetries", "perTryTimeout", "retryBackOff"])?;
    let mut codes = Vec::new();
    let on = fields.get("retryOn").and_then(Value::as_str).unwrap_or_default();
    for condition in on.split(',').map(str::trim).filter(|condition| !condition.is_empty()) {
        match condition {
            "5xx" => codes.extend(SERVER_ERRORS),
            "gateway-error" => codes.extend([502, 503, 504]),
            "retriable-4xx" => codes.push(409),
            // Every implementation tries again what never got an answer.
            "connect-failure" | "refused-stream" | "reset" => {}
            _ => {
                let message = format!("an HTTPRoute has nothing for {condition:?}");
                let help = "it retries by status: `5xx`, `gateway-error` or `retriable-4xx`";
                return wrong(vec!["retryOn"], &message, help);
            }
        }
    }
    codes.sort_unstable();
    codes.dedup();
    if codes.is_empty() {
        // Without codes kgateway tries nothing again, and Envoy Gateway everything (case 05-retry).
        let help = "add `5xx`, `gateway-error` or `retriable-4xx` to `retryOn`";
        return wrong(vec![], "implementations disagree on retries without a status", help);
    }
    let attempts = match fields.get("numRetries") {
        None => 1,
        Some(number) => match number.as_u64() {
            Some(number) => number,
            None => return wrong(vec!["numRetries"], "expected a whole number", "for example 2"),
        },
    };
    let time = |below: &'static str, value: Option<&Value>| {
        value.map(|it| duration(it).ok_or_else(|| of_time(vec![below]))).transpose()
    };
    let per_try = time("perTryTimeout", fields.get("perTryTimeout"))?;
    let backoff = match fields.get("retryBackOff") {
        None => None,
        Some(backoff) => {
            let known = self::fields(backoff, &["baseInterval"])
                .map_err(|(_, message, help)| (vec!["retryBackOff"], message, help))?;
            time("retryBackOff", known.get("baseInterval"))?
        }
    };
    Ok((Retries { attempts, codes, backoff }, per_try))
}

fn header_edits(value: &Value) -> Read<(HeaderEdits, HeaderEdits)> {
    const KEYS: [&str; 4] = [
        "requestHeadersToAdd",
        "requestHeadersToRemove",
        "responseHeadersToAdd",
        "responseHeadersToRemove",
    ];
    let fields = fields(value, &KEYS)?;
    let [request_add, request_remove, response_add, response_remove] = KEYS;
    let edits = |add: &'static str, remove: &'static str| -> Read<HeaderEdits> {
        let mut edits = HeaderEdits::default();
        let list = |key: &'static str| match fields.get(key) {
            None | Some(Value::Null) => Ok(&[][..]),
            Some(Value::Array(items)) if items.len() <= MOST_HEADERS => Ok(items.as_slice()),
            Some(_) => {
                let message = format!("expected a list of at most {MOST_HEADERS}");
                wrong(vec![key], &message, "an HTTPRoute changes no more headers than that")
            }
        };
        for item in list(add)? {
            let (name, value, append) =
                added_header(item).map_err(|(message, help)| (vec![add], message, help))?;
            let known = edits.set.iter().chain(&edits.add);
            let is_same = |(other, _): &(String, String)| other.eq_ignore_ascii_case(&name);
            if known.clone().any(is_same) {
                let message = format!("the header {name} is listed twice");
                return wrong(vec![add], &message, "an HTTPRoute changes a header once");
            }
            let to = if append { &mut edits.add } else { &mut edits.set };
            to.push((name, value));
        }
        for item in list(remove)? {
            let name = item.as_str().unwrap_or_default();
            if let Err((message, help)) = check_name(name) {
                return wrong(vec![remove], &message, &help);
            }
            edits.remove.push(name.to_owned());
        }
        Ok(edits)
    };
    Ok((edits(request_add, request_remove)?, edits(response_add, response_remove)?))
}

/// A modifier of an HTTPRoute changes no more headers than this, of each sort.
const MOST_HEADERS: usize = 16;

/// A header that is added: its name, its value, and whether the one that is there stays.
fn added_header(item: &Value) -> Result<(String, String, bool), (String, String)> {
    let said = |message: &str, help: &str| Err((message.to_owned(), help.to_owned()));
    if let Some(key) = item
        .as_object()
        .and_then(|it| it.keys().find(|key| !["header", "append"].contains(&key.as_str())))
    {
        return said(
            &format!("an HTTPRoute has nothing for `{key}`"),
            "write `header: {key: NAME, value: VALUE}` and, if need be, `append: false`",
        );
    }
    let (name, value) = (&item["header"]["key"], &item["header"]["value"]);
    let (Some(name), Some(value)) = (name.as_str(), value.as_str()) else {
        return said(
            "expected a header with `key` and `value`",
            "for example `{header: {key: x-team, value: a}}`",
        );
    };
    check_name(name)?;
    if value.is_empty() || value.contains('%') {
        // Cases 07-header-value-percent: both implementations freeze for every team.
        return said(
            &format!("the value {value:?} of {name} is one that an HTTPRoute cannot carry"),
            "write a value that is not empty and has no `%`: with one, no route of the listener changes any more",
        );
    }
    Ok((name.to_owned(), value.to_owned(), item["append"].as_bool().unwrap_or(true)))
}

/// Whether a modifier may change the header. One that changes Host freezes kgateway (case 07-header-host).
fn check_name(name: &str) -> Result<(), (String, String)> {
    if !is_token(name) || name.eq_ignore_ascii_case("host") {
        return Err((
            format!("an HTTPRoute cannot change the header {name:?}"),
            "for the host there is `hostRewrite`, for the path `prefixRewrite`".into(),
        ));
    }
    Ok(())
}

/// Whether the Gateway API takes this as the name of a header or query parameter.
pub(super) fn is_token(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.len() <= 256 && name.bytes().all(allowed)
}

fn cors(value: &Value) -> Read<CorsRules> {
    let fields = fields(
        value,
        &[
            "allowOrigin",
            "allowMethods",
            "allowHeaders",
            "exposeHeaders",
            "maxAge",
            "allowCredentials",
        ],
    )?;
    let list = |key: &'static str| -> Read<Vec<String>> {
        let items = match fields.get(key) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(items) => items.as_array(),
        };
        let texts = items.and_then(|items| {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        match texts {
            Some(texts) if texts.iter().any(|it| it == "*") && texts.len() > 1 => {
                wrong(vec![key], "`*` stands beside others", "write `*` alone, or name them all")
            }
            Some(texts) => Ok(texts),
            None => wrong(vec![key], "expected a list of texts", "for example `[GET]`"),
        }
    };
    let max_age = match fields.get("maxAge") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let seconds = value.as_str().map_or_else(|| value.as_u64(), |it| it.parse().ok());
            match seconds.filter(|seconds| *seconds > 0) {
                Some(seconds) => Some(seconds),
                None => {
                    let help = "for example `\"86400\"` for a day";
                    return wrong(vec!["maxAge"], "expected whole seconds, at least 1", help);
                }
            }
        }
    };
    Ok(CorsRules {
        origins: list("allowOrigin")?,
        methods: list("allowMethods")?,
        headers: list("allowHeaders")?,
        exposed: list("exposeHeaders")?,
        max_age,
        credentials: fields.get("allowCredentials").and_then(Value::as_bool),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(options: Value) -> (HttpOptions, Vec<String>) {
        let options = options.as_object().cloned().expect("a mapping");
        let (read, unsaid) = HttpOptions::read(&options);
        (read, unsaid.iter().map(|it| format!("{}: {}", it.keys.join("."), it.message)).collect())
    }

    #[test]
    fn times_are_whole_milliseconds() {
        let of = |text: &str| duration(&json!(text)).map(|it| it.as_millis());
        assert_eq!(["5s", "0.5s", "1.250s", "0s"].map(of), [5000, 500, 1250, 0].map(Some));
        for wrong in ["", "s", "5", "5m", "1.0005s", "-1s", "100000s", "1e3s", ".5s"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_an_http_route_has_is_read() {
        let (options, unsaid) = read(json!({
            "timeout": "5s", "prefixRewrite": "/", "hostRewrite": "echo.example.com",
            "retries": {"retryOn": "gateway-error,connect-failure", "numRetries": 2, "perTryTimeout": "1s",
                "retryBackOff": {"baseInterval": "0.025s"}},
            "headerManipulation": {
                "requestHeadersToAdd": [{"header": {"key": "a", "value": "1"}},
                    {"header": {"key": "b", "value": "2"}, "append": false}],
                "responseHeadersToRemove": ["server"]},
            "cors": {"allowOrigin": ["https://a.example"], "allowMethods": ["GET"], "maxAge": "60"},
        }));
        assert_eq!(unsaid, [""; 0]);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(options.timeout, Some(Duration::from_secs(5)));
        assert_eq!(options.per_try_timeout, Some(Duration::from_secs(1)));
        let retries = options.retries.expect("retries");
        assert_eq!((retries.attempts, retries.codes), (2, vec![502, 503, 504]));
        assert_eq!(retries.backoff, Some(Duration::from_millis(25)));
        assert_eq!(options.request_headers.add, [pair("a", "1")]);
        assert_eq!(options.request_headers.set, [pair("b", "2")]);
        assert_eq!(options.response_headers.remove, ["server"]);
        assert_eq!(options.cors.expect("cors").max_age, Some(60));
    }

    #[test]
    fn what_it_has_not_is_said_by_its_key() {
        let header = |value: &str| json!([{"header": {"key": "x", "value": value}}]);
        for (options, expected) in [
            (json!({"faults": {}}), "faults: an HTTPRoute has nothing for Gloo's option `faults`"),
            (json!({"timeout": "5m"}), "timeout: expected a time"),
            (json!({"retries": {"numRetries": 3}}), "retries: implementations disagree"),
            (
                json!({"retries": {"retryOn": "cancelled"}}),
                "retries.retryOn: an HTTPRoute has nothing",
            ),
            (
                json!({"timeout": "1s", "retries": {"retryOn": "5xx", "perTryTimeout": "2s"}}),
                "retries.perTryTimeout: ",
            ),
            (json!({"hostRewrite": "echo:80"}), "hostRewrite: expected a host"),
            (json!({"prefixRewrite": ""}), "prefixRewrite: expected a path"),
            (
                json!({"headerManipulation": {"requestHeadersToAdd": header("%")}}),
                "headerManipulation.requestHeadersToAdd: the value \"%\" of x",
            ),
            (
                json!({"headerManipulation": {"requestHeadersToRemove": ["Host"]}}),
                "headerManipulation.requestHeadersToRemove: an HTTPRoute cannot change",
            ),
            (
                json!({"cors": {"allowOriginRegex": ["a"]}}),
                "cors: an HTTPRoute has nothing for `allowOriginRegex`",
            ),
            (json!({"shadowing": {}}), "shadowing: "),
        ] {
            let (_, unsaid) = read(options.clone());
            assert!(unsaid.len() == 1 && unsaid[0].starts_with(expected), "{options}: {unsaid:?}");
        }
    }
}
