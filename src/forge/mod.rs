//! Forges: where their API is, and how they are asked.

mod address;

use reqwest::{RequestBuilder, StatusCode, Url, redirect};

pub(crate) use address::Address;
pub use address::Forge;

use crate::hint::advised;
use anyhow::Context;

/// How often one request is led on.
const MOST_REDIRECTS: usize = 5;

/// The request with the token, in the way that the forge wants it.
pub(crate) fn authorized(forge: Forge, request: RequestBuilder, token: &str) -> RequestBuilder {
    match forge {
        Forge::Github => request.bearer_auth(token).header("X-GitHub-Api-Version", "2022-11-28"),
        Forge::Gitlab => request.header("PRIVATE-TOKEN", token),
        Forge::Gitea => request.header("Authorization", format!("token {token}")),
        // An API token of a person goes with that person's address.
        Forge::Bitbucket => match token.split_once(':') {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request.bearer_auth(token),
        },
        Forge::AzureDevops => request.basic_auth("", Some(token)),
    }
}

/// The address of an API as somebody gives it.
///
/// # Errors
/// It is none.
pub(crate) fn address_of_api(api: &str) -> anyhow::Result<Url> {
    let address = Url::parse(api).with_context(|| format!("{api} is no address"))?;
    if !["http", "https"].contains(&address.scheme()) {
        return Err(advised(
            format_args!("{api} is no address of an API"),
            format_args!("write https://{api}, or http://{api}"),
        ));
    }
    Ok(address)
}

/// Follows redirects of a receiver to the same server alone, and never to another protocol: a message, its
/// secret address and a token are for whoever was named. Of the kinds of redirects only those are followed
/// that leave a message a message (RFC 9110, sections 15.4.8 and 15.4.9).
pub(crate) fn same_server() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let first = attempt.previous().first();
        let is_same = first.is_some_and(|first| first.origin() == attempt.url().origin());
        let status = attempt.status();
        let keeps = [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT];
        match is_same && keeps.contains(&status) && attempt.previous().len() < MOST_REDIRECTS {
            true => attempt.follow(),
            // The answer that redirects is taken for what it is: none of success.
            false => attempt.stop(),
        }
    })
}
