/// Which Gloo it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    /// Options of Gloo Enterprise are errors (gloo-conformance cases 19-enterprise-*).
    OpenSource,
    /// Options of Gloo Enterprise are taken; what comes of them is not modelled.
    Enterprise,
    /// Nobody has said.
    #[default]
    Unknown,
}

/// What is around the objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Which Gloo it is.
    pub edition: Edition,
    /// Envoy has none of Solo's extensions, so that it refuses what needs one (gloo-conformance case
    /// 19-transformations). Gloo's own Envoy has them.
    pub plain_envoy: bool,
    /// No file is there that an object names, and no server of certificates answers. Otherwise nobody
    /// knows, and nothing is concluded from it.
    pub nothing_outside: bool,
}
