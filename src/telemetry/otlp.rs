//! Traces for an OpenTelemetry collector, over OTLP with http and protobuf: the spans of this module's
//! parent, with the log's lines as their events.

use std::time::Duration;

use anyhow::{Context, ensure};
use axum::body::Bytes;
use http::{Request, Response};
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::{Level, Subscriber};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{Filtered, Targets};
use tracing_subscriber::registry::LookupSpan;

/// How long the collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to the collector.
pub(super) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Batches go to `/v1/traces` below the endpoint, from tasks of this runtime. A collector that is
    /// not there costs nothing but the traces.
    ///
    /// # Errors
    /// When the endpoint is no `http://` URL.
    pub(super) fn to(endpoint: &str, runtime: &Handle) -> anyhow::Result<Self> {
        ensure!(
            endpoint.starts_with("http://"),
            "--otlp-endpoint {endpoint}: expected http://HOST:PORT; TLS is the business of a \
             collector beside the daemon"
        );
        let client = HyperClient::with_default_connector(PATIENCE, None);
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(OnRuntime { client, runtime: runtime.clone() })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(PATIENCE)
            .build()
            .with_context(|| format!("--otlp-endpoint {endpoint}"))?;
        let resource = Resource::builder().with_service_name("coalmine").build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Self { provider })
    }

    /// What takes our own spans from the log. Others' are left out: sending a batch makes some.
    pub(super) fn layer<S>(&self) -> Filtered<OpenTelemetryLayer<S, SdkTracer>, Targets, S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let layer = tracing_opentelemetry::layer().with_tracer(self.provider.tracer("coalmine"));
        layer.with_filter(Targets::new().with_target("coalmine", Level::INFO))
    }
}

impl Drop for Traces {
    /// Sends what is left. The runtime must still run.
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::debug!(%error, "the last traces were not sent");
        }
    }
}

/// The exporter calls from a thread of its own, and the client needs a runtime.
#[derive(Debug)]
struct OnRuntime {
    client: HyperClient,
    runtime: Handle,
}

#[async_trait::async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::extract::State;
    use axum::http::Uri;
    use tokio::net::TcpListener;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use coalmine_core::object::ObjectId;

    type Received = Arc<Mutex<Vec<(String, Bytes)>>>;

    async fn collect(State(received): State<Received>, uri: Uri, body: Bytes) {
        received.lock().expect("no panic").push((uri.path().to_owned(), body));
    }

    /// Everything that a collector gets of what is done.
    fn collected(done: impl FnOnce()) -> Vec<(String, Bytes)> {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let received = Received::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let collector = Router::new().fallback(collect).with_state(received.clone());
        runtime.spawn(async { axum::serve(listener, collector).await });
        let traces = Traces::to(&format!("http://{address}/"), runtime.handle()).expect("a URL");
        let log = tracing_subscriber::registry().with(traces.layer());
        tracing::subscriber::with_default(log, done);
        drop(traces);
        std::mem::take(&mut received.lock().expect("no panic"))
    }

    fn contains(body: &[u8], text: &str) -> bool {
        body.windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[test]
    fn our_spans_arrive_with_their_fields_and_nobody_elses() {
        let table = ObjectId::new("gateway.solo.io/v1", "RouteTable", Some("echo"), "echo-routes");
        let received = collected(|| {
            super::super::reconcile("echo", "0123456").in_scope(|| {
                super::super::apply(&table).in_scope(|| tracing::info!("a decision"));
                tracing::info_span!(target: "hyper", "strangers").in_scope(|| ());
            });
        });
        assert_eq!(received.len(), 1, "one batch");
        let (path, body) = &received[0];
        assert_eq!(path, "/v1/traces");
        for text in [
            "coalmine",
            "reconcile",
            "0123456",
            "apply",
            "RouteTable echo/echo-routes",
            "a decision",
        ] {
            assert!(contains(body, text), "{text} is missing: {}", body.escape_ascii());
        }
        assert!(!contains(body, "strangers"));
    }

    #[test]
    fn an_endpoint_that_is_no_http_url_is_refused() {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let refused = Traces::to("collector:4318", runtime.handle()).err().expect("refused");
        assert!(refused.to_string().contains("expected http://HOST:PORT"), "{refused}");
    }
}
