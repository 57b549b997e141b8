//! What is asked.

/// What to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where the gateway listens, for example `http://127.0.0.1:8080`.
    pub url: String,
    /// The `Host` header, if it is not the one of the URL.
    pub host: Option<String>,
    /// The path, with its slash.
    pub path: String,
    /// More headers.
    pub headers: Vec<(String, String)>,
}

impl Target {
    /// A path of a gateway, without headers.
    pub fn new(url: impl Into<String>, path: impl Into<String>) -> Self {
        Self { url: url.into(), host: None, path: path.into(), headers: Vec::new() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}
