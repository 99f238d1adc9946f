//! The one way out of the desk: HTTPS requests to the signed-in server, and the socket that carries its pokes. Nothing else
//! in the desk opens a connection. Plain HTTP is taken for loopback addresses only.

use std::net::IpAddr;
use std::sync::Once;
use std::time::Duration;

use futures_util::StreamExt;
use parley_domain::Code;
use parley_domain::protocol::change::{Poke, ResyncRequired};
use parley_domain::protocol::endpoint::{Endpoint, POKE_PATH};
use parley_domain::protocol::session::Secret;
use parley_domain::protocol::{PROTOCOL, PROTOCOL_HEADER, Problem};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::{Error, Result};

const CONNECT: Duration = Duration::from_secs(5);
const REQUEST: Duration = Duration::from_secs(30);
/// A socket that says nothing for this long, though it was pinged, is dead.
const SILENCE: Duration = Duration::from_secs(40);

/// A server's address without a trailing slash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// Takes what a member typed: `https` is added when no scheme was given (`http` for loopback). Plain `http` to another
    /// machine, credentials in the address and other schemes are [`Code::BadRequest`].
    pub fn parse(typed: &str) -> Result<Self> {
        let typed = typed.trim().trim_end_matches('/');
        let bad = || Error::Refused(Code::BadRequest);
        let parse = |text: &str| reqwest::Url::parse(text).map_err(|_| bad());
        let url = if typed.contains("://") {
            parse(typed)?
        } else {
            let guess = parse(&format!("https://{typed}"))?;
            if is_loopback(&guess) { parse(&format!("http://{typed}"))? } else { guess }
        };
        let allowed = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !allowed || !plain || url.host_str().is_none() {
            return Err(bad());
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn socket(&self) -> String {
        format!("{}{POKE_PATH}", self.0.replacen("http", "ws", 1))
    }
}

fn is_loopback(url: &reqwest::Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost"
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

/// Why a call did not succeed.
#[derive(Clone, PartialEq, Debug)]
pub struct Failure {
    pub code: Code,
    /// Milliseconds that the server asks to wait.
    pub retry_after: Option<i64>,
    /// The cursor cannot be served.
    pub resync: Option<ResyncRequired>,
}

impl Failure {
    /// A failure with nothing but a code.
    pub fn of(code: Code) -> Self {
        Self { code, retry_after: None, resync: None }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::of(error.code())
    }
}

/// A client for one server.
#[derive(Clone)]
pub struct Egress {
    http: reqwest::Client,
    server: ServerUrl,
}

/// The socket that carries pokes.
pub type PokeSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Egress {
    /// A client for `server`. Redirects are not followed: an answer comes from the server or not at all.
    pub fn new(server: ServerUrl) -> Result<Self> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // An error means that one is installed already, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("parley-desk/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| Error::Refused(Code::Internal))?;
        Ok(Self { http, server })
    }

    /// The server's address.
    pub fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Calls a route.
    pub async fn call<E: Endpoint>(
        &self,
        token: Option<&Secret>,
        request: &E::Request,
    ) -> std::result::Result<E::Response, Failure> {
        let mut call = self
            .http
            .post(format!("{}{}", self.server.0, E::PATH))
            .header(PROTOCOL_HEADER, PROTOCOL.to_string())
            .json(request);
        if let Some(token) = token {
            call = call.bearer_auth(token.expose());
        }
        let offline = |_| Failure::of(Code::Offline);
        let answer = call.send().await.map_err(offline)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(offline)?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| Failure::of(Code::ProtocolMismatch));
        }
        if status.as_u16() == 409
            && let Ok(resync) = serde_json::from_slice::<ResyncRequired>(&body)
        {
            return Err(Failure { code: Code::ResyncRequired, retry_after: None, resync: Some(resync) });
        }
        Err(match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Failure { code: problem.code, retry_after: problem.retry_after, resync: None },
            Err(_) if status.as_u16() == 401 => Failure::of(Code::Unauthorized),
            Err(_) => Failure::of(Code::ServerFailed),
        })
    }

    /// Opens the socket.
    pub async fn open_socket(&self, token: &Secret) -> std::result::Result<PokeSocket, Failure> {
        let internal = |_| Failure::of(Code::Internal);
        let mut request = self.server.socket().into_client_request().map_err(|_| Failure::of(Code::Internal))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(internal)?;
        bearer.set_sensitive(true);
        request.headers_mut().insert("authorization", bearer);
        request.headers_mut().insert(PROTOCOL_HEADER, HeaderValue::from(PROTOCOL));
        match tokio::time::timeout(CONNECT, tokio_tungstenite::connect_async(request)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(SocketError::Http(answer))) if answer.status().as_u16() == 401 => {
                Err(Failure::of(Code::Unauthorized))
            }
            Ok(Err(SocketError::Http(_))) => Err(Failure::of(Code::ServerFailed)),
            _ => Err(Failure::of(Code::Offline)),
        }
    }
}

/// The next poke; `None` when the socket is closed or dead.
pub async fn next_poke(socket: &mut PokeSocket) -> Option<Poke> {
    use futures_util::SinkExt;
    let mut pinged = false;
    loop {
        match tokio::time::timeout(SILENCE / 2, socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => match serde_json::from_str(&text) {
                Ok(poke) => return Some(poke),
                // A newer server may say more than this build knows.
                Err(_) => pinged = false,
            },
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return None,
            Ok(Some(Ok(_))) => pinged = false,
            Err(_) if pinged => return None,
            Err(_) => {
                pinged = true;
                socket.send(Message::Ping(Default::default())).await.ok()?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for (typed, taken) in [
            ("desk.example.com", Some("https://desk.example.com")),
            (" https://desk.example.com/ ", Some("https://desk.example.com")),
            ("127.0.0.1:4000", Some("http://127.0.0.1:4000")),
            ("http://localhost:4000", Some("http://localhost:4000")),
            ("http://[::1]:4000", Some("http://[::1]:4000")),
            ("http://desk.example.com", None),
            ("http://localhost.example.com", None),
            ("https://me:secret@desk.example.com", None),
            ("ftp://desk.example.com", None),
            ("", None),
        ] {
            assert_eq!(ServerUrl::parse(typed).ok().as_ref().map(ServerUrl::as_str), taken, "{typed}");
        }
    }
}
