//! The log: what the daemon decided and why, one line per decision, and the spans that say which service
//! and object a line is about. docs/status.md says how to follow one service.

mod log;
#[cfg(feature = "otlp")]
mod otlp;

use std::io::IsTerminal;

use tokio::runtime::Handle;
use tracing::{Span, info_span};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use coalmine_core::object::ObjectId;
use log::SanitizedLog;

/// What is told, and how.
#[derive(Clone, Debug, clap::Args)]
pub struct Telemetry {
    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// The OpenTelemetry collector that gets traces (OTLP, http/protobuf), such as
    /// http://localhost:4318
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
}

/// What is logged when RUST_LOG does not say it. The library that watches logs each attempt that the API server
/// forbids, beside our own line for the kind.
pub(crate) fn default_filter() -> EnvFilter {
    EnvFilter::new("warn,coalmine=info,kube_runtime=error")
}

/// How log lines look.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Sends the last traces when it goes.
#[must_use]
pub struct TelemetryGuard {
    #[cfg(feature = "otlp")]
    _traces: Option<otlp::Traces>,
}

impl Telemetry {
    /// Starts the log on standard error, and the traces. `RUST_LOG` says what is logged; without it our
    /// own decisions are, and the warnings of others.
    ///
    /// # Errors
    /// When the log was started before, or the collector's address cannot be one.
    pub fn start(&self, runtime: &Handle) -> anyhow::Result<TelemetryGuard> {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| default_filter());
        let json = matches!(self.log_format, LogFormat::Json);
        let writer = SanitizedLog { inner: std::io::stderr, json };
        let lines = tracing_subscriber::fmt::layer().with_writer(writer);
        let lines = match self.log_format {
            LogFormat::Text => {
                lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).boxed()
            }
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        let log = tracing_subscriber::registry().with(lines.with_filter(filter));
        #[cfg(feature = "otlp")]
        let traces = {
            let to = |endpoint: &String| otlp::Traces::to(endpoint, runtime);
            self.otlp_endpoint.as_ref().map(to).transpose()?
        };
        #[cfg(feature = "otlp")]
        let log = log.with(traces.as_ref().map(otlp::Traces::layer));
        #[cfg(not(feature = "otlp"))]
        let _ = runtime;
        log.try_init()?;
        Ok(TelemetryGuard {
            #[cfg(feature = "otlp")]
            _traces: traces,
        })
    }
}

/// Around everything that is done to bring a service to a revision.
pub fn reconcile(service: &str, revision: &str) -> Span {
    info_span!("reconcile", service, revision)
}

/// Around the writing of one object.
pub fn apply(object: &ObjectId) -> Span {
    info_span!("apply", %object)
}
