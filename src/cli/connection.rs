//! Which daemon is asked, and how.

use std::path::PathBuf;

use crate::client::Client;

/// The daemon whose status is asked for.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Connection {
    /// The daemon's status endpoint; `kubectl port-forward -n coalmine svc/coalmine 8081` brings it here
    #[arg(
        long,
        value_name = "URL",
        env = "COALMINE_SERVER",
        default_value = "http://127.0.0.1:8081"
    )]
    server: String,
    /// File whose only line is the token that the endpoint asks for
    #[arg(long, value_name = "FILE", env = "COALMINE_SERVER_TOKEN_FILE")]
    server_token_file: Option<PathBuf>,
}

impl Connection {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.server, self.server_token_file.as_deref())
    }
}
