//! Which hosts a domain takes, and which wildcards are about more than it.
//!
//! As Envoy compares them: without regard to case, with a `*` alone or at one end that stands for at least one character
//! (gloo-conformance case 12-domains).

/// Nobody has a name that long (RFC 1035, section 2.3.4), and each part of it is looked for.
const LONGEST: usize = 255;

/// Whether every host that the domain takes is one that the pattern takes.
pub(crate) fn covers(pattern: &str, domain: &str) -> bool {
    let (pattern, domain) = (pattern.to_ascii_lowercase(), domain.to_ascii_lowercase());
    if pattern == "*" || pattern == domain {
        return true;
    }
    // What the domain stands for itself has at least one character more than the pattern's text.
    if let Some(end) = pattern.strip_prefix('*') {
        let rest = domain.strip_prefix('*').map_or_else(|| without_first(&domain), Some);
        return !domain.ends_with('*') && rest.is_some_and(|rest| rest.ends_with(end));
    }
    if let Some(start) = pattern.strip_suffix('*') {
        let rest = domain.strip_suffix('*').map_or_else(|| without_last(&domain), Some);
        return !domain.starts_with('*') && rest.is_some_and(|rest| rest.starts_with(start));
    }
    false
}

/// The wildcards, in small letters, that cover the domain and more; the narrowest of each end come first. `*` is not among
/// them, because it is for whatever nobody claims.
pub(crate) fn wider(domain: &str) -> Vec<String> {
    let domain = domain.to_ascii_lowercase();
    if domain.len() > LONGEST || domain == "*" {
        return Vec::new();
    }
    let places =
        |text: &str| -> Vec<usize> { text.char_indices().map(|(at, _)| at).skip(1).collect() };
    let ends = |text: &str| -> Vec<String> {
        places(text).into_iter().map(|at| format!("*{}", &text[at..])).collect()
    };
    let starts = |text: &str| -> Vec<String> {
        places(text).into_iter().rev().map(|at| format!("{}*", &text[..at])).collect()
    };
    if let Some(end) = domain.strip_prefix('*') {
        return ends(end);
    }
    if let Some(start) = domain.strip_suffix('*') {
        return starts(start);
    }
    ends(&domain).into_iter().chain(starts(&domain)).collect()
}

/// Whether the domain has a `*` at its beginning. It takes hosts from every domain that [ends with
/// one](has_wildcard_at_end): some host fits both, and Envoy looks for those with one at the beginning first.
pub(crate) fn has_wildcard_at_beginning(domain: &str) -> bool {
    domain.starts_with('*') && domain != "*"
}

/// Whether the domain has a `*` at its end.
pub(crate) fn has_wildcard_at_end(domain: &str) -> bool {
    domain.ends_with('*') && domain != "*"
}

/// The text without its first character; none when it has no other.
fn without_first(text: &str) -> Option<&str> {
    let mut rest = text.chars();
    rest.next()?;
    Some(rest.as_str())
}

/// The text without its last character.
fn without_last(text: &str) -> Option<&str> {
    let mut rest = text.chars();
    rest.next_back()?;
    Some(rest.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Domains of few letters, so that many cover one another.
    fn domain() -> impl Strategy<Value = String> {
        let text = "[aB.]{0,5}";
        prop_oneof![
            text.prop_filter("a name", |text| !text.is_empty()),
            text.prop_map(|end| format!("*{end}")),
            text.prop_map(|start| format!("{start}*")),
        ]
    }

    proptest! {
        /// By the hosts themselves, as the model of the gateway takes them.
        #[test]
        fn a_pattern_covers_a_domain_exactly_when_it_takes_all_its_hosts(
            pattern in domain(), domain in domain(), filling in "[ab.]{1,4}",
        ) {
            let takes = |host: &str| gloo::takes_host(&pattern, host);
            let host = domain.replace('*', &filling);
            prop_assert!(gloo::takes_host(&domain, &host), "{domain} {host}");
            if covers(&pattern, &domain) {
                prop_assert!(takes(&host), "{pattern} {domain} {host}");
            } else {
                // A character that no pattern has.
                let others = ["7", "77"].map(|filling| domain.replace('*', filling));
                prop_assert!(others.iter().any(|host| !takes(host)), "{pattern} {domain}");
            }
        }

        #[test]
        fn the_wider_ones_are_those_that_cover_it(pattern in domain(), domain in domain()) {
            let is_wider = covers(&pattern, &domain)
                && pattern != "*"
                && !pattern.eq_ignore_ascii_case(&domain);
            let found = wider(&domain).contains(&pattern.to_ascii_lowercase());
            prop_assert_eq!(found, is_wider, "{} {}", pattern, domain);
        }

        /// Two domains share a host by which the one or the other is asked first, as the model of the gateway orders them.
        #[test]
        fn a_newcomer_takes_hosts_from_wider_ones_and_from_wildcards_at_the_end(
            newcomer in domain(), owner in domain(),
        ) {
            let (newcomer, owner) = (newcomer.to_ascii_lowercase(), owner.to_ascii_lowercase());
            let is_told = wider(&newcomer).contains(&owner)
                || has_wildcard_at_beginning(&newcomer) && has_wildcard_at_end(&owner);
            let joined = format!("{}7{}", owner.trim_end_matches('*'), newcomer.trim_start_matches('*'));
            let hosts = [joined, newcomer.replace('*', "7"), newcomer.replace('*', "77")];
            let taken = hosts.iter().any(|host| {
                let both = [newcomer.as_str(), owner.as_str()];
                newcomer != owner
                    && owner != "*"
                    && gloo::takes_host(&owner, host)
                    && gloo::domain_of_host(both, host) == Some(&newcomer)
            });
            prop_assert_eq!(is_told, taken, "{} {}", newcomer, owner);
        }
    }

    #[test]
    fn a_wildcard_stands_for_something() {
        assert!(
            !covers("*a.example", "a.example")
                && !wider("a.example").contains(&"*a.example".into())
        );
        assert!(covers("*a.example", "ba.example") && covers("*a.example", "*.a.example"));
        assert!(!covers("a.*", "a.") && covers("a.*", "a.b") && !covers("a.*", "*.b"));
        assert!(covers("*", "a") && covers("A.example", "a.EXAMPLE") && !covers("a", "*"));
        assert_eq!(wider("ab.c"), ["*b.c", "*.c", "*c", "ab.*", "ab*", "a*"]);
        assert!(wider("*").is_empty() && wider(&"a".repeat(256)).is_empty());
    }
}
