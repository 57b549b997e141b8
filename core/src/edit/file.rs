//! Lossless edits of one YAML document.

use std::fmt;
use std::str::FromStr;

use yaml_edit::{AsYaml, Document, Mapping, YamlNode};

/// A YAML file whose untouched parts stay as they are, byte for byte.
pub(super) struct File(Document);

impl File {
    /// Reads a file; `None` when it is not one document with a mapping.
    pub(super) fn parse(content: &str) -> Option<Self> {
        let document = Document::from_str(content).ok()?;
        document.as_mapping()?;
        (document.to_string() == content).then_some(Self(document))
    }

    /// Sets the key at the end of the path, and makes the mappings on the way where there are none.
    pub(super) fn set(&self, path: &[&str], value: impl AsYaml) -> Option<()> {
        let (key, parents) = path.split_last()?;
        self.mapping(parents)?.set(*key, value);
        Some(())
    }

    /// Writes the mapping `{}` at the path.
    pub(super) fn set_empty(&self, path: &[&str]) -> Option<()> {
        self.set(path, Mapping::new_flow())
    }

    /// Writes at one path what stands at another; an empty value as `{}`.
    pub(super) fn copy(&self, from: &[&str], to: &[&str]) -> Option<()> {
        let (key, parents) = from.split_last()?;
        match self.mapping(parents)?.get(*key)? {
            YamlNode::Mapping(mapping) if !mapping.is_empty() => self.set(to, mapping),
            YamlNode::Mapping(_) | YamlNode::Scalar(_) => self.set_empty(to),
            _ => None,
        }
    }

    /// Removes the key at the end of the path, if it is there.
    pub(super) fn remove(&self, path: &[&str]) -> Option<()> {
        let (key, parents) = path.split_last()?;
        self.mapping(parents)?.remove(*key);
        Some(())
    }

    fn mapping(&self, path: &[&str]) -> Option<Mapping> {
        let mut mapping = self.0.as_mapping()?;
        for key in path {
            if mapping.get_mapping(*key).is_none() {
                mapping.set(*key, Mapping::new_flow());
            }
            mapping = mapping.get_mapping(*key)?;
        }
        Some(mapping)
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
