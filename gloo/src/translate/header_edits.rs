//! Header changes of routes, virtual hosts and single destinations.

use super::findings::Remark;
use super::mistake::Mistake;
use super::unmodelled;
use super::view::{Presence, View};
use crate::api::{HeaderManipulation, HeaderValueOption, ResourceRef};
use crate::code::Code;
use crate::config::{HeaderEdit, HeaderEdits};

/// Translates header changes. The host and pseudo headers may not be changed
/// (gloo-conformance case 13-headers). What cannot be judged is told to `note`.
pub(super) fn translate(
    from: &HeaderManipulation,
    view: &View,
    mut note: impl FnMut(Remark),
) -> Result<HeaderEdits, Mistake> {
    let mut request_add = Vec::new();
    for option in &from.request_headers_to_add {
        match &option.header_secret_ref {
            Some(secret) => match view.secret(secret) {
                Presence::Absent => {
                    let words = format!("list did not find secret {}", secret.key());
                    return Err(Mistake::new(Code::MissingSecret, words));
                }
                Presence::Unknown => note(Remark::not_read("Secret", secret)),
                Presence::Present(_) => {
                    let ResourceRef { namespace, name } = secret;
                    let what = format!("which headers are in Secret {namespace}/{name}");
                    note(unmodelled::note(&what).into());
                }
            },
            None => request_add.push(request_edit(option)?),
        }
    }
    let response = from.response_headers_to_add.iter().map(response_edit);
    Ok(HeaderEdits {
        request_add,
        request_remove: from.request_headers_to_remove.clone(),
        response_add: response.collect::<Result<_, _>>()?,
        response_remove: from.response_headers_to_remove.clone(),
    })
}

fn request_edit(option: &HeaderValueOption) -> Result<HeaderEdit, Mistake> {
    let Some(header) = &option.header else {
        return Err(invalid("Unexpected header option type <nil>"));
    };
    if header.key.starts_with(':') || header.key.eq_ignore_ascii_case("host") {
        let key = &header.key;
        return Err(invalid(format!(
            ": -prefixed or host headers may not be modified. Received '{key}' header"
        )));
    }
    check_name(&header.key)?;
    Ok(edit(&header.key, &header.value, option.append))
}

fn response_edit(option: &HeaderValueOption) -> Result<HeaderEdit, Mistake> {
    let Some(header) = &option.header else {
        return Err(invalid("header section of header value option cannot be nil"));
    };
    if header.key.starts_with(':') {
        return Err(invalid(format!(":-prefixed headers cannot be set: '{}'", header.key)));
    }
    if header.key.eq_ignore_ascii_case("host") {
        return Err(invalid("cannot set Host header in response headers"));
    }
    Ok(edit(&header.key, &header.value, option.append))
}

fn invalid(words: impl Into<String>) -> Mistake {
    Mistake::new(Code::InvalidHeader, words)
}

fn edit(name: &str, value: &str, append: Option<bool>) -> HeaderEdit {
    HeaderEdit { name: name.into(), value: value.into(), overwrite: append == Some(false) }
}

/// Gloo's rule for names of headers.
pub(super) fn check_name(name: &str) -> Result<(), Mistake> {
    if name.is_empty() {
        return Err(invalid("empty HTTP header names are not allowed"));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+.^_`|~-".contains(&byte);
    if name.bytes().all(allowed) {
        return Ok(());
    }
    Err(invalid(format!("'{name}' is an invalid HTTP header key")))
}
