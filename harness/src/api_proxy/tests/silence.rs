//! Watches and connections that are open and of which nothing comes.

use std::time::Duration;

use tokio::{net::TcpListener, sync::mpsc, time::timeout};

use super::{Peer, SOON, Scene, Verb, half_open};

#[tokio::test]
async fn a_silent_watch_stays_open_without_a_word_while_lists_and_new_watches_work() {
    let scene = Scene::set().await;
    let mut seen = scene.watch().await;
    scene.happens("first");
    assert_eq!(timeout(SOON, seen.recv()).await.unwrap().as_deref(), Some("first"));
    let silent = scene.proxy.silence(|request| request.is_about("configmaps"));
    scene.happens("second");
    scene.apply("meanwhile").await.unwrap();
    assert!(matches!(seen.try_recv(), Err(mpsc::error::TryRecvError::Empty)), "open and silent");
    let mut another = scene.watch().await;
    scene.happens("third");
    assert_eq!(timeout(SOON, another.recv()).await.unwrap().as_deref(), Some("third"));
    silent.close();
    assert_eq!(timeout(SOON, seen.recv()).await.unwrap(), None, "it ends without a word");
}

#[tokio::test]
async fn a_half_open_connection_is_open_and_dead_and_new_ones_work() {
    for peer in [Peer::Gone, Peer::Stuck] {
        let scene = Scene::set().await;
        let mut seen = scene.watch().await;
        scene.apply("before").await.unwrap();
        let watches = scene.proxy.half_open(peer, |request| request.verb == Verb::Watch).unwrap();
        assert_eq!(watches.connections(), 1);
        scene.happens("lost");
        scene.apply("elsewhere").await.unwrap();
        assert!(matches!(seen.try_recv(), Err(mpsc::error::TryRecvError::Empty)), "{peer:?}");
        // The client takes one of its open connections, and gets no answer.
        let all = scene.proxy.half_open(peer, |_| true).unwrap();
        assert_eq!(all.connections(), 2);
        let reached = scene.reached().len();
        let answer = timeout(Duration::from_secs(2), scene.apply("unanswered")).await;
        assert!(answer.is_err(), "{peer:?}: {answer:?}");
        assert_eq!(scene.reached().len(), reached, "{peer:?}: it reached the API server");
        scene.apply("anew").await.unwrap();
        drop((watches, all));
        let end = timeout(SOON, seen.recv()).await;
        assert_eq!(end, Ok(None), "{peer:?}: it is closed");
    }
}

/// Keep-alive probes that nobody acknowledges find a peer that is gone, and not one that is stuck.
#[tokio::test]
async fn only_a_peer_that_is_gone_acknowledges_nothing() {
    use tokio::io::AsyncReadExt as _;
    for peer in [Peer::Gone, Peer::Stuck] {
        let scene = Scene::set().await;
        let connections = half_open::Connections::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client =
            tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (served, _gate) = connections.enter(listener.accept().await.unwrap().0).unwrap();
        scene.apply("a").await.unwrap();
        served.asked(&scene.proxy.requests()[0].request);
        let _dead = connections.half_open(peer, |_| true).unwrap();
        let second = Duration::from_secs(1);
        let probes =
            socket2::TcpKeepalive::new().with_time(second).with_interval(second).with_retries(2);
        socket2::SockRef::from(&client).set_tcp_keepalive(&probes).unwrap();
        let ended = timeout(Duration::from_secs(10), client.read(&mut [0])).await;
        match peer {
            Peer::Gone => assert!(matches!(ended, Ok(Err(_))), "{ended:?}"),
            Peer::Stuck => assert!(ended.is_err(), "{ended:?}"),
        }
    }
}
