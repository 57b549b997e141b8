//! Names and domains that an item of a policy stands for.

/// Whether the pattern matches the whole text; `*` stands for any characters, none included.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Whether every host that the domain takes is one that the pattern takes, as Envoy compares them: without regard to
/// case, with a `*` alone or at one end that stands for at least one character.
pub(super) fn covers_domain(pattern: &str, domain: &str) -> bool {
    let (pattern, domain) = (pattern.to_ascii_lowercase(), domain.to_ascii_lowercase());
    if pattern == "*" || pattern == domain {
        return true;
    }
    if let Some(suffix) = pattern.strip_prefix('*') {
        return match domain.strip_prefix('*') {
            Some(narrower) => narrower.ends_with(suffix) && narrower.len() >= suffix.len(),
            None => {
                !domain.ends_with('*') && domain.len() > suffix.len() && domain.ends_with(suffix)
            }
        };
    }
    if let Some(prefix) = pattern.strip_suffix('*') {
        return match domain.strip_suffix('*') {
            Some(narrower) => narrower.starts_with(prefix),
            None => {
                !domain.starts_with('*')
                    && domain.len() > prefix.len()
                    && domain.starts_with(prefix)
            }
        };
    }
    false
}
