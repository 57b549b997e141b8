//! The embedded gateway in a pod: `gateway prepare FOLDER` before Envoy starts, then
//! `gateway run FOLDER` beside it.

use std::{env, path::Path};

use anyhow::{Result, bail};
use harness::gateway::pod;

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    // An error means that there is one already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["prepare", folder] => pod::prepare(Path::new(folder)),
        ["run", folder] => pod::run(Path::new(folder)).await,
        _ => bail!("usage: gateway prepare|run FOLDER"),
    }
}
