//! Answers every request with one text, as hashicorp/http-echo does, and says which pod answered.
//!
//! Flags as the original's: `-text`, `-listen` (default `:5678`), `-status-code` (default 200). Of its own it has
//! `-delay-ms` (answer later) and `-exit-after` (end with code 1 instead of that many's answer); neither is for `/health`.
//! A listen address without a host means the pod's own (`POD_IP`), or all where that is not told. A
//! request may carry `x-status` (answer with that status), `x-delay-ms` (answer later), `x-health`
//! (answer `/health` with that status from now on), `x-answers` (the same for everything else) and `x-exit` (end at once, with that code).
//!
//! As the original it does nothing about SIGTERM, so that ends it at once, open requests included;
//! after SIGINT it finishes them first.

use std::{
    convert::Infallible,
    env,
    net::{IpAddr, SocketAddr},
    process::exit,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// How the original ends on wrong flags.
const WRONG_FLAGS: i32 = 127;

struct Echo {
    text: Bytes,
    /// The status of everything else than `/health`.
    status: AtomicU16,
    delay: Duration,
    /// How many requests it answers before it ends.
    left: Option<AtomicU32>,
    /// The status of `/health`.
    health: AtomicU16,
    pod: HeaderValue,
}

struct Flags {
    text: String,
    listen: String,
    status: StatusCode,
    delay: Duration,
    exit_after: Option<u32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let flags = parse(env::args().skip(1)).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        exit(WRONG_FLAGS)
    });
    let variable = |name| env::var(name).unwrap_or_default();
    // In a container the pod's name is the name of the host.
    let name = env::var("POD_NAME").unwrap_or_else(|_| variable("HOSTNAME"));
    let pod = format!("{}/{name}", variable("POD_NAMESPACE"));
    let echo = Arc::new(Echo {
        text: format!("{}\n", flags.text).into(),
        status: AtomicU16::new(flags.status.as_u16()),
        delay: flags.delay,
        left: flags.exit_after.map(AtomicU32::new),
        health: AtomicU16::new(200),
        pod: HeaderValue::from_str(&pod).context("POD_NAME is no header value")?,
    });
    let address = address(&flags.listen, &variable("POD_IP"))?;
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
    println!("server is listening on {address}");
    serve(listener, echo).await
}

async fn serve(listener: TcpListener, echo: Arc<Echo>) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let connections = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // The connection was gone before we took it.
                Err(_) => continue,
            },
            _ = interrupt.recv() => break,
        };
        stream.set_nodelay(true)?;
        let echo = echo.clone();
        let service = service_fn(move |request| {
            let echo = echo.clone();
            async move { Ok::<_, Infallible>(echo.answer(&request).await) }
        });
        // As with the original, no connection ends because nobody asks on it.
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        // A client that hangs up is no concern of ours.
        tokio::spawn(async { drop(connection.await) });
    }
    drop(listener);
    connections.shutdown().await;
    Ok(())
}

