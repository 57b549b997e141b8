//! Requests that are answered otherwise afterwards.

use gloo::Request;
use serde::Serialize;

/// Something that is answered otherwise afterwards.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// What is otherwise.
    pub kind: Kind,
    /// What to do about it.
    pub next: &'static str,
    /// A command that makes such a request, the address of the gateway left to the name.
    pub request: String,
    /// Who answers it now.
    pub before: String,
    /// Who answers it afterwards.
    pub after: String,
    /// The pods that have to be missing for it, for example `version=v2`; none where all are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// The object whose route takes the request now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The implementation that answers otherwise, where the objects are for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implementation: Option<&'static str>,
    /// How many of the requests that were asked are answered otherwise in the same way.
    pub count: usize,
    /// Whether the person has accepted it.
    pub accepted: bool,
}

/// What is otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A prefix takes paths letter by letter in Gloo, and by whole elements in an HTTPRoute.
    PrefixByElement,
    /// Other pods answer, or others of them with other shares.
    Answer,
    /// The same while all pods are ready, and other pods answer while those of one version are missing.
    MissingPods,
    /// A host with a port is taken by its name alone afterwards.
    Port,
    /// Several slashes in a path are one afterwards.
    Slashes,
    /// The pods get another path.
    Path,
    /// The pods get another host.
    Host,
    /// The pods get other headers.
    Headers,
    /// An answer may take another time.
    Timeout,
    /// Other pods get copies, or of another share of requests.
    Copies,
    /// A redirect leads to another place.
    Location,
    /// The client gets other headers.
    ResponseHeaders,
    /// A browser's preflight request of an origin that is not allowed reaches the pods in Gloo, and none afterwards.
    Preflight,
    /// One of the models does not know who answers.
    Unknown,
}

impl Difference {
    /// Whether the same pods answer as with another difference, now and afterwards.
    pub(super) fn is_answered_like(&self, other: &Self) -> bool {
        let same = |one: &str, other: &str| without_location(one) == without_location(other);
        same(&self.before, &other.before) && same(&self.after, &other.after)
    }
}

/// The status of a redirect without the place, which every path has another of.
fn without_location(answer: &str) -> &str {
    answer.split_once(" to http").map_or(answer, |(status, _)| status)
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::PrefixByElement,
        Self::Answer,
        Self::MissingPods,
        Self::Port,
        Self::Slashes,
        Self::Path,
        Self::Host,
        Self::Headers,
        Self::Timeout,
        Self::Copies,
        Self::Location,
        Self::ResponseHeaders,
        Self::Preflight,
        Self::Unknown,
    ];

    /// The name, as `--accept` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PrefixByElement => "prefix-by-element",
            Self::Answer => "answer",
            Self::MissingPods => "missing-pods",
            Self::Port => "port",
            Self::Slashes => "slashes",
            Self::Path => "path",
            Self::Host => "host",
            Self::Headers => "headers",
            Self::Timeout => "timeout",
            Self::Copies => "copies",
            Self::Location => "location",
            Self::ResponseHeaders => "response-headers",
            Self::Preflight => "preflight",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the same pods answer, and get something else.
    pub(super) fn is_about_pods(self) -> bool {
        matches!(
            self,
            Self::Slashes
                | Self::Path
                | Self::Host
                | Self::Headers
                | Self::Timeout
                | Self::Copies
                | Self::ResponseHeaders
                | Self::Preflight
        )
    }

    /// What is otherwise, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::PrefixByElement => "a prefix by letters in Gloo, by elements afterwards",
            Self::Answer => "another answer",
            Self::MissingPods => "another answer while pods are missing",
            Self::Port => "a host with a port, taken by its name afterwards",
            Self::Slashes => "several slashes are one afterwards",
            Self::Path => "another path for the pods",
            Self::Host => "another host for the pods",
            Self::Headers => "other headers for the pods",
            Self::Timeout => "another timeout",
            Self::Copies => "other copies",
            Self::Location => "a redirect to another place",
            Self::ResponseHeaders => "other headers for the client",
            Self::Preflight => {
                "the gateway answers a preflight request of an origin that is not allowed"
            }
            Self::Unknown => "not known",
        }
    }

    /// What to do about it.
    pub fn next(self) -> &'static str {
        match self {
            Self::PrefixByElement => {
                "nothing, if nobody asks for such paths; otherwise add a rule with a RegularExpression for them"
            }
            Self::Answer => {
                "where two routes take a request Gloo goes by their order and an HTTPRoute by the more particular match: \
                 write a rule for these requests by hand"
            }
            Self::MissingPods => {
                "keep pods of the version ready for as long as a route names it, or take its weight away first"
            }
            Self::Port => "nothing, if Gloo's answer for such hosts is a 404 that nobody needs",
            Self::Slashes => "nothing, unless pods tell such paths apart",
            Self::Path => "give the pods the path that they know, or change the rewrite by hand",
            Self::Host | Self::Headers | Self::ResponseHeaders => {
                "change the filters of the rule by hand"
            }
            Self::Timeout => "set timeouts.request of the rule by hand",
            Self::Copies => "change the filter RequestMirror of the rule by hand",
            Self::Location => {
                "change the filter RequestRedirect of the rule by hand, if clients notice"
            }
            Self::Preflight => "nothing, unless pods answer such requests by themselves",
            Self::Unknown => "try this request on both gateways",
        }
    }
}

/// The command that makes a request, for a shell.
pub(super) fn command(request: &Request) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let mut command = "curl".to_owned();
    if request.method != "GET" {
        command += &format!(" -X {}", quoted(&request.method));
    }
    for (name, value) in &request.headers {
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        command += &format!(" -H {}", quoted(&header));
    }
    format!("{command} {}", quoted(&format!("http://{}{}", request.host, request.path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_quoted_for_a_shell() {
        let request = Request {
            method: "POST".into(),
            host: "a.example".into(),
            path: "/it's?b=1".into(),
            headers: vec![("stage".into(), "canary".into()), ("empty".into(), String::new())],
        };
        let expected =
            r"curl -X 'POST' -H 'stage: canary' -H 'empty;' 'http://a.example/it'\''s?b=1'";
        assert_eq!(command(&request), expected);
    }
}
