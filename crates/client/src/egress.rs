//! The one way out of the desk: HTTPS requests to the signed-in server, and the socket that carries its pokes. Nothing else
//! in the desk opens a connection. Plain HTTP is taken for loopback addresses only.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use futures_util::StreamExt;
use parley_domain::Code;
use parley_domain::protocol::change::{Poke, ResyncRequired};
use parley_domain::protocol::endpoint::{Endpoint, POKE_PATH};
use parley_domain::protocol::session::Secret;
use parley_domain::protocol::{PROTOCOL, PROTOCOL_HEADER, Problem};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

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

/// Another network than the operating system's, as a simulation has it. What goes wrong on it is an answer that never comes.
pub trait Wire: Send + Sync {
    /// Posts a body to a path of the server; the status and the body of the answer, or `None` when there is none.
    fn post(&self, path: &'static str, token: Option<&Secret>, body: Vec<u8>) -> Carried<Option<(u16, Vec<u8>)>>;
    /// Opens the socket; its pokes until it closes, or the status of the refusal (zero when nobody answers).
    fn listen(&self, token: &Secret) -> Carried<std::result::Result<UnboundedReceiver<Poke>, u16>>;
}

/// What a [`Wire`] is about to bring.
pub type Carried<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A client for one server. HTTP/1.1: one request is in flight at a time, and the socket needs it.
#[derive(Clone)]
pub struct Egress {
    /// Built at the first call: it reads the system's certificates, and opening a desk must not wait for that.
    http: Arc<OnceLock<reqwest::Client>>,
    server: ServerUrl,
    wire: Option<Arc<dyn Wire>>,
}

/// The socket that carries pokes.
pub enum PokeSocket {
    Web(Box<WebSocketStream<reqwest::Upgraded>>),
    Wire(UnboundedReceiver<Poke>),
}

impl Egress {
    /// A client for `server`. Redirects are not followed: an answer comes from the server or not at all.
    pub fn new(server: ServerUrl, wire: Option<Arc<dyn Wire>>) -> Self {
        Self { http: Arc::default(), server, wire }
    }

    async fn http(&self) -> std::result::Result<reqwest::Client, Failure> {
        if let Some(http) = self.http.get() {
            return Ok(http.clone());
        }
        let built = tokio::task::spawn_blocking(build).await.map_err(|_| Failure::of(Code::Internal))?;
        let built = built.map_err(|_| Failure::of(Code::Internal))?;
        Ok(self.http.get_or_init(|| built).clone())
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
        let offline = || Failure::of(Code::Offline);
        let (status, body) = match &self.wire {
            Some(wire) => {
                let sent = serde_json::to_vec(request).map_err(|_| Failure::of(Code::Internal))?;
                let answer = tokio::time::timeout(REQUEST, wire.post(E::PATH, token, sent)).await;
                answer.ok().flatten().ok_or_else(offline)?
            }
            None => self.post::<E>(token, request).await?,
        };
        if (200..300).contains(&status) {
            return serde_json::from_slice(&body).map_err(|_| Failure::of(Code::ProtocolMismatch));
        }
        if status == 409
            && let Ok(resync) = serde_json::from_slice::<ResyncRequired>(&body)
        {
            return Err(Failure { code: Code::ResyncRequired, retry_after: None, resync: Some(resync) });
        }
        Err(match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Failure { code: problem.code, retry_after: problem.retry_after, resync: None },
            Err(_) if status == 401 => Failure::of(Code::Unauthorized),
            Err(_) => Failure::of(Code::ServerFailed),
        })
    }

    async fn post<E: Endpoint>(
        &self,
        token: Option<&Secret>,
        request: &E::Request,
    ) -> std::result::Result<(u16, Vec<u8>), Failure> {
        let mut call = self
            .http()
            .await?
            .post(format!("{}{}", self.server.0, E::PATH))
            .timeout(REQUEST)
            .header(PROTOCOL_HEADER, PROTOCOL.to_string())
            .json(request);
        if let Some(token) = token {
            call = call.bearer_auth(token.expose());
        }
        let offline = |_| Failure::of(Code::Offline);
        let answer = call.send().await.map_err(offline)?;
        let status = answer.status().as_u16();
        Ok((status, answer.bytes().await.map_err(offline)?.into()))
    }

    /// Opens the socket. The upgrade goes through the client that requests use: tungstenite's own handshake would
    /// write the whole request, token and all, to the log at TRACE.
    pub async fn open_socket(&self, token: &Secret) -> std::result::Result<PokeSocket, Failure> {
        if let Some(wire) = &self.wire {
            return match tokio::time::timeout(CONNECT, wire.listen(token)).await {
                Ok(Ok(pokes)) => Ok(PokeSocket::Wire(pokes)),
                Ok(Err(401)) => Err(Failure::of(Code::Unauthorized)),
                _ => Err(Failure::of(Code::Offline)),
            };
        }
        let key = generate_key();
        let call = self
            .http()
            .await?
            .get(format!("{}{POKE_PATH}", self.server.0))
            .header(PROTOCOL_HEADER, PROTOCOL.to_string())
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key)
            .bearer_auth(token.expose());
        let offline = |_| Failure::of(Code::Offline);
        let answer = tokio::time::timeout(CONNECT, call.send()).await.map_err(|_| Failure::of(Code::Offline))?;
        let answer = answer.map_err(offline)?;
        match answer.status().as_u16() {
            101 => {}
            401 => return Err(Failure::of(Code::Unauthorized)),
            _ => return Err(Failure::of(Code::ServerFailed)),
        }
        let accepted = answer.headers().get("sec-websocket-accept").and_then(|value| value.to_str().ok());
        if accepted != Some(derive_accept_key(key.as_bytes()).as_str()) {
            return Err(Failure::of(Code::ProtocolMismatch));
        }
        let stream = answer.upgrade().await.map_err(offline)?;
        Ok(PokeSocket::Web(Box::new(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)))
    }
}

fn build() -> reqwest::Result<reqwest::Client> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error means that one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("parley-desk/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .build()
}

/// The next poke; `None` when the socket is closed or dead.
pub async fn next_poke(socket: &mut PokeSocket) -> Option<Poke> {
    use futures_util::SinkExt;
    let socket = match socket {
        PokeSocket::Web(socket) => socket,
        PokeSocket::Wire(pokes) => return pokes.recv().await,
    };
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
