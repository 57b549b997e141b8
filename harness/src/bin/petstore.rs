//! The pet store of the 2019 articles: `petstore v1` has a dog and a cat, `petstore v2` a parrot as
//! well, and every pet's status is `v2`.
//!
//! `GET /api/pets` answers all of them, `GET /api/pets/ID` one, both as JSON. It listens on port 8080
//! of the pod's address (`POD_IP`), or of every address where that is not told.

use std::convert::Infallible;
use std::env;

use anyhow::{Context as _, Result, bail};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What the original answers for a pet that it does not have.
const NOT_FOUND: u16 = 404;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let version = env::args().nth(1).unwrap_or_default();
    let pets = pets(&version)?;
    let variable = |name| env::var(name).unwrap_or_default();
    let pod = format!("{}/{}", variable("POD_NAMESPACE"), name());
    let pod = HeaderValue::from_str(&pod).context("POD_NAME is no header value")?;
    let host = env::var("POD_IP").unwrap_or_else(|_| "0.0.0.0".to_owned());
    let listener = TcpListener::bind(format!("{host}:8080")).await?;
    println!("petstore {version} is listening on {}", listener.local_addr()?);
    loop {
        // A connection that is gone before we took it is no concern of ours, nor is one that ends.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (pets, pod) = (pets.clone(), pod.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = answer(&pets, &pod, request.method(), request.uri().path());
            async move { Ok::<_, Infallible>(answer) }
        });
        // A gateway ends the connections that it keeps, not we.
        let mut server = http1::Builder::new();
        server.header_read_timeout(None);
        let connection = server.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async { drop(connection.await) });
    }
}

/// The pod's name, which in a container is the name of the host.
fn name() -> String {
    env::var("POD_NAME").or_else(|_| env::var("HOSTNAME")).unwrap_or_default()
}

/// The pets of a version.
fn pets(version: &str) -> Result<Vec<Value>> {
    let pet = |id: u32, name: &str, status: &str| json!({"id": id, "name": name, "status": status});
    Ok(match version {
        "v1" => vec![pet(1, "Dog", "available"), pet(2, "Cat", "pending")],
        "v2" => vec![pet(1, "Dog", "v2"), pet(2, "Cat", "v2"), pet(3, "Parrot", "v2")],
        other => bail!("there is no petstore {other:?}: v1 or v2"),
    })
}

fn answer(
    pets: &[Value],
    pod: &HeaderValue,
    method: &Method,
    path: &str,
) -> Response<http_body_util::Full<Bytes>> {
    let (status, body) = look_up(pets, method, path);
    let mut response = Response::new(Bytes::from(body.to_string()).into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-pod", pod.clone());
    response
}

fn look_up(pets: &[Value], method: &Method, path: &str) -> (StatusCode, Value) {
    let not_found = |what: &str| {
        let message = format!("not found: {what}");
        (StatusCode::NOT_FOUND, json!({"code": NOT_FOUND, "message": message}))
    };
    if method != Method::GET {
        return (StatusCode::METHOD_NOT_ALLOWED, json!({"code": 405, "message": "only GET"}));
    }
    match path.trim_end_matches('/').strip_prefix("/api/pets") {
        Some("") => (StatusCode::OK, pets.into()),
        Some(rest) => {
            let id = rest.trim_start_matches('/');
            let id_of = |pet: &Value| pet["id"].as_u64().map(|id| id.to_string());
            let pet = pets.iter().find(|pet| id_of(pet).as_deref() == Some(id));
            pet.map_or_else(|| not_found(&format!("pet {id}")), |pet| (StatusCode::OK, pet.clone()))
        }
        None => not_found(&format!("path {path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(version: &str, path: &str) -> (u16, Value) {
        let (status, body) = look_up(&pets(version).unwrap(), &Method::GET, path);
        (status.as_u16(), body)
    }

    #[test]
    fn each_version_has_the_pets_of_the_article() {
        let (_, all) = asked("v1", "/api/pets");
        assert_eq!(
            all.to_string(),
            r#"[{"id":1,"name":"Dog","status":"available"},{"id":2,"name":"Cat","status":"pending"}]"#
        );
        assert_eq!(asked("v1", "/api/pets/2").1["name"], "Cat");
        assert_eq!(asked("v1", "/api/pets/3").1["message"], "not found: pet 3");
        assert_eq!(asked("v2", "/api/pets//3").1["status"], "v2");
        assert_eq!(asked("v2", "/swagger.json").0, 404);
        assert!(pets("v3").is_err());
    }
}
