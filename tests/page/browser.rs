//! The browser, in the looks that people have.

use std::fs;

use anyhow::{Context, Result};
use fantoccini::{Client, ClientBuilder};
use harness::Progress;
use harness::build::{self, Browser};
use harness::process::{Process, Program};
use harness::wait::{Seen, until};
use serde_json::{Value, json};

use super::AMPLE;

/// How long a script of ours may take, in milliseconds; the driver's own bound is 30 s.
const SCRIPT: u64 = 300_000;
/// The window's height from which it grows to that of a page.
const LEAST_HEIGHT: u32 = 600;

/// How somebody looks at the page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    /// On a desk by day.
    Light,
    /// On a desk by night.
    Dark,
    /// On a telephone by night.
    Phone,
}

/// The program that drives browsers. They all end with the namespace.
pub(super) struct Driver {
    browser: Browser,
    process: Process,
    address: String,
    _folder: tempfile::TempDir,
}

impl Look {
    pub(super) const ALL: [Self; 3] = [Self::Light, Self::Dark, Self::Phone];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Phone => "phone",
        }
    }

    /// The colour of the page's ground.
    pub(super) fn ground(self) -> &'static str {
        match self {
            Self::Light => "rgb(247, 247, 244)",
            Self::Dark | Self::Phone => "rgb(19, 22, 25)",
        }
    }

    fn options(self) -> Value {
        // Blink counts dark as 0.
        let scheme = if matches!(self, Self::Light) { 1 } else { 0 };
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        let mut options = json!({
            // There is nothing but our own page, and where namespaces cannot be nested no sandbox.
            "args": ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--hide-scrollbars", "--window-size=1120,1143", scheme]
        });
        if matches!(self, Self::Phone) {
            let metrics = json!({"width": 390, "height": 844, "pixelRatio": 1.5});
            options["mobileEmulation"] = json!({"deviceMetrics": metrics});
        }
        options
    }
}

impl Driver {
    pub(super) async fn start() -> Result<Self> {
        let browser = build::browser(&Progress::quiet())?;
        let folder = tempfile::tempdir()?;
        let mut program =
            Program::new("chromedriver", &browser.driver, folder.path()).flag("port", "0");
        // What a browser that is killed leaves behind goes with the folder.
        program = program.env("TMPDIR", folder.path().to_string_lossy());
        for (name, value) in &browser.environment {
            program = program.env(name, value);
        }
        let log = program.log.clone();
        let process = Process::start(&program)?;
        let port = process.alive(until("the driver's port", AMPLE, || async {
            let text = fs::read_to_string(&log).unwrap_or_default();
            match text.split("started successfully on port ").nth(1) {
                Some(rest) if rest.contains('.') => {
                    Seen::Done(rest.split('.').next().unwrap_or_default().to_owned())
                }
                _ => Seen::NotYet(text),
            }
        }));
        let address = format!("http://127.0.0.1:{}", port.await?);
        Ok(Self { browser, process, address, _folder: folder })
    }

    /// A browser of its own.
    pub(super) async fn open(&self, look: Look) -> Result<Client> {
        let mut options = look.options();
        if let Some(chromium) = &self.browser.chromium {
            options["binary"] = json!(chromium);
        }
        let mut builder =
            ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        let capabilities = [
            ("goog:chromeOptions".to_owned(), options),
            ("timeouts".to_owned(), json!({"script": SCRIPT})),
        ];
        builder.capabilities(capabilities.into_iter().collect());
        builder.connect(&self.address).await.context("cannot start a browser")
    }

    pub(super) async fn stop(&self) {
        self.process.stop(AMPLE).await;
    }
}

/// What axe-core has to say against the page, one line per kind.
pub(super) async fn axe(client: &Client) -> Result<Vec<String>> {
    let script = fs::read_to_string(build::axe(&Progress::quiet())?)?;
    client.execute(&script, Vec::new()).await?;
    let run = "const done = arguments[arguments.length - 1];
        axe.run(document).then(
            found => done(found.violations.map(v => v.id + ': ' + v.help + '\\n  '
                + v.nodes.map(n => n.html + ' ' + n.failureSummary).join('\\n  '))),
            error => done(['axe-core failed: ' + error]))";
    let found = client.execute_async(run, Vec::new()).await?;
    serde_json::from_value(found).context("axe-core answers something else")
}

/// Takes a picture for the documentation, if that was asked for: on a desk of the whole page.
pub(super) async fn picture(client: &Client, look: Look, page: &str) -> Result<()> {
    if std::env::var_os("COALMINE_SCREENSHOTS").is_none_or(|value| value.is_empty()) {
        return Ok(());
    }
    if !matches!(look, Look::Phone) {
        let (width, _) = client.get_window_size().await?;
        let width = u32::try_from(width)?;
        // A page is never shorter than its window.
        client.set_window_size(width, LEAST_HEIGHT).await?;
        let height = "return document.documentElement.scrollHeight + outerHeight - innerHeight";
        let height = client.execute(height, Vec::new()).await?;
        let height = height.as_u64().context("a page has a height")?;
        client.set_window_size(width, u32::try_from(height)?).await?;
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/pictures");
    fs::create_dir_all(folder)?;
    let file = format!("{folder}/{page}-{}.png", look.name());
    fs::write(&file, client.screenshot().await?).with_context(|| format!("cannot write {file}"))
}