impl Echo {
    async fn answer(&self, request: &Request<Incoming>) -> Response<http_body_util::Full<Bytes>> {
        let asked = |name| request.headers().get(name)?.to_str().ok();
        if let Some(delay) = asked("x-delay-ms").and_then(|value| value.parse().ok()) {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        if let Some(code) = asked("x-exit").and_then(|value| value.parse().ok()) {
            exit(code);
        }
        if let Some(status) = asked("x-health").and_then(|value| value.parse().ok()) {
            self.health.store(status, Relaxed);
        }
        if let Some(status) = asked("x-answers").and_then(|value| value.parse().ok()) {
            self.status.store(status, Relaxed);
        }
        let status = asked("x-status").and_then(|value| value.parse().ok());
        let health = request.uri().path() == "/health";
        if !health {
            tokio::time::sleep(self.delay).await;
            if self.left.as_ref().is_some_and(|left| left.fetch_sub(1, Relaxed) <= 1) {
                exit(1);
            }
        }
        let present = StatusCode::from_u16(self.health.load(Relaxed)).unwrap_or_default();
        let (body, kind) = if health {
            let word = if present == StatusCode::OK { "ok" } else { "sick" };
            (format!(r#"{{"status":"{word}"}}"#).into(), "application/json")
        } else {
            (self.text.clone(), "text/plain; charset=utf-8")
        };
        let mut response = Response::new(body.into());
        let answers = StatusCode::from_u16(self.status.load(Relaxed)).unwrap_or_default();
        let usual = if health { present } else { answers };
        *response.status_mut() = status.unwrap_or(usual);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let constant = [("x-app-name", "http-echo"), ("x-app-version", "1.0.0")];
        for (name, value) in constant {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.insert(HeaderName::from_static("x-pod"), self.pod.clone());
        response
    }
}

fn parse(args: impl Iterator<Item = String>) -> Result<Flags> {
    let mut flags = Flags {
        text: String::new(),
        listen: ":5678".into(),
        status: StatusCode::OK,
        delay: Duration::ZERO,
        exit_after: None,
    };
    let mut args = args.peekable();
    while let Some(arg) = args.next() {
        let Some(flag) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')) else {
            bail!("Too many arguments! {arg:?} is no flag");
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => (flag, args.next().with_context(|| format!("-{flag} needs a value"))?),
        };
        match name {
            "text" => flags.text = value,
            "listen" => flags.listen = value,
            "status-code" => {
                let status = value.parse();
                flags.status =
                    status.map_err(|_| anyhow!("-status-code {value:?} is no HTTP status"))?;
            }
            "delay-ms" => {
                let delay = value.parse().map(Duration::from_millis);
                flags.delay = delay.map_err(|_| anyhow!("-delay-ms {value:?} is no number"))?;
            }
            "exit-after" => {
                let after = value.parse().ok().filter(|after| *after > 0);
                let wrong = || format!("-exit-after {value:?} is no number of requests");
                flags.exit_after = Some(after.with_context(wrong)?);
            }
            _ => bail!(
                "-{name} is no flag of this program: -text, -listen, -status-code, -delay-ms, -exit-after"
            ),
        }
    }
    if flags.text.is_empty() {
        flags.text = env::var("ECHO_TEXT").unwrap_or_default();
    }
    if flags.text.is_empty() {
        bail!("Missing -text option!");
    }
    Ok(flags)
}

fn address(listen: &str, pod: &str) -> Result<SocketAddr> {
    let (host, port) = listen.rsplit_once(':').context("-listen is no HOST:PORT")?;
    let port = port.parse().with_context(|| format!("-listen {listen:?} has no port"))?;
    let host = match (host, pod) {
        ("", "") => "0.0.0.0",
        ("", pod) => pod,
        (host, _) => host,
    };
    let host: IpAddr = host.parse().with_context(|| format!("{host:?} is no address"))?;
    Ok(SocketAddr::new(host, port))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    fn parsed(args: &[&str]) -> Result<Flags> {
        parse(args.iter().map(|arg| (*arg).to_owned()))
    }

    #[test]
    fn flags_are_taken_with_one_dash_or_two_and_with_or_without_an_equals_sign() {
        for args in [
            ["-text=a b", "-listen=:8080", "-status-code=202", "-delay-ms=7", "-exit-after=3"]
                .as_slice(),
            &[
                "-text",
                "a b",
                "--listen",
                ":8080",
                "--status-code=202",
                "-delay-ms",
                "7",
                "-exit-after",
                "3",
            ],
        ] {
            let flags = parsed(args).unwrap();
            assert_eq!((flags.delay, flags.exit_after), (Duration::from_millis(7), Some(3)));
            assert_eq!((flags.text.as_str(), flags.listen.as_str()), ("a b", ":8080"));
            assert_eq!(flags.status, 202);
        }
    }

    /// A gateway that sends a request on a kept connection just when we end it answers 503, for which nobody is to
    /// blame who is tested here.
    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_is_asked_for_long_is_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = Echo {
            text: "v1\n".into(),
            status: AtomicU16::new(200),
            delay: Duration::ZERO,
            left: None,
            health: AtomicU16::new(200),
            pod: HeaderValue::from_static("echo/v1"),
        };
        tokio::spawn(serve(listener, Arc::new(echo)));
        let mut stream = TcpStream::connect(address).await.unwrap();
        for _ in 0..2 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: echo\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"v1\n") {
                assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "it has ended");
            }
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
    }

    #[test]
    fn wrong_flags_are_refused() {
        for args in [
            ["stray"].as_slice(),
            &["-text"],
            &[],
            &["-text=a", "-status-code=9"],
            &["-x=1"],
            &["-text=a", "-exit-after=0"],
        ] {
            assert!(parsed(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn a_listen_address_without_a_host_means_the_pods_own() {
        let text = |listen, pod| address(listen, pod).unwrap().to_string();
        assert_eq!(text(":80", "10.77.0.9"), "10.77.0.9:80");
        assert_eq!(text(":80", ""), "0.0.0.0:80");
        assert_eq!(text("127.0.0.1:80", "10.77.0.9"), "127.0.0.1:80");
    }
}
