//! A git server on this machine, which loses answers and hangs when it is told to.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What becomes of one push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is carried out, and the connection breaks before the answer.
    LoseAnswer,
    /// The same, and nobody answers from then on.
    LoseAnswerAndGo,
    /// The connection breaks before anything is carried out.
    Break,
    /// Nothing is read of it, for as long as somebody waits.
    Hang,
}

#[derive(Clone)]
pub(crate) struct GitServer {
    pub(crate) address: String,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    gone: Arc<AtomicBool>,
    pushes: Arc<AtomicUsize>,
}

impl GitServer {
    /// Serves a repository to everybody, for fetches and pushes.
    pub(crate) fn start(repository: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("git://{}/rollouts.git", listener.local_addr().expect("bound"));
        let server =
            Self { address, faults: Arc::default(), gone: Arc::default(), pushes: Arc::default() };
        let (serving, repository) = (server.clone(), repository.to_path_buf());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (server, repository) = (serving.clone(), repository.clone());
                let connection = connection.expect("a connection");
                std::thread::spawn(move || server.serve(connection, &repository));
            }
        });
        server
    }

    /// What becomes of the next pushes, one after the other.
    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().expect("whole").extend(faults);
    }

    /// Whether nobody answers.
    pub(crate) fn is_gone(&self, gone: bool) {
        self.gone.store(gone, Ordering::SeqCst);
    }

    /// How many pushes were begun.
    pub(crate) fn pushes(&self) -> usize {
        self.pushes.load(Ordering::SeqCst)
    }

    fn serve(&self, mut connection: TcpStream, repository: &PathBuf) {
        if self.gone.load(Ordering::SeqCst) {
            return;
        }
        let mut length = [0; 4];
        if connection.read_exact(&mut length).is_err() {
            return;
        }
        let length = usize::from_str_radix(std::str::from_utf8(&length).expect("digits"), 16);
        let mut request = vec![0; length.expect("a length") - 4];
        connection.read_exact(&mut request).expect("a request");
        let pushes = request.starts_with(b"git-receive-pack");
        let mut git = Command::new("git");
        git.arg(if pushes { "receive-pack" } else { "upload-pack" }).arg(repository);
        git.stderr(Stdio::null());
        let socket = || OwnedFd::from(connection.try_clone().expect("a handle"));
        let fault = match pushes {
            true => {
                self.pushes.fetch_add(1, Ordering::SeqCst);
                self.faults.lock().expect("whole").pop_front()
            }
            false => None,
        };
        match fault {
            None => drop(git.stdin(socket()).stdout(socket()).status()),
            Some(Fault::LoseAnswer | Fault::LoseAnswerAndGo) => {
                let mut git = git.stdin(socket()).stdout(Stdio::piped()).spawn().expect("git");
                greet(&mut git, &mut connection);
                let mut rest = git.stdout.take().expect("a pipe");
                let _ = std::io::copy(&mut rest, &mut std::io::sink());
                git.wait().expect("ended");
                if fault == Some(Fault::LoseAnswerAndGo) {
                    self.is_gone(true);
                }
                let _ = connection.shutdown(std::net::Shutdown::Both);
            }
            Some(Fault::Break | Fault::Hang) => {
                let mut git =
                    git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git");
                greet(&mut git, &mut connection);
                if fault == Some(Fault::Hang) {
                    // A killed client shows as the end of what it sends.
                    let _ = std::io::copy(&mut connection, &mut std::io::sink());
                }
                drop(git.stdin.take());
                git.wait().expect("ended");
                let _ = connection.shutdown(std::net::Shutdown::Both);
            }
        }
    }
}

/// Passes on what git says first: its branches, up to an empty packet.
fn greet(git: &mut Child, connection: &mut TcpStream) {
    let answer = git.stdout.as_mut().expect("a pipe");
    loop {
        let mut length = [0; 4];
        answer.read_exact(&mut length).expect("a packet");
        let _ = connection.write_all(&length);
        let length = usize::from_str_radix(std::str::from_utf8(&length).expect("digits"), 16);
        let Some(length) = length.expect("a length").checked_sub(4) else { return };
        let mut packet = vec![0; length];
        answer.read_exact(&mut packet).expect("a packet");
        let _ = connection.write_all(&packet);
    }
}
