//! Probes: HTTP and TCP, with the thresholds of the API.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use http_body_util::Empty;
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{self as api, Container, HTTPGetAction};
use tokio::{net::TcpStream, time};

use super::spec::{self, Refusal};

/// A probe of one container.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    action: Action,
    initial_delay: Duration,
    period: Duration,
    timeout: Duration,
    successes: u32,
    failures: u32,
}

#[derive(Clone, Debug)]
enum Action {
    Http { address: (IpAddr, u16), request: Box<Request<Empty<Bytes>>> },
    Tcp { address: (IpAddr, u16) },
}

impl Probe {
    /// Reads a probe of `container`, whose pod has `address`; defaults as the API's.
    pub(super) fn new(
        probe: &api::Probe,
        container: &Container,
        address: Ipv4Addr,
    ) -> Result<Self, Refusal> {
        let refusal = |error: anyhow::Error| Refusal {
            reason: "CreateContainerConfigError",
            message: format!("probe: {error:#}"),
        };
        let action = action(probe, container, address).map_err(refusal)?;
        let number = |value: Option<i32>, default: i32| value.unwrap_or(default).max(1);
        let seconds = |value: Option<i32>, default| spec::seconds(number(value, default).into());
        let initial = i64::from(probe.initial_delay_seconds.unwrap_or_default());
        Ok(Self {
            action,
            initial_delay: spec::seconds(initial),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            successes: number(probe.success_threshold, 1).unsigned_abs(),
            failures: number(probe.failure_threshold, 3).unsigned_abs(),
        })
    }

    /// Waits for the delay before the first probe.
    pub(super) async fn begin(&self) {
        time::sleep(self.initial_delay).await;
    }

    /// Probes until the answer was `wanted` as many times in a row as the threshold says.
    pub(super) async fn until(&self, wanted: bool) {
        let threshold = if wanted { self.successes } else { self.failures };
        let mut row = 0;
        loop {
            let outcome = time::timeout(self.timeout, self.action.run()).await;
            let good = matches!(outcome, Ok(Ok(())));
            row = if good == wanted { row + 1 } else { 0 };
            if row == threshold {
                return;
            }
            time::sleep(self.period).await;
        }
    }

    /// The pause between two probes.
    pub(super) async fn pause(&self) {
        time::sleep(self.period).await;
    }
}

impl Action {
    async fn run(&self) -> Result<()> {
        match self {
            Self::Tcp { address } => drop(TcpStream::connect(address).await?),
            Self::Http { address, request } => {
                let stream = TcpStream::connect(address).await?;
                let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                // It ends when the sender is dropped.
                tokio::spawn(connection);
                let status = sender.send_request(Request::clone(request)).await?.status();
                ensure!((200..400).contains(&status.as_u16()), "status {status}");
            }
        }
        Ok(())
    }
}

fn action(probe: &api::Probe, container: &Container, address: Ipv4Addr) -> Result<Action> {
    let find = |port| spec::port(container, port).context("the container has no such port");
    if let Some(get) = &probe.http_get {
        let address = (host(get.host.as_deref(), address)?, find(&get.port)?);
        return Ok(Action::Http { address, request: Box::new(request(get, address)?) });
    }
    let socket = probe.tcp_socket.as_ref();
    let socket = socket.context("the process node knows httpGet and tcpSocket only")?;
    let address = (host(socket.host.as_deref(), address)?, find(&socket.port)?);
    Ok(Action::Tcp { address })
}

fn host(host: Option<&str>, address: Ipv4Addr) -> Result<IpAddr> {
    match host {
        None | Some("") => Ok(address.into()),
        Some(host) => host.parse().with_context(|| format!("host {host:?} is no address")),
    }
}

fn request(get: &HTTPGetAction, address: (IpAddr, u16)) -> Result<Request<Empty<Bytes>>> {
    ensure!(get.scheme.as_deref() != Some("HTTPS"), "the process node knows no HTTPS");
    let path = get.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    let mut request = Request::get(path)
        .header("host", format!("{}:{}", address.0, address.1))
        .header("user-agent", "kube-probe/1.35");
    for header in get.http_headers.iter().flatten() {
        request = request.header(&header.name, &header.value);
    }
    Ok(request.body(Empty::new())?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    fn probe(spec: serde_json::Value) -> Result<Probe, Refusal> {
        let container = Container { name: "c".into(), ..Container::default() };
        let spec = serde_json::from_value(spec).unwrap();
        Probe::new(&spec, &container, Ipv4Addr::LOCALHOST)
    }

    #[tokio::test]
    async fn an_http_probe_counts_answers_in_a_row() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            for status in ["500 No", "200 OK", "503 No", "204 OK", "302 OK"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let read = stream.read(&mut request).await.unwrap();
                assert!(request[..read].starts_with(b"GET /ready HTTP/1.1\r\n"));
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let mut probe = probe(json!({
            "httpGet": {"path": "/ready", "port": port}, "successThreshold": 2, "periodSeconds": 1,
        }))
        .unwrap();
        probe.period = Duration::ZERO;
        probe.until(true).await;
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_tcp_probe_fails_where_nobody_listens() {
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let mut probe = probe(json!({"tcpSocket": {"port": nobody}})).unwrap();
        probe.period = Duration::ZERO;
        probe.until(false).await;
    }

    #[test]
    fn a_probe_we_cannot_run_is_refused() {
        let refusal = probe(json!({"exec": {"command": ["true"]}})).unwrap_err();
        assert_eq!(refusal.reason, "CreateContainerConfigError");
        let refusal = probe(json!({"httpGet": {"port": "http"}})).unwrap_err();
        assert!(refusal.message.contains("no such port"), "{}", refusal.message);
    }
}
