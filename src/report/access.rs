//! Who may see how rollouts stand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use crate::secret::{Secret, SecretFile};

/// What a browser asks its user by (RFC 7617), and what a program may send instead (RFC 6750).
const CHALLENGES: [&str; 2] =
    [r#"Basic realm="coalmine: any name, and the token as password", charset="UTF-8""#, "Bearer"];

/// Who may see how rollouts stand.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Everybody who can reach it.
    #[default]
    Open,
    /// Who knows the token in this file: as `Authorization: Bearer`, or with any name as the password
    /// of HTTP Basic, which is how a browser asks for it.
    Token(SecretFile),
}

impl Access {
    /// Closes routes to everybody else.
    pub(super) fn guard(self, routes: Router) -> Router {
        match self {
            Self::Open => routes,
            Self::Token(file) => {
                let token_check = Arc::new(TokenCheck { file, complained: AtomicBool::new(false) });
                routes.layer(from_fn_with_state(token_check, check))
            }
        }
    }
}

struct TokenCheck {
    file: SecretFile,
    /// Whether the log says that the file cannot be read: anybody can ask as often as they please.
    complained: AtomicBool,
}

async fn check(
    State(token_check): State<Arc<TokenCheck>>,
    request: Request,
    next: Next,
) -> Response {
    let token = match token_check.file.read() {
        Ok(token) => token,
        Err(error) => {
            if !token_check.complained.swap(true, Ordering::Relaxed) {
                tracing::error!("the status is shown to nobody: {error}");
            }
            let answer = "the token's file cannot be read; the daemon's log says why\n";
            return (StatusCode::INTERNAL_SERVER_ERROR, answer).into_response();
        }
    };
    token_check.complained.store(false, Ordering::Relaxed);
    if knows(request.headers(), &token) {
        return next.run(request).await;
    }
    let answer =
        "the token is needed: `Authorization: Bearer TOKEN`, or as the password of any user\n";
    let mut response = (StatusCode::UNAUTHORIZED, answer).into_response();
    for challenge in CHALLENGES {
        let challenge = HeaderValue::from_static(challenge);
        response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Whether the sender knows the token.
fn knows(headers: &HeaderMap, token: &Secret) -> bool {
    let credentials = headers.get(header::AUTHORIZATION);
    credentials.is_some_and(|credentials| token.authorizes(credentials.as_bytes()))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn knows_with(authorization: &str) -> bool {
        let token = Secret::parse(b"correct:horse:battery").expect("a token");
        let value = HeaderValue::from_str(authorization).expect("a header");
        knows(&HeaderMap::from_iter([(header::AUTHORIZATION, value)]), &token)
    }

    #[test]
    fn the_token_is_a_bearer_token_or_the_password_of_any_name() {
        assert!(knows_with("Bearer correct:horse:battery"));
        assert!(knows_with("bearer correct:horse:battery"));
        let basic = |pair: &str| knows_with(&format!("Basic {}", BASE64_STANDARD.encode(pair)));
        assert!(basic("ada:correct:horse:battery"));
        assert!(basic(":correct:horse:battery"));
        assert!(!basic("correct:horse:battery"));
        assert!(!basic("correct:horse:battery:"));
        assert!(!basic("ada"));
    }

    #[test]
    fn nothing_else_opens() {
        for wrong in [
            "Bearer correct:horse:batter",
            "Bearer ",
            "Bearer",
            "",
            "Basic !",
            "Digest correct:horse:battery",
        ] {
            assert!(!knows_with(wrong), "{wrong:?}");
        }
        let token = Secret::parse(b"correct:horse:battery").expect("a token");
        assert!(!knows(&HeaderMap::new(), &token));
    }
}
