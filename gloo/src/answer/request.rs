/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// For example `GET`.
    pub method: String,
    /// With the port, if the caller sends one.
    pub host: String,
    /// With the query.
    pub path: String,
    /// Names and values; a header sent twice stands here twice.
    pub headers: Vec<(String, String)>,
}
