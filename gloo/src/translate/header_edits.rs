//! Header changes of routes, virtual hosts and single destinations.

use crate::api::{HeaderManipulation, HeaderValueOption};
use crate::config::{HeaderEdit, HeaderEdits};

/// Translates header changes. The host and pseudo headers may not be changed
/// (gloo-conformance case 13-headers).
pub(super) fn translate(from: &HeaderManipulation) -> Result<HeaderEdits, String> {
    let request = from.request_headers_to_add.iter().map(request_edit);
    let response = from.response_headers_to_add.iter().map(response_edit);
    Ok(HeaderEdits {
        request_add: request.collect::<Result<_, _>>()?,
        request_remove: from.request_headers_to_remove.clone(),
        response_add: response.collect::<Result<_, _>>()?,
        response_remove: from.response_headers_to_remove.clone(),
    })
}

fn request_edit(option: &HeaderValueOption) -> Result<HeaderEdit, String> {
    if let Some(secret) = &option.header_secret_ref {
        return Err(format!("list did not find secret {}", secret.key()));
    }
    let Some(header) = &option.header else {
        return Err("Unexpected header option type <nil>".into());
    };
    if header.key.starts_with(':') || header.key.eq_ignore_ascii_case("host") {
        let key = &header.key;
        return Err(format!(
            ": -prefixed or host headers may not be modified. Received '{key}' header"
        ));
    }
    check_name(&header.key)?;
    Ok(edit(&header.key, &header.value, option.append))
}

fn response_edit(option: &HeaderValueOption) -> Result<HeaderEdit, String> {
    let Some(header) = &option.header else {
        return Err("header section of header value option cannot be nil".into());
    };
    if header.key.starts_with(':') {
        return Err(format!(":-prefixed headers cannot be set: '{}'", header.key));
    }
    if header.key.eq_ignore_ascii_case("host") {
        return Err("cannot set Host header in response headers".into());
    }
    Ok(edit(&header.key, &header.value, option.append))
}

fn edit(name: &str, value: &str, append: Option<bool>) -> HeaderEdit {
    HeaderEdit { name: name.into(), value: value.into(), overwrite: append == Some(false) }
}

/// Gloo's rule for names of headers.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("empty HTTP header names are not allowed".into());
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+.^_`|~-".contains(&byte);
    if name.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!("'{name}' is an invalid HTTP header key"))
}
