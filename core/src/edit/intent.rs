//! What an edit is meant to do: to the file, and to the values that it means.

use std::fmt;

use super::file::{File, reads_as_text};
use crate::values::{HeaderMatch, Service, ValueMatch, Weight, Workload};

/// What is asked of a service.
pub(super) struct Intent {
    /// What it does, in a few words.
    pub(super) summary: String,
    /// How the file is to be changed.
    pub(super) operations: Vec<Operation>,
    /// The service as it should be. Of a canary that comes, headers and shadow are what the repository's
    /// defaults say, beside these.
    pub(super) service: Service,
}

impl Intent {
    /// Whether the defaults give a canary that comes a share that was not asked for.
    pub(super) fn leaves_default_weight(&self, before: &Service, after: &Service) -> bool {
        let weight = |service: &Service| service.routes.canary.as_ref().map(|canary| canary.weight);
        weight(before).is_none()
            && weight(&self.service) == Some(Weight::ZERO)
            && weight(after).is_some_and(|weight| weight > Weight::ZERO)
    }

    /// Whether the file, read again, means what was asked and nothing else.
    pub(super) fn is_met(&self, before: &Service, after: &Service) -> bool {
        let mut wanted = self.service.clone();
        if before.routes.canary.is_none()
            && let (Some(wanted), Some(found)) = (&mut wanted.routes.canary, &after.routes.canary)
        {
            if !wanted.headers.iter().all(|(name, header)| found.headers.get(name) == Some(header))
            {
                return false;
            }
            wanted.headers.clone_from(&found.headers);
            wanted.jwt.clone_from(&found.jwt);
            wanted.shadow = found.shadow;
        }
        // Where nobody wrote it, it follows from which versions there are.
        wanted.target_port.clone_from(&after.target_port);
        wanted == *after
    }
}

/// One change of a file.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Write text.
    Text(Vec<String>, String),
    /// Write a number.
    Number(Vec<String>, u8),
    /// Write `{}`.
    Empty(Vec<String>),
    /// Write at the second path what stands at the first.
    Copy(Vec<String>, Vec<String>),
    /// Remove the key.
    Remove(Vec<String>),
}

impl Operation {
    pub(super) fn text(path: &[&str], text: &str) -> Self {
        Self::Text(owned(path), text.to_owned())
    }

    pub(super) fn canary_weight(percent: u8) -> Self {
        Self::Number(owned(&["routes", "canary", "weight"]), percent)
    }

    pub(super) fn empty(path: &[&str]) -> Self {
        Self::Empty(owned(path))
    }

    pub(super) fn copy(from: &[&str], to: &[&str]) -> Self {
        Self::Copy(owned(from), owned(to))
    }

    pub(super) fn remove(path: &[&str]) -> Self {
        Self::Remove(owned(path))
    }

    /// Makes the change; `None` when the file has no place for it.
    pub(super) fn apply(&self, file: &File) -> Option<()> {
        match self {
            Self::Text(path, text) => file.set_text(&borrowed(path), text),
            Self::Number(path, number) => file.set(&borrowed(path), i64::from(*number)),
            Self::Empty(path) => file.set_empty(&borrowed(path)),
            Self::Copy(from, to) => file.copy(&borrowed(from), &borrowed(to)),
            Self::Remove(path) => file.remove(&borrowed(path)),
        }
    }
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|key| (*key).to_owned()).collect()
}

fn borrowed(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

impl fmt::Display for Operation {
    /// As a person would write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(path, text) => write!(f, "{}: {}", dotted(path), written(text)),
            Self::Number(path, number) => write!(f, "{}: {number}", dotted(path)),
            Self::Empty(path) => write!(f, "{}: {{}}", dotted(path)),
            Self::Copy(from, to) => write!(f, "{} as {}", dotted(to), dotted(from)),
            Self::Remove(path) => write!(f, "no {}", dotted(path)),
        }
    }
}

/// A path with its keys as they are written; in quotes where a `.` would divide one.
fn dotted(path: &[String]) -> String {
    let key = |key: &String| match key.contains('.') {
        true => format!("{key:?}"),
        false => written(key),
    };
    path.iter().map(key).collect::<Vec<_>>().join(".")
}

/// Text as it is written, in quotes where it would be read as something else without.
fn written(text: &str) -> String {
    if reads_as_text(text) { text.to_owned() } else { format!("{text:?}") }
}

/// A header's condition: this value.
pub(super) fn equals(value: &str) -> HeaderMatch {
    HeaderMatch { value: ValueMatch::Exact(value.to_owned()), invert: false }
}

/// The workload with another image, where it has one of its own.
pub(super) fn with_image(workload: &Workload, image: Option<&str>) -> Workload {
    let mut workload = workload.clone();
    if let (Workload::Deployed(deployment), Some(image)) = (&mut workload, image) {
        deployment.image = Some(image.to_owned());
    }
    workload
}
