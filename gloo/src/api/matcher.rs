use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Open;
use super::written::is_default;

/// Which requests a route takes. Everything given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Matcher {
    /// Headers that must match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderMatcher>,
    /// The path begins with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The path equals this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// The whole path matches this RE2 expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// The request is a CONNECT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_matcher: Option<Box<Open>>,
    /// Whether the path's letter case counts; absent means it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_sensitive: Option<bool>,
    /// HTTP methods, one of which the request must have; none means any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Query parameters that must match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query_parameters: Vec<QueryParameterMatcher>,
}

/// The path part of a matcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// The path begins with this.
    Prefix(String),
    /// The path equals this.
    Exact(String),
    /// The whole path matches this RE2 expression.
    Regex(String),
    /// The request is a CONNECT.
    Connect,
}

impl Matcher {
    /// The matcher of a route that has none: prefix `/`.
    pub fn all() -> Self {
        Self::prefix("/")
    }

    /// Every path that begins with `path`.
    pub fn prefix(path: impl Into<String>) -> Self {
        Self { prefix: Some(path.into()), ..Self::default() }
    }

    /// The path `path` alone.
    pub fn exact(path: impl Into<String>) -> Self {
        Self { exact: Some(path.into()), ..Self::default() }
    }

    /// Every path that the RE2 expression matches as a whole.
    pub fn regex(expression: impl Into<String>) -> Self {
        Self { regex: Some(expression.into()), ..Self::default() }
    }

    /// The path part. Of several the last one in the order prefix, exact, regex, connect counts.
    pub(crate) fn path(&self) -> Option<Path> {
        if self.connect_matcher.is_some() {
            return Some(Path::Connect);
        }
        let regex = self.regex.clone().map(Path::Regex);
        let exact = self.exact.clone().map(Path::Exact);
        regex.or(exact).or_else(|| self.prefix.clone().map(Path::Prefix))
    }

    /// Takes path and case sensitivity from another matcher.
    pub(crate) fn take_path(&mut self, from: &Self) {
        self.prefix.clone_from(&from.prefix);
        self.exact.clone_from(&from.exact);
        self.regex.clone_from(&from.regex);
        self.connect_matcher.clone_from(&from.connect_matcher);
        self.case_sensitive = from.case_sensitive;
    }

    /// The text of the path part; empty where there is none.
    pub(crate) fn path_text(&self) -> String {
        match self.path() {
            Some(Path::Prefix(text) | Path::Exact(text) | Path::Regex(text)) => text,
            Some(Path::Connect) | None => String::new(),
        }
    }

    /// The prefix, if the path part is one.
    pub(crate) fn path_prefix(&self) -> Option<String> {
        match self.path() {
            Some(Path::Prefix(text)) => Some(text),
            _ => None,
        }
    }
}

/// A condition on one header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HeaderMatcher {
    /// Name of the header.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The value it must have; empty means that it must be there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// `value` is an RE2 expression that must match the whole value.
    #[serde(skip_serializing_if = "is_default")]
    pub regex: bool,
    /// Turns the condition round. A missing header still does not match a given value.
    #[serde(skip_serializing_if = "is_default")]
    pub invert_match: bool,
}

/// A condition on one query parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct QueryParameterMatcher {
    /// Name of the parameter.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The value it must have; empty means that it must be there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// `value` is an RE2 expression that must match the whole value.
    #[serde(skip_serializing_if = "is_default")]
    pub regex: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matcher_has_the_path_that_it_was_made_of() {
        assert_eq!(Matcher::all().path(), Some(Path::Prefix("/".into())));
        assert_eq!(Matcher::prefix("/a").path(), Some(Path::Prefix("/a".into())));
        assert_eq!(Matcher::exact("/a").path(), Some(Path::Exact("/a".into())));
        assert_eq!(Matcher::regex("/a+").path(), Some(Path::Regex("/a+".into())));
        assert_eq!(Matcher::default().path(), None);
        let texts = [Matcher::exact("/a"), Matcher::default()].map(|it| it.path_text());
        assert_eq!(texts, ["/a", ""]);
        let prefixes = [Matcher::prefix("/a"), Matcher::exact("/a")].map(|it| it.path_prefix());
        assert_eq!(prefixes, [Some("/a".into()), None]);
    }
}
