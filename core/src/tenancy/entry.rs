//! Which policy holds for a service.

use crate::values::{FOLDER, FolderPolicy, Listed, folder_of};

/// The policy of a service's folder, and the name that stands for `{folder}` in it.
pub(super) struct Entry<'a> {
    pub(super) policy: &'a FolderPolicy,
    /// The folder right below `services/`; empty for files in no folder.
    folder: &'a str,
}

/// What is known of a service's folder.
pub(super) enum Found<'a> {
    /// Nothing is restricted: no folder has a policy, or the file is in no folder, and so the platform team's.
    Free,
    /// There are policies, and none is for this folder.
    Nothing(&'a str),
    /// This one.
    Entry(Entry<'a>),
}

/// Finds the policy of a service's file. The most specific one holds, alone: that of `team-a/web` before that of
/// `team-a`, and `*` last.
pub(super) fn of<'a>(folders: &'a [FolderPolicy], file: &'a str) -> Found<'a> {
    let named = |name: &str| folders.iter().find(|policy| policy.folder == name);
    let Some(folder) = folder_of(file) else {
        return match named(".") {
            Some(policy) => Found::Entry(Entry { policy, folder: "" }),
            None => Found::Free,
        };
    };
    if folders.is_empty() {
        return Found::Free;
    }
    let mut path = file.strip_prefix("services/").unwrap_or_default();
    while let Some((above, _)) = path.rsplit_once('/') {
        if let Some(policy) = named(above) {
            return Found::Entry(Entry { policy, folder });
        }
        path = above;
    }
    match named("*").filter(|_| is_label(folder)) {
        Some(policy) => Found::Entry(Entry { policy, folder }),
        None => Found::Nothing(folder),
    }
}

impl Entry<'_> {
    /// The item with the folder's name in it.
    pub(super) fn resolved(&self, item: &str) -> String {
        item.replace(FOLDER, self.folder)
    }

    /// The items of a list with the folder's name in them, for a message.
    pub(super) fn shown(&self, list: &Listed) -> String {
        const MOST: usize = 8;
        let mut items: Vec<String> =
            list.items.iter().take(MOST).map(|item| self.resolved(item)).collect();
        if list.items.len() > MOST {
            items.push(format!("{} more", list.items.len() - MOST));
        }
        items.join(", ")
    }

    /// Whether an item of the list matches the text, `*` standing for any characters.
    pub(super) fn lists(&self, list: &Listed, text: &str) -> bool {
        list.items.iter().any(|item| super::pattern::matches(&self.resolved(item), text))
    }

    /// Whether an item of the list is the text itself, without a wildcard.
    pub(super) fn names(&self, list: &Listed, text: &str) -> bool {
        list.items.iter().any(|item| item == text)
    }
}

/// A folder whose name can stand in names of objects (RFC 1123): nothing in it is a wildcard.
fn is_label(folder: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    folder.bytes().all(allowed) && !folder.starts_with('-') && !folder.ends_with('-')
}
