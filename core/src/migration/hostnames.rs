//! From domains to hostnames.

/// The hostnames of domains; none where one of them is every host.
///
/// # Errors
/// The domain that no hostname can say.
pub(super) fn hostnames(domains: &[String]) -> Result<Vec<String>, String> {
    if domains.iter().any(|domain| domain == "*") {
        return Ok(Vec::new());
    }
    let mut hostnames = Vec::new();
    for domain in domains {
        let name = match domain.split_once(':') {
            // Requests with any port are taken by the name alone.
            Some((name, _)) if domains.iter().any(|it| it == name) => continue,
            _ => domain.to_ascii_lowercase(),
        };
        let rest = name.strip_prefix("*.").unwrap_or(&name);
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if rest.is_empty() || !rest.chars().all(fits) || rest.split('.').all(is_number) {
            return Err(domain.clone());
        }
        hostnames.push(name);
    }
    Ok(hostnames)
}
