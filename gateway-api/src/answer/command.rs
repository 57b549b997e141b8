//! The commands that Envoy reads in the values of headers.

use crate::Request;
use crate::config::{HeaderEdit, HeaderEdits};

/// The changes with the values that Envoy gives its commands for a request. A value that cannot be told stands as `…`.
pub(super) fn evaluated(edits: &HeaderEdits, request: &Request) -> HeaderEdits {
    let one = |edit: &HeaderEdit| HeaderEdit { value: value(&edit.value, request), ..edit.clone() };
    HeaderEdits { remove: edits.remove.clone(), add: edits.add.iter().map(one).collect() }
}

/// Still in Envoy's notation, where a percent sign is written twice.
fn value(text: &str, request: &Request) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let Some((command, behind)) = after.split_once('%') else { return text.to_owned() };
        match command {
            "" => out.push_str("%%"),
            command => out.push_str(&of_command(command, request).replace('%', "%%")),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn of_command(command: &str, request: &Request) -> String {
    let named = command.strip_prefix("REQ(").and_then(|rest| rest.strip_suffix(')'));
    let known = match (command, named) {
        ("PROTOCOL", _) => Some("HTTP/1.1"),
        (_, Some(name)) => match name.to_ascii_lowercase().as_str() {
            ":path" => Some(request.path.as_str()),
            ":method" => Some(request.method.as_str()),
            ":authority" | "host" => Some(request.host.as_str()),
            name => {
                let mut all = request.headers.iter();
                let found = all.find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.as_str())
            }
        },
        _ => None,
    };
    known.unwrap_or("…").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_about_the_request_have_values() {
        let request = Request {
            method: "GET".into(),
            host: "a.test".into(),
            path: "/x%20y?q".into(),
            headers: vec![("x-a".into(), "1".into())],
        };
        for (text, expected) in [
            ("plain", "plain"),
            ("50%%", "50%%"),
            ("%REQ(:path)% %REQ(X-A)%", "/x%%20y?q 1"),
            ("%PROTOCOL%", "HTTP/1.1"),
            ("a %START_TIME% b", "a … b"),
            ("%REQ(x-none)%", "…"),
        ] {
            assert_eq!(value(text, &request), expected);
        }
    }
}
