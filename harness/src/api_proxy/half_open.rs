//! Connections of clients, any of which can be made half open: it stays open, and nothing goes through it any more.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd as _, OwnedFd},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use socket2::{SockFilter, SockRef};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use super::Request;

/// A program of the kernel's packet filter that accepts nothing: `BPF_RET | BPF_K` with the value 0, the number of
/// bytes to keep (linux/filter.h).
const NOTHING: SockFilter = SockFilter::new(0x06, 0, 0, 0);

/// What is left of the other end of a connection that is half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Nothing, as when a machine or the way to it is gone: no packet is acknowledged, keep-alive probes included.
    Gone,
    /// Its kernel, as when a program hangs or a load balancer keeps a connection whose other side is gone: packets
    /// are acknowledged, and nobody reads them.
    Stuck,
}

/// Connections that are half open. Dropping it closes them.
#[must_use = "the connections are closed when this is dropped"]
#[derive(Debug)]
pub struct HalfOpen {
    all: Connections,
    numbers: Vec<u64>,
}

impl HalfOpen {
    /// How many connections it has befallen, those included that their clients have given up since.
    pub fn connections(&self) -> usize {
        self.numbers.len()
    }
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        let known = self.all.lock();
        for connection in self.numbers.iter().filter_map(|number| known.open.get(number)) {
            // There is none where the peer was stuck. Without this the client would not learn of the end.
            drop(SockRef::from(&connection.socket).detach_filter());
            connection.ends.cancel();
        }
    }
}

/// The connections that are open.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    count: u64,
    open: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    /// Another handle on the socket.
    socket: OwnedFd,
    /// What its client asked last.
    last: Option<Request>,
    is_dead: Arc<AtomicBool>,
    ends: CancellationToken,
}

/// One connection, for as long as it is served.
#[derive(Debug)]
pub(super) struct Served {
    all: Connections,
    number: u64,
    /// Cancelled when the connection is to be closed.
    pub(super) ends: CancellationToken,
}

impl Connections {
    /// Enters a connection; the stream that is returned takes its place.
    pub(super) fn enter(&self, stream: TcpStream) -> io::Result<(Served, Gate)> {
        let is_dead = Arc::<AtomicBool>::default();
        let ends = CancellationToken::new();
        let socket = stream.as_fd().try_clone_to_owned()?;
        let mut known = self.lock();
        known.count += 1;
        let number = known.count;
        let connection =
            Connection { socket, last: None, is_dead: is_dead.clone(), ends: ends.clone() };
        known.open.insert(number, connection);
        drop(known);
        Ok((Served { all: self.clone(), number, ends }, Gate { stream, is_dead }))
    }

    /// Makes every connection half open whose last request fits.
    pub(super) fn half_open(
        &self,
        peer: Peer,
        fits: impl Fn(&Request) -> bool,
    ) -> io::Result<HalfOpen> {
        let mut numbers = Vec::new();
        for (number, connection) in &mut self.lock().open {
            if !connection.last.as_ref().is_some_and(&fits) {
                continue;
            }
            connection.is_dead.store(true, Ordering::SeqCst);
            if peer == Peer::Gone {
                SockRef::from(&connection.socket).attach_filter(&[NOTHING])?;
            }
            numbers.push(*number);
        }
        Ok(HalfOpen { all: self.clone(), numbers })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Served {
    /// The client asks this by the connection.
    pub(super) fn asked(&self, request: &Request) {
        if let Some(connection) = self.all.lock().open.get_mut(&self.number) {
            connection.last = Some(request.clone());
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.all.lock().open.remove(&self.number);
    }
}

/// A stream through which nothing goes in either direction once it is dead. Nothing wakes what waits for it then:
/// whoever serves it has to look at [`Served::ends`] too.
#[derive(Debug)]
pub(super) struct Gate {
    stream: TcpStream,
    is_dead: Arc<AtomicBool>,
}

impl Gate {
    fn open(&mut self) -> Poll<Pin<&mut TcpStream>> {
        match self.is_dead.load(Ordering::SeqCst) {
            true => Poll::Pending,
            false => Poll::Ready(Pin::new(&mut self.stream)),
        }
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        std::task::ready!(self.open()).poll_read(context, buffer)
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.open()).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.open()).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.open()).poll_shutdown(context)
    }
}
