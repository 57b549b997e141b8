//! Relays TCP connections from a port outside a bed's namespace to an address inside of it.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// Connections relayed at a time: two file descriptors each stay well below the usual limit of
/// 1024. Further ones wait in the listener's backlog.
const CONNECTIONS: usize = 400;

/// Accepts on `listener` for ever and joins every connection with one to `inside`. Each direction
/// is closed when its sender closes it, so a client that has said its last word still gets the
/// answer. While nothing listens inside, connections are closed at once.
pub async fn serve(listener: TcpListener, inside: SocketAddr) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        // A connection that is gone before it is accepted is no reason to stop listening.
        let Ok((mut outer, _)) = listener.accept().await else { continue };
        tokio::spawn(async move {
            if let Ok(mut inner) = TcpStream::connect(inside).await {
                let nodelay = outer.set_nodelay(true).and_then(|()| inner.set_nodelay(true));
                if nodelay.is_ok() {
                    // An error here is one side's end, which the other side sees by itself.
                    drop(copy_bidirectional(&mut outer, &mut inner).await);
                }
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn forward_to(inside: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let outside = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, inside));
        outside
    }

    #[tokio::test]
    async fn a_client_that_closed_its_side_still_gets_the_answer() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let outside = forward_to(server.local_addr().unwrap()).await;
        tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut question = String::new();
            stream.read_to_string(&mut question).await.unwrap();
            stream.write_all(format!("you said {question}").as_bytes()).await.unwrap();
        });
        let mut client = TcpStream::connect(outside).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "you said hello");
    }

    #[tokio::test]
    async fn a_connection_to_nobody_is_closed() {
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut client = TcpStream::connect(forward_to(nobody).await).await.unwrap();
        let mut answer = Vec::new();
        // Closed or reset: either way nothing came and nothing hangs.
        drop(client.read_to_end(&mut answer).await);
        assert!(answer.is_empty());
    }
}
