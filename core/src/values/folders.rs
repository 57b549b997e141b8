//! Reads `folders` in `coalmine.yaml`.

use super::entry::{Entry, Fields, Problems};
use super::model::{FolderPolicy, Listed, PodSecurity};
use super::node::Scalar;
use super::schema::{self, Key, MAX_PATTERN};
use crate::problem::Problem;

/// What stands for the folder's name in an item.
pub(crate) const FOLDER: &str = "{folder}";

/// Reads the entries, in the order of the file.
pub(super) fn read(entry: &Entry, problems: &mut Problems) -> Vec<FolderPolicy> {
    let entries = entry.entries(problems).unwrap_or_default();
    entries.iter().filter_map(|(folder, entry)| read_folder(folder, entry, problems)).collect()
}

fn read_folder(folder: &str, entry: &Entry, problems: &mut Problems) -> Option<FolderPolicy> {
    if !is_folder(folder) {
        let message = format!("{folder:?} is no folder below services/");
        problems.push(Problem::new(&entry.key_at, &entry.path, message).help(
            "write its path without services/, for example `team-a` or `team-a/web`; `*` is every folder \
             without an entry, `.` the files in no folder",
        ));
    }
    let mut fields = entry.fields::<schema::Folder>(problems)?;
    let mut list =
        |key: Key<schema::Folder>, item: &Item| read_list(&mut fields, key, item, problems);
    let namespaces = list(schema::Folder::namespaces(), &NAMESPACE);
    let api_groups = list(schema::Folder::api_groups(), &API_GROUP);
    let domains = list(schema::Folder::domains(), &DOMAIN);
    let paths = list(schema::Folder::paths(), &PATH);
    let upstreams = list(schema::Folder::upstreams(), &UPSTREAM);
    let gateways = list(schema::Folder::gateways(), &GATEWAY);
    let webhooks = list(schema::Folder::webhooks(), &DOMAIN);
    let options = list(schema::Folder::options(), &OPTION);
    let upstream_options = list(schema::Folder::upstream_options(), &OPTION);
    let pod_service_accounts = list(schema::Folder::pod_service_accounts(), &ACCOUNTS);
    let patch = list(schema::Folder::patch(), &POINTER);
    let adopt = fields.take(schema::Folder::adopt()).and_then(|entry| entry.boolean(problems));
    let service_account_name = fields
        .take(schema::Folder::service_account_name())
        .and_then(|entry| read_item(&entry, &ACCOUNT, problems));
    let pod_security = fields.take(schema::Folder::pod_security());
    let pod_security_at = pod_security.as_ref().map_or(&entry.key_at, |entry| &entry.key_at);
    let policy = FolderPolicy {
        folder: folder.to_owned(),
        at: entry.key_at.clone(),
        namespaces,
        api_groups,
        domains,
        paths,
        upstreams,
        gateways,
        webhooks,
        options,
        upstream_options,
        adopt: adopt.unwrap_or_default(),
        service_account_name,
        pod_service_accounts,
        patch,
        pod_security_at: pod_security_at.clone(),
        pod_security: pod_security
            .and_then(|entry| read_pod_security(&entry, problems))
            .unwrap_or_default(),
    };
    fields.finish(problems);
    Some(policy)
}

fn read_list(
    fields: &mut Fields<schema::Folder>,
    key: Key<schema::Folder>,
    item: &Item,
    problems: &mut Problems,
) -> Listed {
    let Some(entry) = fields.take(key) else {
        return Listed { items: Vec::new(), at: fields.entry.key_at.clone() };
    };
    let list = entry.list(problems).unwrap_or_default();
    let items = list.iter().filter_map(|entry| read_item(entry, item, problems)).collect();
    Listed { items, at: entry.key_at }
}

fn read_item(entry: &Entry, item: &Item, problems: &mut Problems) -> Option<String> {
    let Some(Scalar::Text(text)) = entry.node.scalar() else {
        problems.push(entry.expected("text").help(item.help));
        return None;
    };
    if text.chars().count() > MAX_PATTERN || !(item.is_right)(&text.replace(FOLDER, "f")) {
        problems.push(entry.expected(item.what).help(item.help));
        return None;
    }
    Some(text.to_owned())
}

