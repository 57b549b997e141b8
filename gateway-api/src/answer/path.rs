use super::outcome::Outcome;
use crate::Request;

pub(super) use gloo::answer::split;

/// The methods that Envoy reads.
const METHODS: &[&str] = &[
    "ACL",
    "BIND",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MOVE",
    "MSEARCH",
    "NOTIFY",
    "OPTIONS",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "PUT",
    "REBIND",
    "REPORT",
    "SEARCH",
    "SOURCE",
    "SUBSCRIBE",
    "TRACE",
    "UNBIND",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
];

/// What Envoy reads in the first line of a request.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// A path that routes are compared with.
    Path(String),
    /// It answers before any route is looked at.
    Answered(Outcome),
}

/// The path as both implementations have Envoy see it, unless it answers right away: 400 to what is no request, and
/// with `redirects_escaped_slashes` a redirect to the path with plain slashes.
pub(super) fn read(request: &Request, redirects_escaped_slashes: bool) -> Read {
    let refused = |body| Read::Answered(Outcome::status(400, body));
    let Request { method, path, .. } = request;
    if !METHODS.contains(&method.as_str()) || (path == "*" && method != "OPTIONS") {
        return refused("Bad Request");
    }
    if path.contains('#') {
        return refused("");
    }
    let unescaped = match redirects_escaped_slashes {
        true => unescape(path),
        false => path.clone(),
    };
    match normalize(&unescaped) {
        None => refused(""),
        Some(location) if unescaped != *path => Read::Answered(Outcome::Status {
            status: 307,
            body: String::new(),
            location: Some(location),
        }),
        Some(path) => Read::Path(path),
    }
}

/// A path with plain slashes for `%2F` and `%5C`; the query stays.
fn unescape(path: &str) -> String {
    let (path, query) = split(path);
    let mut out = path.to_owned();
    for (escaped, plain) in [("%2F", "/"), ("%2f", "/"), ("%5C", "\\"), ("%5c", "\\")] {
        out = out.replace(escaped, plain);
    }
    out + query
}

/// As with Gloo (`normalize_path`), and then one slash for several (`merge_slashes`). `None`: Envoy answers 400.
fn normalize(path: &str) -> Option<String> {
    let path = gloo::answer::normalize(path)?;
    let (path, query) = split(&path);
    if !path.contains("//") {
        return Some(path.to_owned() + query);
    }
    // Nothing but slashes becomes two of them.
    let slash = |is: bool| if is { "/" } else { "" };
    let elements: Vec<&str> = path.split('/').filter(|element| !element.is_empty()).collect();
    let (before, after) = (slash(path.starts_with('/')), slash(path.ends_with('/')));
    Some(format!("{before}{}{after}{query}", elements.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_resolved_slashes_merged_and_unreserved_characters_decoded() {
        for (path, expected) in [
            ("/a/../foo", "/foo"),
            ("/%66oo?x=%66", "/foo?x=%66"),
            ("/a/./b/..", "/a/"),
            ("/..", "/"),
            ("//a///b//", "/a/b/"),
            ("//", "//"),
            (r"/a\b", "/a/b"),
            ("/a%2Fb", "/a%2Fb"),
            ("/", "/"),
            ("/?a//b", "/?a//b"),
            ("*", "*"),
            // Dots go before slashes are merged, and what does not belong into a path is encoded.
            ("/a//../b", "/a/b"),
            ("/\u{e9}{b}", "/%C3%A9%7Bb%7D"),
        ] {
            assert_eq!(normalize(path).unwrap(), expected);
        }
        assert_eq!(normalize("/a%00"), None);
    }

    fn request(method: &str, path: &str) -> Request {
        let (method, path) = (method.into(), path.into());
        Request { method, host: "a.test".into(), path, headers: Vec::new() }
    }

    #[test]
    fn what_is_no_request_is_answered_400() {
        let status = |method, path| match read(&request(method, path), false) {
            Read::Answered(Outcome::Status { status, body, .. }) => Some((status, body)),
            _ => None,
        };
        let refused = |body: &str| Some((400, body.to_owned()));
        assert_eq!(status("get", "/"), refused("Bad Request"));
        assert_eq!(status("GET", "*"), refused("Bad Request"));
        assert_eq!(status("GET", "/a#b"), refused(""));
        assert_eq!(status("GET", "/%00"), refused(""));
        assert_eq!(status("OPTIONS", "*"), None);
        assert_eq!(status("PROPFIND", "/a%2Fb"), None);
    }

    #[test]
    fn an_escaped_slash_is_redirected_where_the_listener_says_so() {
        let location = |path| match read(&request("GET", path), true) {
            Read::Answered(Outcome::Status { status: 307, location, .. }) => location,
            _ => None,
        };
        assert_eq!(location("/a%2Fb%2f?x=%2f").as_deref(), Some("/a/b/?x=%2f"));
        assert_eq!(location("/a%5Cb").as_deref(), Some("/a/b"));
        assert_eq!(location("/a/b?%2F"), None);
    }
}
