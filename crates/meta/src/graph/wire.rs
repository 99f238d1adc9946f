//! How a request gets to Meta: over HTTPS, or over the network of a simulation.
//!
//! Promise: a wire says what it knows and judges nothing: whether a message may be sent again is decided from it elsewhere.

use std::fmt::Debug;
use std::pin::Pin;

use parley_domain::protocol::session::Secret;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{CALL_TIMEOUT, RESPONSE_MAX};

/// Carries one request.
pub trait Wire: Send + Sync + Debug {
    /// Posts JSON with a bearer token; at most [`CALL_TIMEOUT`] and [`RESPONSE_MAX`] bytes, no redirects.
    fn post<'a>(&'a self, url: &'a str, token: &'a Secret, body: &'a Value) -> Posted<'a>;
}

/// What becomes of a request.
pub type Posted<'a> = Pin<Box<dyn Future<Output = Result<Reply, Broken>> + Send + 'a>>;

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The body came to its end within the limit.
    pub whole: bool,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// The request could not be made.
    Malformed,
    /// No connection: no byte left.
    NotConnected,
    /// No answer in time.
    NoAnswer,
    /// The connection broke before the answer.
    CutOff,
}

impl Wire for reqwest::Client {
    fn post<'a>(&'a self, url: &'a str, token: &'a Secret, body: &'a Value) -> Posted<'a> {
        // The client's own method, not this one.
        let request = self.post(url).bearer_auth(token.expose()).timeout(CALL_TIMEOUT).json(body);
        Box::pin(async move {
            let mut response = request.send().await.map_err(|error| broken(&error))?;
            let mut reply = Reply {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: Vec::new(),
                whole: true,
            };
            loop {
                match response.chunk().await {
                    Ok(Some(chunk)) if reply.body.len() + chunk.len() <= RESPONSE_MAX => {
                        reply.body.extend_from_slice(&chunk);
                    }
                    Ok(None) => return Ok(reply),
                    // Too long, or broken off: the status still counts.
                    _ => return Ok(Reply { whole: false, ..reply }),
                }
            }
        })
    }
}

/// The error itself is not shown: it holds the address.
fn broken(error: &reqwest::Error) -> Broken {
    // Name resolution, connecting and the TLS handshake fail before anything is written.
    if error.is_connect() {
        Broken::NotConnected
    } else if error.is_builder() {
        Broken::Malformed
    } else if error.is_timeout() {
        Broken::NoAnswer
    } else {
        Broken::CutOff
    }
}
