/// The path as both implementations have Envoy see it (`normalize_path`, `merge_slashes`): unreserved characters
/// decoded, `.` and `..` resolved, `\` turned into `/`, one slash for several; the query stays as it is.
pub(super) fn normalize(path: &str) -> String {
    let (path, query) = split(path);
    if !path.starts_with('/') {
        return format!("{path}{query}");
    }
    let decoded = decode(path);
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = decoded[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            "" if !last => {}
            segment => kept.push(segment),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

/// The path and, with its `?`, the query.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.split_at(path.find(['?', '#']).unwrap_or(path.len()))
}

fn decode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(c) = rest.chars().next() {
        let hex = rest.get(1..3).filter(|_| c == '%');
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let taken = match (c, byte) {
            (_, Some(byte)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(byte));
                3
            }
            ('\\', _) => {
                out.push('/');
                1
            }
            (c, _) => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn dots_are_resolved_slashes_merged_and_unreserved_characters_decoded() {
        for (path, expected) in [
            ("/a/../foo", "/foo"),
            ("/%66oo?x=%66", "/foo?x=%66"),
            ("/a/./b/..", "/a/"),
            ("/..", "/"),
            ("//a///b//", "/a/b/"),
            (r"/a\b", "/a/b"),
            ("/a%2Fb", "/a%2Fb"),
            ("/", "/"),
            ("/?a//b", "/?a//b"),
            ("*", "*"),
        ] {
            assert_eq!(normalize(path), expected);
        }
    }
}