fn read_pod_security(entry: &Entry, problems: &mut Problems) -> Option<PodSecurity> {
    let all = [PodSecurity::Restricted, PodSecurity::Baseline, PodSecurity::Privileged];
    let text = match entry.node.scalar() {
        Some(Scalar::Text(text)) => text,
        _ => "",
    };
    let found = all.into_iter().find(|standard| standard.name() == text);
    if found.is_none() {
        problems.push(entry.expected("restricted, baseline or privileged"));
    }
    found
}

/// A folder below `services/`, `*` or `.`.
fn is_folder(folder: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let is_name = |name: &str| {
        name.bytes().next().is_some_and(first)
            && name.bytes().all(|byte| first(byte) || byte == b'.')
    };
    ["*", "."].contains(&folder) || folder.split('/').all(is_name)
}

/// What an item of a list is, with a letter in place of `{folder}`.
struct Item {
    what: &'static str,
    help: &'static str,
    is_right: fn(&str) -> bool,
}

const WILDCARDS: &str = "`*` stands for any characters, {folder} for the folder's name";

const NAMESPACE: Item = Item {
    what: "a namespace",
    help: WILDCARDS,
    is_right: |text| is_made_of(text, |byte| is_lower(byte) || b"-*".contains(&byte)),
};
const API_GROUP: Item = Item {
    what: "an apiGroup",
    help: WILDCARDS,
    is_right: |text| {
        is_made_of(text, |byte| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte))
    },
};
const DOMAIN: Item = Item {
    what: "a domain",
    help: "for example `{folder}.example.com` or `*.{folder}.example.com`; a `*` stands alone or at one end",
    is_right: |text| {
        let rest = text.strip_prefix('*').or_else(|| text.strip_suffix('*')).unwrap_or(text);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        !text.is_empty() && rest.bytes().all(allowed)
    },
};
const PATH: Item = Item {
    what: "a prefix of paths",
    help: "for example `/{folder}`, which is this path and all below it; there are no other wildcards",
    is_right: |text| {
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || b"/:@._~!$&'()+,;=-".contains(&byte);
        let dots = ["//", "/./", "/../"].iter().any(|part| text.contains(part));
        let dots = dots || text.ends_with("/.") || text.ends_with("/..");
        text.starts_with('/') && text.bytes().all(allowed) && !dots
    },
};
const UPSTREAM: Item = Item {
    what: "an Upstream as namespace/name",
    help: WILDCARDS,
    is_right: |text| {
        let Some((namespace, name)) = text.split_once('/') else { return false };
        (NAMESPACE.is_right)(namespace) && (ACCOUNTS.is_right)(name)
    },
};
const GATEWAY: Item = Item {
    what: "a Gateway as namespace/name",
    help: WILDCARDS,
    is_right: |text| (UPSTREAM.is_right)(text),
};
const OPTION: Item = Item {
    what: "the name of an option",
    help: "such as `timeout`; `*` stands for any",
    is_right: |text| {
        let first = text.starts_with(|first: char| first.is_ascii_alphabetic());
        text == "*" || (first && text.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    },
};
const ACCOUNT: Item = Item {
    what: "a service account's name",
    help: "{folder} stands for the folder's name",
    is_right: |text| is_made_of(text, |byte| is_lower(byte) || b"-.".contains(&byte)),
};
const ACCOUNTS: Item = Item {
    what: "a service account's name",
    help: WILDCARDS,
    is_right: |text| is_made_of(text, |byte| is_lower(byte) || b"-.*".contains(&byte)),
};
const POINTER: Item = Item {
    what: "a JSON pointer that begins with `/`",
    help: "such as `/spec/template/spec/tolerations`: this field and what is below it",
    is_right: |text| {
        let mut escapes = text.split('~').skip(1);
        text.starts_with('/') && escapes.all(|rest| rest.starts_with(['0', '1']))
    },
};

fn is_made_of(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}
