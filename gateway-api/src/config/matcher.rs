use crate::pattern;

/// Which requests a route takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The path.
    pub path: PathMatch,
    /// All must hold; the method is `:method`.
    pub headers: Vec<HeaderMatch>,
    /// All must hold.
    pub query: Vec<HeaderMatch>,
}

/// The path of a request, without its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// It begins with this, letter by letter.
    Prefix(String),
    /// It begins with the elements of this.
    Elements(String),
    /// It equals this.
    Exact(String),
    /// The whole of it matches this expression.
    Regex(String),
}

/// A condition on a header or a query parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// The header or parameter.
    pub name: String,
    /// Its value.
    pub value: ValueMatch,
}

/// A condition on a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueMatch {
    /// It equals this.
    Exact(String),
    /// The whole of it matches this expression.
    Regex(String),
}

impl PathMatch {
    /// Whether it takes the path.
    pub fn takes(&self, path: &str) -> bool {
        match self {
            Self::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Self::Elements(prefix) => path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Self::Exact(exact) => path == exact,
            Self::Regex(expression) => pattern::matches_all(expression, path),
        }
    }

    /// The text as it is compared.
    pub fn text(&self) -> &str {
        match self {
            Self::Prefix(text) | Self::Elements(text) | Self::Exact(text) | Self::Regex(text) => {
                text
            }
        }
    }
}

impl ValueMatch {
    /// Whether it takes the value.
    pub fn takes(&self, value: &str) -> bool {
        match self {
            Self::Exact(exact) => value == exact,
            Self::Regex(expression) => pattern::matches_all(expression, value),
        }
    }
}

impl Match {
    /// The expressions in it.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &str> {
        let path = match &self.path {
            PathMatch::Regex(expression) => Some(expression.as_str()),
            _ => None,
        };
        let values = self.headers.iter().chain(&self.query).filter_map(|it| match &it.value {
            ValueMatch::Regex(expression) => Some(expression.as_str()),
            ValueMatch::Exact(_) => None,
        });
        path.into_iter().chain(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_envoy_compares_it() {
        let all = [
            PathMatch::Prefix("/".into()),
            PathMatch::Elements("/a".into()),
            PathMatch::Exact("/a".into()),
            PathMatch::Regex("/a|/b+".into()),
        ];
        let takes = |path: &str| -> Vec<bool> { all.iter().map(|it| it.takes(path)).collect() };
        assert_eq!(takes("/a"), [true, true, true, true]);
        assert_eq!(takes("/a/b"), [true, true, false, false]);
        assert_eq!(takes("/ab"), [true, false, false, false]);
        assert_eq!(takes("/bb"), [true, false, false, true]);
        assert_eq!(takes("/A"), [true, false, false, false]);
    }
}
