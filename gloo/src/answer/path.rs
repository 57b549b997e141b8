/// The path as Envoy sees it with `normalize_path`: unreserved characters decoded, those that do not
/// belong into a path encoded, `.` and `..` resolved, `\` turned into `/`; the query stays as it is.
/// `None`: Envoy answers 400.
pub fn normalize(path: &str) -> Option<String> {
    let (path, query) = split(path);
    if !path.starts_with('/') {
        return Some(format!("{path}{query}"));
    }
    let decoded = decode(path)?;
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
            segment => kept.push(segment),
        }
    }
    Some(format!("/{}{query}", kept.join("/")))
}

/// The path and, with its `?`, the query.
pub fn split(path: &str) -> (&str, &str) {
    path.split_at(path.find(['?', '#']).unwrap_or(path.len()))
}

fn decode(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '\\' => out.push('/'),
            '%' => match rest.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                Some(0) => return None,
                Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                    out.push(char::from(byte));
                    taken = 3;
                }
                Some(_) => {
                    out.push_str(&rest[..3]);
                    taken = 3;
                }
                None => out.push('%'),
            },
            c if c.is_ascii() && !c.is_ascii_control() && !r#" "<>^`{|}"#.contains(c) => {
                out.push(c)
            }
            c => {
                let mut bytes = [0; 4];
                out.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")));
            }
        }
        rest = &rest[taken..];
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn dots_are_resolved_and_unreserved_characters_decoded() {
        let normal = |path: &str| normalize(path).unwrap();
        assert_eq!(normal("/a/../foo"), "/foo");
        assert_eq!(normal("/%66oo?x=%66"), "/foo?x=%66");
        assert_eq!(normal("/a/./b/.."), "/a/");
        assert_eq!(normal("/.."), "/");
        assert_eq!(normal("/a//b%2Fc"), "/a//b%2Fc");
        assert_eq!(normal(r"/a\b"), "/a/b");
        assert_eq!(normal("/a{b}"), "/a%7Bb%7D");
    }
}
