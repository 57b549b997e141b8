pub(super) use gloo::answer::split;

/// The path as both implementations have Envoy see it: as with Gloo (`normalize_path`), and then one slash for several
/// (`merge_slashes`). `None`: Envoy answers 400.
pub(super) fn normalize(path: &str) -> Option<String> {
    let path = gloo::answer::normalize(path)?;
    let (path, query) = split(&path);
    let mut merged = String::with_capacity(path.len() + query.len());
    for c in path.chars() {
        if c != '/' || !merged.ends_with('/') {
            merged.push(c);
        }
    }
    Some(merged + query)
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
            // Dots go before slashes are merged, and what does not belong into a path is encoded.
            ("/a//../b", "/a/b"),
            ("/\u{e9}{b}", "/%C3%A9%7Bb%7D"),
        ] {
            assert_eq!(normalize(path).unwrap(), expected);
        }
        assert_eq!(normalize("/a%00"), None);
    }
}
