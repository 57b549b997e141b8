//! The daemon as a process, with a git server that it cannot get anything from: what a webhook does
//! to it, and who may see its status. Nothing here needs a cluster.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Far more than anything here takes: whoever meets it hangs.
const AMPLE: Duration = Duration::from_secs(60);
const SECRET: &str = "It's a Secret to Everybody";
const PUSH: &str = r#"{"ref": "refs/heads/main"}"#;
const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: nobody, user: {}}]
contexts: [{name: none, context: {cluster: none, user: nobody}}]
current-context: none
";

/// A daemon whose next poll is an hour away; it ends with the test.
struct Daemon {
    _process: Process,
    status: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Daemon {
    fn start(repository: &TcpListener, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("secret"), SECRET).unwrap();
        fs::write(path("kubeconfig"), KUBECONFIG).unwrap();
        let address = format!("git://{}/rollouts.git", repository.local_addr().unwrap());
        let process = Command::new(env!("CARGO_BIN_EXE_coalmine"))
            .args(["run", "--interval", "1h", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(["--repo", &address, "--state-dir", &path("state")])
            .args(arguments.iter().map(|argument| argument.replace("SECRET", &path("secret"))))
            .env("KUBECONFIG", path("kubeconfig"))
            .stderr(Stdio::piped())
            .spawn();
        let mut process = Process(process.unwrap());
        let log = BufReader::new(process.0.stderr.take().unwrap());
        let (found, address) = std::sync::mpsc::channel();
        // The log is read to its end, or the daemon would wait for somebody who does.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                if let Some(address) = line["address"].as_str() {
                    found.send(address.parse().unwrap()).unwrap();
                }
            }
        });
        let status = address.recv_timeout(AMPLE).expect("the log says where the status is");
        Self { _process: process, status, _folder: folder }
    }

    /// The first line of the answer to a request.
    fn ask(&self, request: &str, headers: &str, body: &str) -> String {
        let mut connection = TcpStream::connect(self.status).unwrap();
        connection.set_read_timeout(Some(AMPLE)).unwrap();
        let length = body.len();
        write!(
            connection,
            "{request} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    fn push(&self, secret: &str) -> String {
        self.ask("POST /hooks/git", &format!("X-Gitlab-Token: {secret}\r\n"), PUSH)
    }
}

/// A process that ends with its handle.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The next fetch that reaches the server.
fn fetch(server: &TcpListener) -> TcpStream {
    server.set_nonblocking(true).unwrap();
    let deadline = std::time::Instant::now() + AMPLE;
    loop {
        match server.accept() {
            Ok((connection, _)) => return connection,
            Err(_) if std::time::Instant::now() < deadline => {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            Err(error) => panic!("no fetch came: {error}"),
        }
    }
}

#[test]
fn a_push_is_fetched_at_once_and_a_wrong_secret_moves_nobody() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let daemon = Daemon::start(&server, &["--webhook-secret-file", "SECRET"]);
    drop(fetch(&server));
    assert_eq!(daemon.push("guess"), "HTTP/1.1 401 Unauthorized");
    assert_eq!(daemon.push(SECRET), "HTTP/1.1 202 Accepted");
    drop(fetch(&server));
    let other = server.accept();
    assert!(other.is_err(), "the next poll is an hour away: {other:?}");
}

#[test]
fn a_push_while_a_fetch_hangs_is_fetched_after_its_deadline() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    // Long enough for the first fetch to reach the server, or the next one would come in an hour.
    let arguments = ["--webhook-secret-file", "SECRET", "--fetch-deadline", "5s"];
    let daemon = Daemon::start(&server, &arguments);
    // It is held open and never answered.
    let hanging = fetch(&server);
    assert_eq!(daemon.push(SECRET), "HTTP/1.1 202 Accepted");
    assert_eq!(daemon.push(SECRET), "HTTP/1.1 202 Accepted");
    let next = fetch(&server);
    assert_eq!(daemon.ask("GET /api/services", "", ""), "HTTP/1.1 200 OK");
    drop((hanging, next));
}

#[test]
fn a_status_token_closes_the_status_and_leaves_the_probes_open() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let daemon = Daemon::start(&server, &["--status-token-file", "SECRET"]);
    let token = format!("Authorization: Bearer {SECRET}\r\n");
    for path in ["/", "/api/services"] {
        let request = format!("GET {path}");
        assert_eq!(daemon.ask(&request, "", ""), "HTTP/1.1 401 Unauthorized", "{path}");
        assert_eq!(daemon.ask(&request, &token, ""), "HTTP/1.1 200 OK", "{path}");
    }
    assert_eq!(daemon.ask("GET /healthz", "", ""), "HTTP/1.1 200 OK");
}

#[test]
fn without_a_secret_there_is_no_such_route() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let daemon = Daemon::start(&server, &[]);
    assert_eq!(daemon.push(SECRET), "HTTP/1.1 404 Not Found");
}
