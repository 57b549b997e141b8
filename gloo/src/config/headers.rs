/// Headers to add and to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Headers the backend gets.
    pub request_add: Vec<HeaderEdit>,
    /// Headers the backend does not get.
    pub request_remove: Vec<String>,
    /// Headers the caller gets.
    pub response_add: Vec<HeaderEdit>,
    /// Headers the caller does not get.
    pub response_remove: Vec<String>,
}

/// A header to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderEdit {
    /// The name.
    pub name: String,
    /// The value; Envoy fills in `%...%`.
    pub value: String,
    /// Replaces values that are there instead of adding one.
    pub overwrite: bool,
}
