//! Connections of clients, and their requests' way to the API server and back.

use std::{fmt, io, sync::Arc};

use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    HeaderMap, Response, body::Incoming, header, server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use kube::{Client, client};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::RwLock,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{
    Request, Verb,
    alteration::Alterations,
    bad_answer::{expired, refusal, slowly, turned_away, webhook_failed, whole},
    body::Body,
    events::Taps,
    fault::{Effect, Fault, Moment, Rules, lost},
    half_open::{Connections, Served},
    journal::Journal,
    lines,
    versions::Versions,
};

/// Headers that are about one connection.
const HOP_BY_HOP: [header::HeaderName; 4] =
    [header::CONNECTION, header::HOST, header::TRANSFER_ENCODING, header::UPGRADE];

/// The way to one API server, and what is known about it.
pub(super) struct Way {
    client: Client,
    pub(super) journal: Journal,
    pub(super) rules: Rules,
    pub(super) taps: Taps,
    /// What becomes of objects on their way to the API server.
    pub(super) writes: Alterations,
    /// What becomes of objects on their way to the client.
    pub(super) answers: Alterations,
    pub(super) connections: Connections,
    /// What clients see of resource versions.
    pub(super) versions: Versions,
    /// Requests read it while they are carried out; whoever brings the store back writes it.
    pub(super) store: RwLock<()>,
}

/// Accepts for ever. Ends all connections when it is dropped.
pub(super) async fn serve(listener: TcpListener, acceptor: TlsAcceptor, way: Arc<Way>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that is gone before it is accepted is no reason to stop listening.
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(talk(stream, acceptor.clone(), way.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn talk(stream: TcpStream, acceptor: TlsAcceptor, way: Arc<Way>) {
    // Whatever ends a connection is the client's to notice.
    drop(stream.set_nodelay(true));
    let Ok((served, stream)) = way.connections.enter(stream) else { return };
    let ends = served.ends.clone();
    let conversation = async {
        let Ok(stream) = acceptor.accept(stream).await else { return };
        let service = service_fn(|request| way.answer(&served, request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the API server's proxy has ended");
        }
    };
    ends.run_until_cancelled(conversation).await;
}

impl Way {
    pub(super) fn to(client: Client) -> Self {
        Self {
            client,
            journal: Journal::default(),
            rules: Rules::default(),
            taps: Taps::default(),
            writes: Alterations::default(),
            answers: Alterations::default(),
            connections: Connections::default(),
            versions: Versions::default(),
            store: RwLock::default(),
        }
    }

    /// An error closes the connection.
    async fn answer(
        &self,
        served: &Served,
        request: hyper::Request<Incoming>,
    ) -> io::Result<Response<Body>> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let asked = Request::read(&head.method, target, &head.headers);
        served.asked(&asked);
        let number = self.journal.asked(asked.clone());
        let mut body = self.writes.written(&asked, body);
        strip(&mut head.headers);
        head.headers.remove(header::CONTENT_LENGTH);
        if !self.answers.is_empty() || !self.versions.are_true() {
            // What is to be changed has to be read.
            head.headers.remove(header::ACCEPT_ENCODING);
        }
        let effect = self.rules.effect(&asked);
        if matches!(effect, Some(Effect::Fault(Fault::Pretended))) {
            let target;
            (target, body) = asked.as_dry_run(body);
            head.uri = target.parse().map_err(io::Error::other)?;
        }
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        match self.versions.target(&asked, target) {
            Some(target) => head.uri = target.parse().map_err(io::Error::other)?,
            None => {
                self.journal.answered(number, 200);
                return Ok(expired());
            }
        }
        let onward = hyper::Request::from_parts(head, client::Body::from(body));
        let answer = match effect {
            None | Some(Effect::Fault(Fault::Pretended)) => self.forward(onward).await?,
            Some(Effect::Fault(Fault::Refused(status))) => {
                self.journal.answered(number, status);
                return Ok(refusal(status));
            }
            Some(Effect::Fault(Fault::TurnedAway(wait))) => {
                self.journal.answered(number, 429);
                return Ok(turned_away(wait));
            }
            Some(Effect::Fault(Fault::WebhookFailed(name))) => {
                self.journal.answered(number, 500);
                return Ok(webhook_failed(name));
            }
            Some(Effect::Fault(Fault::Silent)) => std::future::pending().await,
            Some(Effect::Fault(Fault::AnswerWithheld)) => {
                self.forward(onward).await?;
                std::future::pending().await
            }
            Some(Effect::Fault(Fault::SlowBody)) => {
                let answer = self.forward(onward).await?;
                self.journal.answered(number, answer.status().as_u16());
                let (mut head, body) = answer.into_parts();
                strip(&mut head.headers);
                return slowly(Response::from_parts(head, body)).await;
            }
            Some(Effect::Fault(Fault::Lost)) => return Err(lost()),
            Some(Effect::Fault(Fault::AnswerLost)) => {
                self.forward(onward).await?;
                return Err(lost());
            }
            Some(Effect::Stop(stop)) => match stop.moment {
                Moment::Before => {
                    stop.decided(&asked).await?;
                    self.forward(onward).await?
                }
                Moment::After => {
                    let answer = self.forward(onward).await?;
                    stop.decided(&asked).await?;
                    answer
                }
            },
        };
        self.journal.answered(number, answer.status().as_u16());
        self.hand_back(asked, answer).await
    }

    async fn forward(
        &self,
        request: hyper::Request<client::Body>,
    ) -> io::Result<Response<client::Body>> {
        let _not_while_it_goes_back = self.store.read().await;
        self.client.send(request).await.map_err(io::Error::other)
    }

    async fn hand_back(
        &self,
        asked: Request,
        answer: Response<client::Body>,
    ) -> io::Result<Response<Body>> {
        let (mut head, body) = answer.into_parts();
        strip(&mut head.headers);
        let is_forged = asked.resource.is_some() && !self.answers.is_empty();
        let mut body: Body = body.map_err(io::Error::other).boxed_unsync();
        if asked.verb == Verb::Watch && head.status.is_success() {
            body = StreamBody::new(self.taps.relay(asked.clone(), body)).boxed_unsync();
            let changes = if is_forged { self.answers.clone() } else { Alterations::default() };
            let told = lines::changed(asked, body, changes, self.versions.clone());
            body = StreamBody::new(told).boxed_unsync();
        } else if (is_forged || !self.versions.are_true()) && head.status.is_success() {
            head.headers.remove(header::CONTENT_LENGTH);
            let answer = body.collect().await?.to_bytes();
            match self.answers.answered(&asked, &self.versions, answer) {
                Some(answer) => body = whole(answer),
                None => return Ok(refusal(404)),
            }
        }
        Ok(Response::from_parts(head, body))
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("rules", &self.rules).finish_non_exhaustive()
    }
}

fn strip(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}
